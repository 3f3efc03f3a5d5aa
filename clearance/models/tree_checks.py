"""Objects from a file, checked before use: no index leaves its tree or its columns, no check is evaded.

scikit-learn follows these indices without looking; a crafted tree could read foreign memory or never end.
Nothing here judges what a tree decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import _forest, _gb
from sklearn.ensemble._hist_gradient_boosting import gradient_boosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree._tree import Tree

Nodes = npt.NDArray[np.integer[Any]]

_LOOK_ONCE = (_forest.BaseForest, _gb.BaseGradientBoosting, gradient_boosting.BaseHistGradientBoosting)
"""Ensembles that check their rows against their own number of columns, and no tree of theirs does again."""


def check(model: Any) -> None:
    """Raise ValueError when a tree in `model` points outside itself or its columns.

    Or when an object in it evades the checks of its own class: a method replaced by an attribute, a
    boosting model that takes rows as they come.
    """
    for tree, columns in _trees(model, None):
        if isinstance(tree, TreePredictor):
            _check_predictor(tree, columns)
        else:
            _check_tree(tree, columns)


def _trees(value: Any, columns: int | None) -> Iterator[tuple[Any, int]]:
    """Every tree below `value`, with the number of columns that the rows given to it have."""
    if isinstance(value, Tree | TreePredictor):
        yield value, columns or 0
    elif isinstance(value, Mapping):
        yield from _trees(list(value.values()), columns)
    elif isinstance(value, list | tuple | set) or (isinstance(value, np.ndarray) and value.dtype == object):
        for part in value:
            yield from _trees(part, columns)
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        _check_attributes(value)
        yield from _trees(list(vars(value).values()), _columns_within(value, columns))


def _columns_within(value: Any, columns: int | None) -> int | None:
    """The columns of rows that the trees right below `value` get; None where each looks for itself."""
    own = getattr(value, "n_features_in_", None)
    if isinstance(value, _LOOK_ONCE):
        return own
    if not hasattr(value, "tree_"):
        return None
    return min((count for count in (own, columns) if count is not None), default=None)


def _check_attributes(value: Any) -> None:
    if replaced := sorted(name for name in vars(value) if callable(getattr(type(value), name, None))):
        raise ValueError(f"in a {type(value).__name__}, {replaced[0]} is no method")
    if getattr(value, "_in_fit", False) or getattr(value, "_preprocessor", None) is not None:
        raise ValueError(f"a {type(value).__name__} does not look at its rows by itself")


def _check_tree(tree: Tree, columns: int) -> None:
    _check_nodes(
        tree.children_left != -1,
        left=tree.children_left,
        right=tree.children_right,
        feature=tree.feature,
        columns=min(columns, tree.n_features),
    )


def _check_predictor(tree: TreePredictor, columns: int) -> None:
    nodes, inner = tree.nodes, tree.nodes["is_leaf"] == 0
    _check_nodes(
        inner, left=nodes["left"], right=nodes["right"], feature=nodes["feature_idx"], columns=columns
    )
    if np.any(inner & (nodes["is_categorical"] != 0)):
        raise ValueError("a tree splits by categories, whose tables nothing checks")


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
