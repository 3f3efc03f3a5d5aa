"""Fairlearn's threshold optimiser as one deterministic model: a group's threshold moves the group's scores.

M. Hardt, E. Price and N. Srebro, "Equality of Opportunity in Supervised Learning", NeurIPS 29 (2016). Such a
model treats groups differently by design. Whether that is allowed is the policy's to say, never this file's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from fairlearn.postprocessing import ThresholdOptimizer
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

from clearance import params
from clearance.data.tables import prepared
from clearance.models import encoding, reductions, scoring, thresholds
from clearance.models.mitigations import IncompatibleMitigation

RULE = (
    "0.5 on scores that are moved by group, so that it stands for the group's own threshold, which "
    "Fairlearn's threshold optimiser chose on tune rows"
)
"""How the threshold came about, as it stands in the evidence."""

EDGE = 1e-6
"""How near to 0 or 1 a group's threshold may lie: moves stay finite."""

Matrix = npt.NDArray[np.float64]


class GroupScores(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted estimator whose scores are moved by group: 0.5 then stands for the group's threshold.

    It takes in encoded rows whose first columns are the estimator's and whose others say the group.
    `patterns` (k groups) are what those others hold, `cuts` the k thresholds; `otherwise` is the threshold
    of rows of any other group.
    """

    def __init__(self, estimator: Any, patterns: Matrix, cuts: Matrix, otherwise: float) -> None:
        self.estimator = estimator
        self.patterns = patterns
        self.cuts = cuts
        self.otherwise = otherwise

    @property
    def classes_(self) -> Any:
        """The labels, in the order of `predict_proba`."""
        return self.estimator.classes_

    def fit(self, _matrix: Matrix, _label: Any) -> GroupScores:
        """Only there because a classifier has it: what is given was fitted already."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, matrix: Matrix) -> Matrix:
        """Each row's scores, the moved one in the favourable label's column."""
        own = matrix.shape[1] - self.patterns.shape[1]
        place = list(self.classes_).index(scoring.FAVOURABLE)
        scores = self.estimator.predict_proba(matrix[:, :own])[:, place]
        same = (matrix[:, None, own:] == self.patterns[None, :, :]).all(axis=2)
        cuts = np.where(same.any(axis=1), self.cuts[same.argmax(axis=1)], self.otherwise)
        moved = move(scores, cuts)
        return np.column_stack([1 - moved, moved] if place == 1 else [moved, 1 - moved])


def move(scores: Matrix, cuts: Matrix) -> Matrix:
    """Scores in log-odds minus the cut's: a score at its cut becomes 0.5, the order within a group stays."""
    inside = np.clip(scores, 1e-12, 1 - 1e-12)
    return np.asarray(expit(logit(inside) - logit(np.clip(cuts, EDGE, 1 - EDGE))))


def with_protected(kinds: Mapping[str, scoring.Kind], rows: prepared.Prepared) -> dict[str, scoring.Kind]:
    """The inputs of a model that takes in the protected attributes beside the features, as categories."""
    return {**kinds, **dict.fromkeys(map(str, rows.protected.columns), "category")}


def optimise(
    plain: Pipeline,
    rows: prepared.Prepared,
    tune: prepared.Prepared,
    way: params.Mitigation,
    objective: thresholds.Objective,
) -> tuple[Pipeline, list[dict[str, Any]]]:
    """Thresholds for the groups of `tune`, in a pipeline that decides by them, and what was found by group.

    Groups with few tune rows or one outcome keep the threshold of all rows. Raises Unsuited when
    fewer than two groups are left.
    """
    known = with_protected(scoring.model_kinds(plain), rows)
    encode = encoding.transformer(known).fit(scoring.inputs(rows.inputs(known), known))
    own = len(encoding.origins(plain[0]))
    held = encode.transform(scoring.inputs(tune.inputs(known), known))[:, own:]
    patterns, codes = np.unique(held, axis=0, return_inverse=True)
    codes = codes.ravel()
    scores = scoring.score(plain, tune.features)
    otherwise = thresholds.choose(scores, tune.label, objective)
    sound = [code for code in range(len(patterns)) if _is_sound(tune.label[codes == code])]
    if len(sound) < 2:
        raise IncompatibleMitigation(
            f"fewer than two groups have {reductions.FEW} tune rows and both outcomes",
            "give `split.tune` more rows, or choose another mitigation",
        )
    used = np.isin(codes, sound)
    found = _thresholds(scores[used], tune.label[used], codes[used], way, objective)
    cuts = np.array([found[code][0] for code in sound])
    names = reductions.joined(tune.protected)
    model = GroupScores(plain[-1], patterns[sound], cuts, otherwise)
    return Pipeline([("encode", encode), ("estimator", model)]), [
        {
            "group": str(names[codes == code].iloc[0]),
            "rows": int((codes == code).sum()),
            "threshold": float(found[code][0]) if code in found else otherwise,
            "chance": float(found[code][1]) if code in found else None,
        }
        for code in range(len(patterns))
    ]


def _is_sound(label: npt.NDArray[np.int8]) -> bool:
    return len(label) >= reductions.FEW and 0 < int(label.sum()) < len(label)


class _AsIs(BaseEstimator):  # type: ignore[misc]
    """Hands a column of scores on: what Fairlearn is given for an estimator."""

    def fit(self, _column: Matrix, _label: Any) -> _AsIs:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, column: Matrix) -> Matrix:
        return np.column_stack([1 - column[:, 0], column[:, 0]])


def _thresholds(
    scores: Matrix,
    label: npt.NDArray[np.int8],
    codes: npt.NDArray[np.intp],
    way: params.Mitigation,
    objective: thresholds.Objective,
) -> dict[int, tuple[float, float]]:
    """By group: the likelier of the two thresholds the optimiser draws from, and how likely it was."""
    optimiser = ThresholdOptimizer(
        estimator=_AsIs(),
        constraints=way.constraint or "demographic_parity",
        objective="accuracy_score" if objective == "accuracy" else "balanced_accuracy_score",
        prefit=True,
        predict_method="predict_proba",
    )
    optimiser.fit(scores[:, None], label.astype(np.int64), sensitive_features=codes)
    drawn = optimiser.interpolated_thresholder_.interpolation_dict
    found = {}
    for code, pair in drawn.items():
        operation, chance = max(
            ((pair.operation0, pair.p0), (pair.operation1, pair.p1)), key=lambda each: float(each[1])
        )
        found[int(code)] = float(np.clip(operation.threshold, EDGE, 1 - EDGE)), float(chance)
    return found
