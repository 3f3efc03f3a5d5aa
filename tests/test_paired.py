"""Changes between two models on the same rows: oracles by hand, and no certainty out of few rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn import metrics

from clearance.documents.measurement import Measurement
from clearance.metrics import (
    fairness,
    intervals,
    paired,
    paired_disparity,
    paired_intervals,
    paired_resampling,
    paired_scores,
)
from clearance.metrics.counts import Cells

SAMPLING = intervals.Sampling(confidence=0.95, resamples=300, seed=7)
Z = intervals.quantile(0.95)

squares = st.lists(st.integers(0, 60), min_size=4, max_size=4).map(
    lambda cells: np.array(cells).reshape(2, 2)
)
tables = st.integers(2, 4).flatmap(
    lambda groups: st.lists(st.integers(1, 40), min_size=8 * groups, max_size=8 * groups)
)


def table(cells: list[int]) -> paired.PairedTable:
    rows = np.array(cells, dtype=np.int64).reshape(-1, 2, 2, 2)
    return paired.PairedTable(names=tuple(f"g{at}" for at in range(len(rows))), rows=rows)


def swapped(of: paired.PairedTable) -> paired.PairedTable:
    """The same rows with champion and candidate exchanged."""
    return paired.PairedTable(names=of.names, rows=of.rows.swapaxes(2, 3))


def tango_by_search(rows: np.ndarray, gap: float) -> float:
    """Tango's score with the constrained maximum found by search instead of by formula."""
    total, losses, won = rows.sum(), rows[1, 0], rows[0, 1]
    ties = total - losses - won

    def minus(log_discordant: float) -> float:
        lose = log_discordant
        chances = (lose, lose + gap, 1 - 2 * lose - gap)
        if min(chances) < 0:
            return 1e9
        pairs = zip((losses, won, ties), chances, strict=True)
        return -sum(count * math.log(max(chance, 1e-300)) for count, chance in pairs)

    ends = (max(0.0, -gap), (1 - gap) / 2)
    lose = optimize.minimize_scalar(minus, bounds=ends, method="bounded", options={"xatol": 1e-12}).x
    return float((won - losses - total * gap) / math.sqrt(total * (2 * lose + gap - gap * gap)))


def ratio_by_search(rows: np.ndarray, times: float) -> float:
    """Nam and Blackwelder's score, the same way."""
    losses, won, agreements = rows[1, 0], rows[0, 1], rows[1, 1]
    positives = losses + won + agreements

    def minus(win: float) -> float:
        lose = 1 - times + times * win
        chances = (lose, win, 1 - lose - win)
        if min(chances) < 0:
            return 1e9
        pairs = zip((losses, won, agreements), chances, strict=True)
        return -sum(count * math.log(max(chance, 1e-300)) for count, chance in pairs)

    ends = (max(0.0, (times - 1) / times), times / (1 + times))
    win = optimize.minimize_scalar(minus, bounds=ends, method="bounded", options={"xatol": 1e-12}).x
    variance = positives * times * (win + 1 - times + times * win)
    return float((agreements + won - times * (agreements + losses)) / math.sqrt(variance))


@pytest.mark.parametrize("rows", [[[30, 7], [3, 40]], [[5, 12], [2, 9]], [[200, 4], [9, 387]]])
def test_the_bounds_are_where_the_score_is_a_normal_quantile(rows: list[list[int]]) -> None:
    square = np.array(rows)
    value, (low, high) = paired_intervals.difference(square, 0.95)
    assert value == pytest.approx((rows[0][1] - rows[1][0]) / square.sum())
    assert tango_by_search(square, low) == pytest.approx(Z, abs=1e-4)
    assert tango_by_search(square, high) == pytest.approx(-Z, abs=1e-4)
    log_value, ends = paired_intervals.ratio(square, 0.95)
    low, high = (math.exp(end) for end in ends)
    assert math.exp(log_value) == pytest.approx(square[:, 1].sum() / square[1].sum())
    assert ratio_by_search(square, low) == pytest.approx(Z, abs=1e-4)
    assert ratio_by_search(square, high) == pytest.approx(-Z, abs=1e-4)


def test_models_that_never_disagree_still_leave_a_width() -> None:
    square = np.array([[30, 0], [0, 70]])
    value, (low, high) = paired_intervals.difference(square, 0.95)
    assert (value, low) == (0.0, pytest.approx(-high))
    assert high == pytest.approx(Z * Z / (100 + Z * Z))
    log_value, (low, high) = paired_intervals.ratio(square, 0.95)
    assert log_value == 0
    assert math.exp(low) == pytest.approx(1 / (1 + Z * Z / 70))
    assert high == pytest.approx(-low)


def test_the_smallest_samples_stay_inside_the_range() -> None:
    assert paired_intervals.difference(np.array([[0, 1], [0, 0]]), 0.95)[1][1] == 1.0
    assert paired_intervals.difference(np.array([[0, 0], [1, 0]]), 0.95)[1][0] == -1.0
    with pytest.raises(ValueError, match="no rows"):
        paired_intervals.difference(np.zeros((2, 2), dtype=int), 0.95)
    with pytest.raises(ValueError, match="no logarithm"):
        paired_intervals.ratio(np.array([[3, 1], [0, 0]]), 0.95)


def exact_coverage(total: int, won: float, lost: float) -> float:
    """How often Tango's interval holds the truth: every sample that can be, by its chance."""
    coverage = 0.0
    for more in range(total + 1):
        for less in range(total + 1 - more):
            counts = [more, less, total - more - less]
            chance = float(stats.multinomial.pmf(counts, total, [won, lost, 1 - won - lost]))
            if chance > 1e-9:
                square = np.array([[counts[2], more], [less, 0]])
                low, high = paired_intervals.difference(square, 0.95)[1]
                coverage += chance * (low <= won - lost <= high)
    return coverage


@pytest.mark.parametrize(("won", "lost"), [(0.05, 0.05), (0.1, 0.1), (0.02, 0.06), (0.2, 0.1)])
def test_the_interval_holds_the_truth_as_often_as_it_says(won: float, lost: float) -> None:
    assert exact_coverage(40, won, lost) >= 0.935


@given(squares.filter(lambda square: square.sum() > 0))
@settings(max_examples=60, deadline=None)
def test_bounds_enclose_and_exchanging_the_models_turns_them(square: np.ndarray) -> None:
    value, (low, high) = paired_intervals.difference(square, 0.95)
    assert -1 <= low <= value <= high <= 1
    reversal, ends = paired_intervals.difference(square.T, 0.95)
    assert (reversal, *ends) == pytest.approx((-value, -high, -low), abs=1e-7)
    summed, ends = paired_intervals.total(square, 0.95)
    assert summed == pytest.approx((square[1].sum() + square[:, 1].sum()) / square.sum())
    assert ends[0] - 1e-9 <= summed <= ends[1] + 1e-9
    if square[1].sum() and square[:, 1].sum():
        value, (low, high) = paired_intervals.ratio(square, 0.95)
        reversal, ends = paired_intervals.ratio(square.T, 0.95)
        assert low <= value <= high
        assert (reversal, *ends) == pytest.approx((-value, -high, -low), abs=1e-6)
        value, (low, high) = paired_intervals.product(square, 0.95)
        assert low <= value <= high


@given(squares)
@settings(max_examples=40, deadline=None)
def test_mcnemar_is_the_binomial_test_on_the_rows_decided_differently(square: np.ndarray) -> None:
    losses, won = int(square[1, 0]), int(square[0, 1])
    counts = range(losses + won + 1)
    chances = [math.comb(losses + won, number) / 2 ** (losses + won) for number in counts]
    probability = sum(number for number in chances if number <= chances[won] * (1 + 1e-9))
    assert paired_intervals.mcnemar(square) == pytest.approx(min(1.0, probability))


@given(tables)
@settings(max_examples=40, deadline=None)
def test_changes_are_the_differences_of_what_each_model_alone_is_measured_at(cells: list[int]) -> None:
    comparison = table(cells)
    measured = paired.measure(comparison, SAMPLING)
    label = np.repeat([0, 0, 0, 0, 1, 1, 1, 1], comparison.rows.sum(axis=0).ravel())
    champion = np.repeat([0, 0, 1, 1] * 2, comparison.rows.sum(axis=0).ravel())
    candidate = np.repeat([0, 1] * 4, comparison.rows.sum(axis=0).ravel())
    for name, oracle in (
        ("accuracy", metrics.accuracy_score),
        ("balanced_accuracy", metrics.balanced_accuracy_score),
        ("f1", metrics.f1_score),
        ("true_positive_rate", metrics.recall_score),
    ):
        assert measured[name].value == pytest.approx(oracle(label, candidate) - oracle(label, champion))
    assert measured["selection_rate"].value == pytest.approx(candidate.mean() - champion.mean())
    reversal = paired.measure(swapped(comparison), SAMPLING)
    for name in measured.keys() - {"f1"}:  # other cells are other draws
        mine, theirs = measured[name], reversal[name]
        assert (mine.value, mine.low) == (
            pytest.approx(-theirs.value, abs=1e-9),
            pytest.approx(-theirs.high, abs=1e-6),
        )


def groups_of(comparison: paired.PairedTable, model: int) -> dict[str, Cells]:
    """One model's cells by group: 0 the champion, 1 the candidate."""
    decided = comparison.rows.sum(axis=3 - model)
    return {
        name: Cells(
            true_positive=int(counts[1, 1]),
            false_positive=int(counts[0, 1]),
            false_negative=int(counts[1, 0]),
            true_negative=int(counts[0, 0]),
        )
        for name, counts in zip(comparison.names, decided, strict=True)
    }


@given(tables)
@settings(max_examples=40, deadline=None)
def test_a_change_of_disparity_is_that_of_the_fairness_figures(cells: list[int]) -> None:
    comparison = table(cells)
    champion, candidate = (fairness.measure(groups_of(comparison, model), 0.95, "g0") for model in (0, 1))
    for metric in paired_disparity.METRICS:
        change = paired_disparity.measure(comparison, metric, SAMPLING, "g0")
        before, after = champion[metric].value, candidate[metric].value
        assert before is not None and after is not None
        reference = after / before if metric in paired_disparity.RATIOS else after - before
        assert change.value == pytest.approx(reference, abs=1e-9), metric
        if change.low is not None:
            assert change.low <= change.value <= change.high


@given(tables, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_disparities_turn_with_the_models_and_know_no_order_of_groups(
    cells: list[int], random: object
) -> None:
    comparison = table(cells)
    order = list(range(len(comparison.names)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = paired.PairedTable(
        names=tuple(comparison.names[at] for at in order), rows=comparison.rows[order]
    )
    for metric in sorted(paired_disparity.METRICS - {"predictive_parity_difference"}):
        one = paired_disparity.measure(comparison, metric, SAMPLING, "g0")
        again = paired_disparity.measure(shuffled, metric, SAMPLING, "g0")
        assert (again.value, again.low, again.high) == pytest.approx((one.value, one.low, one.high))
        reversal = paired_disparity.measure(swapped(comparison), metric, SAMPLING, "g0")
        sign = (
            [1 / reversal.high, 1 / reversal.low]
            if metric in paired_disparity.RATIOS
            else [-reversal.high, -reversal.low]
        )
        assert [one.low, one.high] == pytest.approx(sign, abs=1e-6), metric


def test_two_groups_that_move_as_one_are_bounded_by_what_moved() -> None:
    """A thousand rows a group, far apart and decided almost alike: neither model's own doubt counts."""
    rows = np.array(
        [[[[300, 3], [2, 200]], [[95, 2], [3, 395]]], [[[100, 2], [3, 400]], [[45, 3], [2, 445]]]]
    )
    comparison = paired.PairedTable(names=("a", "b"), rows=rows)
    change = paired_disparity.measure(comparison, "demographic_parity_difference", SAMPLING)
    alone = fairness.measure(groups_of(comparison, 1), 0.95)["demographic_parity_difference"]
    assert change.low is not None and change.high is not None and alone.low is not None
    assert -0.02 < change.low < change.high < 0.02
    assert alone.high - alone.low > 3 * (change.high - change.low)


def test_a_candidate_that_evens_groups_out_is_not_called_unfair_for_moving_them() -> None:
    rows = np.zeros((2, 2, 2, 2), dtype=np.int64)
    rows[:, 1] = [[[500, 0], [0, 1500]], [[500, 500], [0, 1000]]]  # b: from 0.5 to 0.75, as a
    change = paired_disparity.measure(
        paired.PairedTable(names=("a", "b"), rows=rows), "demographic_parity_difference", SAMPLING
    )
    assert change.value == pytest.approx(-0.25)
    assert change.high is not None and change.high < -0.15


def test_holes_are_said() -> None:
    rows = np.ones((2, 2, 2, 2), dtype=np.int64)
    rows[1] = 0
    comparison = paired.PairedTable(names=("a", "b"), rows=rows)
    change = paired_disparity.measure(comparison, "demographic_parity_difference", SAMPLING)
    assert (change.value, change.undefined) == (None, "no rows to count in b")
    assert change.support == {"a": 8, "b": 0}
    alone = paired.PairedTable(names=("a",), rows=rows[:1])
    assert paired_disparity.measure(alone, "equalized_odds_difference", SAMPLING).value is None
    assert paired_disparity.measure(alone, "predictive_parity_difference", SAMPLING).value is None
    impact = paired_disparity.measure(comparison, "disparate_impact_reference_group", SAMPLING, "c")
    assert impact.undefined == "there is no reference group among them to compare with"
    rows[1, :, 0] = 5  # the champion favours nobody of b
    never = paired_disparity.measure(comparison, "demographic_parity_ratio", SAMPLING)
    assert never.undefined == "a rate is 0 in b (selection rate)"
    assert paired.change(np.zeros((2, 2), dtype=int), 0.95).value is None
    with pytest.raises(KeyError):
        paired_disparity.measure(comparison, "made_up", SAMPLING)


def test_no_bootstrap_decides_where_the_models_hardly_disagree() -> None:
    rows = np.full((1, 2, 2, 2), 100)
    rows[0, :, 0, 1] = [5, 4]
    measurement = paired_resampling.measure(rows, paired_resampling.f1, SAMPLING, {"rows": int(rows.sum())})
    assert (measurement.low, measurement.lack) == (
        None,
        "a bootstrap needs 10 rows of each kind: 9 favoured by the candidate alone",
    )
    rows[0, 0, 0, 1] = 6
    assert paired_resampling.measure(rows, paired_resampling.f1, SAMPLING, {}).low is not None


def test_draws_follow_from_counts_and_seed_alone() -> None:
    random = np.random.default_rng(0)
    rows = random.integers(20, 60, size=(3, 2, 2, 2))
    one = paired_resampling.measure(rows, paired_resampling.predictive_parity, SAMPLING, {})
    again = paired_resampling.measure(rows[[2, 0, 1]], paired_resampling.predictive_parity, SAMPLING, {})
    assert one == again
    other = intervals.Sampling(confidence=0.95, resamples=300, seed=8)
    assert paired_resampling.measure(rows, paired_resampling.predictive_parity, other, {}) != one


def delong_by_hand(label: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The difference of areas and its standard error, from every pair of rows."""
    kernels = []
    for scores in (first, second):
        ours, others = scores[label == 1][:, None], scores[label == 0][None]
        kernels.append((ours > others) + 0.5 * (ours == others))
    above = [kernel.mean(axis=1) for kernel in kernels]
    below = [kernel.mean(axis=0) for kernel in kernels]
    covariance = np.cov(above) / len(above[0]) + np.cov(below) / len(below[0])
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return float(kernels[1].mean() - kernels[0].mean()), math.sqrt(variance)


def scores_of(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    label = (random.random(rows) < 0.4).astype(np.int8)
    first, second = (np.clip(0.3 * label + random.random(rows) * 0.6, 0.01, 0.99).round(2) for _ in range(2))
    return label, first, second


def test_areas_are_compared_as_delong_did() -> None:
    label, first, second = scores_of(120, 1)
    value, error = delong_by_hand(label, first, second)
    measurement = paired_scores.area(label, first, second, 0.95)
    assert measurement.value == pytest.approx(value)
    assert measurement.value == pytest.approx(
        metrics.roc_auc_score(label, second) - metrics.roc_auc_score(label, first)
    )
    quantile = stats.t.ppf(0.975, min(label.sum(), (1 - label).sum()) - 1)
    assert measurement.high == pytest.approx(value + quantile * error)


def test_losses_are_compared_row_by_row() -> None:
    label, first, second = scores_of(150, 2)
    measurements = paired_scores.measure(label, first, second, 0.95)
    for name, oracle in (("brier", metrics.brier_score_loss), ("log_loss", metrics.log_loss)):
        assert measurements[name].value == pytest.approx(oracle(label, second) - oracle(label, first))
    changes = (second - label) ** 2 - (first - label) ** 2
    low, high = stats.ttest_1samp(changes, 0).confidence_interval(0.95)
    assert (measurements["brier"].low, measurements["brier"].high) == pytest.approx((low, high))
    reversal = paired_scores.measure(label, second, first, 0.95)
    for name, mine in measurements.items():
        assert (mine.low, mine.high) == pytest.approx((-reversal[name].high, -reversal[name].low)), name


def test_scores_that_say_nothing_have_no_interval() -> None:
    label, first, _ = scores_of(100, 3)
    measurements = paired_scores.measure(label, first, first, 0.95)
    assert {
        name: (measurement.value, measurement.low) for name, measurement in measurements.items()
    } == dict.fromkeys(measurements, (0.0, None))
    assert paired_scores.area(label, first, first**2, 0.95).lack == "both models rank these rows alike"
    few = paired_scores.area(label[:12], first[:12], first[:12][::-1], 0.95)
    assert few.lack is not None and "10 rows of each label" in few.lack
    ones = paired_scores.area(np.ones(20, dtype=int), first[:20], first[:20], 0.95)
    assert ones.undefined == "every row has the label 1"
    nothing = paired_scores.measure(label[:0], first[:0], first[:0], 0.95)
    assert all(
        isinstance(measurement, Measurement) and measurement.value is None for measurement in nothing.values()
    )


@given(st.integers(1, 60), st.floats(0.5, 0.999))
def test_the_errors_of_all_contrasts_add_up_to_the_interval_s(contrasts: int, confidence: float) -> None:
    """Half of it for the same contrast under both models; with two, which is two groups, all alike."""
    same, others = paired_disparity._levels(contrasts, confidence)
    assert (1 - same) + (contrasts - 1) * (1 - others) == pytest.approx(1 - confidence)
    assert contrasts == 1 or 1 - same == pytest.approx((1 - confidence) / 2)
    assert contrasts != 2 or same == others


def test_a_candidate_that_decides_nearly_alike_needs_fewer_rows_than_one_bonferroni_for_all() -> None:
    """Six groups, no gap, 3 % decided differently: the same contrast decides, at half the error."""
    rows = np.array([[[[235, 8], [7, 250]], [[235, 7], [8, 250]]]] * 6)
    change = paired_disparity.measure(
        paired.PairedTable(names=tuple("abcdef"), rows=rows), "demographic_parity_difference", SAMPLING
    )
    half, equal = (intervals.quantile(1 - 0.05 / share) for share in (2, 30))
    assert change.high is not None
    of_group = paired_intervals.difference(rows[0].sum(axis=0), 1 - 0.05 / 2)[1]
    assert change.high == pytest.approx(math.hypot(*of_group), rel=1e-6)
    assert half < 0.75 * equal
