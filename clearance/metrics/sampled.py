"""How well scores and decisions predict the label, of rows that weigh or come in clusters.

Point values are scikit-learn's with `sample_weight`; intervals rest on sums over clusters. A figure without a
sound interval for such rows is undefined, never that of the rows as they are. Nothing here judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import areas, count_rows, intervals, performance, ranking, rates, sampling_design
from clearance.metrics.contingency import encode
from clearance.metrics.rates import Group, Rate
from clearance.metrics.sampling_design import Design, Floats

Labels = npt.NDArray[np.integer]

ROWS = "all rows"


def measure(
    label: Labels, scores: Floats, threshold: float, design: Design, confidence: float
) -> dict[str, Measurement]:
    """Every metric of `performance.measure`, with the ranges and ends told there.

    Average precision and calibration error are undefined: no sound interval is known for them here. So is
    whatever stands on fewer than `design.FEWEST` clusters.
    """
    if fault := performance.fault(label, scores):
        return dict.fromkeys(performance.METRICS, undefined(fault))
    decision = scores >= threshold
    frame = pd.DataFrame({"of": [ROWS] * len(label)}, dtype=object)
    group = count_rows.count(encode(frame), label, decision, design).groups(["of"], (), confidence)[ROWS]
    support = {"favourable label": int(label.sum()), "unfavourable label": int((1 - label).sum())}
    where = "rows weigh" if design.at is None else "rows come in clusters"
    unknown = undefined(f"no interval is known for it where {where}", support)
    smallest = np.finfo(np.float64).eps
    probability = np.clip(np.where(label == 1, scores, 1 - scores), smallest, 1 - smallest)
    figures = {
        "roc_auc": areas.measure(label, scores, design, confidence),
        "average_precision": unknown,
        "brier": _mean((scores - label) ** 2, design, confidence, (0.0, 1.0)),
        "log_loss": _mean(-np.log(probability), design, confidence, (0.0, math.inf)),
        "accuracy": _accuracy(group, confidence),
        "balanced_accuracy": _balanced(group, confidence),
        "f1": _f1(group, confidence),
        "selection_rate_excess": _mean(
            decision - label.astype(np.float64), design, confidence, (-1.0, 1.0), "differences"
        ),
        "calibration_error": unknown,
    }
    one_label = undefined(f"every test row has the label {label[0]}", support)
    if 0 in support.values():
        figures |= dict.fromkeys(performance.NEED_BOTH_LABELS, one_label)
    return {name: _said(figure, support, design) for name, figure in figures.items()}


def _said(figure: Measurement, support: Mapping[str, int], design: Design) -> Measurement:
    method = figure.method if figure.low is None else f"{figure.method}; {design.statement}"
    return replace(figure, support=support, method=method)


def _bounded(
    value: Callable[..., float],
    bounds: Callable[..., intervals.Interval],
    over: Mapping[str, Rate],
    confidence: float,
    method: str,
) -> Measurement:
    """A figure of one or two rates of all rows, with bounds unless these stand on too little."""
    if few := rates.few_clusters(over):
        return undefined(few)
    if empty := [name for name, at in over.items() if not at.rows]:
        return undefined(f"no rows to count in {', '.join(empty)}")
    numbers = [number for at in over.values() for number in (at.successes, at.total)]
    point = value(*(at.successes / at.total for at in over.values()))
    if any(at.total < 1 for at in over.values()):
        return Measurement(value=point, method="no interval: the rows together count for less than one")
    low, high = bounds(*numbers, confidence)
    return Measurement(
        value=point, low=min(low, point), high=max(high, point), confidence=confidence, method=method
    )


def _accuracy(group: Group, confidence: float) -> Measurement:
    over = {ROWS: rates.rate(group, "accuracy", "alone")}
    return _bounded(lambda rate: rate, intervals.wilson, over, confidence, "Wilson")


def _balanced(group: Group, confidence: float) -> Measurement:
    """(TPR - FPR + 1) / 2 of rates that share clusters and no rows."""

    def bounds(*numbers: float) -> intervals.Interval:
        low, high = intervals.difference(*numbers)
        return (low + 1) / 2, (high + 1) / 2

    over = {
        f"{ROWS}, {rates.AMONG[name]}": rates.rate(group, name, "apart")
        for name in ("true_positive_rate", "false_positive_rate")
    }
    method = "Newcombe hybrid score"
    return _bounded(lambda true, false: (true - false + 1) / 2, bounds, over, confidence, method)


def _f1(group: Group, confidence: float) -> Measurement:
    """2 J / (1 + J) of the Jaccard index J, as `performance` has it."""

    def bounds(*numbers: float) -> intervals.Interval:
        low, high = intervals.wilson(*numbers)
        return 2 * low / (1 + low), 2 * high / (1 + high)

    over = {ROWS: rates.rate(group, "jaccard_index", "alone")}
    method = "Wilson on TP / (TP + FP + FN)"
    return _bounded(lambda rate: 2 * rate / (1 + rate), bounds, over, confidence, method)


def _mean(
    losses: Floats, design: Design, confidence: float, ends: intervals.Interval, noun: str = "losses"
) -> Measurement:
    """The weighted mean of the losses, whose range is `ends`, with Student's t on sums over clusters."""
    weights, at = design.of_each(len(losses))
    value = float(np.average(losses, weights=weights))
    parts = np.bincount(at, weights * (losses - value)) / weights.sum()
    count = len(parts)
    if design.at is not None and count < sampling_design.FEWEST:
        return undefined(f"only {count} clusters; an interval needs {sampling_design.FEWEST}")
    if count < ranking.FEWEST or np.ptp(losses) < 1e-12:
        reason = f"no interval: fewer than {ranking.FEWEST} rows, or all with the same loss"
        return Measurement(value=value, method=reason)
    error = math.sqrt(float(parts @ parts) * count / (count - 1))
    half = float(stats.t.ppf((1 + confidence) / 2, count - 1)) * error
    return Measurement(
        value=value,
        low=max(ends[0], value - half),
        high=min(ends[1], value + half),
        confidence=confidence,
        method=f"Student t on the {noun}",
    )
