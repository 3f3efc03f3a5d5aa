"""Fairness metrics are Fairlearn's or AIF360's published ones where those are defined, else undefined."""

import math
import warnings
from typing import Any

import fairlearn.metrics as oracle
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn

from clearance.documents.group_names import MISSING
from clearance.metrics import calibration, entropy, fairness, intervals, ranked, ranking, resampling
from clearance.metrics.counts import Cells
from tests.test_assess import TABLES, Array, rows_of

SAMPLING = intervals.Sampling(confidence=0.95, resamples=200, seed=7)
FULL = st.integers(1, 30)
FULL_TABLES = st.dictionaries(
    st.text("ABCDE", min_size=1, max_size=3),
    st.builds(Cells, true_positive=FULL, false_positive=FULL, false_negative=FULL, true_negative=FULL),
    min_size=2,
    max_size=5,
)
BY_RATE = {
    "equal_opportunity_difference": oracle.true_positive_rate,
    "false_positive_rate_difference": oracle.false_positive_rate,
    "false_negative_rate_difference": oracle.false_negative_rate,
    "true_negative_rate_difference": oracle.true_negative_rate,
    "predictive_parity_difference": sklearn.precision_score,
    "accuracy_difference": sklearn.accuracy_score,
}


def fairlearns(metric: Any, groups: dict[str, Cells]) -> oracle.MetricFrame:
    group, label, decision = rows_of(groups)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return oracle.MetricFrame(
            metrics=metric, y_true=label, y_pred=decision.astype(int), sensitive_features=group
        )


@settings(max_examples=15, deadline=None)
@given(TABLES)
def test_differences_are_metric_frames_where_every_group_has_the_rate(
    groups: dict[str, Cells],
) -> None:
    measurements = fairness.measure(groups, 0.95)
    for name, metric in BY_RATE.items():
        measured = measurements[name]
        if 0 in measured.support.values():
            assert "no rows to count in" in str(measured.undefined)
        else:
            expected = fairlearns(metric, groups).difference(method="between_groups")
            assert measured.value == pytest.approx(expected, abs=1e-12), name


@settings(max_examples=20, deadline=None)
@given(FULL_TABLES)
def test_odds_and_opportunity_are_fairlearns(groups: dict[str, Cells]) -> None:
    group, label, decision = rows_of(groups)
    measurements = fairness.measure(groups, 0.95)
    arguments = {"y_true": label, "y_pred": decision.astype(int), "sensitive_features": group}
    for name in ("equal_opportunity_difference", "equalized_odds_difference", "equalized_odds_ratio"):
        assert measurements[name].value == pytest.approx(getattr(oracle, name)(**arguments), abs=1e-12)
    frame = fairlearns(sklearn.accuracy_score, groups)
    assert measurements["accuracy_lowest"].value == pytest.approx(frame.group_min(), abs=1e-12)
    frame = fairlearns(oracle.true_positive_rate, groups)
    assert measurements["true_positive_rate_lowest"].value == pytest.approx(frame.group_min(), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(FULL_TABLES)
def test_average_odds_is_aif360s_between_the_two_groups_furthest_apart(groups: dict[str, Cells]) -> None:
    """AIF360: ((FPR of one - FPR of the other) + (TPR of one - TPR of the other)) / 2."""
    true, false = (
        fairlearns(rate, groups).by_group for rate in (oracle.true_positive_rate, oracle.false_positive_rate)
    )
    expected = max(abs((false[a] - false[b]) + (true[a] - true[b])) / 2 for a in groups for b in groups)
    measurement = fairness.measure(groups, 0.95)["average_odds_difference"]
    assert measurement.value == pytest.approx(expected, abs=1e-12)
    assert measurement.low <= measurement.value <= measurement.high  # type: ignore[operator]


@settings(max_examples=25, deadline=None)
@given(FULL_TABLES)
def test_disparate_impact_divides_by_the_reference_or_the_best_group(groups: dict[str, Cells]) -> None:
    rates = fairlearns(oracle.selection_rate, groups).by_group
    reference = next(iter(groups))
    measurements = fairness.measure(groups, 0.95, reference)
    others = [rates[name] for name in groups if name != reference]
    against = measurements["disparate_impact_reference_group"]
    assert against.value == pytest.approx(min(others) / rates[reference], abs=1e-12)
    assert against.low <= against.value * (1 + 1e-12)  # type: ignore[operator]
    assert against.value <= against.high * (1 + 1e-12)  # type: ignore[operator]
    assert measurements["disparate_impact_best_group"].value == pytest.approx(
        min(rates) / max(rates), abs=1e-12
    )


def test_disparate_impact_is_undefined_without_a_reference_that_was_ever_favoured() -> None:
    groups = {"a": Cells(true_positive=5, true_negative=5), "b": Cells(true_negative=9, false_negative=2)}
    for reference, why in ((None, "no reference group"), ("c", "not among the groups"), ("b", "no success")):
        measurement = fairness.measure(groups, 0.95, reference)["disparate_impact_reference_group"]
        assert why in str(measurement.undefined)


def test_a_ratio_of_rates_that_are_all_zero_is_undefined_where_fairlearn_gives_no_number() -> None:
    groups = {name: Cells(true_positive=5, false_negative=5, true_negative=10) for name in "ab"}
    measurement = fairness.measure(groups, 0.95)["equalized_odds_ratio"]
    assert "false positive rate: no group has a single success" in str(measurement.undefined)


def test_nobody_decided_favourably_has_no_predictive_value_where_scikit_learn_says_zero() -> None:
    groups = {"a": Cells(true_positive=5, true_negative=5), "b": Cells(true_negative=9, false_negative=2)}
    measurement = fairness.measure(groups, 0.95)["predictive_parity_difference"]
    assert measurement.undefined == "no rows to count in b, favourable decision"
    assert fairlearns(sklearn.precision_score, groups).by_group["b"] == 0


# Generalized entropy


def benefits(groups: dict[str, Cells]) -> tuple[Array, Array]:
    group, label, decision = rows_of(groups)
    return group.to_numpy(), 1.0 + decision - label


def published(benefit: Array, alpha: int) -> float:
    """AIF360's code for `generalized_entropy_error`, as published."""
    mean = np.mean(benefit)
    if alpha == 1:
        return float(np.mean(np.log((benefit / mean) ** benefit) / mean))
    return float(np.mean((benefit / mean) ** alpha - 1) / (alpha * (alpha - 1)))


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_entropy_indices_are_aif360s(groups: dict[str, Cells]) -> None:
    group, benefit = benefits(groups)
    assume(benefit.sum() > 0)
    between = pd.Series(benefit).groupby(group).transform("mean").to_numpy()
    measurements = entropy.measure(groups, SAMPLING)
    assert measurements["theil_index"].value == pytest.approx(published(benefit, 1), abs=1e-12)
    assert measurements["generalized_entropy_index"].value == pytest.approx(published(benefit, 2), abs=1e-12)
    if (between > 0).all():
        assert measurements["between_group_theil_index"].value == pytest.approx(
            published(between, 1), abs=1e-12
        )
    name = "between_group_generalized_entropy_index"
    assert measurements[name].value == pytest.approx(published(between, 2), abs=1e-12)


def test_an_index_where_nobody_benefits_is_undefined() -> None:
    groups = {"a": Cells(false_negative=20), "b": Cells(false_negative=30)}
    assert "nobody benefits" in str(entropy.measure(groups, SAMPLING)["theil_index"].undefined)


def test_no_bootstrap_decides_where_a_kind_of_outcome_has_under_ten_rows() -> None:
    cells = Cells(true_positive=50, false_positive=20, false_negative=20, true_negative=50)
    small = Cells(true_positive=50, false_positive=9, false_negative=20, true_negative=50)
    measurements = entropy.measure({"a": cells, "b": small}, SAMPLING)
    assert measurements["theil_index"].lack is None
    assert (
        measurements["theil_index"].low
        <= measurements["theil_index"].value
        <= measurements["theil_index"].high
    )  # type: ignore[operator]
    between = measurements["between_group_theil_index"]
    assert between.lack == "a bootstrap needs 10 rows of each kind: b has 9 favoured wrongly"
    assert (between.low, between.high) == (None, None)


def test_half_the_error_of_a_bootstrap_is_kept_back() -> None:
    """Plain 95 % quantiles cover 94 to 96 % in simulation: nothing is left for what they do not see."""
    cells = np.array([[40, 15, 20, 25], [60, 20, 30, 40]])
    kinds = vars(Cells())
    groups = {f"g{at}": Cells(**dict(zip(kinds, row, strict=True))) for at, row in enumerate(cells.tolist())}
    estimates = entropy.theil(resampling.of_rows(cells, list(groups), entropy._KINDS, SAMPLING).tables)
    measurement = entropy.measure(groups, SAMPLING)["theil_index"]
    low, high = np.quantile(estimates, [0.0125, 0.9875])
    assert measurement.value is not None
    assert measurement.low == pytest.approx(min(low, 2 * measurement.value - high))
    assert measurement.high == pytest.approx(max(high, 2 * measurement.value - low))


@settings(max_examples=25, deadline=None)
@given(FULL_TABLES, st.randoms(use_true_random=False))
def test_names_and_order_of_groups_change_no_draw(groups: dict[str, Cells], shuffler: Any) -> None:
    order = list(groups)
    shuffler.shuffle(order)
    scaled = {
        name: Cells(**{kind: 10 + count for kind, count in vars(cells).items()})
        for name, cells in groups.items()
    }
    copies = {f"z{at}": scaled[name] for at, name in enumerate(order)}
    first, second = entropy.measure(scaled, SAMPLING), entropy.measure(copies, SAMPLING)
    for name, measurement in first.items():
        assert measurement.low is not None
        assert (measurement.value, measurement.low, measurement.high) == (
            second[name].value,
            second[name].low,
            second[name].high,
        )


# Scores

SCORED = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 8)), min_size=6, max_size=120
)


@settings(max_examples=60, deadline=None)
@given(SCORED)
def test_auc_by_group_is_scikit_learns_and_calibration_is_that_of_the_rows(
    drawn: list[tuple[int, int, int]],
) -> None:
    group, label, level = (np.array(column) for column in zip(*drawn, strict=True))
    scores = level / 8
    names = {int(code): f"g{code}" for code in np.unique(group)}
    measurements = ranked.measure(ranked.rank(label, scores, group), np.arange(3), names, SAMPLING, bins=5)
    parts = {code: (label[group == code], scores[group == code]) for code in names}
    errors = [calibration.error(calibration.table(*part, 5)) for part in parts.values()]
    assert measurements["calibration_error_highest"].value == pytest.approx(max(errors), abs=1e-12)
    gap = measurements["roc_auc_difference"]
    if len(names) < 2 or any(len(set(part[0].tolist())) < 2 for part in parts.values()):
        assert gap.value is None
    else:
        areas = [sklearn.roc_auc_score(*part) for part in parts.values()]
        assert gap.value == pytest.approx(max(areas) - min(areas), abs=1e-12)


@pytest.mark.parametrize("digits", [1, 12], ids=["ties", "no ties"])
def test_delongs_error_is_the_one_of_the_whole_sample(digits: int) -> None:
    random = np.random.default_rng(3)
    label = random.integers(0, 2, 300)
    scores = np.round(random.normal(label * 0.8), digits)
    order = np.argsort(scores, kind="stable")
    value, error = ranked.area(label[order].astype(np.int8), scores[order])
    above = [np.mean((s > scores[label == 0]) + 0.5 * (s == scores[label == 0])) for s in scores[label == 1]]
    below = [np.mean((s < scores[label == 1]) + 0.5 * (s == scores[label == 1])) for s in scores[label == 0]]
    expected = math.sqrt(np.var(above, ddof=1) / len(above) + np.var(below, ddof=1) / len(below))
    assert value == pytest.approx(sklearn.roc_auc_score(label, scores), abs=1e-12)
    assert error == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30)), min_size=2, max_size=60))
def test_the_auc_is_exact_with_ties_and_without(drawn: list[tuple[int, int]]) -> None:
    """No rounding of sums, so no digit depends on how the rows are split among threads."""
    for levels in ([level for _, level in drawn], range(len(drawn))):
        rows = sorted(zip(levels, (label for label, _ in drawn), strict=True))
        won, lost = ([level for level, label in rows if label == kind] for kind in (1, 0))
        assume(won and lost)
        halves = sum(2 * (a > b) + (a == b) for a in won for b in lost)
        label, scores = (np.array([row[at] for row in rows]) for at in (1, 0))
        assert ranked.area(label.astype(np.int8), scores / 31)[0] == halves / (2 * len(won) * len(lost))


@pytest.mark.parametrize(("favourable", "other"), [(60, 240), (240, 60)])
def test_areas_near_one_are_covered_where_all_groups_are_alike(favourable: int, other: int) -> None:
    """At an area of 0.99 few rows are out of order; DeLong's intervals alone hold 77 to 90 % of the time."""
    seeded = np.random.default_rng(7)
    distance = stats.norm.ppf(0.99) * math.hypot(1, 2)
    label = np.repeat(np.array([1, 0], dtype=np.int8), [favourable, other])
    hits = []
    for _ in range(200):
        samples = {}
        for name in "abcd":
            logit = np.where(label == 1, distance + seeded.normal(size=300), 2 * seeded.normal(size=300))
            order = np.argsort(logit)
            samples[name] = (label[order], logit[order])
        difference = ranked._auc_difference(samples, 0.95)
        hits.append(difference.low == 0)
    assert np.mean(hits) >= 0.95


@given(st.integers(2, 400), st.integers(2, 400), st.floats(0.02, 0.98), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_score_bounds_of_an_area_stand_where_its_variance_does(
    favourable: int, other: int, value: float, confidence: float
) -> None:
    """R. G. Newcombe 2006, method 5: |area - value| = z sqrt(V(area)), V of equally many rows each."""
    z = stats.norm.ppf((1 + confidence) / 2)
    for end in ranking.score_bounds(value, favourable, other, confidence):
        equal = (favourable + other) / 2
        variance = end * (1 - end) / favourable / other
        variance *= 1 + (equal - 1) * (1 - end) / (2 - end) + (equal - 1) * end / (1 + end)
        assert 0 < end < 1
        assert abs(end - value) == pytest.approx(z * math.sqrt(variance), rel=1e-6)


def test_few_rows_of_a_label_leave_the_auc_without_interval_and_say_which() -> None:
    label = np.array([0, 1] * 40 + [1] * 3)
    group = np.array([0] * 60 + [1] * 23)
    scores = np.linspace(0, 1, 83)
    measurements = ranked.measure(
        ranked.rank(label, scores, group), np.arange(2), {0: "a", 1: "b"}, SAMPLING, bins=5
    )
    assert measurements["roc_auc_difference"].lack is None
    measurements = ranked.measure(
        ranked.rank(label[:79], scores[:79], group[:79]), np.arange(2), {0: "a", 1: "b"}, SAMPLING, bins=5
    )
    assert measurements["roc_auc_difference"].lack == "10 rows of each label are needed: b has 9"


def test_a_known_group_without_rows_leaves_the_scores_metrics_undefined() -> None:
    label, scores = np.array([0, 1] * 20), np.linspace(0, 1, 40)
    group = np.array([0, 1] * 20)
    names = {0: "a", 1: "b", -1: "vanished"}
    for measurement in ranked.measure(
        ranked.rank(label, scores, group), np.arange(3), names, SAMPLING, bins=5
    ).values():
        assert measurement.undefined == "no rows to count in vanished"


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_scoring_rate_is_the_share_above_the_exact_median(levels: list[int]) -> None:
    scores = np.array(levels) / 6
    above = ranked.above_median(
        ranked.rank(np.zeros(len(scores), dtype=int), scores, np.zeros(len(scores), dtype=int))
    )
    assert above.tolist() == (scores > np.median(scores)).tolist()


def test_scoring_rate_ratio_is_the_lowest_share_over_the_highest() -> None:
    above = {
        "a": Cells(true_positive=10, true_negative=10),
        "b": Cells(true_positive=6, false_negative=14),
        MISSING: Cells(true_positive=9),
    }
    assert fairness.scoring_rate_ratio(above, 0.95).value == pytest.approx(0.6)
