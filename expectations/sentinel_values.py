"""Sentinel values: codes such as -999 or 9999 in a column of numbers that stand for a missing value.

They are sought in a bounded sample, inside the declared range. A single row is an outlier, not a code.
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
"""The largest number of rows examined."""

SPIKE = 5
"""A code within the range occurs at least this often, and this many times as often as any other value."""

_FEW = 10
_NINES = [10**digits - 1 for digits in range(1, 10)]
_CODES = np.array([*_NINES, *(-nines for nines in _NINES), -1], dtype=float)


class ExpectNumbersNotToBeCodes(custom.TableExpectation):
    """No column of numbers repeats a value that is far from all others or looks like a code.

    `ranges` gives the declared ends of the range for some columns, null where there is none.
    """

    columns: list[str]
    ranges: dict[str, list[float | None]]
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "ranges")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        sample = frame.iloc[:: max(1, math.ceil(len(frame) / ROWS))]
        for name in custom.present(frame, self.columns):
            kind = pd.api.types
            if not kind.is_numeric_dtype(sample[name].dtype) or kind.is_bool_dtype(sample[name].dtype):
                continue
            values = sample[name].to_numpy(dtype=float, na_value=np.nan)
            for code in codes(_within(values, *self.ranges.get(name, (None, None)))):
                rows = (frame[name] == code).to_numpy(dtype=bool, na_value=False)
                message = (
                    f"{rows.sum()} rows of `{name}` hold {code:g}, which looks like a code, not a measurement"
                )
                hint = f"make it null in `source.select`, or list `data.columns.{name}.values`"
                observed = {"value": code, "rows": int(rows.sum())}
                yield custom.Fault(
                    column=name,
                    message=message,
                    hint=hint,
                    observed=observed,
                    positions=custom.positions(rows),
                )


def codes(numbers: npt.NDArray[np.float64]) -> list[float]:
    """Values that occur at least twice and are probably codes, by one of three signs.

    The value lies further from all others than they do from each other, and looks like a code (nines, or -1)
    where they are few; or it looks like a code and is the only negative one; or it looks like a code and
    occurs `SPIKE` times as often as any other value.
    """
    levels, counts = np.unique(numbers, return_counts=True)
    ends = np.isin(np.arange(len(levels)), [0, len(levels) - 1])
    candidates = np.flatnonzero((counts > 1) & (ends | np.isin(levels, _CODES)))
    return [float(levels[index]) for index in candidates if _is_code(int(index), levels, counts)]


def _is_code(index: int, levels: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> bool:
    code, others = float(levels[index]), np.delete(levels, index)
    if len(others) < 2:
        return False
    low, high = float(others[0]), float(others[-1])
    typical = code in _CODES
    outside = max(low - code, code - high)
    apart = outside > high - low and (typical or len(others) >= _FEW)
    only_negative = typical and code < 0 <= low
    spike = typical and abs(code) > 9 and counts[index] >= SPIKE * max(1, np.delete(counts, index).max())
    return bool(apart or only_negative or spike)


def _within(
    values: npt.NDArray[np.float64], low: float | None, high: float | None
) -> npt.NDArray[np.float64]:
    inside = np.isfinite(values)
    if low is not None:
        inside &= values >= low
    if high is not None:
        inside &= values <= high
    return np.asarray(values[inside])
