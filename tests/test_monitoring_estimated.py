"""Performance estimated from calibrated scores: NannyML's values, the truth under a shift, and no value."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from clearance.documents.baseline_document import BaselineDocument
from clearance.monitoring.figures import estimated_performance
from clearance.monitoring.figures.estimates import Estimate, Figure, Undefined
from tests.support import monitored

AREA, ACCURACY = "performance.estimated_roc_auc", "performance.estimated_accuracy"
EDGES = np.arange(1, 20) / 20

NANNYML = {
    1: {"roc_auc": 0.6506027938984837, "accuracy": 0.6750109338274937},
    2: {"roc_auc": 0.6256471142222348, "accuracy": 0.6440850115049068},
    3: {"roc_auc": 0.6376072301734581, "accuracy": 0.6655351531783615},
}
"""What NannyML 0.13.1 gives for `levels(seed)`: recorded by the test below, where it is installed."""


def chance(scores: np.ndarray) -> np.ndarray:
    """Scores that say too much: labels go with them half as much."""
    return 1 / (1 + np.exp(-0.5 * np.log(scores / (1 - scores)) - 0.3))


def draw(rows: int, seed: int, mean: float = 0.0, spread: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-random.normal(mean, spread, rows)))
    return scores, (random.random(rows) < chance(scores)).astype(int)


def levels(seed: int) -> dict[str, Any]:
    """Reference and shifted live rows whose scores have 20 levels, one for each cell."""
    scores, labels = draw(2000, seed)
    live, _ = draw(1500, seed + 100, mean=0.8, spread=1.0)
    level = {
        name: np.clip(np.round(part * 20 + 0.5), 1, 20) / 20 - 0.025
        for name, part in (("r", scores), ("l", live))
    }
    return {"scores": level["r"], "labels": labels, "live": level["l"]}


def estimate(metric: str, reference: BaselineDocument, scores: np.ndarray, **window: Any) -> Figure:
    return estimated_performance.measure(metric, monitored.window(reference, scores, **window), reference)


@pytest.mark.parametrize("seed", NANNYML)
def test_values_are_those_of_nannyml(seed: int) -> None:
    rows = levels(seed)
    half = 1000
    reference = monitored.baseline(
        rows["scores"][:half],
        rows["labels"][:half],
        calibration=(rows["scores"][half:], rows["labels"][half:]),
        edges=EDGES,
    )
    for metric, name in ((AREA, "roc_auc"), (ACCURACY, "accuracy")):
        value = estimate(metric, reference, rows["live"]).value
        assert value == pytest.approx(NANNYML[seed][name], abs=1e-6), name


@pytest.mark.skipif(
    "CLEARANCE_NANNYML_PYTHON" not in os.environ,
    reason="CLEARANCE_NANNYML_PYTHON does not name a Python that has nannyml 0.13.1 and statsmodels",
)
@pytest.mark.parametrize("seed", NANNYML)
def test_the_recorded_values_of_nannyml_are_its_values(seed: int) -> None:
    rows = {name: values.tolist() for name, values in levels(seed).items()}
    script = Path(__file__).parent / "support/nannyml_estimates.py"
    ran = subprocess.run(
        [os.environ["CLEARANCE_NANNYML_PYTHON"], str(script)],
        input=json.dumps(rows | {"threshold": monitored.THRESHOLD}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout.splitlines()[-1]) == pytest.approx(NANNYML[seed], abs=1e-9)


@pytest.fixture(scope="module")
def reference() -> BaselineDocument:
    scores, labels = draw(6000, 4)
    return monitored.baseline(
        scores[:3000], labels[:3000], calibration=(scores[3000:], labels[3000:]), size=20
    )


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.5), (1.0, 1.5), (-0.5, 0.8), (0.3, 2.0)])
def test_the_truth_under_a_shift_of_scores_is_met(
    mean: float, spread: float, reference: BaselineDocument
) -> None:
    scores, labels = draw(20_000, 5, mean, spread)
    truth = {
        AREA: roc_auc_score(labels, scores),
        ACCURACY: accuracy_score(labels, scores >= monitored.THRESHOLD),
    }
    for metric, value in truth.items():
        figure = estimate(metric, reference, scores)
        assert isinstance(figure, Estimate)
        assert abs(figure.value - value) <= 0.02, metric
        low, high = figure.interval(0.99)
        assert low <= value <= high
        assert estimated_performance.ASSUMPTION in figure.assumption
        assert figure.reference_rows == 6000
        assert figure.p_above(value - 0.1) < 1e-4
        assert figure.p_below(value + 0.1) < 1e-4


@pytest.mark.parametrize("metric", [AREA, ACCURACY])
def test_the_interval_holds_the_error_of_sampling_and_of_calibration(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimated_performance, "DRAWS", 60)
    held, widths = 0, []
    many, many_labels = draw(100_000, 6, 0.5, 1.2)
    truth = (
        roc_auc_score(many_labels, many)
        if metric == AREA
        else accuracy_score(many_labels, many >= monitored.THRESHOLD)
    )
    for seed in range(40):
        scores, labels = draw(800, 200 + seed)
        figure = estimate(metric, monitored.baseline(scores, labels, size=20), draw(500, seed, 0.5, 1.2)[0])
        low, high = figure.interval(0.9)
        held += low <= truth <= high
        widths.append(high - low)
    assert held >= 32, "of 40 at 90 %"
    assert np.mean(widths) < 0.12


def test_fewer_calibrating_rows_make_the_interval_wider(reference: BaselineDocument) -> None:
    scores, labels = draw(300, 7)
    few = monitored.baseline(scores, labels, calibration=(scores[:0], labels[:0]), size=20)
    live, _ = draw(50_000, 8)
    for metric in (AREA, ACCURACY):
        wide, narrow = (np.diff(estimate(metric, base, live).interval(0.95)) for base in (few, reference))
        assert wide > 2 * narrow


def test_labels_that_arrive_end_an_estimate_that_they_contradict(reference: BaselineDocument) -> None:
    random = np.random.default_rng(9)
    scores, labels = draw(3000, 10, 0.3, 1.3)
    some = random.random(3000) < 0.5
    held = estimate(AREA, reference, scores, labels=labels, labelled=some)
    assert isinstance(held, Estimate)
    planted = {
        "flipped": np.where(random.random(3000) < 0.2, 1 - labels, labels),
        "fewer": labels * (random.random(3000) < 0.8),
        "random": random.integers(0, 2, 3000),
    }
    for name, changed in planted.items():
        figure = estimate(AREA, reference, scores, labels=changed, labelled=some)
        assert isinstance(figure, Undefined), name
        assert figure.evaluated, name
        assert figure.p_below(1.0) == 1
    window = monitored.window(reference, scores)
    earlier = monitored.window(reference, scores, labels=planted["random"]).labelled
    assert estimated_performance.measure(AREA, window, reference).value is not None
    assert estimated_performance.measure(AREA, window, reference, earlier).value is None, (
        "labels of earlier windows count"
    )


def test_labels_end_few_estimates_that_hold(reference: BaselineDocument) -> None:
    ended = 0
    for seed in range(200):
        scores, labels = draw(400, 1000 + seed, 0.3, 1.3)
        ended += estimate(AREA, reference, scores, labels=labels).value is None
    assert ended <= 7, "of 200 at 1 %"


def test_scores_where_hardly_any_row_calibrates_have_no_estimate() -> None:
    scores, labels = draw(3000, 11, -1.0, 0.5)
    reference = monitored.baseline(scores, labels, edges=np.arange(1, 20) / 20)
    for mean, known in ((-1.0, True), (-0.7, True), (2.0, False)):
        figure = estimate(AREA, reference, draw(1000, 12, mean, 0.5)[0])
        assert (figure.value is not None) is known, mean
        assert figure.evaluated


def test_what_cannot_be_estimated_is_undefined(reference: BaselineDocument) -> None:
    nothing = estimate(AREA, reference, np.array([]))
    assert isinstance(nothing, Undefined)
    assert nothing.evaluated
    scores, _ = draw(300, 13)
    one_label = monitored.baseline(scores, np.ones(300, dtype=int), size=20)
    without = BaselineDocument(model_sha256="0" * 64, threshold=0.5, rows=1, features={})
    for baseline in (one_label, without):
        figure = estimated_performance.measure(AREA, monitored.window(reference, scores), baseline)
        assert isinstance(figure, Undefined)
        assert not figure.evaluated
    few = estimate(AREA, reference, scores[:9])
    assert isinstance(few, Undefined)
    assert few.evaluated
