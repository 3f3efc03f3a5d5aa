"""Codes such as -999 or 9999 among numbers that stand for a missing value. A single row is no code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SPIKE = 5
"""A code within the range occurs at least this often, and this many times as often as any other value."""

_FEW = 10
_NINES = [10**digits - 1 for digits in range(1, 10)]
_CODES = np.array([*_NINES, *(-nines for nines in _NINES), -1], dtype=float)


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
