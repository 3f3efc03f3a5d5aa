"""The estimated number of rows does decide, when rates stay the same and all groups grow equally."""

from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from clearance.documents.measurement import Measurement
from clearance.metrics import extremes, intervals, significance
from clearance.policy import sample_size


def measured(value: float, low: float, high: float) -> Measurement:
    return Measurement(value=value, low=low, high=high, confidence=0.95)


RATES = st.lists(
    st.tuples(st.integers(30, 2000), st.floats(0.03, 0.97)).map(
        lambda group: (round(group[0] * group[1]), group[0])
    ),
    min_size=2,
    max_size=6,
)
MEASURES = {
    "difference": intervals.max_difference,
    "ratio": intervals.min_ratio,
    "lowest": partial(intervals.lowest, significance.clopper_pearson),
}


def projected(name: str, rates: list[tuple[int, int]], times: float) -> Measurement:
    """The same rates measured over so many times the rows."""
    totals = {str(at): rows * times for at, (_, rows) in enumerate(rates)}
    successes = {str(at): hits * times for at, (hits, _) in enumerate(rates)}
    return MEASURES[name](successes, totals, 0.95)


def is_undecided(measurement: Measurement, limit: float) -> bool:
    assert measurement.low is not None and measurement.high is not None
    return measurement.low <= limit <= measurement.high


@pytest.mark.parametrize("name", MEASURES)
@given(rates=RATES, where=st.floats(0.02, 0.98))
@example(rates=[(1, 30), (1, 30)], where=0.21875)
def test_as_many_rows_as_it_says_decide_and_those_of_the_projection_below_do_not(
    name: str, rates: list[tuple[int, int]], where: float
) -> None:
    """Both ends, each at the level that it has, for a limit anywhere inside the interval.

    A fifth more is for reading between two projections.
    """
    now = projected(name, rates, 1)
    assume(now.value is not None)
    assert now.low is not None and now.high is not None
    limit = now.low + where * (now.high - now.low)
    needed = sample_size.estimate(now, [limit], now.support).times
    assume(needed is not None)
    assert needed is not None
    assert not is_undecided(projected(name, rates, needed * 1.2), limit)
    fewer = max(times for times in extremes.TIMES if times <= needed)
    assert needed == fewer or is_undecided(projected(name, rates, fewer), limit)


@pytest.mark.parametrize("name", MEASURES)
def test_a_third_fewer_rows_than_it_says_hardly_ever_decide(name: str) -> None:
    """Only where another pair of groups becomes the extreme one between two projections: 1 in 3,000."""
    random = np.random.default_rng(3)
    answers = []
    for _ in range(300):
        rows = random.integers(30, 2000, size=random.integers(2, 7))
        rates = [(round(count * random.uniform(0.03, 0.97)), int(count)) for count in rows]
        now = projected(name, rates, 1)
        assert now.low is not None and now.high is not None
        limit = now.low + random.uniform(0.02, 0.98) * (now.high - now.low)
        needed = sample_size.estimate(now, [limit], now.support).times
        if needed is not None and needed > 1.5:
            answers.append(is_undecided(projected(name, rates, needed * 0.67), limit))
    assert len(answers) > 200
    assert np.mean(answers) > 0.99


@pytest.mark.parametrize(("limit", "seed"), [(0.1, 1), (0.02, 2)])
def test_so_many_rows_drawn_anew_decide_as_often_as_chance_allows(limit: float, seed: int) -> None:
    """A gap of 0.06 in six groups: below the limit of 0.1 it passes, above that of 0.02 it fails.

    Where the value is what it was, the end just reaches the limit: half of the samples decide, and
    nearly all with twice the rows.
    """
    random = np.random.default_rng(seed)
    rates = np.array([0.5, 0.56, 0.53, 0.53, 0.53, 0.53])
    names = [str(at) for at in range(6)]

    def interval(successes: npt.NDArray[np.number], rows: int) -> Measurement:
        return intervals.max_difference(
            dict(zip(names, successes.tolist(), strict=True)), dict.fromkeys(names, rows), 0.95
        )

    needed = sample_size.estimate(interval(rates * 500, 500), [limit], dict.fromkeys(names, 500)).times
    assert needed is not None
    decided = {}
    for factor in (0.4, 2):
        rows = int(500 * needed * factor)
        samples = [interval(random.binomial(rows, rates), rows) for _ in range(200)]
        decided[factor] = np.mean([not now.low <= limit <= now.high for now in samples])  # type: ignore[operator]
    assert decided[2] > 0.75
    assert decided[0.4] < 0.45


def test_a_pair_far_from_the_limit_does_not_hide_how_many_rows_the_failing_pair_needs() -> None:
    """Two large groups 0.09 apart hold the low end up; only the small group can break the limit."""

    def interval(times: float) -> Measurement:
        rates = {"a": (4500, 10_000), "b": (5400, 10_000), "c": (3, 12)}
        successes, totals = ({k: pair[at] * times for k, pair in rates.items()} for at in (0, 1))
        return intervals.max_difference(successes, totals, 0.95)

    now = interval(1)
    needed = sample_size.estimate(now, [0.1], {}).times
    assert needed is not None and now.low is not None
    assert now.low < 0.1 < interval(needed * 1.01).low  # type: ignore[operator]
    assert needed > 2 * sample_size.times(now.value, now.low, now.high, [0.1])  # type: ignore[operator, arg-type]


@pytest.mark.parametrize(
    ("measured", "fences", "expected"),
    [
        ((0.05, 0.0, 0.25), [0.1], 16),
        ((0.3, 0.05, 0.5), [0.1], 1.5625),
        ((0.9, 0.7, 1.3), [0.8, 1.25], 4),
        ((0.05, 0.0, 0.08), [0.1], 1),
        ((0.1, 0.0, 0.3), [0.1], None),
        ((0.0999, 0.0, 0.3), [0.1], None),
        ((0.05, 0.0, 0.1), [0.1], 1),
    ],
)
def test_times_the_rows(
    measured: tuple[float, float, float], fences: list[float], expected: float | None
) -> None:
    assert sample_size.times(*measured, fences) == (expected and pytest.approx(expected))


def test_the_estimate_names_the_smallest_group_and_its_rows() -> None:
    more = sample_size.estimate(measured(0.05, 0.0, 0.25), [0.1], {"White": 900, "Black": 66})
    assert (more.times, more.group, more.rows, more.short) == (pytest.approx(16), "Black", 66, {})
    assert sample_size.sentence(more) == (
        "about 16 times as many rows (990 more in Black, the smallest group) would decide it, "
        "if rates stay the same and all groups grow equally"
    )


@pytest.mark.parametrize(
    ("interval", "support", "minimum", "says"),
    [
        ((0.1, 0.0, 0.3), {}, 0, "more rows will not decide it"),
        ((0.05, 0.0, 0.25), {}, 0, "about 16 times as many rows would decide it"),
        ((0.05, 0.0, 0.08), {"a": 27, "b": 900}, 30, "3 more rows in a would decide it"),
        ((0.05, 0.0, 0.08), {"a": 29, "b": 28}, 30, "1 more row in a and 2 more rows in b would decide it"),
        ((0.05, 0.0, 0.25), {"a": 27, "b": 900}, 30, "about 16 times as many rows (410 more in a"),
        ((0.05, 0.0, 0.08), {"a": 40}, 0, "more rows in a, the smallest group (40 now), would decide it"),
        ((0.05, 0.0, 0.08), {}, 0, "more rows would decide it"),
    ],
)
def test_the_sentence_says_what_decides(
    interval: tuple[float, float, float], support: dict[str, int], minimum: int, says: str
) -> None:
    more = sample_size.estimate(measured(*interval), [0.1], support, minimum=minimum)
    assert sample_size.sentence(more).startswith(says)
