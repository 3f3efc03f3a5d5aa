"""SHAP values and log-odds of boosters in double precision, from the library that knows the trees best.

LightGBM and CatBoost compute both themselves. XGBoost computes in single precision, so its trees are given to
SHAP, and the leaves that it names for a row are added up here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shap

from clearance.models.boosters import catboost_binary, lightgbm_text, xgboost_model
from clearance.models.boosters.trees import Booster

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class BoosterExplanation:
    """What explains a fitted booster: functions of n encoded rows, and the name of the explainer.

    `log_odds` gives the booster's own output, shape (n,), without the explainer. `values` gives the output
    that is expected without knowing any column, and a matrix (n, columns) of what each column adds to it.
    """

    name: str
    size: Booster
    log_odds: Callable[[Matrix], Matrix]
    values: Callable[[Matrix], tuple[float, Matrix]]


def of(estimator: Any) -> BoosterExplanation | None:
    """The explanation of a fitted booster, or of the bare one in a file; None for every other estimator."""
    kind = type(estimator)
    explain = _EXPLANATIONS.get(f"{kind.__module__}.{kind.__qualname__}")
    return None if explain is None else explain(estimator)


def _lightgbm(booster: Any) -> BoosterExplanation:
    return BoosterExplanation(
        name="lightgbm pred_contrib",
        size=lightgbm_text.check(booster.model_to_string()),
        log_odds=lambda rows: np.asarray(booster.predict(rows, raw_score=True, num_threads=1)),
        values=lambda rows: _split(booster.predict(rows, pred_contrib=True, num_threads=1)),
    )


def _catboost(estimator: Any) -> BoosterExplanation:
    def values(rows: Matrix) -> tuple[float, Matrix]:
        from catboost import Pool

        return _split(estimator.get_feature_importance(Pool(rows), type="ShapValues", thread_count=1))

    return BoosterExplanation(
        name="catboost ShapValues",
        size=catboost_binary.check(estimator._serialize_model()),
        log_odds=lambda rows: np.asarray(
            estimator.predict(rows, prediction_type="RawFormulaVal", thread_count=1)
        ),
        values=values,
    )


def _split(values: Any) -> tuple[float, Matrix]:
    """The expected output, which is the same in every row and comes last, and the columns before it."""
    matrix = np.asarray(values, dtype=np.float64)
    return float(matrix[0, -1]), matrix[:, :-1]


def _xgboost(booster: Any) -> BoosterExplanation:
    document = xgboost_model.read(bytes(booster.save_raw("ubj")))
    size = xgboost_model.check(document)
    forest, start = xgboost_model.forest(document), xgboost_model.start(document)
    leaves = [np.asarray(tree["split_conditions"], dtype=np.float64) for tree in forest]
    description = {"trees": [_for_shap(tree) for tree in forest], "base_offset": start}
    explainer = shap.TreeExplainer(
        description | {"input_dtype": np.float32}, feature_perturbation="tree_path_dependent"
    )

    def log_odds(rows: Matrix) -> Matrix:
        from xgboost import DMatrix

        reached = booster.predict(DMatrix(rows, nthread=1), pred_leaf=True).reshape(len(rows), len(leaves))
        own = [values[at] for values, at in zip(leaves, reached.astype(np.int64).T, strict=True)]
        return np.asarray(start + np.sum(own, axis=0))

    def values(rows: Matrix) -> tuple[float, Matrix]:
        found = explainer.shap_values(rows.astype(np.float32), check_additivity=False)
        return float(np.ravel(explainer.expected_value)[0]), np.asarray(found, dtype=np.float64)

    return BoosterExplanation(name="shap.TreeExplainer", size=size, log_odds=log_odds, values=values)


def _for_shap(tree: Any) -> dict[str, Any]:
    """A tree as SHAP takes it: left where a value is at most the threshold, not below it as in XGBoost."""
    left, right = (np.asarray(tree[name], dtype=np.int32) for name in ("left_children", "right_children"))
    conditions = np.asarray(tree["split_conditions"], dtype=np.float32)
    return {
        "children_left": left,
        "children_right": right,
        "children_default": np.where(np.asarray(tree["default_left"], dtype=np.int64) > 0, left, right),
        "features": np.where(left < 0, -2, np.asarray(tree["split_indices"], dtype=np.int64)),
        "thresholds": np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64),
        "values": np.where(left < 0, conditions, 0.0).astype(np.float64)[:, None],
        "node_sample_weight": np.asarray(tree["sum_hessian"], dtype=np.float64),
    }


_EXPLANATIONS: dict[str, Callable[[Any], BoosterExplanation]] = {
    "catboost.core.CatBoostClassifier": _catboost,
    "lightgbm.basic.Booster": _lightgbm,
    "lightgbm.sklearn.LGBMClassifier": lambda estimator: _lightgbm(estimator.booster_),
    "xgboost.core.Booster": _xgboost,
    "xgboost.sklearn.XGBClassifier": lambda estimator: _xgboost(estimator.get_booster()),
}
