"""The extreme of several figures: the end that passes is the extreme figure's own, the other is corrected."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assurance import verdict_power
from clearance.documents.measurement import Measurement
from clearance.metrics import calibration, extremes, fairness, intervals, ranked, significance
from clearance.metrics.counts import Cells

Groups = dict[str, tuple[int, int]]

GROUPS = st.lists(
    st.integers(1, 400).flatmap(lambda rows: st.tuples(st.integers(1, rows), st.just(rows))),
    min_size=2,
    max_size=6,
).map(lambda rates: {f"g{at}": rate for at, rate in enumerate(rates)})
TWO = GROUPS.map(lambda groups: dict(list(groups.items())[:2]))
LEVELS = st.floats(0.8, 0.99)

MEASURES: dict[str, Callable[..., Measurement]] = {
    "max_difference": intervals.max_difference,
    "min_ratio": intervals.min_ratio,
    "ratio_to": partial(intervals.ratio_to, "g0"),
    "lowest": partial(intervals.lowest, significance.clopper_pearson),
}
PASSES_BY = {"max_difference": "high", "min_ratio": "low", "ratio_to": "low", "lowest": "low"}


def measure(name: str, groups: Groups, confidence: float) -> Measurement:
    successes, totals = ({group: rate[at] for group, rate in groups.items()} for at in (0, 1))
    return MEASURES[name](successes, totals, confidence)


def single(name: str, groups: Groups, confidence: float) -> list[intervals.Interval]:
    """The interval of every pair, in both directions, or of every group, by the formulas of one alone."""
    if name == "lowest":
        return [significance.clopper_pearson(*rate, confidence) for rate in groups.values()]
    of_pair = intervals.difference if name == "max_difference" else intervals.ratio
    pairs = [(g, "g0") for g in groups if g != "g0"] if name == "ratio_to" else permutations(groups, 2)
    return [of_pair(*groups[a], *groups[b], confidence) for a, b in pairs]


def compared(name: str, groups: Groups) -> int:
    return {"lowest": len(groups), "ratio_to": len(groups) - 1}.get(name, len(list(combinations(groups, 2))))


def ends(name: str, groups: Groups, confidence: float) -> intervals.Interval:
    """Both ends as any one figure gives them at this confidence."""
    lows, highs = zip(*single(name, groups, confidence), strict=True)
    if name == "max_difference":
        return max(0.0, *lows), max(highs)
    most = min(highs) if name == "ratio_to" else min(1.0, *highs)
    return min(lows), most


@pytest.mark.parametrize("name", MEASURES)
@given(groups=GROUPS, confidence=LEVELS)
def test_the_end_that_passes_is_uncorrected_and_the_other_is_as_it_was(
    name: str, groups: Groups, confidence: float
) -> None:
    """So the interval lies within the one that corrects both ends, and passes and fails all that it does."""
    new = measure(name, groups, confidence)
    plain = ends(name, groups, confidence)
    old = ends(name, groups, 1 - (1 - confidence) / compared(name, groups))
    bounds = (old[0], plain[1]) if PASSES_BY[name] == "high" else (plain[0], old[1])
    assert (new.low, new.high) == pytest.approx(bounds, abs=1e-12)
    assert old[0] - 1e-12 <= new.low <= new.value + 1e-12  # type: ignore[operator]
    assert new.value - 1e-12 <= new.high <= old[1] + 1e-12  # type: ignore[operator]


@pytest.mark.parametrize("name", ["max_difference", "min_ratio"])
@given(groups=TWO, confidence=LEVELS)
def test_two_groups_have_one_pair_and_nothing_to_correct(
    name: str, groups: Groups, confidence: float
) -> None:
    new = measure(name, groups, confidence)
    assert (new.low, new.high) == pytest.approx(ends(name, groups, confidence), abs=1e-12)
    assert "Bonferroni" not in new.method


@pytest.mark.parametrize("name", MEASURES)
@given(groups=GROUPS, shuffler=st.randoms(use_true_random=False))
def test_names_and_order_change_nothing(name: str, groups: Groups, shuffler: random.Random) -> None:
    others = [group for group in groups if group != "g0"]
    shuffler.shuffle(others)
    again = {f"g{at}": groups[group] for at, group in enumerate(["g0", *others])}
    first, second = measure(name, groups, 0.95), measure(name, again, 0.95)
    assert (first.value, first.method) == (second.value, second.method)
    assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=1e-12)


@pytest.mark.parametrize("name", MEASURES)
@given(groups=GROUPS)
def test_more_rows_are_projected_as_they_would_be_measured(name: str, groups: Groups) -> None:
    now = measure(name, groups, 0.95)
    for at in now.projections or ():
        then = measure(name, {g: (k * at.times, n * at.times) for g, (k, n) in groups.items()}, 0.95)
        low = max(0.0, at.low) if name == "max_difference" else at.low
        high = at.high if name == "ratio_to" else min(1.0, at.high)
        assert (low, high) == pytest.approx((then.low, then.high), rel=1e-9, abs=1e-12)
    assert tuple(at.times for at in now.projections or ()) == extremes.TIMES


@given(true=GROUPS, false=GROUPS)
@settings(max_examples=40)
def test_equalized_odds_over_both_rates_is_the_rate_that_has_the_extreme(true: Groups, false: Groups) -> None:
    cells = {
        group: Cells(
            true_positive=true[group][0],
            false_negative=true[group][1] - true[group][0],
            false_positive=false[group][0],
            true_negative=false[group][1] - false[group][0],
        )
        for group in true.keys() & false.keys()
    }
    pairs = len(cells) * (len(cells) - 1)  # of both rates
    tables = [{group: rates[group] for group in cells} for rates in (true, false)]
    measurements = fairness.measure(cells, 0.95)
    for metric, name, better in (
        ("equalized_odds_difference", "max_difference", max),
        ("equalized_odds_ratio", "min_ratio", min),
    ):
        plain = [ends(name, rates, 0.95) for rates in tables]
        strict = [ends(name, rates, 1 - 0.05 / pairs) for rates in tables]
        low = better(at[0] for at in (strict if name == "max_difference" else plain))
        high = better(at[1] for at in (plain if name == "max_difference" else strict))
        assert (measurements[metric].low, measurements[metric].high) == pytest.approx((low, high), abs=1e-12)


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 1), st.floats(0.01, 1)), min_size=1, max_size=8),
    LEVELS,
)
def test_the_smallest_is_the_largest_turned_round(
    drawn: list[tuple[float, float, float]], confidence: float
) -> None:
    def figure(value: float, below: float, above: float) -> extremes.Figure:
        def interval(level: float) -> extremes.Interval:
            z = intervals.quantile(level)
            return value - z * below, value + z * above

        return extremes.Figure(value, extremes.shrinking(value, interval))

    how = {"method": "made up", "of": "figures", "support": {}, "within": (-100.0, 100.0)}
    most = extremes.largest([figure(*triple) for triple in drawn], confidence, **how)  # type: ignore[arg-type]
    least = extremes.smallest(
        [figure(-value, above, below) for value, below, above in drawn],
        confidence,
        **how,  # type: ignore[arg-type]
    )
    assert (least.value, least.low, least.high) == (-most.value, -most.high, -most.low)  # type: ignore[operator]


def test_the_method_says_which_end_is_corrected_for_what() -> None:
    groups = {"g0": (40, 100), "g1": (50, 100), "g2": (60, 100)}
    ends_of = {name: measure(name, groups, 0.9).method.split("; ")[-1] for name in MEASURES}
    assert ends_of == {
        "max_difference": "high at 90% for each, low Bonferroni over 3 pairs of groups",
        "min_ratio": "low at 90% for each, high Bonferroni over 3 pairs of groups",
        "ratio_to": "low at 90% for each, high Bonferroni over 2 groups",
        "lowest": "low at 90% for each, high Bonferroni over 3 groups",
    }


def test_six_equal_groups_pass_far_more_often_and_no_unfair_model_more_than_allowed() -> None:
    """A slice of `python -m assurance power`: limit 0.1, six groups of 1,000 rows, and two as they were."""
    scenes = [verdict_power.Scene(metric="difference", groups=groups, rows=1000) for groups in (2, 6)]
    record = verdict_power.measure([1], 400, scenes)
    assert verdict_power.broken(record) == []
    six = record["scenes"][1]
    assert six["equal passed before"] < 0.5 and six["equal passed after"] > 0.8


def test_the_calibration_error_of_the_worst_group_may_miss_half_the_error_above() -> None:
    """Its bounds miss on both sides together, so the passing end asks for the quantile of 97.5 %."""
    seeded = np.random.default_rng(3)
    scores = np.sort(seeded.random(600))
    label, at = (seeded.random(600) < scores).astype(np.int8), seeded.integers(0, 4, 600)
    sampling = intervals.Sampling(confidence=0.95, resamples=500, seed=5)
    names = {code: f"g{code}" for code in range(4)}
    ranks = ranked.rank(label, scores, at)
    measurement = ranked.measure(ranks, np.arange(4), names, sampling, 10)["calibration_error_highest"]
    tables = [calibration.table(label[at == code], scores[at == code], 10) for code in range(4)]

    def bounds(level: float) -> list[intervals.Interval]:
        return [calibration.bounds(table, replace(sampling, confidence=level)) for table in tables]

    assert measurement.high == pytest.approx(max(high for _, high in bounds(0.975)))
    assert measurement.low == pytest.approx(max(low for low, _ in bounds(1 - 0.05 / 4)))
