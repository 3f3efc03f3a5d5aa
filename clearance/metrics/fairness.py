"""How far the groups of one attribute or intersection lie apart, bounded whichever groups are the extremes.

Definitions are Fairlearn's, or AIF360's where it has none; the numbers come from counts alone. Where a
comparison has no meaning it is undefined and says why: never a silent 0 or 1. Nothing here judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from clearance.documents.group_names import MISSING
from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import counts, intervals, rates, significance
from clearance.metrics.rates import Group, Rate, Use

Groups = Mapping[str, Group]

_DIFFERENCES = {
    "demographic_parity_difference": "selection_rate",
    "equal_opportunity_difference": "true_positive_rate",
    "false_positive_rate_difference": "false_positive_rate",
    "false_negative_rate_difference": "false_negative_rate",
    "true_negative_rate_difference": "true_negative_rate",
    "predictive_parity_difference": "positive_predictive_value",
    "accuracy_difference": "accuracy",
}
_ODDS = ("true_positive_rate", "false_positive_rate")
_LOWEST = {"true_positive_rate_lowest": "true_positive_rate", "accuracy_lowest": "accuracy"}


def measure(groups: Groups, confidence: float, reference: str | None = None) -> dict[str, Measurement]:
    """Everything that the decisions of the named groups say, by metric.

    Differences, in [0, 1]: highest minus lowest rate, 0 is parity, 1 that one group always and another never
    has it: selection rate (`demographic_parity_difference`), true positive rate
    (`equal_opportunity_difference`: Hardt, Price and Srebro 2016), false positive, false negative and true
    negative rate, positive predictive value (`predictive_parity_difference`: Chouldechova 2017), accuracy
    (`accuracy_difference`). `average_odds_difference` and `equalized_odds_difference` are of both error
    rates: see below.

    Ratios, in [0, 1]: lowest over highest rate, 1 is parity, 0 that a group never has it.
    `demographic_parity_ratio` is the disparate impact against the best group, too, and carries that name as
    well (29 CFR 1607.4(D): against the group with the highest rate); `equalized_odds_ratio` is the smaller
    ratio of the two rates. `disparate_impact_reference_group` divides by the rate of `reference` (Feldman
    et al. 2015; AIF360's `disparate_impact`) and has no upper end. Lowest rates, in [0, 1], are the worst
    group's.

    `missing_share`, in [0, 1]: 0 means that every row has a group. Fairlearn's values where it has any.
    """
    known_groups = {group: cells for group, cells in groups.items() if group != MISSING}
    figures = {metric: _difference(known_groups, rate, confidence) for metric, rate in _DIFFERENCES.items()}
    selected = _over(known_groups, "selection_rate")
    figures["demographic_parity_ratio"] = _bounded(intervals.min_ratio, selected, confidence)
    figures["disparate_impact_best_group"] = figures["demographic_parity_ratio"]
    figures["disparate_impact_reference_group"] = (
        undefined("no reference group is declared in `evaluate.reference`", _support(selected))
        if reference is None
        else _bounded(partial(intervals.ratio_to, reference), selected, confidence)
    )
    figures["average_odds_difference"] = _average_odds(known_groups, confidence)
    figures["equalized_odds_difference"] = _equalized_odds(known_groups, confidence)
    figures["equalized_odds_ratio"] = _equalized_odds_ratio(known_groups, confidence)
    for metric, rate in _LOWEST.items():
        bound = partial(intervals.lowest, significance.clopper_pearson)
        figures[metric] = _bounded(bound, _over(known_groups, rate), confidence)
    return figures | {"missing_share": _missing_share(groups)}


def scoring_rate_ratio(above_median: Groups, confidence: float) -> Measurement:
    """The lowest share of a group scored above the sample's median, divided by the highest.

    Range [0, 1]: 1 means that every group is as often in the upper half, 0 that a group never is.
    `above_median` counts rows by whether their score lies above the median of all rows, as the decision. The
    median is taken as given. Source: New York City, 6 RCNY 5-300 (Local Law 144 of 2021), "scoring rate".
    """
    over = _over({name: cells for name, cells in above_median.items() if name != MISSING}, "selection_rate")
    return _bounded(intervals.min_ratio, over, confidence)


def _bounded(bound: Callable[..., Measurement], over: Mapping[str, Rate], confidence: float) -> Measurement:
    """What `bound` says of these rates, unless one stands on too few clusters for any interval."""
    if few := rates.few_clusters(over):
        return undefined(few, _support(over))
    return with_rates(bound(*_counted(over), confidence, _support(over)), _values(over))


def with_rates(measurement: Measurement, values: Mapping[str, float]) -> Measurement:
    """The measurement with the rates that it compares, if it compares any."""
    return replace(measurement, rates=values) if measurement.value is not None and values else measurement


def _values(over: Mapping[str, Rate]) -> dict[str, float]:
    return {name: value for name, at in over.items() if (value := at.value) is not None}


def _both_values(groups: Groups) -> dict[str, float]:
    return _values(_over(groups, "true_positive_rate")) | _values(_over(groups, "false_positive_rate"))


def _over(groups: Groups, rate: str, label: str | None = None, use: Use = "compared") -> dict[str, Rate]:
    """The rate of each group, under a name that says which of its rows it is taken over."""
    among = rates.AMONG[rate] if label is None else label
    return {
        f"{group}, {among}" if among else group: rates.rate(cells, rate, use)
        for group, cells in groups.items()
    }


def _counted(over: Mapping[str, Rate]) -> tuple[dict[str, float], dict[str, float]]:
    return {name: at.successes for name, at in over.items()}, {name: at.total for name, at in over.items()}


def _support(over: Mapping[str, Rate]) -> dict[str, int]:
    return {name: at.rows for name, at in over.items()}


def _difference(groups: Groups, rate: str, confidence: float, label: str | None = None) -> Measurement:
    return _bounded(intervals.max_difference, _over(groups, rate, label), confidence)


def _both(groups: Groups) -> dict[str, int]:
    return _support(_over(groups, "true_positive_rate")) | _support(_over(groups, "false_positive_rate"))


def _equalized_odds(groups: Groups, confidence: float) -> Measurement:
    """The larger of the true and the false positive rate's difference: the largest gap over both rates."""
    by_rate = [_over(groups, name, "") for name in _ODDS]
    if holes := _holes(dict(zip(_ODDS, by_rate, strict=True)), intervals.fault):
        return undefined(holes, _both(groups))
    figures = [figure for over in by_rate for figure in intervals.rate_gaps(*_counted(over))]
    method = f"{intervals.NEWCOMBE} over both rates"
    gap = intervals.largest_gap(figures, confidence, method, _both(groups))
    return with_rates(gap, _both_values(groups))


def _equalized_odds_ratio(groups: Groups, confidence: float) -> Measurement:
    """The smaller of the true and the false positive rate's ratio; undefined where a highest rate is 0."""
    by_rate = [_over(groups, name, "") for name in _ODDS]
    if holes := _holes(dict(zip(_ODDS, by_rate, strict=True)), intervals.ratio_fault):
        return undefined(holes, _both(groups))
    figures = [figure for over in by_rate for figure in intervals.rate_ratios(*_counted(over))]
    method = f"{intervals.MOVER_R} over both rates"
    ratio = intervals.smallest_ratio(figures, confidence, method, _both(groups))
    return with_rates(ratio, _both_values(groups))


def _holes(
    by_rate: Mapping[str, Mapping[str, Rate]],
    fault: Callable[[Mapping[str, float], Mapping[str, float]], str | None],
) -> str:
    """Why the groups cannot be compared by some of the rates; empty where they can."""
    faults = {
        name.replace("_", " "): rates.few_clusters(over) or fault(*_counted(over))
        for name, over in by_rate.items()
    }
    return "; ".join(f"{name}: {hole}" for name, hole in faults.items() if hole)


def _average_odds(groups: Groups, confidence: float) -> Measurement:
    """The widest difference between two groups of (true positive rate + false positive rate) / 2.

    Range [0, 1]: 0 is parity, or true positive rates that differ as much as false positive rates do the other
    way. Between two groups it is |AIF360's `average_odds_difference`|. The two rates of a group stand on
    different rows, so their Wilson limits combine as squares (MOVER).
    """
    by_rate = {name: _over(groups, name, "", "summed") for name in _ODDS}
    if holes := _holes(by_rate, intervals.fault):
        return undefined(holes, _both(groups))

    def value(group: str) -> float:
        return sum(at[group].successes / at[group].total for at in by_rate.values()) / 2

    def bounds(group: str, level: float, times: int) -> intervals.Interval:
        pair = [at[group] for at in by_rate.values()]
        shares = [at.successes / at.total for at in pair]
        ends = [intervals.wilson(at.successes * times, at.total * times, level) for at in pair]
        low = math.hypot(*(share - end[0] for share, end in zip(shares, ends, strict=True))) / 2
        high = math.hypot(*(end[1] - share for share, end in zip(shares, ends, strict=True))) / 2
        return max(0.0, value(group) - low), min(1.0, value(group) + high)

    figures = intervals.gaps({group: value(group) for group in groups}, bounds)
    method = "MOVER on the sum of two Wilson scores"
    return intervals.largest_gap(figures, confidence, method, _both(groups))


def _missing_share(groups: Groups) -> Measurement:
    total = sum(cells.count for cells in groups.values())
    if total == 0:
        return undefined("there are no test rows")
    missing = rates.weight_of(groups.get(MISSING, counts.Cells()))
    total_weight = sum(rates.weight_of(cells) for cells in groups.values())
    return Measurement(value=missing / total_weight, support={"test rows": total})
