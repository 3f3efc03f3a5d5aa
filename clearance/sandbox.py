"""Cuts a child process off from networks and files, where the kernel allows that to an ordinary account.

For rebuilds, which need no network, and for foreign code, which gets what it is given and nothing else.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from clearance import isolation

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH, _VERSION, _NO_NEW_PRIVILEGES = 1, 1, 38
_EXECUTE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 2, 1 << 3
_RIGHTS_SINCE = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""Landlock's rights on files by the version of its interface that brought them: what is handled is denied."""

_OF_A_FILE = _EXECUTE | 1 << 1 | _READ_FILE | 1 << 14 | 1 << 15
_SIGNALS_AND_SOCKETS_SINCE, _SIGNALS_AND_SOCKETS = 6, 0b11


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


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What foreign code may use: seconds of processor time, bytes of memory, bytes of one file it writes."""

    seconds: int = 600
    memory: int = 8 << 30
    file: int = 1 << 30


@cache
def can_confine() -> bool:
    """Whether the kernel can keep a process from networks and files: Linux from 5.13 on, with Landlock."""
    return _landlock_version() > 0 and can_cut_network()


def confinement(
    readable: Sequence[Path], writable: Sequence[Path], bounds: Bounds = Bounds()
) -> Callable[[], None]:
    """What a new process calls before it runs foreign code; afterwards nothing undoes it.

    It then has no network, reads and runs files below `readable` and `writable` only, writes below `writable`
    only, can neither trace nor signal another process, and ends when it exceeds the bounds. Raises OSError
    where the kernel refuses.
    """
    places = [(path, False) for path in readable if path.exists()] + [(path, True) for path in writable]

    def confine() -> None:
        cut_network()
        _restrict(places)
        for limit, most in (
            (resource.RLIMIT_CPU, bounds.seconds),
            (resource.RLIMIT_AS, bounds.memory),
            (resource.RLIMIT_FSIZE, bounds.file),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(limit, (most, most))

    return confine


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def _landlock_version() -> int:
    """The version of the interface; 0 where there is none."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "prctl"):
        return 0
    return max(0, int(library.syscall(_CREATE_RULESET, None, 0, _VERSION)))


def _restrict(places: Sequence[tuple[Path, bool]]) -> None:
    """Deny this process every file but those below the places, each with whether it may be written to."""
    version, library = _landlock_version(), ctypes.CDLL(None, use_errno=True)
    handled = sum(rights for since, rights in _RIGHTS_SINCE.items() if since <= version)
    scoped = _SIGNALS_AND_SOCKETS if version >= _SIGNALS_AND_SOCKETS_SINCE else 0
    ruleset = _Ruleset(handled, 0, scoped)
    size = ctypes.sizeof(ruleset) if scoped else 8
    rules = library.syscall(_CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    for path, may_write in places:
        rights = handled if may_write else _EXECUTE | _READ_FILE | _READ_FOLDER
        rights = rights if path.is_dir() else rights & _OF_A_FILE
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = _Beneath(rights & handled, folder)
        if library.syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(rule), 0):
            raise OSError(ctypes.get_errno(), "landlock_add_rule")
        os.close(folder)
    if library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or library.syscall(_RESTRICT_SELF, rules, 0):
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(rules)
