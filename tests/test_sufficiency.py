"""The number of rows said to decide does decide, when the rates stay and every group grows alike."""

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


def test_the_sentence_names_the_group_and_the_rows() -> None:
    said = sample_size.sentence(0.05, 0.0, 0.25, [0.1], {"White": 900, "Black": 66})
    assert said == (
        "Black has the fewest rows (66); about 16 times the rows, 990 more in Black, would decide it "
        "if all rates stay as they are and every group grows alike"
    )
    assert sample_size.sentence(0.1, 0.0, 0.3, [0.1], {}).startswith("it cannot be decided")
    assert sample_size.sentence(0.05, 0.0, 0.25, [0.1], {}).startswith("about 16 times the rows, would")
