"""Fairlearn's reductions: many predictors, each deterministic, fitted under a fairness constraint.

A. Agarwal et al., "A Reductions Approach to Fair Classification", ICML 2018. The randomised mixture that
exponentiated gradient ends with never decides; which predictor ships is chosen elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from fairlearn import reductions
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from clearance.documents.group_names import MISSING
from clearance.models import estimators, faults, fitting, scoring
from clearance.models.mitigation_spec import MitigationInputs, MitigationSpec, Option
from clearance.params import Mitigation

BOUND, ITERATIONS, GRID = 0.01, 50, 20
"""Defaults: how far a constraint may be broken, steps of the gradient, points of the grid."""

FEW = 10
"""Groups of fewer train rows are constrained together: alone they would dominate the fit by chance."""

OTHERS = "(few rows)"
"""The group of all rows whose own group has fewer than `FEW` rows."""

_CONSTRAINTS = {
    "demographic_parity": reductions.DemographicParity,
    "equalized_odds": reductions.EqualizedOdds,
    "true_positive_rate_parity": reductions.TruePositiveRateParity,
}


@dataclass(frozen=True, kw_only=True)
class Member:
    """A fitted predictor: its index among all of them, and its share in the mixture (None: no mixture)."""

    place: int
    share: float | None
    predictor: Any


def options(inputs: MitigationInputs) -> Iterator[Option]:
    """A pipeline for each predictor fitted under the constraint, behind the encoder of the fitted pipeline.

    Raises IncompatibleMitigation when all predictors are constant, ValueError where Fairlearn or the
    estimator cannot work with the rows.
    """
    rows, pipeline = inputs.rows, inputs.pipeline
    matrix = pipeline[:-1].transform(scoring.inputs(rows.features, inputs.kinds))
    estimator = estimators.unfitted(pipeline[-1])
    members = fit(inputs.mitigation, estimator, matrix, rows.label, rows.protected)
    if not members:
        raise faults.ONLY_CONSTANT_PREDICTORS(mitigation=inputs.mitigation.label)
    for member in members:
        yield Option(
            pipeline=Pipeline([("encode", pipeline[0]), (fitting.ESTIMATOR, member.predictor)]),
            details={"place": member.place, "share": member.share},
        )


def fit(
    mitigation: Mitigation,
    estimator: Any,
    matrix: npt.NDArray[np.float64],
    label: npt.NDArray[np.int8],
    protected: pd.DataFrame,
) -> list[Member]:
    """Fit copies of `estimator` on n encoded rows under the constraint; the groups are the intersections.

    Constant predictors are left out, since they are not models; the list may be empty. Raises ValueError
    where Fairlearn or the estimator cannot work with the rows.
    """
    constraint = _constraint(mitigation)
    groups = intersections(protected)
    truth = label.astype(np.int64)
    if mitigation.method == "exponentiated_gradient":
        eps, steps = mitigation.bound or BOUND, mitigation.steps or ITERATIONS
        fitted = reductions.ExponentiatedGradient(estimator, constraint, eps=eps, max_iter=steps)
        fitted.fit(matrix, truth, sensitive_features=groups)
        shares = [float(fitted.weights_[place]) for place in range(len(fitted.predictors_))]
        return [member for member in _members(fitted.predictors_, shares) if member.share]
    fitted = reductions.GridSearch(estimator, constraint, grid_size=mitigation.steps or GRID)
    fitted.fit(matrix, truth, sensitive_features=groups)
    return list(_members(fitted.predictors_, [None] * len(fitted.predictors_)))


def intersections(protected: pd.DataFrame) -> npt.NDArray[np.object_]:
    """The group of each row over all attributes at once; groups of fewer than `FEW` rows are one."""
    names = group_names(protected)
    rows = names.map(names.value_counts())
    return np.asarray(names.where(rows >= FEW, OTHERS), dtype=object)


def group_names(protected: pd.DataFrame) -> pd.Series:
    """The names of each row's groups over all attributes, joined in one text."""
    groups = protected.astype(object).where(protected.notna(), MISSING).astype(str)
    return groups.agg(" & ".join, axis=1)


def _constraint(mitigation: Mitigation) -> Any:
    name = mitigation.constraint or "demographic_parity"
    if name == "bounded_group_loss":
        return reductions.BoundedGroupLoss(reductions.ZeroOneLoss(), upper_bound=mitigation.bound)
    return _CONSTRAINTS[name](difference_bound=mitigation.bound or BOUND)


def _members(predictors: Any, shares: list[float] | list[None]) -> Iterator[Member]:
    for place, (predictor, share) in enumerate(zip(predictors, shares, strict=True)):
        if not isinstance(predictor, DummyClassifier):
            yield Member(place=place, share=share, predictor=predictor)


_ONE_MEMBER = "one predictor of those fitted, chosen on tune rows by the rule that chooses among candidates"

EXPONENTIATED_GRADIENT = MitigationSpec(
    needs_protected_at_decision=False,
    needs_weights=True,
    ships=f"{_ONE_MEMBER}; only predictors with a share in the randomised mixture take part, and the mixture "
    "itself (which decides the same row by chance) does not ship",
    fit=options,
)
GRID_SEARCH = MitigationSpec(
    needs_protected_at_decision=False, needs_weights=True, ships=_ONE_MEMBER, fit=options
)
