"""Confidence intervals for rates and for how far the rates of groups lie apart, from counts alone.

Every bound is a score bound: it keeps its meaning at 0 and at n, where a bootstrap or a Wald
interval collapses to zero width. Nothing here decides whether a number is good enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import NormalDist

from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import extremes
from clearance.metrics.extremes import Figure

FEWEST_OUTSIDE = 5
"""Draws that must lie outside a drawn interval: fewer are no quantile."""

Interval = extremes.Interval
Totals = Mapping[str, float]

NEWCOMBE = "Newcombe hybrid score"
MOVER_R = "MOVER-R score"
PAIRS = "pairs of groups"


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
    low, high = mover(successes_1 / total_1, first, successes_2 / total_2, second)
    return max(-1.0, low), min(1.0, high)


def mover(value_1: float, bounds_1: Interval, value_2: float, bounds_2: Interval) -> Interval:
    """Bounds on `value_1 - value_2` from bounds on each, both from independent rows.

    They may lie beyond the range of a difference. Source: G. Y. Zou and A. Donner, Stat. Med. 27 (2008)
    1693-1702.
    """
    gap = value_1 - value_2
    low = gap - math.hypot(value_1 - bounds_1[0], bounds_2[1] - value_2)
    return low, gap + math.hypot(bounds_1[1] - value_1, value_2 - bounds_2[0])


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
    """The highest group rate minus the lowest, bounded whichever the truly best and worst group are.

    Range [0, 1]: 0 means equal rates, 1 that one group always and another never succeeds. Each pair of groups
    gets Newcombe intervals; `high` takes them at `confidence`, `low` corrected for the number of pairs:
    `extremes.largest`. Both mappings have the same groups; `support` is `totals` unless these are effective
    numbers of weighted rows. Undefined with fewer than two groups, or with a group that has no rows.
    """
    if hole := fault(successes, totals):
        return undefined(hole, _rows(totals, support))
    return largest_gap(rate_gaps(successes, totals), confidence, NEWCOMBE, _rows(totals, support))


def rate_gaps(successes: Totals, totals: Totals) -> list[Figure]:
    """How far the rates of each pair of groups lie apart, either way; every group has rows."""
    rates = {group: successes[group] / totals[group] for group in totals}
    return gaps(
        rates,
        lambda group, level, times: wilson(successes[group] * times, totals[group] * times, level),
    )


def gaps(values: Mapping[str, float], bounds: Callable[[str, float, int], Interval]) -> list[Figure]:
    """How far the values of each pair of groups lie apart, either way, by MOVER.

    `bounds` gives the interval of one group's value at a confidence, with so many times the rows. The groups
    share no rows.
    """
    bounds = lru_cache(maxsize=None)(bounds)

    def between(one: str, other: str) -> Figure:
        def interval(confidence: float, times: int) -> Interval:
            ends = (bounds(group, confidence, times) for group in (one, other))
            low, high = mover(values[one], next(ends), values[other], next(ends))
            return max(low, -high), max(high, -low)

        return Figure(abs(values[one] - values[other]), interval)

    return [between(one, other) for one, other in combinations(values, 2)]


def largest_gap(
    figures: Sequence[Figure], confidence: float, method: str, support: Mapping[str, int]
) -> Measurement:
    """The largest of `gaps`, in [0, 1]."""
    return extremes.largest(figures, confidence, method=method, of=PAIRS, support=support)


def min_ratio(
    successes: Totals, totals: Totals, confidence: float, support: Mapping[str, int] | None = None
) -> Measurement:
    """The lowest group rate divided by the highest, bounded whichever groups these truly are.

    Range [0, 1]: 1 means equal rates, 0 that some group never succeeds. Each pair of groups gets MOVER-R
    intervals; `low` takes them at `confidence`, `high` corrected for the number of pairs:
    `extremes.smallest`. Undefined with fewer than two groups, with a group that has no rows, or when no group
    has a success: nothing is then favoured, and nothing shown to be fair.
    """
    if hole := ratio_fault(successes, totals):
        return undefined(hole, _rows(totals, support))
    return smallest_ratio(rate_ratios(successes, totals), confidence, MOVER_R, _rows(totals, support))


def rate_ratios(successes: Totals, totals: Totals) -> list[Figure]:
    """The smaller rate of each pair of groups over the larger; every group has rows, one of them successes.

    A pair without any success has no ratio: its value is 1, its interval everything.
    """

    def between(one: str, other: str) -> Figure:
        def interval(confidence: float, times: int) -> Interval:
            low, high = ratio(*_times(successes, totals, one, times, other), confidence)
            return min(low, _inverse(high)), min(high, _inverse(low))

        ends = sorted(successes[group] / totals[group] for group in (one, other))
        return Figure(ends[0] / ends[1] if ends[1] else 1.0, interval)

    return [between(one, other) for one, other in combinations(totals, 2)]


def smallest_ratio(
    figures: Sequence[Figure], confidence: float, method: str, support: Mapping[str, int]
) -> Measurement:
    """The smallest of `rate_ratios`, in [0, 1]."""
    return extremes.smallest(figures, confidence, method=method, of=PAIRS, support=support)


def ratio_to(
    reference: str,
    successes: Totals,
    totals: Totals,
    confidence: float,
    support: Mapping[str, int] | None = None,
) -> Measurement:
    """The lowest rate of any other group divided by the rate of the `reference` group.

    Range [0, infinity): 1 means that the group worst off succeeds as often as the reference, 0 that it never
    does, above 1 that every other group succeeds more often. Each other group gets MOVER-R intervals; `low`
    takes them at `confidence`, `high` corrected for their number: `extremes.smallest`. Undefined as
    `min_ratio`, when the reference group is not among the groups, and when it never succeeds.
    """
    rows = _rows(totals, support)
    hole = fault(successes, totals)
    if not hole and reference not in totals:
        hole = f"the reference group {reference} is not among the groups"
    if not hole and successes[reference] == 0:
        hole = f"the reference group {reference} has no success, so its rate is 0"
    if hole:
        return undefined(hole, rows)
    base = successes[reference] / totals[reference]

    def to_reference(group: str) -> Figure:
        return Figure(
            successes[group] / totals[group] / base,
            lambda confidence, times: ratio(*_times(successes, totals, group, times, reference), confidence),
        )

    return extremes.smallest(
        [to_reference(group) for group in totals if group != reference],
        confidence,
        method=f"{MOVER_R}, against {reference}",
        of="groups",
        support=rows,
        within=(0.0, math.inf),
    )


def lowest(
    exact: Callable[[float, float, float], Interval],
    successes: Totals,
    totals: Totals,
    confidence: float,
    support: Mapping[str, int] | None = None,
) -> Measurement:
    """The lowest rate of any group, bounded whichever group it is.

    Range [0, 1]: 0 means that some group never succeeds, 1 that every group always does. Each group gets
    exact intervals; `low` takes them at `confidence`, `high` corrected for their number: `extremes.smallest`.
    Exact, for `high` is the smallest of many upper ends and Wilson's comes out too low for rates near 1.
    `exact` is `significance.clopper_pearson`, which needs more than plain Python. Undefined with a group that
    has no rows.
    """
    rows = _rows(totals, support)
    if hole := fault(successes, totals, fewest=1):
        return undefined(hole, rows)

    def alone(group: str) -> Figure:
        return Figure(
            successes[group] / totals[group],
            lambda confidence, times: exact(successes[group] * times, totals[group] * times, confidence),
        )

    return extremes.smallest(
        [alone(group) for group in totals], confidence, method="Clopper-Pearson", of="groups", support=rows
    )


def fault(successes: Totals, totals: Totals, fewest: int = 2) -> str | None:
    """Why the groups cannot be compared, or None. Raises ValueError where the mappings differ in groups."""
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


def ratio_fault(successes: Totals, totals: Totals) -> str | None:
    """Why the groups' rates have no ratio, or None."""
    if hole := fault(successes, totals):
        return hole
    return None if any(successes.values()) else "no group has a single success, so the highest rate is 0"


def _rows(totals: Totals, support: Mapping[str, int] | None) -> dict[str, int]:
    return {group: int(total) for group, total in totals.items()} if support is None else dict(support)


def _check(successes: float, total: float) -> None:
    if not 0 <= successes <= total or total < 1:
        raise ValueError(f"{successes} successes in {total} rows is not a valid count")


def _inverse(number: float) -> float:
    return math.inf if number == 0 else 1 / number


def _times(
    successes: Totals, totals: Totals, one: str, times: int, other: str
) -> tuple[float, float, float, float]:
    """The counts of two groups with so many times the rows."""
    first, second = ((successes[group] * times, totals[group] * times) for group in (one, other))
    return *first, *second
