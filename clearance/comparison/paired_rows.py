"""The compared rows with the scores of both models, and how the change of model changes each metric.

Nothing here decides whether a change is small enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clearance.comparison.criteria import Criterion
from clearance.documents import metric_catalogue
from clearance.documents.group_names import MISSING
from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import (
    contingency,
    intersections,
    intervals,
    paired,
    paired_disparity,
    paired_intervals,
    paired_scores,
)
from clearance.policy import schema

if TYPE_CHECKING:
    import pandas as pd

Labels = npt.NDArray[np.integer]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelScores:
    """A model's score for each compared row, and the threshold from which its decision is favourable."""

    scores: Scores
    threshold: float

    @property
    def decisions(self) -> npt.NDArray[np.bool_]:
        """Whether each row gets the favourable decision."""
        return np.asarray(self.scores >= self.threshold)


@dataclass(frozen=True, kw_only=True, eq=False)
class PairedRows:
    """The compared rows with the scores of champion and candidate.

    `protected` has one column of group names, or nulls, per attribute. `groups` are the groups that each
    attribute and intersection must show, `reference` the group of each that disparate impact is measured
    against. `same` says that both are one model with one threshold: then nothing is uncertain.
    """

    label: Labels
    champion: ModelScores
    candidate: ModelScores
    protected: pd.DataFrame
    groups: Mapping[str, Iterable[str]]
    reference: Mapping[str, str] = field(default_factory=dict)
    same: bool = False


SCORING_RATE = "scoring_rate_ratio"
"""The ratio of shares above the median score: counted by score, compared like a ratio of decisions."""


def score_fault(rows: PairedRows) -> str | None:
    """Why the scores cannot be compared, or None: some are not probabilities."""
    for name, model in (("champion", rows.champion), ("candidate", rows.candidate)):
        invalid = int(np.count_nonzero(~((model.scores >= 0) & (model.scores <= 1))))
        if invalid:
            return f"{invalid} of the {name}'s {len(model.scores)} scores are not probabilities"
    return None


def measure(rows: PairedRows, sampling: intervals.Sampling) -> dict[str, Measurement]:
    """Every quality metric: the candidate's value minus the champion's, over all compared rows."""
    scores = (rows.champion.scores, rows.candidate.scores)
    return paired.measure(_all_rows(rows), sampling) | paired_scores.measure(
        rows.label, *scores, sampling.confidence
    )


class Tables:
    """The compared rows counted by the groups of any attribute or intersection, and by both decisions."""

    def __init__(self, rows: PairedRows) -> None:
        self._rows = rows
        self._encoding = contingency.encode(rows.protected)

    def count(self, attribute: str, *, above_median: bool = False) -> paired.PairedTable | str:
        """The table of one attribute or intersection, every known group in it; or why there is none.

        `above_median` counts who scores above the model's own median of these rows, in place of decisions.
        """
        parts = schema.attribute_set(attribute)
        over = [name for name in self._encoding.attributes if name in parts]
        if len(over) < len(parts):
            return f"{attribute} is not among the attributes of these rows"
        code, names = intersections.codes_of(self._encoding, over)
        required = next(
            (groups for name, groups in self._rows.groups.items() if schema.attribute_set(name) == parts), ()
        )
        all_names = (*names[1:], *sorted({*required} - {*names, MISSING}))
        group = code[self._encoding.at] - 1
        has_group = group >= 0
        answers = [
            self._answers(model, above_median=above_median and bool(len(has_group)))[has_group]
            for model in (self._rows.champion, self._rows.candidate)
        ]
        return paired.count(all_names, group[has_group], self._rows.label[has_group], *answers)

    @staticmethod
    def _answers(model: ModelScores, *, above_median: bool) -> npt.NDArray[np.bool_]:
        return np.asarray(model.scores > np.median(model.scores)) if above_median else model.decisions

    def measure(self, criterion: Criterion, sampling: intervals.Sampling) -> Measurement:
        """How the candidate changes the criterion's metric; undefined without a paired method for it."""
        metric, above = criterion.metric, criterion.metric == SCORING_RATE
        if metric not in paired_disparity.METRICS and not above:
            return undefined(
                f"no method is known that compares two models by {metric_catalogue.title(metric)}"
            )
        if criterion.attribute is None:
            return undefined("the rule names no attribute")
        table = self.count(criterion.attribute, above_median=above)
        if isinstance(table, str):
            return undefined(table)
        reference = self._rows.reference.get(criterion.attribute)
        name = "demographic_parity_ratio" if above else metric
        return paired_disparity.measure(table, name, sampling, reference)


def figures(rows: PairedRows, sampling: intervals.Sampling) -> dict[str, Any]:
    """What is reported beside the findings: every quality metric, McNemar's p, each group's rates."""
    all_rows = _all_rows(rows)
    tables, by_group = Tables(rows), {}
    for name in rows.groups:
        if isinstance(table := tables.count(name), paired.PairedTable):
            by_group[name] = paired.by_group(table, sampling.confidence)
    return {
        "quality": measure(rows, sampling),
        "mcnemar_p": paired_intervals.mcnemar(all_rows.over("accuracy")),
        "decided_differently": int(np.count_nonzero(rows.champion.decisions != rows.candidate.decisions)),
        "by_group": by_group,
    }


def _all_rows(rows: PairedRows) -> paired.PairedTable:
    group = np.zeros(len(rows.label), dtype=np.int64)
    return paired.count(("all rows",), group, rows.label, rows.champion.decisions, rows.candidate.decisions)
