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

    The smaller of the exact z and that of arcsine-transformed shares is taken: for the first overstates what
    a rare cell shows when days differ.
    """
    more, fewer = tails(split)
    now, before = (
        np.arcsin(np.sqrt(hits / rows))
        for hits, rows in ((split.hits, split.live), (split.hits_before, split.reference))
    )
    smooth = 2 * (now - before) / np.sqrt(1 / split.live + 1 / split.reference)
    return (
        _inflated(np.minimum(-special.ndtri(more), smooth), more, inflation, degrees),
        _inflated(np.minimum(-special.ndtri(fewer), -smooth), fewer, inflation, degrees),
    )


def _inflated(z: Floats, exact: Floats, inflation: Array, degrees: Array) -> Floats:
    independent = (inflation <= 1) & np.isinf(degrees)
    p_values: Floats = np.where(independent, exact, np.maximum(exact, tail(z / np.sqrt(inflation), degrees)))
    return p_values


def tail(z: Array, degrees: Array) -> Floats:
    """The probability of more than `z`: of t with `degrees` of freedom, of the normal where infinite."""
    finite = np.where(np.isinf(degrees), 1.0, degrees)
    beyond: Floats = np.where(np.isinf(degrees), special.ndtr(-z), special.stdtr(finite, -z))
    return beyond


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
