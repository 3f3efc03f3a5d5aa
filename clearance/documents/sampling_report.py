"""How the rows behind a document came to be, and their counts by label and decision."""

from __future__ import annotations

from dataclasses import dataclass, field

from clearance.documents.codec import WHEN_SET, Count


@dataclass(frozen=True, kw_only=True)
class SamplingReport:
    """The columns that hold a row's weight and its cluster, with their sum and number; None: not declared."""

    statement: str
    weight: str | None
    cluster: str | None
    weight_sum: float | None = field(default=None, metadata=WHEN_SET)
    clusters: int | None = field(default=None, metadata=WHEN_SET)


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Rows by label and decision; a true positive was labelled and decided favourable."""

    true_positive: Count
    false_positive: Count
    false_negative: Count
    true_negative: Count
