"""Whether counts changed at all: p-values that hold at any size of a table and far out in the tails.

Given how many rows of both tables are in a cell, their split between live and reference is hypergeometric
when nothing changed, so such a p-value is exact. Where days differ, its z is divided by the inflation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """How many of the `live` and of the `reference` rows are hits; arrays that broadcast."""

    hits: Array
    live: Array
    hits_before: Array
    reference: Array


def tails(split: Split) -> tuple[Floats, Floats]:
    """The exact p-values of as many live hits or more, and of as many or fewer.

    Uniform or larger under no change. Source: Fisher's exact test, one-sided.
    """
    total, marked = split.live + split.reference, split.hits + split.hits_before
    more = stats.hypergeom.sf(split.hits - 1, total, marked, split.live)
    fewer = stats.hypergeom.cdf(split.hits, total, marked, split.live)
    return np.clip(more, 0.0, 1.0), np.clip(fewer, 0.0, 1.0)


def inflated_tails(split: Split, inflation: Array, degrees: Array) -> tuple[Floats, Floats]:
    """As `tails`, where the variance is `inflation` times that of independent rows, on `degrees` of freedom.

    Hits are binomial at a rate that differs from day to day: its logit follows t around that of the
    reference, so that a rare cell may become a multiple of what it was. Never below the exact p-values.
    """
    more, fewer = tails(split)
    rate = (split.hits_before + 0.5) / (split.reference + 1)
    row = rate * (1 - rate)
    pooled = (split.hits + split.hits_before) / (split.live + split.reference)
    sampled = pooled * (1 - pooled) * (1 / split.live + 1 / split.reference)
    days = np.maximum(0.0, inflation - 1) * sampled
    wide = np.where(days > 0, np.sqrt(days + row / split.reference) / row, 0.0)
    between = np.expand_dims(wide, -1) * _NODES
    rates = np.clip(special.expit(np.expand_dims(special.logit(rate), -1) + between), 1e-300, 1 - 1e-16)
    hits, rows = np.expand_dims(split.hits, -1), np.expand_dims(split.live, -1)
    above = np.where(hits > 0, special.betainc(np.maximum(hits, 1), rows - hits + 1, rates), 1.0)
    below = np.where(hits < rows, special.betaincc(hits + 1, np.maximum(rows - hits, 1), rates), 1.0)
    weights = _weights(np.broadcast_to(degrees, np.shape(wide)))
    return (
        np.where(days > 0, np.maximum(more, (above * weights).sum(axis=-1)), more),
        np.where(days > 0, np.maximum(fewer, (below * weights).sum(axis=-1)), fewer),
    )


_NODES = np.linspace(-14.0, 14.0, 281)
"""Where the distribution of days is evaluated, in standard deviations."""


def _weights(degrees: Array) -> Floats:
    """The density of t (normal where `degrees` are infinite) at the nodes, times their distance."""
    finite = np.expand_dims(np.where(np.isinf(degrees), 1e9, degrees), -1)
    logs = -(finite + 1) / 2 * np.log1p(_NODES**2 / finite)
    density: Floats = np.exp(logs)
    density /= density.sum(axis=-1, keepdims=True)
    return density


def tail(z: Array, degrees: Array) -> Floats:
    """The probability of more than `z`: of t with `degrees` of freedom, of the normal where infinite."""
    finite = np.where(np.isinf(degrees), 1.0, degrees)
    beyond: Floats = np.where(np.isinf(degrees), special.ndtr(-z), special.stdtr(finite, -z))
    return beyond


def deflated(p_value: float, inflation: float, degrees: float) -> float:
    """A p-value of independent rows, where the variance is `inflation` times theirs: its z over the root."""
    if inflation <= 1 and math.isinf(degrees):
        return p_value
    z = -float(special.ndtri(p_value)) / math.sqrt(inflation)
    return max(p_value, float(tail(np.array(z), np.array(degrees))))


def tail_of_sum(cells: Array, rows: int, scores: Floats, total: float) -> float:
    """The p-value of "nothing changed" of a sum of scores of at least `total` over the `rows` live rows.

    `cells` are the rows of both tables by cell; which of them are live is then a random choice. By the double
    saddlepoint approximation, whose relative error is small far out in the tail, too. Sources: J. Robinson,
    J. R. Stat. Soc. B 44 (1982) 91-101; I. M. Skovgaard, J. Appl. Probab. 24 (1987) 875-887. NaN for a sum at
    the end of its range, where there is no saddlepoint.
    """
    used = cells > 0
    cells, scores = cells[used].astype(float), scores[used]
    share = rows / cells.sum()
    mean = float(cells @ scores) / cells.sum()
    deviation = math.sqrt(float(cells @ (scores - mean) ** 2) / cells.sum())
    if deviation <= 0 or share >= 1:
        return 1.0
    scores = (scores - mean) / deviation
    beyond = (total - rows * mean) / deviation - _step(scores) / 2
    tilt, level, curvature = _saddlepoint(cells, share, scores, np.array([beyond, float(rows)]))
    if math.isnan(tilt) or tilt <= 0:
        return tilt if math.isnan(tilt) else 1.0
    growth = float(cells @ np.logaddexp(math.log1p(-share), math.log(share) + level + tilt * scores))
    height = 2 * (tilt * beyond + level * rows - growth)
    if not (math.isfinite(height) and height > 1e-4):
        return 1.0
    w, u = math.sqrt(height), tilt * math.sqrt(curvature / (float(cells.sum()) * share * (1 - share)))
    density = math.exp(-height / 2) / math.sqrt(2 * math.pi)
    return min(1.0, max(0.0, float(special.ndtr(-w)) + density * (1 / u - 1 / w)))


def _step(scores: Floats) -> float:
    """The smallest step from one score to another: half of it is the continuity correction."""
    steps = np.diff(np.sort(scores))
    return float(steps[steps > 1e-12].min(initial=math.inf)) if (steps > 1e-12).any() else 0.0


def _saddlepoint(cells: Floats, share: float, scores: Floats, target: Floats) -> tuple[float, float, float]:
    """The tilt of scores and of rows at which the expected sums are `target`, and the curvature there.

    By Newton's method, halving steps that go too far; NaN for sums that no tilt gives.
    """
    odds, tilts = math.log(share / (1 - share)), np.zeros(2)
    design = np.stack([scores, np.ones_like(scores)])

    def height(at: Floats) -> float:
        return float(cells @ np.logaddexp(0.0, odds + at @ design) - target @ at)

    for _ in range(_MOST_STEPS):
        chance = special.expit(odds + tilts @ design)
        missing = design @ (cells * chance) - target
        information = (design * (cells * chance * (1 - chance))) @ design.T
        curvature = float(information[0, 0] * information[1, 1] - information[0, 1] ** 2)
        if not curvature > 1e-12:
            break
        step = np.linalg.solve(information, missing)
        if float(np.abs(missing).max()) < 1e-6 * float(np.abs(target).max() + 1):
            return float(tilts[0]), float(tilts[1]), curvature
        length, now = 1.0, height(tilts)
        while length > 1e-6 and not height(tilts - length * step) < now:
            length /= 2
        tilts -= length * step
    return math.nan, math.nan, math.nan


_MOST_STEPS = 60


def most_extreme(p_values: Floats) -> Floats:
    """The p-value of the smallest of the last axis, by Bonferroni: valid under any dependence."""
    smallest: Floats = np.minimum(1.0, p_values.min(axis=-1) * p_values.shape[-1])
    return smallest


def noise_of_largest(cuts: int) -> float:
    """How many standard deviations the largest of `cuts` differences of two distribution functions is.

    By chance, on average, for cuts at equal shares: 0.80 for one, 1.37 for nine, at most 1.74 (Kolmogorov's
    distribution). Fitted to simulations, within 0.05.
    """
    return math.sqrt(2 * math.pi) * math.log(2) - 0.94 * math.pow(cuts, -0.43)
