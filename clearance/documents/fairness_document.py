"""`reports/fairness.json`: how decisions differ between groups, on test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from clearance import paths
from clearance.documents.attempt_level import LevelledDocument
from clearance.documents.codec import Count, Sha256
from clearance.documents.measurement import Measurement
from clearance.documents.sampling_report import Confusion, SamplingReport

Bounds = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class GroupReport:
    """Rows and rates of a group; a rate and its bounds are None where the group has no row to take it over.

    `intervals` are Wilson's, `exact_intervals` those of Clopper and Pearson.
    """

    count: Count
    cells: Confusion
    selection_rate: float | None
    true_positive_rate: float | None
    false_positive_rate: float | None
    intervals: Mapping[str, Bounds | None]
    exact_intervals: Mapping[str, Bounds | None]


@dataclass(frozen=True, kw_only=True)
class WeightedGroupReport:
    """A group whose rows weigh or come in clusters: `count` and `cells` are rows as they are.

    `weight` is their sum of weights, `effective_rows` those that the bounds of the selection rate stand on.
    """

    count: Count
    weight: float
    effective_rows: float
    clusters: int | None
    cells: Confusion
    label_rate: float | None
    selection_rate: float | None
    true_positive_rate: float | None
    false_positive_rate: float | None
    intervals: Mapping[str, Bounds | None]


@dataclass(frozen=True, kw_only=True)
class BestGroupComparison:
    """A group's selection rate against that of the group with the highest, and two tests of the gap."""

    group: str
    against: str
    difference: float
    impact_ratio: float | None
    low: float | None
    high: float | None
    standard_deviations: float | None
    fisher_p: float | None
    fisher_p_adjusted: float | None
    undefined: str | None


@dataclass(frozen=True, kw_only=True)
class IntervalFamily:
    """How many intervals the document has, and the levels at which one, and all of them, hold."""

    attributes: tuple[str, ...]
    metrics: Count
    intervals: Mapping[str, Count]
    held_each: float
    held_together: float
    statement: str


@dataclass(frozen=True, kw_only=True)
class FairnessDocument(LevelledDocument):
    """Every fairness metric with its interval, by protected attribute and intersection.

    `groups` is the table of groups, `above_median` how many rows of each score above the median of all rows
    (None where scores are not probabilities), `never_observed` the combinations that no row has.
    """

    path: ClassVar[Path] = paths.FAIRNESS

    measurements: Mapping[str, Mapping[str, Measurement]]
    groups: Mapping[str, Mapping[str, GroupReport | WeightedGroupReport]]
    against_best: Mapping[str, tuple[BestGroupComparison, ...]]
    never_observed: Mapping[str, tuple[str, ...]]
    family: IntervalFamily
    rows: Count
    sampling: SamplingReport
    threshold: float
    model_sha256: Sha256
    above_median: Mapping[str, Mapping[str, Count]] | None = None

    @property
    def model_digest(self) -> str:
        """The SHA-256 of the model's file."""
        return self.model_sha256
