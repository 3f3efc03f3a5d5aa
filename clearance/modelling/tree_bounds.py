"""Decision trees from a file, checked before they are walked: no index leaves its tree or its columns.

scikit-learn follows these indices without looking; a crafted tree could read foreign memory or never end.
Nothing here judges what a tree decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree import BaseDecisionTree

Nodes = npt.NDArray[np.integer[Any]]


def check(model: Any) -> None:
    """Raise ValueError when a tree in `model` points outside itself, its columns or its categories."""
    for tree, columns in _trees(model, None):
        if isinstance(tree, TreePredictor):
            _check_predictor(tree, columns)
        else:
            inner = tree.children_left != -1
            _check_nodes(
                inner,
                left=tree.children_left,
                right=tree.children_right,
                feature=tree.feature,
                columns=min(columns, tree.n_features),
            )


def _trees(value: Any, columns: int | None) -> Iterator[tuple[Any, int]]:
    """Every tree below `value`, with the number of columns that the rows given to it have."""
    if isinstance(value, TreePredictor):
        yield value, columns or 0
    elif isinstance(value, Mapping):
        yield from _trees(list(value.values()), columns)
    elif isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
        for part in value:
            yield from _trees(part, columns)
    elif isinstance(value, BaseEstimator):
        own = getattr(value, "n_features_in_", None)
        if isinstance(value, BaseDecisionTree) and hasattr(value, "tree_"):
            yield (
                value.tree_,
                min(count for count in (own, columns, value.tree_.n_features) if count is not None),
            )
        ensemble = hasattr(value, "estimators_") or hasattr(value, "_predictors")
        yield from _trees(list(vars(value).values()), own if ensemble else None)


def _check_predictor(tree: TreePredictor, columns: int) -> None:
    nodes, inner = tree.nodes, tree.nodes["is_leaf"] == 0
    _check_nodes(
        inner, left=nodes["left"], right=nodes["right"], feature=nodes["feature_idx"], columns=columns
    )
    categorical = inner & (nodes["is_categorical"] != 0)
    if np.any(nodes["bitset_idx"][categorical] >= len(tree.raw_left_cat_bitsets)):
        raise ValueError("a tree names categories it does not have")


def _check_nodes(
    inner: npt.NDArray[np.bool_], left: Nodes, right: Nodes, feature: Nodes, columns: int
) -> None:
    if len(inner) == 0:
        raise ValueError("a tree has no node")
    place = np.arange(len(inner))[inner]
    for child in (left[inner], right[inner]):
        if np.any(child <= place) or np.any(child >= len(inner)):
            raise ValueError("a tree points outside itself")
    if np.any(feature[inner] < 0) or np.any(feature[inner] >= columns):
        raise ValueError("a tree asks for a column that is not there")
