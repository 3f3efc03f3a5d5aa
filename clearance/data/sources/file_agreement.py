"""Whether the files of one source mean the same by a column, so that no value changes with its file.

Files that write a column in different ways are refused by the names of two files and the column. It never
converts anything; `source.types` is the way out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from clearance.data import faults
from clearance.data.sources import column_types, duckdb_engine, json_records

_EXACT = 2**53
_WRITING = (
    "CASE WHEN count({c}) = 0 THEN NULL"
    " WHEN bool_and(regexp_full_match({c}, '-?[0-9]+')) THEN 'whole numbers'"
    " WHEN bool_and(regexp_full_match({c}, '-?[0-9]+[.]0+')) THEN 'whole numbers written as 1.0'"
    " WHEN bool_and(TRY_CAST({c} AS DOUBLE) IS NOT NULL) THEN 'numbers'"
    " WHEN bool_and(TRY_CAST({c} AS DOUBLE) IS NULL) THEN 'text' ELSE 'both' END"
)
_DISAGREE = (
    {"whole numbers", "whole numbers written as 1.0"},
    {"whole numbers", "text"},
    {"whole numbers written as 1.0", "text"},
    {"numbers", "text"},
)


def check_texts(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[str],
    columns: Sequence[str],
    uses: column_types.ColumnUses,
) -> None:
    """Raise DataError where one file of a CSV source writes a column in another way than another file.

    `parts` are DuckDB's table functions over the files. A key may have any form: it is a text.
    """
    compared = [name for name in columns if name not in uses.declared and name not in uses.keys]
    if not compared:
        return
    writings: dict[str, dict[str, str]] = {name: {} for name in compared}
    tests = ", ".join(_WRITING.replace("{c}", duckdb_engine.name(name)) for name in compared)
    for part in parts:
        named = f"{part.removesuffix(')')}, filename='clearance_file')"
        query = f"FROM {named} SELECT clearance_file, {tests} GROUP BY clearance_file ORDER BY clearance_file"
        for file, *answers in connection.execute(query).fetchall():
            for name, answer in zip(compared, answers, strict=True):
                if answer is not None:
                    writings[name].setdefault(answer, file)
    for name, first in writings.items():
        numbers = uses.is_feature(name) and name not in uses.identities
        for pair in _DISAGREE[1 if numbers else 0 :]:
            if pair <= set(first):
                (one, file), (other, path) = sorted(
                    ((writing, first[writing]) for writing in pair), key=lambda entry: entry[1]
                )
                raise faults.FILES_DIFFER_IN_TYPES(column=name, first=file, one=one, path=path, other=other)


def check_types(
    connection: duckdb.DuckDBPyConnection, schemas: Mapping[Path, pa.Schema], uses: column_types.ColumnUses
) -> None:
    """Raise DataError where a column has types of different families in two Parquet files."""
    names = next(iter(schemas.values())).names
    for name in names:
        families = {path: _family(schema.field(name).type) for path, schema in schemas.items()}
        _check_families(name, families, uses)
        kinds = {path: schema.field(name).type for path, schema in schemas.items()}
        whole = [path for path, kind in kinds.items() if pa.types.is_integer(kind)]
        if whole and any(pa.types.is_floating(kind) for kind in kinds.values()):
            files = ", ".join(duckdb_engine.literal(str(path)) for path in whole)
            column = duckdb_engine.name(name)
            largest = f"FROM read_parquet([{files}], union_by_name=true) SELECT max(abs({column}::HUGEINT))"
            if (connection.execute(largest).fetchall()[0][0] or 0) > _EXACT:
                raise faults.INTEGER_TOO_LONG(column=name)


def check_json(structures: Mapping[Path, Mapping[str, Any]], uses: column_types.ColumnUses) -> None:
    """Raise DataError where a key holds texts in one JSON file and numbers or booleans in another."""
    for name in next(iter(structures.values())):
        _check_families(
            name, {path: json_records.family(keys[name]) for path, keys in structures.items()}, uses
        )


def _check_families(column: str, families: Mapping[Path, str | None], uses: column_types.ColumnUses) -> None:
    known = [(path, family) for path, family in families.items() if family is not None]
    others = [(path, family) for path, family in known if family != known[0][1]]
    if others and column not in uses.declared:
        (first, one), (path, other) = known[0], others[0]
        raise faults.FILES_DIFFER_IN_TYPES(column=column, first=first, one=one, path=path, other=other)


def _family(kind: pa.DataType) -> str | None:
    types = pa.types
    if types.is_dictionary(kind):
        return _family(kind.value_type)
    if types.is_null(kind):
        return None
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_timestamp(kind) and kind.tz is not None:
        return "time with a time zone"
    return "time" if types.is_timestamp(kind) or types.is_date(kind) else str(kind)
