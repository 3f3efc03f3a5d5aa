"""Explanations add up, speak of features, come from rows nobody chose, and are the same bytes every time."""

import io
import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from clearance import files, paths
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.explanation_document import ExplanationDocument
from clearance.metrics import figures
from clearance.models import attribution, contributions, encoding, scoring
from tasks import explain, train
from tests.support import codes, evidence, learnable

FRAME = learnable.table(400)
TREES = {
    "random_forest": {"n_estimators": 8},
    "hist_gradient_boosting": {"max_iter": 8},
    "sklearn.ensemble.ExtraTreesClassifier": {"n_estimators": 8, "max_depth": 5},
    "sklearn.ensemble.GradientBoostingClassifier": {"n_estimators": 8},
    "sklearn.tree.DecisionTreeClassifier": {"max_depth": 5},
}
LINEAR = {"logistic_regression": {}, "sklearn.linear_model.SGDClassifier": {"loss": "log_loss"}}
OTHERS = {
    "sklearn.naive_bayes.GaussianNB": {},
    "sklearn.linear_model.SGDClassifier": {"loss": "modified_huber"},
    "sklearn.ensemble.GradientBoostingClassifier": {"loss": "exponential", "n_estimators": 5},
}


def model(estimator: str, arguments: dict[str, Any]) -> Pipeline:
    rows, tune = (learnable.split(FRAME, name) for name in ("train", "tune"))
    choice = learnable.choice(estimator=estimator, arguments=arguments)
    return train.train(rows, tune, learnable.data(), choice, 1).chosen.pipeline


def attribute(pipeline: Pipeline, rows: int = 30) -> attribution.Attribution:
    sample = learnable.split(FRAME, "test").features.head(rows)
    background = learnable.split(FRAME, "train").features.head(30)
    explanation = explain.explain(pipeline, sample, background, 1)
    assert isinstance(explanation, attribution.Attribution)
    return explanation


@pytest.mark.parametrize(
    ("estimator", "arguments", "explainer"),
    [
        *((name, arguments, "shap.TreeExplainer") for name, arguments in TREES.items()),
        *((name, arguments, "shap.LinearExplainer") for name, arguments in LINEAR.items()),
        *((name, arguments, "shap.PermutationExplainer") for name, arguments in OTHERS.items()),
        ("sklearn.ensemble.GradientBoostingClassifier", {"init": "zero"}, "shap.PermutationExplainer"),
    ],
)
def test_each_estimator_gets_an_explainer_whose_answer_adds_up(
    estimator: str, arguments: dict[str, Any], explainer: str
) -> None:
    pipeline = model(estimator, arguments)
    explanation = attribute(pipeline)
    assert explanation.explainer == explainer
    assert explanation.additivity_error < 1e-9
    assert list(explanation.contributions.columns) == list(learnable.FEATURES)
    sample = learnable.split(FRAME, "test").features.head(len(explanation.contributions))
    score = scoring.score(pipeline, sample)
    margin = np.log(score / (1 - score)) if explanation.space == "log-odds" else score
    total = explanation.base + explanation.contributions.to_numpy().sum(axis=1)
    assert np.allclose(total, margin, atol=1e-9)


def test_trees_too_costly_for_their_explainer_are_explained_by_permutations_nulls_and_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attribution, "TREE_WORK", 0)
    explanation = attribute(model("hist_gradient_boosting", {"max_iter": 8}))
    assert explanation.explainer == "shap.PermutationExplainer"
    assert explanation.additivity_error < 1e-9


def test_the_contributions_of_a_linear_model_are_those_of_the_definition() -> None:
    pipeline = model("logistic_regression", {})
    explanation = attribute(pipeline)
    kinds = scoring.model_kinds(pipeline)
    encoded = {
        name: pipeline[0].transform(scoring.inputs(learnable.split(FRAME, name).features.head(30), kinds))
        for name in ("train", "test")
    }
    by_column = pipeline[-1].coef_[0] * (encoded["test"] - encoded["train"].mean(axis=0))
    expected = pd.DataFrame(by_column.T).groupby(encoding.origins(pipeline[0])).sum().T
    for name in learnable.FEATURES:
        assert np.allclose(explanation.contributions[name], expected[name])
    assert explanation.contributions["region"].abs().max() > 0


def report(explanation: Any, test_rows: int) -> ExplanationDocument:
    rows = learnable.split(FRAME, "test")
    return explain.report(explanation, rows.protected, rows.features, test_rows, evidence.DIGEST)


def test_text_features_are_told_value_by_value_and_numbers_are_not() -> None:
    explanation = attribute(model("logistic_regression", {}))
    tables = report(explanation, 100).by_category
    assert tables is not None and set(tables) == {"region"}
    values = learnable.split(FRAME, "test").features["region"].head(len(explanation.contributions))
    for entry in tables["region"]:
        own = explanation.contributions["region"][(values == entry.category).to_numpy()]
        assert entry.rows == len(own) >= contributions.FEW
        assert entry.mean == pytest.approx(own.mean())
    effects = [abs(entry.mean) for entry in tables["region"]]
    assert effects == sorted(effects, reverse=True)


def test_however_few_rows_are_explained_small_groups_are_among_them() -> None:
    groups = pd.DataFrame({"race": ["White"] * 96 + ["Black"] * 4, "sex": ["f", "m"] * 50})
    hashes = pd.Series([f"{number * 7919 % 1009:04d}" for number in range(100)])
    rows = types.SimpleNamespace(rows=hashes)
    chosen = explain.sample_by_group(rows, groups, 12)
    assert len(set(chosen)) == 12
    assert {99, 98, 97, 96} <= set(chosen), "all of a group that is smaller than its share"
    shuffled = np.random.default_rng(0).permutation(100)
    moved = types.SimpleNamespace(rows=hashes.iloc[shuffled])
    again = explain.sample_by_group(moved, groups.iloc[shuffled], 12)
    assert [int(shuffled[place]) for place in again] == chosen, "whatever order the rows come in"


def test_a_few_rows_far_out_do_not_squeeze_the_axis() -> None:
    bulk = np.random.default_rng(0).normal(size=(1000, 5))
    bulk[0, 0] = 500.0
    low, high = contributions._bulk(bulk)
    assert -10 < low < -2 and 2 < high < 10


def test_a_wrong_answer_of_the_explainer_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    import shap

    right = shap.LinearExplainer.shap_values
    monkeypatch.setattr(shap.LinearExplainer, "shap_values", lambda self, rows: right(self, rows) * 1.01)
    explanation = attribute(model("logistic_regression", {}))
    assert explanation.additivity_error > 1e-4
    document = report(explanation, 100)
    assert document.measurements["additivity_error"].value == explanation.additivity_error


def test_a_costly_forest_is_explained_on_fewer_rows_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = model("random_forest", {"n_estimators": 8})
    explainer = attribution._by_trees(pipeline[-1], "probability")
    monkeypatch.setattr(attribution, "TREE_WORK", 12 * (attribution.TREE_WORK // explainer.most))
    explanation = attribute(pipeline)
    assert (explanation.explainer, len(explanation.contributions)) == ("shap.TreeExplainer", 12)
    document = report(explanation, 24)
    assert document.measurements["rows"].value == 12
    assert document.measurements["coverage"].value == 0.5
    monkeypatch.setattr(attribution, "TREE_WORK", attribution.TREE_WORK // 2)
    explanation = attribute(pipeline)
    assert explanation.explainer == "shap.PermutationExplainer"
    assert explanation.additivity_error < 1e-9


def test_an_unknown_model_is_asked_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "CALLS", 5_000)
    assert 1 <= len(attribute(model("sklearn.naive_bayes.GaussianNB", {})).contributions) < 10


def test_nulls_and_values_never_seen_are_explained_too() -> None:
    pipeline = model("logistic_regression", {})
    strange = learnable.split(FRAME, "test").features.head(3).copy()
    strange["region"] = ["atlantis", None, "island"]
    strange["income"] = [np.nan, 1e9, -5]
    explanation = explain.explain(pipeline, strange, learnable.split(FRAME, "train").features.head(20), 1)
    assert isinstance(explanation, attribution.Attribution)
    assert explanation.additivity_error < 1e-6


def test_the_sample_is_the_rows_with_the_smallest_hashes_whatever_their_order() -> None:
    permutation = FRAME.sample(frac=1, random_state=0)
    samples = []
    for frame in (FRAME, permutation):
        rows = learnable.split(frame, "test")
        samples.append(rows.rows.iloc[explain.sample_positions(rows, 20)].tolist())
    assert samples[0] == samples[1] == sorted(FRAME.loc[FRAME["split"] == "test", "row"])[:20]


def test_shap_leaves_the_global_generator_as_it_was() -> None:
    np.random.seed(7)
    expected = np.random.random()
    np.random.seed(7)
    attribute(model("sklearn.naive_bayes.GaussianNB", {}), rows=3)
    assert np.random.random() == expected


def table(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_importance_is_the_mean_size_largest_first() -> None:
    ranking = contributions.importance(table(b=[1.0, -1.0], a=[1.0, 1.0], c=[-3.0, 0.0], d=[0.0, 0.0]))
    assert [(row["feature"], row["mean_abs"]) for row in ranking] == [
        ("c", 1.5),
        ("a", 1.0),
        ("b", 1.0),
        ("d", 0.0),
    ]


def test_groups_are_counted_and_small_ones_not_shown() -> None:
    groups = pd.Series(["a"] * 10 + ["b"] * 9 + [None] * 11)
    values = table(x=[1.0] * 10 + [5.0] * 9 + [-1.0] * 11)
    means = contributions.by_group(values, groups)
    assert means == {"a": {"x": 1.0}, "(missing)": {"x": -1.0}}
    assert contributions.group_rows(groups) == {"a": 10, "b": 9, "(missing)": 11}


def run(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(root)
    train.main()
    explain.main()
    document: dict[str, Any] = files.read_json(root / paths.EXPLANATION)
    return document


def test_the_document_says_what_was_explained_and_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = learnable.build(tmp_path, FRAME)
    document = run(root, monkeypatch)
    test_rows = int((FRAME["split"] == "test").sum())
    measurements = document["measurements"]
    assert measurements["rows"]["value"] == 60
    assert measurements["coverage"]["value"] == 60 / test_rows
    assert 0 <= measurements["additivity_error"]["value"] < 1e-9
    assert measurements["additivity_error"]["support"] == {"rows": 60}
    assert (document["explainer"], document["space"]) == ("shap.LinearExplainer", "log-odds")
    assert set(document["by_group"]) == set(learnable.PROTECTED)
    assert sum(document["group_rows"]["race"].values()) == 60
    assert document["model_sha256"] == files.read_json(root / paths.TRAINING)["model"]["sha256"]


def test_the_groups_are_those_of_the_explained_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attribute that says how large the income is must show it in the mean contribution of income."""
    frame = FRAME.copy()
    frame["race"] = np.where(frame["income"].fillna(20) > 20, "rich", "poor")
    document = run(learnable.build(tmp_path, frame), monkeypatch)
    by_race = document["by_group"]["race"]
    assert by_race["poor"]["income"] < -0.1 < 0.1 < by_race["rich"]["income"]


def test_the_background_is_train_rows_without_protected_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = learnable.build(tmp_path, FRAME)
    document = run(root, monkeypatch)
    record = files.read_json(root / paths.BACKGROUND / "background.json")
    path = root / paths.BACKGROUND / record["file"]
    background = pd.read_parquet(path)
    rows = FRAME[FRAME["split"] == "train"].sort_values("row").head(30)
    expected = rows[list(learnable.FEATURES)].reset_index(drop=True)
    pd.testing.assert_frame_equal(background, expected, check_dtype=False)
    assert record["sha256"] == files.sha256(path)
    assert (record["rows"], record["base_value"]) == (30, document["base_value"])
    assert record["model_sha256"] == document["model_sha256"]


def test_the_figures_are_there_and_hold_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = learnable.build(tmp_path, FRAME)
    document = run(root, monkeypatch)
    folder = root / paths.EXPLAIN_FIGURES
    assert sorted(path.name for path in folder.iterdir()) == ["beeswarm.svg", "importance.json"]
    beeswarm = (folder / "beeswarm.svg").read_text()
    assert not re.search(r"20\d\d-\d\d-\d\d|<dc:date>", beeswarm) and beeswarm.count("<image") > 0
    assert files.read_json(folder / "importance.json") == document["importance"]
    assert not plt.get_fignums()


def test_names_appear_in_figures_as_they_are_written() -> None:
    names = ["loan $_to_$_income", "収入", "x_$^2"]
    features = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=names)
    explanation = attribution.Attribution(
        explainer="x", against="y", space="probability", base=0.0, contributions=features, margin=np.zeros(20)
    )
    page = io.StringIO()
    with figures.style("names"):
        drawn = contributions.draw_beeswarm(explanation, features, 1)
        drawn.savefig(page, format="svg", metadata=figures.METADATA["svg"])
    assert all(f">{name}<" in page.getvalue() for name in names)


def test_a_text_feature_and_a_column_of_nulls_can_be_drawn() -> None:
    features = pd.DataFrame({"a": [np.nan] * 4, "b": ["x", "y", None, "x"], "c": [1.0, np.nan, 2.0, 3.0]})
    explanation = attribution.Attribution(
        explainer="x",
        against="y",
        space="probability",
        base=0.0,
        contributions=table(a=[0.1, 0.2, 0.3, 0.4], b=[0.0, 0.1, 0.0, 0.2], c=[0.3, 0.1, 0.2, 0.0]),
        margin=np.zeros(4),
    )
    with figures.style("x"):
        figure = contributions.draw_beeswarm(explanation, features, 1)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["b", "c", "a"]
    assert "4 test rows" in figure.axes[0].get_title(loc="left")


_BOTH = """
import json, os, sys
from pathlib import Path
from tests.support import codes
from tests.support import learnable
from clearance import files as artifacts
from clearance import paths
from tasks import explain, train
for name, arguments in json.loads(sys.argv[1]).items():
    root = Path(sys.argv[2]) / name
    learnable.build(root, learnable.table(400), estimator=name, arguments=arguments)
    os.chdir(root)
    train.main()
    explain.main()
    for path in (paths.BACKGROUND, paths.EXPLANATION, paths.EXPLAIN_FIGURES):
        print(artifacts.sha256(root / path))
"""


def test_the_outputs_are_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    estimators = {
        "logistic_regression": {},
        "hist_gradient_boosting": {"max_iter": 8},
        "sklearn.naive_bayes.GaussianNB": {},
    }

    def digests(seed: str) -> str:
        paths = os.pathsep.join([str(learnable.ROOT), str(learnable.ROOT / "tests")])
        command = [sys.executable, "-c", _BOTH, json.dumps(estimators), str(tmp_path / seed)]
        variables = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout

    first = digests("1")
    assert len(set(first.split())) == 9
    assert digests("2") == first


def test_what_blocked_before_blocks_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = learnable.build(tmp_path, FRAME)
    run(root, monkeypatch)
    evidence.block(root, "validate_raw: 3 rows", "training")
    explain.main()
    document = ExplanationDocument.read(root)
    assert document == BlockedDocument(because="validate_raw: 3 rows")
    for folder in (paths.BACKGROUND, paths.EXPLAIN_FIGURES):
        assert [path.name for path in (root / folder).iterdir()] == ["blocked.json"]


def test_without_test_rows_nothing_is_measured_and_nothing_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = run(learnable.build(tmp_path, FRAME[FRAME["split"] != "test"]), monkeypatch)
    measurements = document["measurements"]
    assert {name: measurements[name]["value"] for name in measurements} == dict.fromkeys(
        ("additivity_error", "rows", "coverage")
    )
    assert "no test rows" in measurements["additivity_error"]["undefined"]


def test_an_answer_that_is_no_number_is_no_explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = model("logistic_regression", {})
    pipeline[-1].intercept_ = np.array([np.nan])
    rows = learnable.split(FRAME, "test")
    explanation = explain.explain(pipeline, rows.features, rows.features, 1)
    document = report(explanation, len(rows.rows))
    assert "not a finite number" in str(document.measurements["additivity_error"].undefined)


def test_only_the_recorded_tables_and_the_recorded_model_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = learnable.build(tmp_path, FRAME)
    run(root, monkeypatch)
    for path in (paths.MODEL, paths.PREPARED / "features.parquet"):
        content = (root / path).read_bytes()
        (root / path).write_bytes(content[:-1] + b"x")
        with codes.raises("files.changed"):
            explain.main()
        (root / path).write_bytes(content)
