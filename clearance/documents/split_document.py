"""`reports/split.json`: how the rows were split, and the digest of every prepared table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from clearance import paths
from clearance.documents.codec import WHEN_SET, Count, Sha256
from clearance.documents.evidence_document import MeasuredDocument


@dataclass(frozen=True, kw_only=True)
class TimeSplit:
    """The column of the time by which rows were split, and the first day of the test rows."""

    column: str
    test_from: str


@dataclass(frozen=True, kw_only=True)
class TrainedOn:
    """What was declared of the rows that a model made elsewhere was trained on.

    For `listed`, `keys` counts the listed keys, `elsewhere` those that are no row of the table; `sha256` is
    the digest of the list.
    """

    declared: Literal["none", "unknown", "listed"]
    file: str | None = field(default=None, metadata=WHEN_SET)
    sha256: Sha256 | None = field(default=None, metadata=WHEN_SET)
    keys: Count | None = field(default=None, metadata=WHEN_SET)
    elsewhere: Count | None = field(default=None, metadata=WHEN_SET)


@dataclass(frozen=True, kw_only=True)
class SplitDocument(MeasuredDocument):
    """Which rows are on which side.

    `rows` counts them by split, `row_digests` is the SHA-256 over their hashes, `tables` that of each
    prepared table's file. `by` says what decided a row's side. `trained_on` is the declaration that decided
    which rows are train rows where the model was made elsewhere.
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
    trained_on: TrainedOn | None = field(default=None, metadata=WHEN_SET)
