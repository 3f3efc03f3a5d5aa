"""Boosters of other libraries: they score as those libraries score, and no crafted one reaches them."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io

from assurance import hostile_boosters
from clearance import params
from clearance.errors import ConfigurationError, IntegrityError
from clearance.models import attribution, estimators, model_file, scoring, tune_constraints
from clearance.models.boosters import (
    catboost_binary,
    explanations,
    lightgbm_text,
    trees,
    ubjson,
    xgboost_model,
)
from clearance.preflight import estimator_checks
from tasks import train
from tests.support import boosters, learnable
from tests.support.boosters import EACH, SMALL, installed

FRAME = learnable.table(500)
TRAIN, TUNE, TEST = (learnable.split(FRAME, name) for name in ("train", "tune", "test"))


def by_hand(frame: pd.DataFrame) -> np.ndarray:
    """The matrix a careful person gives to a booster: numbers as they are, categories by their order."""
    fit = TRAIN.features
    columns = [frame[name].to_numpy(dtype="float64") for name in ("income", "age", "owner")]
    for name in ("region", "street", "grade"):
        rows = fit[name].dropna().value_counts()
        frequent = sorted(rows.index[rows >= 10])
        codes = {text: frequent.index(text) if text in frequent else len(frequent) for text in rows.index}
        columns.append(frame[name].map(codes).to_numpy(dtype="float64"))
    return np.column_stack(columns)


def _plain_lightgbm(matrix: np.ndarray, label: np.ndarray, rows: np.ndarray) -> np.ndarray:
    import lightgbm

    settings = {"objective": "binary", "num_leaves": 7, "seed": 1, "deterministic": True, "verbosity": -1}
    settings |= {"force_row_wise": True, "num_threads": 1}
    return lightgbm.train(settings, lightgbm.Dataset(matrix, label), 8).predict(rows)


def _plain_xgboost(matrix: np.ndarray, label: np.ndarray, rows: np.ndarray) -> np.ndarray:
    import xgboost

    settings = {"objective": "binary:logistic", "max_depth": 3, "seed": 1, "nthread": 1}
    return xgboost.train(settings, xgboost.DMatrix(matrix, label), 8).predict(xgboost.DMatrix(rows))


def _plain_catboost(matrix: np.ndarray, label: np.ndarray, rows: np.ndarray) -> np.ndarray:
    import catboost

    settings = {"loss_function": "Logloss", "iterations": 8, "depth": 3, "random_seed": 1, "thread_count": 1}
    model = catboost.train(
        catboost.Pool(matrix, label), settings | {"allow_writing_files": False}, logging_level="Silent"
    )
    return np.asarray(model.predict(rows, prediction_type="Probability"))[:, 1]


PLAIN: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "lightgbm": _plain_lightgbm,
    "xgboost": _plain_xgboost,
    "catboost": _plain_catboost,
}


def chosen(name: str, **more: Any) -> Any:
    choice = learnable.choice(estimator=name, arguments=SMALL[name], **more)
    allowed = tune_constraints.Constraints(protected="allowed")
    return train.train(TRAIN, TUNE, learnable.data(), choice, 1, allowed).chosen


@pytest.mark.parametrize("name", EACH)
def test_scores_are_those_of_the_library_on_the_same_matrix(name: str) -> None:
    pipeline = chosen(name).pipeline
    expected = PLAIN[name](by_hand(TRAIN.features), TRAIN.label, by_hand(TEST.features))
    assert np.unique(expected).size > 10
    assert np.allclose(scoring.score(pipeline, TEST.features), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", EACH)
def test_a_stored_booster_is_the_same_bytes_and_scores_alike(name: str, tmp_path: Path) -> None:
    first = model_file.save(boosters.fitted(name), tmp_path / "1.skops")
    assert model_file.save(boosters.fitted(name), tmp_path / "2.skops") == first
    copy = model_file.load(tmp_path / "1.skops", first)
    matrix, _ = boosters.rows()
    assert np.array_equal(copy.predict_proba(matrix), boosters.fitted(name).predict_proba(matrix))
    assert model_file.save(copy, tmp_path / "3.skops") == first
    assert (
        model_file.save(boosters.fitted(name, random_state=8, subsample=0.5), tmp_path / "4.skops") != first
    )


def test_a_catboost_model_holds_neither_its_time_nor_a_random_name() -> None:
    pytest.importorskip("catboost")
    one, other = (boosters.fitted("catboost")._serialize_model() for _ in range(2))
    assert one != other
    assert catboost_binary.without_times(one) == catboost_binary.without_times(other)
    assert catboost_binary.check(catboost_binary.without_times(one)) == catboost_binary.check(one)


@pytest.mark.parametrize("name", EACH)
def test_the_seed_reaches_each_library(name: str) -> None:
    def scores(seed: int) -> np.ndarray:
        arguments = SMALL[name] | {"subsample": 0.5}
        arguments |= {"lightgbm": {"subsample_freq": 1}, "catboost": {"bootstrap_type": "Bernoulli"}}.get(
            name, {}
        )
        matrix, label = boosters.rows()
        return np.asarray(estimators.build(name, arguments, seed).fit(matrix, label).predict_proba(matrix))

    assert np.array_equal(scores(1), scores(1))
    assert not np.array_equal(scores(1), scores(2))


# --- What is read of a booster


def test_a_lightgbm_text_is_read_as_lightgbm_reads_it() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    honest = lightgbm.Booster(model_str=hostile_boosters.lightgbm())
    assert honest.num_feature() == lightgbm_text.check(hostile_boosters.lightgbm()).columns == 2
    estimator = boosters.fitted("lightgbm", n_estimators=30)
    facts = lightgbm_text.check(estimator.booster_.model_to_string())
    table = estimator.booster_.trees_to_dataframe()
    assert facts.columns == 5
    assert list(facts.names) == estimator.booster_.feature_name()
    assert facts.trees == estimator.booster_.num_trees()
    assert facts.nodes == len(table)
    assert facts.depth == table["node_depth"].max() - 1


def test_splits_by_category_and_single_leaves_are_read(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    matrix, label = boosters.rows()
    settings = {"objective": "binary", "verbosity": -1, "min_data_per_group": 5, "cat_smooth": 1.0}
    codes = np.nan_to_num(matrix[:, 4:]) + 40  # beyond one word of 32 bits
    by_code = np.isin(codes[:, 0], [40, 42]).astype(int)
    data = lightgbm.Dataset(codes, by_code, categorical_feature=[0])
    text = lightgbm.train(settings | {"num_threads": 1}, data, 3).model_to_string()
    assert "cat_boundaries" in text
    assert lightgbm_text.check(text).trees == 3
    stump = lightgbm.train(settings | {"min_data_in_leaf": 1000}, lightgbm.Dataset(matrix, label), 3)
    assert lightgbm_text.check(stump.model_to_string()).depth == 0


@pytest.mark.parametrize("form", ["json", "ubj"])
def test_an_xgboost_model_is_read_in_both_forms(form: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    honest = json.dumps(hostile_boosters.xgboost()).encode()
    model = xgboost.Booster(model_file=bytearray(honest))
    assert model.num_features() == xgboost_model.check(xgboost_model.read(honest)).columns == 2
    booster = boosters.fitted("xgboost", gamma=0.5, max_depth=6).get_booster()
    facts = xgboost_model.check(xgboost_model.read(bytes(booster.save_raw(form))))
    assert (facts.columns, facts.trees) == (5, booster.num_boosted_rounds())
    live = booster.trees_to_dataframe()
    assert facts.nodes >= len(live)
    assert 1 < facts.depth <= 6


def test_both_forms_of_an_xgboost_model_hold_the_same() -> None:
    pytest.importorskip("xgboost")
    booster = boosters.fitted("xgboost").get_booster()
    plain = json.loads(booster.save_raw("json"))
    binary = ubjson.loads(bytes(booster.save_raw("ubj")))

    def single(value: Any) -> Any:
        """Arrays as lists, numbers in the precision that XGBoost computes in."""
        if isinstance(value, dict):
            return {name: single(inner) for name, inner in value.items()}
        if isinstance(value, list | np.ndarray):
            return [single(inner) for inner in value]
        return value if isinstance(value, str) else float(np.float32(value))

    assert single(binary) == single(plain)


@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise", "Lossguide"])
def test_a_catboost_model_is_read_as_its_own_json_tells_it(policy: str, tmp_path: Path) -> None:
    pytest.importorskip("catboost")
    model = boosters.fitted("catboost", grow_policy=policy)
    model.save_model(str(tmp_path / "model.json"), format="json")
    described = json.loads((tmp_path / "model.json").read_text())
    facts = catboost_binary.check(model._serialize_model())
    assert facts.columns == len(described["features_info"]["float_features"]) == 5
    assert facts.trees == len(described.get("oblivious_trees") or described["trees"]) == 8
    if policy == "SymmetricTree":
        assert facts.depth == max(len(tree["splits"]) for tree in described["oblivious_trees"])


# --- Explanations


def _expected(tree: dict[str, Any], row: np.ndarray, known: set[int], node: int = 0) -> float:
    """What a tree gives where only some columns are known: else both ways, by the rows that took each."""
    left, right = tree["left"][node], tree["right"][node]
    if left < 0:
        return float(tree["value"][node])
    if tree["column"][node] in known:
        value = row[tree["column"][node]]
        goes_left = (
            tree["default_left"][node] if np.isnan(value) else tree["is_left"](value, tree["at"][node])
        )
        return _expected(tree, row, known, left if goes_left else right)
    weights = tree["weight"][left], tree["weight"][right]
    values = _expected(tree, row, known, left), _expected(tree, row, known, right)
    return float(np.average(values, weights=weights))


def shapley(forest: list[dict[str, Any]], row: np.ndarray) -> np.ndarray:
    """Shapley values by their definition: the mean over all orders of what a column adds."""
    columns = range(len(row))
    value = {
        known: sum(_expected(tree, row, set(known)) for tree in forest)
        for size in range(len(row) + 1)
        for known in itertools.combinations(columns, size)
    }
    total = np.zeros(len(row))
    orders = list(itertools.permutations(columns))
    for order in orders:
        for place, column in enumerate(order):
            before = tuple(sorted(order[:place]))
            total[column] += value[tuple(sorted((*before, column)))] - value[before]
    return total / len(orders)


def _xgboost_forest(estimator: Any) -> list[dict[str, Any]]:
    document = json.loads(estimator.get_booster().save_raw("json"))
    return [
        {
            "left": tree["left_children"],
            "right": tree["right_children"],
            "column": tree["split_indices"],
            "at": tree["split_conditions"],
            "value": tree["split_conditions"],
            "weight": tree["sum_hessian"],
            "default_left": tree["default_left"],
            "is_left": lambda value, at: np.float32(value) < np.float32(at),
        }
        for tree in document["learner"]["gradient_booster"]["model"]["trees"]
    ]


def _lightgbm_forest(estimator: Any) -> list[dict[str, Any]]:
    forest = []
    for described in estimator.booster_.dump_model()["tree_info"]:
        tree: dict[str, Any] = {
            name: [] for name in ("left", "right", "column", "at", "value", "weight", "default_left")
        }

        def add(node: dict[str, Any], tree: dict[str, Any] = tree) -> int:
            place = len(tree["left"])
            inner = "split_feature" in node
            tree["column"].append(node.get("split_feature", -1))
            tree["at"].append(node.get("threshold", 0.0))
            tree["value"].append(node.get("leaf_value", 0.0))
            tree["weight"].append(node["internal_count"] if inner else node.get("leaf_count", 0))
            tree["default_left"].append(node.get("default_left", False))
            tree["left"].append(-1)
            tree["right"].append(-1)
            if inner:
                tree["left"][place] = add(node["left_child"])
                tree["right"][place] = add(node["right_child"])
            return place

        add(described["tree_structure"])
        tree["is_left"] = lambda value, at: value <= at
        forest.append(tree)
    return forest


def _catboost_forest(estimator: Any, folder: Path) -> list[dict[str, Any]]:
    estimator.save_model(str(folder / "model.json"), format="json")
    forest = []
    for described in json.loads((folder / "model.json").read_text())["oblivious_trees"]:
        splits, leaves = described["splits"], len(described["leaf_values"])
        tree: dict[str, Any] = {
            name: [] for name in ("left", "right", "column", "at", "value", "weight", "default_left")
        }

        def add(
            depth: int,
            index: int,
            tree: dict[str, Any] = tree,
            splits: Any = splits,
            described: Any = described,
        ) -> int:
            place = len(tree["left"])
            tree["left"].append(-1)
            tree["right"].append(-1)
            tree["weight"].append(0.0)
            tree["default_left"].append(True)  # missing values count as the smallest
            is_leaf = depth == len(splits)
            split = {"float_feature_index": -1, "border": 0.0} if is_leaf else splits[len(splits) - 1 - depth]
            tree["column"].append(split["float_feature_index"])
            tree["at"].append(split["border"])
            tree["value"].append(described["leaf_values"][index] if is_leaf else 0.0)
            if is_leaf:
                tree["weight"][place] = described["leaf_weights"][index]
                return place
            bit = len(splits) - 1 - depth
            tree["left"][place] = add(depth + 1, index)
            tree["right"][place] = add(depth + 1, index | 1 << bit)
            tree["weight"][place] = tree["weight"][tree["left"][place]] + tree["weight"][tree["right"][place]]
            return place

        add(0, 0)
        assert leaves == 2 ** len(splits)
        tree["is_left"] = lambda value, at: np.float32(value) <= np.float32(at)
        forest.append(tree)
    return forest


@pytest.mark.parametrize("name", EACH)
def test_contributions_are_shapley_values_by_their_definition(name: str, tmp_path: Path) -> None:
    estimator = boosters.fitted(name, **{"catboost": {"depth": 2}}.get(name, {}))
    explanation = explanations.of(estimator)
    assert explanation is not None
    matrix, _ = boosters.rows(12, seed=5)
    base, values = explanation.values(matrix)
    forest = {
        "lightgbm": lambda: _lightgbm_forest(estimator),
        "xgboost": lambda: _xgboost_forest(estimator),
        "catboost": lambda: _catboost_forest(estimator, tmp_path),
    }[name]()
    for row, found in zip(matrix, values, strict=True):
        assert np.allclose(found, shapley(forest, row), rtol=0, atol=1e-6)
    margin = explanation.log_odds(matrix)
    assert np.allclose(base + values.sum(axis=1), margin, rtol=0, atol=1e-7)
    score = estimator.predict_proba(matrix)[:, 1].astype("float64")
    assert np.allclose(np.log(score / (1 - score)), margin, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", EACH)
def test_an_explanation_adds_up_and_speaks_of_features(name: str) -> None:
    pipeline = chosen(name).pipeline
    explanation = attribution.attribute(pipeline, TEST.features.head(30), TRAIN.features.head(30), 1)
    assert explanation.space == "log-odds"
    assert explanation.explainer != "shap.PermutationExplainer"
    assert explanation.additivity_error < 1e-7
    assert list(explanation.contributions.columns) == list(learnable.FEATURES)


def test_values_that_do_not_add_up_are_not_taken() -> None:
    """CatBoost's own values are wrong for trees that are not symmetric."""
    pytest.importorskip("catboost")
    choice = learnable.choice(estimator="catboost", arguments={"iterations": 8, "grow_policy": "Lossguide"})
    pipeline = train.train(TRAIN, TUNE, learnable.data(), choice, 1).chosen.pipeline
    explanation = attribution.attribute(pipeline, TEST.features.head(30), TRAIN.features.head(30), 1)
    assert explanation.explainer == "shap.PermutationExplainer"
    assert explanation.additivity_error < 1e-9


# --- Mitigations and search


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize(
    "mitigation",
    [
        "reweighing",
        "correlation_remover",
        {"method": "exponentiated_gradient", "steps": 4, "bound": 0.02},
        {"method": "grid_search", "steps": 3},
        "threshold_optimizer",
    ],
    ids=["reweighing", "correlation_remover", "exponentiated_gradient", "grid_search", "threshold_optimizer"],
)
def test_each_mitigation_goes_with_each_library(name: str, mitigation: Any, tmp_path: Path) -> None:
    candidate = chosen(name, mitigation=mitigation, protected_at_decision=True)
    sha256 = model_file.save(candidate.pipeline, tmp_path / "model.skops")
    copy = model_file.load(tmp_path / "model.skops", sha256)
    rows = TEST.inputs(copy.feature_names_in_)
    scores = scoring.score(copy, rows)
    assert np.array_equal(scores, scoring.score(candidate.pipeline, rows))
    assert np.unique(scores).size > 5
    plain = scoring.score(chosen(name).pipeline, TEST.features)
    assert candidate.members or not np.array_equal(scores, plain)


@pytest.mark.parametrize("name", EACH)
def test_a_search_by_folds_finds_the_best_arguments(name: str) -> None:
    size = {"lightgbm": "num_leaves", "xgboost": "max_depth", "catboost": "depth"}[name]
    candidate = chosen(name, search={"grid": {size: [2, 4]}, "folds": 3})
    search = candidate.fitted.search
    assert search is not None and len(search["results"]) == 2
    assert candidate.pipeline[-1].get_params()[size] == search["best"][size]


# --- Hostile boosters


@pytest.mark.parametrize("case", hostile_boosters.LIGHTGBM)
def test_a_hostile_lightgbm_text_is_refused(case: str) -> None:
    assert lightgbm_text.check(hostile_boosters.lightgbm()).trees == 1
    with pytest.raises(ValueError, match=r"."):
        lightgbm_text.check(hostile_boosters.LIGHTGBM[case])


@pytest.mark.parametrize("case", hostile_boosters.XGBOOST)
def test_a_hostile_xgboost_model_is_refused(case: str) -> None:
    assert xgboost_model.check(hostile_boosters.xgboost()).trees == 1
    document = hostile_boosters.XGBOOST[case]()
    with pytest.raises(ValueError, match=r"."):
        xgboost_model.check(document)
    with pytest.raises(ValueError, match=r"."):
        xgboost_model.check(xgboost_model.read(json.dumps(document).encode()))


@pytest.mark.parametrize("case", hostile_boosters.XGBOOST_BYTES)
def test_hostile_bytes_for_an_xgboost_model_are_refused(case: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        xgboost_model.check(xgboost_model.read(hostile_boosters.XGBOOST_BYTES[case]))


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("learner_train_param", "objective"), "reg:squarederror"),
        (("learner_train_param", "booster"), "dart"),
        (("gradient_booster", "name"), "gblinear"),
        (("generic_param", "device"), "cuda"),
        (("learner_model_param",), {"num_feature": "9"}),
    ],
)
def test_settings_of_another_model_are_refused(where: tuple[str, ...], value: Any) -> None:
    honest = hostile_boosters.snapshot(hostile_boosters.xgboost())
    assert xgboost_model.check_snapshot(honest).columns == 2
    inner = honest["Config"]["learner"]
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = value
    with pytest.raises(ValueError, match=r"."):
        xgboost_model.check_snapshot(honest)


def test_a_catboost_model_is_refused_wherever_it_is_cut() -> None:
    pytest.importorskip("catboost")
    content = catboost_binary.without_times(boosters.fitted("catboost", iterations=2)._serialize_model())
    for length in range(0, len(content), 97):
        with pytest.raises(ValueError, match=r"."):
            catboost_binary.check(content[:length])
    with pytest.raises(ValueError, match=r"."):
        catboost_binary.check(content + b"more")
    with pytest.raises(ValueError, match="objective"):
        catboost_binary.check(content.replace(b'"Logloss"', b'"Poisson"'))


@pytest.mark.parametrize(
    ("field", "kind", "value"),
    [
        ("splits", "<i4", 1 << 30),
        ("splits", "<i4", -1),
        ("sizes", "<i4", 31),
        ("starts", "<i4", 1),
        ("leaf_values", "<f8", np.nan),
        ("leaf_values", "<f8", np.inf),
        ("bins", "<u4", 40_000),
    ],
)
def test_a_catboost_tree_that_points_outside_is_refused(field: str, kind: str, value: float) -> None:
    pytest.importorskip("catboost")
    content = bytearray(boosters.fitted("catboost", iterations=2)._serialize_model())
    forest = catboost_binary._core(bytes(content)).table(catboost_binary._CORE["trees"])
    start, length = forest.span(catboost_binary._TREES[field], np.dtype(kind).itemsize)
    assert length > 0
    np.frombuffer(content, kind, length, start)  # it lies where it is said to
    content[start : start + np.dtype(kind).itemsize] = np.array([value], kind).tobytes()
    with pytest.raises(ValueError, match=r"."):
        catboost_binary.check(bytes(content))


@pytest.mark.parametrize(
    ("policy", "field", "kind"),
    [("Lossguide", "steps", "<u2"), ("Depthwise", "leaf_of_node", "<u4"), ("Lossguide", "splits", "<i4")],
)
def test_a_catboost_tree_of_nodes_that_points_outside_is_refused(policy: str, field: str, kind: str) -> None:
    pytest.importorskip("catboost")
    model = boosters.fitted("catboost", grow_policy=policy, iterations=2)
    content = bytearray(model._serialize_model())
    forest = catboost_binary._core(bytes(content)).table(catboost_binary._CORE["trees"])
    start, length = forest.span(catboost_binary._TREES[field], np.dtype(kind).itemsize)
    size = np.dtype(kind).itemsize * length * (2 if field == "steps" else 1)
    content[start : start + size] = np.full(size // np.dtype(kind).itemsize, 60_000, kind).tobytes()
    with pytest.raises(ValueError, match=r"."):
        catboost_binary.check(bytes(content))


@pytest.mark.parametrize("policy", ["SymmetricTree", "Lossguide"])
def test_columns_with_more_borders_than_a_bin_holds_are_read(policy: str) -> None:
    pytest.importorskip("catboost")
    matrix, label = boosters.rows(3000)
    arguments = {"border_count": 1000, "iterations": 200, "grow_policy": policy}
    model = estimators.build("catboost", arguments, 1).fit(matrix[:, :2], label)
    assert max(map(len, model.get_borders().values())) > catboost_binary._BORDERS_OF_BIN
    assert catboost_binary.check(model._serialize_model()).trees == 200


def test_a_tree_deeper_than_any_is_refused() -> None:
    count = 2 * trees.DEEPEST + 1
    left, right = np.full(count, -1), np.full(count, -1)
    left[0 : count - 2 : 2] = np.arange(1, count - 1, 2)
    right[0 : count - 2 : 2] = np.arange(2, count, 2)
    inner = left >= 0
    with pytest.raises(ValueError, match="deeper"):
        trees.ensure_tree(left, right, inner)
    reached, depth = trees.ensure_tree(left[:-2], right[:-2], np.append(inner[:-4], [False, False]))
    assert reached.all()
    assert depth == trees.DEEPEST - 1


@pytest.mark.parametrize("name", EACH)
def test_a_spoilt_booster_in_an_archive_never_reaches_its_library(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive is canonical, its digest the recorded one and its types trusted: only the tree is wrong."""
    path = tmp_path / "model.skops"
    model_file.save(boosters.fitted(name), path)
    members = model_file._members(path.read_bytes())
    before, after = {
        "lightgbm": (b"left_child=", b"left_child=7"),
        "xgboost": (b"gbtree", b"gbfree"),
        "catboost": (b'"Logloss"', b'"Logless"'),
    }[name]
    assert any(before in content for content in members.values())
    path.write_bytes(model_file.archive({key: part.replace(before, after) for key, part in members.items()}))
    monkeypatch.setattr(skops.io, "loads", lambda *_, **__: pytest.fail("it was loaded"))
    import hashlib

    with pytest.raises(IntegrityError) as excinfo:
        model_file.load(path, hashlib.sha256(path.read_bytes()).hexdigest())
    assert excinfo.value.code == "models.not_loadable"


# --- Libraries that are not there


def test_a_library_that_is_not_installed_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimators, "_distributions_of_packages", lambda _: {})
    for name in ("xgboost", "lightgbm.LGBMClassifier"):
        with pytest.raises(ConfigurationError) as excinfo:
            estimators.build(name, {}, 1)
        assert excinfo.value.code == "models.extra_not_installed"
        assert excinfo.value.values["extra"] == name.split(".", 1)[0]


@pytest.mark.parametrize("name", [installed("xgboost")])
def test_a_model_whose_library_is_not_installed_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.skops"
    digest = model_file.save(boosters.fitted(name), path)

    def without(*_: Any, **__: Any) -> None:
        raise ModuleNotFoundError("No module named 'xgboost'", name="xgboost")

    monkeypatch.setattr(skops.io, "loads", without)
    with pytest.raises(ConfigurationError) as excinfo:
        model_file.load(path, digest)
    assert excinfo.value.code == "models.extra_not_installed"


@pytest.mark.parametrize(
    ("name", "argument", "known"),
    [
        pytest.param("lightgbm", "num_leave", "lambda_l1", marks=installed("lightgbm").marks),
        pytest.param("xgboost", "max_dept", "monotone_constraints", marks=installed("xgboost").marks),
        pytest.param("catboost", "iteration", "l2_leaf_reg", marks=installed("catboost").marks),
    ],
)
def test_an_argument_that_a_library_would_ignore_is_refused(name: str, argument: str, known: str) -> None:
    assert estimators.build(name, {known: None if name == "xgboost" else 1.0}, 1)
    with pytest.raises(ConfigurationError) as excinfo:
        estimators.build(name, {argument: 5}, 1)
    assert excinfo.value.code == "models.unknown_argument"
    assert "did you mean" in excinfo.value.values["suggestion"]


@pytest.mark.parametrize("name", EACH)
def test_what_a_library_refuses_in_its_own_words_is_one_clear_error(name: str) -> None:
    wrong = {"lightgbm": {"num_leaves": 1}, "xgboost": {"max_depth": -3}, "catboost": {"depth": 90}}[name]
    choice = learnable.choice(estimator=name, arguments=wrong)
    with pytest.raises(ConfigurationError) as excinfo:
        train.train(TRAIN, TUNE, learnable.data(), choice, 1)
    assert excinfo.value.code == "models.cannot_be_fitted"


@pytest.mark.parametrize("name", EACH)
def test_check_finds_an_extra_ready_and_names_the_one_that_is_missing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = params.Train.model_validate({"estimator": name, "mitigation": "reweighing"})
    assert list(estimator_checks.check(choice, learnable.ROOT)) == []
    path = params.Train.model_validate({"estimator": estimators.BUILT_IN[name].path})
    assert list(estimator_checks.check(path, learnable.ROOT)) == []
    monkeypatch.setattr(estimators, "_distributions_of_packages", lambda _: {})
    (problem,) = estimator_checks.check(path, learnable.ROOT)
    assert problem.error.code == "models.extra_not_installed"
