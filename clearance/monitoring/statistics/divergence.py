"""Population stability index and Jensen-Shannon divergence: effect sizes, less what chance gives.

Both are sums of squares to first order, so their estimates follow a noncentral chi-square distribution. That
is inverted for the interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from clearance.monitoring.statistics import normal

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

EMPTY = 0.0001
"""The share that an empty cell counts for in the customary index."""

FEWEST = 5
"""The rows that a cell is expected to have in both tables before it counts on its own in a test."""


def psi(live: Array, reference: Array, empty: float = EMPTY) -> Floats:
    """The population stability index, the sum of (p - q) ln(p / q) over the last axis; [0, infinity).

    0: the same shares. An empty cell counts for the share `empty`; one that is empty in both adds nothing.
    """
    now, before = shares(live, empty), shares(reference, empty)
    index: Floats = ((now - before) * np.log(now / before)).sum(axis=-1)
    return index


def jensen_shannon(live: Array, reference: Array) -> Floats:
    """The Jensen-Shannon divergence in bits, over the last axis; 0: the same shares, 1: no cell in common."""
    now, before = shares(live, 0.0), shares(reference, 0.0)
    middle = (now + before) / 2
    halves = special.rel_entr(now, middle) + special.rel_entr(before, middle)
    divergence: Floats = np.clip(halves.sum(axis=-1) / (2 * math.log(2)), 0.0, 1.0)
    return divergence


def shares(counts: Array, empty: float) -> Floats:
    """The share of each cell of the last axis, at least `empty`."""
    floored: Floats = np.maximum(counts / counts.sum(axis=-1, keepdims=True), empty)
    return floored


def half_row_psi(live: Array, reference: Array) -> float:
    """The index with an empty cell counted as half a row, and without cells that are empty in both."""
    present = (live + reference) > 0
    now, before = (np.maximum(cells[present], 0.5) / cells.sum() for cells in (live, reference))
    return float(((now - before) * np.log(now / before)).sum())


def width(index: str, live: Array, reference: Array) -> float:
    """How much wider than that of a sum of squares the distribution of a large divergence is, at least 1.

    Its variance by the delta method over that of the noncentral chi-square: 1 for small ones.
    """
    present = (live + reference) > 0
    (p, n), (q, m) = (
        (np.maximum(cells[present], 0.5) / cells.sum(), cells.sum()) for cells in (live, reference)
    )
    if index == "psi":
        slopes = np.log(p / q) + 1 - q / p, np.log(q / p) + 1 - p / q
        distance = float(((p - q) * np.log(p / q)).sum())
    else:
        middle = (p + q) / 2
        slopes = 4 * np.log(p / middle), 4 * np.log(q / middle)
        distance = float((p * slopes[0] + q * slopes[1]).sum())
    variance = sum(
        float(share @ slope**2 - (share @ slope) ** 2) / rows
        for share, slope, rows in ((p, slopes[0], n), (q, slopes[1], m))
    )
    return max(1.0, variance / (4 * distance * (1 / n + 1 / m))) if distance > 0 else 1.0


def pooled(live: Array, reference: Array) -> tuple[Array, Array]:
    """The cells of both tables, neighbours pooled until each is expected to have `FEWEST` rows in both.

    Pooling never raises a divergence, and is decided by the sum of both tables, so that a test of no change
    stays valid. The last cells join the one before them.
    """
    both = live + reference
    scale = min(live.sum(), reference.sum()) / both.sum()
    starts, held = [0], 0.0
    for cell, expected in enumerate(both * scale):
        if held >= FEWEST:
            starts.append(cell)
            held = 0.0
        held += expected
    if held < FEWEST and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(live, starts), np.add.reduceat(reference, starts)


@dataclass(frozen=True, kw_only=True, eq=False)
class DivergenceEffect:
    """A divergence: `statistic` = divergence × `scale` follows `stretch` × noncentral chi-square.

    Central with `degrees` of freedom where nothing changed. `pooled_statistic` and `pooled_degrees` are the
    same over pooled cells, for the test. `days` are the degrees of freedom of `stretch` itself, infinite
    where rows are independent.
    """

    plain: float
    rows: int
    reference_rows: int
    scale: float
    statistic: float
    degrees: float
    pooled_statistic: float
    pooled_degrees: float
    no_change: Callable[[], float]
    stretch: float = 1.0
    days: float = math.inf
    width: float = 1.0
    most: float = math.inf
    assumption: str | None = None
    undefined: str | None = None
    spends: bool = True

    @property
    def noise(self) -> float:
        """What the divergence is expected to be by chance."""
        return self.stretch * self.degrees / self.scale

    @property
    def value(self) -> float:
        """The divergence less `noise`, at least 0."""
        return max(0.0, self.statistic / self.scale - self.noise)

    def interval(self, confidence: float) -> tuple[float, float]:
        """A two-sided interval, by inverting the noncentral chi-square distribution."""
        tail = (1 - confidence) / 2
        stretch = self.stretch * self.width
        return tuple(  # type: ignore[return-value]
            min(self.most, self._centrality(share, stretch) * stretch / self.scale)
            for share in (1 - tail, tail)
        )

    def _centrality(self, share: float, stretch: float) -> float:
        share = _heavier(share, self.days)
        statistic, degrees = self.statistic / stretch, max(self.degrees, 1e-9)
        if statistic <= 0:
            return 0.0 if share > 0.5 else -2 * math.log(share)
        if special.chdtr(degrees, statistic) <= share:
            return 0.0
        return float(special.chndtrinc(statistic, degrees, share))

    def p_above(self, limit: float) -> float:
        """The p-value of "at most `limit`"; 1 where the estimate is."""
        if limit < 0 or not self.value > limit:
            return 1.0 if limit >= 0 else 0.0
        statistic, centrality = (
            number / self.stretch for number in (self.pooled_statistic, self.scale * limit)
        )
        if self.pooled_degrees <= 0:
            return 1.0
        p_value = float(
            stats.ncx2.sf(statistic, self.pooled_degrees, centrality)
            if centrality > 0
            else special.chdtrc(self.pooled_degrees, statistic)
        )
        if math.isfinite(self.days):
            p_value = normal.tail_of(-float(special.ndtri(p_value)), self.days)
        p_value = min(1.0, p_value)
        return p_value if p_value > normal.UNREMARKABLE else max(p_value, self.no_change())

    def p_below(self, limit: float) -> float:
        """The p-value of "at least `limit`"; 1 where the estimate is."""
        low = self.statistic / self.stretch
        if self.value >= limit:
            return 1.0
        return float(special.chndtr(low, self.degrees, self.scale * limit / self.stretch))

    def false_alarm(self, limit: float) -> float | None:
        """The probability that the plain divergence exceeds `limit` without any change."""
        if self.degrees <= 0:
            return 0.0
        return float(special.chdtrc(self.degrees, max(0.0, limit) * self.scale / self.stretch))

    def rows_needed(self, limit: float, level: float) -> int | None:
        """About how many live rows would tell it from `limit` at a p-value of `level`; None: none would."""
        gap, at = abs(self.value - limit), max(self.value, limit)
        z = normal.quantile(level, self.days)
        noise, slope = 2 * self.degrees * self.stretch**2, 4 * at * self.stretch
        if not (gap > 0 and z > 0):
            return None
        # the variance is noise u² + slope u, with u = 1 / scale = 1 / rows + 1 / reference rows
        u = (math.sqrt(slope**2 + 4 * noise * (gap / z) ** 2) - slope) / (2 * noise) if noise else 0.0
        left = u - (1 / self.scale - 1 / self.rows)
        return None if left <= 0 else max(self.rows + 1, math.ceil(1 / left))


def _heavier(share: float, degrees: float) -> float:
    """The share of the normal distribution that reaches as far as `share` of the t distribution."""
    if math.isinf(degrees):
        return share
    return float(special.ndtr(special.stdtrit(degrees, share)))
