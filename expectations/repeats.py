"""Rows that repeat another row under a different key, and rows that differ from another in one column only.

Two people may look alike in a coarse table, so repeats count only when they are more than chance would
produce. Whether a key is unique is checked elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from expectations import custom
from expectations.observed_table import ObservedTable

SAMPLE = 10_000
"""The rows from which the chance that two rows agree in a column is estimated."""

SHARED = 0.75
"""Columns depend on each other, so the logarithm of the chance that two rows agree is cut to this share
of its value for independent columns."""

CERTAIN = 1e-3
"""The probability by chance below which repeats are reported."""

Hashes = npt.NDArray[np.uint64]


class ExpectRowsToDiffer(custom.TableExpectation):
    """No row is equal to another in these columns or, if `near`, in all of them but one.

    `key` is the column that identifies the rows, if any.
    """

    columns: list[str]
    key: str | None
    near: bool
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "key", "near")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        columns = custom.present(table, self.columns)
        chance = _chances(table, columns)
        pairs = len(table) * (len(table) - 1) / 2
        expected = pairs * math.exp(SHARED * sum(chance.values()))
        if len(columns) < 2 or expected > 1:
            return  # too coarse: repeats and coincidences look the same
        at = _similar_rows(table, sorted(columns, key=chance.__getitem__))
        if not len(at):
            return
        total = np.zeros(len(at), dtype=np.uint64)
        for index, name in enumerate(columns):
            total += _hashes(table[name].iloc[at], index)
        same = _repeated(total)
        if _beyond_chance(total, expected, CERTAIN):
            suffix = f" in everything but the key `{self.key}`" if self.key else ""
            yield _fault(self.key, f"{same.sum()} rows are equal to another row{suffix}", at[same])
        for index, name in enumerate(columns if self.near else []):
            rest = total[~same] - _hashes(table[name].iloc[at], index)[~same]
            expected_near = pairs * math.exp(SHARED * (sum(chance.values()) - chance[name]))
            if _beyond_chance(rest, expected_near, CERTAIN / len(columns)):
                near = at[~same][_repeated(rest)]
                yield _fault(name, f"{len(near)} rows differ from another row only in `{name}`", near)


def _fault(column: str | None, message: str, at: npt.NDArray[np.int64]) -> custom.Fault:
    return custom.Fault(
        column=column,
        message=message,
        hint="keep one of them in `source.select`, or declare the `data.entity` they belong to",
        observed=len(at),
        positions=tuple(map(int, at[: custom.EXAMPLES])),
    )


def _beyond_chance(hashes: Hashes, expected: float, certain: float) -> bool:
    pairs = _pairs(hashes)
    return pairs > 0 and bool(stats.poisson.sf(pairs - 1, expected) < certain)


def _chances(table: ObservedTable, columns: list[str]) -> dict[str, float]:
    """For each column the logarithm of the chance that two rows agree in it, from a sample."""
    sample = table.sample(columns, SAMPLE)
    pairs = len(sample) * (len(sample) - 1) / 2
    return {
        name: math.log(min(1.0, (1 + _pairs(_codes(sample[name]))) / max(1.0, pairs))) for name in columns
    }


def _similar_rows(table: ObservedTable, columns: list[str]) -> npt.NDArray[np.int64]:
    """The rows that may differ from another in one column at most: they share half of their numbers with it.

    `columns` come finest first. Returns all rows where there are fewer than two numeric columns.
    """
    numbers = [name for name in columns if pd.api.types.is_numeric_dtype(table.facts(name).dtype)]
    if len(numbers) < 2:
        return np.arange(len(table))
    one, other = (_repeated(_sum(table, numbers[start::2])) for start in (0, 1))
    return np.flatnonzero(one | other)


def _sum(table: ObservedTable, names: list[str]) -> Hashes:
    """One hash per row over the numbers themselves."""
    hashes = np.zeros(len(table), dtype=np.uint64)
    for index, name in enumerate(names):
        values = table[name].to_numpy(dtype=float, na_value=np.nan) + 0.0
        hashes += _mixed(values.view(np.uint64), index)
    return hashes


def _hashes(values: pd.Series, index: int) -> Hashes:
    """A hash for each value of the column at `index`. That of a row is their sum, so a column can be
    subtracted again."""
    return _mixed(_codes(values).view(np.uint64), index)


def _codes(values: pd.Series) -> npt.NDArray[np.int64]:
    return np.ascontiguousarray(pd.factorize(values)[0], dtype=np.int64)


def _mixed(numbers: Hashes, salt: int) -> Hashes:
    """Each number spread over 64 bits, differently for each salt (the finaliser of SplitMix64)."""
    mixed = numbers + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _repeated(hashes: Hashes) -> npt.NDArray[np.bool_]:
    return np.asarray(pd.Series(hashes).duplicated(keep=False))


def _pairs(codes: npt.NDArray[np.generic]) -> int:
    counts = pd.Series(codes).value_counts().to_numpy()
    return int((counts * (counts - 1) // 2).sum())
