"""A row plan is the pipeline: the same scores on real, generated and odd rows, and the same refusals."""

import dataclasses
import math
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import config as numba_config
from sklearn import (
    base,
    discriminant_analysis,
    dummy,
    ensemble,
    linear_model,
    naive_bayes,
    preprocessing,
    tree,
)
from sklearn import (
    pipeline as pipelines,
)

from clearance.errors import ClearanceError
from clearance.models import encoding, group_thresholds, row_plan, scoring
from clearance.models.plan import columns, machine_code, proof, trees
from tests.support import learnable, nightly

ROOT = Path(__file__).parent.parent
FEATURES = list(learnable.FEATURES)
TABLE = learnable.table(900)
KINDS = scoring.kinds(TABLE[FEATURES], {"grade": "text"})
SETTINGS: Any = numba_config
GENERATED = 20_000 if nightly.NIGHTLY else 1_500

ESTIMATORS: dict[str, tuple[Callable[[], Any], encoding.Encoding]] = {
    "logistic": (lambda: linear_model.LogisticRegression(max_iter=1000), "one_hot"),
    "sgd": (lambda: linear_model.SGDClassifier(loss="log_loss", random_state=1), "one_hot"),
    "discriminant": (discriminant_analysis.LinearDiscriminantAnalysis, "one_hot"),
    "tree": (lambda: tree.DecisionTreeClassifier(max_depth=6, random_state=1), "one_hot"),
    "forest": (
        lambda: ensemble.RandomForestClassifier(30, max_depth=8, class_weight="balanced", random_state=1),
        "one_hot",
    ),
    "forest of ordinals": (
        lambda: ensemble.RandomForestClassifier(10, max_depth=8, random_state=1),
        "ordinal",
    ),
    "extra trees": (lambda: ensemble.ExtraTreesClassifier(30, max_depth=8, random_state=1), "one_hot"),
    "boosting": (lambda: ensemble.GradientBoostingClassifier(n_estimators=40, random_state=1), "one_hot"),
    "boosting from zero": (
        lambda: ensemble.GradientBoostingClassifier(init="zero", n_estimators=20, random_state=1),
        "one_hot",
    ),
    "histogram boosting": (
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=40, random_state=1),
        "ordinal",
    ),
    "histogram boosting, one-hot": (
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=40, random_state=1),
        "one_hot",
    ),
    "bayes": (naive_bayes.GaussianNB, "one_hot"),
}
FORESTS = {"tree", "forest", "forest of ordinals", "extra trees"}


def fitted(estimator: Any, how: encoding.Encoding = "one_hot") -> pipelines.Pipeline:
    rows = scoring.inputs(TABLE[FEATURES], KINDS)
    steps = [("encode", encoding.transformer(KINDS, how)), ("estimator", estimator)]
    return pipelines.Pipeline(steps).fit(rows, TABLE["label"])


@cache
def planned(name: str) -> tuple[pipelines.Pipeline, row_plan.RowPlan, float]:
    make, how = ESTIMATORS[name]
    pipeline = fitted(make(), how)
    scores = np.unique(scoring.score(pipeline, TABLE))
    middle = len(scores) // 2
    return (
        pipeline,
        row_plan.compile_plan(pipeline, KINDS),
        float((scores[middle] + scores[middle - 1]) / 2),
    )


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_plan_is_its_pipeline_on_real_and_generated_rows(name: str) -> None:
    pipeline, plan, threshold = planned(name)
    real = proof.prove(plan, pipeline, TABLE, threshold)
    generated = proof.prove(plan, pipeline, proof.generate(plan, TABLE, GENERATED, seed=3), threshold)
    assert real.holds and generated.holds, (real, generated)
    assert (real.rows, real.refused) == (len(TABLE), 0)
    assert generated.refused < generated.rows / 3
    if name in FORESTS:
        assert real.largest_difference == generated.largest_difference == 0.0


@pytest.mark.parametrize("name", ["logistic", "histogram boosting"])
def test_encoded_rows_have_the_same_bits(name: str) -> None:
    pipeline, plan, _ = planned(name)
    for table in (TABLE[FEATURES], proof.generate(plan, TABLE, 500, seed=4)):
        typed = scoring.inputs(table, KINDS)
        encoded, _ = plan.columns.encode(plan.columns.raw(proof.values(typed)), columns.ANY)
        with np.errstate(all="ignore"):
            expected = np.asarray(pipeline[0].transform(typed), dtype="float64")
        np.testing.assert_array_equal(encoded, expected)
        np.testing.assert_array_equal(plan.columns.raw_of(typed), plan.columns.raw(proof.values(typed)))


NUMBERS = st.one_of(
    st.none(), st.floats(allow_nan=True, allow_infinity=False), st.integers(-(2**70), 2**70), st.booleans()
)
TEXTS = st.one_of(st.none(), st.sampled_from(["north", "south", "island", "1", "3"]), st.text(max_size=8))
ROWS = st.tuples(*(NUMBERS if kind == "number" else TEXTS for kind in KINDS.values()))


@given(row=ROWS, name=st.sampled_from(["logistic", "forest", "boosting", "histogram boosting"]))
@settings(max_examples=(nightly.NIGHTLY and 5000) or 120)
def test_any_row_has_the_score_of_the_pipeline_or_both_refuse(row: tuple[Any, ...], name: str) -> None:
    pipeline, plan, _ = planned(name)
    table = pd.DataFrame([row], columns=FEATURES, dtype=object)
    try:
        expected = proof.pipeline_scores(pipeline, table)[0]
    except ValueError:
        with pytest.raises(ClearanceError) as refused:
            plan.score([row])
        assert refused.value.code == "models.row_refused"
    else:
        assert abs(plan.score([row])[0] - expected) <= proof.CLOSE


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_one_row_is_enough_to_make_up_others(name: str) -> None:
    """A server has no table: from one example come rows of many scores, on both sides of the threshold."""
    pipeline, plan, threshold = planned(name)
    rows = proof.generate(plan, TABLE[FEATURES].head(1).assign(grade="1"), 800, seed=2)
    assert proof.prove(plan, pipeline, rows, threshold).holds
    scores = [score for score in proof._planned(plan, proof.values(rows)) if score is not None]
    assert len(set(scores)) > 150
    assert 0.05 < np.mean(np.array(scores) >= threshold) < 0.95


def test_one_row_at_a_time_or_all_at_once_is_the_same() -> None:
    for name in ESTIMATORS:
        _, plan, _ = planned(name)
        rows = proof.values(scoring.inputs(TABLE[FEATURES].head(40), KINDS))
        alone = [plan.score([row])[0] for row in rows]
        np.testing.assert_array_equal(plan.score(rows), alone)


def nudged(plan: row_plan.RowPlan, name: str) -> row_plan.RowPlan:
    """The plan with one number changed a little, where rows meet it."""
    estimator = plan.estimator
    if isinstance(estimator, row_plan.Linear):
        changed: Any = dataclasses.replace(estimator, intercept=estimator.intercept + 1e-10)
        return dataclasses.replace(plan, estimator=changed)
    assert isinstance(estimator, trees.Trees)
    array = getattr(estimator, name).copy()
    if name == "missing_left":
        array = ~array
    elif name == "value":
        array[estimator.column == trees.LEAF] += 1e-9
    else:
        array = np.where(estimator.column == trees.LEAF, array, np.nextafter(array, -np.inf))
    return dataclasses.replace(plan, estimator=dataclasses.replace(estimator, **{name: array}))


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("logistic", "intercept"),
        ("forest", "value"),
        ("boosting", "value"),
        ("histogram boosting", "threshold"),
        ("histogram boosting", "missing_left"),
    ],
)
def test_a_proof_notices_a_plan_that_is_almost_right(name: str, part: str) -> None:
    """A threshold off by its last bit, missing values on the wrong side, a leaf off by a billionth."""
    pipeline, plan, threshold = planned(name)
    real = scoring.inputs(TABLE[FEATURES], KINDS)
    rows = pd.concat([real, proof.generate(plan, TABLE, 1500, seed=5)], ignore_index=True)
    assert not proof.prove(nudged(plan, part), pipeline, rows, threshold).holds


def test_a_proof_notices_an_encoding_that_is_wrong() -> None:
    pipeline, plan, threshold = planned("logistic")
    position = FEATURES.index("region")
    for wrong in ("missing", "unseen"):
        codes = list(getattr(plan.columns, wrong))
        codes[position] = 1.0
        changed = dataclasses.replace(plan.columns, **{wrong: tuple(codes)})
        rows = proof.generate(plan, TABLE, 500, seed=6)
        other = dataclasses.replace(plan, columns=changed)
        assert not proof.prove(other, pipeline, rows, threshold).holds
    assert not proof.prove(plan, pipeline, TABLE[FEATURES].head(0), threshold).holds


def test_a_proof_notices_a_plan_that_refuses_too_much() -> None:
    pipeline, plan, threshold = planned("histogram boosting")

    class Strict(row_plan.RowPlan):
        limit = columns.SINGLE  # type: ignore[assignment]

    strict = Strict(columns=plan.columns, estimator=plan.estimator)
    found = proof.prove(strict, pipeline, proof.generate(plan, TABLE, 500, seed=6), threshold)
    assert found.refused_by_plan_alone > 0 and not found.holds


ROW: dict[str, Any] = {"income": 20.0, "age": 30, "owner": 1, "region": "north", "street": None, "grade": "1"}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"income": "20"}, "models.number_expected"),
        ({"income": [1]}, "models.number_expected"),
        ({"income": 1j}, "models.number_expected"),
        ({"income": math.inf}, "models.infinite_number"),
        ({"income": -math.inf}, "models.infinite_number"),
        ({"income": 10**400}, "models.infinite_number"),
        ({"income": 1e308}, "models.row_refused"),
        ({"region": 3}, "models.text_expected"),
        ({"region": True}, "models.text_expected"),
        ({"region": b"north"}, "models.text_expected"),
        ({"more": 1}, "models.row_length"),
    ],
)
def test_a_row_that_no_model_reads_is_refused_with_its_code(values: dict[str, Any], code: str) -> None:
    _, plan, _ = planned("forest")
    row = list((ROW | values).values())
    with pytest.raises(ClearanceError) as refused:
        plan.score([list(ROW.values()), row])
    assert refused.value.code == code


def test_null_not_a_number_and_numpy_values_are_read() -> None:
    _, plan, _ = planned("histogram boosting")
    plain = plan.score([list((ROW | {"income": None, "region": None}).values())])
    other = ROW | {"income": math.nan, "region": math.nan, "owner": True, "age": np.int64(30)}
    np.testing.assert_array_equal(plan.score([list(other.values())]), plain)


def no_plan(pipeline: Any) -> str:
    with pytest.raises(ClearanceError) as refused:
        row_plan.compile_plan(pipeline, KINDS)
    assert refused.value.code == "models.no_row_plan"
    return str(refused.value.values["step"])


def test_what_a_plan_does_not_know_has_none() -> None:
    """Never a plan that guesses: native categories, another start of boosting, another encoder."""
    categorical = ensemble.HistGradientBoostingClassifier(max_iter=3, categorical_features=[3])
    assert "categorical_features" in no_plan(fitted(categorical, "ordinal"))
    start = dummy.DummyClassifier(strategy="uniform", random_state=1)
    assert "init" in no_plan(fitted(ensemble.GradientBoostingClassifier(n_estimators=2, init=start)))
    encoder = encoding.transformer(KINDS)
    others = [("number", preprocessing.MinMaxScaler(), encoder.transformers[0][2]), encoder.transformers[1]]
    pipeline = fitted(linear_model.LogisticRegression())
    steps = [("encode", encoder.set_params(transformers=others)), ("estimator", base.clone(pipeline[-1]))]
    other = pipelines.Pipeline(steps)
    other.fit(scoring.inputs(TABLE[FEATURES], KINDS).fillna({"income": 0.0}), TABLE["label"])
    assert "number" in no_plan(other)
    assert "CalibratedClassifierCV" not in no_plan(pipelines.Pipeline([*pipeline.steps, *pipeline.steps[1:]]))


def test_a_model_that_takes_in_protected_attributes_has_no_plan() -> None:
    pipeline = fitted(linear_model.LogisticRegression())
    moved = group_thresholds.GroupScores(pipeline[-1], np.zeros((1, 0)), np.zeros(1), 0.5)
    assert "GroupScores" in no_plan(pipelines.Pipeline([pipeline.steps[0], ("estimator", moved)]))
    removed = pipelines.Pipeline([("estimator", pipeline[-1])])
    assert "Pipeline" in no_plan(pipelines.Pipeline([pipeline.steps[0], ("estimator", removed)]))
    kinds = group_thresholds.with_protected(KINDS, learnable.split(TABLE, "train"))
    rows = scoring.inputs(TABLE[[*FEATURES, *learnable.PROTECTED]], kinds)
    encoder = encoding.with_groups(encoding.transformer(KINDS), learnable.PROTECTED)
    own = pipelines.Pipeline([("encode", encoder), ("estimator", linear_model.LogisticRegression())])
    own.fit(rows, TABLE["label"])
    with pytest.raises(ClearanceError) as refused:
        row_plan.compile_plan(own, kinds)
    assert refused.value.code == "models.no_row_plan"


@pytest.mark.parametrize(
    ("library", "name", "arguments"),
    [
        ("lightgbm", "LGBMClassifier", {"n_jobs": 1, "verbosity": -1, "n_estimators": 10}),
        ("xgboost", "XGBClassifier", {"n_jobs": 1, "n_estimators": 10}),
        (
            "catboost",
            "CatBoostClassifier",
            {"iterations": 10, "verbose": False, "allow_writing_files": False},
        ),
    ],
)
def test_a_booster_scores_encoded_rows_itself(library: str, name: str, arguments: dict[str, Any]) -> None:
    """Only the encoder is planned: missing and unseen categories reach the booster as in the pipeline."""
    module = pytest.importorskip(library)
    pipeline = fitted(getattr(module, name)(**arguments), "ordinal")
    plan = row_plan.compile_plan(pipeline, KINDS)
    found = proof.prove(plan, pipeline, proof.generate(plan, TABLE, 300, seed=8), 0.5)
    assert isinstance(plan.estimator, row_plan.OwnEstimator)
    assert found.holds and found.largest_difference == 0.0
    assert found.refused == 0


def test_other_losses_are_left_to_the_estimator_itself() -> None:
    exponential = ensemble.GradientBoostingClassifier(n_estimators=3, loss="exponential")
    plan = row_plan.compile_plan(fitted(exponential), KINDS)
    assert isinstance(plan.estimator, row_plan.OwnEstimator)


@pytest.mark.parametrize(
    ("score", "near"),
    [(0.5, True), (0.5 + 9e-10, True), (0.5 - 9e-10, True), (0.5 + 1.1e-9, False), (math.nan, True)],
)
def test_a_score_next_to_the_threshold_is_for_the_pipeline(score: float, near: bool) -> None:
    assert row_plan.is_near(score, 0.5) is near


def test_machine_code_is_compiled_although_the_compiler_is_turned_off() -> None:
    """The setting stays as it was; a function without a file cannot be kept, and is compiled all the same."""
    assert SETTINGS.DISABLE_JIT
    assert isinstance(trees._sum_leaves, numba.core.registry.CPUDispatcher)
    names: dict[str, Any] = {}
    exec("def double(x):\n    return 2 * x\n", names)  # noqa: S102 - a function of no file
    compiled = machine_code.compiled(names["double"])
    assert isinstance(compiled, numba.core.registry.CPUDispatcher)
    assert compiled(2.0) == 4.0
    assert SETTINGS.DISABLE_JIT


def test_threads_that_compile_at_once_all_get_machine_code() -> None:
    """The first requests of a server: one thread must not turn the compiler off under another."""
    functions = []
    for number in range(8):
        names: dict[str, Any] = {}
        exec(f"def add(x):\n    return min(x, {number}.5) + {number}\n", names)  # noqa: S102
        functions.append(machine_code.compiled(names["add"]))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda function: function(100.0), functions))
    assert found == [2 * number + 0.5 for number in range(8)]
    assert SETTINGS.DISABLE_JIT


def test_machine_code_is_kept_between_processes(tmp_path: Path) -> None:
    """A server must not compile at each start, although the compiler is turned off."""
    (tmp_path / "kept.py").write_text(
        "from clearance.models.plan import machine_code\n\n\n"
        "@machine_code.compiled\ndef smallest(values):\n    return min(values[0], values[1])\n"
    )
    program = (
        "import numpy, kept\nkept.smallest(numpy.ones(2))\n"
        "stats = kept.smallest.stats\nprint(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))"
    )
    variables = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path / "numba"),
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
    }
    command = [sys.executable, "-c", program]
    counts = [
        subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert counts == [["0", "1"], ["1", "0"]]
