"""Where the inference log, its key file and its spool are: from the environment, or in the project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clearance import paths

ADDRESS = "CLEARANCE_INFERENCE_LOG"
KEY = "CLEARANCE_INFERENCE_KEY"
LOG_FILE = paths.STATE / "inference.db"
KEY_FILE = paths.STATE / "inference.key"
SPOOL = paths.STATE / "inference.spool"


def address(root: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The log's database URL: `CLEARANCE_INFERENCE_LOG`, or an SQLite file in the project."""
    return environment.get(ADDRESS) or paths.sqlite_url(root / LOG_FILE)


def key_path(root: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """The key file: `CLEARANCE_INFERENCE_KEY`, or a file in the project, for a demonstration."""
    return root / (environment.get(KEY) or KEY_FILE)


def spool_path(root: Path) -> Path:
    """The folder of this machine's spools."""
    return root / SPOOL
