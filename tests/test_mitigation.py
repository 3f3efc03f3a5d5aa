"""Reweighing makes outcome and group independent, leaves alone what is, and names what it cannot mend."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.models import reweighing

CELLS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=4)


def rows(cells: list[tuple[int, int]]) -> tuple[pd.DataFrame, np.ndarray]:
    """A table whose n-th group has so many favourable and so many unfavourable rows."""
    groups = [f"group {at}" for at, counts in enumerate(cells) for _ in range(sum(counts))]
    label = [value for yes, no in cells for value in [1] * yes + [0] * no]
    return pd.DataFrame({"race": groups, "sex": "x"}), np.array(label, dtype=np.int8)


@settings(deadline=None)
@given(CELLS)
def test_with_the_weights_every_group_has_the_same_rate(cells: list[tuple[int, int]]) -> None:
    protected, label = rows(cells)
    weights = reweighing.reweigh(protected, label).weights
    overall = label.mean()
    assert weights.sum() == pytest.approx(len(label))
    for group in protected["race"].unique():
        inside = (protected["race"] == group).to_numpy()
        assert np.average(label[inside], weights=weights[inside]) == pytest.approx(overall)
        assert weights[inside].sum() == pytest.approx(inside.sum())


def test_where_groups_do_not_differ_nothing_changes() -> None:
    result = reweighing.reweigh(*rows([(6, 2), (3, 1)]))
    assert result.weights.tolist() == [1.0] * 12
    assert result.one_sided == []


def test_the_groups_are_the_intersections_of_all_attributes() -> None:
    """Balanced by race and by sex, unbalanced where both meet: each attribute alone would see nothing."""
    protected = pd.DataFrame({"race": list("aabb") * 3, "sex": list("mfmf") * 3})
    label = np.array([1, 0, 0, 1] * 2 + [0, 1, 1, 0])
    result = reweighing.reweigh(protected, label)
    assert sorted({round(weight, 6) for weight in result.weights}) == [0.75, 1.5]
    assert [cell["group"] for cell in result.cells] == [
        {"race": "a", "sex": "f"},
        {"race": "a", "sex": "m"},
        {"race": "b", "sex": "f"},
        {"race": "b", "sex": "m"},
    ]


def test_an_unknown_group_is_a_group_and_an_empty_cell_is_named() -> None:
    protected = pd.DataFrame({"race": ["a", "a", "a", None, None]})
    result = reweighing.reweigh(protected, np.array([1, 0, 0, 1, 1]))
    assert np.all(np.isfinite(result.weights))
    assert result.one_sided == ["(missing)"]
    unknown = next(cell for cell in result.cells if cell["group"] == {"race": "(missing)"})
    assert unknown["rows"] == {"favourable": 2, "unfavourable": 0}
    assert unknown["weight"]["unfavourable"] is None
    assert unknown["weight"]["favourable"] == pytest.approx(2 * 3 / (5 * 2))


def test_the_weights_follow_the_order_of_the_rows() -> None:
    protected, label = rows([(5, 1), (2, 4)])
    permutation = np.random.default_rng(0).permutation(len(label))
    straight = reweighing.reweigh(protected, label).weights
    assert np.array_equal(
        reweighing.reweigh(protected.iloc[permutation], label[permutation]).weights, straight[permutation]
    )
