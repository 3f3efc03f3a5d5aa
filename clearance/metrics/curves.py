"""The points of the curves, and the scores of each group in bins: few enough to plot and to keep in git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics

from clearance.metrics import calibration, intervals

Labels = npt.NDArray[np.integer]
Scores = npt.NDArray[np.float64]
Curve = Mapping[str, Sequence[float]]

POINTS = 500
"""Points of a curve at most: more cannot be seen."""


def points(
    label: Labels, scores: Scores, bins: int, confidence: float, weights: Scores | None = None
) -> dict[str, Curve]:
    """The columns of each curve's points: `roc`, `precision_recall` and `calibration`.

    Rows weigh by `weights` (n,) in the first alone; the others are of the rows as they are. A curve that is
    not defined for these rows (one label, a score that is not a probability) has no points.
    """
    empty: dict[str, Curve] = {
        "roc": {"false_positive_rate": [], "true_positive_rate": []},
        "precision_recall": {"recall": [], "precision": []},
        "calibration": {"mean_score": [], "favourable_rate": [], "low": [], "high": [], "rows": []},
    }
    if len(label) == 0 or not bool(((scores >= 0) & (scores <= 1)).all()):
        return empty
    filled = calibration.table(label, scores, bins)
    bounds = [intervals.wilson(bin_.favourable, bin_.rows, confidence) for bin_ in filled]
    calibrated: dict[str, Curve] = {
        "calibration": {
            "mean_score": [bin_.mean_score for bin_ in filled],
            "favourable_rate": [bin_.favourable / bin_.rows for bin_ in filled],
            "low": [low for low, _ in bounds],
            "high": [high for _, high in bounds],
            "rows": [bin_.rows for bin_ in filled],
        }
    }
    if label.min() == label.max():
        return empty | calibrated
    false_positive, true_positive, _ = metrics.roc_curve(label, scores, sample_weight=weights)
    precision, recall, _ = metrics.precision_recall_curve(label, scores, drop_intermediate=True)
    return {
        "roc": _thinned({"false_positive_rate": false_positive, "true_positive_rate": true_positive}),
        "precision_recall": _thinned({"recall": recall[::-1], "precision": precision[::-1]}),
        **calibrated,
    }


SCORE_BINS = 20
"""Bins of equal width over the scores from 0 to 1; a score on an edge is in the bin above it."""

FEWEST_ROWS = 10
"""A group with fewer rows has no distribution: it would show the scores of individuals."""


def score_distribution(scores: Scores, protected: pd.DataFrame) -> dict[str, dict[str, list[int]]]:
    """The rows of each group by attribute, counted in `SCORE_BINS` bins of their score.

    Rows whose group is unknown count for none. Empty where a score is not in [0, 1].
    """
    if not bool(((scores >= 0) & (scores <= 1)).all()):
        return {}
    return {
        str(attribute): {
            str(group): np.histogram(scores[rows], SCORE_BINS, (0.0, 1.0))[0].tolist()
            for group, rows in sorted(groups.groupby(groups).indices.items())
            if len(rows) >= FEWEST_ROWS
        }
        for attribute, groups in protected.items()
    }


def _thinned(curve: Mapping[str, Scores]) -> Curve:
    """At most `POINTS` points, evenly spaced by rank, the first and the last among them."""
    length = len(next(iter(curve.values())))
    positions = np.unique(np.linspace(0, length - 1, min(length, POINTS)).round().astype(int))
    return {name: column[positions].tolist() for name, column in curve.items()}
