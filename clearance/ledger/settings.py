"""Where the ledger and its checkpoints are, unless the environment says otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ADDRESS = "CLEARANCE_LEDGER"
CHECKPOINTS = "CLEARANCE_CHECKPOINTS"


def address(root: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The ledger's database URL: what `CLEARANCE_LEDGER` holds, else an SQLite file in the project."""
    return environment.get(ADDRESS) or f"sqlite:///{root / '.clearance' / 'ledger.db'}"


def checkpoint_paths(root: Path, environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The files for checkpoints: one in the project, and what `CLEARANCE_CHECKPOINTS` lists beside it.

    The list is separated like `PATH`; a relative path is taken from the project folder. All who write to one
    ledger must name the same files.
    """
    listed = [each for each in environment.get(CHECKPOINTS, "").split(os.pathsep) if each]
    own = root / ".clearance" / "ledger.checkpoints"
    return tuple(dict.fromkeys([own, *(root / each for each in listed)]))
