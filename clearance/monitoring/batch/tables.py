"""Two tables as counts of the same cells: the reference gives the cells, both tables are counted in them.

DuckDB reads the files and gives values their types; a table is counted in one scan, a batch at a time. A
column means the same in both tables however it is written: codes that one file holds as 1.0 and the other as
the text `1` are the same codes. Nothing here judges.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clearance import params
from clearance.data import disguises, written_numbers
from clearance.data import faults as data_faults
from clearance.data.sources import bindings, duckdb_engine, source_faults, source_files
from clearance.data.written_numbers import Grammar, Reading
from clearance.documents.baseline_document import FeatureBins
from clearance.errors import ClearanceError
from clearance.monitoring.counting import bins
from clearance.monitoring.counting.window_counts import Counts

Family = Literal["number", "boolean", "text", "time", "nested"]
"""What the values of a column are, whatever their width; `nested` are lists, structures and bytes."""

Kind = Literal["number", "category"]

SAMPLE_ROWS = 100_000
SAMPLE_VALUES = 6_000_000
"""Of a reference with more rows, or more values, a sample of so many chooses the cells. Counts are exact."""

READING_ROWS = 10_000
"""So many evenly spread rows tell how the numbers of a column of texts are written; all are then read."""

_GLANCE_ROWS = 2_048
_SAVE_AGAIN = "correct the file, or save it again as CSV (UTF-8, `.csv`) or Parquet (`.parquet`)"

_OF_DELIMITER = {
    data_faults.SINGLE_COLUMN.code: (
        data_faults.SINGLE_COLUMN,
        "leave `--delimiter` out, and separate the columns of all files of one table by the same mark",
    ),
    data_faults.BAD_DELIMITER.code: (data_faults.BAD_DELIMITER, "give one character, such as `;`"),
}

_SPREAD, _TURN = 663_608_941, 1 << 30
"""A row's number times the first, modulo the second: spread evenly and without a period (golden ratio)."""

_BATCH_ROWS = 122_880
_BATCH_VALUES = 4_000_000
_EXACT = 2**53

_FAMILIES: Mapping[str, Family] = {
    "BOOLEAN": "boolean",
    **dict.fromkeys(("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"), "time"),
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "time"),
    **dict.fromkeys(("VARCHAR", "UUID", "TIME", "TIME WITH TIME ZONE", "TIME_NS"), "text"),
    **dict.fromkeys(("INTERVAL", "JSON", "BIT"), "text"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "BIGNUM"), "number"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "number"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "number"),
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """An opened table: the number of its rows, and the DuckDB type of each column in the table's order.

    `readings` say how columns of texts are read as numbers, where most of their values are some; the texts of
    `days` are all dates.
    `found_delimiter` is what separates the columns of a CSV where the header alone told it.
    """

    connection: duckdb.DuckDBPyConnection
    path: str
    rows: int
    types: Mapping[str, str]
    readings: Mapping[str, Reading] = field(default_factory=dict)
    days: frozenset[str] = frozenset()
    found_delimiter: str | None = None

    def family(self, column: str) -> Family:
        """What the values of one of its columns are."""
        return _family(self.types[column])


@dataclass(frozen=True, kw_only=True)
class Values:
    """SQL for the values of a column of one table, in the form that both tables share.

    `value` is a number (DOUBLE) or a category (VARCHAR), null or NaN where it is missing; `other` is true
    where a value is there and is not a number, None where that cannot be. `grammar` is how texts are read as
    numbers, None where they are not.
    """

    value: str
    other: str | None = None
    grammar: Grammar | None = None


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column that both tables have: what it counts as, and its values in each of them."""

    name: str
    kind: Kind
    reference: Values
    current: Values


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Values of the reference without missing ones: finite numbers (float64) or texts."""

    values: npt.NDArray[np.float64] | pa.Array

    @property
    def different(self) -> int:
        """How many different values there are."""
        return (
            len(np.unique(self.values)) if isinstance(self.values, np.ndarray) else len(self.values.unique())
        )


@contextlib.contextmanager
def opened(path: str, delimiter: str | None = None) -> Iterator[Table]:
    """A file, or a folder of files, of CSV, Parquet or JSON as a table.

    Without a delimiter it is a comma, in a .tsv a tab, or what a header shows that has no comma. Raises
    SourceError or DataError that names the file at fault, ConfigurationError on a wrong delimiter.
    """
    if any(mark in path for mark in "*?["):
        raise data_faults.WILDCARD_IN_FILE_NAME(path=path)
    with (
        tempfile.TemporaryDirectory(prefix="clearance-table-") as home,
        duckdb_engine.session(Path(home)) as connection,
    ):
        with _own_hints(path), source_faults.translated_errors():
            found = _bind(connection, path, delimiter)
            types = {str(row[0]): str(row[1]) for row in connection.execute("DESCRIBE source").fetchall()}
            rows = int(connection.execute("SELECT count(*) FROM source").fetchall()[0][0])
        table = Table(connection=connection, path=path, rows=rows, types=types, found_delimiter=found)
        texts = _likely_texts(table)
        readings = {name: reading for name in texts if (reading := _reading(texts[name])) is not None}
        days = frozenset(name for name in texts if _are_days(texts[name]))
        yield replace(table, readings=readings, days=days)


def _bind(connection: duckdb.DuckDBPyConnection, path: str, delimiter: str | None) -> str | None:
    """Bind the table; the delimiter that its header showed, None where that was not needed."""
    try:
        bindings.bind(connection, params.Source(kind="file", path=path, delimiter=delimiter))
    except ClearanceError as error:
        if error.code != data_faults.SINGLE_COLUMN.code or delimiter is not None:
            raise
        likely = source_files.likely_delimiter(str(error.values["column"]))
        bindings.bind(connection, params.Source(kind="file", path=path, delimiter=likely))
        return likely
    return None


def _likely_texts(table: Table) -> dict[str, list[str]]:
    """The different texts of the columns of which the first rows may be numbers or dates.

    The first rows tell which columns may be some, and evenly spread ones how they are written.
    """
    names = [name for name in table.types if table.family(name) == "text"]
    values = {name: Values(value=_text(name)) for name in names}
    first = _rows(table, values, f"LIMIT {_GLANCE_ROWS}")
    likely = {}
    for name in names:
        texts = _different(first.column(name))
        if not texts or _reading(texts) or _are_days(texts):
            likely[name] = values[name]
    spread = rows(table, likely, READING_ROWS)
    return {name: _different(spread.column(name)) for name in likely}


def _different(values: pa.ChunkedArray) -> list[str]:
    return [text for text in values.unique().to_pylist() if text is not None]


def _reading(texts: Sequence[str]) -> Reading | None:
    """How they are read as numbers. Digits alone are codes, as in a Parquet file that has them as text."""
    return None if all(map(str.isdigit, texts)) else written_numbers.read(texts)


def _are_days(texts: Sequence[str]) -> bool:
    disguise = disguises.of("", texts)
    return disguise is not None and disguise.kind.startswith("dates")


@contextlib.contextmanager
def _own_hints(path: str) -> Iterator[None]:
    """Faults that name the table, with hints that say nothing about the settings of a project."""
    try:
        yield
    except ClearanceError as error:
        if error.code in _OF_DELIMITER:
            kind, hint = _OF_DELIMITER[error.code]
            own = kind(**error.values | {"setting": "--delimiter"})
            raise type(own)(own.fault, hint.format(**own.values), code=own.code, values=own.values) from None
        fault = error.fault if path in error.fault else f"{path}: {error.fault}"
        hint = _SAVE_AGAIN if "source" in error.hint else error.hint
        raise type(error)(fault, hint, code=error.code, values=error.values) from None


def columns(reference: Table, current: Table, names: Sequence[str]) -> dict[str, Column]:
    """How each of these columns is compared; none of them is nested.

    It counts as numbers where the reference has numbers or times, or texts that are all numbers and either
    no mere codes or beside numbers in the current table; else as categories. Times are days since 1970.
    """
    codes = [name for name in names if (reference.family(name), current.family(name)) == ("text", "number")]
    numeric = _all_numbers(reference, codes)
    result = {}
    for name in names:
        families = (reference.family(name), current.family(name))
        grammars = _grammars(name, reference, current)
        is_number = families[0] in ("number", "time") or numeric.get(name) or grammars[0] is not None
        kind: Kind = "number" if is_number else "category"
        mine, theirs = (
            _values(name, kind, own, families, grammar)
            for own, grammar in zip(families, grammars, strict=True)
        )
        result[name] = Column(name=name, kind=kind, reference=mine, current=theirs)
    return result


def _grammars(name: str, reference: Table, current: Table) -> tuple[Grammar | None, Grammar | None]:
    """How the texts of a column are read as numbers in each table, None where they are not.

    A table that leaves open how its numbers are meant is read as the other one is.
    """
    before, now = reference.readings.get(name), current.readings.get(name)
    clear = now.grammar if now is not None and now.doubt is None else None
    if reference.family(name) != "text":
        return None, clear
    if current.family(name) not in ("text", "number") or before is None or before.others:
        return None, None
    if before.doubt is None:
        return before.grammar, clear or before.grammar
    return (clear, clear) if now is not None and now.is_certain else (None, None)


def _family(kind: str) -> Family:
    if kind.startswith("DECIMAL") and not kind.endswith("]"):
        return "number"
    if kind.startswith("ENUM") and not kind.endswith("]"):
        return "text"
    return _FAMILIES.get(kind, "nested")


def _all_numbers(table: Table, names: Sequence[str]) -> dict[str, bool]:
    """Whether the texts of each column are all numbers, and there is one."""
    if not names:
        return {}
    tests = ", ".join(
        f"coalesce(bool_and(TRY_CAST({quoted} AS DOUBLE) IS NOT NULL)"
        f" FILTER ({quoted} IS NOT NULL AND {quoted} <> ''), false)"
        for quoted in map(duckdb_engine.name, names)
    )
    answers = table.connection.execute(f"FROM source SELECT {tests}").fetchall()[0]
    return dict(zip(names, answers, strict=True))


def _values(
    name: str, kind: Kind, own: Family, families: tuple[Family, Family], grammar: Grammar | None
) -> Values:
    quoted = duckdb_engine.name(name)
    if kind == "category":
        return Values(value=_as_category(quoted, own, words="boolean" in families))
    is_time = families[0] == "time"
    if own == "number" and not is_time:
        return Values(value=f"CAST({quoted} AS DOUBLE)")
    if own == "boolean" and not is_time:
        return Values(value=f"CAST(CAST({quoted} AS TINYINT) AS DOUBLE)")
    if own == "time" and is_time:
        return Values(value=f"epoch({quoted}) / 86400")
    text = _text(name)
    if is_time:
        number = f"epoch(TRY_CAST({text} AS TIMESTAMP)) / 86400"
        return Values(value=number, other=f"({text} IS NOT NULL AND {number} IS NULL)")
    words = ", ".join(map(duckdb_engine.literal, sorted(written_numbers.MISSING)))
    is_given = f"lower(trim({text})) NOT IN ({words})"
    grammar = grammar or Grammar()
    number = f"TRY_CAST({text} AS DOUBLE)" if grammar == Grammar() else grammar.sql_or_null(text)
    return Values(
        value=f"CASE WHEN {is_given} THEN {number} END",
        other=f"coalesce({is_given} AND {number} IS NULL, false)",
        grammar=grammar,
    )


def _text(name: str) -> str:
    """SQL for the text of a value; an empty one is missing."""
    return f"nullif(CAST({duckdb_engine.name(name)} AS VARCHAR), '')"


def _as_category(quoted: str, own: Family, *, words: bool) -> str:
    """SQL for the canonical text of a value, as `clearance.labels` has it; an empty text is missing."""
    if own == "boolean":
        return f"CAST(CAST({quoted} AS TINYINT) AS VARCHAR)"
    if own == "number":
        whole = f"CAST(CAST({quoted} AS BIGINT) AS VARCHAR)"
        number = f"nullif(CAST({quoted} AS DOUBLE), CAST('nan' AS DOUBLE))"
        exact = f"{number} = floor({number}) AND abs({number}) < {_EXACT}"
        return f"CASE WHEN {exact} THEN {whole} ELSE CAST({number} AS VARCHAR) END"
    text = f"nullif(CAST({quoted} AS VARCHAR), '')"
    if own == "text" and words:
        return f"CASE lower({text}) WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE {text} END"
    return text


def sampled_rows(table: Table, columns: int) -> int:
    """How many rows of the table stand for all in what is not counted: all of them, or a sample."""
    return min(table.rows, SAMPLE_ROWS, SAMPLE_VALUES // max(1, columns))


def samples(table: Table, values: Mapping[str, Values], kinds: Mapping[str, Kind]) -> dict[str, Sample]:
    """The values of each column in the rows that stand for all."""
    chosen = rows(table, values, sampled_rows(table, len(values)))
    return {
        name: _sample(kinds[name], column.combine_chunks().drop_null())
        for name, column in zip(values, chosen.columns, strict=True)
    }


def rows(table: Table, values: Mapping[str, Values], most: int) -> pa.Table:
    """These values of all rows, or of about `most` rows that are evenly spread; always the same ones.

    Raises SourceError or DataError where the rows cannot be read.
    """
    if not values:
        return pa.table({})
    source, condition = "source", ""
    if most < table.rows:
        source = "(FROM source SELECT *, row_number() OVER () AS clearance_row)"
        bound = most * _TURN // table.rows
        condition = f"WHERE (clearance_row % {_TURN}) * {_SPREAD} % {_TURN} < {bound}"
    return _rows(table, values, condition, source)


def _rows(table: Table, values: Mapping[str, Values], condition: str, source: str = "source") -> pa.Table:
    if not values:
        return pa.table({})
    chosen = ", ".join(f"{value.value} AS v{at}" for at, value in enumerate(values.values()))
    with _own_hints(table.path), source_faults.translated_errors():
        answer = table.connection.sql(f"FROM {source} SELECT {chosen} {condition}").to_arrow_table()
    return answer.rename_columns(list(values))


def _sample(kind: Kind, values: pa.Array) -> Sample:
    if kind == "category":
        return Sample(values=values)
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
    return Sample(values=numbers[np.isfinite(numbers)])


def cells(kind: Kind, sample: Sample) -> FeatureBins:
    """The cells of a column, as the baseline of a version has them."""
    if kind == "number":
        return bins.of_numbers(np.asarray(sample.values))
    return bins.of_categories(pa.array(sample.values).to_pylist())


def means(of: FeatureBins, sample: Sample) -> tuple[float | None, ...]:
    """The mean of the sample in each bin of a number; None in a bin without values."""
    numbers = np.asarray(sample.values, dtype=np.float64)
    places = np.searchsorted(of.edges, numbers)
    rows = np.bincount(places, minlength=len(of.edges) + 1)
    sums = np.bincount(places, weights=numbers, minlength=len(of.edges) + 1)
    return tuple(float(total / count) if count else None for total, count in zip(sums, rows, strict=True))


def count(
    table: Table, values: Mapping[str, Values], cells_of: Mapping[str, FeatureBins]
) -> dict[str, Counts]:
    """The rows of the table in each cell of each column, in one scan that holds one batch at a time.

    Raises SourceError or DataError where the rows cannot be read.
    """
    totals = {name: np.zeros(cells_of[name].size, dtype=np.int64) for name in values}
    if not values:
        return totals
    chosen = [f"{value.value} AS v{at}" for at, value in enumerate(values.values())]
    chosen += [f"{value.other} AS o{at}" for at, value in enumerate(values.values()) if value.other]
    known = {name: pa.array(cells_of[name].categories, type=pa.string()) for name in values}
    size = max(1, min(_BATCH_ROWS, _BATCH_VALUES // len(chosen)))
    with _own_hints(table.path), source_faults.translated_errors():
        batches = table.connection.sql(f"FROM source SELECT {', '.join(chosen)}").to_arrow_reader(size)
        for batch in batches:
            for at, (name, value) in enumerate(values.items()):
                if cells_of[name].kind == "category":
                    totals[name] += _categories(batch.column(at), known[name])
                else:
                    others = batch.column(f"o{at}").true_count if value.other else 0
                    totals[name] += _numbers(batch.column(at), others, cells_of[name].edges)
    return totals


def _numbers(values: pa.Array, others: int, edges: Sequence[float]) -> Counts:
    """The cells of numbers, by comparisons alone: with few edges that takes a third of the time of a search.

    `others` of the missing values are there and no numbers.
    """
    numbers = values.to_numpy(zero_copy_only=False)
    above = [int(np.count_nonzero(numbers > edge)) for edge in (-np.inf, *edges)]
    infinite = int(np.count_nonzero(numbers == np.inf))
    inside = -np.diff([*above, infinite])
    others += infinite + int(np.count_nonzero(numbers == -np.inf))
    return np.array([*inside, others, len(numbers) - int(inside.sum()) - others], dtype=np.int64)


def _categories(values: pa.Array, known: pa.Array) -> Counts:
    place = pc.fill_null(pc.index_in(values, value_set=known), len(known)).to_numpy()
    counts = np.bincount(place, minlength=len(known) + 1)
    missing = values.null_count
    return np.array([*counts[:-1], counts[-1] - missing, missing], dtype=np.int64)
