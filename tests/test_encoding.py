"""Every encoded column knows the feature it came from, and rare values never get a column of their own."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer

from clearance.models import encoding, scoring
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
