"""The score from which on a decision is favourable, chosen by an objective; never on test rows.

Pure arithmetic on scores and labels. The effect of the threshold on groups is measured elsewhere.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from clearance.models import faults

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer[Any]]
Objective = Literal["balanced_accuracy", "accuracy", "f1"]

RULE = (
    "highest {objective} on tune rows, over the middles between neighbouring scores; "
    "of equals the one nearest 0.5, then the lower"
)


@dataclass(frozen=True)
class DecisionMetrics:
    """Decisions at a threshold compared with labels. Shares lie in [0, 1], or are None where undefined.

    `roc_auc`: chance that a favourable row scores above an unfavourable one (0.5 is chance level).
    `accuracy`: share decided as labelled. `balanced_accuracy`: mean of that share over both labels.
    `f1`: harmonic mean of precision and recall of favourable decisions. `selection_rate`: share decided
    favourably.
    """

    rows: int
    favourable: int
    roc_auc: float | None
    accuracy: float | None
    balanced_accuracy: float | None
    f1: float | None
    selection_rate: float | None

    def to_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


def choose(scores: Scores, label: Labels, objective: Objective) -> float:
    """The threshold in (0, 1) with the highest objective; `RULE` says how ties are resolved.

    Candidates lie half-way between neighbouring distinct scores, 0 and 1 included as ends, so that a
    difference in the last digit on another machine changes no decision. Raises DataError unless both labels
    occur.
    """
    if not 0 < int(label.sum()) < len(label):
        raise faults.ONE_OUTCOME()
    ends = np.unique(np.concatenate([[0.0], scores, [1.0]]))
    candidates = ends[:-1] + np.diff(ends) / 2
    candidates = candidates[(candidates > 0) & (candidates < 1)]
    values = _objective(scores, label, candidates, objective)
    best = candidates[values == values.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def measure(scores: Scores, label: Labels, threshold: float) -> DecisionMetrics:
    """How well decisions at `threshold` (favourable at or above it) match the labels of the same n rows."""
    rows, favourable = len(label), int(label.sum())
    both = 0 < favourable < rows
    hits, selected = (int(count[0]) for count in _counts(scores, label, np.array([threshold])))
    true_negatives = rows - favourable - (selected - hits)
    return DecisionMetrics(
        rows=rows,
        favourable=favourable,
        roc_auc=float(metrics.roc_auc_score(label, scores)) if both else None,
        accuracy=_ratio(hits + true_negatives, rows),
        balanced_accuracy=(hits / favourable + true_negatives / (rows - favourable)) / 2 if both else None,
        f1=_ratio(2 * hits, selected + favourable),
        selection_rate=_ratio(selected, rows),
    )


def _ratio(part: int, total: int) -> float | None:
    return part / total if total else None


def _counts(scores: Scores, label: Labels, thresholds: Scores) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """True positives, and all rows with a favourable decision, at each threshold."""
    order = np.argsort(scores, kind="stable")
    below = np.searchsorted(scores[order], thresholds, side="left")
    favourable_below = np.concatenate([[0], np.cumsum(label[order], dtype=np.int64)])[below]
    return int(label.sum()) - favourable_below, len(label) - below


def _objective(scores: Scores, label: Labels, thresholds: Scores, objective: Objective) -> Scores:
    hits, selected = _counts(scores, label, thresholds)
    rows, favourable = len(label), int(label.sum())
    true_negatives = rows - favourable - (selected - hits)
    if objective == "accuracy":
        return np.asarray((hits + true_negatives) / rows)
    if objective == "f1":
        return np.asarray(2 * hits / (selected + favourable))
    return np.asarray((hits / favourable + true_negatives / (rows - favourable)) / 2)
