"""The keys of JSON records and what kind of value each holds, from all of them and as they are written.

DuckDB's own detection renames keys that differ in upper and lower case, reads texts as times and dates, and
takes many alike keys for a map. Here the syntax of JSON decides: quotes mean text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from clearance.data import faults
from clearance.data.sources import duckdb_engine, file_bytes

_CHUNK, _OVERLAP = 1 << 24, 1 << 10
_NUMBERS = {"UBIGINT", "BIGINT", "HUGEINT", "UHUGEINT", "DOUBLE"}


def structure(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, Any]:
    """Each key of the file's records, in the order of their first appearance, with the kind of its values.

    A kind is a name such as `VARCHAR` or `DOUBLE` (`JSON` where they differ, `NULL` where there is none), a
    mapping for an object, a list of one kind for a list. Raises SourceError when there are no records.
    """
    file = duckdb_engine.literal(str(path))
    query = f"FROM read_json_objects([{file}]) SELECT json_group_structure(json)"
    answer = connection.execute(query).fetchall()[0][0]
    keys = json.loads(answer) if answer is not None else None
    if not isinstance(keys, dict):
        raise faults.JSON_WITHOUT_RECORDS()
    return keys


def check_numbers(path: Path, names: Iterable[str]) -> None:
    """Raise DataError where a number of one of these keys is written with more than a reader of JSON keeps.

    1.10 is read as 1.1, so two groups would become one. Keys are compared as texts, so quotes keep them.
    """
    keys = b"|".join(re.escape(json.dumps(name, ensure_ascii=False).encode()) for name in names)
    if not keys:
        return
    number = re.compile(rb"(" + keys + rb")\s*:\s*(-?[0-9]+[.][0-9]+(?:[eE][-+]?[0-9]+)?)(?=[\s,}\]])")
    with file_bytes.opened(path) as file:
        rest = b""
        while chunk := file.read(_CHUNK):
            text = rest + chunk
            for match in number.finditer(text):
                if repr(float(match[2])) != match[2].decode():
                    raise faults.JSON_NUMBER_NOT_KEPT(column=json.loads(match[1]), path=path)
            rest = text[-_OVERLAP:]


def merged(structures: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The keys of several files that agree, each with the widest of its kinds."""
    widest: dict[str, Any] = {}
    for keys in structures:
        for name, kind in keys.items():
            known = widest.get(name, "NULL")
            widest[name] = (
                kind if known in ("NULL", kind) else known if kind == "NULL" else _join(known, kind)
            )
    return widest


def _join(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return merged([one, other])
    if isinstance(one, list) and isinstance(other, list):
        return [_join(one[0], other[0])] if one and other else one or other
    numbers = isinstance(one, str) and isinstance(other, str) and {one, other} <= _NUMBERS
    return "DOUBLE" if numbers else one if one == other else "JSON"


def family(kind: Any) -> str | None:
    """number, boolean or text; None for values that are absent, nested or differ."""
    if not isinstance(kind, str):
        return None
    return "number" if kind in _NUMBERS else {"VARCHAR": "text", "BOOLEAN": "boolean"}.get(kind)


def kinds(kind: Any) -> Sequence[str]:
    """The SQL types that a column of this kind may become when it is read as text."""
    return {"number": ("BIGINT", "DOUBLE"), "boolean": ("BOOLEAN",)}.get(family(kind) or "", ())


def columns(keys: Mapping[str, Any]) -> str:
    """The keys as DuckDB's argument `columns`: plain values as texts, nested ones as they are."""
    types = (
        f"{duckdb_engine.literal(name)}: {duckdb_engine.literal(_type(kind))}" for name, kind in keys.items()
    )
    return "{" + ", ".join(types) + "}"


def _type(kind: Any, *, nested: bool = False) -> str:
    if isinstance(kind, dict):
        duckdb_engine.refuse_duplicate_names(list(kind), "a JSON object")
        inner = ", ".join(
            f"{duckdb_engine.name(name)} {_type(part, nested=True)}" for name, part in kind.items()
        )
        return f"STRUCT({inner})" if kind else "JSON"
    if isinstance(kind, list):
        return f"{_type(kind[0], nested=True)}[]" if kind else "JSON[]"
    if nested and kind in _NUMBERS | {"BOOLEAN"}:
        return "BIGINT" if kind == "UBIGINT" else str(kind)
    return "VARCHAR"
