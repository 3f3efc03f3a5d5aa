"""What one stage reads and writes, by path, each with DVC's digest where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StageFiles:
    """The command of a stage and its files: paths relative to the project, or absolute outside it.

    A digest is the MD5 that DVC recorded last, None where it has recorded none.
    """

    command: str
    reads: Mapping[str, str | None]
    writes: Mapping[str, str | None]
