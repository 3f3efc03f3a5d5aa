"""A model is asked one way only: the columns it knows, in its order, as the types it was fitted on."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from clearance.errors import DataError
from clearance.models import encoding, scoring
from tests.support import learnable


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return learnable.table(300)


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> Pipeline:
    features = frame[list(learnable.FEATURES)]
    kinds = scoring.kinds(features, {"grade": "text"})
    steps = [("encode", encoding.transformer(kinds)), ("estimator", LogisticRegression(max_iter=1000))]
    return Pipeline(steps).fit(scoring.inputs(features, kinds), frame["label"])


def test_the_score_is_the_models_probability_of_the_favourable_label(
    model: Pipeline, frame: pd.DataFrame
) -> None:
    typed = scoring.inputs(frame, scoring.model_kinds(model))
    scores = scoring.score(model, frame)
    assert scores.dtype == np.float64
    assert np.array_equal(scores, model.predict_proba(typed)[:, 1])
    assert scores[frame["label"] == 1].mean() > scores[frame["label"] == 0].mean()


def test_the_favourable_class_is_found_by_name_not_by_place() -> None:
    class Backwards:
        classes_ = np.array([1, 0])
        feature_names_in_ = np.array(["a"], dtype=object)

        def __getitem__(self, step: int) -> Any:
            return encoding.transformer({"a": "number"})

        def predict_proba(self, rows: pd.DataFrame) -> Any:
            return np.column_stack([rows["a"], 1 - rows["a"]])

    assert scoring.score(Backwards(), pd.DataFrame({"a": [0.9, 0.2]})).tolist() == [0.9, 0.2]


def test_column_order_and_further_columns_do_not_matter(model: Pipeline, frame: pd.DataFrame) -> None:
    variant = frame[list(reversed(learnable.FEATURES))].assign(race="Martian", other=1)
    assert np.array_equal(scoring.score(model, variant), scoring.score(model, frame))


def test_the_same_values_in_other_types_score_the_same(model: Pipeline, frame: pd.DataFrame) -> None:
    retyped = frame[list(learnable.FEATURES)].copy()
    retyped["owner"] = retyped["owner"].astype(bool).astype(object)
    retyped["age"] = retyped["age"].map(lambda age: Decimal(int(age))).astype(object)
    retyped["grade"] = retyped["grade"].astype(int)
    retyped["region"] = retyped["region"].astype(object)
    retyped["income"] = retyped["income"].astype("Float64")
    assert np.array_equal(scoring.score(model, retyped), scoring.score(model, frame))
    retyped["grade"] = retyped["grade"].astype(str)
    assert np.array_equal(scoring.score(model, retyped), scoring.score(model, frame))


def test_no_rows_give_no_scores(model: Pipeline, frame: pd.DataFrame) -> None:
    assert scoring.score(model, frame.head(0)).shape == (0,)


@pytest.mark.parametrize(
    ("column", "values", "code"),
    [
        ("income", np.inf, "models.feature_infinite"),
        ("income", "many", "models.feature_not_numeric"),
        ("age", [[1], [2]], "models.feature_not_numeric"),
        ("region", [1, "x"], "models.feature_mixed"),
    ],
)
def test_values_no_model_takes_are_named(
    column: str, values: Any, code: str, model: Pipeline, frame: pd.DataFrame
) -> None:
    sample = frame.head(2).copy()
    sample[column] = pd.Series(values, index=sample.index, dtype=object)
    with pytest.raises(DataError) as excinfo:
        scoring.score(model, sample)
    assert (excinfo.value.code, excinfo.value.values["feature"]) == (code, column)


def test_missing_columns_are_named(model: Pipeline, frame: pd.DataFrame) -> None:
    with pytest.raises(DataError) as excinfo:
        scoring.score(model, frame.drop(columns=["income", "grade"]))
    assert excinfo.value.code == "models.features_missing"
    assert excinfo.value.values["features"] == "income, grade"


@pytest.mark.parametrize(
    ("values", "declared", "kind"),
    [
        ([1, 2], None, "number"),
        ([1.5, None], None, "number"),
        ([True, False], None, "number"),
        ([True, None], None, "number"),
        ([Decimal(1), None], None, "number"),
        (["a", None], None, "category"),
        ([1, 2], "text", "category"),
        (["1", "2"], "number", "number"),
    ],
)
def test_what_a_feature_is(values: list[Any], declared: str | None, kind: str) -> None:
    assert scoring.kinds(pd.DataFrame({"a": values}), {"a": declared}) == {"a": kind}


@pytest.mark.parametrize(
    ("values", "declared"),
    [
        (pd.to_datetime(["2020-01-01"]), None),
        ([b"a"], None),
        ([[1]], None),
        ([1, "a"], None),
        (["2020-01-01"], "time"),
    ],
)
def test_what_is_neither_number_nor_category_is_no_feature(values: Any, declared: str | None) -> None:
    with pytest.raises(DataError, check=lambda error: error.code == "models.feature_type"):
        scoring.kinds(pd.DataFrame({"a": values}), {"a": declared})


def test_a_decision_is_favourable_from_the_threshold_on() -> None:
    scores = np.array([0.1, 0.5, np.nextafter(0.5, 0), 0.9, np.nan])
    assert scoring.decide(scores, 0.5).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("threshold", [np.nan, np.inf, -np.inf])
def test_a_threshold_that_is_no_number_decides_nothing(threshold: float) -> None:
    with pytest.raises(ValueError, match="finite number"):
        scoring.decide(np.array([0.5]), threshold)
