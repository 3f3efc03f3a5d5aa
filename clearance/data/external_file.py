"""A file that was made elsewhere, before anybody reads it: a plain file of this project, and not empty.

What is in it is for its reader to decide.
"""

from __future__ import annotations

from pathlib import Path

from clearance.data import faults


def checked(file: str, *, folder_allowed: bool = False) -> Path:
    """The path of `file`, below the working folder. Raises ConfigurationError unless it may be read.

    It must exist, hold something, and be no link, here or on the way to it: a link's content is not what DVC
    and git keep. A folder is refused unless `folder_allowed`.
    """
    path = Path(file)
    if any(part.is_symlink() for part in (path, *path.parents)):
        raise faults.EXTERNAL_LINK(path=file)
    if path.is_dir() and folder_allowed:
        return path
    if path.is_dir():
        raise faults.EXTERNAL_FOLDER(path=file)
    if not path.is_file():
        raise faults.EXTERNAL_MISSING(path=file)
    if path.stat().st_size == 0:
        raise faults.EXTERNAL_EMPTY(path=file)
    return path
