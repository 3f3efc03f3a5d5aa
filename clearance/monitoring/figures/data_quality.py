"""Effects of data quality that are neither distances nor rates: exact counts, changes of units. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import special

from clearance.monitoring.counting import bins
from clearance.monitoring.counting.window_counts import Counts


@dataclass(frozen=True, kw_only=True)
class ExactCount:
    """A number of rows that was counted: chance has no part in it, so it spends no error budget."""

    value: float
    rows: int
    reference_rows: None = None
    undefined: None = None
    assumption: str | None = None
    spends: bool = False

    def interval(self, confidence: float) -> tuple[float, float]:  # noqa: ARG002
        """The count itself."""
        return self.value, self.value

    def p_above(self, limit: float) -> float:
        """0 where the count is above the limit, else 1."""
        return float(self.value <= limit)

    def p_below(self, limit: float) -> float:
        """0 where the count is below the limit, else 1."""
        return float(self.value >= limit)

    def false_alarm(self, limit: float) -> float | None:
        """None: it is not by chance."""

    def rows_needed(self, limit: float, level: float) -> int | None:
        """None: no further row changes it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitFactor:
    """How many powers of ten the typical size of values is from that of the reference; 0: the same unit.

    The median of log10 of the sizes, less `median_size` of the reference, without its sign; in the cell of
    the reference's median it is 0. `sizes` are counts by cell. Its bounds are those of the median by order
    statistics, which hold for any distribution.
    """

    sizes: Counts
    median_size: float
    reference_rows: int | None = None
    undefined: None = None
    assumption: str | None = (
        "the median of the reference is known exactly; zeros and missing values do not count"
    )
    spends: bool = True

    @cached_property
    def rows(self) -> int:
        """The values that have a size."""
        return int(self.sizes.sum())

    @cached_property
    def value(self) -> float:
        """Powers of ten, at least 0."""
        return abs(self._quantile(0.5) - self.median_size)

    @cached_property
    def _cumulated(self) -> Counts:
        return np.cumsum(self.sizes)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Bounds at this confidence."""
        rows = self.rows
        place = _binomial_quantile((1 - confidence) / 2, rows)
        low, high = (self._quantile(share) for share in (place / rows, 1 - place / rows))
        ends = sorted((low - self.median_size, high - self.median_size))
        nearest = 0.0 if ends[0] <= 0 <= ends[1] else min(map(abs, ends))
        return nearest, max(map(abs, ends))

    def p_above(self, limit: float) -> float:
        """The sign test of "at most half of the values are further off than the limit", on the worse side."""
        edges = bins.size_edges()
        larger = int(self.sizes[edges >= self.median_size + limit].sum())
        smaller = int(self.sizes[edges + 1 / bins.SIZE_STEPS <= self.median_size - limit].sum())
        return min(1.0, 2 * _at_least(max(larger, smaller), self.rows))

    def p_below(self, limit: float) -> float:
        """The probability of values so near to the reference if half of them were further off than that."""
        edges = bins.size_edges()
        near = (edges + 1 / bins.SIZE_STEPS >= self.median_size - limit) & (edges <= self.median_size + limit)
        return _at_least(int(self.sizes[near].sum()), self.rows)

    def false_alarm(self, limit: float) -> float | None:
        """About 0 above half a power of ten: the median of such a size does not move by chance."""

    def rows_needed(self, limit: float, level: float) -> int | None:
        """How many values on one side alone decide it."""
        return math.ceil(1 - math.log2(level)) if self.value > limit else None

    def _quantile(self, share: float) -> float:
        """The quantile of the sizes, as a power of ten: linear in its cell, unless the reference is in it."""
        cumulated = self._cumulated
        target = min(max(share * self.rows, 0.5), self.rows - 0.5)
        cell = int(np.searchsorted(cumulated, target, side="left"))
        low = float(bins.size_edges()[cell])
        if low <= self.median_size <= low + 1 / bins.SIZE_STEPS:
            return self.median_size  # sizes within a cell are not known, and one value may fill it
        inside = (target - (cumulated[cell] - self.sizes[cell])) / self.sizes[cell]
        return float(low + inside / bins.SIZE_STEPS)


def _at_least(count: int, rows: int) -> float:
    """The probability of at least so many heads in `rows` throws of a fair coin."""
    return 1.0 if count <= 0 else float(special.bdtrc(count - 1, rows, 0.5))


@lru_cache(maxsize=1024)
def _binomial_quantile(share: float, rows: int) -> int:
    """The smallest number of heads that `rows` throws of a fair coin do not exceed with this probability."""
    place = max(0, math.ceil(float(special.bdtrik(share, rows, 0.5))))
    return place - 1 if place and special.bdtr(place - 1, rows, 0.5) >= share else place
