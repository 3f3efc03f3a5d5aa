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
from clearance.documents import metric_catalogue
from clearance.documents.group_names import MISSING
from clearance.documents.measurement import INTERSECTION, Measurement, undefined
from clearance.metrics import areas, count_rows, entropy, fairness, intersections, intervals, ranked
from clearance.metrics.contingency import Encoding
from clearance.metrics.rates import Group
from clearance.metrics.sampling_design import Design, Floats

Labels = npt.NDArray[np.integer]

METRICS = tuple(metric.measurement for metric in metric_catalogue.of_document("fairness"))
"""What is measured by attribute and by intersection."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Rows with their scores: `above_median` counts those above the median of all, `ranks` sorts them."""

    encoding: Encoding
    label: Labels
    scores: Floats
    design: Design
    ranks: ranked.Ranked
    above_median: count_rows.Counted


def score(encoding: Encoding, label: Labels, scores: Floats, design: Design) -> Scored:
    """Rank n rows by score, once for all groupings."""
    ranks = ranked.rank(label, scores, encoding.at)
    above_median = (
        ranked.above_median(ranks) if design.weights is None else _above_median(scores, design.weights)
    )
    return Scored(
        encoding=encoding,
        label=label,
        scores=scores,
        design=design,
        ranks=ranks,
        above_median=count_rows.count(encoding, label, above_median, design),
    )


def measure(
    row_counts: count_rows.Counted,
    scored: Scored,
    *,
    groups: Mapping[str, Group],
    over: Sequence[str],
    options: params.Evaluate,
    seed: int,
) -> dict[str, Measurement]:
    """Every metric of one attribute or intersection, whose groups are counted already."""
    sampling = intervals.Sampling(confidence=options.confidence, resamples=options.resamples, seed=seed)
    names = groups.keys() - {MISSING}
    above_median = scored.above_median.groups(over, names, options.confidence)
    resampled = (
        row_counts.of(over) if row_counts.spread is not None and scored.design.weights is None else None
    )
    figures = (
        fairness.measure(groups, options.confidence, _reference(over, options.reference))
        | {"scoring_rate_ratio": fairness.scoring_rate_ratio(above_median, options.confidence)}
        | entropy.measure(groups, sampling, resampled)
        | _ranked(scored, groups, over, sampling, options.bins)
    )
    statement = scored.design.statement
    if scored.design.independent:
        return figures
    return {
        name: figure if figure.low is None else replace(figure, method=f"{figure.method}; {statement}")
        for name, figure in figures.items()
    }


def _ranked(
    scored: Scored, groups: Mapping[str, Group], over: Sequence[str], sampling: intervals.Sampling, bins: int
) -> dict[str, Measurement]:
    codes, names = intersections.codes_of(scored.encoding, over)
    numbered = {code: group for code, group in enumerate(names) if group in groups}
    numbered |= {-1 - at: group for at, group in enumerate(groups) if group not in names}
    if scored.design.independent:
        return ranked.measure(scored.ranks, codes, numbered, sampling, bins)
    where = "rows weigh" if scored.design.at is None else "rows come in clusters"
    rows_of = {group: cells.count for group, cells in groups.items() if group != MISSING}
    return {
        "roc_auc_difference": areas.difference(
            scored.label,
            scored.scores,
            design=scored.design,
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
    values = [declared.get(name)] if name in declared else [declared.get(attribute) for attribute in over]
    texts = [labels.text(value) for value in values]
    return INTERSECTION.join(text for text in texts if text) if all(texts) else None
