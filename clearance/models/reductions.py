"""Fairlearn's reductions: many predictors, each deterministic, fitted under a fairness constraint.

A. Agarwal et al., "A Reductions Approach to Fair Classification", ICML 2018. The randomised mixture that
exponentiated gradient ends with is never used to decide; which predictor ships is chosen elsewhere.
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

from clearance.documents.group_names import MISSING
from clearance.params import Mitigation

BOUND, ITERATIONS, GRID = 0.01, 50, 20
"""What a constraint may be broken by, steps of the gradient, points of the grid: unless named."""

FEW = 10
"""Groups of fewer train rows are constrained together: alone they would rule the fit by chance."""

OTHERS = "(few rows)"
"""The group of all rows whose own group has fewer than `FEW` rows."""

_CONSTRAINTS = {
    "demographic_parity": reductions.DemographicParity,
    "equalized_odds": reductions.EqualizedOdds,
    "true_positive_rate_parity": reductions.TruePositiveRateParity,
}


@dataclass(frozen=True, kw_only=True)
class Member:
    """A fitted predictor: its place among those fitted, its share in the mixture (None: there is none)."""

    place: int
    share: float | None
    predictor: Any


def fit(
    way: Mitigation,
    estimator: Any,
    matrix: npt.NDArray[np.float64],
    label: npt.NDArray[np.int8],
    protected: pd.DataFrame,
) -> list[Member]:
    """Fit copies of `estimator` on n encoded rows under the constraint; the groups are the intersections.

    Constant predictors are left out: they are no model. The list may be empty. Raises ValueError where
    Fairlearn or the estimator cannot work with the rows.
    """
    constraint = _constraint(way)
    groups = intersections(protected)
    truth = label.astype(np.int64)
    if way.method == "exponentiated_gradient":
        eps, steps = way.bound or BOUND, way.steps or ITERATIONS
        fitted = reductions.ExponentiatedGradient(estimator, constraint, eps=eps, max_iter=steps)
        fitted.fit(matrix, truth, sensitive_features=groups)
        shares = [float(fitted.weights_[place]) for place in range(len(fitted.predictors_))]
        return [each for each in _members(fitted.predictors_, shares) if each.share]
    fitted = reductions.GridSearch(estimator, constraint, grid_size=way.steps or GRID)
    fitted.fit(matrix, truth, sensitive_features=groups)
    return list(_members(fitted.predictors_, [None] * len(fitted.predictors_)))


def intersections(protected: pd.DataFrame) -> npt.NDArray[np.object_]:
    """The group of each row over all attributes at once; groups of fewer than `FEW` rows are one."""
    names = joined(protected)
    rows = names.map(names.value_counts())
    return np.asarray(names.where(rows >= FEW, OTHERS), dtype=object)


def joined(protected: pd.DataFrame) -> pd.Series:
    """The names of each row's groups in one text, over all attributes."""
    groups = protected.astype(object).where(protected.notna(), MISSING).astype(str)
    return groups.agg(" & ".join, axis=1)


def _constraint(way: Mitigation) -> Any:
    name = way.constraint or "demographic_parity"
    if name == "bounded_group_loss":
        return reductions.BoundedGroupLoss(reductions.ZeroOneLoss(), upper_bound=way.bound)
    return _CONSTRAINTS[name](difference_bound=way.bound or BOUND)


def _members(predictors: Any, shares: list[float] | list[None]) -> Iterator[Member]:
    for place, (predictor, share) in enumerate(zip(predictors, shares, strict=True)):
        if not isinstance(predictor, DummyClassifier):
            yield Member(place=place, share=share, predictor=predictor)
