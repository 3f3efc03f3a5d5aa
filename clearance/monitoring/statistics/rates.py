"""Rates: a live rate against a limit, and against the rate of the reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from clearance.metrics import intervals
from clearance.monitoring.statistics import change, normal, reference
from clearance.monitoring.statistics.normal import NormalEffect
from clearance.monitoring.statistics.reference import ReferenceCounts

Counts = npt.NDArray[np.int64]
Rate = tuple[int, int]
"""Hits, and rows."""

_MOST_TIMES = 1e6
"""How many times the rows are tried for a decision."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RateEffect:
    """A live rate. Interval by Wilson, p-values exact (binomial)."""

    hits: int
    rows: int
    reference_rows: int | None = None
    undefined: str | None = None
    assumption: str | None = None
    spends: bool = True

    @property
    def value(self) -> float:
        """The rate, in [0, 1]."""
        return self.hits / self.rows

    def interval(self, confidence: float) -> tuple[float, float]:
        """Wilson's interval."""
        return intervals.wilson(self.hits, self.rows, confidence)

    def p_above(self, limit: float) -> float:
        """The probability of so many hits or more at a rate of `limit`; 1 where the rate keeps it."""
        if self.value <= limit:
            return 1.0
        return 0.0 if limit <= 0 else float(special.betainc(self.hits, self.rows - self.hits + 1, limit))

    def p_below(self, limit: float) -> float:
        """The probability of so many hits or fewer at a rate of `limit`; 1 where the rate keeps it."""
        if self.value >= limit:
            return 1.0
        return 0.0 if limit >= 1 else float(special.betainc(self.rows - self.hits, self.hits + 1, 1 - limit))

    def false_alarm(self, limit: float) -> float | None:  # noqa: ARG002 - an effect has it
        """None: without a reference there is no rate without a change."""
        return None

    def rows_needed(self, limit: float, level: float) -> int | None:
        """About how many live rows would tell it from `limit` at a p-value of `level`; None: none would."""

        def interval(times: float) -> tuple[float, float]:
            return intervals.wilson(self.hits * times, self.rows * times, 1 - 2 * level)

        return _rows_that_separate(interval, self.rows, self.value - limit, limit)


def against_limit(hits: int, rows: int) -> RateEffect | NormalEffect:
    """A live rate alone, for a limit on the rate itself. Undefined without rows."""
    if not rows:
        return normal.undefined("no rows to judge", 0)
    return RateEffect(hits=hits, rows=rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class RateDifference:
    """A live rate less the rate of the reference, each from (hits, rows).

    Interval by Newcombe on effective rows. A p-value is that of the likelihood ratio at the limit, or that of
    Fisher's exact test of "nothing changed", if it is larger. `inflation` and `degrees` are those of
    `reference.Spread`.
    """

    live: Rate
    before: Rate
    ends: tuple[float, float] = (-1.0, 1.0)
    inflation: float = 1.0
    degrees: float = math.inf
    undefined: str | None = None
    assumption: str | None = reference.INDEPENDENT
    spends: bool = True

    @property
    def rows(self) -> int:
        """The live rows."""
        return self.live[1]

    @property
    def reference_rows(self) -> int:
        """The rows of the reference."""
        return self.before[1]

    @property
    def value(self) -> float:
        """The difference, cut to its range."""
        return min(self.ends[1], max(self.ends[0], self._gap))

    @property
    def _gap(self) -> float:
        return self.live[0] / self.live[1] - self.before[0] / self.before[1]

    def interval(self, confidence: float) -> tuple[float, float]:
        """A two-sided interval."""
        low, high = self._bounds(1.0, self.inflation, confidence)
        return min(self.ends[1], max(self.ends[0], low)), min(self.ends[1], max(self.ends[0], high))

    def _bounds(self, times: float, inflation: float, confidence: float) -> tuple[float, float]:
        """The interval, not cut, with so many times the live rows."""
        share = 1 - 2 * normal.tail_of(normal.quantile((1 - confidence) / 2, self.degrees), math.inf)
        (hits, rows), (hits_before, of) = self.live, self.before
        live, before = rows * times / inflation, of / inflation
        if min(live, before) < 1:
            return -math.inf, math.inf
        return intervals.difference(hits * times / inflation, live, hits_before / inflation, before, share)

    def p_above(self, limit: float) -> float:
        """The p-value of "at most `limit`"; 1 where the difference is."""
        if not self._gap > limit:
            return 1.0
        z = math.sqrt(likelihood_ratio(self.live, self.before, limit) / self.inflation)
        p_value = normal.tail_of(z, self.degrees)
        return p_value if p_value > normal.UNREMARKABLE else max(p_value, self._no_change())

    def p_below(self, limit: float) -> float:
        """The p-value of "at least `limit`"; 1 where the difference is."""
        (hits, rows), (hits_before, of) = self.live, self.before
        return replace(self, live=(rows - hits, rows), before=(of - hits_before, of)).p_above(-limit)

    def _no_change(self) -> float:
        hits, live, hits_before, of = (np.array(count) for count in (*self.live, *self.before))
        split = change.Split(hits=hits, live=live, hits_before=hits_before, reference=of)
        return float(change.inflated_tails(split, np.array(self.inflation), np.array(self.degrees))[0])

    def false_alarm(self, limit: float) -> float | None:
        """The probability that the difference lies beyond the limit, on its side, without any change."""
        (hits, rows), (hits_before, of) = self.live, self.before
        rate = (hits + hits_before) / (rows + of)
        error = math.sqrt(rate * (1 - rate) * (1 / rows + 1 / of) * self.inflation)
        return normal.tail_of(abs(limit) / error, self.degrees) if error else 0.0

    def rows_needed(self, limit: float, level: float) -> int | None:
        """About how many live rows would tell it from `limit` at a p-value of `level`; None: none would."""
        (hits, rows), (hits_before, of) = self.live, self.before
        rate, before = (hits + 0.5) / (rows + 1), (hits_before + 0.5) / (of + 1)
        fixed = before * (1 - before) / of
        days = (self.inflation - 1) * (rate * (1 - rate) / rows + fixed)

        def interval(times: float) -> tuple[float, float]:
            independent = rate * (1 - rate) / (rows * times) + fixed
            return self._bounds(times, (independent + days) / independent, 1 - 2 * level)

        return _rows_that_separate(interval, rows, self._gap - limit, limit)


def _rows_that_separate(
    interval: Callable[[float], tuple[float, float]], rows: float, gap: float, limit: float
) -> int | None:
    """How many rows move the end of the interval that faces the limit past it; None where none do.

    `interval` is that of so many times the rows, at the same rates.
    """

    def separates(times: float) -> bool:
        low, high = interval(times)
        return low > limit if gap > 0 else high <= limit

    if gap == 0 or not separates(_MOST_TIMES):
        return None
    near, far = 1.0, _MOST_TIMES
    while far / near > 1 + 1 / rows and far * rows - near * rows > 1:
        middle = math.sqrt(near * far)
        near, far = (near, middle) if separates(middle) else (middle, far)
    return math.ceil(far * rows)


def likelihood_ratio(live: Rate, before: Rate, limit: float) -> float:
    """Twice the log of the likelihood over the largest one where the rates differ by `limit`; at least 0.

    The rates of the latter solve a cubic equation: C. P. Farrington and G. Manning, Stat. Med. 9 (1990)
    1447-1454.
    """
    (hits, rows), (hits_before, of) = live, before
    first, second, weight = hits / rows, hits_before / of, of / rows
    a = 1 + weight
    b = -(1 + weight + first + weight * second + limit * (weight + 2))
    c = limit**2 + limit * (2 * first + weight + 1) + first + weight * second
    d = -first * limit * (1 + limit)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    u = math.copysign(math.sqrt(max(0.0, (b / (3 * a)) ** 2 - c / (3 * a))), v)
    angle = (math.pi + math.acos(min(1.0, max(-1.0, v / u**3 if u else 0.0)))) / 3
    at = min(1.0, 1.0 + limit, max(0.0, limit, 2 * u * math.cos(angle) - b / (3 * a)))
    return max(0.0, 2 * (_deviance(hits, rows, at) + _deviance(hits_before, of, at - limit)))


def _deviance(hits: int, rows: int, rate: float) -> float:
    """The log-likelihood of the observed rate less that of `rate`."""
    share, rate = hits / rows, min(1.0, max(0.0, rate))
    return rows * float(special.rel_entr(share, rate) + special.rel_entr(1 - share, 1 - rate))


def difference(
    live: Rate,
    before: Rate,
    *,
    ends: tuple[float, float] = (-1.0, 1.0),
    spread: reference.Spread | None = None,
    assumption: str | None = reference.INDEPENDENT,
) -> RateDifference | NormalEffect:
    """A live rate less that of the reference. Undefined without rows of either."""
    if not (live[1] and before[1]):
        where = "rows to judge" if not live[1] else "rows in the reference"
        return normal.undefined(f"no {where}", live[1], before[1])
    return RateDifference(
        live=live,
        before=before,
        ends=ends,
        inflation=1.0 if spread is None else spread.inflation,
        degrees=math.inf if spread is None else spread.degrees,
        assumption=assumption,
    )


def excess(
    live: Counts, against: ReferenceCounts, *, cell: int, before: int, ends: tuple[float, float]
) -> RateDifference | NormalEffect:
    """The share of rows in a cell less its share in the reference, where it counts `before` rows."""
    rows, of = int(live.sum()), against.rows
    pooled = (int(live[cell]) + before) / (rows + of)
    scores = np.zeros(len(live))
    scores[cell] = 1.0
    spread = reference.spread(against, scores, pooled * (1 - pooled), rows, of)
    return difference(
        (int(live[cell]), rows), (before, of), ends=ends, spread=spread, assumption=against.assumption
    )
