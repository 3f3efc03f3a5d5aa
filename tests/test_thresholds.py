"""The threshold is the best one by its objective on the rows given, found by brute force here."""

import itertools
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from clearance.errors import DataError
from clearance.models import scoring, thresholds

ORACLES = {
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "accuracy": metrics.accuracy_score,
    "f1": metrics.f1_score,
}
OBJECTIVES = st.sampled_from(["balanced_accuracy", "accuracy", "f1"])
ROWS = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=12).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


@settings(deadline=None)
@given(ROWS, OBJECTIVES)
def test_no_other_threshold_is_better(
    rows: list[tuple[int, bool]], objective: Literal["balanced_accuracy", "accuracy", "f1"]
) -> None:
    scores = np.array([score / 20 for score, _ in rows])
    label = np.array([label for _, label in rows], dtype=np.int8)
    oracle = ORACLES[objective]
    threshold = thresholds.choose(scores, label, objective)
    assert 0 < threshold < 1
    best = max(oracle(label, scoring.decide(scores, float(at))) for at in np.arange(0.025, 1, 0.05))
    assert oracle(label, scoring.decide(scores, threshold)) == pytest.approx(best)
    quality = thresholds.measure(scores, label, threshold)
    assert getattr(quality, objective) == pytest.approx(best)


@settings(deadline=None)
@given(ROWS, st.floats(0, 1))
def test_the_qualities_are_those_of_scikit_learn(rows: list[tuple[int, bool]], cut: float) -> None:
    scores = np.array([score / 20 for score, _ in rows])
    label = np.array([label for _, label in rows], dtype=np.int8)
    decided = scoring.decide(scores, cut)
    quality = thresholds.measure(scores, label, cut)
    for name, oracle in ORACLES.items():
        assert getattr(quality, name) == pytest.approx(oracle(label, decided))
    assert quality.roc_auc == pytest.approx(metrics.roc_auc_score(label, scores))
    assert quality.selection_rate == pytest.approx(decided.mean())


def test_ties_go_to_the_middle_and_then_down() -> None:
    label = np.array([0, 1, 0, 1], dtype=np.int8)
    assert thresholds.choose(np.array([0.1, 0.2, 0.6, 0.8]), label, "accuracy") == pytest.approx(0.7)
    label = np.array([0, 1, 0, 1], dtype=np.int8)
    assert thresholds.choose(np.array([0.2, 0.3, 0.7, 0.8]), label, "accuracy") == pytest.approx(0.25)


def test_it_lies_between_scores_so_that_a_last_digit_moves_no_decision() -> None:
    label = np.array([0, 0, 1, 1], dtype=np.int8)
    scores = np.array([0.2, 0.3, 0.7, 0.8])
    cut = thresholds.choose(scores, label, "balanced_accuracy")
    assert cut == pytest.approx(0.5)
    for shift in (-1e-9, 1e-9):
        assert np.array_equal(scoring.decide(scores + shift, cut), scoring.decide(scores, cut))


def test_the_order_of_rows_does_not_matter() -> None:
    random = np.random.default_rng(0)
    scores, label = random.random(9).round(1), np.array([0, 1, 1, 0, 1, 0, 1, 1, 0], dtype=np.int8)
    choices = {
        thresholds.choose(scores[list(order)], label[list(order)], "f1")
        for order in itertools.islice(itertools.permutations(range(9)), 0, None, 9000)
    }
    assert len(choices) == 1


@pytest.mark.parametrize("label", [[1, 1], [0, 0], []])
def test_one_outcome_chooses_no_threshold(label: list[int]) -> None:
    with pytest.raises(DataError, check=lambda error: error.code == "models.one_outcome"):
        thresholds.choose(np.linspace(0.2, 0.8, len(label)), np.array(label, dtype=np.int8), "f1")


def test_without_rows_nothing_is_measured() -> None:
    quality = thresholds.measure(np.zeros(0), np.zeros(0, dtype=np.int8), 0.5)
    assert (quality.rows, quality.accuracy, quality.f1, quality.roc_auc, quality.selection_rate) == (
        0,
        None,
        None,
        None,
        None,
    )
