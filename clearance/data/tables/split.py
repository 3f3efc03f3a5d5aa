"""The side of the split each row falls on: a fixed function of its key, or its entity, and the seed.

A new row moves no other row, whatever the order of the table. Nothing here reads a label or a feature,
and no row is left out unless a split by time would put one entity on both sides.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from clearance import params
from clearance.data import faults
from clearance.data.tables import prepared, row_ids, stored_table
from clearance.data.tables.stored_table import Columnar

LEFT_OUT = -1
"""The side of a row that is left out of the split."""

_TRAIN, _TEST = prepared.SPLITS.index("train"), prepared.SPLITS.index("test")


@dataclass(frozen=True)
class Units:
    """What is split: each row's own digest, and the digest of the unit that must stay on one side.

    Both have shape (rows, 16). `by` is `row_key`, `entity` or `content`.
    """

    by: str
    row: np.ndarray
    unit: np.ndarray

    @cached_property
    def rows_sorted(self) -> row_ids.Sorting:
        """The rows by their digests."""
        return row_ids.sorting(self.row)

    @cached_property
    def units_sorted(self) -> row_ids.Sorting:
        """The rows by the digests of their units."""
        return self.rows_sorted if self.unit is self.row else row_ids.sorting(self.unit)


def identify(table: Columnar, data: params.Data) -> Units:
    """Each row's digest and unit.

    With a row key the digest is that of its canonical text. Without one it is that of the row's whole
    content: equal rows are one unit, and the second and later copies get digests of their own by their
    number. With an entity the unit is the entity. Raises DataError on a missing or repeated key.
    """
    if data.row_key is not None:
        row = unit = row_ids.digests(_texts(table, data.row_key))
        by = "row_key"
    else:
        parts = [row_ids.digests(row_ids.content(part)) for part in stored_table.parts(table)]
        unit = np.concatenate(parts)
        row, by = row_ids.numbered(unit), "content"
    if data.entity is not None:
        unit, by = row_ids.digests(_texts(table, data.entity)), "entity"
    units = Units(by, row, unit)
    if data.row_key is not None and units.rows_sorted.different < len(row):
        raise faults.KEY_NOT_UNIQUE(column=data.row_key)
    return units


def assign(
    units: Units, table: Columnar, shares: params.Split, seed: int, trained: np.ndarray | None = None
) -> np.ndarray:
    """Each row's side as an index into `prepared.SPLITS`, int8; `LEFT_OUT` for a row in no split.

    `trained` (rows,) says which rows a model made elsewhere was trained on: they are train rows, with all
    other rows of their units.

    Without a time the unit's draw decides: below `train` it is a train row, below `train + tune` a tune
    row, else a test row. With a time, rows at or after `test_from` are test rows and the draw divides the
    rest in the proportion of train to tune; an earlier row of an entity that has test rows is left out.
    """
    side = _drawn(units, table, shares, seed)
    if trained is not None:
        side[_same_unit_as(units.units_sorted, trained)] = _TRAIN
    return side


def _drawn(units: Units, table: Columnar, shares: params.Split, seed: int) -> np.ndarray:
    draw = uniform(units.unit, seed)
    if shares.time is None:
        return np.searchsorted([shares.train, shares.train + shares.tune], draw, side="right").astype(np.int8)
    early = shares.train + shares.tune
    side = np.where(draw < (shares.train / early if early else 0), 0, 1).astype(np.int8)
    late = _at_or_after(table, shares.time)
    if units.by == "entity":
        side[_same_unit_as(units.units_sorted, late)] = LEFT_OUT
    side[late] = _TEST
    return side


def uniform(digest: np.ndarray, seed: int) -> np.ndarray:
    """A number in [0, 1) for each digest (rows, 16), a fixed function of digest and seed.

    The digest is uniform already; a 64-bit finaliser mixes in the seed (SplitMix64; Steele, Lea and Flood,
    OOPSLA 2014), which is far cheaper than a second SHA-256 per row.
    """
    salt = hashlib.sha256(f"split {seed}".encode()).digest()
    first, second = np.frombuffer(salt[:16], dtype=">u8").astype(np.uint64)
    high, low = row_ids.as_numbers(digest)
    return (_mix(_mix(high ^ first) ^ low ^ second) >> np.uint64(11)) / float(2**53)


def _texts(table: Columnar, name: str) -> pa.Array:
    if name not in table.column_names:
        raise faults.KEY_MISSING(column=name)
    texts = row_ids.canonical(table.column(name), name)
    if texts.null_count:
        raise faults.KEY_NULL(column=name, rows=texts.null_count)
    return texts


def _at_or_after(table: Columnar, time: params.OutOfTime) -> np.ndarray:
    if time.column not in table.column_names:
        raise faults.TIME_COLUMN_MISSING(column=time.column)
    column = table.column(time.column)
    try:
        if pa.types.is_integer(column.type):
            raise pa.ArrowInvalid("a number is not a date")
        moments = column.cast(_instant(column.type), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # the second: that type cannot be cast
        raise faults.TIME_COLUMN_NOT_DATES(column=time.column, kind=str(column.type)) from None
    if moments.null_count:
        raise faults.TIME_COLUMN_NULL(column=time.column, rows=moments.null_count)
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


def in_several_splits(by_unit: row_ids.Sorting, side: np.ndarray) -> int:
    """How many units, or rows, are in more than one split; rows that are left out are in none."""
    bits = np.array([*(1 << index for index in range(len(prepared.SPLITS))), 0], dtype=np.uint8)
    splits = np.bitwise_or.reduceat(bits[side[by_unit.order]], np.flatnonzero(by_unit.is_first))
    return int(np.count_nonzero(splits & (splits - 1)))


def _same_unit_as(by_unit: row_ids.Sorting, chosen: np.ndarray) -> np.ndarray:
    """Which rows share their unit with a chosen row."""
    number = np.cumsum(by_unit.is_first) - 1
    is_chosen = np.zeros(by_unit.different, dtype=bool)
    is_chosen[number[chosen[by_unit.order]]] = True
    shares = np.empty(len(chosen), dtype=bool)
    shares[by_unit.order] = is_chosen[number]
    return shares


def _mix(number: np.ndarray) -> np.ndarray:
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(number ^ (number >> np.uint64(31)))
