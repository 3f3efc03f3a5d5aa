"""The same table of counts from Parquet files larger than memory: one GROUP BY over the finest cells.

DuckDB reads the files in pieces and hands back counts alone. Nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from clearance.documents.group_names import MISSING
from clearance.errors import DataError
from clearance.metrics.contingency import Table


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What the columns of the files are.

    `decision` is a boolean or a 0/1 column, or `score` with `threshold` gives it (at or above: favourable).
    `label` is 0 or 1. With `bins`, rows are counted by score bin of equal width over [0, 1] as well.
    """

    protected: tuple[str, ...]
    label: str
    decision: str | None = None
    score: str | None = None
    threshold: float | None = None
    weight: str | None = None
    bins: int = 1


def from_parquet(files: Sequence[Path], columns: Columns, memory: str = "1GB", threads: int = 2) -> Table:
    """Count the rows of all `files`, whose columns are `columns`, in at most about `memory`.

    Raises DataError on a file that cannot be read, a null or foreign label, decision, score or weight, and
    ValueError when neither a decision nor a score with a threshold is named.
    """
    if (columns.decision is None) == (columns.score is None or columns.threshold is None):
        raise ValueError("name either a decision, or a score and a threshold")
    with duckdb.connect(config={"memory_limit": memory, "threads": threads}) as database:
        try:
            rows = database.execute(_query(columns), [[str(file) for file in files]]).fetchall()
        except duckdb.Error as error:
            fault = f"the files cannot be counted: {str(error).splitlines()[0]}"
            raise DataError(
                fault, "correct the files, or name their columns", code="benchmarks.files_not_counted"
            ) from error
    first = len(columns.protected)
    if wrong := sum(row[first + 3] for row in rows if row[first] == -1):
        fault = f"{wrong} rows have no usable label, decision, score or weight"
        hint = "every row needs a label of 0 or 1, a decision or score, and a weight of at least 0"
        raise DataError(fault, hint, code="benchmarks.row_not_usable")
    return _table(rows, columns)


def _query(columns: Columns) -> str:
    """One pass that asks little of a row; a cell of rows that cannot be counted gets the label -1."""
    label = f"TRY_CAST({_quoted(columns.label)} AS DOUBLE)"
    sound = []
    if columns.decision is None:
        score = _quoted(str(columns.score))
        decision = f"{score} >= {columns.threshold!r}"
        sound.append(f"{score} BETWEEN 0 AND 1")  # DuckDB has NaN above every number
    else:
        decided = f"TRY_CAST({_quoted(columns.decision)} AS DOUBLE)"
        decision = f"{decided} = 1"
        sound.append(f"{decided} IN (0, 1)")
    sums = {"n": ("count(*)", "sum(n)")}
    if columns.weight is not None:
        weight = f"CAST({_quoted(columns.weight)} AS DOUBLE)"
        sound.append(f"{weight} >= 0 AND isfinite({weight})")
        sums |= {"w": (f"sum({weight})", "sum(w)"), "ww": (f"sum({weight} * {weight})", "sum(ww)")}
    bins = "0"
    if columns.bins > 1:
        place = f"least({columns.bins - 1}, floor({_quoted(str(columns.score))} * {columns.bins}))::INTEGER"
        bins = f"CASE WHEN {sound[0]} THEN {place} END"
    groups = [f"g{at}" for at in range(len(columns.protected))]
    expressions = [
        f"CAST({_quoted(name)} AS VARCHAR) AS {key}"
        for name, key in zip(columns.protected, groups, strict=True)
    ]
    cells = [
        *expressions,
        f"{label} = 1 AS favourable",
        f"{label} = 0 AS unfavourable",
        f"{decision} AS decided",
        f"{' AND '.join(sound)} AS sound",
        f"{bins} AS place",
        *(f"{inner} AS {key}" for key, (inner, _) in sums.items()),
    ]
    usable = "coalesce(sound AND (favourable OR unfavourable), false)"
    keys = [
        *groups,
        f"CASE WHEN {usable} THEN favourable::INTEGER ELSE -1 END AS label",
        f"CASE WHEN {usable} THEN decided ELSE false END AS decision",
        f"CASE WHEN {usable} THEN place ELSE 0 END AS bin",
        *(f"{outer} AS {key}" for key, (_, outer) in sums.items()),
    ]
    inner = f"SELECT {', '.join(cells)} FROM read_parquet(?) GROUP BY ALL"  # noqa: S608 - quoted names
    return f"SELECT {', '.join(keys)} FROM ({inner}) GROUP BY ALL"  # noqa: S608


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _table(rows: list[tuple[Any, ...]], columns: Columns) -> Table:
    width = len(columns.protected)
    names = [(MISSING, *sorted({row[at] for row in rows} - {None})) for at in range(width)]
    places = [{name: code for code, name in enumerate(values)} | {None: 0} for values in names]
    keys = np.array([[place[row[at]] for at, place in enumerate(places)] for row in rows], dtype=np.int64)
    occurring, key = np.unique(keys.reshape(-1, width), axis=0, return_inverse=True)
    labels, decisions, bins = (np.array([row[width + at] for row in rows], dtype=np.int64) for at in range(3))
    shape = (len(occurring), int(bins.max(initial=0)) + 1, 2, 2)

    def summed(place: int, kind: type) -> npt.NDArray[Any]:
        total: npt.NDArray[Any] = np.zeros(shape, dtype=kind)
        counts: npt.NDArray[Any] = np.array([row[width + place] for row in rows], dtype=kind)
        np.add.at(total, (key.ravel(), bins, labels, decisions), counts)
        return total

    weighs = columns.weight is not None
    return Table(
        attributes=columns.protected,
        names=tuple(names),
        keys=occurring,
        rows=summed(3, np.int64),
        weight=summed(4, np.float64) if weighs else None,
        squared=summed(5, np.float64) if weighs else None,
    )
