"""Which side of the split each row falls on: a fixed function of its key, or its entity, and the seed.

A new row moves no other row, whatever the order of the table. Nothing here reads a label or a feature,
and no row is left out unless a split by time would put one entity on both sides.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from clearance import params
from clearance.data.tables import prepared, row_ids
from clearance.errors import DataError

LEFT_OUT = -1
"""The side of a row that is on no side."""

_TEST = prepared.SPLITS.index("test")


@dataclass(frozen=True)
class Units:
    """What is split: each row's own digest, and the digest of the unit that must stay on one side.

    Both have shape (rows, 16). `by` is `row_key`, `entity` or `content`.
    """

    by: str
    row: np.ndarray
    unit: np.ndarray


def identify(table: pa.Table, data: params.Data) -> Units:
    """Each row's digest and unit.

    With a row key the digest is that of its canonical text. Without one it is that of the row's whole
    content: equal rows are one unit, and the second and later copies get digests of their own by their
    number. With an entity the unit is the entity. Raises DataError on a missing or repeated key.
    """
    if data.row_key is not None:
        row = unit = row_ids.digests(_texts(table, data.row_key))
        if row_ids.groups(row).max(initial=-1) + 1 < len(row):
            raise DataError(
                f"the row key `{data.row_key}` names more than one row",
                "name a unique column in `data.row_key`, or drop the repeated rows in `source.select`",
            )
        by = "row_key"
    else:
        unit = row_ids.digests(row_ids.content(table))
        row, by = row_ids.numbered(unit), "content"
    if data.entity is not None:
        unit, by = row_ids.digests(_texts(table, data.entity)), "entity"
    return Units(by, row, unit)


def assign(units: Units, table: pa.Table, shares: params.Split, seed: int) -> np.ndarray:
    """Each row's side as an index into `prepared.SPLITS`, int8; `LEFT_OUT` for a row on no side.

    Without a time the unit's draw decides: below `train` it is a train row, below `train + tune` a tune
    row, else a test row. With a time, rows at or after `test_from` are test rows and the draw parts the
    rest in the proportion of train to tune; an earlier row of an entity that has test rows is left out.
    """
    draw = uniform(units.unit, seed)
    if shares.time is None:
        return np.searchsorted([shares.train, shares.train + shares.tune], draw, side="right").astype(np.int8)
    side = np.where(draw < shares.train / (shares.train + shares.tune), 0, 1).astype(np.int8)
    late = _at_or_after(table, shares.time)
    if units.by == "entity":
        side[_same_unit_as(units.unit, late)] = LEFT_OUT
    side[late] = _TEST
    return side


def uniform(digest: np.ndarray, seed: int) -> np.ndarray:
    """A number in [0, 1) for each digest (rows, 16), a fixed function of digest and seed.

    The digest is uniform already; a 64-bit finaliser stirs the seed in (SplitMix64; Steele, Lea and Flood,
    OOPSLA 2014), which costs nothing beside a second SHA-256 a row.
    """
    salt = hashlib.sha256(f"split {seed}".encode()).digest()
    first, second = np.frombuffer(salt[:16], dtype=">u8").astype(np.uint64)
    high, low = row_ids.as_numbers(digest)
    return (_stir(_stir(high ^ first) ^ low ^ second) >> np.uint64(11)) / float(2**53)


def _texts(table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names:
        raise DataError(
            f"the table has no column `{name}`", "mend `data` in params.yaml, or derive it in `source.select`"
        )
    texts = row_ids.canonical(table.column(name), name)
    if texts.null_count:
        raise DataError(
            f"`{name}` is null in {texts.null_count} rows, which then cannot be told apart",
            "drop those rows, or fill the column, in `source.select`",
        )
    return texts


def _at_or_after(table: pa.Table, time: params.OutOfTime) -> np.ndarray:
    if time.column not in table.column_names:
        raise DataError(
            f"the table has no column `{time.column}` to split by", "mend `split.time.column` in params.yaml"
        )
    column = table.column(time.column)
    try:
        if pa.types.is_integer(column.type):
            raise pa.ArrowInvalid("a number is no date")
        moments = column.cast(_instant(column.type), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # the second: no cast leads from that type
        raise DataError(
            f"`{time.column}` holds {column.type} values that are no dates",
            "derive a date in `source.select`, e.g. `CAST(... AS DATE)`",
        ) from None
    if moments.null_count:
        raise DataError(
            f"`{time.column}` is null in {moments.null_count} rows: they are neither before nor after",
            "drop those rows, or fill the column, in `source.select`",
        )
    numbers = moments.cast(pa.int64()).to_numpy()
    return np.asarray(numbers >= _microseconds(time.test_from))


def _instant(kind: pa.DataType) -> pa.DataType:
    with_zone = pa.types.is_timestamp(kind) and kind.tz is not None
    return pa.timestamp("us", "UTC" if with_zone else None)


def _microseconds(moment: dt.date | dt.datetime) -> int:
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime(moment.year, moment.month, moment.day)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def _same_unit_as(unit: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Which rows share their unit with a chosen row."""
    group = row_ids.groups(unit)
    marked = np.zeros(group.max(initial=-1) + 1, dtype=bool)
    marked[group[chosen]] = True
    return np.asarray(marked[group])


def _stir(number: np.ndarray) -> np.ndarray:
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(number ^ (number >> np.uint64(31)))
