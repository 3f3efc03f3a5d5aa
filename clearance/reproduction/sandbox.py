"""Cuts a child process off from every network, where the kernel allows that to an ordinary account."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

from clearance import isolation

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000


def cut_network() -> None:
    """Leave this process, which must have a single thread, without any network but an unused loopback.

    Raises OSError where the kernel refuses.
    """
    user, group = os.getuid(), os.getgid()
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_NEW_USER | _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "unshare")
    isolation.unseal_process()  # else its own maps belong to root
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        Path("/proc/self", file).write_text(text, encoding="ascii")


@cache
def can_cut_network() -> bool:
    """Whether the kernel allows it here: some containers and hardened systems do not, nor does macOS."""
    if not hasattr(ctypes.CDLL(None), "unshare"):
        return False
    pid = os.fork()
    if pid == 0:
        try:
            cut_network()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
