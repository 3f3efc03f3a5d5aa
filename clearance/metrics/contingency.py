"""All rows as one table of counts: every attribute's group x score bin x label x decision, in one pass.

Tables of disjoint rows add up in any order, exactly. No rate, no limit; `margins` sums over the finest cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clearance.documents.group_names import MISSING
from clearance.documents.measurement import INTERSECTION
from clearance.metrics import faults

if TYPE_CHECKING:
    import pandas as pd

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_DENSE = 1 << 22


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """The finest combinations of groups that occur, and the rows of each.

    `names` holds the groups of each attribute, sorted, `MISSING` first; `keys` (m, attributes) numbers them,
    in ascending order; `rows` (m, bins, 2, 2) counts by score bin (one where none was asked), label and
    decision. `weight` and `squared` are the sums of the weights and of their squares, None without weights.
    """

    attributes: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    keys: Codes
    rows: Codes
    weight: Floats | None = None
    squared: Floats | None = None

    def __post_init__(self) -> None:
        for name, groups in zip(self.attributes, self.names, strict=True):
            if INTERSECTION in name:
                raise faults.RESERVED_ATTRIBUTE_NAME(attribute=name)
            if groups.count(MISSING) != 1:
                raise faults.RESERVED_GROUP_NAME(attribute=name, group=MISSING)

    @property
    def count(self) -> int:
        """All rows, including those without a group."""
        return int(self.rows.sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoding:
    """The finest combination of groups that each row belongs to: `at` (n,) points into `keys`."""

    attributes: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    keys: Codes
    at: Codes


def encode(protected: pd.DataFrame) -> Encoding:
    """Number the groups of n rows; `protected` has a column of group names or nulls per attribute."""
    codes, names = [], []
    for attribute in protected.columns:
        code, values = protected[attribute].factorize()
        place, ordered = values.to_series().factorize(sort=True)  # only the groups are sorted: they are few
        codes.append((code, np.append(place + 1, 0)))  # code -1 (no group) reads the last number: 0
        names.append((MISSING, *map(str, ordered)))
    shape = tuple(len(groups) for groups in names)
    finest = _number(codes, shape, len(protected))
    occurring, at = _occurring(finest, math.prod(shape))
    keys = np.stack(np.unravel_index(occurring, (1, *shape)), axis=1)[:, 1:]
    return Encoding(attributes=tuple(map(str, protected.columns)), names=tuple(names), keys=keys, at=at)


def count(
    encoding: Encoding,
    label: npt.NDArray[np.integer],
    decision: npt.NDArray[np.bool_],
    *,
    bins: npt.NDArray[np.integer] | None = None,
    weights: Floats | None = None,
) -> Table:
    """Count n rows whose groups `encode` numbered: label 0 or 1, and decision.

    `bins` (n,) numbers each row's score bin from 0 up; `weights` (n,) are finite and not negative. Raises
    DataError on other weights, and on names that stand for something else.
    """
    width, size = 1 if bins is None else int(bins.max(initial=0)) + 1, len(encoding.keys)
    cell = encoding.at * (4 * width)
    if bins is not None:
        cell += 4 * np.asarray(bins, dtype=np.int64)
    cell += 2 * np.asarray(label, dtype=np.int8) + np.asarray(decision, dtype=np.int8)
    rows = _sums(cell, size, width, None).astype(np.int64)
    sums: list[Floats | None] = [None, None]
    if weights is not None:
        if not bool((np.isfinite(weights) & (weights >= 0)).all()):
            raise faults.WEIGHT_NOT_USABLE()
        sums = [_sums(cell, size, width, weight) for weight in (weights, weights**2)]
    return Table(
        attributes=encoding.attributes,
        names=encoding.names,
        keys=encoding.keys,
        rows=rows,
        weight=sums[0],
        squared=sums[1],
    )


def _number(codes: Sequence[tuple[Codes, Codes]], sizes: Sequence[int], rows: int) -> npt.NDArray[Any]:
    """One number for each row's combination of groups, in the narrowest type that holds them all.

    Each pair of `codes` numbers the rows (n,) and maps such a number to its final one.
    """
    size = math.prod(sizes)
    number = np.zeros(rows, dtype=np.min_scalar_type(size) if size <= _DENSE else np.int64)
    for (code, becomes), groups in zip(codes, sizes, strict=True):
        number *= groups
        number += becomes.astype(number.dtype)[code]
    return number


def _occurring(codes: npt.NDArray[Any], size: int) -> tuple[Codes, Codes]:
    """The distinct codes, ascending, and the position of each row's code among them."""
    if size > _DENSE:
        distinct, at = np.unique(codes, return_inverse=True)
        return distinct, at
    distinct = np.flatnonzero(np.bincount(codes, minlength=size))
    position = np.zeros(size, dtype=np.int64)
    position[distinct] = np.arange(len(distinct))
    return distinct, position[codes]


def _sums(cell: Codes, groups: int, width: int, weights: Floats | None) -> npt.NDArray[Any]:
    return np.bincount(cell, weights=weights, minlength=groups * width * 4).reshape(groups, width, 2, 2)


def add(tables: Iterable[Table]) -> Table:
    """The table of all rows from tables of parts of them, exact for counts and in any order.

    Raises ValueError when there is none, or when they have other attributes, score bins or weights.
    """
    parts = list(tables)
    if not parts or len({(part.attributes, part.weight is None) for part in parts}) > 1:
        raise ValueError("tables add up only with the same attributes, and all with weights or all without")
    width = max(part.rows.shape[1] for part in parts)
    names = tuple(
        (MISSING, *sorted({*(name for part in at for name in part)} - {MISSING}))
        for at in zip(*(part.names for part in parts), strict=True)
    )
    keys = np.concatenate([_renumbered(part, names) for part in parts])
    distinct, at = np.unique(keys, axis=0, return_inverse=True)

    def summed(arrays: Sequence[npt.NDArray[Any] | None]) -> npt.NDArray[Any]:
        filled = [
            np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0), (0, 0)))
            for part in arrays
            if part is not None
        ]
        total = np.zeros((len(distinct), width, 2, 2), dtype=filled[0].dtype)
        np.add.at(total, at.ravel(), np.concatenate(filled))
        return total

    weighted = parts[0].weight is not None
    return Table(
        attributes=parts[0].attributes,
        names=names,
        keys=distinct,
        rows=summed([part.rows for part in parts]),
        weight=summed([part.weight for part in parts]) if weighted else None,
        squared=summed([part.squared for part in parts]) if weighted else None,
    )


def _renumbered(table: Table, names: Sequence[Sequence[str]]) -> Codes:
    columns = [
        np.array([new.index(name) for name in old], dtype=np.int64)[table.keys[:, at]]
        for at, (old, new) in enumerate(zip(table.names, names, strict=True))
    ]
    return np.stack(columns, axis=1) if columns else table.keys
