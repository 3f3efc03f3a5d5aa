"""Features that all but give the label away are told from honest ones; scikit-learn agrees on the area."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from clearance.metrics import proxies, ranking
from expectations import features, near_leaks
from expectations.observed_table import ObservedTable

RANDOM = np.random.default_rng(5)
ROWS = 800
LABEL = RANDOM.random(ROWS) < 0.4


def out_of_fold(cell: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The share inside of each row's cell among the rows of the other folds, counted row by row."""
    fold = np.arange(len(cell)) % proxies.FOLDS
    scores = np.empty(len(cell))
    for at in range(len(cell)):
        others = fold != fold[at]
        same = others & (cell == cell[at])
        scores[at] = (inside[same].sum() + inside[others].mean()) / (same.sum() + 1)
    return scores


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cells=st.integers(2, 12), telling=st.floats(0, 1))
def test_the_area_and_its_bound_are_those_of_the_scores_of_other_folds(
    seed: int, cells: int, telling: float
) -> None:
    random = np.random.default_rng(seed)
    inside = np.arange(120) % 3 == 0
    cell = np.where(random.random(120) < telling, inside, random.integers(0, cells, 120)).astype(np.int64)
    measurement, scores = near_leaks.area(cell, inside), out_of_fold(cell, inside).round(12)
    above = scores[inside][:, None] > scores[~inside][None, :]
    won = above + 0.5 * (scores[inside][:, None] == scores[~inside][None, :])
    error = np.sqrt(won.mean(axis=1).var(ddof=1) / won.shape[0] + won.mean(axis=0).var(ddof=1) / won.shape[1])
    if error:
        value = roc_auc_score(inside, scores)
        low, _ = ranking.area_bounds(value, error, min(won.shape), near_leaks.CONFIDENCE)
        assert measurement.value == pytest.approx(value, abs=1e-12)
        assert measurement.low == pytest.approx(low, abs=1e-9)


def test_too_few_rows_of_a_kind_tell_nothing() -> None:
    inside = np.arange(100) < ranking.FEWEST - 1
    assert near_leaks.area(inside.astype(np.int64), inside) == near_leaks.NOTHING


def turned(share: float) -> np.ndarray:
    return LABEL ^ (RANDOM.random(ROWS) < share)


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        (turned(0.005), "block"),
        (np.where(turned(0.005), "paid", "closed"), "block"),
        (np.exp(-3 * (LABEL + RANDOM.normal(0, 0.2, ROWS))), "block"),
        (np.abs(5 * LABEL + RANDOM.normal(0, 1, ROWS) - 2.5) + 10 * LABEL, "block"),
        (2 * RANDOM.integers(0, 40, ROWS) + turned(0.005), "block"),
        ([f"{'no' if no else 'yes'}-{at}" for at, no in enumerate(turned(0.005))], "block"),
        (np.where(RANDOM.random(ROWS) < 0.4, np.nan, turned(0.005)), "block"),
        (turned(0.08), "warn"),
        (LABEL + RANDOM.normal(0, 0.5, ROWS), "warn"),
        (turned(0.25), None),
        (LABEL + RANDOM.normal(0, 1, ROWS), None),
        (RANDOM.normal(size=ROWS), None),
        ([f"name {at}" for at in RANDOM.permutation(ROWS)], None),
        ([None] * ROWS, None),
    ],
)
def test_how_much_a_feature_tells_decides_what_its_telling_does(values: object, severity: str | None) -> None:
    frame = pd.DataFrame({"x": values, "sex": RANDOM.choice(["f", "m"], ROWS), "label": LABEL})
    leak = features.ExpectFeaturesNotToGiveAway(features=["x"], attributes=["sex"], label="label", most=0.95)
    much = features.ExpectFeaturesToTellLittle(features=["x"], targets=["sex", "label"], most=0.95)
    assert bool(list(leak.faults(ObservedTable.of(frame)))) is (severity == "block")
    assert bool(list(much.faults(ObservedTable.of(frame)))) is (severity == "warn")


def test_what_tells_a_group_hides_its_rows_and_names_the_limit_to_raise() -> None:
    group = pd.Series(RANDOM.choice(["a", "b", "c"], ROWS))
    x = (group == "b") ^ (RANDOM.random(ROWS) < 0.005)
    frame = pd.DataFrame({"x": x, "race": group, "label": LABEL})
    leak = features.ExpectFeaturesNotToGiveAway(features=["x"], attributes=["race"], label="label", most=0.95)
    (fault,) = leak.faults(ObservedTable.of(frame))
    assert fault.leaks
    assert fault.hint is not None
    assert "data.protected_encodings" in fault.hint
    assert "data.leak_auc_max" in fault.hint
    lenient = features.ExpectFeaturesNotToGiveAway(
        features=["x"], attributes=["race"], label="label", most=0.9999
    )
    assert not list(lenient.faults(ObservedTable.of(frame)))


FLAG = RANDOM.random(ROWS) < 0.5
BEFORE = RANDOM.normal(100, 20, ROWS)


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (FLAG, FLAG ^ LABEL, True),
        (FLAG, FLAG ^ turned(0.005), True),
        (BEFORE, BEFORE + 5 * LABEL, True),
        (BEFORE, BEFORE + 5 * LABEL + RANDOM.normal(0, 0.5, ROWS), True),
        (BEFORE, 2 * BEFORE, False),
        (FLAG, FLAG ^ turned(0.2), False),
        (BEFORE, BEFORE + 5 * LABEL + RANDOM.normal(0, 5, ROWS), False),
        (np.full(ROWS, np.nan), np.full(ROWS, 7.0), False),
        (np.where(FLAG, np.inf, 1e308), BEFORE, False),
    ],
)
def test_two_features_that_settle_the_label_together_are_named(
    one: np.ndarray, other: np.ndarray, told: bool
) -> None:
    frame = pd.DataFrame({"one": one, "noise": RANDOM.normal(size=ROWS), "other": other})
    pairs = [(a, b) for a, b, _ in near_leaks.pairs(frame, pd.Series(LABEL), 0.95)]
    assert pairs == ([("one", "other")] if told else [])


def test_a_large_table_is_looked_at_by_sample() -> None:
    frame = pd.DataFrame({"x": np.arange(35_000)})
    assert len(near_leaks.sample(ObservedTable.of(frame), ["x"])) <= proxies.ROWS
    assert near_leaks.sample(ObservedTable.of(frame), ["x"])["x"].max() > 34_990
