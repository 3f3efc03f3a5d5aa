"""Objects from a file, checked before use: no index leaves its tree or its columns, and no check is evaded.

scikit-learn follows these indices unchecked: a crafted tree could read other memory or never end. What a tree
decides is not judged here.
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
"""Ensembles that check rows against their own number of columns; their trees do not check again."""


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
    """Every tree below `value`, with the number of columns of the rows it gets."""
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
    """The columns of the rows that trees directly below `value` get; None where each tree checks itself."""
    own = getattr(value, "n_features_in_", None)
    if isinstance(value, _LOOK_ONCE):
        return own
    if not hasattr(value, "tree_"):
        return None
    return min((count for count in (own, columns) if count is not None), default=None)


def _check_attributes(value: Any) -> None:
    if replaced := sorted(name for name in vars(value) if callable(getattr(type(value), name, None))):
        raise ValueError(f"in a {type(value).__name__}, {replaced[0]} is not a method")
    if getattr(value, "_in_fit", False) or getattr(value, "_preprocessor", None) is not None:
        raise ValueError(f"a {type(value).__name__} does not check its rows itself")


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
        raise ValueError("a tree splits by categories, whose tables are not checked")


def _check_nodes(
    inner: npt.NDArray[np.bool_], left: Nodes, right: Nodes, feature: Nodes, columns: int
) -> None:
    if len(inner) == 0:
        raise ValueError("a tree has no nodes")
    index = np.arange(len(inner))[inner]
    for child in (left[inner], right[inner]):
        if np.any(child <= index) or np.any(child >= len(inner)):
            raise ValueError("a tree points outside itself")
    if np.any(feature[inner] < 0) or np.any(feature[inner] >= columns):
        raise ValueError("a tree reads a column that does not exist")
