"""A table as expectations see it: what was observed of each column, and the column itself where it must be.

Columns are read one at a time and the last ones are kept, so a table may be longer than memory. Nothing here
judges a value, and nothing is estimated: facts are those of every row.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

KEPT_BYTES = 512 * 2**20
"""How much of the columns stays in memory: all of a table of a million rows and 25 columns."""

EXAMPLES = 20
"""The largest number of rows that are named for one fault."""

FEW_THOUSAND, MANY = 10_000, 20_000
"""The rows of the two samples that expectations look at, at most."""


@dataclass(frozen=True, kw_only=True)
class ColumnFacts:
    """What is known of all values of a column.

    `kind` is what `kind_of` says, `dtype` is pandas' type. `nulls` counts missing values, NaN among them;
    `first_nulls` are the first of them by position, at most `EXAMPLES`. `smallest` and `largest` are those of
    the known numbers; None for a column of anything else, or without values.
    """

    kind: str
    dtype: Any
    nulls: int
    first_nulls: Mapping[int, Any] = field(default_factory=dict)
    smallest: float | None = None
    largest: float | None = None

    @property
    def greatest(self) -> float:
        """The largest absolute value of the known numbers; 0 without any."""
        return max((abs(end) for end in (self.smallest, self.largest) if end is not None), default=0)


class ObservedTable:
    """The columns and rows of a table, of which `read` reads one column in full.

    What a column is likely to be asked for is taken when it is first read: its facts, where it is null, and
    the samples, which are every n-th row from the first.
    """

    def __init__(self, columns: Iterable[str], rows: int, read: Callable[[str], pd.Series]) -> None:
        self.columns = list(columns)
        self._rows = rows
        self._read = read
        self._recent: OrderedDict[str, pd.Series] = OrderedDict()
        self._facts: dict[str, ColumnFacts] = {}
        self._missing: dict[str, npt.NDArray[np.uint8]] = {}
        self._counts: dict[str, pd.Series] = {}
        self._samples: dict[tuple[str, int], pd.Series] = {}
        self._by_hash: dict[tuple[str, str], pd.Series] = {}
        self.are_equal = cache(self._are_equal)
        self.is_unique = cache(self._is_unique)

    @classmethod
    def of(cls, frame: pd.DataFrame) -> ObservedTable:
        """A table in memory."""
        return cls(map(str, frame.columns), len(frame), frame.reset_index(drop=True).__getitem__)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, name: str) -> pd.Series:
        """The column in full."""
        if name in self._recent:
            self._recent.move_to_end(name)
            return self._recent[name]
        values = self._recent[name] = self._read(name)
        while len(self._recent) > 1 and sum(map(_size, self._recent.values())) > KEPT_BYTES:
            self._recent.popitem(last=False)
        if name not in self._facts:
            missing = values.isna().to_numpy(dtype=bool)
            self._facts[name] = observe(values, missing)
            self._missing[name] = np.packbits(missing)
            for step in self._steps():
                self._samples[name, step] = _taken(values, slice(None, None, step))
        return values

    def frame(self, names: Sequence[str]) -> pd.DataFrame:
        """These columns in full, side by side."""
        return pd.DataFrame({name: self[name] for name in names}, index=pd.RangeIndex(len(self)), copy=False)

    def facts(self, name: str) -> ColumnFacts:
        """What is known of the column."""
        if name not in self._facts:
            self[name]
        return self._facts[name]

    def is_missing(self, name: str) -> npt.NDArray[np.bool_]:
        """Where the column has no value: (rows,)."""
        self.facts(name)
        return np.unpackbits(self._missing[name], count=len(self)).view(np.bool_)

    def counts(self, name: str) -> pd.Series:
        """The rows of each value of the column, indexed by the value, the most frequent first."""
        if name not in self._counts:
            self._counts[name] = self[name].value_counts()
        return self._counts[name]

    def every(self, step: int, names: Sequence[str]) -> pd.DataFrame:
        """Each `step`-th row of these columns, from the first."""
        if step <= 1:
            return self.frame(names)
        index = pd.RangeIndex(0, len(self), step)
        return pd.DataFrame({name: self._each(step, name) for name in names}, index=index, copy=False)

    def sample(self, names: Sequence[str], most: int) -> pd.DataFrame:
        """At most `most` rows of these columns, evenly spread over the table."""
        return self.every(max(1, math.ceil(len(self) / most)), names)

    def by_hash(self, hashes: str, names: Sequence[str], rows: int) -> pd.DataFrame:
        """About `rows` rows of these columns in the order of their `hashes`, a column of hexadecimal texts:
        the same rows for any order of the table."""
        if missing := [name for name in names if (name, hashes) not in self._by_hash]:
            share, values = rows / max(1, len(self)), self[hashes]
            at = np.arange(len(self))
            if share < 1:
                at = np.flatnonzero((values < f"{int(share * 16**8):08x}").to_numpy(dtype=bool))
            at = at[values.iloc[at].argsort(kind="stable").to_numpy()]
            self._by_hash |= {(name, hashes): _taken(self[name], at) for name in missing}
        return pd.DataFrame({name: self._by_hash[name, hashes] for name in names})

    def _each(self, step: int, name: str) -> pd.Series:
        self.facts(name)
        if (name, step) not in self._samples:
            self._samples[name, step] = _taken(self[name], slice(None, None, step))
        return self._samples[name, step]

    def _steps(self) -> set[int]:
        """Of the samples that most columns are asked for, where they are smaller than the table."""
        steps = {*(math.ceil(len(self) / most) for most in (FEW_THOUSAND, MANY)), len(self) // MANY}
        return {step for step in steps if step > 1}

    def _are_equal(self, one: str, other: str) -> bool:
        """Whether two columns have the same value, or none, in every row."""
        first, second = self[one], self[other]
        if isinstance(first.dtype, pd.StringDtype) and first.dtype == second.dtype:
            arrays = (pa.chunked_array(pa.array(values.array)) for values in (first, second))
            return bool(next(arrays).equals(next(arrays)))
        return bool(first.rename(None).equals(second.rename(None)))

    def _is_unique(self, name: str) -> bool:
        """Whether no two rows have the same value, or none."""
        values = self[name]
        if isinstance(values.dtype, pd.StringDtype) and _have_different_hashes(pa.array(values.array)):
            return True
        return bool(values.is_unique)


def _have_different_hashes(texts: pa.Array | pa.ChunkedArray) -> bool:
    """Whether texts of one length, such as digests in hexadecimal, are all different by a hash of 64 bits.

    False says nothing. Sorting hashes takes a tenth of the memory of a table of all texts.
    """
    ends = pc.min_max(pc.binary_length(texts))
    width = ends["max"].as_py()
    if texts.null_count or not width or width % 8 or ends["min"].as_py() != width:
        return False
    parts = [_hashes(part, width) for part in pa.chunked_array(texts).chunks]
    ordered = np.sort(np.concatenate(parts))
    return bool((ordered[1:] != ordered[:-1]).all())


def _hashes(texts: pa.Array, width: int) -> npt.NDArray[np.uint64]:
    """A hash of each text of `width` bytes: its words of eight bytes, each multiplied with an odd number."""
    content = np.frombuffer(texts.buffers()[2], dtype=np.uint8)
    first = texts.offset * width
    words = content[first : first + len(texts) * width].view(np.uint64).reshape(len(texts), width // 8)
    total = np.zeros(len(texts), dtype=np.uint64)
    for at in range(width // 8):
        total = (total ^ words[:, at]) * np.uint64(0x9E3779B97F4A7C15)
        total ^= total >> np.uint64(32)
    return total


def _taken(values: pd.Series, at: slice | npt.NDArray[np.int64]) -> pd.Series:
    """These rows of a column, without holding on to the others."""
    return values.iloc[at].copy()


def observe(values: pd.Series, missing: npt.NDArray[np.bool_]) -> ColumnFacts:
    """The facts of a column that is `missing` (n,) in these rows."""
    nulls = int(np.count_nonzero(missing))
    first = values[missing].head(EXAMPLES) if nulls else values.head(0)
    kinds = pd.api.types
    smallest = largest = None
    if kinds.is_numeric_dtype(values.dtype) and not kinds.is_bool_dtype(values.dtype) and nulls < len(values):
        smallest, largest = values.min().item(), values.max().item()
    return ColumnFacts(
        kind=kind_of(values),
        dtype=values.dtype,
        nulls=nulls,
        first_nulls=dict(zip(map(int, first.index), first, strict=True)),
        smallest=smallest,
        largest=largest,
    )


def kind_of(values: pd.Series) -> str:
    """number, integer, text, boolean or time; `no` for a column without values, else the name of its type."""
    kinds = pd.api.types
    if not values.notna().any():
        return "no"
    if kinds.is_bool_dtype(values.dtype):
        return "boolean"
    if kinds.is_integer_dtype(values.dtype):
        return "integer"
    if kinds.is_float_dtype(values.dtype):
        return "integer" if _are_integers(values.to_numpy(dtype=float, na_value=np.nan)) else "number"
    if kinds.is_datetime64_any_dtype(values.dtype):
        return "time"
    return "text" if isinstance(values.dtype, pd.StringDtype) else str(values.dtype)


def _are_integers(numbers: npt.NDArray[np.float64]) -> bool:
    """Whether all known numbers are finite integers; the first ones mostly tell."""
    return all(
        bool((np.isnan(part) | ((np.floor(part) == part) & np.isfinite(part))).all())
        for part in (numbers[:1000], numbers[1000:])
    )


def _size(values: pd.Series) -> int:
    return int(values.memory_usage(index=False))
