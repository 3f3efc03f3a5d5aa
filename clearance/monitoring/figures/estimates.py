"""Effects that are estimates with bounds: what figures of performance, fairness and attribution return."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy import optimize, stats

Interval = tuple[float, float]

INDEPENDENT = "decisions are independent of each other"
"""What every figure here rests on: days that differ as a whole are not in its interval."""

FARTHEST = 7.5
"""Standard deviations beyond which a p-value is not distinguished from 0: 3e-14."""


@dataclass(frozen=True, kw_only=True)
class Undefined:
    """An effect without a value, and why. `evaluated` is false where it waits for something else than rows,
    such as labels: the rule is then not evaluated, rather than short of evidence."""

    undefined: str
    rows: int
    reference_rows: int | None = None
    assumption: str | None = None
    spends: bool = True
    evaluated: bool = True
    value: None = None

    def interval(self, confidence: float) -> Interval:  # noqa: ARG002
        """Everything: nothing is known."""
        return -math.inf, math.inf

    def p_above(self, limit: float) -> float:  # noqa: ARG002
        """1: nothing speaks against any limit."""
        return 1.0

    def p_below(self, limit: float) -> float:  # noqa: ARG002
        """1: nothing speaks against any limit."""
        return 1.0

    def false_alarm(self, limit: float) -> float | None:  # noqa: ARG002
        """None: not known."""
        return None

    def rows_needed(self, limit: float, level: float) -> int | None:  # noqa: ARG002
        """None: not known."""
        return None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its bounds at any confidence.

    `above` and `below` are one-sided tests of a limit, where they are sharper than the bounds; else the
    p-value is the error at which a bound reaches the limit. `live_part`, in (0, 1], is the part of the
    variance that more live rows would lessen. `plain` is the customary estimate, where `value` is less what
    chance adds to it. `chance` is the probability that the plain value exceeds a
    limit without any change, where it is known.
    """

    value: float
    rows: int
    bounds: Callable[[float], Interval]
    reference_rows: int | None = None
    assumption: str | None = None
    above: Callable[[float], float] | None = None
    below: Callable[[float], float] | None = None
    live_part: float = 1.0
    chance: Callable[[float], float] | None = None
    plain: float | None = None
    spends: bool = True
    undefined: None = None
    evaluated: bool = True

    def interval(self, confidence: float) -> Interval:
        """A two-sided confidence interval; it encloses the value."""
        low, high = self.bounds(confidence)
        return min(low, self.value), max(high, self.value)

    def p_above(self, limit: float) -> float:
        """The probability of a value at least so high if the truth were `limit`; 1 where it is no higher."""
        if self.value <= limit:
            return 1.0
        if self.above is not None:
            return min(1.0, self.above(limit))
        return _error(lambda confidence: self.interval(confidence)[0] - limit)

    def p_below(self, limit: float) -> float:
        """The probability of a value at least so low if the truth were `limit`; 1 where it is no lower."""
        if self.value >= limit:
            return 1.0
        if self.below is not None:
            return min(1.0, self.below(limit))
        return _error(lambda confidence: limit - self.interval(confidence)[1])

    def false_alarm(self, limit: float) -> float | None:
        """The probability that the plain value exceeds `limit` with no change at all; None: not known."""
        return None if self.chance is None else self.chance(limit)

    def rows_needed(self, limit: float, level: float) -> int | None:
        """About how many live rows would tell the value from this limit with an error of `level`.

        None where no number of live rows would, for what is left is the uncertainty of the reference.
        """
        p = min(self.p_above(limit), self.p_below(limit))
        present, needed = stats.norm.isf(p), stats.norm.isf(level)
        if not 0 < present < math.inf or not 0 < needed < math.inf:
            return None
        room = (present / needed) ** 2 - (1 - self.live_part)
        return math.ceil(self.rows * self.live_part / room) if room > 0 else None


Figure = Estimate | Undefined


def assuming(*parts: str | None) -> str:
    """What a figure rests on, in one sentence; decisions are always taken as independent."""
    return "; ".join([*(part for part in parts if part), INDEPENDENT])


def _error(beyond: Callable[[float], float]) -> float:
    """The one-sided error of the widest interval whose end is still `beyond` the limit (above 0)."""

    def at(deviations: float) -> float:
        return beyond(1 - 2 * float(stats.norm.sf(deviations)))

    if at(FARTHEST) > 0:
        return float(stats.norm.sf(FARTHEST))
    nearest = 1e-6
    if at(nearest) <= 0:
        return 0.5
    return float(stats.norm.sf(optimize.brentq(at, nearest, FARTHEST, xtol=1e-4)))
