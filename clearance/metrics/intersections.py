"""Each attribute and each intersection as groups of counts: sums over a table's finest cells.

An intersection's name joins those of its attributes, in the order declared. No rate, no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import numpy.typing as npt

from clearance.documents.group_names import MISSING
from clearance.documents.measurement import INTERSECTION
from clearance.metrics import faults
from clearance.metrics.contingency import Codes, Encoding, Table
from clearance.metrics.counts import Cells
from clearance.metrics.rates import WeightedCells


def families(attributes: Sequence[str], order: int) -> dict[str, tuple[str, ...]]:
    """Each attribute and each intersection of at most `order` of them, by name, in the order declared."""
    return {
        INTERSECTION.join(names): names
        for size in range(1, min(order, len(attributes)) + 1)
        for names in combinations(attributes, size)
    }


def codes_of(table: Table | Encoding, over: Sequence[str]) -> tuple[Codes, list[str]]:
    """The group of each finest combination for the intersection of `over`, and the groups' names.

    A combination that lacks the group of one attribute has none: code 0, `MISSING`. Raises DataError when
    two intersections would be called the same.
    """
    places = [table.attributes.index(name) for name in over]
    keys = table.keys[:, places]
    keys = np.where((keys == 0).any(axis=1)[:, None], 0, keys)
    distinct, at = np.unique(
        np.concatenate([np.zeros((1, len(over)), np.int64), keys]), axis=0, return_inverse=True
    )
    names = [MISSING] + [
        INTERSECTION.join(table.names[place][code] for place, code in zip(places, key, strict=True))
        for key in distinct[1:].tolist()
    ]
    if len(set(names)) < len(names):
        raise faults.AMBIGUOUS_INTERSECTION(attribute=INTERSECTION.join(over), separator=INTERSECTION.strip())
    return at.ravel()[1:], names


def groups(table: Table, over: Sequence[str], required: Iterable[str] = ()) -> dict[str, Cells]:
    """The rows of each group of the intersection of `over` by name, every `required` group included.

    Rows that lack one of the groups are `MISSING`. Raises DataError when a known group has that name.
    """
    if MISSING in (required := set(required)):
        raise faults.RESERVED_GROUP_NAME(attribute=INTERSECTION.join(over), group=MISSING)
    at, names = codes_of(table, over)
    rows = _by_group(table.rows, at, len(names))
    cells = dict.fromkeys(required, Cells())
    cells |= {name: _cells(square) for name, square in zip(names, rows, strict=True) if square.any()}
    return dict(sorted(cells.items()))


def weighted_groups(
    table: Table, over: Sequence[str], required: Iterable[str] = ()
) -> dict[str, WeightedCells]:
    """As `groups`, with the sums of weights and of their squares. Raises ValueError where no row weighs."""
    if table.weight is None or table.squared is None:
        raise ValueError("the rows of this table do not weigh")
    at, names = codes_of(table, over)
    sums = [_by_group(column, at, len(names)) for column in (table.weight, table.squared)]
    by_name = {name: [_ordered(sum_[place]) for sum_ in sums] for place, name in enumerate(names)}
    nothing = [(0.0,) * 4] * 2
    return {
        name: WeightedCells(
            cells=cells,
            weight=by_name.get(name, nothing)[0],
            squared=by_name.get(name, nothing)[1],
        )
        for name, cells in groups(table, over, required).items()
    }


def _by_group(sums: npt.NDArray[Any], at: Codes, size: int) -> npt.NDArray[Any]:
    totals = np.zeros((size, 2, 2), dtype=sums.dtype)
    np.add.at(totals, at, sums.sum(axis=1))
    return totals


def _ordered(square: npt.NDArray[Any]) -> tuple[float, ...]:
    (tn, fp), (fn, tp) = square.tolist()
    return tp, fp, fn, tn


def _cells(square: npt.NDArray[Any]) -> Cells:
    (tn, fp), (fn, tp) = square.tolist()
    return Cells(true_positive=tp, false_positive=fp, false_negative=fn, true_negative=tn)


def never_observed(table: Table, over: Sequence[str], required: Iterable[str] = ()) -> list[str]:
    """Combinations of groups that occur alone and that no row, and no `required` group, has together."""
    if len(over) < 2:
        return []
    observed = {*required, *codes_of(table, over)[1]}
    parts = [table.names[table.attributes.index(name)][1:] for name in over]
    possible = (INTERSECTION.join(combination) for combination in product(*parts))
    return [name for name in possible if name not in observed]
