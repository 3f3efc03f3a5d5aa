"""Performance is scikit-learn's where it is defined, undefined where it is not, and covered as stated."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml
from sklearn import metrics

from clearance import files, params
from clearance.data.tables import prepared
from clearance.documents import metric_catalogue
from clearance.documents.measurement import Measurement
from clearance.metrics import calibration, curves, performance, ranking
from clearance.metrics.intervals import Sampling
from tasks import evaluate
from tests.support import codes, evidence, scored

SAMPLING = Sampling(confidence=0.95, resamples=200, seed=1)
NAMES = [
    *("roc_auc", "average_precision", "brier", "log_loss"),
    *("accuracy", "balanced_accuracy", "f1", "selection_rate_excess", "calibration_error"),
]
Array = npt.NDArray[Any]


def drawn(rows: int, seed: int = 0, shift: float = 1.3) -> tuple[Array, Array]:
    """Labels and scores in [0, 1]; favourable rows score `shift` standard deviations higher."""
    random = np.random.default_rng(seed)
    label = (random.random(rows) < 0.6).astype(np.int8)
    return label, 1 / (1 + np.exp(-random.normal(shift * label - 0.3)))


def taken(label: Array, scores: Array, threshold: float = 0.5, **more: Any) -> dict[str, Measurement]:
    sampling = Sampling(**{"confidence": 0.95, "resamples": 200, "seed": 1} | more)
    return performance.measure(label, scores, threshold, 10, sampling)


@pytest.mark.parametrize("seed", range(4))
def test_point_values_are_scikit_learns(seed: int) -> None:
    label, scores = drawn(150, seed)
    decision = scores >= 0.5
    values = {name: measurement.value for name, measurement in taken(label, scores).items()}
    assert values == {
        "roc_auc": metrics.roc_auc_score(label, scores),
        "average_precision": metrics.average_precision_score(label, scores),
        "brier": metrics.brier_score_loss(label, scores),
        "log_loss": metrics.log_loss(label, scores),
        "accuracy": metrics.accuracy_score(label, decision),
        "balanced_accuracy": metrics.balanced_accuracy_score(label, decision),
        "f1": metrics.f1_score(label, decision),
        "selection_rate_excess": pytest.approx(decision.mean() - label.mean(), abs=1e-12),
        "calibration_error": values["calibration_error"],
    }


def test_calibration_error_is_its_definition() -> None:
    label, scores = drawn(300)
    gaps = 0.0
    for b in range(10):
        inside = (scores >= b / 10) & ((scores < (b + 1) / 10) | (b == 9))
        if inside.any():
            gaps += inside.mean() * abs(scores[inside].mean() - label[inside].mean())
    assert taken(label, scores)["calibration_error"].value == pytest.approx(gaps, abs=1e-12)


def test_calibration_bins_hold_their_lower_edge_and_the_last_holds_one() -> None:
    scores = np.array([0.0, 0.1, 0.3, 0.7, 0.95, 1.0])
    filled = calibration.table(np.array([0, 0, 1, 1, 1, 1]), scores, 10)
    assert [(bucket.rows, bucket.favourable) for bucket in filled] == [(1, 0), (1, 0), (1, 1), (1, 1), (2, 2)]
    assert filled[-1].mean_score == pytest.approx(0.975)


@pytest.mark.parametrize("rows", [4, 30, 400])
def test_every_measurement_lies_inside_its_bounds_and_its_range(rows: int) -> None:
    label, scores = drawn(rows, seed=3)
    for name, measurement in taken(label, scores).items():
        assert measurement.value is not None
        assert set(measurement.support) == {"favourable label", "unfavourable label"}
        assert sum(measurement.support.values()) == rows
        if measurement.low is not None and measurement.high is not None:
            lowest = metric_catalogue.METRICS[f"performance.{name}"].low
            assert (
                lowest is not None and lowest <= measurement.low <= measurement.value <= measurement.high
            ), name
            assert measurement.low < measurement.high, name
            assert measurement.high <= 1 or name == "log_loss"


def test_more_confidence_is_wider() -> None:
    label, scores = drawn(300)
    bold, careful = taken(label, scores, confidence=0.8), taken(label, scores, confidence=0.975)
    for name in NAMES:
        assert careful[name].confidence == 0.975
        assert careful[name].low < bold[name].low or bold[name].low == 0  # type: ignore[operator]
        assert careful[name].high > bold[name].high  # type: ignore[operator]


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_leaves_what_needs_two_undefined(only: int) -> None:
    _, scores = drawn(40)
    measurements = taken(np.full(40, only, dtype=np.int8), scores)
    for name in ("roc_auc", "average_precision", "balanced_accuracy", "f1"):
        assert measurements[name].value is None
        assert measurements[name].undefined == f"every test row has the label {only}"
    for name in ("brier", "log_loss", "accuracy", "calibration_error"):
        assert measurements[name].value is not None


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -0.1, 1.1])
def test_a_score_that_is_no_probability_leaves_everything_undefined(wrong: float) -> None:
    label, scores = drawn(40)
    scores[7] = wrong
    measurements = taken(label, scores)
    assert list(measurements) == NAMES
    assert {measurement.undefined for measurement in measurements.values()} == {
        "1 of 40 scores are not probabilities"
    }
    assert curves.points(label, scores, 10, 0.95)["roc"]["true_positive_rate"] == []


def test_the_excess_of_favourable_decisions_has_a_score_interval_of_paired_rates() -> None:
    label, scores = drawn(400)
    everybody = taken(label, scores, threshold=0.0)["selection_rate_excess"]
    assert everybody.value == pytest.approx(1 - label.mean())
    assert everybody.low is not None and 0.3 < everybody.low < everybody.value
    balanced = taken(np.repeat([0, 1], 50), np.tile([0.2, 0.8], 50))["selection_rate_excess"]
    assert balanced.value == 0 and balanced.low == pytest.approx(-(balanced.high or 0))
    exact = taken(np.repeat([0, 1], 50), np.repeat([0.2, 0.8], 50))["selection_rate_excess"]
    assert exact.low is not None and exact.low < 0 == exact.value


def test_no_rows_leave_everything_undefined() -> None:
    measurements = taken(np.zeros(0, dtype=np.int8), np.zeros(0))
    assert {measurement.undefined for measurement in measurements.values()} == {"there are no test rows"}


def test_perfect_scores_still_leave_room_for_doubt() -> None:
    label = np.repeat([0, 1], [30, 20])
    measurements = taken(label, np.where(label, 0.9, 0.2))
    for name in ("roc_auc", "average_precision", "accuracy", "balanced_accuracy", "f1"):
        assert measurements[name].value == measurements[name].high == 1
        assert measurements[name].low < 0.96, name  # type: ignore[operator]


def test_where_no_interval_is_honest_none_is_given() -> None:
    label = np.repeat([0, 1], [30, 5])
    scores = np.tile([0.2, 0.6, 0.4, 0.8, 0.3], 7)
    few = taken(label, scores)
    constant = taken(np.repeat([0, 1], 20), np.full(40, 0.5))
    for measurement in (few["roc_auc"], few["average_precision"], constant["roc_auc"], constant["brier"]):
        assert (measurement.low, measurement.high, measurement.confidence) == (None, None, None)
        assert measurement.method.startswith("no interval: ")


@pytest.mark.parametrize(("rows", "shift"), [(60, 1.3), (60, 0.2), (400, 1.3)])
def test_the_area_has_the_wider_of_delongs_interval_and_the_score(rows: int, shift: float) -> None:
    """DeLong's against the definition: every pair of rows compared one by one."""
    label, scores = drawn(rows, seed=5, shift=shift)
    favourable, other = scores[label == 1], scores[label == 0]
    wins = (favourable[:, None] > other) + 0.5 * (favourable[:, None] == other)
    area = wins.mean()
    variance = wins.mean(axis=1).var(ddof=1) / len(favourable) + wins.mean(axis=0).var(ddof=1) / len(other)
    step = 1.959963984540054 * math.sqrt(variance) / (area * (1 - area))
    logit = math.log(area / (1 - area))
    delong = [1 / (1 + math.exp(-(logit + sign * step))) for sign in (-1, 1)]
    score = ranking.score_bounds(area, len(favourable), len(other), 0.95)
    measurement = taken(label, scores)["roc_auc"]
    expected = [min(delong[0], score[0]), max(delong[1], score[1])]
    assert [measurement.low, measurement.high] == pytest.approx(expected, abs=1e-9)


def coverage(name: str, truth: float, rows: int, rounds: int, shift: float = 1.3) -> float:
    hits = 0
    for seed in range(rounds):
        label, scores = drawn(rows, seed=1000 + seed, shift=shift)
        measurement = taken(label, scores)[name]
        hits += measurement.low <= truth <= measurement.high  # type: ignore[operator]
    return hits / rounds


@pytest.mark.parametrize(("name", "shift"), [("roc_auc", 1.3), ("average_precision", 2.0), ("f1", 1.3)])
def test_intervals_cover_the_truth(name: str, shift: float) -> None:
    """Truth from a million rows; the bound is four standard errors of 150 rounds below 95 %."""
    label, scores = drawn(1_000_000, seed=99, shift=shift)
    oracle = {
        "roc_auc": lambda: metrics.roc_auc_score(label, scores),
        "average_precision": lambda: metrics.average_precision_score(label, scores),
        "f1": lambda: metrics.f1_score(label, scores >= 0.5),
    }[name]
    assert coverage(name, oracle(), rows=120, rounds=150, shift=shift) >= 0.88


@pytest.mark.parametrize("rows", [40, 400])
def test_the_calibration_interval_covers_a_true_zero(rows: int) -> None:
    """Where percentiles of a bootstrap never would: the estimate and its resamples are biased upward."""
    random = np.random.default_rng(2)
    hits = 0
    for _ in range(300):
        scores = random.beta(2, 1, rows)
        filled = calibration.table((random.random(rows) < scores).astype(int), scores, 10)
        assert calibration.error(filled) > 0
        hits += calibration.bounds(filled, SAMPLING)[0] == 0
    assert hits / 300 >= 0.9


def test_the_same_seed_gives_the_same_bounds_and_no_other_does() -> None:
    label, scores = drawn(200)
    assert taken(label, scores) == taken(label, scores)
    other = taken(label, scores, seed=2)
    differences = {name for name, measurement in taken(label, scores).items() if measurement != other[name]}
    assert differences == {"average_precision", "calibration_error"}


def test_the_order_of_rows_changes_no_number() -> None:
    label, scores = drawn(200)
    order = np.random.default_rng(0).permutation(200)
    shuffled = taken(label[order], scores[order])
    for name, measurement in taken(label, scores).items():
        again = shuffled[name]
        assert (measurement.value, measurement.low, measurement.high) == pytest.approx(
            (again.value, again.low, again.high)
        )


def test_many_distinct_scores_are_binned_said_so_and_hardly_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    label, scores = drawn(1500)
    exact = taken(label, scores)["average_precision"]
    monkeypatch.setattr(ranking, "LEVELS", 300)
    binned = taken(label, scores)["average_precision"]
    assert "approximate" not in exact.method
    assert "approximate: 300 quantile bins" in binned.method
    assert (binned.low, binned.high) == pytest.approx((exact.low, exact.high), abs=4e-3)


# Curves


def test_curves_are_thinned_and_keep_their_ends_and_their_area() -> None:
    label, scores = drawn(20_000)
    plots = curves.points(label, scores, 10, 0.95)
    roc, precise = plots["roc"], plots["precision_recall"]
    false_positive, true_positive = roc["false_positive_rate"], roc["true_positive_rate"]
    assert len(false_positive) == curves.POINTS
    assert (false_positive[0], true_positive[0]) == (0, 0)
    assert (false_positive[-1], true_positive[-1]) == (1, 1)
    area = metrics.auc(false_positive, true_positive)
    assert area == pytest.approx(metrics.roc_auc_score(label, scores), abs=2e-3)
    assert len(precise["recall"]) <= curves.POINTS
    assert (precise["recall"][0], precise["recall"][-1]) == (0, 1)
    assert sum(plots["calibration"]["rows"]) == 20_000


def test_one_class_has_a_calibration_and_no_curve() -> None:
    plots = curves.points(np.ones(50, dtype=np.int8), np.linspace(0, 1, 50), 10, 0.95)
    assert plots["roc"]["true_positive_rate"] == []
    assert plots["precision_recall"]["precision"] == []
    assert plots["calibration"]["favourable_rate"] == [1.0] * 10


# The stage


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = scored.build(tmp_path / "project", scored.table(400))
    monkeypatch.chdir(root)
    return root


def written(root: Path) -> dict[str, bytes]:
    files = [root / "reports/performance.json", *sorted((root / "reports/figures/evaluate").iterdir())]
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files}


def test_the_stage_measures_the_test_rows_and_no_others(project: Path) -> None:
    evaluate.main()
    document = files.read_json(project / "reports/performance.json")
    test = prepared.read(project, "test")
    assert document["status"] == "measured"
    assert document["rows"] == len(test.label) == sum(document["confusion"].values())
    assert document["threshold"] == scored.THRESHOLD
    assert list(document["measurements"]) == sorted(NAMES)
    training = files.read_json(project / "reports/training.json")
    assert document["model_sha256"] == training["model"]["sha256"]


def test_labels_outside_the_test_rows_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = scored.table(400)
    labels = frame["label"].to_numpy()
    flipped = frame.assign(label=np.where(frame["split"] == "test", labels, 1 - labels).astype(np.int8))
    outs = []
    for name, rows in (("as-is", frame), ("flipped", flipped)):
        monkeypatch.chdir(scored.build(tmp_path / name, rows, labels=labels))
        evaluate.main()
        outs.append(written(Path.cwd()))
    assert outs[0] == outs[1]


def test_the_stage_writes_the_same_bytes_twice_and_nothing_of_the_machine(project: Path) -> None:
    evaluate.main()
    first = written(project)
    evaluate.main()
    assert written(project) == first
    for name, content in first.items():
        assert str(project).encode() not in content, name
        assert not re.search(rb"<dc:date>|\d\d:\d\d:\d\d", content), name
    assert len(first) == 5


def test_every_plot_of_dvc_yaml_is_written_with_its_columns(project: Path) -> None:
    evaluate.main()
    plots = yaml.safe_load((scored.ROOT / "dvc.yaml").read_text())["plots"]
    axes = [
        axis for plot in plots for definition in plot.values() for axis in (definition["x"], definition["y"])
    ]
    ours = [axis for axis in axes if next(iter(axis)).startswith("reports/figures/evaluate/")]
    assert len(ours) == 6
    for axis in ours:
        ((file, column),) = axis.items()
        points = json.loads((project / file).read_text())
        assert all(0 <= point[column] <= 1 for point in points)


def test_a_blocked_training_blocks_the_evaluation(project: Path) -> None:
    scored.block(project)
    evaluate.main()
    document = files.read_json(project / "reports/performance.json")
    assert document["status"] == "blocked"
    assert document["because"] == "validate_raw: 3 rows are wrong"
    assert [file.name for file in (project / "reports/figures/evaluate").iterdir()] == ["blocked.json"]


def test_scores_that_are_not_the_recorded_ones_are_refused_and_nothing_written(project: Path) -> None:
    scores = project / "data/scored/scores.parquet"
    scores.write_bytes(scores.read_bytes() + b" ")
    with codes.raises("files.changed"):
        evaluate.main()
    assert not (project / "reports/performance.json").exists()


def test_an_undefined_metric_has_a_curve_without_points() -> None:
    label, scores = np.ones(30, dtype=np.int8), np.full(30, 0.5)
    document = evaluate.evaluate(
        label=label,
        scores=scores,
        threshold=0.5,
        model_sha256=evidence.DIGEST,
        options=params.Evaluate(),
        seed=1,
    )
    assert "every test row has the label" in str(document.measurements["roc_auc"].undefined)
    points = evaluate.curves_to_draw(curves.points(label, scores, 10, 0.95), document.measurements)
    assert points["roc"] == {"false_positive_rate": [], "true_positive_rate": []}


def test_the_score_distribution_counts_every_row_of_a_known_group_once() -> None:
    scores = np.linspace(0, 1, 60)
    groups = pd.DataFrame({"race": ["Elf"] * 40 + ["Orc"] * 11 + [None] * 5 + ["Ent"] * 4})
    counts = curves.score_distribution(scores, groups)["race"]
    assert {group: sum(rows) for group, rows in counts.items()} == {"Elf": 40, "Orc": 11}, "4 rows are few"
    for group, rows in counts.items():
        of_group = scores[(groups["race"] == group).to_numpy()]
        below = [int((of_group < edge / 20).sum()) for edge in range(20)]
        assert np.cumsum([0, *rows[:-1]]).tolist() == below
    assert curves.score_distribution(scores * 2, groups) == {}
