"""Intervals agree with published examples and oracles, and cover the truth as often as they say."""

import math
import random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from clearance.metrics import intervals, significance

LEVELS = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@st.composite
def counts(draw: st.DrawFn, most: int = 400) -> tuple[int, int]:
    total = draw(st.integers(1, most))
    return draw(st.integers(0, total)), total


@st.composite
def groups(draw: st.DrawFn) -> tuple[dict[str, int], dict[str, int]]:
    table = draw(st.dictionaries(st.text("abcdefgh", min_size=1), counts(), min_size=2, max_size=6))
    return {name: k for name, (k, _) in table.items()}, {name: n for name, (_, n) in table.items()}


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_published_examples(
    successes: int, total: int, low: float, high: float
) -> None:
    """R. G. Newcombe, Stat. Med. 17 (1998) 857-872, table I, method 3."""
    assert intervals.wilson(successes, total, 0.95) == pytest.approx((low, high), abs=5e-5)


@given(counts(), LEVELS)
def test_wilson_agrees_with_scipy(count: tuple[int, int], confidence: float) -> None:
    oracle = stats.binomtest(*count).proportion_ci(confidence, method="wilson")
    assert intervals.wilson(*count, confidence) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


@given(counts(), LEVELS)
def test_wilson_encloses_the_rate_and_mirrors(count: tuple[int, int], confidence: float) -> None:
    successes, total = count
    low, high = intervals.wilson(successes, total, confidence)
    mirrored = intervals.wilson(total - successes, total, confidence)
    assert 0 <= low <= successes / total <= high <= 1
    assert low < high
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-12)


def test_wilson_ends_are_exact_where_the_rate_is_extreme() -> None:
    assert intervals.wilson(0, 7, 0.95)[0] == 0
    assert intervals.wilson(7, 7, 0.95)[1] == 1


@given(counts(), st.integers(2, 50))
def test_more_rows_or_less_confidence_narrow_every_interval(count: tuple[int, int], times: int) -> None:
    k, n = count
    few, many = intervals.wilson(k, n, 0.95), intervals.wilson(times * k, times * n, 0.95)
    bold = intervals.wilson(k, n, 0.9)
    assert few[0] <= many[0] <= many[1] <= few[1]
    assert few[0] <= bold[0] <= bold[1] <= few[1]


@pytest.mark.parametrize(
    ("counted", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_difference_gives_newcombes_published_examples(
    counted: tuple[int, int, int, int], low: float, high: float
) -> None:
    """R. G. Newcombe, Stat. Med. 17 (1998) 873-890, table II, method 10."""
    assert intervals.difference(*counted, 0.95) == pytest.approx((low, high), abs=5e-5)


def test_ratio_gives_the_published_example() -> None:
    """Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), chapter 4."""
    assert intervals.ratio(7, 34, 1, 34, 0.95) == pytest.approx((1.1537, 41.9763), abs=5e-5)


@given(counts(), counts(), LEVELS)
def test_difference_encloses_the_point_and_changes_sign_with_the_order(
    first: tuple[int, int], second: tuple[int, int], confidence: float
) -> None:
    low, high = intervals.difference(*first, *second, confidence)
    gap = first[0] / first[1] - second[0] / second[1]
    assert -1 <= low <= gap <= high <= 1
    assert intervals.difference(*second, *first, confidence) == pytest.approx((-high, -low), abs=1e-12)


@given(counts(), counts(), LEVELS)
def test_ratio_encloses_the_point_and_inverts_with_the_order(
    first: tuple[int, int], second: tuple[int, int], confidence: float
) -> None:
    low, high = intervals.ratio(*first, *second, confidence)
    other_low, other_high = intervals.ratio(*second, *first, confidence)
    assert 0 <= low <= high
    if second[0]:
        point = (first[0] / first[1]) / (second[0] / second[1])
        assert low <= point * (1 + 1e-9)
        assert point * (1 - 1e-9) <= high
        assert low * other_high == pytest.approx(1) or (low, other_high) == (0, math.inf)
    assert high * other_low == pytest.approx(1) or (high, other_low) == (math.inf, 0)


@given(counts(), counts(), LEVELS)
def test_ratio_solves_the_equation_it_is_defined_by(
    first: tuple[int, int], second: tuple[int, int], confidence: float
) -> None:
    """MOVER-R: the ends are the ratios r at which the MOVER bound of rate_1 - r * rate_2 is zero."""
    assume(first[0] and second[0])
    (low_1, high_1), (low_2, high_2) = (intervals.wilson(*c, confidence) for c in (first, second))
    rate_1, rate_2 = first[0] / first[1], second[0] / second[1]

    def lower(r: float) -> float:
        return rate_1 - r * rate_2 - math.hypot(rate_1 - low_1, r * (high_2 - rate_2))

    def upper(r: float) -> float:
        return rate_1 - r * rate_2 + math.hypot(high_1 - rate_1, r * (rate_2 - low_2))

    point = rate_1 / rate_2
    low = optimize.brentq(lower, 0, point + 1e-12, xtol=1e-14)
    high = optimize.brentq(upper, point - 1e-12, 1e6, xtol=1e-10)
    assert intervals.ratio(*first, *second, confidence) == pytest.approx((low, high), rel=1e-6)


@given(counts(), counts(), LEVELS)
def test_ratio_and_difference_agree_on_what_is_significant(
    first: tuple[int, int], second: tuple[int, int], confidence: float
) -> None:
    low, high = intervals.difference(*first, *second, confidence)
    assume(min(abs(low), abs(high)) > 1e-9)
    from_one, to_one = intervals.ratio(*first, *second, confidence)
    assert (low > 0, high < 0) == (from_one > 1, to_one < 1)


def test_ratio_has_a_meaning_at_zero_cells() -> None:
    assert intervals.ratio(0, 10, 5, 10, 0.95) == pytest.approx((0.0, 0.6530), abs=1e-4)
    low, high = intervals.ratio(5, 10, 0, 10, 0.95)
    assert low > 1
    assert high == math.inf
    assert intervals.ratio(0, 3, 0, 3, 0.95) == (0.0, math.inf)


@given(groups(), LEVELS)
def test_group_measures_enclose_their_value_and_stay_in_range(
    drawn: tuple[dict[str, int], dict[str, int]], confidence: float
) -> None:
    for measure in (intervals.max_difference, intervals.min_ratio):
        measurement = measure(*drawn, confidence)
        if measurement.undefined:
            assert measure is intervals.min_ratio
            assert not any(drawn[0].values())
            continue
        assert measurement.value is not None
        assert measurement.low is not None
        assert measurement.high is not None
        assert 0 <= measurement.low <= measurement.value + 1e-12
        assert measurement.value - 1e-12 <= measurement.high <= 1
        assert measurement.support == drawn[1]
        assert measurement.confidence == confidence


@given(groups(), st.randoms(use_true_random=False))
def test_names_and_order_of_groups_change_nothing(
    drawn: tuple[dict[str, int], dict[str, int]], shuffler: random.Random
) -> None:
    successes, totals = drawn
    order = list(totals)
    shuffler.shuffle(order)
    aliases = {name: f"group {place}" for place, name in enumerate(order)}
    again = (
        {aliases[name]: successes[name] for name in order},
        {aliases[name]: totals[name] for name in order},
    )
    for measure in (intervals.max_difference, intervals.min_ratio):
        first, second = measure(*drawn, 0.95), measure(*again, 0.95)
        assert (first.value, first.method) == (second.value, second.method)
        if first.value is not None:
            assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=1e-12)


@given(counts(), counts(), LEVELS)
def test_two_groups_get_the_interval_of_their_one_pair(
    first: tuple[int, int], second: tuple[int, int], confidence: float
) -> None:
    measurement = intervals.max_difference(
        {"a": first[0], "b": second[0]}, {"a": first[1], "b": second[1]}, confidence
    )
    low, high = intervals.difference(*first, *second, confidence)
    assert measurement.low == pytest.approx(max(0.0, low, -high), abs=1e-12)
    assert measurement.high == pytest.approx(max(high, -low), abs=1e-12)
    assert measurement.method == "Newcombe hybrid score"


def test_more_groups_widen_the_bound_and_the_method_says_so() -> None:
    two = intervals.max_difference({"a": 30, "b": 60}, {"a": 100, "b": 100}, 0.95)
    three = intervals.max_difference({"a": 30, "b": 60, "c": 45}, {"a": 100, "b": 100, "c": 100}, 0.95)
    assert three.value == two.value
    assert three.low is not None
    assert two.low is not None
    assert three.low < two.low
    assert "Bonferroni over 3 pairs" in three.method


def test_what_cannot_be_compared_is_undefined_and_says_why() -> None:
    for measure in (intervals.max_difference, intervals.min_ratio):
        assert "there is 1" in str(measure({"a": 3}, {"a": 9}, 0.95).undefined)
        assert "there are 0" in str(measure({}, {}, 0.95).undefined)
        empty = measure({"a": 3, "b": 0, "c": 0}, {"a": 9, "b": 0, "c": 0}, 0.95)
        assert empty.undefined == "no rows to count in b, c"
        assert empty.support == {"a": 9, "b": 0, "c": 0}
    nobody = intervals.min_ratio({"a": 0, "b": 0}, {"a": 9, "b": 9}, 0.95)
    assert nobody.value is None
    assert "highest rate is 0" in str(nobody.undefined)


@pytest.mark.parametrize("count", [(1, 0), (0, 0), (-1, 5), (6, 5)])
def test_counts_that_cannot_be_are_refused(count: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not a valid count"):
        intervals.wilson(*count, 0.95)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, math.nan])
def test_a_confidence_outside_its_range_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        intervals.wilson(1, 5, confidence)


def test_groups_of_different_names_are_refused() -> None:
    with pytest.raises(ValueError, match="different groups"):
        intervals.max_difference({"a": 1}, {"b": 1}, 0.95)


TRUTHS = [
    {"a": (0.3, 20), "b": (0.3, 1000)},
    {"a": (0.5, 25), "b": (0.6, 40), "c": (0.9, 200)},
    {"a": (0.05, 30), "b": (0.1, 60), "c": (0.1, 60), "d": (0.1, 60)},
    dict.fromkeys("abcdef", (0.3, 100)),
    {"a": (0.95, 300), "b": (0.75, 60), "c": (0.85, 40)},
]


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_bounds_over_all_groups_cover_the_true_gap_and_ratio(truth: dict[str, tuple[float, int]]) -> None:
    """95 % bounds over 1,000 drawn tables; three standard errors below 93.5 % would be a broken promise."""
    seeded = np.random.default_rng(7)
    totals = {name: n for name, (_, n) in truth.items()}
    rates = [rate for rate, _ in truth.values()]
    gap, ratio = max(rates) - min(rates), min(rates) / max(rates)
    covered = {"gap": 0, "ratio": 0}
    rounds = 1000
    for _ in range(rounds):
        successes = {name: int(seeded.binomial(n, p)) for name, (p, n) in truth.items()}
        measurement = intervals.max_difference(successes, totals, 0.95)
        covered["gap"] += measurement.low <= gap <= measurement.high  # type: ignore[operator]
        measurement = intervals.min_ratio(successes, totals, 0.95)
        covered["ratio"] += measurement.undefined is not None or measurement.low <= ratio <= measurement.high  # type: ignore[operator]
    allowed = 0.935 - 3 * math.sqrt(0.05 * 0.95 / rounds)
    assert min(covered.values()) / rounds >= allowed, covered


@pytest.mark.parametrize("rate", [0.9, 0.97, 0.99])
@pytest.mark.parametrize("rows", [20, 60])
def test_the_lowest_of_high_rates_is_covered_where_all_groups_are_alike(rate: float, rows: int) -> None:
    """As TPR and accuracy of good models are; Wilson's upper ends, the lowest of six, cover under 90 %."""
    seeded = np.random.default_rng(7)
    totals = dict.fromkeys("abcdef", rows)
    trials = [
        dict(zip(totals, trial, strict=True)) for trial in seeded.binomial(rows, rate, (1000, 6)).tolist()
    ]
    bounds = [intervals.lowest(significance.clopper_pearson, trial, totals, 0.95) for trial in trials]
    assert np.mean([trial.low <= rate <= trial.high for trial in bounds]) >= 0.95  # type: ignore[operator]
