"""Rows of Python values, as database drivers return them, as Arrow tables of plain types.

It decides the type of a column from the values in one chunk; `common_schema` returns the schema that all
chunks of a query can be cast to, in whatever order they came.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from clearance.data import faults

_TEXT = pa.string()
_NUMBER = pa.float64()
_INTEGER = pa.int64()
_TIME = pa.timestamp("us")
_INSTANT = pa.timestamp("us", tz="UTC")
_EXACT = 2**53
_INT64 = range(-(2**63), 2**63)


def to_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """These rows as a table; a column without any value has Arrow's null type.

    Integers beyond 64 bits and mixed kinds become text; decimals become numbers, or text where they are
    whole and beyond what a number tells apart. Raises SourceError on binary values.
    """
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return pa.table(
        [_column(name, values) for name, values in zip(names, columns, strict=True)], names=list(names)
    )


def _column(name: str, values: Sequence[Any]) -> pa.Array:
    present = {type(value) for value in values} - {type(None)}
    if present & {bytes, bytearray, memoryview}:
        raise faults.BINARY_COLUMN(column=name)
    kind = _kind(present, values)
    return pa.array([None if value is None else _convert(value, kind) for value in values], kind)


def _kind(present: set[type], values: Sequence[Any]) -> pa.DataType:
    if not present:
        return pa.null()
    if present == {bool}:
        return pa.bool_()
    if present <= {int, float, Decimal}:
        if not _are_integers(values):
            return _TEXT if any(map(_is_lost_as_number, values)) else _NUMBER
        return _INTEGER if all(value is None or int(value) in _INT64 for value in values) else _TEXT
    if present <= {dt.date, dt.datetime}:
        zones = {getattr(value, "tzinfo", None) is not None for value in values if value is not None}
        return {False: _TIME, True: _INSTANT}[zones.pop()] if len(zones) == 1 else _TEXT
    return _TEXT


def _are_integers(values: Sequence[Any]) -> bool:
    """Whether all numbers are integers by their type: the decimal 12.00 is not."""
    return all(
        value is None
        or isinstance(value, int)
        or (isinstance(value, Decimal) and value.is_finite() and int(value.as_tuple().exponent) >= 0)
        for value in values
    )


def _is_lost_as_number(value: Any) -> bool:
    """Whether a whole number, not read as a floating-point one, is too large to be one exactly."""
    return isinstance(value, int | Decimal) and value == value // 1 and not -_EXACT <= value <= _EXACT


def _convert(value: Any, kind: pa.DataType) -> Any:
    if kind == _TEXT:
        return _text(value)
    if kind == _NUMBER:
        return float(value)
    if kind == _INTEGER:
        return int(value)
    if kind == _TIME and not isinstance(value, dt.datetime):
        return dt.datetime.combine(value, dt.time())
    return value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list | bool):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)


def common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """The schema that tables of all these schemas can be cast to, in whatever order they come."""
    first, *others = list(schemas)
    kinds = list(first.types)
    for schema in others:
        kinds = [_join(a, b) for a, b in zip(kinds, schema.types, strict=True)]
    return pa.schema(list(zip(first.names, map(_final_type, kinds), strict=True)))


def _final_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_null(kind):
        return _TEXT
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _join(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    if a == b or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    return _NUMBER if {a, b} == {_INTEGER, _NUMBER} else _TEXT
