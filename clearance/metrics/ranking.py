"""How far a ranking figure can be trusted: intervals for the area under the ROC and the precision curve.

These need the ranks, not only counts. Each function returns the bounds, or None where none can be
given honestly, and the method in words. Rows are taken as independent.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from clearance.metrics import intervals

Labels = npt.NDArray[np.integer]
Scores = npt.NDArray[np.float64]
Bounds = tuple[intervals.Interval | None, str]

FEWEST = 10
"""Rows of either label below which no asymptotic interval is given: it would be too narrow."""
METHOD = "the wider of DeLong on the logit scale and Newcombe's score"
LEVELS = 2000
"""Distinct scores above which the bootstrap groups them by quantile, and is called approximate."""
_BLOCK = 250


def roc_auc(label: Labels, scores: Scores, value: float, confidence: float) -> Bounds:
    """Bounds on the probability that a favourable row outscores an unfavourable one, ties half.

    `value` is that area for `label` (n,) of 0 and 1, both present, and `scores` (n,). Source: E. R. DeLong
    et al., Biometrics 44 (1988) 837-845, and `wider_bounds`. At 0 and 1 its variance
    vanishes; then Wilson on as many disjoint pairs of rows as there are, all ordered alike.
    """
    favourable, other = scores[label == 1], scores[label == 0]
    fewest = min(len(favourable), len(other))
    if value in (0.0, 1.0):
        return area_bounds(value, 0.0, fewest, confidence), "Wilson on disjoint pairs of rows"
    if fewest < FEWEST:
        return None, f"fewer than {FEWEST} rows of a label"
    placed = stats.rankdata(np.concatenate([favourable, other]))
    over = (placed[: len(favourable)] - stats.rankdata(favourable)) / len(other)
    under = (placed[len(favourable) :] - stats.rankdata(other)) / len(favourable)
    error = math.sqrt(over.var(ddof=1) / len(favourable) + under.var(ddof=1) / len(other))
    if error == 0:
        return None, "all scores are the same"
    return wider_bounds(value, error, len(favourable), len(other), confidence), METHOD


def area_bounds(value: float, error: float, fewest: int, confidence: float) -> intervals.Interval:
    """Bounds on an area from its standard error, on the logit scale; at 0 and 1 from disjoint pairs of rows.

    `fewest` is the number of rows of the rarer label.
    """
    if value in (0.0, 1.0):
        return intervals.wilson(round(value) * fewest, fewest, confidence)
    return _logit(value, error / (value * (1 - value)), confidence)


def score_bounds(value: float, favourable: float, other: float, confidence: float) -> intervals.Interval:
    """Bounds on an area inside (0, 1) from as many rows of either label, its variance taken at the bound.

    Source: R. G. Newcombe, Stat. Med. 25 (2006) 559-573, method 5.
    """
    mean, step = (favourable + other) / 2 - 1, intervals.quantile(confidence) ** 2 / (favourable * other)

    def beyond(area: float) -> float:
        spread = area * (1 - area) * (1 + mean * ((1 - area) / (2 - area) + area / (1 + area)))
        return (area - value) ** 2 - step * spread

    return float(optimize.brentq(beyond, 0, value)), float(optimize.brentq(beyond, value, 1))


def wider_bounds(
    value: float, error: float, favourable: float, other: float, confidence: float
) -> intervals.Interval:
    """Bounds on an area from its standard error and the rows of either label: the wider of two at each end.

    Near 1 few rows are out of order, and DeLong's error, taken from those alone, comes out too small: for an
    area of 0.99 its 95 % interval may hold in 75 % of the samples. Newcombe's score does not lean on them.
    """
    low, high = area_bounds(value, error, int(min(favourable, other) + 1e-9), confidence)
    if value in (0.0, 1.0):
        return low, high
    score = score_bounds(value, favourable, other, confidence)
    return min(low, score[0]), max(high, score[1])


def average_precision(label: Labels, scores: Scores, value: float, sampling: intervals.Sampling) -> Bounds:
    """Bounds on average precision, `value` for `label` (n,) of 0 and 1, both present, and `scores` (n,).

    The bootstrap gives the standard error of the logit, not percentiles: resamples are biased upward, and
    near 1 their percentiles cover too little. At 1 it collapses; then Wilson on the favourable rows.
    """
    favourable = int(np.count_nonzero(label))
    if value == 1:
        return intervals.wilson(favourable, favourable, sampling.confidence), "Wilson on the favourable rows"
    if min(favourable, len(label) - favourable) < FEWEST:
        return None, f"fewer than {FEWEST} rows of a label"
    cells, approximate = _cells(label, scores)
    draws = np.clip(_draw(cells, sampling), 1e-9, 1 - 1e-9)
    error = float(np.log(draws / (1 - draws)).std(ddof=1))
    method = f"multinomial bootstrap over score x label, logit scale{approximate}"
    return _logit(value, error, sampling.confidence), method


def _logit(value: float, error: float, confidence: float) -> intervals.Interval:
    """Bounds from the standard error of the value's logit: they stay inside (0, 1)."""
    step = intervals.quantile(confidence) * error
    odds = math.log(value / (1 - value))
    return 1 / (1 + math.exp(step - odds)), 1 / (1 + math.exp(-step - odds))


def _cells(label: Labels, scores: Scores) -> tuple[npt.NDArray[np.int64], str]:
    """Rows (levels, 2) per score from the highest down, by label; and what is approximate about it."""
    levels, at = np.unique(scores, return_inverse=True)
    approximate = ""
    if len(levels) > LEVELS:
        cuts = np.unique(np.quantile(scores, np.arange(1, LEVELS) / LEVELS))
        at, approximate = (
            np.searchsorted(cuts, scores, side="right"),
            f", approximate: {LEVELS} quantile bins",
        )
    counts = np.bincount(2 * at + label, minlength=2 * (int(at.max()) + 1)).reshape(-1, 2)
    return counts[::-1], approximate


def _draw(cells: npt.NDArray[np.int64], sampling: intervals.Sampling) -> Scores:
    """Average precision (resamples,) of tables drawn from the cells, in blocks to bound the memory."""
    random = np.random.default_rng(sampling.seed)
    total = int(cells.sum())
    draws = []
    for start in range(0, sampling.resamples, _BLOCK):
        size = min(_BLOCK, sampling.resamples - start)
        table = random.multinomial(total, cells.ravel() / total, size=size).reshape(size, -1, 2)
        hits = table[:, :, 1].cumsum(axis=1)
        precision = hits / np.maximum(table.sum(axis=2).cumsum(axis=1), 1)
        draws.append((table[:, :, 1] * precision).sum(axis=1) / np.maximum(hits[:, -1], 1))
    return np.concatenate(draws)
