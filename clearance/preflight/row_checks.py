"""The rows of a table that is not long against what `params.yaml` says of them: counts, keys, groups, days.

Validation judges the same in a run; here it is known before one. A table whose head alone was read is not
judged: its other rows may make it right.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from clearance import labels
from clearance.data.sources import duckdb_engine
from clearance.params import Data, Split
from clearance.preflight import faults
from clearance.preflight.problem import Problem, warning

_MOST_GROUPS = 40
_MOST_ROWS = 200_000
"""Rows up to which values are counted: a check is quick, and Parquet of any length is read whole."""
_NUMBERS = re.compile("U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL.*")


@dataclass(frozen=True, kw_only=True)
class _Table:
    """The rows and the type of each column."""

    rows: duckdb.DuckDBPyRelation
    types: dict[str, str]

    def value(self, expression: str) -> int:
        """The value of a whole-number aggregate over the rows."""
        ((value,),) = self.rows.aggregate(expression).fetchall()
        return int(value)

    def groups(self, column: str) -> list[str]:
        """The distinct values of a column as canonical texts, without missing ones."""
        quoted = duckdb_engine.name(column)
        values = self.rows.project(quoted).filter(f"{quoted} IS NOT NULL").distinct().limit(_MOST_GROUPS)
        plain = (
            labels.text(value) if isinstance(value, bool | int | float) else str(value)
            for (value,) in values.fetchall()
        )
        return sorted({text for text in plain if text is not None})


def check(rows: duckdb.DuckDBPyRelation, data: Data, split: Split | None) -> Iterator[Problem]:
    """What the rows show; columns that the table lacks are passed over, others report them."""
    table = _Table(rows=rows, types=dict(zip(rows.columns, map(str, rows.types), strict=True)))
    total = table.value("count(*)")
    if total < data.rows_min:
        yield warning(faults.TOO_FEW_ROWS(rows=total, rows_min=data.rows_min))
    if total > _MOST_ROWS:
        return
    yield from _identity(table, data, total)
    yield from _groups(table, data)
    if split is not None and split.time is not None and split.time.column in table.types:
        yield from _days(table, split.time.column, split.time.test_from)


def _identity(table: _Table, data: Data, total: int) -> Iterator[Problem]:
    if data.weight in table.types and not _NUMBERS.fullmatch(table.types[data.weight]):
        yield warning(faults.WEIGHT_NOT_A_NUMBER(column=data.weight))
    if data.row_key in table.types:
        different = table.value(f"count(DISTINCT {duckdb_engine.name(data.row_key)})")
        if different < total:
            yield warning(faults.ROW_KEY_REPEATED(column=data.row_key, rows=total, different=different))


def _groups(table: _Table, data: Data) -> Iterator[Problem]:
    for column in data.protected:
        if column not in table.types:
            continue
        groups = table.groups(column)
        rules = data.columns.get(column)
        listed = {labels.text(value) for value in rules.values} if rules and rules.values else None
        if not groups:
            yield warning(faults.PROTECTED_EMPTY(column=column))
        elif listed is not None and (unlisted := [group for group in groups if group not in listed]):
            yield warning(faults.GROUP_NOT_LISTED(column=column, groups=", ".join(unlisted)))


def _days(table: _Table, column: str, test_from: dt.date) -> Iterator[Problem]:
    kind = table.types[column]
    if not kind.startswith(("TIMESTAMP", "DATE")):
        yield Problem(error=faults.TIME_NOT_DATES(column=column, kind=kind))
        return
    quoted = duckdb_engine.name(column)
    late = table.value(f"count(*) FILTER (WHERE {quoted} >= {duckdb_engine.literal(str(test_from))})")
    known = table.value(f"count({quoted})")
    if known and late in (0, known):
        side = "before" if late == 0 else "at or after"
        yield warning(faults.ALL_ON_ONE_SIDE(column=column, test_from=test_from, side=side))
