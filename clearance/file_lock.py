"""A lock on a file or folder that one process holds at a time; `kill -9` releases it too.

Whoever may read a file may lock it. So nobody can read a lock who may not write what it guards.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_GROUP = stat.S_IRGRP | stat.S_IWGRP


@contextmanager
def hold(path: Path, *, wait: bool) -> Iterator[int]:
    """Hold the lock on the folder or file at `path` (a missing file is created); yield its descriptor.

    Raises BlockingIOError when another process holds it and `wait` is False.
    """
    with opened(path) as descriptor:
        if wait:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        elif not attempt(descriptor):
            raise BlockingIOError
        yield descriptor


@contextmanager
def opened(path: Path, guarded: Path | None = None) -> Iterator[int]:
    """The descriptor of a folder, or of a lock file that is created where it does not exist.

    Only its owner may open a lock file; the group may where it may also write the file `guarded`.
    """
    if path.is_dir():
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    else:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        shared = guarded is not None and guarded.exists() and guarded.stat().st_mode & _GROUP == _GROUP
        _set_mode(descriptor, 0o660 if shared else 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def attempt(descriptor: int) -> bool:
    """Lock an open file or folder, unless another process holds it; returns whether it is locked now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def restrict(path: Path) -> None:
    """Take the right to read a database, and so to lock it, from all who may not write it.

    Changes nothing where there is no such file, or another account owns it. The file is not opened: closing
    it would release every lock that SQLite holds on it in this process (sqlite.org/howtocorrupt.html, 2.2).
    """
    if path.exists():
        _set_mode(path, 0o660 if path.stat().st_mode & _GROUP == _GROUP else 0o600)


def create(path: Path) -> None:
    """Create a database file that only its owner may open; one that exists is left alone, and not opened."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _set_mode(file: int | Path, mode: int) -> None:
    status = os.stat(file)  # noqa: PTH116 - a path or a descriptor
    if stat.S_IMODE(status.st_mode) != mode and status.st_uid == os.geteuid():
        os.chmod(file, mode)  # noqa: PTH101
