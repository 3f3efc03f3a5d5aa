"""scikit-learn's trees as arrays, scored in machine code as scikit-learn scores them.

Boosting is the baseline plus the leaves in the order of the trees; a forest is the mean of its leaves. Both
add in scikit-learn's order, so a forest's probability has the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import special
from sklearn import dummy, ensemble, tree

from clearance.models.plan import faults, machine_code

Matrix = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Space = Literal["log-odds", "probability"]

LEAF = -1


@dataclass(frozen=True, kw_only=True)
class Trees:
    """The nodes of all trees, one tree after another; `roots` has the index of each tree's first node.

    `column` is the encoded column a node splits, `LEAF` for a leaf; a row goes `left` where its value is at
    most `threshold`, or is missing and `missing_left` says so. `value` is what a leaf adds. `counts` is the
    number (or weight) of train rows in each node. The output is `(baseline + leaves) / divisor`, in `space`.
    `single`: values are rounded to single precision before they are compared.
    """

    roots: Integers
    column: Integers
    threshold: Matrix
    left: Integers
    right: Integers
    missing_left: npt.NDArray[np.bool_]
    value: Matrix
    counts: Matrix
    baseline: float
    divisor: float
    single: bool
    space: Space

    def output(self, encoded: Matrix) -> Matrix:
        """The output of each encoded row (n, columns), in `space`."""
        out = np.empty(len(encoded))
        _sum_leaves(
            encoded,
            self.roots,
            self.column,
            self.threshold,
            self.left,
            self.right,
            self.missing_left,
            self.value,
            self.baseline,
            self.divisor,
            self.single,
            out,
        )
        return out


@machine_code.compiled
def _sum_leaves(
    encoded: Matrix,
    roots: Integers,
    column: Integers,
    threshold: Matrix,
    left: Integers,
    right: Integers,
    missing_left: npt.NDArray[np.bool_],
    value: Matrix,
    baseline: float,
    divisor: float,
    single: bool,
    out: Matrix,
) -> None:
    for row in range(encoded.shape[0]):
        total = baseline
        for root in roots:
            node = root
            while column[node] >= 0:
                entry = encoded[row, column[node]]
                if single:
                    entry = np.float64(np.float32(entry))
                if np.isnan(entry):
                    node = left[node] if missing_left[node] else right[node]
                else:
                    node = left[node] if entry <= threshold[node] else right[node]
            total += value[node]
        out[row] = total / divisor


@dataclass(frozen=True, kw_only=True)
class _Tree:
    column: Integers
    threshold: Matrix
    left: Integers
    right: Integers
    missing_left: npt.NDArray[np.bool_]
    value: Matrix
    counts: Matrix


def of(estimator: Any, favourable: int) -> Trees | None:
    """The trees of a fitted estimator, or None where it is not one of the kinds known here.

    `favourable` is the place of the favourable label among the estimator's classes, of which there are two.
    """
    match estimator:
        case tree.DecisionTreeClassifier():
            return _joined(
                [_classifier(estimator, favourable)], baseline=0.0, divisor=1.0, space="probability"
            )
        case ensemble.RandomForestClassifier() | ensemble.ExtraTreesClassifier():
            parts = [_classifier(one, favourable) for one in estimator.estimators_]
            return _joined(parts, baseline=0.0, divisor=float(len(parts)), space="probability")
        case ensemble.GradientBoostingClassifier() if estimator.loss == "log_loss" and favourable == 1:
            return _gradient_boosting(estimator)
        case ensemble.HistGradientBoostingClassifier() if favourable == 1:
            return _hist_gradient_boosting(estimator)
    return None


def _classifier(fitted: Any, favourable: int) -> _Tree:
    return _tree(fitted.tree_, fitted.tree_.value[:, 0, favourable])


def _tree(nodes: Any, value: Any, *, nan_right: bool = False) -> _Tree:
    leaf = nodes.children_left < 0
    missing_left = nodes.__getstate__()["nodes"]["missing_go_to_left"].astype(np.bool_)
    return _Tree(
        column=np.where(leaf, LEAF, nodes.feature).astype(np.int64),
        threshold=nodes.threshold.astype(np.float64),
        left=nodes.children_left.astype(np.int64),
        right=nodes.children_right.astype(np.int64),
        missing_left=missing_left & (not nan_right),
        value=np.where(leaf, value, 0.0),
        counts=nodes.weighted_n_node_samples.astype(np.float64),
    )


def _gradient_boosting(fitted: ensemble.GradientBoostingClassifier) -> Trees:
    parts = [
        _tree(stage[0].tree_, fitted.learning_rate * stage[0].tree_.value[:, 0, 0], nan_right=True)
        for stage in fitted.estimators_
    ]
    return _joined(parts, baseline=_initial(fitted.init_), divisor=1.0, space="log-odds")


def _initial(init: Any) -> float:
    """What boosting starts from, in log-odds; scikit-learn keeps it away from infinity in this way."""
    if isinstance(init, str) and init == "zero":
        return 0.0
    if not isinstance(init, dummy.DummyClassifier) or init.strategy != "prior":
        raise faults.NO_ROW_PLAN(step="the argument `init` of gradient boosting")
    smallest = np.finfo(np.float64).eps
    prior = np.clip(init.class_prior_[1], smallest, 1 - smallest)
    return float(special.logit(prior))


def _hist_gradient_boosting(fitted: ensemble.HistGradientBoostingClassifier) -> Trees:
    if fitted.is_categorical_ is not None:
        raise faults.NO_ROW_PLAN(step="the argument `categorical_features` of histogram gradient boosting")
    parts = []
    for (predictor,) in fitted._predictors:
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(np.bool_)
        parts.append(
            _Tree(
                column=np.where(leaf, LEAF, nodes["feature_idx"]).astype(np.int64),
                threshold=nodes["num_threshold"].astype(np.float64),
                left=nodes["left"].astype(np.int64),
                right=nodes["right"].astype(np.int64),
                missing_left=nodes["missing_go_to_left"].astype(np.bool_),
                value=np.where(leaf, nodes["value"], 0.0),
                counts=nodes["count"].astype(np.float64),
            )
        )
    baseline = float(fitted._baseline_prediction[0, 0])
    return _joined(parts, baseline=baseline, divisor=1.0, space="log-odds", single=False)


def _joined(
    parts: Sequence[_Tree], *, baseline: float, divisor: float, space: Space, single: bool = True
) -> Trees:
    sizes = [len(part.column) for part in parts]
    roots = np.cumsum([0, *sizes])[:-1].astype(np.int64)
    column = np.concatenate([part.column for part in parts])
    leaf = column == LEAF
    shift = np.repeat(roots, sizes)
    return Trees(
        roots=roots,
        column=column,
        threshold=np.concatenate([part.threshold for part in parts]),
        left=np.where(leaf, LEAF, np.concatenate([part.left for part in parts]) + shift),
        right=np.where(leaf, LEAF, np.concatenate([part.right for part in parts]) + shift),
        missing_left=np.concatenate([part.missing_left for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        counts=np.concatenate([part.counts for part in parts]),
        baseline=baseline,
        divisor=divisor,
        single=single,
        space=space,
    )
