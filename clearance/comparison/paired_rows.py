"""The compared rows as both models answer them, and what the change of model does to each figure.

Nothing here decides whether a change is small enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clearance import wording
from clearance.comparison.criteria import SCORING_RATE, Demand
from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import (
    contingency,
    counts,
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
class Answers:
    """A model's score of each compared row, and the score from which on its decision is favourable."""

    scores: Scores
    threshold: float

    @property
    def decisions(self) -> npt.NDArray[np.bool_]:
        """Whether each row gets the favourable decision."""
        return np.asarray(self.scores >= self.threshold)


@dataclass(frozen=True, kw_only=True, eq=False)
class Duel:
    """The compared rows as both models answer them.

    `protected` has a column of group names, or nulls, per attribute; `known` the groups that each attribute
    and intersection must show; `reference` the group of each that disparate impact is measured against.
    `same` says that both are one model with one threshold: then nothing is uncertain.
    """

    label: Labels
    champion: Answers
    candidate: Answers
    protected: pd.DataFrame
    known: Mapping[str, Iterable[str]]
    reference: Mapping[str, str] = field(default_factory=dict)
    same: bool = False


def fault(duel: Duel) -> str | None:
    """Why these answers cannot be compared, or None: a score is no probability."""
    for name, answers in (("champion", duel.champion), ("candidate", duel.candidate)):
        wrong = int(np.count_nonzero(~((answers.scores >= 0) & (answers.scores <= 1))))
        if wrong:
            return f"{wrong} of the {name}'s {len(answers.scores)} scores are no probability"
    return None


def measure(duel: Duel, sampling: intervals.Sampling) -> dict[str, Measurement]:
    """Every figure of quality: the candidate's minus the champion's, of all compared rows."""
    scores = (duel.champion.scores, duel.candidate.scores)
    return paired.measure(_everybody(duel), sampling) | paired_scores.measure(
        duel.label, *scores, sampling.confidence
    )


class Tables:
    """The compared rows counted by the groups of any attribute or intersection, and both decisions."""

    def __init__(self, duel: Duel) -> None:
        self._duel = duel
        self._encoding = contingency.encode(duel.protected)

    def count(self, attribute: str, *, above_median: bool = False) -> paired.Table | str:
        """The table of one attribute or intersection, every known group in it; or why there is none.

        `above_median` counts in place of decisions who scores above the model's own median of these rows.
        """
        named = schema.parts(attribute)
        over = [name for name in self._encoding.attributes if name in named]
        if len(over) < len(named):
            return f"{attribute} is not among the attributes of these rows"
        code, found = intersections.codes_of(self._encoding, over)
        known = next((each for name, each in self._duel.known.items() if schema.parts(name) == named), ())
        names = (*found[1:], *sorted({*known} - {*found, counts.MISSING}))
        group = code[self._encoding.at] - 1
        inside = group >= 0
        both = (self._duel.champion, self._duel.candidate)
        said = [
            (each.scores > np.median(each.scores) if above_median and len(inside) else each.decisions)[inside]
            for each in both
        ]
        return paired.count(names, group[inside], self._duel.label[inside], *said)

    def measure(self, demand: Demand, sampling: intervals.Sampling) -> Measurement:
        """What the candidate makes of the demand's figure; undefined where nothing paired is known for it."""
        metric, above = demand.metric, demand.metric == SCORING_RATE
        if metric not in paired_disparity.METRICS and not above:
            return undefined(f"no comparison on the same rows is known for {wording.metric(metric)}")
        if demand.attribute is None:
            return undefined("the rule names no attribute")
        table = self.count(demand.attribute, above_median=above)
        if isinstance(table, str):
            return undefined(table)
        reference = self._duel.reference.get(demand.attribute)
        asked = "demographic_parity_ratio" if above else metric
        return paired_disparity.measure(table, asked, sampling, reference)


def figures(duel: Duel, sampling: intervals.Sampling) -> dict[str, Any]:
    """What is told beside the findings: every figure of quality, McNemar's p, each group's rates."""
    everybody = _everybody(duel)
    tables, by_group = Tables(duel), {}
    for name in duel.known:
        if isinstance(table := tables.count(name), paired.Table):
            by_group[name] = paired.by_group(table, sampling.confidence)
    return {
        "quality": measure(duel, sampling),
        "mcnemar_p": paired_intervals.mcnemar(everybody.over("accuracy")),
        "decided_differently": int(np.count_nonzero(duel.champion.decisions != duel.candidate.decisions)),
        "by_group": by_group,
    }


def _everybody(duel: Duel) -> paired.Table:
    group = np.zeros(len(duel.label), dtype=np.int64)
    return paired.count(("all rows",), group, duel.label, duel.champion.decisions, duel.candidate.decisions)
