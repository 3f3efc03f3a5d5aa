"""Bins and cells: every value is in one cell, the same for the reference and for live rows."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings

from clearance.documents.baseline_document import FeatureBins
from clearance.monitoring.counting import bins

LOWEST = float(np.finfo(float).min)
numbers = st.lists(
    st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(-5, 5).map(float)), max_size=200
)
texts = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b, c", "🙂", "", "d\ne", "é"])), max_size=200)


def cell_of(feature: FeatureBins, value: float) -> int:
    """The cell by the words of `FeatureBins`."""
    if np.isnan(value):
        return feature.size - 1
    if np.isinf(value):
        return feature.size - 2
    return sum(edge < value for edge in feature.edges)


@settings(max_examples=150)
@given(values=numbers, more=numbers, most=st.integers(2, 20))
@example(values=[LOWEST], more=[0.0], most=2)
@example(values=[-LOWEST], more=[0.0], most=2)
def test_numbers_are_in_the_cell_that_the_document_says(
    values: list[float], more: list[float], most: int
) -> None:
    feature = bins.of_numbers(np.array(values, dtype=float), most)
    assert list(feature.edges) == sorted(set(feature.edges))
    assert len(feature.edges) < max(most, 3)
    live = pd.Series([*values, *more], dtype="float64")
    assert bins.places(feature, live).tolist() == [cell_of(feature, value) for value in live]
    reference = bins.reference(feature, pd.Series(values, dtype="float64"))
    assert sum(reference.counts) == len(values) and len(reference.counts) == feature.size


@pytest.mark.parametrize("distinct", range(2, 11))
def test_each_of_a_few_values_has_a_bin_of_its_own(distinct: int) -> None:
    values = np.repeat(np.arange(distinct, dtype=float), range(1, distinct + 1))
    counts = bins.reference(bins.of_numbers(values), pd.Series(values)).counts
    assert counts[:-2] == tuple(range(1, distinct + 1))


def test_bins_of_a_spread_column_hold_about_as_many_values_each() -> None:
    values = np.random.default_rng(1).normal(size=5_000)
    counts = bins.reference(bins.of_numbers(values), pd.Series(values)).counts
    assert len(counts) == 12 and min(counts[:10]) >= 499 and max(counts[:10]) <= 501


def test_a_constant_column_sees_what_is_below_and_above() -> None:
    feature = bins.of_numbers(np.full(50, 7.0))
    live = pd.Series([6.999, 7.0, 7.001, np.nan, np.inf])
    assert bins.count(feature, bins.places(feature, live)).tolist() == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("values", [[], [np.nan, np.nan]])
def test_a_column_without_values_has_one_bin(values: list[float]) -> None:
    feature = bins.of_numbers(np.array(values, dtype=float))
    assert feature.size == 3
    assert bins.places(feature, pd.Series([1.0, np.nan])).tolist() == [0, 2]


@settings(max_examples=100)
@given(values=texts, more=texts)
def test_categories_with_commas_and_emoji_are_counted_by_their_text(
    values: list[str | None], more: list[str | None]
) -> None:
    feature = bins.of_categories(values, most=3)
    frequency = {name: values.count(name) for name in values if name is not None}
    best = sorted(frequency, key=lambda name: (-frequency[name], name))[:3]
    assert list(feature.categories) == best
    expected = [
        len(best) + 1 if value is None else best.index(value) if value in best else len(best)
        for value in more
    ]
    assert bins.places(feature, pd.Series(more, dtype=object)).tolist() == expected


def test_the_order_of_the_rows_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    values = pd.Series(np.round(rng.gamma(2, 3, 997), 1))
    shuffled = values.sample(frac=1, random_state=3)
    assert bins.of_column(values) == bins.of_column(shuffled)
    assert bins.reference(bins.of_column(values), values).counts == (
        bins.reference(bins.of_column(values), shuffled).counts
    )


@pytest.mark.parametrize(("value", "power"), [(1.0, 0.0), (-999.0, 2.75), (1e-3, -3.0), (1e300, 19.75)])
def test_sizes_are_in_quarters_of_a_power_of_ten(value: float, power: float) -> None:
    (place,) = bins.size_places(np.array([value, 0.0, np.nan, np.inf]))
    assert bins.size_edges()[place] == power


@settings(max_examples=60)
@given(
    values=st.lists(st.floats(0, 1), min_size=1, max_size=300), live=st.lists(st.floats(0, 1), max_size=300)
)
def test_halved_cells_are_pairs_of_cells(values: list[float], live: list[float]) -> None:
    feature = bins.of_numbers(np.array(values), bins.SCORE_BINS)
    reference = bins.reference(feature, pd.Series(values))
    counts = bins.count(feature, bins.places(feature, pd.Series(live, dtype="float64")))
    half, coarse = bins.halved(counts, reference)
    again = bins.count(coarse.bins, bins.places(coarse.bins, pd.Series(live, dtype="float64")))
    assert half.tolist() == again.tolist() and coarse.bins.size == len(coarse.counts)
    fresh = bins.reference(coarse.bins, pd.Series(values))
    assert coarse.counts == fresh.counts
    means = [
        np.array([np.nan if mean is None else mean for mean in it.means or ()]) for it in (coarse, fresh)
    ]
    np.testing.assert_allclose(*means, rtol=1e-9, atol=1e-12)
