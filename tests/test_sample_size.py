"""The estimated number of rows does decide, when rates stay the same and all groups grow equally."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.metrics import intervals
from clearance.policy import sample_size


@given(
    rows=st.tuples(st.integers(50, 300), st.integers(50, 300)),
    lower=st.floats(0.3, 0.5),
    gap=st.floats(0.05, 0.3),
    near=st.floats(0.03, 0.05),
    side=st.sampled_from([-1, 1]),
)
def test_twice_the_rows_said_decide_and_a_third_of_them_do_not(
    rows: tuple[int, int], lower: float, gap: float, near: float, side: int
) -> None:
    def bound(times: float) -> intervals.Interval:
        totals = {name: count * times for name, count in zip("ab", rows, strict=True)}
        successes = {"a": lower * totals["a"], "b": (lower + gap) * totals["b"]}
        found = intervals.max_difference(successes, totals, 0.95)
        assert found.low is not None
        assert found.high is not None
        return found.low, found.high

    limit = gap + side * near
    needed = sample_size.times(gap, *bound(1), [limit])
    assert needed is not None
    low, high = bound(2 * needed)
    assert not low <= limit <= high
    if needed > 3:
        low, high = bound(needed / 3)
        assert low <= limit <= high


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
    more = sample_size.estimate(0.05, 0.0, 0.25, [0.1], {"White": 900, "Black": 66})
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
    more = sample_size.estimate(*interval, [0.1], support, minimum=minimum)
    assert sample_size.sentence(more).startswith(says)
