"""Fairlearn's threshold optimiser as one deterministic model: a group's threshold moves the group's scores.

M. Hardt, E. Price and N. Srebro, "Equality of Opportunity in Supervised Learning", NeurIPS 29 (2016). Such a
model treats groups differently by design. Whether that is allowed is for the policy to decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from fairlearn.postprocessing import ThresholdOptimizer
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

from clearance.data.tables import prepared
from clearance.models import encoding, faults, reductions, scoring, thresholds
from clearance.models.mitigation_spec import MitigationInputs, MitigationSpec, Option

RULE = (
    "0.5 on scores that are moved by group, so that it stands for the group's own threshold, which "
    "Fairlearn's threshold optimiser chose on tune rows"
)
"""How the threshold was set, as the evidence states it."""

EDGE = 1e-6
"""How near to 0 or 1 a group's threshold may lie: moves stay finite."""

Matrix = npt.NDArray[np.float64]


class GroupScores(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A fitted estimator whose scores are moved by group: 0.5 then stands for the group's threshold.

    Its input is encoded rows: the first columns are those of the estimator, the others identify the group.
    `patterns` (k groups) are the values of those others, `cuts` the k thresholds; `otherwise` is the
    threshold of rows of any other group.
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
        """Do nothing: the estimator is fitted already, but a classifier must have this method."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, matrix: Matrix) -> Matrix:
        """Each row's scores, the moved one in the favourable label's column."""
        own = matrix.shape[1] - self.patterns.shape[1]
        favourable = list(self.classes_).index(scoring.FAVOURABLE)
        scores = self.estimator.predict_proba(matrix[:, :own])[:, favourable]
        same = (matrix[:, None, own:] == self.patterns[None, :, :]).all(axis=2)
        cuts = np.where(same.any(axis=1), self.cuts[same.argmax(axis=1)], self.otherwise)
        moved = move(scores, cuts)
        return np.column_stack([1 - moved, moved] if favourable == 1 else [moved, 1 - moved])


def move(scores: Matrix, cuts: Matrix) -> Matrix:
    """Scores in log-odds minus the cut's: a score at its cut becomes 0.5, the order within a group stays."""
    inside = np.clip(scores, 1e-12, 1 - 1e-12)
    return np.asarray(expit(logit(inside) - logit(np.clip(cuts, EDGE, 1 - EDGE))))


def with_protected(kinds: Mapping[str, scoring.Kind], rows: prepared.Prepared) -> dict[str, scoring.Kind]:
    """The inputs of a model that takes in the protected attributes beside the features, as categories."""
    return {**kinds, **dict.fromkeys(map(str, rows.protected.columns), "category")}


def fit(inputs: MitigationInputs) -> Iterator[Option]:
    """One pipeline that decides by thresholds for the groups of the tune rows, with the thresholds by group.

    Groups with few tune rows or one outcome keep the threshold of all rows. Raises IncompatibleMitigation
    when fewer than two groups are left.
    """
    plain, rows, tune = inputs.pipeline, inputs.rows, inputs.tune
    kinds = with_protected(scoring.model_kinds(plain), rows)
    encode = encoding.with_groups(plain[0], map(str, rows.protected.columns))
    encode.fit(scoring.inputs(rows.inputs(kinds), kinds))
    own = len(encoding.origins(plain[0]))
    encoded_groups = encode.transform(scoring.inputs(tune.inputs(kinds), kinds))[:, own:]
    patterns, codes = np.unique(encoded_groups, axis=0, return_inverse=True)
    codes = codes.ravel()
    scores = scoring.score(plain, tune.features)
    otherwise = thresholds.choose(scores, tune.label, inputs.objective)
    usable = [code for code in range(len(patterns)) if _is_usable(tune.label[codes == code])]
    if len(usable) < 2:
        raise faults.TOO_FEW_GROUPS(rows=reductions.FEW)
    used = np.isin(codes, usable)
    by_group = _thresholds(
        scores[used], tune.label[used], codes[used], inputs.mitigation.constraint, inputs.objective
    )
    names = reductions.group_names(tune.protected)
    model = GroupScores(
        plain[-1], patterns[usable], np.array([by_group[code][0] for code in usable]), otherwise
    )
    cuts = [
        {
            "group": str(names[codes == code].iloc[0]),
            "rows": int((codes == code).sum()),
            "threshold": float(by_group[code][0]) if code in by_group else otherwise,
            "chance": float(by_group[code][1]) if code in by_group else None,
        }
        for code in range(len(patterns))
    ]
    pipeline = Pipeline([("encode", encode), ("estimator", model)])
    yield Option(pipeline=pipeline, details={"cuts": cuts}, cut=(0.5, RULE))


def _is_usable(label: npt.NDArray[np.int8]) -> bool:
    return len(label) >= reductions.FEW and 0 < int(label.sum()) < len(label)


class _AsIs(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The estimator that Fairlearn gets: it returns a column of scores unchanged."""

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
    constraint: str | None,
    objective: thresholds.Objective,
) -> dict[int, tuple[float, float]]:
    """By group: the likelier of the two thresholds that the optimiser draws from, and its probability."""
    optimiser = ThresholdOptimizer(
        estimator=_AsIs(),
        constraints=constraint or "demographic_parity",
        objective="accuracy_score" if objective == "accuracy" else "balanced_accuracy_score",
        prefit=True,
        predict_method="predict_proba",
    )
    optimiser.fit(scores[:, None], label.astype(np.int64), sensitive_features=codes)
    operations = optimiser.interpolated_thresholder_.interpolation_dict
    by_group = {}
    for code, mixture in operations.items():
        operation, chance = max(
            ((mixture.operation0, mixture.p0), (mixture.operation1, mixture.p1)),
            key=lambda pair: float(pair[1]),
        )
        by_group[int(code)] = float(np.clip(operation.threshold, EDGE, 1 - EDGE)), float(chance)
    return by_group


SPEC = MitigationSpec(
    needs_protected_at_decision=True,
    needs_weights=False,
    ships="scores moved group by group so that one threshold stands for the group's own; of each pair of "
    "thresholds between which the optimiser would decide by chance, the likelier one",
    fit=fit,
)
