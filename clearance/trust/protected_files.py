"""Files with secrets: written whole, never over another, readable by their owner only, else refused."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

_LONGEST = 1 << 16


class Exposed(PermissionError):
    """Other users can access the file; `mode` is its mode."""

    def __init__(self, mode: int) -> None:
        super().__init__(f"mode {mode:04o}")
        self.mode = mode


def read(path: Path) -> bytes:
    """The content of a file that no other user can access: at most 64 KiB.

    Its group may read it, because the secrets of containers are mounted that way. Raises Exposed when others
    could read or its group could change it, and OSError when it cannot be read.
    """
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        data = file.read(_LONGEST)
    if mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP):
        raise Exposed(stat.S_IMODE(mode))
    return data


def write(path: Path, data: bytes) -> None:
    """Write a new file, mode 0600, by link: completely or not at all. Raises FileExistsError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(name)
    finally:
        Path(name).unlink(missing_ok=True)
