"""Numbers that are no measurements: a code such as -999 or 9999 that stands for a missing value.

Looked for on a bounded sample, inside the range that is declared. A single row is an outlier, not a code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from expectations import custom

ROWS = 20_000
"""Rows looked at, at most."""

SPIKE = 5
"""A code within the range occurs at least so many times, and so many times as often as any other value."""

_FEW = 10
_NINES = [10**digits - 1 for digits in range(1, 10)]
_CODES = np.array([*_NINES, *(-nines for nines in _NINES), -1], dtype=float)


class ExpectNumbersNotToBeCodes(custom.TableExpectation):
    """No column of numbers holds, again and again, a value far from all others or that looks like a code.

    `ranges` gives for some columns the ends that are declared, null where there is none.
    """

    columns: list[str]
    ranges: dict[str, list[float | None]]
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "ranges")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        some = frame.iloc[:: max(1, math.ceil(len(frame) / ROWS))]
        for name in custom.present(frame, self.columns):
            kind = pd.api.types
            if not kind.is_numeric_dtype(some[name].dtype) or kind.is_bool_dtype(some[name].dtype):
                continue
            values = some[name].to_numpy(dtype=float, na_value=np.nan)
            for code in codes(_within(values, *self.ranges.get(name, (None, None)))):
                rows = (frame[name] == code).to_numpy(dtype=bool, na_value=False)
                says = (
                    f"{rows.sum()} rows of `{name}` hold {code:g}, which looks like a code, not like a number"
                )
                hint = f"make it null in `source.select`, or list `data.columns.{name}.values`"
                observed = {"value": code, "rows": int(rows.sum())}
                yield custom.Fault(
                    column=name, says=says, hint=hint, observed=observed, positions=custom.positions(rows)
                )


def codes(numbers: npt.NDArray[np.float64]) -> list[float]:
    """Values that occur at least twice and are no measurement by one of three signs.

    It lies further from all others than these from each other, and looks like a code (nines, or -1) where
    they are few; it looks like one and is negative among numbers that are not; or it looks like one and
    occurs `SPIKE` times as often as any other.
    """
    levels, counts = np.unique(numbers, return_counts=True)
    ends = np.isin(np.arange(len(levels)), [0, len(levels) - 1])
    asked = np.flatnonzero((counts > 1) & (ends | np.isin(levels, _CODES)))
    return [float(levels[at]) for at in asked if _is_code(int(at), levels, counts)]


def _is_code(at: int, levels: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> bool:
    code, others = float(levels[at]), np.delete(levels, at)
    if len(others) < 2:
        return False
    low, high = float(others[0]), float(others[-1])
    looks = code in _CODES
    outside = max(low - code, code - high)
    apart = outside > high - low and (looks or len(others) >= _FEW)
    alone = looks and code < 0 <= low
    spike = looks and abs(code) > 9 and counts[at] >= SPIKE * max(1, np.delete(counts, at).max())
    return bool(apart or alone or spike)


def _within(
    values: npt.NDArray[np.float64], low: float | None, high: float | None
) -> npt.NDArray[np.float64]:
    kept = np.isfinite(values)
    if low is not None:
        kept &= values >= low
    if high is not None:
        kept &= values <= high
    return np.asarray(values[kept])
