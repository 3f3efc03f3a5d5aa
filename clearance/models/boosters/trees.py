"""What every booster must hold, whichever library wrote it: finite numbers, and trees that stay inside.

A C++ library follows the indices of a tree unchecked, so a crafted one could read other memory or never end.
What a tree decides is not judged here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

DEEPEST = 512
"""The longest way from a root to a leaf: explaining a deeper tree would exhaust the stack."""


@dataclass(frozen=True, kw_only=True)
class Booster:
    """A checked booster: how many columns it reads, their names (empty: it has none), and its size.

    `nodes` counts inner nodes and leaves of all `trees`, `depth` the splits on the longest way to a leaf.
    """

    columns: int
    names: tuple[str, ...]
    trees: int
    nodes: int
    depth: int


def integers(values: Any, what: str, length: int | None = None) -> Integers:
    """Whole numbers as int64. Raises ValueError unless there are `length` of them, none of another type."""
    array = np.asarray(values)
    if array.size and (array.dtype.kind not in "iub" or array.ndim != 1):
        raise ValueError(f"{what} does not hold whole numbers")
    return _of_length(array.astype(np.int64), what, length)


def numbers(values: Any, what: str, length: int | None = None) -> Numbers:
    """Finite numbers as float64. Raises ValueError unless there are `length` of them, all finite."""
    array = np.asarray(values)
    if array.size and (array.dtype.kind not in "iuf" or array.ndim != 1):
        raise ValueError(f"{what} does not hold numbers")
    if not np.isfinite(array.astype(np.float64)).all():
        raise ValueError(f"{what} holds a number that is not finite")
    return _of_length(array.astype(np.float64), what, length)


def _of_length(array: npt.NDArray[Any], what: str, length: int | None) -> npt.NDArray[Any]:
    if length is not None and array.shape != (length,):
        raise ValueError(f"{what} has {array.size} entries instead of {length}")
    return array.reshape(-1)


def ensure_within(values: Integers, most: int, what: str) -> None:
    """Raise ValueError unless all are from 0 to below `most`."""
    if values.size and (values.min() < 0 or values.max() >= most):
        raise ValueError(f"{what} is out of range")


def ensure_tree(
    left: Integers, right: Integers, inner: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], int]:
    """Which of n nodes are reached from node 0, where `inner` nodes have the children `left` and `right`.

    And the number of splits on the longest way.

    Raises ValueError when a child does not exist, a node is reached twice, or the tree is too deep.
    """
    reached = np.zeros(len(inner), dtype=np.bool_)
    level = np.zeros(1, dtype=np.int64)
    for depth in range(DEEPEST):
        ensure_within(level, len(inner), "a child of a node")
        if reached[level].any() or len(np.unique(level)) != len(level):
            raise ValueError("a tree reaches a node twice")
        reached[level] = True
        parents = level[inner[level]]
        level = np.concatenate([left[parents], right[parents]])
        if not level.size:
            return reached, depth
    raise ValueError(f"a tree is deeper than {DEEPEST} nodes")


def ensure_names(names: Sequence[str], columns: int) -> tuple[str, ...]:
    """The names of the columns. Raises ValueError unless each of the `columns` has its own."""
    if len(names) != columns or len(set(names)) != columns:
        raise ValueError(f"it names {len(set(names))} features for {columns} columns")
    return tuple(names)
