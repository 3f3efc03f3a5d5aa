"""The largest, or the smallest, of several figures, with an interval whose two ends answer two questions.

One figure attains the extreme, whichever it is, so the end that encloses every figure needs no correction: an
intersection-union test (R. L. Berger, Technometrics 24 (1982) 295-300). The end that says that some figure
lies beyond a limit is corrected for their number (Bonferroni). Nothing here decides whether a figure is good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from clearance.documents.measurement import Measurement, Projection

Interval = tuple[float, float]

TIMES = (1, 2, 4, 8, 16, 32, 100, 1000)
"""How many times the rows an interval is projected to; between them it is nearly a line in 1 / sqrt(rows)."""


@dataclass(frozen=True)
class Figure:
    """One of the figures: its value, and its interval at a confidence if there were so many times the rows.

    The interval need not keep the figure's range. The end that encloses the others misses the true value with
    a chance of half the error, both ends together with the error.
    """

    value: float
    interval: Callable[[float, int], Interval]


def corrected(confidence: float, figures: int) -> float:
    """The confidence of each of several intervals that hold together at `confidence` (Bonferroni)."""
    return 1 - (1 - confidence) / figures


def shrinking(value: float, interval: Callable[[float], Interval]) -> Callable[[float, int], Interval]:
    """An interval of today's rows that comes nearer to `value` as one over the square root of the rows."""

    interval = lru_cache(maxsize=None)(interval)

    def projected(confidence: float, times: int) -> Interval:
        low, high = interval(confidence)
        return value - (value - low) / math.sqrt(times), value + (high - value) / math.sqrt(times)

    return projected


def largest(
    figures: Sequence[Figure],
    confidence: float,
    *,
    method: str,
    of: str,
    support: Mapping[str, int],
    within: Interval = (0.0, 1.0),
) -> Measurement:
    """The largest of the figures, with bounds on the largest of their true values.

    `high`, the largest upper end of the figures at `confidence`, is too low with a chance of at most
    (1 - confidence) / 2: it is no lower than the end of the figure that truly is the largest. `low`, the
    largest lower end where each of m figures has its interval at 1 - (1 - confidence) / m, is too high with a
    chance of at most 1 - confidence. Both ends lie `within` the range. `of` says what the figures are taken
    over. Raises ValueError without figures.
    """

    def ends(times: int) -> Interval:
        low = max(low for low, _ in _intervals(figures, corrected(confidence, len(figures)), times))
        return low, max(high for _, high in _intervals(figures, confidence, times))

    corrections = _corrections(confidence, len(figures), of, plain="high", strict="low")
    return Measurement(
        value=max(figure.value for figure in figures),
        confidence=confidence,
        method=method + corrections,
        support=support,
        **_interval(ends, within),
    )


def smallest(
    figures: Sequence[Figure],
    confidence: float,
    *,
    method: str,
    of: str,
    support: Mapping[str, int],
    within: Interval = (0.0, 1.0),
) -> Measurement:
    """The smallest of the figures, with bounds on the smallest of their true values.

    The mirror image of `largest`: `low` is the smallest lower end at `confidence`, `high` the smallest upper
    end where each figure has its interval at the corrected level. Raises ValueError without figures.
    """

    def ends(times: int) -> Interval:
        high = min(high for _, high in _intervals(figures, corrected(confidence, len(figures)), times))
        return min(low for low, _ in _intervals(figures, confidence, times)), high

    corrections = _corrections(confidence, len(figures), of, plain="low", strict="high")
    return Measurement(
        value=min(figure.value for figure in figures),
        confidence=confidence,
        method=method + corrections,
        support=support,
        **_interval(ends, within),
    )


def _intervals(figures: Iterable[Figure], confidence: float, times: int) -> list[Interval]:
    return [figure.interval(confidence, times) for figure in figures]


def _interval(ends: Callable[[int], Interval], within: Interval) -> dict[str, Any]:
    """The ends cut to the range, and as they are with today's rows and with more."""
    projections = tuple(Projection(times, *ends(times)) for times in TIMES)
    low, high = max(within[0], projections[0].low), min(within[1], projections[0].high)
    return {"low": low, "high": high, "projections": projections}


def _corrections(confidence: float, figures: int, of: str, *, plain: str, strict: str) -> str:
    """What either end is corrected for, added to the method; nothing where there is one figure."""
    if figures == 1:
        return ""
    return f"; {plain} at {100 * confidence:.4g}% for each, {strict} Bonferroni over {figures} {of}"
