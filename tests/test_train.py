"""Training sees train and tune rows only, gives the same bytes every time, and says what is wrong."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from clearance import files, paths
from clearance.data.tables import prepared
from clearance.documents.evidence_document import BlockedDocument, MeasuredDocument
from clearance.documents.validation_document import BlockedValidation
from clearance.errors import ClearanceError, ConfigurationError
from clearance.models import candidates, estimators, model_file, scoring
from tasks import train
from tests.support import boosters, codes, evidence, learnable

SMALL: dict[str, dict[str, Any]] = {
    "logistic_regression": {},
    "random_forest": {"n_estimators": 8},
    "hist_gradient_boosting": {"max_iter": 8},
    **boosters.SMALL,
}
HERE = {name: SMALL[name] for name in SMALL if name not in boosters.SMALL or name in boosters.INSTALLED}
"""Those whose library is installed."""


def trained(frame: pd.DataFrame, seed: int = 1, **choice: Any) -> candidates.Candidate:
    rows, tune = (learnable.split(frame, name) for name in ("train", "tune"))
    return train.train(rows, tune, learnable.data(), learnable.choice(**choice), seed).chosen


def run(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(root)
    train.main()
    document: dict[str, Any] = files.read_json(root / paths.TRAINING)
    return document


@pytest.mark.parametrize("estimator", [boosters.installed(name) for name in SMALL])
def test_each_estimator_out_of_the_box_learns_and_is_stored(
    estimator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = learnable.table()
    root = learnable.build(tmp_path, frame, estimator=estimator, arguments=SMALL[estimator])
    record = run(root, monkeypatch)
    assert record["status"] == "measured"
    assert record["tune"]["roc_auc"] > 0.55
    assert record["estimator"] == estimators.BUILT_IN[estimator].path
    extra = estimators.extra_of(estimator)
    locks = {extra: files.sha256(root / paths.EXTRA_LOCKS[extra])} if extra else None
    assert record.get("extras_sha256") == locks
    model = model_file.load(root / record["model"]["file"], record["model"]["sha256"])
    test = learnable.split(frame, "test")
    assert np.unique(scoring.score(model.estimator, test.features)).size > 10
    decisions = scoring.decide(scoring.score(model.estimator, test.features), record["threshold"])
    inputs = scoring.inputs(test.features, scoring.model_kinds(model.estimator))
    assert np.array_equal(model.predict(inputs), decisions)


def test_test_rows_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = learnable.table()
    root = learnable.build(tmp_path, frame, mitigation="reweighing", search={"grid": {"C": [0.1, 1.0]}})
    before, model = run(root, monkeypatch), (root / paths.MODEL).read_bytes()
    variant = frame.copy()
    test = variant["split"] == "test"
    variant.loc[test, "income"] = np.inf
    variant.loc[test, "region"] = "elsewhere"
    variant.loc[test, "race"] = "Martian"
    variant.loc[test, "label"] = 1 - variant.loc[test, "label"]
    learnable.write(root, variant)
    after = run(root, monkeypatch)
    assert (root / paths.MODEL).read_bytes() == model
    assert {**after, "data": None} == {**before, "data": None}
    assert after["data"] != before["data"]


def test_test_rows_are_never_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queries: list[str | None] = []
    read_splits = prepared.read_splits

    def watched(root: Path, *splits: str | None) -> list[prepared.Prepared]:
        queries.extend(splits)
        return read_splits(root, *splits)

    monkeypatch.setattr(prepared, "read_splits", watched)
    run(learnable.build(tmp_path, learnable.table()), monkeypatch)
    assert sorted(map(str, queries)) == ["train", "tune"]


def train_all(folder: Path) -> list[str]:
    """The digests of what training writes for every kind of model that is installed."""
    digests = []
    for name, arguments in HERE.items():
        search = {"grid": {"max_iter": [20, 40]}, "iterations": 1} if name == "logistic_regression" else None
        options: dict[str, Any] = {"estimator": name, "arguments": arguments, "search": search}
        root = learnable.build(folder / name, learnable.table(), mitigation="reweighing", **options)
        with contextlib.chdir(root):
            train.main()
        digests += [files.sha256(root / paths.TRAINED), files.sha256(root / paths.TRAINING)]
    return digests


def test_the_outputs_are_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    """In this one, and in a fresh one in which sets and dictionaries of texts have another order."""
    script = "import sys, pathlib; from tests import test_train as test; "
    script += "print(hash('a text'), *test.train_all(pathlib.Path(sys.argv[1])))"
    variables = os.environ | {"PYTHONHASHSEED": "2", "PYTHONPATH": str(learnable.ROOT)}
    command = [sys.executable, "-c", script, str(tmp_path / "fresh")]
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    order, *fresh = result.stdout.split()
    assert int(order) != hash("a text"), "the other process must order texts otherwise"
    assert len(fresh) == 2 * len(HERE)
    assert fresh == train_all(tmp_path / "here")


def test_the_seed_reaches_the_estimator_and_decides(tmp_path: Path) -> None:
    frame = learnable.table()
    forest = {"estimator": "random_forest", "arguments": SMALL["random_forest"]}
    rows = learnable.split(frame, "tune").features
    one, again, other = (scoring.score(trained(frame, seed, **forest).pipeline, rows) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    nested = {"estimator": "sklearn.calibration.CalibratedClassifierCV"}
    assert "random_state" not in trained(frame, 5, **nested).pipeline[-1].get_params()
    options = forest | {"arguments": {**SMALL["random_forest"], "random_state": 77}}
    assert trained(frame, 5, **options).pipeline[-1].random_state == 77


def test_any_installed_classifier_by_its_import_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = learnable.build(tmp_path, learnable.table(), estimator="sklearn.naive_bayes.GaussianNB")
    record = run(root, monkeypatch)
    assert record["estimator"] == "sklearn.naive_bayes.GaussianNB"
    assert record["libraries"]["scikit-learn"]


@pytest.mark.parametrize(
    ("choice", "code", "value"),
    [
        ({"estimator": "logistic"}, "models.unknown_estimator", "logistic"),
        (
            {"estimator": "sklearn.linear_model.LogisticRegresion"},
            "models.import_failed",
            "LogisticRegresion",
        ),
        ({"estimator": "sklearn.nowhere.Class"}, "models.import_failed", "sklearn.nowhere"),
        ({"estimator": "not_installed.Class"}, "models.package_not_installed", "not_installed"),
        ({"estimator": "os.path.join"}, "models.no_package", "os.path.join"),
        ({"estimator": "sklearn.base.clone"}, "models.not_a_class", "sklearn.base.clone"),
        ({"estimator": "sklearn.linear_model.RidgeClassifier"}, "models.no_probabilities", "Ridge"),
        ({"estimator": "sklearn.linear_model.LinearRegression"}, "models.no_probabilities", "Linear"),
        ({"estimator": "pandas.DataFrame"}, "models.cannot_be_created", "pandas.DataFrame"),
        ({"arguments": {"max_itr": 5}}, "models.unknown_argument", "did you mean `max_iter`?"),
        ({"arguments": {"C": -1}}, "models.cannot_be_fitted", "'C' parameter of LogisticRegression"),
        ({"search": {"grid": {"c": [1]}}}, "models.unknown_argument", "'argument': 'c'"),
        (
            {"search": {"grid": {"C": [1, "x"]}}},
            "models.cannot_be_fitted",
            "'C' parameter of LogisticRegression",
        ),
        ({"search": {"grid": {"C": [1]}, "scoring": "rocauc"}}, "models.cannot_be_fitted", "rocauc"),
        ({"search": {"grid": {"C": [1]}, "folds": 500}}, "models.too_few_rows_for_folds", "'folds': 500"),
        (
            {"estimator": "sklearn.neighbors.KNeighborsClassifier", "mitigation": "reweighing"},
            "models.no_row_weights",
            "'method': 'reweighing'",
        ),
    ],
)
def test_a_choice_that_cannot_work_is_named(choice: dict[str, Any], code: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as excinfo:
        trained(learnable.table(300), **choice)
    assert excinfo.value.code == code
    assert value in " ".join([str(excinfo.value.values), *map(str, excinfo.value.values.values())])


def emptied(frame: pd.DataFrame) -> None:
    frame.loc[frame["split"] == "train", "income"] = np.nan


def one_sided(frame: pd.DataFrame) -> None:
    frame.loc[frame["split"] == "train", "label"] = 1


def infinite(frame: pd.DataFrame) -> None:
    frame.loc[frame.index[frame["split"] == "train"][3], "income"] = np.inf


def infinite_in_tune(frame: pd.DataFrame) -> None:
    frame.loc[frame.index[frame["split"] == "tune"][3], "income"] = -np.inf


def one_sided_tune(frame: pd.DataFrame) -> None:
    frame.loc[frame["split"] == "tune", "label"] = 0


@pytest.mark.parametrize(
    ("spoil", "code", "values"),
    [
        (emptied, "models.features_empty", {"features": "`income`"}),
        (one_sided, "models.train_rows_one_outcome", {}),
        (infinite, "models.feature_infinite", {"feature": "income"}),
        (infinite_in_tune, "models.feature_infinite", {"feature": "income"}),
        (one_sided_tune, "models.one_outcome", {}),
    ],
)
def test_rows_that_cannot_be_used_are_named(
    spoil: Callable[[pd.DataFrame], None], code: str, values: dict[str, Any]
) -> None:
    frame = learnable.table(200)
    spoil(frame)
    with codes.raises(code, **values):
        trained(frame)


def test_a_fixed_threshold_needs_no_second_outcome_in_tune() -> None:
    frame = learnable.table(200)
    one_sided_tune(frame)
    result = trained(frame, threshold={"fixed": 0.4})
    assert (result.threshold, result.threshold_rule) == (0.4, "fixed in params.yaml")
    assert result.tune.balanced_accuracy is None
    assert result.tune.roc_auc is None


def test_a_search_tries_every_combination_and_keeps_the_best() -> None:
    grid = {"C": [1e-5, 1.0], "max_iter": [50, 60]}
    result = trained(learnable.table(), search={"grid": grid, "folds": 3})
    search = result.fitted.search
    assert search is not None
    assert [row["arguments"] for row in search["results"]] == [
        {"C": c, "max_iter": steps}
        for c in grid["C"]  # type: ignore[attr-defined]
        for steps in grid["max_iter"]  # type: ignore[attr-defined]
    ]
    best = max(row["mean"] for row in search["results"])
    assert next(row["mean"] for row in search["results"] if row["arguments"] == search["best"]) == best
    assert search["best"] == {"C": result.pipeline[-1].C, "max_iter": result.pipeline[-1].max_iter}
    assert not [key for key in search if "time" in key]


def test_a_search_draws_as_often_as_it_is_told() -> None:
    search = {"grid": {"C": [0.1, 1.0, 10.0, 100.0]}, "folds": 2}
    for iterations, results in ((2, 2), (99, 4)):
        report = trained(learnable.table(300), search=search | {"iterations": iterations}).fitted.search
        assert report is not None
        assert len(report["results"]) == results


def test_reweighing_reaches_the_estimator_also_through_a_search() -> None:
    frame = learnable.table()
    tune = learnable.split(frame, "tune")

    def gap(**choice: Any) -> float:
        scores = scoring.score(trained(frame, **choice).pipeline, tune.features)
        black = (tune.protected["race"] == "Black").to_numpy()
        return float(scores[~black].mean() - scores[black].mean())

    for extra in ({}, {"search": {"grid": {"C": [1.0]}, "folds": 2}}):
        assert gap(mitigation="reweighing", **extra) != gap(**extra)


def test_reweighing_is_recorded_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = run(learnable.build(tmp_path, learnable.table(), mitigation="reweighing"), monkeypatch)
    groups = [cell["group"] for cell in record["weights"]["cells"]]
    assert {"race": "Black", "sex": "female"} in groups
    assert record["mitigation"] == "reweighing"


def test_the_record_is_all_that_is_needed_to_repeat_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = learnable.build(tmp_path, learnable.table(), arguments={"C": 0.5})
    record = run(root, monkeypatch)
    split = files.read_json(root / paths.SPLIT)
    assert record["data"] == {key: split[key] for key in ("tables", "row_digests", "rows")}
    assert record["requirements_sha256"] == files.sha256(root / "requirements.lock")
    assert record["model"]["sha256"] == files.sha256(root / record["model"]["file"])
    assert record["arguments"] == {"C": 0.5}
    assert record["estimator_params"]["C"] == 0.5
    assert record["estimator_params"]["random_state"] == 20260101
    kinds = {"income": "number", "age": "number", "owner": "number"}
    assert record["features"] == kinds | {"region": "category", "street": "category", "grade": "category"}
    assert [column["name"] for column in record["inputs"]] == list(learnable.FEATURES)
    assert list(record["measurements"]) == ["protected_at_decision"]
    assert record["measurements"]["protected_at_decision"]["value"] == 0


def test_the_input_example_is_made_up_and_names_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = learnable.table()
    root = learnable.build(tmp_path, frame)
    record = run(root, monkeypatch)
    example = record["input_example"]
    assert list(example) == sorted(learnable.FEATURES)
    other = learnable.build(tmp_path / "other", frame.assign(income=frame["income"] + 1e6, region="east"))
    assert run(other, monkeypatch)["input_example"] == example  # whatever the table holds
    model = model_file.load(root / paths.MODEL, record["model"]["sha256"])
    assert 0 < scoring.score(model.estimator, pd.DataFrame([example]))[0] < 1
    assert model.predict(pd.DataFrame([example]))[0] in {0, 1}


def test_a_complaint_of_the_estimator_is_kept() -> None:
    result = trained(learnable.table(), arguments={"max_iter": 1})
    assert any("failed to converge" in complaint for complaint in result.fitted.warnings)
    assert not trained(learnable.table()).fitted.warnings


def test_threads_may_fit_but_never_add_up_votes_in_any_order() -> None:
    arguments = {"n_estimators": 8, "n_jobs": 2}
    assert trained(learnable.table(), estimator="random_forest", arguments=arguments).pipeline[-1].n_jobs == 1


def test_a_model_that_changes_when_stored_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = learnable.table(200)
    other = trained(frame, arguments={"C": 1e-4}).pipeline
    monkeypatch.setattr(model_file, "load", lambda *_: model_file.with_threshold(other, 0.5))
    root = learnable.build(tmp_path, frame)
    with codes.raises("models.changed_when_stored", estimator="LogisticRegression"):
        run(root, monkeypatch)
    assert not (root / paths.TRAINED).exists()


def test_an_estimator_without_probabilities_in_its_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DummyClassifier, "predict_proba", lambda _, rows: np.full((len(rows), 2), np.nan))
    with pytest.raises(ConfigurationError, check=lambda error: error.code == "models.scores_out_of_range"):
        trained(learnable.table(200), estimator="sklearn.dummy.DummyClassifier")


@pytest.mark.parametrize(
    ("split", "validation", "because"),
    [
        (
            BlockedDocument(because="validate_raw: 3 rows"),
            BlockedValidation(because="validate_raw: 3 rows", boundary="prepared"),
            "validate_raw: 3 rows",
        ),
        (
            None,
            evidence.prepared_validation(
                blocked=True,
                expectations=[
                    evidence.expectation("a warning", severity="warn", success=False),
                    evidence.expectation("fine"),
                    evidence.expectation("leaks race", success=False),
                ],
            ),
            "validate_prepared: leaks race",
        ),
        (
            None,
            evidence.prepared_validation(blocked=True),
            "validate_prepared: the report gives no reason",
        ),
    ],
)
def test_what_blocked_before_blocks_here(
    split: BlockedDocument | None,
    validation: BlockedDocument | MeasuredDocument,
    because: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = learnable.build(tmp_path, learnable.table(200))
    run(root, monkeypatch)
    if split is not None:
        split.write(root, paths.SPLIT)
    validation.write(root, paths.VALIDATION_PREPARED)
    record = run(root, monkeypatch)
    assert (record["status"], record["because"]) == ("blocked", because)
    assert [path.name for path in (root / paths.TRAINED).iterdir()] == ["blocked.json"]


def test_a_validation_of_other_tables_lets_nothing_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = learnable.build(tmp_path, learnable.table(200))
    stale = files.read_json(root / paths.VALIDATION_PREPARED)
    learnable.write(root, learnable.table(200, seed=1))
    files.write_json(root / paths.VALIDATION_PREPARED, stale)
    with codes.raises("data.validated_another_table"):
        run(root, monkeypatch)


def test_a_fault_leaves_the_last_good_model_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = learnable.table(200)
    root = learnable.build(tmp_path, frame)
    run(root, monkeypatch)
    before = files.sha256(root / paths.TRAINED)
    one_sided(frame)
    learnable.write(root, frame)
    with pytest.raises(ClearanceError):
        run(root, monkeypatch)
    assert files.sha256(root / paths.TRAINED) == before


def test_random_state_null_is_the_seed_and_a_draw_that_cannot_be_repeated_is_refused() -> None:
    rows, tune = (learnable.split(learnable.table(400), name) for name in ("train", "tune"))

    def fit(state: Any) -> candidates.Candidate:
        choice = learnable.choice(
            estimator="random_forest", arguments={"n_estimators": 3, "random_state": state}
        )
        return train.train(rows, tune, learnable.data(), choice, 1).chosen

    one, other = (scoring.score(fit(None).pipeline, tune.features) for _ in range(2))
    assert np.array_equal(one, other)
    train._refuse_unrepeatable(fit(None), 1, rows)
    with pytest.raises(ConfigurationError) as excinfo:
        train._refuse_unrepeatable(fit(np.random.RandomState(1)), 1, rows)
    assert excinfo.value.code == "models.cannot_be_drawn_again"
