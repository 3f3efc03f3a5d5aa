"""SHAP contributions of features: the explainer that suits an estimator, and whether its values add up.

S. Lundberg and S. Lee, "A Unified Approach to Interpreting Model Predictions", NeurIPS 30 (2017). It explains
what a model does with a row, not whether the model is right or fair.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import shap
from scipy.special import expit
from sklearn import ensemble, tree

from clearance.models import encoding, scoring
from clearance.models.boosters import explanations
from clearance.models.boosters.explanations import BoosterExplanation
from clearance.models.external.coded_model import CodedModel
from clearance.models.external.inputs import Inputs

Matrix = npt.NDArray[np.float64]
Space = Literal["log-odds", "probability"]

TREE_WORK = 4_000_000_000
"""The largest cost of a tree explainer, as nodes times squared depth times rows: about three seconds."""
CALLS = 200_000
"""The largest number of rows a model scores for the model-agnostic explainer."""
TREE_ERROR = 1e-6
"""The largest error with which the contributions of trees may add up to the model's output."""
SINGLE = 1e-6
"""The largest difference between a probability and that of the log-odds, where it has single precision."""
FEWEST = 10
"""With fewer rows than this the model-agnostic explainer replaces the tree explainer."""

_VOTES = (tree.DecisionTreeClassifier, ensemble.RandomForestClassifier, ensemble.ExtraTreesClassifier)
_BOOSTED = (ensemble.GradientBoostingClassifier, ensemble.HistGradientBoostingClassifier)
_ROWS, _BACKGROUND, _PERMUTATIONS = 50, 25, 2
_BY_COUNTS = "the train rows as the trees counted them (tree_path_dependent)"


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """The contribution of each feature to the model's output for each of n rows, in `space`.

    `contributions` has shape (n, features); positive values favour the favourable outcome. `base` plus the
    sum of a row should equal `margin`, the model's own output, shape (n,), computed without the explainer.
    """

    explainer: str
    against: str
    space: Space
    base: float
    contributions: pd.DataFrame
    margin: Matrix

    @property
    def additivity_error(self) -> float:
        """The largest absolute difference, over all rows, between base plus contributions and `margin`.

        In units of `space`; 0 means the contributions explain the output completely. Needs at least one row.
        """
        total = self.base + self.contributions.to_numpy().sum(axis=1)
        return float(np.max(np.abs(total - self.margin)))


@dataclass(frozen=True, kw_only=True)
class _Explainer:
    """An explainer of encoded rows: `values(rows)` returns base and matrix; it takes at most `most` rows."""

    name: str
    against: str
    space: Space
    most: int
    values: Callable[[Matrix], tuple[float, Matrix]]


def attribute(
    pipeline: Any, rows: pd.DataFrame, background: pd.DataFrame, seed: int, split: str = "train"
) -> Attribution:
    """Explain `rows`, or only the first of them where all would be too costly for the estimator.

    `rows` (at least one) and `background`, rows of `split`, are features as prepared. Encoded columns are
    summed to the feature they come from. Linear estimators in log-odds are explained against the mean of
    `background`, trees by the rows they were trained on, and all others by permutations against `background`.
    """
    kinds = scoring.model_kinds(pipeline)
    typed, compared = scoring.inputs(rows, kinds), scoring.inputs(background, kinds)
    encode, estimator, origins = _explained(pipeline, typed, compared)
    encoded = encode.transform(typed)
    margin, space, booster = _margin(estimator, encoded)
    explainer = _suitable(
        estimator, space, booster, encode.transform(compared), seed=seed, rows=f"{split} rows"
    )
    if explainer.space != space:
        margin = _probability(estimator, encoded)
    with seeded(seed):
        base, values = explainer.values(encoded[: explainer.most])
    summed = {
        name: values[:, [index for index, origin in enumerate(origins) if origin == name]].sum(axis=1)
        for name in kinds
    }
    return Attribution(
        explainer=explainer.name,
        against=explainer.against,
        space=explainer.space,
        base=base,
        contributions=pd.DataFrame(summed, index=typed.index[: len(values)]),
        margin=margin[: len(values)],
    )


def _explained(pipeline: Any, typed: pd.DataFrame, compared: pd.DataFrame) -> tuple[Any, Any, Sequence[str]]:
    """What turns features into a matrix, the estimator of such rows, and the feature behind each column."""
    if isinstance(pipeline[0], Inputs):
        coded = CodedModel.of(pipeline, typed, compared)
        return coded, coded, coded.names
    return pipeline[:-1], pipeline[-1], encoding.origins(pipeline[0])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator, which SHAP shuffles with, and restore its state at the end."""
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)


def _probability(model: Any, rows: Any) -> Matrix:
    column = list(model.classes_).index(scoring.FAVOURABLE)
    return np.asarray(model.predict_proba(rows), dtype="float64")[:, column]


def _margin(estimator: Any, rows: Matrix) -> tuple[Matrix, Space, BoosterExplanation | None]:
    """The estimator's own output, in log-odds where it gives them and else as a probability.

    And what explains it, where it is a booster whose log-odds are those of its probabilities.
    """
    probability = _probability(estimator, rows)
    if booster := explanations.of(getattr(estimator, "trees", estimator)):
        margin = booster.log_odds(rows)
        if np.allclose(expit(margin), probability, rtol=0, atol=SINGLE):
            return margin, "log-odds", booster
    if hasattr(estimator, "decision_function"):
        margin = np.asarray(estimator.decision_function(rows), dtype="float64")
        if margin.shape == probability.shape and np.allclose(expit(margin), probability, rtol=0, atol=1e-9):
            return margin, "log-odds", None
    return probability, "probability", None


def _suitable(
    estimator: Any,
    space: Space,
    booster: BoosterExplanation | None,
    background: Matrix,
    *,
    seed: int,
    rows: str,
) -> _Explainer:
    if booster is not None:
        by_booster = _by_booster(booster)
        base, contributions = by_booster.values(background[:FEWEST])
        error = np.abs(base + contributions.sum(axis=1) - booster.log_odds(background[:FEWEST])).max()
        if by_booster.most >= FEWEST and error <= TREE_ERROR:
            return by_booster
    coefficients = getattr(estimator, "coef_", None)
    if (
        space == "log-odds"
        and isinstance(coefficients, np.ndarray)
        and coefficients.shape == (1, background.shape[1])
    ):
        return _linear(estimator, background, rows)
    if type(getattr(estimator, "trees", estimator)) in (_BOOSTED if space == "log-odds" else _VOTES):
        by_trees = _by_trees_where_possible(estimator, space, background[:1])
        if by_trees is not None and by_trees.most >= FEWEST:
            return by_trees
    return _by_permutations(estimator, background[:_BACKGROUND], seed, rows)


def _linear(estimator: Any, background: Matrix, rows: str) -> _Explainer:
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.LinearExplainer((estimator.coef_[0], float(estimator.intercept_[0])), masker)
    return _Explainer(
        name="shap.LinearExplainer",
        against=f"the mean of {len(background)} {rows}, features taken as independent",
        space="log-odds",
        most=2**31,
        values=lambda matrix: (float(explainer.expected_value), np.asarray(explainer.shap_values(matrix))),
    )


def _by_booster(booster: BoosterExplanation) -> _Explainer:
    return _Explainer(
        name=booster.name,
        against=_BY_COUNTS,
        space="log-odds",
        most=TREE_WORK // max(1, booster.size.nodes * booster.size.depth**2),
        values=booster.values,
    )


def _by_trees_where_possible(estimator: Any, space: Space, row: Matrix) -> _Explainer | None:
    """The explainer of trees, or None where SHAP refuses the estimator or misses its output of one row.

    SHAP does not know every argument (such as `init`), and raises whatever it comes upon.
    """
    try:
        explainer = _by_trees(estimator, space)
        base, contributions = explainer.values(row)
    except Exception:  # noqa: BLE001 - a foreign library's refusal, and there is another exact method
        return None
    output = estimator.decision_function(row) if space == "log-odds" else _probability(estimator, row)
    adds_up = np.allclose(base + contributions.sum(axis=1), output, rtol=0, atol=TREE_ERROR)
    return explainer if adds_up else None


def _by_trees(estimator: Any, space: Space) -> _Explainer:
    explainer = shap.TreeExplainer(
        getattr(estimator, "trees", estimator), feature_perturbation="tree_path_dependent"
    )
    cost = int(explainer.model.num_nodes.sum()) * int(explainer.model.max_depth) ** 2

    def values(rows: Matrix) -> tuple[float, Matrix]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the form in which it once returned them
            contributions = np.asarray(explainer.shap_values(rows, check_additivity=False))
        favourable = contributions[:, :, -1] if contributions.ndim == 3 else contributions
        return float(np.ravel(explainer.expected_value)[-1]), favourable

    return _Explainer(
        name="shap.TreeExplainer",
        against=_BY_COUNTS,
        space=space,
        most=TREE_WORK // max(1, cost),
        values=values,
    )


def _by_permutations(estimator: Any, background: Matrix, seed: int, rows: str) -> _Explainer:
    masker = shap.maskers.Independent(background, max_samples=len(background))
    calls = _PERMUTATIONS * (2 * background.shape[1] + 1)

    def values(explained: Matrix) -> tuple[float, Matrix]:
        explainer = shap.PermutationExplainer(
            lambda matrix: _probability(estimator, matrix), masker, seed=seed
        )
        explanation = explainer(explained, max_evals=calls, silent=True)
        return float(np.ravel(explanation.base_values)[0]), np.asarray(explanation.values)

    return _Explainer(
        name="shap.PermutationExplainer",
        against=f"{len(background)} {rows}, {_PERMUTATIONS} permutations of the columns each way",
        space="probability",
        most=max(1, min(_ROWS, CALLS // (calls * len(background)))),
        values=values,
    )
