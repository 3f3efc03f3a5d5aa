"""Attribution drift: scikit-learn's nDCG and every order that intervals allow as oracles."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import special
from sklearn.metrics import ndcg_score

from clearance.documents.baseline_document import BaselineDocument
from clearance.monitoring.counting.window_counts import Contributions, WindowCounts
from clearance.monitoring.figures import attribution
from clearance.monitoring.figures.attribution import Agreement
from clearance.monitoring.figures.estimates import Estimate, Figure, Undefined

SIZES = st.floats(0.01, 10).map(lambda size: round(size, 3))
FEATURES = 28
PROFILE = {f"f{place}": 1 / (1 + place) for place in range(FEATURES)}


def baseline(profile: dict[str, float] | None) -> BaselineDocument:
    return BaselineDocument(model_sha256="0" * 64, threshold=0.5, rows=1, features={}, attribution=profile)


def window(means: dict[str, float], rows: int, seed: int) -> WindowCounts:
    """Contributions whose sizes are half-normal, as those of a linear model on normal features."""
    drawn = np.abs(np.random.default_rng(seed).normal(size=(rows, len(means)))) * np.sqrt(np.pi / 2)
    sizes = drawn * np.array(list(means.values()))
    parts = {
        name: Contributions(rows=rows, total=float(column.sum()), squares=float((column**2).sum()))
        for name, column in zip(means, sizes.T, strict=True)
    }
    return WindowCounts(rows=rows, features={}, score=np.zeros(3, dtype=np.int64), contributions=parts)


def measured(means: dict[str, float], rows: int = 500, seed: int = 1) -> Figure:
    return attribution.measure(window(means, rows, seed), baseline(PROFILE))


def shuffled(seed: int) -> dict[str, float]:
    order = np.random.default_rng(seed).permutation(FEATURES)
    return dict(zip(PROFILE, np.array(list(PROFILE.values()))[order].tolist(), strict=True))


@given(
    st.integers(2, 12).flatmap(lambda size: st.lists(st.tuples(SIZES, SIZES), min_size=size, max_size=size))
)
def test_the_value_is_that_of_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    profile, means = np.array(pairs).T
    assert attribution.ndcg(profile, means) == pytest.approx(ndcg_score([profile], [means]), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(float, (3, 5), elements=SIZES))
def test_bounds_enclose_every_order_that_the_intervals_allow(numbers: np.ndarray) -> None:
    profile, means, errors = numbers
    agreement = Agreement(profile=profile, means=means, errors=errors / 10, rows=100)
    error = 0.05
    low, high = agreement.ends(error)
    reach = abs(float(special.stdtrit(99, error / 10)))
    lower, upper = means - reach * errors / 10, means + reach * errors / 10
    values = [
        attribution.ndcg(profile, -np.argsort(order).astype(float))
        for order in permutations(range(5))
        if not any(lower[after] > upper[before] for before, after in combinations(order, 2))
    ]
    assert values
    assert low <= min(values) + 1e-9
    assert high >= max(values) - 1e-9


def test_the_same_order_passes_and_another_fails() -> None:
    quiet, broken = measured(PROFILE), measured(shuffled(3))
    assert isinstance(quiet, Estimate)
    assert quiet.interval(0.95)[0] >= 0.9
    assert quiet.p_below(0.9) == 1
    assert isinstance(broken, Estimate)
    assert broken.value < 0.9
    assert broken.p_below(0.9) < 1e-9
    assert broken.p_above(0.2) < 1e-9
    assert broken.interval(0.95)[1] < 0.9


def test_one_profile_never_fails_against_itself() -> None:
    """Even where features are as good as equal, so that their order is all chance."""
    flat = {f"f{place}": 1 + place / 1000 for place in range(FEATURES)}
    for seed in range(100):
        figure = attribution.measure(window(flat, 60, seed), baseline(flat))
        assert figure.p_below(0.9) > 0.01


def test_too_few_rows_decide_nothing() -> None:
    figure = measured(shuffled(3), rows=3)
    assert figure.p_below(0.9) > 1e-3
    assert figure.interval(0.95)[1] > 0.9
    one = measured(PROFILE, rows=1)
    assert isinstance(one, Undefined)
    assert one.evaluated


@pytest.mark.parametrize("profile", [None, {}, {"f0": 0.0}])
def test_a_version_without_a_profile_is_not_evaluated(profile: dict[str, float] | None) -> None:
    figure = attribution.measure(window(PROFILE, 100, 1), baseline(profile))
    assert isinstance(figure, Undefined)
    assert not figure.evaluated


def test_a_feature_without_contributions_is_named() -> None:
    figure = attribution.measure(window({"f0": 1.0}, 100, 1), baseline({"f0": 1.0, "lost": 0.5}))
    assert isinstance(figure, Undefined)
    assert not figure.evaluated
    assert "lost" in figure.undefined


def test_the_plain_number_seldom_breaks_a_limit_by_chance_and_says_how_often() -> None:
    quiet, flat = measured(PROFILE), {f"f{place}": 1.0 + place for place in range(FEATURES)}
    often = attribution.measure(window(flat, 5, 1), baseline(flat)).false_alarm(0.98)
    seldom = quiet.false_alarm(0.9)
    assert often is not None
    assert seldom is not None
    assert seldom < 0.01 < often
