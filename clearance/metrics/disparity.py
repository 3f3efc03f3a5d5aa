"""What is measured of each protected attribute and intersection, whichever way the rows were drawn.

Chooses who bounds each figure: for independent rows, for rows that weigh, for rows in clusters. A figure
without a sound interval for its rows is undefined. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clearance import labels, params
from clearance.documents import metrics
from clearance.documents.group_names import MISSING
from clearance.documents.measurement import INTERSECTION, Measurement, undefined
from clearance.metrics import areas, count_rows, entropy, fairness, intersections, intervals, ranked
from clearance.metrics.contingency import Encoding
from clearance.metrics.rates import Group
from clearance.metrics.sampling_design import Design, Floats

Labels = npt.NDArray[np.integer]

METRICS = tuple(metric.measurement for metric in metrics.of_document("fairness"))
"""What is measured by attribute and by intersection."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Rows with their scores: `above` counts which lie above the median of all, `ranks` sorts them."""

    encoding: Encoding
    label: Labels
    scores: Floats
    drawn: Design
    ranks: ranked.Ranked
    above: count_rows.Counted


def score(encoding: Encoding, label: Labels, scores: Floats, drawn: Design) -> Scored:
    """Rank n rows by score, once for all groupings."""
    ranks = ranked.rank(label, scores, encoding.at)
    above = ranked.above_median(ranks) if drawn.weights is None else _above_median(scores, drawn.weights)
    return Scored(
        encoding=encoding,
        label=label,
        scores=scores,
        drawn=drawn,
        ranks=ranks,
        above=count_rows.count(encoding, label, above, drawn),
    )


def measure(
    counted: count_rows.Counted,
    scored: Scored,
    *,
    groups: Mapping[str, Group],
    over: Sequence[str],
    asked: params.Evaluate,
    seed: int,
) -> dict[str, Measurement]:
    """Every metric of one attribute or intersection, whose groups are counted already."""
    sampling = intervals.Sampling(confidence=asked.confidence, resamples=asked.resamples, seed=seed)
    named = groups.keys() - {MISSING}
    above = scored.above.groups(over, named, asked.confidence)
    resampled = counted.of(over) if counted.spread is not None and scored.drawn.weights is None else None
    found = (
        fairness.measure(groups, asked.confidence, _reference(over, asked.reference))
        | {"scoring_rate_ratio": fairness.scoring_rate_ratio(above, asked.confidence)}
        | entropy.measure(groups, sampling, resampled)
        | _ranked(scored, groups, over, sampling, asked.bins)
    )
    said = scored.drawn.statement
    if scored.drawn.independent:
        return found
    return {
        name: each if each.low is None else replace(each, method=f"{each.method}; {said}")
        for name, each in found.items()
    }


def _ranked(
    scored: Scored, groups: Mapping[str, Group], over: Sequence[str], sampling: intervals.Sampling, bins: int
) -> dict[str, Measurement]:
    codes, names = intersections.codes_of(scored.encoding, over)
    numbered = {code: group for code, group in enumerate(names) if group in groups}
    numbered |= {-1 - at: group for at, group in enumerate(groups) if group not in names}
    if scored.drawn.independent:
        return ranked.measure(scored.ranks, codes, numbered, sampling, bins)
    where = "rows weigh" if scored.drawn.at is None else "rows come in clusters"
    rows_of = {group: cells.count for group, cells in groups.items() if group != MISSING}
    return {
        "roc_auc_difference": areas.difference(
            scored.label,
            scored.scores,
            drawn=scored.drawn,
            group=codes[scored.encoding.at],
            names=numbered,
            confidence=sampling.confidence,
        ),
        "calibration_error_highest": undefined(f"no interval is known for it where {where}", rows_of),
    }


def _above_median(scores: Floats, weights: Floats) -> npt.NDArray[np.bool_]:
    """Whether each score lies above the weighted median.

    That is the score at which half the weight is reached, or halfway to the next where just half is.
    """
    order = np.argsort(scores, kind="stable")
    passed = np.cumsum(weights[order]) / weights.sum() if len(scores) else np.zeros(0)
    if not len(passed):
        return np.zeros(0, dtype=np.bool_)
    at = int(np.searchsorted(passed, 0.5 - 1e-12))
    median = scores[order[at]]
    if abs(passed[at] - 0.5) < 1e-12:
        median = (median + scores[order[at + 1]]) / 2
    return np.asarray(scores > median)


def _reference(over: Sequence[str], declared: Mapping[str, Any]) -> str | None:
    """The declared reference group, of an intersection that of all its attributes together."""
    name = INTERSECTION.join(over)
    chosen = [declared.get(name)] if name in declared else [declared.get(attribute) for attribute in over]
    texts = [labels.text(value) for value in chosen]
    return INTERSECTION.join(text for text in texts if text) if all(texts) else None
