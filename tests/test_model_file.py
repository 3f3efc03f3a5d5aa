"""A model file is the same bytes for the same model, and nothing in a file runs, whoever wrote it."""

import hashlib
import io
import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
import yaml
from fairlearn.preprocessing import CorrelationRemover
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from clearance.errors import ConfigurationError, IntegrityError
from clearance.models import encoding, group_thresholds, model_file, scoring, tree_checks, trusted_types
from clearance.models.external import adopted
from clearance.models.external.file_model import FileModel
from clearance.models.external.relabelled import Relabelled
from clearance.models.external.score_table import ScoreTable
from tests.support import boosters, learnable

ESTIMATORS: dict[str, Callable[[], Any]] = {
    "linear": lambda: LogisticRegression(max_iter=1000),
    "forest": lambda: RandomForestClassifier(6, max_depth=4, random_state=1),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=6, random_state=1),
}
FRAME = learnable.table(300)
FEATURES = FRAME[list(learnable.FEATURES)]


def fitted(estimator: Any) -> Pipeline:
    kinds = scoring.kinds(FEATURES, {"grade": "text"})
    pipeline = Pipeline([("encode", encoding.transformer(kinds)), ("estimator", estimator)])
    return pipeline.fit(scoring.inputs(FEATURES, kinds), FRAME["label"])


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(path: Path, reason: str) -> None:
    """The file is refused although its digest is the recorded one."""
    with pytest.raises(IntegrityError) as excinfo:
        model_file.load(path, sha256(path))
    assert excinfo.value.code == "models.not_loadable"
    assert reason in excinfo.value.values["reason"]


class Planted:
    """Whoever creates one leaves a file behind."""

    def __init__(self, path: str) -> None:
        Path(path).touch()
        self.path = path

    def __reduce__(self) -> Any:
        return Planted, (self.path,)


class Custom(ClassifierMixin, BaseEstimator):
    """A classifier of nobody's allow-list."""

    def fit(self, rows: Any, label: Any) -> "Custom":
        self.n_features_in_ = rows.shape[1]
        self.classes_, self.rate_ = np.unique(label), float(np.mean(label))
        return self

    def predict_proba(self, rows: Any) -> Any:
        return np.tile([1 - self.rate_, self.rate_], (len(rows), 1))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_scores_are_bit_identical_after_a_round_trip(name: str, tmp_path: Path) -> None:
    model = fitted(ESTIMATORS[name]())
    path = tmp_path / "model.skops"
    copy = model_file.load(path, model_file.save(model, path))
    assert np.array_equal(scoring.score(copy, FEATURES), scoring.score(model, FEATURES))
    assert encoding.origins(copy[0]) == encoding.origins(model[0])


@pytest.mark.parametrize("name", ESTIMATORS)
def test_equal_models_give_equal_bytes(name: str, tmp_path: Path) -> None:
    model = fitted(ESTIMATORS[name]())
    first = model_file.save(model, tmp_path / "1.skops")
    noise = [object() for _ in range(1000)]
    assert model_file.save(fitted(ESTIMATORS[name]()), tmp_path / "2.skops") == first
    copy = model_file.load(tmp_path / "1.skops", first)
    assert model_file.save(copy, tmp_path / "3.skops") == first == sha256(tmp_path / "3.skops")
    assert noise


def test_the_bytes_hold_no_time_no_address_and_no_set_order(tmp_path: Path) -> None:
    here, there = [0, 8], [8, 0]  # equal as sets, and they come out in these orders
    model = {"set": set(here), "array": np.arange(3), "same": np.arange(3)}
    content = model_file.canonical(skops.io.dumps(model))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["schema.json", "0.npy"]
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"__id__" not in archive.read("schema.json")
    copy = skops.io.loads(content)
    assert copy["set"] == model["set"]
    assert np.array_equal(copy["same"], model["same"])
    variant = {"set": set(there), "array": np.arange(3), "same": np.arange(3)}
    assert model_file.canonical(skops.io.dumps(variant)) == content
    assert model_file.canonical(content) == content


def test_the_allow_list_is_no_longer_than_estimators_and_mitigations_need() -> None:
    needed: set[str] = set()
    for build in ESTIMATORS.values():
        needed |= set(skops.io.get_untrusted_types(data=skops.io.dumps(fitted(build()))))
    needed |= set(skops.io.get_untrusted_types(data=skops.io.dumps(CorrelationRemover())))
    mitigation = group_thresholds.GroupScores(LogisticRegression(), np.ones((1, 2)), np.array([0.5]), 0.5)
    needed |= set(skops.io.get_untrusted_types(data=skops.io.dumps(mitigation)))
    for made_elsewhere in (
        adopted.pipeline({"row": "category"}, ScoreTable(np.zeros((1, 16), np.uint8), np.zeros(1))),
        Relabelled(FileModel(b"", "onnx"), 0),
    ):
        needed |= set(skops.io.get_untrusted_types(data=skops.io.dumps(made_elsewhere)))
    for name in boosters.INSTALLED:
        needed |= set(skops.io.get_untrusted_types(data=skops.io.dumps(boosters.fitted(name))))
    absent = tuple(f"{name}." for name in set(boosters.SMALL) - set(boosters.INSTALLED))
    absent += () if "lightgbm" in boosters.INSTALLED else ("collections.OrderedDict",)
    assert {name for name in trusted_types.TRUSTED if not name.startswith(absent)} == needed


def test_another_digest_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    digest = model_file.save(fitted(ESTIMATORS["linear"]()), path)
    with path.open("ab") as file:
        file.write(b" ")
    with pytest.raises(IntegrityError, check=lambda error: error.code == "files.changed"):
        model_file.load(path, digest)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, check=lambda error: error.code == "files.missing"):
        model_file.load(tmp_path / "model.skops", "0" * 64)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.skops")
    with pytest.raises(IntegrityError, check=lambda error: error.code == "files.missing"):
        model_file.load(tmp_path / "model.skops", "0" * 64)


NODE = {"__class__": "C", "__module__": "m", "__loader__": "ObjectNode"}


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ([], "it does not use skops protocol 2"),
        ({"protocol": 1}, "it does not use skops protocol 2"),
        ({"content": [{"a": NODE | {"__id__": 7}}]}, "a m.C stands for another object"),
        ({"content": {"a": [NODE | {"__loader__": "CachedNode"}]}}, "a m.C stands for another object"),
        (
            NODE | {"content": NODE | {"__module__": "numpy", "__class__": "dtype"}},
            "ObjectNode is not how numpy.dtype is loaded",
        ),
        (NODE | {"protocol": 3}, "it does not use skops protocol 2"),
    ],
)
def test_a_node_that_saving_never_writes_is_refused_wherever_it_sits(schema: Any, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}$"):
        trusted_types.check_nodes({"protocol": 2} | schema if isinstance(schema, dict) else schema)
    trusted_types.check_nodes({"protocol": 2, "content": [NODE, {"a": 1}, "text"]})


def test_a_file_of_just_the_largest_size_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.skops"
    digest = model_file.save(fitted(ESTIMATORS["linear"]()), path)
    monkeypatch.setattr(model_file, "LARGEST", path.stat().st_size)
    assert model_file.load(path, digest)


def test_a_larger_file_than_any_model_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.skops"
    digest = model_file.save(fitted(ESTIMATORS["linear"]()), path)
    monkeypatch.setattr(model_file, "LARGEST", 100)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    with pytest.raises(IntegrityError, check=lambda error: error.code == "models.file_too_large"):
        model_file.load(path, digest)


def test_a_pickle_under_our_name_does_not_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "model.skops", tmp_path / "planted"
    content = pickle.dumps(Planted(str(mark)))
    mark.unlink()
    path.write_bytes(content)
    refused(path, "")
    assert not mark.exists()
    pickle.loads(content)  # noqa: S301 - the payload is a real one
    assert mark.exists()


def test_a_type_that_is_not_allowed_does_not_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "model.skops", tmp_path / "planted"
    content = model_file.canonical(skops.io.dumps(Planted(str(mark))))
    mark.unlink()
    path.write_bytes(content)
    refused(path, "tests.test_model_file.Planted")
    assert not mark.exists()
    skops.io.loads(content, trusted=["tests.test_model_file.Planted"])  # the payload is a real one
    assert mark.exists()


@pytest.mark.parametrize(
    "loader", ["FunctionNode", "TypeNode", "ObjectNode", "PartialNode", "OperatorFuncNode"]
)
def test_no_kind_of_node_brings_in_a_function_of_the_system(loader: str, tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    node: dict[str, Any] = {
        "__class__": "system",
        "__module__": "os",
        "__loader__": loader,
        "content": None,
        "attrs": {},
    }
    write(path, {"schema.json": json.dumps({**node, "protocol": 2})})
    refused(path, "")


def write(path: Path, members: dict[str, Any], **how: Any) -> None:
    if not how:
        contents = {name: text.encode() if isinstance(text, str) else text for name, text in members.items()}
        path.write_bytes(model_file.archive(contents))
        return
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("name", ["../escape.npy", "/0.npy", "a/0.npy", "0.pkl", "__init__.py"])
def test_a_file_with_a_foreign_name_in_it_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    model_file.save(fitted(ESTIMATORS["linear"]()), path)
    write(path, members(path) | {name: b""})
    refused(path, "is not allowed in it")


def test_a_compressed_file_is_refused_so_that_none_grows_when_read(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    model_file.save(fitted(ESTIMATORS["linear"]()), path)
    write(path, members(path), compression=zipfile.ZIP_DEFLATED)
    refused(path, "is compressed")


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    model_file.save(fitted(ESTIMATORS["linear"]()), path)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("schema.json", "{}")
    refused(path, "occurs twice")


@pytest.mark.parametrize(
    "schema",
    [
        "",
        "[]",
        "{}",
        '{"protocol": 2}',
        '{"protocol": 99}',
        "[" * 100_000,
        '{"protocol": 2, "__loader__": "X"}',
    ],
)
def test_what_is_no_schema_is_refused(schema: str, tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    write(path, {"schema.json": schema})
    refused(path, "")


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    model_file.save(fitted(ESTIMATORS["linear"]()), path)
    path.write_bytes(path.read_bytes()[:-200])
    refused(path, "")


def rewritten(path: Path, spoil: Callable[[Any], None]) -> None:
    """Rewrite the first array of tree nodes in the file."""
    contents = members(path)
    for name, content in contents.items():
        array = np.load(io.BytesIO(content), allow_pickle=False) if name.endswith(".npy") else np.zeros(0)
        if array.dtype.names and len(array) > 2:
            spoil(array)
            buffer = io.BytesIO()
            np.save(buffer, array)
            write(path, contents | {name: buffer.getvalue()})
            return
    pytest.fail("there are no nodes")


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("forest", "left_child", 1_000_000),
        ("forest", "right_child", 0),
        ("forest", "right_child", -7),
        ("forest", "feature", 1_000_000),
        ("forest", "feature", -3),
        ("boosting", "left", 1_000_000),
        ("boosting", "right", 0),
        ("boosting", "feature_idx", 1_000_000),
    ],
)
def test_a_tree_that_points_elsewhere_is_refused(name: str, field: str, value: int, tmp_path: Path) -> None:
    def spoil(nodes: Any) -> None:
        nodes[field][0] = value

    path = tmp_path / "model.skops"
    model_file.save(fitted(ESTIMATORS[name]()), path)
    rewritten(path, spoil)
    refused(path, "a tree")


def test_categories_of_a_tree_are_refused_as_nothing_checks_their_tables() -> None:
    rows = np.random.default_rng(0).integers(0, 4, size=(200, 1))
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]).fit(rows, rows[:, 0] % 2)
    assert model._predictors[0][0].nodes["is_categorical"].any()
    with pytest.raises(ValueError, match="does not check its rows itself"):
        tree_checks.check(model)
    model._preprocessor = None
    with pytest.raises(ValueError, match="splits by categories"):
        tree_checks.check(model)


def test_rows_that_are_taken_as_binned_already_are_refused(tmp_path: Path) -> None:
    model = fitted(ESTIMATORS["boosting"]())
    model[-1]._in_fit = True
    with pytest.raises(ConfigurationError) as excinfo:
        model_file.save(model, tmp_path / "model.skops")
    assert excinfo.value.code == "models.not_storable"
    assert "does not check its rows itself" in excinfo.value.values["reason"]


def test_an_attribute_in_the_place_of_a_method_is_refused() -> None:
    """`np.float32` in the place of a forest's look at its rows: they would be walked as they come."""
    model = fitted(ESTIMATORS["forest"]())
    tree_checks.check(model)
    model[-1]._validate_X_predict = np.float32
    with pytest.raises(ValueError, match="_validate_X_predict is not a method"):
        tree_checks.check(model)


def test_a_tree_in_what_is_no_tree_is_looked_at_all_the_same() -> None:
    """Gradient boosting walks the `tree_` of whatever its array of estimators holds."""
    model = GradientBoostingClassifier(n_estimators=2, random_state=0)
    model.fit(np.arange(40.0)[:, None], np.arange(40) % 2)
    tree_checks.check(model)
    posing = LogisticRegression()
    random = np.random.default_rng(0)
    wide = DecisionTreeClassifier(random_state=0).fit(random.random((50, 9)), random.integers(0, 2, 50))
    posing.tree_ = wide.tree_
    model.estimators_[0, 0] = posing
    with pytest.raises(ValueError, match="a column that does not exist"):
        tree_checks.check(model)


def test_ensembles_of_models_that_look_for_themselves_are_loaded(tmp_path: Path) -> None:
    few = DecisionTreeClassifier(max_depth=3, random_state=0)
    parts = [(name, DecisionTreeClassifier(max_depth=2, random_state=1)) for name in "abcdefgh"]
    for estimator in (
        StackingClassifier(parts, final_estimator=few, cv=2),
        BaggingClassifier(few, 3, max_features=0.5, random_state=0),
        AdaBoostClassifier(few, n_estimators=3),
        ExtraTreesClassifier(4, max_depth=3, random_state=0),
        GradientBoostingClassifier(n_estimators=3, random_state=0),
    ):
        tree_checks.check(fitted(estimator))


def test_a_sparse_matrix_is_stored_uncompressed_and_read_back(tmp_path: Path) -> None:
    model = fitted(KNeighborsClassifier(3, algorithm="brute"))
    model[-1]._fit_X = csr_matrix(model[-1]._fit_X)
    path, allowed = tmp_path / "model.skops", tmp_path / "trusted_types.yaml"
    allowed.write_text("- {type: scipy.sparse._csr.csr_matrix, reason: reviewed in a test}")
    copy = model_file.load(path, model_file.save(model, path, allowed), allowed)
    assert (copy[-1]._fit_X != model[-1]._fit_X).nnz == 0
    assert model_file.canonical(path.read_bytes()) == path.read_bytes()


def test_a_forest_is_held_to_the_columns_it_checks_not_to_what_its_trees_say() -> None:
    """A forest checks its rows once, against itself; a tree with more columns would read beyond them."""
    random = np.random.default_rng(0)
    wide = DecisionTreeClassifier(random_state=0).fit(random.random((50, 9)), random.integers(0, 2, 50))
    forest = RandomForestClassifier(2, random_state=0).fit(random.random((50, 2)), random.integers(0, 2, 50))
    tree_checks.check(forest)
    forest.estimators_[1] = wide
    with pytest.raises(ValueError, match="a column that does not exist"):
        tree_checks.check(forest)


def test_a_type_is_named_already_when_saving(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    with pytest.raises(ConfigurationError) as excinfo:
        model_file.save(fitted(Custom()), path)
    assert excinfo.value.code == "models.untrusted_types"
    assert excinfo.value.values["types"] == "tests.test_model_file.Custom"
    assert not path.exists()


def test_what_only_pickle_could_store_is_refused_when_saving(tmp_path: Path) -> None:
    model = fitted(Custom())
    model[-1].open_ = io.StringIO("x")
    with pytest.raises(ConfigurationError) as excinfo:
        model_file.save(model, tmp_path / "model.skops")
    assert excinfo.value.code in {"models.not_storable", "models.untrusted_types"}


def test_compliance_can_allow_a_type(tmp_path: Path) -> None:
    allowed = tmp_path / "trusted_types.yaml"
    allowed.write_text(
        yaml.safe_dump([{"type": "tests.test_model_file.Custom", "reason": "reviewed in a test"}])
    )
    path = tmp_path / "model.skops"
    digest = model_file.save(fitted(Custom()), path, allowed)
    assert scoring.score(model_file.load(path, digest, allowed), FEATURES)[0] == FRAME["label"].mean()
    refused(path, "tests.test_model_file.Custom")


def test_the_shipped_list_adds_nothing() -> None:
    shipped = learnable.ROOT / trusted_types.MORE_TRUSTED
    assert shipped.exists()
    assert trusted_types.trusted_types(shipped) == trusted_types.TRUSTED
    assert trusted_types.trusted_types(Path("there/is/none.yaml")) == trusted_types.TRUSTED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "types: []",
        "- a.b",
        "- {type: a.b}",
        "- {type: a.b, reason: ''}",
        "- {type: a.b, reason: 1}",
        "- {type: 'a.*', reason: all}",
        "- {type: eval, reason: handy}",
        "- {type: a.b, reason: x, more: y}",
        "- [",
    ],
)
def test_a_list_that_is_none_allows_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "trusted_types.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as excinfo:
        trusted_types.trusted_types(path)
    assert excinfo.value.code.startswith("models.trusted_types_")
