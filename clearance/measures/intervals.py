"""Confidence intervals for rates and for how far the rates of groups lie apart, from counts alone.

Every bound is a score bound: it keeps its meaning at 0 and at n, where a bootstrap or a Wald
interval collapses to zero width. Nothing here decides whether a number is good enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import NormalDist

from clearance.evidence import Measurement, undefined

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How bounds are drawn where no formula holds: confidence, number of draws, seed."""

    confidence: float
    resamples: int
    seed: int


@lru_cache(maxsize=256)
def quantile(confidence: float) -> float:
    """How many standard errors either side a two-sided normal interval reaches.

    1.96 at 0.95. Raises ValueError on a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(successes: int, total: int, confidence: float) -> Interval:
    """Bounds on a rate.

    Both ends lie in [0, 1] and enclose `successes / total`; the lower end is exactly 0 without any
    success, the upper exactly 1 without any failure. Raises ValueError on counts that cannot be
    (no rows, more successes than rows) and on a confidence outside (0, 1).
    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212.
    """
    _check(successes, total)
    z = quantile(confidence)
    rate, spread = successes / total, z * z / total
    middle = rate + spread / 2
    half = z * math.sqrt((rate * (1 - rate) + spread / 4) / total)
    low = 0.0 if successes == 0 else min(rate, (middle - half) / (1 + spread))
    high = 1.0 if successes == total else max(rate, (middle + half) / (1 + spread))
    return low, high


def difference(successes_1: int, total_1: int, successes_2: int, total_2: int, confidence: float) -> Interval:
    """Bounds on the first rate minus the second, both from independent rows.

    Both ends lie in [-1, 1]; 0 means equal rates, 1 that the first group always and the second never
    succeeds. Raises ValueError as `wilson` does.
    Source: R. G. Newcombe, Stat. Med. 17 (1998) 873-890, method 10 (hybrid score, no continuity correction).
    """
    low_1, high_1 = wilson(successes_1, total_1, confidence)
    low_2, high_2 = wilson(successes_2, total_2, confidence)
    rate_1, rate_2 = successes_1 / total_1, successes_2 / total_2
    gap = rate_1 - rate_2
    low = gap - math.hypot(rate_1 - low_1, high_2 - rate_2)
    high = gap + math.hypot(high_1 - rate_1, rate_2 - low_2)
    return max(-1.0, low), min(1.0, high)


def ratio(successes_1: int, total_1: int, successes_2: int, total_2: int, confidence: float) -> Interval:
    """Bounds on the first rate divided by the second, both from independent rows.

    The lower end is at least 0 and is 0 without a success in the first group; the upper end is
    infinity without a success in the second. 1 means equal rates, and lies inside exactly when 0 lies
    inside `difference`. Raises ValueError as `wilson` does.
    Source: A. Donner and G. Y. Zou, Stat. Methods Med. Res. 21 (2012) 347-359 (MOVER-R on Wilson limits).
    """
    low_1, high_1 = wilson(successes_1, total_1, confidence)
    low_2, high_2 = wilson(successes_2, total_2, confidence)
    rate_1, rate_2 = successes_1 / total_1, successes_2 / total_2
    low = 0.0 if successes_1 == 0 else _mover_low(rate_1, low_1, rate_2, high_2)
    high = math.inf if successes_2 == 0 else 1 / _mover_low(rate_2, low_2, rate_1, high_1)
    return low, high


def _mover_low(rate_1: float, low_1: float, rate_2: float, high_2: float) -> float:
    """Where `rate_1 - r * rate_2` stops being above zero; the upper bound is this on the inverse ratio."""
    product = rate_1 * rate_2
    near, far = low_1 * (2 * rate_1 - low_1), high_2 * (2 * rate_2 - high_2)
    return near / (product + math.sqrt(max(0.0, product * product - near * far)))


def max_difference(successes: Mapping[str, int], totals: Mapping[str, int], confidence: float) -> Measurement:
    """The highest group rate minus the lowest, with a simultaneous bound over all pairs of groups.

    Range [0, 1]: 0 means equal rates, 1 that one group always and another never succeeds. The bound
    holds for the true gap between the truly best and worst group, whichever they are: each of the m
    pairs gets its Newcombe interval at 1 - (1 - confidence) / m (Bonferroni); `low` is the largest
    lower end, never below 0, and `high` the largest upper end. Both mappings have the same groups;
    `support` is `totals`. Undefined with fewer than two groups, or with a group that has no rows.
    """
    hole = _hole(successes, totals)
    if hole:
        return undefined(hole, totals)
    rates = [successes[group] / totals[group] for group in totals]
    bounds = _pairwise(difference, successes, totals, confidence)
    return Measurement(
        value=max(rates) - min(rates),
        low=max(0.0, *(low for low, _ in bounds), *(-high for _, high in bounds)),
        high=max(*(high for _, high in bounds), *(-low for low, _ in bounds)),
        confidence=confidence,
        method=_method("Newcombe hybrid score", len(bounds)),
        support=dict(totals),
    )


def min_ratio(successes: Mapping[str, int], totals: Mapping[str, int], confidence: float) -> Measurement:
    """The lowest group rate divided by the highest, with a simultaneous bound over all pairs of groups.

    Range [0, 1]: 1 means equal rates, 0 that some group never succeeds. The bound is built as in
    `max_difference`, from the smallest ends of the pairs' ratio intervals in both directions, never
    above 1. Undefined with fewer than two groups, with a group that has no rows, or when no group has
    a success: nothing is then favoured, and nothing shown to be fair.
    """
    hole = _hole(successes, totals)
    if not hole and not any(successes.values()):
        hole = "no group has a single success, so the highest rate is 0"
    if hole:
        return undefined(hole, totals)
    rates = [successes[group] / totals[group] for group in totals]
    bounds = _pairwise(ratio, successes, totals, confidence)
    return Measurement(
        value=min(rates) / max(rates),
        low=min(*(low for low, _ in bounds), *(1 / high for _, high in bounds)),
        high=min(1.0, *(high for _, high in bounds), *(_inverse(low) for low, _ in bounds)),
        confidence=confidence,
        method=_method("MOVER-R score", len(bounds)),
        support=dict(totals),
    )


def _pairwise(
    bound: Callable[[int, int, int, int, float], Interval],
    successes: Mapping[str, int],
    totals: Mapping[str, int],
    confidence: float,
) -> list[Interval]:
    pairs = list(combinations(totals, 2))
    each = 1 - (1 - confidence) / len(pairs)
    return [bound(successes[a], totals[a], successes[b], totals[b], each) for a, b in pairs]


def _hole(successes: Mapping[str, int], totals: Mapping[str, int]) -> str | None:
    """Why the groups cannot be compared, or None."""
    if successes.keys() != totals.keys():
        raise ValueError("successes and totals name different groups")
    if len(totals) < 2:
        return f"a comparison needs two groups, there {'is' if len(totals) == 1 else 'are'} {len(totals)}"
    empty = sorted(group for group, total in totals.items() if total == 0)
    return f"no rows to count in {', '.join(empty)}" if empty else None


def _check(successes: int, total: int) -> None:
    if not 0 <= successes <= total or total < 1:
        raise ValueError(f"{successes} successes in {total} rows is no count")


def _inverse(number: float) -> float:
    return math.inf if number == 0 else 1 / number


def _method(name: str, pairs: int) -> str:
    return name if pairs == 1 else f"{name}, Bonferroni over {pairs} pairs of groups"
