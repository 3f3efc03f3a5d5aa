"""Faults that arise after the split: in one of the prepared tables, in a share of its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from assurance import planting
from assurance.clean_tables import Case, Random

Tables = dict[str, pa.Table]
Change = Callable[[pa.Table, np.ndarray, Random, Tables], pa.Table]


def part(name: str, change: Change) -> planting.Plant:
    """One prepared table changed, in a share of its rows given as a mask."""

    def plant(case: Case, share: float, random: Random) -> Case:
        def parts(tables: Tables) -> Tables:
            mask = planting.rows(replace(case, frame=tables[name].to_pandas()), share, random)
            return tables | {name: change(tables[name], mask, random, tables)}

        return replace(case, parts=parts)

    return plant


def _set(table: pa.Table, name: str, values: Any) -> pa.Table:
    if name not in table.column_names:
        return table.append_column(name, pa.array(values))
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def shifted(table: pa.Table, mask: np.ndarray, _: Random, __: Tables) -> pa.Table:
    """The chosen rows (two at least) in each other's places."""
    at = np.flatnonzero(mask)
    at = at if len(at) > 1 else np.array([0, 1])
    order = np.arange(len(table))
    order[at] = np.roll(at, 1)
    return table.take(pa.array(order))


def on_another_side(table: pa.Table, mask: np.ndarray, _: Random, __: Tables) -> pa.Table:
    sides = table.column("split").to_pylist()
    turn = {"train": "test", "test": "tune", "tune": "train"}
    return _set(
        table, "split", [turn[side] if moves else side for side, moves in zip(sides, mask, strict=True)]
    )


def row_twice(table: pa.Table, mask: np.ndarray, _: Random, __: Tables) -> pa.Table:
    rows = table.column("row").to_pylist()
    return _set(table, "row", [rows[at - 1] if repeats else rows[at] for at, repeats in enumerate(mask)])


def put_back(source: str, name: str) -> Change:
    def change(table: pa.Table, mask: np.ndarray, _: Random, tables: Tables) -> pa.Table:
        values = tables[source].column(name).to_pylist()
        return _set(
            table, name, [None if empty else value for value, empty in zip(values, mask, strict=True)]
        )

    return change
