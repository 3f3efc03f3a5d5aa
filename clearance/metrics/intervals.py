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

from clearance.documents.measurement import Measurement, undefined

FEWEST_OUTSIDE = 5
"""Draws that must lie outside a drawn interval: fewer are no quantile."""

Interval = tuple[float, float]
Totals = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How bounds are drawn where no formula holds: confidence, number of draws, seed."""

    confidence: float
    resamples: int
    seed: int

    @property
    def lack(self) -> str | None:
        """Why so few draws give no quantile at this confidence; None where they do."""
        outside = self.resamples * (1 - self.confidence)
        if outside > FEWEST_OUTSIDE - 1e-6:
            return None
        needed = math.ceil(FEWEST_OUTSIDE / (1 - self.confidence) - 1e-6)
        return f"{self.resamples} draws are too few for it; set `evaluate.resamples` to {needed} or more"


@lru_cache(maxsize=256)
def quantile(confidence: float) -> float:
    """How many standard errors either side a two-sided normal interval reaches.

    1.96 at 0.95. Raises ValueError on a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(successes: float, total: float, confidence: float) -> Interval:
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


def difference(
    successes_1: float, total_1: float, successes_2: float, total_2: float, confidence: float
) -> Interval:
    """Bounds on the first rate minus the second, both from independent rows.

    Both ends lie in [-1, 1]; 0 means equal rates, 1 that the first group always and the second never
    succeeds. Raises ValueError as `wilson` does.
    Source: R. G. Newcombe, Stat. Med. 17 (1998) 873-890, method 10 (hybrid score, no continuity correction).
    """
    first, second = (wilson(k, n, confidence) for k, n in ((successes_1, total_1), (successes_2, total_2)))
    return mover(successes_1 / total_1, first, successes_2 / total_2, second)


def mover(value_1: float, bounds_1: Interval, value_2: float, bounds_2: Interval) -> Interval:
    """Bounds on `value_1 - value_2` from bounds on each, both from independent rows and in [0, 1].

    Both ends lie in [-1, 1]. Source: G. Y. Zou and A. Donner, Stat. Med. 27 (2008) 1693-1702.
    """
    gap = value_1 - value_2
    low = gap - math.hypot(value_1 - bounds_1[0], bounds_2[1] - value_2)
    high = gap + math.hypot(bounds_1[1] - value_1, value_2 - bounds_2[0])
    return max(-1.0, low), min(1.0, high)


def ratio(
    successes_1: float, total_1: float, successes_2: float, total_2: float, confidence: float
) -> Interval:
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


def max_difference(
    successes: Totals, totals: Totals, confidence: float, support: Mapping[str, int] | None = None
) -> Measurement:
    """The highest group rate minus the lowest, with a simultaneous bound over all pairs of groups.

    Range [0, 1]: 0 means equal rates, 1 that one group always and another never succeeds. The bound
    holds for the true gap between the truly best and worst group, whichever they are: each of the m
    pairs gets its Newcombe interval at 1 - (1 - confidence) / m (Bonferroni); `low` is the largest
    lower end, never below 0, and `high` the largest upper end. Both mappings have the same groups;
    `support` is `totals` unless these are effective numbers of weighted rows. Undefined with fewer than
    two groups, or with a group that has no rows.
    """
    hole = _hole(successes, totals)
    if hole:
        return undefined(hole, _rows(totals, support))
    rates = {group: successes[group] / totals[group] for group in totals}
    return max_gap(
        rates,
        lambda group, level: wilson(successes[group], totals[group], level),
        confidence,
        "Newcombe hybrid score",
        _rows(totals, support),
    )


def max_gap(
    values: Mapping[str, float],
    bounds: Callable[[str, float], Interval],
    confidence: float,
    method: str,
    support: Mapping[str, int],
) -> Measurement:
    """The highest of the groups' values minus the lowest, bounded over all pairs as in `max_difference`.

    `bounds` gives the interval of one group's value at a confidence; values and bounds lie in [0, 1], and
    the groups share no rows. There are two groups or more.
    """
    pairs = list(combinations(values, 2))
    within = {group: bounds(group, 1 - (1 - confidence) / len(pairs)) for group in values}
    ends = [mover(values[a], within[a], values[b], within[b]) for a, b in pairs]
    return Measurement(
        value=max(values.values()) - min(values.values()),
        low=max(0.0, *(low for low, _ in ends), *(-high for _, high in ends)),
        high=max(*(high for _, high in ends), *(-low for low, _ in ends)),
        confidence=confidence,
        method=_method(method, len(pairs)),
        support=support,
    )


def min_ratio(
    successes: Totals, totals: Totals, confidence: float, support: Mapping[str, int] | None = None
) -> Measurement:
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
        return undefined(hole, _rows(totals, support))
    rates = [successes[group] / totals[group] for group in totals]
    pairs = list(combinations(totals, 2))
    level = 1 - (1 - confidence) / len(pairs)
    bounds = [ratio(successes[a], totals[a], successes[b], totals[b], level) for a, b in pairs]
    return Measurement(
        value=min(rates) / max(rates),
        low=min(*(low for low, _ in bounds), *(1 / high for _, high in bounds)),
        high=min(1.0, *(high for _, high in bounds), *(_inverse(low) for low, _ in bounds)),
        confidence=confidence,
        method=_method("MOVER-R score", len(bounds)),
        support=_rows(totals, support),
    )


def ratio_to(
    reference: str,
    successes: Totals,
    totals: Totals,
    confidence: float,
    support: Mapping[str, int] | None = None,
) -> Measurement:
    """The lowest rate of any other group divided by the rate of the `reference` group.

    Range [0, infinity): 1 means that the group worst off succeeds as often as the reference, 0 that it never
    does, above 1 that every other group succeeds more often. Each of the m other groups gets its MOVER-R
    interval at 1 - (1 - confidence) / m. Undefined as `min_ratio`, when the reference group is not among
    the groups, and when it never succeeds.
    """
    rows = _rows(totals, support)
    hole = _hole(successes, totals)
    if not hole and reference not in totals:
        hole = f"the reference group {reference} is not among the groups"
    if not hole and successes[reference] == 0:
        hole = f"the reference group {reference} has no success, so its rate is 0"
    if hole:
        return undefined(hole, rows)
    others = [group for group in totals if group != reference]
    base, level = (successes[reference], totals[reference]), 1 - (1 - confidence) / len(others)
    ends = [ratio(successes[group], totals[group], *base, level) for group in others]
    return Measurement(
        value=min(successes[group] / totals[group] for group in others) / (base[0] / base[1]),
        low=min(low for low, _ in ends),
        high=min(high for _, high in ends),
        confidence=confidence,
        method=_method("MOVER-R score", len(others)) + f", against {reference}",
        support=rows,
    )


def lowest(
    exact: Callable[[float, float, float], Interval],
    successes: Totals,
    totals: Totals,
    confidence: float,
    support: Mapping[str, int] | None = None,
) -> Measurement:
    """The lowest rate of any group, with a bound that holds whichever group it is.

    Range [0, 1]: 0 means that some group never succeeds, 1 that every group always does. Each of the m
    groups gets its exact interval at 1 - (1 - confidence) / m, for `high` is the smallest of m upper ends and
    Wilson's comes out too low for rates near 1. `exact` is `significance.clopper_pearson`, which needs more
    than plain Python. Undefined with a group that has no rows.
    """
    rows = _rows(totals, support)
    hole = _hole(successes, totals, fewest=1)
    if hole:
        return undefined(hole, rows)
    level = 1 - (1 - confidence) / len(totals)
    ends = [exact(successes[group], totals[group], level) for group in totals]
    return Measurement(
        value=min(successes[group] / totals[group] for group in totals),
        low=min(low for low, _ in ends),
        high=min(high for _, high in ends),
        confidence=confidence,
        method="Clopper-Pearson" + (f", Bonferroni over {len(ends)} groups" if len(ends) > 1 else ""),
        support=rows,
    )


def _hole(successes: Totals, totals: Totals, fewest: int = 2) -> str | None:
    """Why the groups cannot be compared, or None."""
    if successes.keys() != totals.keys():
        raise ValueError("successes and totals name different groups")
    if len(totals) < fewest:
        need = "two groups" if fewest == 2 else "a group"
        return f"a comparison needs {need}, there {'is' if len(totals) == 1 else 'are'} {len(totals)}"
    if empty := sorted(group for group, total in totals.items() if total == 0):
        return f"no rows to count in {', '.join(empty)}"
    if thin := sorted(group for group, total in totals.items() if total < 1):
        return f"rows that together count for less than one in {', '.join(thin)}"
    return None


def _rows(totals: Totals, support: Mapping[str, int] | None) -> dict[str, int]:
    return {group: int(total) for group, total in totals.items()} if support is None else dict(support)


def _check(successes: float, total: float) -> None:
    if not 0 <= successes <= total or total < 1:
        raise ValueError(f"{successes} successes in {total} rows is not a valid count")


def _inverse(number: float) -> float:
    return math.inf if number == 0 else 1 / number


def _method(name: str, pairs: int) -> str:
    return name if pairs == 1 else f"{name}, Bonferroni over {pairs} pairs of groups"
