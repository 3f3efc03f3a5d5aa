"""Rates: a live rate against a limit, and against the rate of the reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from clearance.metrics import intervals
from clearance.monitoring.statistics import change, normal, reference
from clearance.monitoring.statistics.normal import NormalEffect, Tails, quantile
from clearance.monitoring.statistics.reference import ReferenceCounts

Counts = npt.NDArray[np.int64]
Rate = tuple[int, int]
"""Hits, and rows."""


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
        gap = self.value - limit
        z = quantile(level, math.inf)
        rate = min(max(limit, 0.5 / self.rows), 1 - 0.5 / self.rows)
        return None if gap == 0 else max(self.rows + 1, math.ceil(rate * (1 - rate) * (z / gap) ** 2))


def against_limit(hits: int, rows: int) -> RateEffect | NormalEffect:
    """A live rate alone, for a limit on the rate itself. Undefined without rows."""
    if not rows:
        return normal.undefined("no live rows", 0)
    return RateEffect(hits=hits, rows=rows)


def difference(
    live: Rate,
    before: Rate,
    *,
    ends: tuple[float, float] = (-1.0, 1.0),
    inflation: float = 1.0,
    degrees: float = math.inf,
    fixed: float | None = None,
    assumption: str | None = reference.INDEPENDENT,
) -> NormalEffect:
    """A live rate less that of the reference, each as (hits, rows). Undefined without rows of either.

    The p-value of "nothing changed" is Fisher's; `inflation` and `degrees` are those of
    `reference.Spread`.
    """
    (hits, rows), (hits_before, of) = live, before
    if not (rows and of):
        where = "live rows" if not rows else "rows in the reference"
        return normal.undefined(f"no {where}", rows, of)
    low, high = intervals.difference(hits, rows, hits_before, of, _ONE_ERROR)
    value = hits / rows - hits_before / of
    pooled = (hits + hits_before) / (rows + of)
    null = pooled * (1 - pooled) * (1 / rows + 1 / of) * inflation

    def no_change() -> Tails:
        split = change.Split(
            hits=np.array(hits),
            live=np.array(rows),
            hits_before=np.array(hits_before),
            reference=np.array(of),
        )
        up, down = change.inflated_tails(split, np.array(inflation), np.array(degrees))
        return float(up), float(down)

    rate = (hits_before + 0.5) / (of + 1)
    return NormalEffect(
        value=max(ends[0], value),
        centre=value,
        plain=value,
        rows=rows,
        reference_rows=of,
        standard_error=max(high - value, value - low) * math.sqrt(inflation),
        degrees=degrees,
        no_change=no_change,
        null_error=math.sqrt(null),
        fixed=rate * (1 - rate) / of if fixed is None else fixed,
        ends=ends,
        assumption=assumption,
    )


_ONE_ERROR = 2 * float(special.ndtr(1)) - 1
"""The confidence of an interval that reaches one standard error either side."""


def excess(
    live: Counts, against: ReferenceCounts, *, cell: int, before: int, ends: tuple[float, float]
) -> NormalEffect:
    """The share of rows in a cell less its share in the reference, where it counts `before` rows."""
    rows, of = int(live.sum()), against.rows
    pooled = (int(live[cell]) + before) / (rows + of)
    scores = np.zeros(len(live))
    scores[cell] = 1.0
    spread = reference.spread(against, scores, pooled * (1 - pooled), rows, of)
    return difference(
        (int(live[cell]), rows),
        (before, of),
        ends=ends,
        inflation=spread.inflation,
        degrees=spread.degrees,
        fixed=spread.fixed,
        assumption=against.assumption,
    )
