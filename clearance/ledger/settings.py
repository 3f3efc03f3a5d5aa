"""Where the ledger and its checkpoint files are: from the environment, or in the project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clearance import database_urls, paths

ADDRESS = "CLEARANCE_LEDGER"
CHECKPOINTS = "CLEARANCE_CHECKPOINTS"


def address(root: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The ledger's database URL: `CLEARANCE_LEDGER`, or an SQLite file in the project."""
    return environment.get(ADDRESS) or database_urls.of_file(root / paths.LEDGER)


def checkpoint_paths(root: Path, environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The checkpoint files: one in the project, and those that `CLEARANCE_CHECKPOINTS` lists.

    The list is separated like `PATH`; a relative path starts at the project folder. Everybody who writes to a
    ledger must list the same files.
    """
    listed = [name for name in environment.get(CHECKPOINTS, "").split(os.pathsep) if name]
    own = root / paths.CHECKPOINTS
    return tuple(dict.fromkeys([own, *(root / name for name in listed)]))
