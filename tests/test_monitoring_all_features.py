"""All features together: what no single feature shows is seen, and quiet rows are not told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from clearance.monitoring.figures import all_features
from clearance.monitoring.figures.estimates import Estimate, Undefined

WIDTH = 8


def rows(count: int, seed: int, *, correlated: float = 0.0, shift: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(count, WIDTH))
    numbers[:, 1] = correlated * numbers[:, 0] + np.sqrt(1 - correlated**2) * numbers[:, 1]
    numbers[:, 2] += shift
    table = pd.DataFrame(numbers, columns=[f"f{place}" for place in range(WIDTH)])
    table["kind"] = random.choice(["a", "b, c", "🏠"], count, p=[0.6, 0.3, 0.1])
    table.loc[random.random(count) < 0.05, "f3"] = np.nan
    return table


@pytest.fixture(autouse=True)
def _few_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_features, "PERMUTATIONS", 100)


@pytest.mark.parametrize("change", [{"correlated": 0.6}, {"shift": 0.5}])
def test_a_change_of_correlation_alone_is_seen_as_a_shift_is(change: dict[str, float]) -> None:
    figure = all_features.measure(rows(600, 1, **change), rows(800, 2))
    assert isinstance(figure, Estimate)
    assert figure.value > 0.55
    assert figure.p_above(0.5) < 1e-5
    assert figure.interval(0.95)[0] > 0.5
    assert figure.p_above(0.9) == 1
    assert figure.p_below(0.9) < 1e-5


def test_quiet_rows_are_told_apart_no_more_often_than_the_p_value_says() -> None:
    small = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        live, reference = (pd.DataFrame(random.normal(size=(60, 2)), columns=["a", "b"]) for _ in "ab")
        small += all_features.measure(live, reference).p_above(0.5) <= 0.1
    assert small <= 60 * 0.1 + 3 * np.sqrt(60 * 0.1 * 0.9)


def test_the_tail_of_permuted_values_is_no_heavier_than_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one feature, where a normal tail is least likely to hold."""
    monkeypatch.setattr(all_features, "PERMUTATIONS", 4000)
    random = np.random.default_rng(3)
    live, reference = (pd.DataFrame({"a": random.normal(size=120)}) for _ in range(2))
    terms = all_features.expand(all_features.encode(pd.concat([reference, live], ignore_index=True)))
    assert terms is not None
    separation = all_features._separate(terms, np.repeat([0, 1], 120), random)
    scaled = (separation.null - separation.null.mean()) / separation.null.std()
    for deviations, tail in ((1.645, 0.05), (2.326, 0.01), (3.09, 0.001)):
        assert np.mean(scaled > deviations) <= 1.3 * tail + 3 * np.sqrt(tail / 4000)


def test_the_same_rows_give_the_same_value_and_many_rows_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    live, reference = rows(300, 4), rows(300, 5)
    one, other = (all_features.measure(live, reference) for _ in range(2))
    assert isinstance(one, Estimate)
    assert isinstance(other, Estimate)
    assert one.value == other.value
    assert one.p_above(0.5) == other.p_above(0.5)
    monkeypatch.setattr(all_features, "MOST_ROWS", 200)
    cut = all_features.measure(live, reference)
    assert (cut.rows, cut.reference_rows) == (200, 200)


def _frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    ("live", "reference"),
    [
        (_frame(a=[]), _frame(a=np.arange(100.0))),
        (_frame(a=[1.0]), _frame(a=np.arange(100.0))),
        (_frame(a=np.ones(100)), _frame(a=np.ones(100))),
        (_frame(a=np.full(100, np.nan)), _frame(a=np.full(100, np.nan))),
        (_frame(a=np.arange(100.0)), _frame(b=np.arange(100.0))),
    ],
    ids=["empty", "one row", "constant", "all missing", "no column in common"],
)
def test_what_cannot_be_told_apart_is_undefined(live: pd.DataFrame, reference: pd.DataFrame) -> None:
    figure = all_features.measure(live, reference)
    assert isinstance(figure, Undefined)
    assert figure.evaluated
    assert figure.p_above(0.5) == 1


def test_odd_columns_are_taken_as_they_are() -> None:
    count = 200
    random = np.random.default_rng(6)
    table = _frame(
        flag=random.random(count) < 0.5,
        day=pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 300, count), unit="D"),
        huge=random.choice([1e300, -1e300, np.inf, np.nan], count),
        number=pd.array(random.integers(0, 5, count), dtype="Int64"),
        text=random.choice(["a", None], count),
        code=[f"id-{row}" for row in range(count)],
    )
    half = count // 2
    figure = all_features.measure(table.iloc[:half], table.iloc[half:])
    assert isinstance(figure, Estimate)
    assert np.isfinite(figure.value)
    missing = table.assign(number=pd.array([pd.NA] * count, dtype="Int64"))
    assert all_features.measure(missing.iloc[:half], table.iloc[half:]).p_above(0.6) < 1e-6


def test_wide_tables_are_sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_features, "MOST_TERMS", 50)
    columns = all_features.encode(rows(300, 7))
    terms = all_features.expand(columns)
    assert terms is not None
    assert terms.shape == (300, 50 + columns.shape[1])
    figure = all_features.measure(rows(600, 8, shift=0.8), rows(600, 9))
    assert figure.p_above(0.5) < 1e-3
