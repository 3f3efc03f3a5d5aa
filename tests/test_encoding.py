"""Every encoded column knows the feature it came from, and rare values never get a column of their own."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from clearance.models import encoding, model_file, scoring
from tests.support import learnable

FEATURES = list(learnable.FEATURES)


@pytest.fixture(scope="module")
def fitted() -> ColumnTransformer:
    features = learnable.table()[FEATURES]
    kinds = scoring.kinds(features, {"grade": "text"})
    return encoding.transformer(kinds).fit(scoring.inputs(features, kinds))


def encoded(encoder: ColumnTransformer, **values: object) -> dict[str, list[float]]:
    """A row's encoded columns by the feature they came from."""
    row = pd.DataFrame([dict.fromkeys(FEATURES, None) | {"income": 1.0, "age": 1, "owner": 0} | values])
    kinds = scoring.kinds(learnable.table()[FEATURES], {"grade": "text"})
    columns: dict[str, list[float]] = {name: [] for name in FEATURES}
    for origin, value in zip(
        encoding.origins(encoder), encoder.transform(scoring.inputs(row, kinds))[0], strict=True
    ):
        columns[origin].append(float(value))
    return columns


@pytest.mark.parametrize(
    ("feature", "before", "after"),
    [
        ("income", 10.0, 20.0),
        ("income", 10.0, None),
        ("age", 20, 30),
        ("owner", 0, 1),
        ("region", "north", "south"),
        ("region", "north", "island"),
        ("region", "north", None),
        ("grade", 1, 2),
    ],
)
def test_a_feature_moves_its_own_columns_only(
    feature: str, before: object, after: object, fitted: ColumnTransformer
) -> None:
    one, other = encoded(fitted, **{feature: before}), encoded(fitted, **{feature: after})
    assert {name for name in FEATURES if one[name] != other[name]} == {feature}


def test_columns_come_in_the_widths_one_expects(fitted: ColumnTransformer) -> None:
    """An indicator of nulls for `income`, one column for all streets; rare and missing regions count too."""
    widths = {name: encoding.origins(fitted).count(name) for name in FEATURES}
    missing = learnable.table()["region"].isna().sum() >= encoding.RARE
    assert widths == {"income": 2, "age": 1, "owner": 1, "region": 4 + missing, "street": 1, "grade": 3}


def test_every_row_has_exactly_one_value_of_each_category(fitted: ColumnTransformer) -> None:
    for region in ("north", "island", "never seen before", None):
        assert sum(encoded(fitted, region=region)["region"]) == 1


def test_numbers_come_out_scaled_and_without_nulls(fitted: ColumnTransformer) -> None:
    features = learnable.table()[FEATURES]
    kinds = scoring.kinds(features, {"grade": "text"})
    matrix = fitted.transform(scoring.inputs(features, kinds))
    assert matrix.dtype == np.float64
    assert np.isfinite(matrix).all()
    assert np.allclose(matrix[:, :3].std(axis=0), 1)


def test_numbers_alone_and_categories_alone_work() -> None:
    for values, kind in (([1.0, 2.0], "number"), (["a", "b"], "category")):
        frame = pd.DataFrame({"x": values})
        kinds = scoring.kinds(frame, {})
        assert kinds == {"x": kind}
        encoder = encoding.transformer(kinds).fit(scoring.inputs(frame, kinds))
        assert set(encoding.origins(encoder)) == {"x"}


@pytest.fixture(scope="module")
def ordinal() -> ColumnTransformer:
    features = learnable.table()[FEATURES]
    kinds = scoring.kinds(features, {"grade": "text"})
    return encoding.transformer(kinds, "ordinal").fit(scoring.inputs(features, kinds))


def test_ordinal_columns_are_the_numbers_themselves_and_one_number_for_each_text(
    ordinal: ColumnTransformer,
) -> None:
    """An independent count gives the codes: texts in their order, those in fewer than `RARE` rows last."""
    features = learnable.table()[FEATURES]
    kinds = scoring.kinds(features, {"grade": "text"})
    typed = scoring.inputs(features, kinds)
    matrix = pd.DataFrame(ordinal.transform(typed), columns=encoding.origins(ordinal))
    assert list(matrix.columns) == FEATURES
    for name in ("income", "age", "owner"):
        assert np.array_equal(matrix[name], typed[name], equal_nan=True)
    for name in ("region", "street", "grade"):
        rows = typed[name].value_counts()
        frequent = sorted(rows.index[rows >= encoding.RARE])
        codes = {
            text: float(frequent.index(text) if text in frequent else len(frequent)) for text in rows.index
        }
        assert np.array_equal(matrix[name], typed[name].map(codes).astype(float), equal_nan=True)
    assert matrix["region"].isna().any()


def test_ordinal_keeps_no_more_values_apart_than_one_hot_does() -> None:
    texts = np.repeat([f"{at:02d}" for at in range(30)], np.arange(40, 10, -1))
    frame = pd.DataFrame({"x": texts})
    codes = encoding.transformer({"x": "category"}, "ordinal").fit_transform(frame)[:, 0]
    assert set(codes) == set(range(encoding.CATEGORIES))
    assert set(texts[codes == encoding.CATEGORIES - 1]) == {f"{at:02d}" for at in range(19, 30)}


def test_ordinal_takes_a_text_it_never_saw_as_missing(ordinal: ColumnTransformer) -> None:
    for region in ("never seen before", None):
        (value,) = encoded(ordinal, region=region)["region"]
        assert np.isnan(value)
    assert not np.isnan(encoded(ordinal, region="island")["region"][0])


@pytest.mark.parametrize("how", ["one_hot", "ordinal"])
def test_columns_of_groups_come_last_and_are_one_hot(how: encoding.Encoding) -> None:
    frame = learnable.table()
    kinds = scoring.kinds(frame[FEATURES], {"grade": "text"})
    encoder = encoding.with_groups(encoding.transformer(kinds, how), ["race", "sex"])
    every = kinds | {"race": "category", "sex": "category"}
    matrix = encoder.fit_transform(scoring.inputs(frame[list(every)], every))
    columns = encoding.origins(encoder)
    own = columns.index("race")
    assert columns[own:] == ["race", "race", "sex", "sex", "sex"], "a missing sex is a rare one"
    assert not {"race", "sex"} & set(columns[:own])
    assert np.array_equal(matrix[:, own], frame["race"] == "Black")
    assert scoring.model_kinds(Pipeline([("encode", encoder)]).fit(frame[list(every)])) == every


texts = st.one_of(st.sampled_from(["a", "b", "B", "é", ""]), st.integers(0, 30).map(str), st.none())


@settings(max_examples=60)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=300), st.sampled_from([1, 4, 12]))
def test_an_encoder_fitted_on_numbers_is_the_one_that_was_fitted_on_the_texts(
    rows: list[tuple[str | None, str | None]], times: int
) -> None:
    """Rare values, values beyond the largest number, ties, nulls: the same bytes of model and of matrix."""
    frame = pd.DataFrame(rows * times, columns=["one", "other"]).astype(object)
    frame.insert(1, "number", np.arange(len(frame)) / 7)
    kinds: dict[str, scoring.Kind] = {"one": "category", "number": "number", "other": "category"}
    inputs = scoring.inputs(frame, kinds)
    slow, fast = encoding.transformer(kinds, "ordinal"), encoding.transformer(kinds, "ordinal")
    expected, matrix = slow.fit_transform(inputs), encoding.fit_transform(fast, inputs)
    assert matrix.dtype == expected.dtype and matrix.tobytes() == expected.tobytes()
    assert model_file.canonical(skops.io.dumps(fast)) == model_file.canonical(skops.io.dumps(slow))
    unseen = pd.DataFrame({"one": ["never", "a"], "number": [1.0, None], "other": [None, "b"]})
    of_unseen = scoring.inputs(unseen, kinds)
    assert fast.transform(of_unseen).tobytes() == slow.transform(of_unseen).tobytes()
