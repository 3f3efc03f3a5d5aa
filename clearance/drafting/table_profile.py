"""What a table holds, column by column, as `ingest` would read it: counts, ranges, values and a sample.

Nothing is guessed here; `column_roles` does that.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from clearance import labels
from clearance.data import faults as data_faults
from clearance.data.sources import bindings, duckdb_engine, source_faults
from clearance.data.sources.column_types import ColumnUses
from clearance.params import Source

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["integer", "number", "text", "boolean", "time", "other"]

FEW = 50
"""The most distinct values that are listed one by one."""

SAMPLE = 10_000
"""The most rows in the sample."""

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_AT_ONCE = 100
"""Columns measured in one pass over the table."""


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """One column: `rows` with a value, the distinct values, and how often each occurs where they are few.

    `low` and `high` are numbers for a column of numbers, else None. `values` are canonical texts with their
    rows, the most frequent first; empty where there are more than `FEW`.
    """

    name: str
    kind: Kind
    rows: int
    nulls: int
    distinct: int
    low: float | None = None
    high: float | None = None
    whole: bool = False
    values: tuple[tuple[str, int], ...] = ()

    @property
    def null_share(self) -> float:
        """The share of rows without a value, 0 to 1."""
        total = self.rows + self.nulls
        return self.nulls / total if total else 1.0

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self.kind in ("integer", "number")


@dataclass(frozen=True, kw_only=True)
class TableProfile:
    """A table's columns in their order, its rows, and a sample of them in an order that says nothing."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    sample: pd.DataFrame

    def __getitem__(self, name: str) -> ColumnProfile:
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]


def read(root: Path, source: Source, uses: ColumnUses | None = None) -> TableProfile:
    """The profile of the table that `source` describes, after its `select`.

    `uses` says what its columns are used as; without it, none identifies a row or a group.
    Raises SourceError, DataError or ConfigurationError where it cannot be read, as `ingest` would.
    """
    with _table(root, source, uses) as connection:
        return _profile(connection)


def texts(root: Path, source: Source, names: Sequence[str]) -> dict[str, list[str]]:
    """Every distinct text of these columns, in order. Raises as `read` does."""
    if not names:
        return {}
    with _table(root, source, None) as connection:
        return {
            name: [
                str(value)
                for (value,) in connection.execute(
                    f"FROM profiled SELECT DISTINCT {column} WHERE {column} IS NOT NULL ORDER BY 1"
                ).fetchall()
            ]
            for name, column in zip(names, map(duckdb_engine.name, names), strict=True)
        }


@contextlib.contextmanager
def _table(root: Path, source: Source, uses: ColumnUses | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session with the rows as `profiled`."""
    with (
        contextlib.chdir(root),
        tempfile.TemporaryDirectory() as folder,
        duckdb_engine.session(Path(folder)) as connection,
        source_faults.translated_errors(),
    ):
        bindings.bind(connection, source, uses)
        select = source.select or "SELECT * FROM source"
        try:
            duckdb_engine.check_select(connection, select)
            connection.execute(f"CREATE TEMP TABLE profiled AS {select}")
        except duckdb.ParserException as error:
            raise data_faults.SELECT_NOT_USABLE(reason=str(error)) from None
        yield connection


def _profile(connection: duckdb.DuckDBPyConnection) -> TableProfile:
    table = connection.table("profiled")
    types = dict(zip(table.columns, map(str, table.types), strict=True))
    rows = int(connection.execute("SELECT count(*) FROM profiled").fetchall()[0][0])
    if not rows:
        raise data_faults.NO_ROWS()
    names = list(types)
    columns: list[ColumnProfile] = []
    for start in range(0, len(names), _AT_ONCE):
        columns += _measure(connection, {name: types[name] for name in names[start : start + _AT_ONCE]}, rows)
    sample = connection.sql(f"FROM profiled USING SAMPLE reservoir({SAMPLE} ROWS) REPEATABLE (1)").df()
    return TableProfile(
        rows=rows,
        columns=tuple(columns),
        sample=sample.sample(frac=1, random_state=1).reset_index(drop=True),
    )


def _measure(
    connection: duckdb.DuckDBPyConnection, types: dict[str, str], rows: int
) -> Iterator[ColumnProfile]:
    terms = [term for name, kind in types.items() for term in _terms(duckdb_engine.name(name), kind)]
    answers = connection.execute(f"FROM profiled SELECT {', '.join(terms)}").fetchall()[0]
    for index, (name, kind) in enumerate(types.items()):
        present, distinct, low, high, whole = answers[5 * index : 5 * index + 5]
        few = 0 < distinct <= FEW
        yield ColumnProfile(
            name=name,
            kind=_kind(kind),
            rows=present,
            nulls=rows - present,
            distinct=distinct,
            low=low,
            high=high,
            whole=bool(whole),
            values=_values(connection, name) if few else (),
        )


def _terms(column: str, kind: str) -> list[str]:
    number = _kind(kind) in ("integer", "number")
    ends = [f"CAST({end}({column}) AS DOUBLE)" if number else "NULL" for end in ("min", "max")]
    whole = f"bool_and(CAST({column} AS DOUBLE) = floor(CAST({column} AS DOUBLE)))" if number else "NULL"
    return [f"count({column})", f"count(DISTINCT {column})", *ends, whole]


def _values(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[tuple[str, int], ...]:
    column = duckdb_engine.name(name)
    counts = connection.execute(
        f"SELECT {column}, count(*) AS n FROM profiled WHERE {column} IS NOT NULL "  # noqa: S608 - quoted
        "GROUP BY 1 ORDER BY n DESC, 1"
    ).fetchall()
    return tuple((_text(value), int(number)) for value, number in counts)


def _text(value: Any) -> str:
    return str(labels.text(value)) if isinstance(value, bool | int | float) else str(value)


def _kind(kind: str) -> Kind:
    if kind in _INTEGERS or kind in ("HUGEINT", "UHUGEINT"):
        return "integer"
    if kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        return "number"
    if kind == "BOOLEAN":
        return "boolean"
    if kind.startswith(("TIMESTAMP", "DATE")):
        return "time"
    if kind == "VARCHAR" or kind.startswith("ENUM") or kind in ("UUID", "JSON", "TIME"):
        return "text"
    return "other"
