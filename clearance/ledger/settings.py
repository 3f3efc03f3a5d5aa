"""Where the ledger and its checkpoint files are: from the environment, or in the project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clearance import paths

ADDRESS = "CLEARANCE_LEDGER"
CHECKPOINTS = "CLEARANCE_CHECKPOINTS"


def address(root: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The ledger's database URL: `CLEARANCE_LEDGER`, or an SQLite file in the project."""
    return environment.get(ADDRESS) or paths.sqlite_url(root / paths.LEDGER)


def checkpoint_paths(root: Path, environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The files that hold every checkpoint: those that `CLEARANCE_CHECKPOINTS` lists, or the project's own.

    The list is separated like `PATH`; a relative path starts at the project folder. Everybody who writes to a
    ledger must list the same files.
    """
    listed = [name for name in environment.get(CHECKPOINTS, "").split(os.pathsep) if name]
    return tuple(dict.fromkeys(root / name for name in listed)) or (root / paths.CHECKPOINTS,)


def witness_path(root: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """This checkout's own copy of the checkpoints in the listed files; None where it is the only file.

    It may lag behind when other checkouts write to the same ledger, and it must never differ.
    """
    own = root / paths.CHECKPOINTS
    return None if own in checkpoint_paths(root, environment) else own
