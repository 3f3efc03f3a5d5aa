"""Performance with labels: scikit-learn's values as the oracle, and what labels that are missing do to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from clearance.documents.baseline_document import BaselineDocument
from clearance.metrics import calibration, ranking
from clearance.monitoring.counting import score_table
from clearance.monitoring.figures import calibration_noise, label_coverage, performance
from clearance.monitoring.figures.estimates import Estimate, Figure, Undefined
from tests.support import monitored

METRICS = (
    "performance.roc_auc",
    "performance.accuracy",
    "performance.balanced_accuracy",
    "performance.precision",
    "performance.roc_auc_loss",
    "performance.calibration_error",
)


def sample(rows: int, seed: int, sharpness: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that mean what they say, and labels."""
    random = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-sharpness * random.normal(0, 0.5, rows)))
    return scores, (random.random(rows) < scores).astype(int)


@pytest.fixture(scope="module")
def reference() -> BaselineDocument:
    return monitored.baseline(*sample(2000, 1), size=20)


def measured(metric: str, reference: BaselineDocument, **window: object) -> Figure:
    return performance.measure(metric, monitored.window(reference, **window), reference, 0.8)  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(st.integers(40, 600), st.integers(0, 10_000))
def test_values_are_those_of_scikit_learn(rows: int, seed: int) -> None:
    reference = monitored.baseline(*sample(500, 7), size=12)
    scores, labels = sample(rows, seed)
    if min(labels.sum(), rows - labels.sum()) < ranking.FEWEST:
        return
    assert reference.score is not None
    decisions = (scores >= 0.5).astype(int)
    place = 2 * monitored.cell_of(scores, np.array(reference.score.bins.edges)) + decisions
    values = {metric: measured(metric, reference, scores=scores, labels=labels).value for metric in METRICS}
    area = metrics.roc_auc_score(labels, place)
    assert values["performance.roc_auc"] == pytest.approx(area, abs=1e-12)
    assert values["performance.accuracy"] == pytest.approx(metrics.accuracy_score(labels, decisions))
    assert values["performance.precision"] == pytest.approx(metrics.precision_score(labels, decisions))
    assert values["performance.balanced_accuracy"] == pytest.approx(
        metrics.balanced_accuracy_score(labels, decisions)
    )


def test_the_area_has_the_error_of_delong() -> None:
    """Against the evidence's own, which reads rows rather than counts."""
    scores, labels = sample(700, 3)
    levels = np.round(scores, 1)
    filled = [
        np.array([((levels == level) & (labels == of)).sum() for level in np.unique(levels)]) for of in (0, 1)
    ]
    area = score_table.area(*filled)
    bounds, _ = ranking.roc_auc(labels, levels, metrics.roc_auc_score(labels, levels), 0.9)
    assert bounds is not None
    theirs = ranking.wider_bounds(area.value, area.error, area.favourable, area.other, 0.9)
    assert theirs == pytest.approx(bounds, abs=1e-12)
    ours = area.bounds(0.9)
    assert ours[0] <= theirs[0] <= theirs[1] <= ours[1]
    assert ours == pytest.approx(theirs, abs=2e-4)


def test_a_true_area_is_left_out_no_more_often_than_bounds_say_even_with_ten_rows_of_a_label() -> None:
    random = np.random.default_rng(11)
    shapes = [stats.norm.pdf(np.linspace(-3, 3, 30), mean, 1) for mean in (0.0, 1.0)]
    other, favourable = (shape / shape.sum() for shape in shapes)
    truth, left_out = score_table.area(other, favourable).value, 0
    draws = zip(random.multinomial(40, other, 4000), random.multinomial(10, favourable, 4000), strict=True)
    for counts in draws:
        _, high = score_table.area(*counts).bounds(1 - 2 * 5e-3)
        left_out += high < truth
    assert left_out <= 4000 * 5e-3 + 2 * np.sqrt(4000 * 5e-3)


def test_nothing_is_evaluated_until_enough_labels_are_in(reference: BaselineDocument) -> None:
    scores, labels = sample(1000, 5)
    for share, evaluated in ((0.0, False), (0.79, False), (0.81, True), (1.0, True)):
        labelled = np.random.default_rng(2).permutation(1000) < 1000 * share
        for metric in METRICS:
            figure = measured(metric, reference, scores=scores, labels=labels, labelled=labelled)
            assert isinstance(figure, Estimate if evaluated else Undefined), (metric, share)
            assert figure.evaluated is evaluated
            if evaluated:
                assert ("without a label" in str(figure.assumption)) is (share < 1)


def test_labels_of_favourable_decisions_alone_say_nothing_of_the_rest(reference: BaselineDocument) -> None:
    scores, labels = sample(3000, 6)
    scores = np.where(np.arange(3000) % 10 == 0, scores, 0.5 + scores / 2)  # nearly all are favourable
    approved = scores >= reference.threshold
    assert approved.mean() > 0.8, "a share of labels alone must not be what stops it"
    for metric in METRICS:
        figure = measured(metric, reference, scores=scores, labels=labels, labelled=approved)
        if metric in performance.AMONG_FAVOURABLE:
            assert isinstance(figure, Estimate), metric
            assert figure.rows == approved.sum()
            assert "favourable decisions alone" in str(figure.assumption)
        else:
            assert isinstance(figure, Undefined), metric
            assert not figure.evaluated
    precision = measured("performance.precision", reference, scores=scores, labels=labels, labelled=approved)
    assert precision.value == pytest.approx(labels[approved].mean())


@pytest.mark.parametrize(
    ("decisions", "labelled", "is_in"),
    [
        *[((0, 0), (0, 0), False), ((300, 700), (0, 0), False), ((300, 700), (240, 560), True)],
        *[((300, 700), (0, 559), False), ((300, 700), (0, 560), True), ((300, 700), (300, 0), False)],
    ],
)
def test_labels_are_in_where_all_that_can_come_are_there(
    decisions: tuple[int, int], labelled: tuple[int, int], is_in: bool
) -> None:
    coverage = label_coverage.Coverage(decisions=decisions, labelled=labelled)
    assert coverage.are_in(0.8) is is_in
    if coverage.selective or not is_in:
        assert coverage.hole(0.8) is not None, "nothing is said about all decisions"
    assert (coverage.among_favourable.hole(0.8) is None) is (labelled[1] >= 560)


@pytest.mark.parametrize(
    ("decisions", "labelled", "selective"),
    [
        *[((100, 900), (0, 900), True), ((100, 900), (49, 900), True), ((100, 900), (51, 900), False)],
        *[((100, 900), (100, 0), True), ((0, 900), (0, 100), False), ((10, 10), (0, 0), False)],
    ],
)
def test_what_makes_labels_selective(
    decisions: tuple[int, int], labelled: tuple[int, int], selective: bool
) -> None:
    assert label_coverage.Coverage(decisions=decisions, labelled=labelled).selective is selective


def test_few_labels_of_one_kind_have_no_area(reference: BaselineDocument) -> None:
    scores, _ = sample(100, 8)
    labels = np.ones(100, dtype=int)
    labels[:9] = 0
    for metric in ("performance.roc_auc", "performance.balanced_accuracy", "performance.roc_auc_loss"):
        figure = measured(metric, reference, scores=scores, labels=labels)
        assert isinstance(figure, Undefined)
        assert figure.evaluated, "short of evidence, not short of labels"
        assert figure.p_above(0.0) == figure.p_below(1.0) == 1


def test_an_empty_window_is_not_evaluated(reference: BaselineDocument) -> None:
    nothing = np.array([])
    for metric in METRICS:
        figure = measured(metric, reference, scores=nothing, labels=nothing)
        assert isinstance(figure, Undefined)
        assert not figure.evaluated


def test_flipped_labels_are_a_loss_and_a_calibration_error(reference: BaselineDocument) -> None:
    scores, labels = sample(5000, 9)
    random = np.random.default_rng(3)
    flipped = np.where(random.random(5000) < 0.1, 1 - labels, labels)
    for metric, limit in (("performance.roc_auc_loss", 0.02), ("performance.calibration_error", 0.02)):
        quiet = measured(metric, reference, scores=scores, labels=labels)
        broken = measured(metric, reference, scores=scores, labels=flipped)
        assert quiet.p_above(limit) > 0.05
        assert broken.p_above(limit) < 1e-4, metric
        low, high = broken.interval(0.95)
        assert low <= broken.value <= high  # type: ignore[operator]


@settings(max_examples=30, deadline=None)
@given(st.integers(60, 2000), st.integers(0, 1000), st.sampled_from(METRICS))
def test_p_values_and_intervals_agree(rows: int, seed: int, metric: str) -> None:
    """An interval that leaves a limit out goes with a small p-value, and the other way round, nearly."""
    reference = monitored.baseline(*sample(500, 7), size=12)
    figure = measured(metric, reference, **dict(zip(("scores", "labels"), sample(rows, seed), strict=True)))
    if figure.value is None:
        return
    low, high = figure.interval(0.98)
    assert low <= figure.value <= high
    if metric != "performance.calibration_error":  # its test is sharper than its bounds
        assert figure.p_above(low - 0.02) <= 0.012
        assert figure.p_above(min(high, low + 0.02)) >= 0.009
    assert figure.p_above(figure.value) == figure.p_below(figure.value) == 1
    limits = np.linspace(-0.2, 1.1, 14)
    assert np.diff([figure.p_above(limit) for limit in limits]).min() >= -1e-9
    assert np.diff([figure.p_below(limit) for limit in limits]).max() <= 1e-9


def test_the_calibration_error_is_that_of_the_evidence_less_its_noise() -> None:
    random = np.random.default_rng(4)
    rows = random.integers(5, 400, 15)
    rate = random.uniform(0.02, 0.98, 15)
    draws = random.binomial(rows, rate, size=(300, 15))
    errors = [calibration_noise.CalibrationError(rows, favourable, rate) for favourable in draws]
    filled = [calibration.Bin(int(n), float(p), int(k)) for n, p, k in zip(rows, rate, draws[0], strict=True)]
    assert errors[0].plain == pytest.approx(calibration.error(filled))
    plain, less = np.mean([error.plain for error in errors]), np.mean([error.value for error in errors])
    assert less < 0.2 * plain, "what is expected by chance is taken off"
    p_values = np.array([error.p_above(0.0) for error in errors])
    assert np.mean(p_values < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert np.mean([error.bounds(0.9)[0] <= 0 for error in errors]) > 0.9


def test_a_version_without_scores_has_no_performance(reference: BaselineDocument) -> None:
    without = BaselineDocument(model_sha256="0" * 64, threshold=0.5, rows=1, features={})
    window = monitored.window(reference, np.array([0.2, 0.7]), labels=np.array([0, 1]))
    figure = performance.measure("performance.roc_auc", window, without, 0.8)
    assert isinstance(figure, Undefined)
    assert not figure.evaluated
