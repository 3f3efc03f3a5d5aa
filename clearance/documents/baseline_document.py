"""`reports/baseline.json`: what live decisions of a version are compared with. Signed with the version.

Counts only, never a row: of features from train rows, of scores, decisions and groups from test rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from clearance import paths
from clearance.documents.codec import WHEN_SET, Count, Sha256
from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class FeatureBins:
    """The cells of one feature, in this order: its bins or categories, then `other`, then missing.

    A number is in bin i if it is above edge i-1 and at most edge i (the first and last bin are open). A
    category that is not listed is in `other`; for numbers, `other` counts what is not a number.
    """

    kind: Literal["number", "category"]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The number of cells."""
        return (len(self.edges) + 1 if self.kind == "number" else len(self.categories)) + 2


@dataclass(frozen=True, kw_only=True)
class FeatureReference:
    """A feature in the reference: its cells, their counts, and for numbers the mean of each bin.

    `by_day` are the counts of each day of `BaselineDocument.days`, where the rows have a time.
    """

    bins: FeatureBins
    counts: tuple[Count, ...]
    means: tuple[float | None, ...] | None = field(default=None, metadata=WHEN_SET)
    mean: float | None = field(default=None, metadata=WHEN_SET)
    deviation: float | None = field(default=None, metadata=WHEN_SET)
    median_size: float | None = field(default=None, metadata=WHEN_SET)
    by_day: tuple[tuple[Count, ...], ...] | None = field(default=None, metadata=WHEN_SET)


@dataclass(frozen=True, kw_only=True)
class GroupReference:
    """A group in the test rows: rows, favourable decisions, positive labels, and both."""

    rows: Count
    selected: Count
    positive: Count
    true_positive: Count


@dataclass(frozen=True, kw_only=True)
class BaselineDocument(MeasuredDocument):
    """The reference of a version.

    `score` has the cells of the score over test rows. `cells` are test rows by score cell, label and
    decision: rows of (cell, label 0 or 1, decision 0 or 1, count). `calibration` is the same of tune rows.
    `groups` are by attribute or intersection. `attribution` is the mean absolute contribution of each
    feature over tune rows. `days` are the dates of the train rows, where the policy or parameters name a
    column with their time. `rows` are the rows behind the features, `repeated` how many of them have the
    input of an earlier one. They are train rows, unless a model made elsewhere has none: `counted_in` says.
    """

    path: ClassVar[Path] = paths.BASELINE

    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    model_sha256: Sha256
    threshold: float
    rows: Count
    counted_in: Literal["train", "tune", "test"] = "train"
    repeated: Count = 0
    features: Mapping[str, FeatureReference]
    score: FeatureReference | None = field(default=None, metadata=WHEN_SET)
    cells: tuple[tuple[int, int, int, int], ...] = ()
    calibration: tuple[tuple[int, int, int, int], ...] = ()
    groups: Mapping[str, Mapping[str, GroupReference]] = field(default_factory=dict)
    attribution: Mapping[str, float] | None = field(default=None, metadata=WHEN_SET)
    roc_auc: float | None = field(default=None, metadata=WHEN_SET)
    days: tuple[str, ...] | None = field(default=None, metadata=WHEN_SET)

    @property
    def model_digest(self) -> str:
        """The SHA-256 of the model's file."""
        return self.model_sha256
