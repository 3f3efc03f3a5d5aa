"""Bounds on two rates of the very same rows: how far they lie apart, and how often one is the other.

Score bounds from four counts: they keep their width where both models decide every row alike, and a Wald
interval or a bootstrap collapses. Nothing here decides whether a number is good enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from clearance.metrics import intervals

Square = npt.NDArray[np.integer]
"""Counts (2, 2) of rows by what the first and what the second of two yes-or-no figures says: no, yes."""

Part = tuple[float, intervals.Interval]
"""A value and its bounds."""

_FAR = 30.0
"""How far a logarithm is looked for: beyond it a ratio is 0 or without end."""


def difference(rows: Square, confidence: float) -> Part:
    """The second rate minus the first, both of the same rows, with Tango's score bounds.

    Range [-1, 1]: 0 means equal rates, 1 that the second figure always and the first never says yes. Raises
    ValueError without rows. Source: T. Tango, Stat. Med. 17 (1998) 891-908.
    """
    total, lost, won = _counts(rows)
    value, z = (won - lost) / total, intervals.quantile(confidence)

    def score(gap: float) -> float:
        slope = (2 * total - won + lost) * gap - won - lost
        root = math.sqrt(max(0.0, slope * slope + 8 * total * lost * gap * (1 - gap)))
        discordant = max(0.0, (root - slope) / (4 * total))
        return _standard(won - lost - total * gap, total * (2 * discordant + gap * (1 - gap)))

    low = -1.0 if value == -1 else _where(lambda gap: score(gap) - z, -1.0, value)
    high = 1.0 if value == 1 else _where(lambda gap: score(gap) + z, value, 1.0)
    return value, (low, high)


def total(rows: Square, confidence: float) -> Part:
    """The first rate plus the second, of the same rows; in [0, 2]. Bounds as `difference`.

    It is 1 plus the second rate minus the rate at which the first says no.
    """
    value, (low, high) = difference(rows[::-1], confidence)
    return 1 + value, (1 + low, 1 + high)


def ratio(rows: Square, confidence: float) -> Part:
    """The second rate divided by the first, of the same rows, on the log scale, with score bounds.

    Any number: 0 means equal rates, log 2 that the second is twice the first. Raises ValueError where either
    rate is 0. Source: J.-m. Nam and W. C. Blackwelder, Stat. Med. 21 (2002) 689-699; rows where neither says
    yes carry nothing.
    """
    _, lost, won = _counts(rows)
    both = int(rows[1, 1])
    if not (both + lost and both + won):
        raise ValueError("the ratio to, or of, a rate of 0 has no logarithm")
    value, z = math.log((both + won) / (both + lost)), intervals.quantile(confidence)
    total_ = both + lost + won

    def score(log_ratio: float) -> float:
        times = math.exp(log_ratio)
        square = times * (1 + times) * total_
        linear = both * (1 - times * times) - lost * times * times - won * (2 * times * times - 1)
        constant = -won * times * (1 - times)
        only = (math.sqrt(max(0.0, linear * linear - 4 * square * constant)) - linear) / (2 * square)
        only = min(max(only, 0.0, (times - 1) / times), times / (1 + times))
        discordant = only + 1 - times + times * only
        return _standard(both + won - times * (both + lost), total_ * times * discordant)

    return value, (
        _where(lambda at: score(at) - z, value - _FAR, value),
        _where(lambda at: score(at) + z, value, value + _FAR),
    )


def product(rows: Square, confidence: float) -> Part:
    """The log of the first rate times the second, of the same rows, by MOVER on Wilson's bounds.

    At most 0. Their correlation widens the bounds where it is positive, and narrows nothing. Raises
    ValueError where either rate is 0. Source: G. Y. Zou and A. Donner, Stat. Med. 27 (2008) 1693-1702.
    """
    logs = [log_rate(sums, confidence) for sums in (rows.sum(axis=1), rows.sum(axis=0))]
    value = sum(log_rate_ for log_rate_, _ in logs)
    lower = [log_rate_ - low for log_rate_, (low, _) in logs]
    upper = [high - log_rate_ for log_rate_, (_, high) in logs]
    together = max(0.0, _correlation(rows))
    low, high = (math.sqrt(a * a + b * b + 2 * together * a * b) for a, b in (lower, upper))
    return value, (value - low, value + high)


def rate(sums: Square, confidence: float) -> Part:
    """The rate of yes among rows counted as no and yes (2,), with Wilson's bounds."""
    no, yes = (int(count) for count in sums)
    return yes / (no + yes), intervals.wilson(yes, no + yes, confidence)


def log_rate(sums: Square, confidence: float) -> Part:
    """The logarithm of `rate`. Raises ValueError where it is 0."""
    value, (low, high) = rate(sums, confidence)
    return math.log(value), (math.log(low), math.log(high))


def add(parts: Sequence[tuple[float, Part]]) -> Part:
    """The sum of parts of different rows, each times its factor, by MOVER."""
    value = sum(factor * estimate for factor, (estimate, _) in parts)
    low = high = 0.0
    for factor, (estimate, bounds) in parts:
        down, up = sorted(factor * (end - estimate) for end in bounds)
        low, high = math.hypot(low, down), math.hypot(high, up)
    return value, (value - low, value + high)


def mcnemar(rows: Square) -> float:
    """McNemar's exact two-sided p-value that both figures say yes equally often.

    Range (0, 1]: small means that the difference is hardly chance; 1 where they never disagree. Source:
    Q. McNemar, Psychometrika 12 (1947) 153-157, with the binomial in place of chi squared.
    """
    lost, won = int(rows[1, 0]), int(rows[0, 1])
    return float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0


def _counts(rows: Square) -> tuple[int, int, int]:
    """All rows, those where only the first says yes, those where only the second does."""
    total_ = int(rows.sum())
    if not total_:
        raise ValueError("there are no rows to compare on")
    return total_, int(rows[1, 0]), int(rows[0, 1])


def _standard(distance: float, variance: float) -> float:
    if variance > 0:
        return distance / math.sqrt(variance)
    return 0.0 if distance == 0 else math.copysign(math.inf, distance)


def _where(crossing: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses 0 between `low` and `high`; at an infinity it is cut off."""

    def cut(at: float) -> float:
        return min(1e9, max(-1e9, crossing(at)))

    if cut(low) <= 0:
        return low
    if cut(high) >= 0:
        return high
    return float(optimize.brentq(cut, low, high, xtol=1e-12))


def _correlation(rows: Square) -> float:
    """Of the two figures over these rows, in [-1, 1]; 0 where one of them always says the same."""
    (neither, won), (lost, both) = rows.astype(np.float64).tolist()
    spread = math.sqrt((neither + won) * (lost + both) * (neither + lost) * (won + both))
    return (neither * both - won * lost) / spread if spread else 0.0
