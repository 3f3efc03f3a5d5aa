"""Exact contributions of features to a model's output, against a fixed background.

Interventional Shapley values: what a feature adds, averaged over orders and background rows. Encoded columns
are summed to the feature they come from. Every answer is checked: base plus contributions is the output.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from clearance.documents.reasons_document import ExplainerBackground
from clearance.models import row_plan
from clearance.models.plan import machine_code, trees
from clearance.reasons import faults, tree_contributions

Matrix = npt.NDArray[np.float64]
Method = Literal["linear", "interventional_trees"]

ADDITIVE = 1e-9
"""The largest error of base plus contributions, where the contributions are not larger than 1 in sum."""


@dataclass(frozen=True, kw_only=True)
class LinearTerms:
    """A linear model: a column contributes its `coefficients` times its distance from the `mean`.

    `places` gives the feature of each encoded column.
    """

    features: int
    coefficients: Matrix
    mean: Matrix
    places: npt.NDArray[np.int64]

    def contributions(self, encoded: Matrix) -> Matrix:
        """The contribution of each feature for each encoded row: shape (n, features)."""
        out = np.zeros((len(encoded), self.features))
        if len(encoded) > row_plan.FEW_ROWS:
            with np.errstate(over="ignore", invalid="ignore"):
                for column, place in enumerate(self.places):
                    out[:, place] += self.coefficients[column] * (encoded[:, column] - self.mean[column])
            return out
        _linear(encoded, self.coefficients, self.mean, self.places, out)
        return out


@dataclass(frozen=True, kw_only=True)
class Explainer:
    """What explains a plan's output, in the plan's `space`; positive favours the favourable outcome.

    `base` is the mean output of the `background` rows; `base` plus a row's contributions is its output.
    """

    features: tuple[str, ...]
    method: Method
    space: trees.Space
    base: float
    background: int
    terms: LinearTerms | tree_contributions.LeafPatterns

    def contributions(self, encoded: Matrix, output: Matrix) -> Matrix:
        """The contribution of each feature, in the order of `features`: shape (n, features).

        `output` is the plan's output of the encoded rows. Raises IntegrityError (`reasons.not_additive`) when
        a row's contributions miss its output by more than `ADDITIVE`, or by more than that share of their
        absolute sum where it is larger than 1. Raises DataError when they are not finite.
        """
        values = self.terms.contributions(encoded)
        error = np.abs(self.base + values.sum(axis=1) - output)
        if not np.isfinite(error).all():
            raise faults.NOT_FINITE()
        limit = ADDITIVE * np.maximum(1.0, np.abs(values).sum(axis=1))
        if not (error <= limit).all():
            worst = int(np.argmax(error - limit))
            raise faults.NOT_ADDITIVE(error=f"{error[worst]:.3g}", limit=f"{limit[worst]:.3g}")
        return values


def explainer_of(plan: row_plan.RowPlan, background: Matrix) -> Explainer | str:
    """The explainer of a plan against an encoded background (n, columns); or why there is none.

    There is one for linear models, and for scikit-learn's trees within the limits of `tree_contributions`.
    """
    if not len(background):
        return "there are no background rows"
    if isinstance(plan.estimator, row_plan.Linear):
        return _of_linear(plan, plan.estimator, background.mean(axis=0), len(background))
    if not isinstance(plan.estimator, trees.Trees):
        return f"no exact contributions are known here for {type(plan.estimator.estimator).__name__}"
    terms = tree_contributions.build(plan.estimator, background, _places(plan), len(plan.features))
    if terms is None:
        return f"the trees are too large to be explained exactly against {len(background)} background rows"
    return Explainer(
        features=plan.features,
        method="interventional_trees",
        space=plan.space,
        base=float(plan.output(background).mean()),
        background=len(background),
        terms=terms,
    )


def _of_linear(plan: row_plan.RowPlan, estimator: row_plan.Linear, mean: Matrix, rows: int) -> Explainer:
    return Explainer(
        features=plan.features,
        method="linear",
        space="log-odds",
        base=float(np.dot(estimator.coefficients, mean)) + estimator.intercept,
        background=rows,
        terms=LinearTerms(
            features=len(plan.features),
            coefficients=estimator.coefficients,
            mean=mean,
            places=np.array(_places(plan), dtype=np.int64),
        ),
    )


def _places(plan: row_plan.RowPlan) -> list[int]:
    return [plan.features.index(origin) for origin in plan.origins]


def record(plan: row_plan.RowPlan, background: Matrix, split: str, sha256: str) -> ExplainerBackground:
    """What a document keeps of an encoded background, so that `restore` makes the same explainer."""
    linear = isinstance(plan.estimator, row_plan.Linear)
    return ExplainerBackground(
        rows=len(background),
        split=split,
        sha256=sha256,
        mean=tuple(background.mean(axis=0).tolist()) if linear else None,
        encoded=None
        if linear
        else tuple(
            tuple(None if math.isnan(value) else value for value in row) for row in background.tolist()
        ),
    )


def restore(plan: row_plan.RowPlan, kept: ExplainerBackground) -> Explainer | str:
    """The explainer that `record` kept; or why there is none.

    Raises IntegrityError when the background has other columns than the plan's.
    """
    if isinstance(plan.estimator, row_plan.Linear) and kept.mean is not None:
        mean = np.array(kept.mean, dtype=np.float64)
        if mean.shape != (len(plan.origins),):
            raise faults.NOT_OF_THIS_MODEL()
        return _of_linear(plan, plan.estimator, mean, kept.rows)
    rows = [[math.nan if value is None else value for value in row] for row in kept.encoded or ()]
    if any(len(row) != len(plan.origins) for row in rows) or len(rows) != kept.rows:
        raise faults.NOT_OF_THIS_MODEL()
    return explainer_of(plan, np.array(rows, dtype=np.float64).reshape(len(rows), len(plan.origins)))


@machine_code.compiled
def _linear(
    encoded: Matrix, coefficients: Matrix, mean: Matrix, places: npt.NDArray[np.int64], out: Matrix
) -> None:
    for row in range(encoded.shape[0]):
        for column in range(coefficients.shape[0]):
            out[row, places[column]] += coefficients[column] * (encoded[row, column] - mean[column])
