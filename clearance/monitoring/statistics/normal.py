"""An effect whose estimate is nearly normal: a shift, a rate, a distance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from scipy import special

Tails = tuple[float, float]

UNREMARKABLE = 0.1
"""Above this p-value nothing is decided, so that exact ones are not computed."""


def _any() -> Tails:
    return 0.0, 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class NormalEffect:
    """An estimate with a standard error: t with `degrees` of freedom, normal where they are infinite.

    `plain` is the estimate as it is customary, `value` the same less what is expected by chance; interval and
    p-values are those of `centre`. `no_change` gives the p-values of "nothing changed", upwards and
    downwards: a small p-value is never below them, however well a standard error may look. `comparisons` is
    how many estimates this is the most extreme of. `null_error` is the standard error without a change, None
    where it is not known. `fixed` is the part of the variance that no further live row reduces.
    """

    value: float | None
    rows: int
    standard_error: float = math.inf
    reference_rows: int | None = None
    degrees: float = math.inf
    plain: float | None = None
    centre: float | None = None
    comparisons: int = 1
    no_change: Callable[[], Tails] = _any
    null_value: float = 0.0
    null_error: float | None = None
    fixed: float = 0.0
    ends: tuple[float, float] = (-math.inf, math.inf)
    undefined: str | None = None
    assumption: str | None = None
    spends: bool = True

    @property
    def _centre(self) -> float:
        centre = self.value if self.centre is None else self.centre
        return math.nan if centre is None else centre

    def interval(self, confidence: float) -> tuple[float, float]:
        """A two-sided interval, cut to the range of the effect. Of several estimates, the most extreme."""
        if self.undefined is not None:
            return self.ends
        tail = (1 - confidence) / 2
        low = self._centre - quantile(tail / self.comparisons, self.degrees) * self.standard_error
        high = self._centre + quantile(tail, self.degrees) * self.standard_error
        return self._within(low), self._within(high)

    def _within(self, number: float) -> float:
        return min(self.ends[1], max(self.ends[0], number))

    def p_above(self, limit: float) -> float:
        """The p-value of "at most `limit`"; 1 where the estimate is."""
        return self._p_value(self._centre - limit, 0)

    def p_below(self, limit: float) -> float:
        """The p-value of "at least `limit`"; 1 where the estimate is."""
        return self._p_value(limit - self._centre, 1)

    def _p_value(self, beyond: float, side: int) -> float:
        if not beyond > 0:
            return 1.0
        p_value = tail_of(beyond / self.standard_error, self.degrees) if self.standard_error > 0 else 0.0
        p_value = min(1.0, self.comparisons * p_value)
        return p_value if p_value > UNREMARKABLE else max(p_value, self.no_change()[side])

    def false_alarm(self, limit: float) -> float | None:
        """The probability that `plain` lies beyond the limit, on its side, without any change."""
        if self.null_error is None:
            return None
        gap = abs(limit - self.null_value)
        if self.null_error <= 0:
            return 0.0
        return min(1.0, self.comparisons * tail_of(gap / self.null_error, self.degrees))

    def rows_needed(self, limit: float, level: float) -> int | None:
        """About how many live rows would tell it from `limit` at a p-value of `level`; None: none would."""
        gap, beyond = self._centre - limit, quantile(level / self.comparisons, self.degrees)
        return rows_for(self.standard_error**2, self.fixed, self.rows, gap, beyond)


def undefined(reason: str, rows: int, reference_rows: int | None = None) -> NormalEffect:
    """No effect, and why: it neither passes nor fails."""
    return NormalEffect(value=None, undefined=reason, rows=rows, reference_rows=reference_rows)


def rows_for(variance: float, fixed: float, rows: int, gap: float, quantile: float) -> int | None:
    """How many rows make `gap` as large as `quantile` standard errors; None where none do."""
    left = (gap / quantile) ** 2 - fixed if quantile > 0 else math.nan
    if not left > 0 or not math.isfinite(left):
        return None
    return max(rows + 1, math.ceil((variance - fixed) * rows / left))


def tail_of(z: float, degrees: float) -> float:
    """The probability of more than `z` standard errors."""
    return float(special.ndtr(-z) if math.isinf(degrees) else special.stdtr(degrees, -z))


@lru_cache(maxsize=1024)
def quantile(tail: float, degrees: float) -> float:
    """How many standard errors leave `tail` above them."""
    return -float(special.ndtri(tail) if math.isinf(degrees) else special.stdtrit(degrees, tail))
