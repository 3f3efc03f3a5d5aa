"""One DuckDB session that reads the files it was given and nothing else.

It decides where DuckDB may spill, which SQL counts as a repeatable `select`, and which types columns have
when they leave. It never reaches the network, loads an extension or opens another file.
"""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from clearance import file_lock, paths
from clearance.data import faults

HOME = paths.DUCKDB_HOME
MEMORY_LIMIT = "2GB"
_BATCH = 122_880

# What DuckDB reads as the clock although it looks like a column, and what it calls unstable but is not.
_CLOCK_WORDS = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
_STABLE_FUNCTIONS = {"error", "current_schema", "current_schemas", "current_database", "in_search_path"}


@contextmanager
def session(home: Path, memory_limit: str = MEMORY_LIMIT) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB that spills into `home` and deletes its spill files at the end.

    `memory_limit` bounds what DuckDB holds before it spills; it is the same on every machine, so that
    the order of rows is too. Raises BusyError when another session uses `home`.
    """
    with exclusive(home):
        spill = home / "spill"
        shutil.rmtree(spill, ignore_errors=True)
        connection = duckdb.connect(":memory:", config=_settings(home, spill, memory_limit))
        try:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()
            shutil.rmtree(spill, ignore_errors=True)


@contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Lock the folder `home` for this process; raises BusyError at once when another process holds it."""
    home.mkdir(parents=True, exist_ok=True)
    with file_lock.opened(home / "lock") as descriptor:
        if not file_lock.attempt(descriptor):
            raise faults.INGEST_RUNNING()
        yield


def _settings(home: Path, spill: Path, memory_limit: str) -> dict[str, Any]:
    return {
        "allow_community_extensions": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "extension_directory": str(home / "extensions"),
        "home_directory": str(home),
        "memory_limit": memory_limit,
        "preserve_insertion_order": "true",
        "python_enable_replacements": "false",
        "temp_directory": str(spill),
        "threads": "2",
    }


def confine(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Restrict the session for good to reading `files`, on one thread (so the order of rows is fixed)."""
    allowed = ", ".join(literal(str(file)) for file in files)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET threads = 1")
    connection.execute("SET lock_configuration = true")


def refuse_empty(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise DataError when the table `source` has no rows: without any, its columns have no types."""
    if not connection.execute("SELECT 1 FROM source LIMIT 1").fetchall():
        raise faults.NO_ROWS()


def check_select(connection: duckdb.DuckDBPyConnection, select: str) -> None:
    """Raise ConfigurationError unless `select` is one SELECT that returns the same rows every time."""
    if [statement.type for statement in connection.extract_statements(select)] != [
        duckdb.StatementType.SELECT
    ]:
        raise faults.SELECT_NOT_SINGLE()
    parsed = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [select]).fetchall()
    tree = json.loads(parsed[0][0])
    if tree["error"]:
        raise faults.SELECT_NOT_PLAIN(reason=tree.get("error_message", "unknown form"))
    if unstable := sorted(set(_unstable_parts(tree, _unstable_functions(connection)))):
        raise faults.SELECT_NOT_REPEATABLE(functions=", ".join(unstable))


def _unstable_functions(connection: duckdb.DuckDBPyConnection) -> set[str]:
    names = connection.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
    ).fetchall()
    columns = {row[0].lower() for row in connection.execute("DESCRIBE source").fetchall()}
    return ({name for (name,) in names} | _CLOCK_WORDS) - _STABLE_FUNCTIONS - columns


def _unstable_parts(node: Any, unstable: set[str]) -> Iterator[str]:
    """The parts of a parsed statement that may differ between two runs."""
    if isinstance(node, list):
        for inner in node:
            yield from _unstable_parts(inner, unstable)
    elif isinstance(node, dict):
        yield from {str(node.get("function_name", "")).lower()} & unstable
        if node.get("class") == "COLUMN_REF" and len(node["column_names"]) == 1:
            yield from {node["column_names"][0].lower()} & unstable & _CLOCK_WORDS
        if isinstance(node.get("sample"), dict) and node["sample"].get("seed") == -1:
            yield "a sample without a seed"
        for inner in node.values():
            yield from _unstable_parts(inner, unstable)


def stream(
    connection: duckdb.DuckDBPyConnection, select: str, written: Collection[str] = ()
) -> pa.RecordBatchReader:
    """The rows of `select` as Arrow batches, with columns of types that a data frame reads directly.

    Dates become timestamps at midnight; decimals become numbers, or text when they are long integers or their
    column is one of `written`; UUIDs, times of day, intervals, enumerations and JSON become text.
    Raises DataError on two columns of one name and on nested or binary columns.
    """
    relation = connection.sql(select)
    refuse_duplicate_names(relation.columns, "the table")
    columns = ", ".join(
        _as_plain(column, str(kind), written=column in written)
        for column, kind in zip(relation.columns, relation.types, strict=True)
    )
    return relation.project(columns).to_arrow_reader(_BATCH)


def refuse_duplicate_names(names: Sequence[str], where: str) -> None:
    """Raise DataError when two of these column names look alike: they differ in nothing but upper and lower
    case, spaces around them, or the Unicode form of a character."""
    first: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFKC", name).casefold().strip()
        if key in first:
            raise faults.DUPLICATE_COLUMNS(where=where, first=first[key], second=name)
        first[key] = name


_AS_TEXT = {"UUID", "TIME", "TIME WITH TIME ZONE", "TIME_NS", "INTERVAL", "JSON", "BIT", "BIGNUM"}
_AS_TIME = {"DATE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
_NESTED = ("STRUCT", "MAP", "UNION", "VARIANT")


def _as_plain(column: str, kind: str, *, written: bool) -> str:
    quoted = name(column)
    if kind.endswith("]") or kind.startswith(_NESTED) or kind in {"BLOB", "GEOMETRY"}:
        raise faults.COLUMN_NOT_PLAIN(column=column, kind=kind)
    plain = "VARCHAR" if written and kind.startswith("DECIMAL") else _plain_kind(kind)
    return quoted if plain is None else f"CAST({quoted} AS {plain}) AS {quoted}"


def _plain_kind(kind: str) -> str | None:
    if kind in _AS_TEXT or kind.startswith("ENUM"):
        return "VARCHAR"
    if kind in _AS_TIME:
        return "TIMESTAMP"
    if kind in {"HUGEINT", "UHUGEINT"}:
        return "BIGINT"
    if kind.startswith("DECIMAL"):
        width, scale = (int(number) for number in kind[8:-1].split(","))
        return "DOUBLE" if scale else "BIGINT" if width <= 18 else "VARCHAR"
    return None


def literal(text: str) -> str:
    """`text` as a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def name(column: str) -> str:
    """`column` as a SQL name."""
    return '"' + column.replace('"', '""') + '"'
