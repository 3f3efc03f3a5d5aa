"""`reports/split.json`: how the rows were split, and the digest of every prepared table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from clearance import paths
from clearance.documents.codec import Count, Sha256
from clearance.documents.evidence_document import MeasuredDocument


@dataclass(frozen=True, kw_only=True)
class TimeSplit:
    """The column of the time by which rows were split, and the first day of the test rows."""

    column: str
    test_from: str


@dataclass(frozen=True, kw_only=True)
class SplitDocument(MeasuredDocument):
    """Which rows are on which side.

    `rows` counts them by split, `row_digests` is the SHA-256 over their hashes, `tables` that of each
    prepared table's file. `by` says what decided a row's side.
    """

    path: ClassVar[Path] = paths.SPLIT

    by: str
    seed: int
    time: TimeSplit | None
    rows: Mapping[str, Count]
    row_digests: Mapping[str, Sha256]
    features: tuple[str, ...]
    protected: tuple[str, ...]
    tables: Mapping[str, Sha256]
