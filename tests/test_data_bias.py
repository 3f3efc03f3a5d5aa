"""Bias in the data: figures against their definitions by hand, and proxies against planted ones."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from clearance.metrics import data_bias, proxies

COUNTS = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=2, max_size=5)


def groups(cells: list[tuple[int, int]]) -> tuple[dict[str, int], dict[str, int]]:
    names = [f"g{at}" for at in range(len(cells))]
    favourable = {name: yes for name, (yes, _) in zip(names, cells, strict=True)}
    rows = {name: yes + no for name, (yes, no) in zip(names, cells, strict=True)}
    return favourable, rows


@given(COUNTS)
def test_divergences_are_scipys_over_the_worst_pair(cells: list[tuple[int, int]]) -> None:
    measurements = data_bias.labels(*groups(cells), 0.95)
    shares = [np.array([yes, no]) / (yes + no) for yes, no in cells]
    pairs = [(p, q) for p in shares for q in shares]
    kl = max(stats.entropy(p, q) for p, q in pairs)
    js = max((stats.entropy(p, (p + q) / 2) + stats.entropy(q, (p + q) / 2)) / 2 for p, q in pairs)
    variation = max(np.abs(p - q).sum() / 2 for p, q in pairs)
    assert measurements["label_kl_divergence"].value == pytest.approx(kl, abs=1e-12)
    assert measurements["label_js_divergence"].value == pytest.approx(js, abs=1e-12)
    assert measurements["label_total_variation"].value == pytest.approx(variation, abs=1e-12)
    assert measurements["label_rate_difference"].value == pytest.approx(variation, abs=1e-12)


def test_a_group_of_one_label_leaves_the_kl_divergence_undefined_and_the_others_at_their_ends() -> None:
    measurements = data_bias.labels({"a": 10, "b": 0}, {"a": 10, "b": 10}, 0.95)
    assert measurements["label_kl_divergence"].undefined
    assert measurements["label_js_divergence"].value == pytest.approx(math.log(2))
    assert measurements["label_total_variation"].value == 1


@pytest.mark.parametrize("rows", [{}, {"a": 5}, {"a": 5, "b": 0}])
def test_without_two_groups_with_rows_nothing_is_said(rows: dict[str, int]) -> None:
    measurements = data_bias.labels(dict.fromkeys(rows, 0), rows, 0.95)
    assert all(figure.undefined for figure in measurements.values())
    assert data_bias.missingness({"x": dict.fromkeys(rows, 0)}, rows, 0.95).undefined


def test_class_imbalance_is_the_difference_over_the_sum() -> None:
    assert data_bias.class_imbalance({"a": 90, "b": 10}).value == pytest.approx(0.8)
    assert data_bias.class_imbalance({"a": 7, "b": 7}).value == 0
    assert data_bias.class_imbalance({"a": 7}).undefined


def test_missingness_is_the_worst_feature_and_its_bounds_hold_for_all() -> None:
    nulls = {"income": {"a": 5, "b": 40}, "debt": {"a": 3, "b": 3}}
    measurement = data_bias.missingness(nulls, {"a": 100, "b": 100}, 0.95)
    assert measurement.value == pytest.approx(0.35)
    assert measurement.feature == "income"
    assert "`income`" in measurement.method
    none = data_bias.missingness({"income": {"a": 0, "b": 0}}, {"a": 100, "b": 100}, 0.95)
    assert (none.value, none.feature) == (0, None)
    alone = data_bias.missingness({"income": nulls["income"]}, {"a": 100, "b": 100}, 0.95)
    assert measurement.low is not None
    assert alone.low is not None
    assert measurement.low < alone.low < 0.35


def planted(rows: int = 3000, seed: int = 1) -> tuple[pd.DataFrame, pd.Series]:
    """`noise` says nothing, `hint` something, and `left` and `right` together all."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 2, rows)
    features = pd.DataFrame(
        {
            "noise": rng.normal(size=rows),
            "hint": rng.normal(size=rows) + group,
            "left": (base := rng.normal(size=rows)) + 0.7 * group,
            "right": -base + 0.7 * group,
            "text": rng.choice(["x", "y"], rows),
        }
    )
    return features, pd.Series(np.where(group, "b", "a"), name="race")


def alone(features: pd.DataFrame, group: pd.Series, name: str) -> float:
    """The area of one feature on its own."""
    value = proxies.measure(features[[name]], group, 0.95).strongest.value
    assert value is not None
    return value


def test_proxies_are_told_from_noise_and_the_areas_are_out_of_fold() -> None:
    features, group = planted()
    areas = proxies.measure(features, group, 0.95)
    assert "`hint`" in areas.strongest.method
    assert alone(features, group, "noise") == pytest.approx(0.5, abs=0.04)
    assert alone(features, group, "text") == pytest.approx(0.5, abs=0.04)
    plain = roc_auc_score(group == "b", features["hint"])
    assert alone(features, group, "hint") == pytest.approx(plain, abs=0.02)
    assert areas.strongest.value == max(alone(features, group, name) for name in features)
    assert areas.together.value is not None
    assert areas.together.value > areas.strongest.value + 0.1
    for figure in (areas.strongest, areas.together):
        assert figure.value is not None
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low < figure.value < figure.high


def test_a_perfect_proxy_is_found_and_a_key_is_none() -> None:
    features, group = planted(600)
    features["code"] = np.where(group == "a", "N1", "S2")
    features["key"] = [f"k{at}" for at in range(len(group))]
    areas = proxies.measure(features, group, 0.95)
    assert alone(features, group, "code") == 1
    assert alone(features, group, "key") < 0.6  # memorised in no other fold
    assert (areas.strongest.feature, areas.together.feature) == ("code", None)


def test_that_a_value_is_missing_can_be_the_proxy() -> None:
    features, group = planted(600)
    features["noise"] = features["noise"].where(group == "a")
    assert alone(features, group, "noise") == 1


def test_renaming_groups_changes_no_area() -> None:
    features, group = planted(800)
    aliases = group.map({"a": "z", "b": "m"})
    here, there = (proxies.measure(features, grouping, 0.95) for grouping in (group, aliases))
    assert here.strongest.value == pytest.approx(there.strongest.value)
    assert here.together.value == pytest.approx(there.together.value, abs=1e-3)


@pytest.mark.parametrize("names", [["a"] * 50, ["a"] * 45 + ["b"] * 5, [None] * 50])
def test_without_two_groups_large_enough_nothing_is_said(names: list[str | None]) -> None:
    features, _ = planted(50)
    areas = proxies.measure(features, pd.Series(names, dtype=object), 0.95)
    assert areas.strongest.undefined
    assert areas.together.undefined
    assert proxies.measure(features, pd.Series(["a", "b"] * 25), 0.95).strongest.value
    vanished = proxies.measure(features, pd.Series(["a", "b"] * 25), 0.95, group_names=["a", "b", "c"])
    assert vanished.strongest.undefined
    rare = proxies.measure(features, pd.Series(["a", "b"] * 24 + ["c"] * 2), 0.95)
    assert rare.together.undefined
    assert proxies.measure(features[[]], pd.Series(["a", "b"] * 25), 0.95).strongest.undefined
