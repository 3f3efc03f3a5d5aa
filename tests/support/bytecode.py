"""The bytecode of what is installed, where a rebuild would write its own: compiling it takes many seconds."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from pathlib import Path

CACHE, SUFFIX = "__pycache__", f".{sys.implementation.cache_tag}.pyc"


def lend(folder: Path) -> None:
    """Let a rebuild in `folder` find the bytecode of the installed packages and of the standard library.

    What the rebuild compiles itself it writes beside the links; nothing that is installed changes. Python
    takes a file only while the source has the size and time that the bytecode was made from.
    """
    for source in {sysconfig.get_path("stdlib"), *site.getsitepackages()}:
        for place, folders, _ in os.walk(source):
            if CACHE in folders:
                here = folder / "bytecode" / place.lstrip("/")
                here.mkdir(parents=True, exist_ok=True)
                for file in os.scandir(f"{place}/{CACHE}"):
                    if file.name.endswith(SUFFIX):
                        (here / file.name).symlink_to(file.path)
            folders[:] = [name for name in folders if name not in (CACHE, "site-packages", "test")]
