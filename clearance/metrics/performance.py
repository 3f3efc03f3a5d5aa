"""How well scores and decisions predict the label, each number with its confidence interval.

Point values are scikit-learn's. Where scikit-learn gives NaN, a warning or a silent 0, the
measurement is undefined and says why. Rows are taken as independent; nothing here judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn import metrics

from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import calibration, intervals, paired_intervals, ranking

Labels = npt.NDArray[np.integer]
Scores = npt.NDArray[np.float64]


def measure(
    label: Labels, scores: Scores, threshold: float, bins: int, sampling: intervals.Sampling
) -> dict[str, Measurement]:
    """Every performance metric of these rows.

    `label` (n,) is 1 where the outcome was favourable, `scores` (n,) is the predicted probability of
    that; the decision is favourable from `threshold` on. All metrics lie in [0, 1] but log loss, which
    has no upper end, and selection_rate_excess, which lies in [-1, 1] (0: as many rows are decided
    favourably as are labelled so). 1 is best and 0 worst for roc_auc (0.5: no better than chance),
    average_precision (chance: the share of favourable labels), accuracy, balanced_accuracy (0.5: chance)
    and f1; 0 is best for brier, log_loss and calibration_error.
    """
    if problem := fault(label, scores):
        return {name: undefined(problem) for name in METRICS}
    one_class = label.min() == label.max()
    rows = _Rows(label, scores, scores >= threshold, bins, sampling)
    reason = f"every test row has the label {label[0]}" if one_class else None
    return {
        name: undefined(reason, rows.support) if reason and name in NEED_BOTH_LABELS else metric(rows)
        for name, metric in METRICS.items()
    }


def confusion(label: Labels, decision: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Rows by label and decision; a true positive was labelled and decided favourable."""
    names = ("true_negative", "false_positive", "false_negative", "true_positive")
    counts = np.bincount(2 * label.astype(np.int64) + decision, minlength=4)
    return {name: int(count) for name, count in zip(names, counts, strict=True)}


@dataclass(frozen=True)
class _Rows:
    label: Labels
    scores: Scores
    decision: npt.NDArray[np.bool_]
    bins: int
    sampling: intervals.Sampling

    @property
    def support(self) -> dict[str, int]:
        favourable = int(self.label.sum())
        return {"favourable label": favourable, "unfavourable label": len(self.label) - favourable}

    def cells(self) -> tuple[int, int, int, int]:
        tn, fp, fn, tp = confusion(self.label, self.decision).values()
        return tn, fp, fn, tp

    def measured(self, value: float, bounds: ranking.Bounds) -> Measurement:
        ends, method = bounds
        if ends is None:
            return Measurement(value=value, method=f"no interval: {method}", support=self.support)
        return Measurement(
            value=value,
            low=min(ends[0], value),
            high=max(ends[1], value),
            confidence=self.sampling.confidence,
            method=method,
            support=self.support,
        )


def fault(label: Labels, scores: Scores) -> str | None:
    """Why nothing can be measured on these rows, or None."""
    if len(label) == 0:
        return "there are no test rows"
    wrong = int(np.count_nonzero(~((scores >= 0) & (scores <= 1))))
    return f"{wrong} of {len(scores)} scores are not probabilities" if wrong else None


def _roc_auc(rows: _Rows) -> Measurement:
    """Probability that a favourable row outscores an unfavourable one, ties half."""
    value = float(metrics.roc_auc_score(rows.label, rows.scores))
    return rows.measured(value, ranking.roc_auc(rows.label, rows.scores, value, rows.sampling.confidence))


def _average_precision(rows: _Rows) -> Measurement:
    """Precision averaged over the recall it is reached at, without interpolation."""
    value = float(metrics.average_precision_score(rows.label, rows.scores))
    return rows.measured(value, ranking.average_precision(rows.label, rows.scores, value, rows.sampling))


def _accuracy(rows: _Rows) -> Measurement:
    """Share of decisions that agree with the label."""
    value = float(metrics.accuracy_score(rows.label, rows.decision))
    tn, fp, fn, tp = rows.cells()
    bounds = intervals.wilson(tn + tp, tn + fp + fn + tp, rows.sampling.confidence)
    return rows.measured(value, (bounds, "Wilson"))


def _balanced_accuracy(rows: _Rows) -> Measurement:
    """Mean of the true positive and the true negative rate: (TPR - FPR + 1) / 2, hence its bounds."""
    value = float(metrics.balanced_accuracy_score(rows.label, rows.decision))
    tn, fp, fn, tp = rows.cells()
    low, high = intervals.difference(tp, tp + fn, fp, fp + tn, rows.sampling.confidence)
    return rows.measured(value, (((low + 1) / 2, (high + 1) / 2), "Newcombe hybrid score"))


def _selection_rate_excess(rows: _Rows) -> Measurement:
    """Share of rows decided favourably minus the share labelled so; both are of the same rows."""
    square = np.array(rows.cells()).reshape(2, 2)
    value, bounds = paired_intervals.difference(square, rows.sampling.confidence)
    return rows.measured(value, (bounds, "Tango score"))


def _f1(rows: _Rows) -> Measurement:
    """Harmonic mean of precision and recall.

    F1 = 2 J / (1 + J) with J = TP / (TP + FP + FN), a rate among the rows that are not true negatives;
    Wilson bounds on J give bounds on F1 (K. F. Y. Lam et al., arXiv 2309.14621: Wilson indirect).
    """
    value = float(metrics.f1_score(rows.label, rows.decision))
    _, fp, fn, tp = rows.cells()
    low, high = intervals.wilson(tp, tp + fp + fn, rows.sampling.confidence)
    bounds = (2 * low / (1 + low), 2 * high / (1 + high))
    return rows.measured(value, (bounds, "Wilson on TP / (TP + FP + FN)"))


def _brier(rows: _Rows) -> Measurement:
    """Mean squared distance of the score from the label."""
    value = float(metrics.brier_score_loss(rows.label, rows.scores, labels=[0, 1]))
    return _mean(rows, value, (rows.scores - rows.label) ** 2, highest=1.0)


def _log_loss(rows: _Rows) -> Measurement:
    """Mean negative logarithm of the probability given to the label, scores kept off 0 and 1 by 2.2e-16."""
    value = float(metrics.log_loss(rows.label, rows.scores, labels=[0, 1]))
    smallest = np.finfo(np.float64).eps
    probability = np.clip(np.where(rows.label == 1, rows.scores, 1 - rows.scores), smallest, 1 - smallest)
    return _mean(rows, value, -np.log(probability), highest=math.inf)


def _mean(rows: _Rows, value: float, losses: Scores, highest: float) -> Measurement:
    if len(losses) < ranking.FEWEST or np.ptp(losses) < 1e-12:
        return rows.measured(value, (None, f"fewer than {ranking.FEWEST} rows, or all with the same loss"))
    spread = float(losses.std(ddof=1)) / math.sqrt(len(losses))
    half = float(stats.t.ppf((1 + rows.sampling.confidence) / 2, len(losses) - 1)) * spread
    bounds = (max(0.0, value - half), min(highest, value + half))
    return rows.measured(value, (bounds, "Student t on the losses"))


def _calibration_error(rows: _Rows) -> Measurement:
    """Expected calibration error over bins of equal width: see `calibration.error`."""
    filled = calibration.table(rows.label, rows.scores, rows.bins)
    if lack := rows.sampling.lack:
        value = calibration.error(filled)
        return Measurement(value=value, method="no interval", support=rows.support, lack=lack)
    bounds = calibration.bounds(filled, rows.sampling)
    return rows.measured(calibration.error(filled), (bounds, f"binomial noise of {len(filled)} bins"))


METRICS: dict[str, Callable[[_Rows], Measurement]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "brier": _brier,
    "log_loss": _log_loss,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "selection_rate_excess": _selection_rate_excess,
    "calibration_error": _calibration_error,
}
NEED_BOTH_LABELS = {"roc_auc", "average_precision", "balanced_accuracy", "f1"}
