"""Rows that repeat another row under another key, and rows that differ from another in one column alone.

Two people may look alike in a coarse table, so a repeat counts only where chance would not have made as many.
Nothing here looks at a key: whether a key is unique is another question.
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

SAMPLE = 10_000
"""Rows from which it is estimated how often two rows agree in a column by chance."""

SHARED = 0.75
"""Columns depend on each other: the logarithm of the chance that two rows agree is cut to this share of what
it would be if they did not."""

CERTAIN = 1e-3
"""How improbable as many repeats must be by chance."""

Hashes = npt.NDArray[np.uint64]


class ExpectRowsToDiffer(custom.TableExpectation):
    """No row says the same as another in these columns; if `near`, none in all of them but one either.

    `key` is the column that tells the rows apart, if any.
    """

    columns: list[str]
    key: str | None
    near: bool
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "key", "near")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        columns = custom.present(frame, self.columns)
        chance = _chances(frame, columns)
        pairs = len(frame) * (len(frame) - 1) / 2
        whole = pairs * math.exp(SHARED * sum(chance.values()))
        if len(columns) < 2 or whole > 1:
            return  # too coarse: repeats and coincidences cannot be told apart
        at = _alike(frame, sorted(columns, key=chance.__getitem__))
        hashes = _hashes(frame.iloc[at], columns)
        total = np.add.reduce(list(hashes.values()), dtype=np.uint64)
        same = _repeated(total)
        if _beyond_chance(total, whole, CERTAIN):
            beyond = f" in everything but the key `{self.key}`" if self.key else ""
            yield _fault(self.key, f"{same.sum()} rows say the same as another row{beyond}", at[same])
        for name in columns if self.near else []:
            rest = total[~same] - hashes[name][~same]
            expected = pairs * math.exp(SHARED * (sum(chance.values()) - chance[name]))
            if _beyond_chance(rest, expected, CERTAIN / len(columns)):
                near = at[~same][_repeated(rest)]
                yield _fault(name, f"{len(near)} rows differ from another row in `{name}` alone", near)


def _fault(column: str | None, says: str, at: npt.NDArray[np.int64]) -> custom.Fault:
    return custom.Fault(
        column=column,
        says=says,
        hint="keep one of them in `source.select`, or declare the `data.entity` they belong to",
        observed=len(at),
        positions=tuple(map(int, at[: custom.EXAMPLES])),
    )


def _beyond_chance(hashes: Hashes, expected: float, certain: float) -> bool:
    found = _pairs(hashes)
    return found > 0 and bool(stats.poisson.sf(found - 1, expected) < certain)


def _chances(frame: pd.DataFrame, columns: list[str]) -> dict[str, float]:
    """For each column the logarithm of the chance that two rows agree in it, from a sample."""
    some = frame.iloc[:: max(1, math.ceil(len(frame) / SAMPLE))]
    pairs = len(some) * (len(some) - 1) / 2
    return {name: math.log(min(1.0, (1 + _pairs(_codes(some[name]))) / max(1.0, pairs))) for name in columns}


def _alike(frame: pd.DataFrame, columns: list[str]) -> npt.NDArray[np.int64]:
    """The rows that may differ from another in one column at most: they share half of their numbers with it.

    Columns come finest first. All rows where numbers are too few to tell.
    """
    numbers = [name for name in columns if pd.api.types.is_numeric_dtype(frame[name].dtype)]
    if len(numbers) < 2:
        return np.arange(len(frame))
    halves = [_sum(frame, numbers[start::2]) for start in (0, 1)]
    return np.flatnonzero(_repeated(halves[0]) | _repeated(halves[1]))


def _sum(frame: pd.DataFrame, names: list[str]) -> Hashes:
    """One hash a row over numbers as they are."""
    found = np.zeros(len(frame), dtype=np.uint64)
    for at, name in enumerate(names):
        values = frame[name].to_numpy(dtype=float, na_value=np.nan) + 0.0
        found += _stirred(values.view(np.uint64), at)
    return found


def _hashes(frame: pd.DataFrame, columns: list[str]) -> dict[str, Hashes]:
    """A hash for each value: a row's is the sum of them, so that one column can be taken away again."""
    return {name: _stirred(_codes(frame[name]).view(np.uint64), at) for at, name in enumerate(columns)}


def _codes(values: pd.Series) -> npt.NDArray[np.int64]:
    return np.ascontiguousarray(pd.factorize(values)[0], dtype=np.int64)


def _stirred(numbers: Hashes, salt: int) -> Hashes:
    """Each number spread over 64 bits, another way for each salt (the finaliser of SplitMix64)."""
    mixed = numbers + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _repeated(hashes: Hashes) -> npt.NDArray[np.bool_]:
    return np.asarray(pd.Series(hashes).duplicated(keep=False))


def _pairs(codes: npt.NDArray[np.generic]) -> int:
    counts = pd.Series(codes).value_counts().to_numpy()
    return int((counts * (counts - 1) // 2).sum())
