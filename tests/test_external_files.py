"""A model file from elsewhere scores as its own library says, or is refused by a code before it is judged."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron
from sklearn.model_selection import FixedThresholdClassifier

from clearance import files, params, paths
from clearance.models import model_file, scoring
from tasks import assess, evaluate, explain, score, train
from tests.support import codes, elsewhere, learnable

SAME = 1e-9
WEIGHTS, BIAS = [0.05, -0.01, 0.3], -0.5


def scored(root: Path, patch: pytest.MonkeyPatch) -> pd.Series:
    """Take the model in and score: the score of each test row by its hash."""
    patch.chdir(root)
    train.main()
    score.main()
    table = pd.read_parquet(paths.SCORED_TABLE)
    return table.set_index("row")["score"]


def difference(scores: pd.Series, frame: pd.DataFrame, expected: Any) -> float:
    """The largest difference between scores and what a library gives for the rows of `frame`."""
    reference = pd.Series(np.asarray(expected, dtype=float), index=frame["row"])
    return float(np.abs(scores - reference[scores.index]).max())


def explained(patch: pytest.MonkeyPatch | None = None) -> dict[str, Any]:
    explain.main()
    document: dict[str, Any] = files.read_json(paths.EXPLANATION)
    return document


def set_external(root: Path, **keys: Any) -> None:
    settings = params.read_yaml(root / "params.yaml")
    settings["train"]["external"] |= keys
    (root / "params.yaml").write_text(yaml.safe_dump(settings))


def record() -> dict[str, Any]:
    document: dict[str, Any] = files.read_json(paths.TRAINING)
    return document


# --- skops


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return elsewhere.table()


@pytest.fixture(scope="module")
def pipeline(frame: pd.DataFrame) -> Any:
    return elsewhere.pipeline(frame)


@pytest.fixture
def project(tmp_path: Path, frame: pd.DataFrame) -> Callable[..., Path]:
    """A project whose model is in `external/<file>`; `content` is what that file holds."""

    def build(file: str, content: bytes | None = None, **more: Any) -> Path:
        root = elsewhere.build(tmp_path / "project", frame, file=f"external/{file}", **more)
        if content is not None:
            (root / "external" / file).write_bytes(content)
        return root

    return build


Project = Callable[..., Path]


def test_a_skops_pipeline_scores_and_ships_as_it_is(
    project: Project, frame: pd.DataFrame, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project("m.skops", skops.io.dumps(pipeline), features=elsewhere.SKOPS_FEATURES)
    scores = scored(root, monkeypatch)
    expected = pipeline.predict_proba(elsewhere.inputs(frame))[:, 1]
    assert difference(scores, frame, expected) <= SAME
    training = record()
    assert training["external"]["origin"] == "computed"
    assert training["external"]["declared_by"] == elsewhere.BY
    assert training["external"]["made_with"] == {"scikit-learn": training["libraries"]["scikit-learn"]}
    assert training["measurements"]["protected_at_decision"]["value"] == 0
    assert [fact["about"] for fact in training["external"]["declared"]] == [
        "training rows",
        "training method",
    ]
    stored = model_file.load(paths.MODEL, training["model"]["sha256"])
    rows = learnable.split(frame, "test").features
    assert np.array_equal(
        stored.predict(scoring.inputs(rows, scoring.model_kinds(stored.estimator))),
        scoring.decide(scoring.score(stored.estimator, rows), training["threshold"]),
    )


def test_a_pipeline_of_texts_is_explained_by_its_own_features(
    project: Project, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project("m.skops", skops.io.dumps(pipeline), features=elsewhere.SKOPS_FEATURES)
    scored(root, monkeypatch)
    explanation = explained()
    assert explanation["measurements"]["additivity_error"]["value"] <= SAME
    assert {entry["feature"] for entry in explanation["importance"]} == {*elsewhere.SKOPS_FEATURES}
    assert explanation["importance"][0]["feature"] in {"income", "region"}
    assert "tune rows" in explanation["against"], "there are no train rows to compare with"


@pytest.mark.parametrize(
    ("estimator", "explainer"),
    [
        (HistGradientBoostingClassifier(max_iter=8, random_state=0), "shap.TreeExplainer"),
        (LogisticRegression(max_iter=2000), "shap.LinearExplainer"),
    ],
)
def test_a_bare_estimator_is_explained_exactly(
    estimator: Any, explainer: str, project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = elsewhere.numbers(frame)[["age", "owner"]]
    estimator.fit(numbers, frame["label"])
    root = project("m.skops", skops.io.dumps(estimator), features=["age", "owner"])
    assert difference(scored(root, monkeypatch), frame, estimator.predict_proba(numbers)[:, 1]) <= SAME
    explanation = explained()
    assert explanation["explainer"] == explainer
    assert explanation["measurements"]["additivity_error"]["value"] <= SAME


def test_the_favourable_outcome_is_found_by_its_name(
    project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = frame["label"].map({1: "approved", 0: "denied"})
    model = elsewhere.pipeline(frame, named)
    content = skops.io.dumps(model)
    features = elsewhere.SKOPS_FEATURES
    with codes.raises("models.external_favourable_unknown"):
        scored(project("m.skops", content, features=features), monkeypatch)
    root = project("m.skops", content, features=features, favourable="approved")
    expected = model.predict_proba(elsewhere.inputs(frame))[:, 0]
    assert list(model.classes_) == ["approved", "denied"]
    assert difference(scored(root, monkeypatch), frame, expected) <= SAME


def test_the_thresholds_of_a_file_and_of_params_must_agree(
    project: Project, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    decider = FixedThresholdClassifier(pipeline, threshold=0.35, response_method="predict_proba", pos_label=1)
    content = skops.io.dumps(decider)
    features = elsewhere.SKOPS_FEATURES
    scored(project("m.skops", content, features=features), monkeypatch)
    assert record()["threshold"] == 0.35
    assert "threshold" in [fact["about"] for fact in record()["external"]["declared"]]
    scored(project("m.skops", content, features=features, threshold={"fixed": 0.35}), monkeypatch)
    for other in ({"fixed": 0.5}, {"objective": "f1"}):
        with codes.raises("models.external_threshold_not_of_the_file", threshold=0.35):
            scored(project("m.skops", content, features=features, threshold=other), monkeypatch)


def test_without_a_declared_threshold_tune_rows_choose_it(
    project: Project, frame: pd.DataFrame, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = elsewhere.SKOPS_FEATURES
    root = project("m.skops", skops.io.dumps(pipeline), features=features, threshold={"objective": "f1"})
    scored(root, monkeypatch)
    assert "highest f1 on tune rows" in record()["threshold_rule"]
    assert "threshold" not in [fact["about"] for fact in record()["external"]["declared"]]
    none_left = frame.assign(split="test")
    elsewhere.rewrite(root, none_left, features)
    with codes.raises("models.external_threshold_needs_tune_rows"):
        scored(root, monkeypatch)


class Runs:
    """Would run a command where it is unpickled."""

    def __reduce__(self) -> Any:
        return print, ("it ran",)


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"{}")
        archive.writestr("0.npy", b"\0" * (1 << 20))
    return buffer.getvalue()


REFUSED_BYTES: dict[str, tuple[str, bytes, str]] = {
    "a pickle": ("m.pkl", pickle.dumps(Runs()), "models.external_runs_code"),
    "a joblib file": ("m.joblib", b"\x80\x04", "models.external_runs_code"),
    "a pickle under another name": ("m.skops", pickle.dumps(Runs()), "models.external_runs_code"),
    "a pickle as LightGBM": ("m.txt", pickle.dumps(Runs()), "models.external_runs_code"),
    "nothing": ("m.skops", b"", "data.external_empty"),
    "a name that says nothing": ("m.model", b"x", "models.external_unknown_format"),
    "gzip": ("m.onnx", b"\x1f\x8b\x08rest", "models.external_packed"),
    "no zip": ("m.skops", b"tree\n", "models.external_wrong_format"),
    "a zip as a table": ("m.csv", b"PK\x03\x04", "models.external_wrong_format"),
    "a zip that is not skops": ("m.skops", bomb(), "models.external_not_loadable"),
    "a cut zip": ("m.skops", b"PK\x03\x04rest", "models.external_not_loadable"),
    "no ONNX": ("m.onnx", b"not a graph", "models.external_wrong_format"),
}


@pytest.mark.parametrize("case", REFUSED_BYTES)
def test_what_is_no_model_file_or_would_run_is_refused(
    case: str, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content, code = REFUSED_BYTES[case]
    if name.endswith(".onnx"):
        pytest.importorskip("onnxruntime")
    more = {"score": "score"} if name.endswith(".csv") else {}
    with codes.raises(code):
        scored(project(name, content, **more), monkeypatch)
    assert "it ran" not in capsys.readouterr().out
    assert not (paths.MODEL).exists()


def test_links_folders_and_missing_files_are_refused(
    project: Project, pipeline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project("m.skops")
    with codes.raises("data.external_missing"):
        scored(root, monkeypatch)
    real = elsewhere.save(pipeline, tmp_path / "real.skops")
    (root / "external/m.skops").symlink_to(real)
    with codes.raises("data.external_link"):
        scored(root, monkeypatch)
    (root / "external/m.skops").unlink()
    (root / "external/m.skops").mkdir()
    with codes.raises("data.external_folder"):
        scored(root, monkeypatch)


def test_types_that_nobody_reviewed_are_refused_by_name(
    project: Project, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = json.dumps(_schema(pipeline)).replace("LogisticRegression", "System")
    content = _with_schema(pipeline, json.loads(named))
    with codes.raises("models.external_untrusted_types"):
        scored(project("m.skops", content, features=elsewhere.SKOPS_FEATURES), monkeypatch)


def test_another_version_of_the_library_is_refused(
    project: Project, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sklearn

    text = json.dumps(_schema(pipeline)).replace(f'"\\"{sklearn.__version__}\\""', '"\\"1.2.1\\""')
    content = _with_schema(pipeline, json.loads(text))
    with codes.raises("models.external_library_version", then="1.2.1", now=sklearn.__version__):
        scored(project("m.skops", content, features=elsewhere.SKOPS_FEATURES), monkeypatch)


def _schema(model: Any) -> Any:
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as archive:
        return json.loads(archive.read("schema.json"))


def _with_schema(model: Any, schema: Any) -> bytes:
    """The model's archive with another schema; `schema` must be of the same object."""
    buffer, dumped = io.BytesIO(), io.BytesIO(skops.io.dumps(model))
    with zipfile.ZipFile(dumped) as source, zipfile.ZipFile(buffer, "w") as target:
        names = dict(zip(_files(_schema_of(source)), _files(schema), strict=True))
        for name in source.namelist():
            if name != "schema.json":
                target.writestr(names.get(name, name), source.read(name))
        target.writestr("schema.json", json.dumps(schema))
    return buffer.getvalue()


def _schema_of(archive: zipfile.ZipFile) -> Any:
    return json.loads(archive.read("schema.json"))


def _files(node: Any) -> list[str]:
    """The files that a schema names, in the order of their nodes."""
    if isinstance(node, dict):
        own = [node["file"]] if "file" in node else []
        return own + [name for inner in node.values() for name in _files(inner)]
    return [name for inner in node for name in _files(inner)] if isinstance(node, list) else []


def fitted(estimator: Any, frame: pd.DataFrame, label: Any = None) -> Any:
    return estimator.fit(elsewhere.numbers(frame).fillna(0), frame["label"] if label is None else label)


MISFITS: dict[str, tuple[Callable[[pd.DataFrame], Any], dict[str, Any], str]] = {
    "a regression": (lambda f: fitted(LinearRegression(), f), {}, "models.external_no_probabilities"),
    "labels alone": (lambda f: fitted(Perceptron(), f), {}, "models.external_no_probabilities"),
    "not fitted": (lambda _: LogisticRegression(), {}, "models.external_no_probabilities"),
    "three outcomes": (
        lambda f: fitted(LogisticRegression(max_iter=9000), f, np.arange(len(f)) % 3),
        {},
        "models.external_not_two_classes",
    ),
    "a feature too many": (
        lambda f: fitted(LogisticRegression(max_iter=9000), f),
        {"features": ["income", "age"]},
        "models.external_features_differ",
    ),
    "a feature too few": (
        lambda f: fitted(LogisticRegression(max_iter=9000), f),
        {"features": [*elsewhere.NUMBERS, "region"]},
        "models.external_features_differ",
    ),
    "no names": (
        lambda f: LogisticRegression(max_iter=9000).fit(
            elsewhere.numbers(f).fillna(0).to_numpy(), f["label"]
        ),
        {},
        "models.external_features_unnamed",
    ),
    "nulls that it does not take": (
        lambda f: fitted(LogisticRegression(max_iter=9000), f),
        {},
        "models.external_wrong_shape",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_model_of_another_task_is_refused(
    case: str, project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, more, code = MISFITS[case]
    settings = {"features": elsewhere.NUMBERS} | more
    root = project("m.skops", skops.io.dumps(make(frame)), **settings)
    with codes.raises(code):
        scored(root, monkeypatch)


def test_unnamed_inputs_are_named_in_params(
    project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["owner", "age"]
    matrix = frame[names].to_numpy(dtype=float)
    model = LogisticRegression(max_iter=2000).fit(matrix, frame["label"])
    root = project("m.skops", skops.io.dumps(model), features=["age", "owner"])
    set_external(root, features=names)
    assert difference(scored(root, monkeypatch), frame, model.predict_proba(matrix)[:, 1]) <= SAME
    assert "features" in [fact["about"] for fact in record()["external"]["declared"]]
    for wrong, code in ((["owner"], "wrong_shape"), (["owner", "debt"], "features_differ")):
        set_external(root, features=wrong)
        with codes.raises(f"models.external_{code}"):
            scored(root, monkeypatch)


def test_features_that_the_file_names_are_not_named_otherwise(
    project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LogisticRegression(max_iter=2000).fit(frame[["age", "owner"]], frame["label"])
    root = project("m.skops", skops.io.dumps(model), features=["age", "owner"])
    set_external(root, features=["owner", "age"])
    with codes.raises("models.external_features_contradict", differences="another order"):
        scored(root, monkeypatch)


def test_a_protected_input_is_refused_unless_it_is_allowed_and_then_measured(
    project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    coded = pd.DataFrame({"age": frame["age"].astype(float), "race": frame["race"].astype(object)})
    model = elsewhere.by_race(coded, frame["label"])
    content = skops.io.dumps(model)
    with codes.raises("models.external_protected_inputs", names="race"):
        scored(project("m.skops", content, features=["age"]), monkeypatch)
    root = project("m.skops", content, features=["age"], protected_at_decision=True)
    assert difference(scored(root, monkeypatch), frame, model.predict_proba(coded)[:, 1]) <= SAME
    assert record()["measurements"]["protected_at_decision"]["value"] == 1
    assert record()["uses_protected_at_decision"]


# --- LightGBM and XGBoost


def test_a_lightgbm_file_scores_as_lightgbm_and_is_explained_by_its_trees(
    project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(elsewhere.numbers(frame), frame["label"])
    root = project("m.txt", model.booster_.model_to_string().encode(), features=elsewhere.NUMBERS)
    expected = model.predict_proba(elsewhere.numbers(frame))[:, 1]
    assert difference(scored(root, monkeypatch), frame, expected) <= SAME
    explanation = explained()
    assert explanation["explainer"] == "lightgbm pred_contrib"
    assert explanation["measurements"]["additivity_error"]["value"] <= SAME
    assert record()["libraries"]["lightgbm"] == lightgbm.__version__
    assert record()["extras_sha256"] == {"lightgbm": files.sha256(root / "requirements-lightgbm.lock")}


def test_a_lightgbm_file_of_categories_scores_as_lightgbm(
    project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    table = elsewhere.numbers(frame).assign(region=frame["region"].astype(object).astype("category"))
    model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(table, frame["label"])
    names = [*elsewhere.NUMBERS, "region"]
    root = project("m.txt", model.booster_.model_to_string().encode(), features=names)
    assert difference(scored(root, monkeypatch), frame, model.predict_proba(table)[:, 1]) <= SAME
    assert explained()["measurements"]["additivity_error"]["value"] <= SAME


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_an_xgboost_file_scores_as_xgboost(
    suffix: str, project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBClassifier(n_estimators=20).fit(elsewhere.numbers(frame), frame["label"])
    root = project(f"m.{suffix}", features=elsewhere.NUMBERS)
    model.save_model(root / f"external/m.{suffix}")
    expected = model.predict_proba(elsewhere.numbers(frame))[:, 1]
    assert difference(scored(root, monkeypatch), frame, expected) <= SAME
    explanation = explained()
    assert explanation["space"] == "log-odds"
    assert explanation["measurements"]["additivity_error"]["value"] <= 1e-6


def test_an_xgboost_file_ends_at_its_best_round(
    project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    xgboost = pytest.importorskip("xgboost")
    numbers, label = elsewhere.numbers(frame), frame["label"]
    model = xgboost.XGBClassifier(n_estimators=60, learning_rate=1, early_stopping_rounds=3)
    model.fit(numbers[:400], label[:400], eval_set=[(numbers[400:], label[400:])], verbose=False)
    assert model.best_iteration < model.get_booster().num_boosted_rounds() - 1
    root = project("m.json", features=elsewhere.NUMBERS)
    model.save_model(root / "external/m.json")
    assert difference(scored(root, monkeypatch), frame, model.predict_proba(numbers)[:, 1]) <= SAME


def test_a_booster_of_the_unfavourable_outcome_is_turned_round(
    project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    numbers = elsewhere.numbers(frame)
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(numbers, 1 - frame["label"])
    content = model.booster_.model_to_string().encode()
    root = project("m.txt", content, features=elsewhere.NUMBERS, favourable=0)
    assert difference(scored(root, monkeypatch), frame, model.predict_proba(numbers)[:, 0]) <= SAME


def test_boosters_of_another_objective_or_form_are_refused(
    project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    numbers, label = elsewhere.numbers(frame), frame["label"]
    regression = lightgbm.LGBMRegressor(n_estimators=2, verbose=-1).fit(numbers, label).booster_
    hinge = xgboost.XGBClassifier(n_estimators=2, objective="binary:hinge").fit(numbers, label).get_booster()
    contents = {
        "r.txt": (regression.model_to_string().encode(), "models.external_no_probabilities"),
        "d.txt": (json.dumps(regression.dump_model()).encode(), "models.external_wrong_format"),
        "h.json": (bytes(hinge.save_raw("json")), "models.external_no_probabilities"),
        "x.json": (b"{}", "models.external_wrong_format"),
    }
    for name, (content, code) in contents.items():
        with codes.raises(code):
            scored(project(name, content, features=elsewhere.NUMBERS), monkeypatch)


def test_boosters_of_three_outcomes_are_refused_by_their_number(
    project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    numbers, label = elsewhere.numbers(frame), np.arange(len(frame)) % 3
    text = lightgbm.LGBMClassifier(n_estimators=1, verbose=-1).fit(numbers, label).booster_.model_to_string()
    others = text.replace("objective=multiclass ", "objective=multiclassova ")
    booster = xgboost.XGBClassifier(n_estimators=1).fit(numbers, label).get_booster()
    contents = {
        "m.txt": text.encode(),
        "o.txt": others.encode(),
        "m.json": bytes(booster.save_raw("json")),
        "m.ubj": bytes(booster.save_raw("ubj")),
    }
    for name, content in contents.items():
        with codes.raises("models.external_not_two_classes", count=3):
            scored(project(name, content, features=elsewhere.NUMBERS), monkeypatch)


# --- ONNX


def test_a_catboost_model_comes_as_onnx(
    project: Project, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    catboost = pytest.importorskip("catboost")
    pytest.importorskip("onnxruntime")
    numbers = elsewhere.numbers(frame)
    model = catboost.CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False)
    model.fit(numbers, frame["label"])
    model.save_model(str(tmp_path / "m.cbm"))
    for name in ("m.cbm", "m.txt"):
        with codes.raises("models.external_catboost_file"):
            scored(project(name, (tmp_path / "m.cbm").read_bytes(), features=elsewhere.NUMBERS), monkeypatch)
    model.save_model(str(tmp_path / "m.onnx"), format="onnx")
    root = project("m.onnx", (tmp_path / "m.onnx").read_bytes(), features=elsewhere.NUMBERS)
    set_external(root, features=elsewhere.NUMBERS)
    expected = model.predict_proba(numbers)[:, 1]
    assert difference(scored(root, monkeypatch), frame, expected) <= 1e-6  # the graph counts in 32 bits


@pytest.fixture
def graphs() -> Any:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from tests.support import onnx_graphs

    return onnx_graphs


def logistic(frame: pd.DataFrame) -> Any:
    margin = frame[elsewhere.NUMBERS].astype(float).to_numpy() @ np.array(WEIGHTS) + BIAS
    return 1 / (1 + np.exp(-margin))


@pytest.mark.parametrize("form", ["one input", "tensor", "maps", "texts"])
def test_an_onnx_graph_scores_as_the_formula_it_is(
    form: str, graphs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = elsewhere.table(income=lambda table: table["income"].fillna(0))
    contents = {
        "one input": lambda: graphs.logistic(WEIGHTS, BIAS),
        "tensor": lambda: graphs.classifier(WEIGHTS, BIAS, elsewhere.NUMBERS, zipped=False),
        "maps": lambda: graphs.classifier(WEIGHTS, BIAS, elsewhere.NUMBERS, zipped=True),
        "texts": lambda: graphs.classifier(WEIGHTS, BIAS, elsewhere.NUMBERS, ("no", "1"), zipped=True),
    }
    root = elsewhere.build(tmp_path, frame, features=elsewhere.NUMBERS, file="external/m.onnx")
    (root / "external/m.onnx").write_bytes(contents[form]())
    if form == "one input":
        with codes.raises("models.external_features_unnamed", count=3):
            scored(root, monkeypatch)
        set_external(root, features=elsewhere.NUMBERS)
    scores = scored(root, monkeypatch)
    assert difference(scores, frame, logistic(frame)) <= 1e-6  # the graph counts in 32 bits
    import onnxruntime  # type: ignore[import-untyped]

    if form == "one input":
        session = onnxruntime.InferenceSession((root / "external/m.onnx").read_bytes())
        values = frame[elsewhere.NUMBERS].to_numpy(dtype=np.float32)
        assert difference(scores, frame, session.run(None, {"features": values})[0][:, 0]) <= SAME
    assert explained()["measurements"]["additivity_error"]["value"] <= SAME


def test_graphs_that_reach_out_or_never_end_are_refused(
    graphs: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reason, content in graphs.hostile().items():
        root = project("m.onnx", content, features=elsewhere.NUMBERS)
        set_external(root, features=elsewhere.NUMBERS)
        with codes.raises("models.external_wrong_format") as raised:
            scored(root, monkeypatch)
        assert reason in raised.value.values["reason"]


def test_graphs_without_probabilities_are_refused(
    graphs: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in graphs.without_probabilities().values():
        root = project("m.onnx", content, features=elsewhere.NUMBERS)
        set_external(root, features=elsewhere.NUMBERS)
        with codes.raises("models.external_no_probabilities"):
            scored(root, monkeypatch)


def test_a_graph_whose_numbers_are_no_probabilities_is_refused(
    graphs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = elsewhere.table(income=1.0)
    root = elsewhere.build(tmp_path, frame, features=elsewhere.NUMBERS, file="external/m.onnx")
    (root / "external/m.onnx").write_bytes(graphs.margins(WEIGHTS))
    set_external(root, features=elsewhere.NUMBERS)
    with codes.raises("models.external_scores_out_of_range"):
        scored(root, monkeypatch)


def test_a_row_that_a_graph_cannot_take_is_found_before_any_is_judged(
    graphs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = elsewhere.table(income=1.0)
    last = taken["split"].eq("test") & (taken.index == taken.index[taken["split"] == "test"][-1])
    filled = taken["region"].fillna("x")
    root = elsewhere.build(
        tmp_path, taken.assign(region=filled.mask(last)), features=["region"], file="external/m.onnx"
    )
    (root / "external/m.onnx").write_bytes(graphs.of_texts())
    with codes.raises("models.external_wrong_shape"):
        scored(root, monkeypatch)
    elsewhere.rewrite(root, taken.assign(region=filled), ["region"])
    assert set(scored(root, monkeypatch)) == {0.25, 0.75}


def test_a_graph_of_another_width_is_refused(
    graphs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = elsewhere.build(
        tmp_path, elsewhere.table(income=1.0), features=elsewhere.NUMBERS, file="external/m.onnx"
    )
    (root / "external/m.onnx").write_bytes(graphs.logistic([0.1] * 5, 0.0, width=None))
    set_external(root, features=elsewhere.NUMBERS)
    with codes.raises("models.external_wrong_shape"):
        scored(root, monkeypatch)


def test_a_missing_library_is_named_with_its_extra(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from clearance.models.external import file_model

    monkeypatch.setitem(file_model.MODULES, "onnx", "clearance.models.external.not_installed")
    with codes.raises("models.external_library_missing", format="onnx"):
        scored(project("m.onnx", b"anything"), monkeypatch)


# --- Every stage


def test_every_stage_measures_a_model_file(
    project: Project, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project("m.skops", skops.io.dumps(pipeline), features=elsewhere.SKOPS_FEATURES)
    scored(root, monkeypatch)
    evaluate.main()
    assess.main()
    performance, fairness = files.read_json(paths.PERFORMANCE), files.read_json(paths.FAIRNESS)
    assert performance["measurements"]["roc_auc"]["value"] > 0.6
    assert fairness["measurements"]["demographic_parity_difference"]["race"]["value"] is not None
