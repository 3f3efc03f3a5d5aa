"""The encoder before an estimator, in one of two encodings, fitted on train rows.

`origins` gives the feature of each encoded column, so that explanations can refer to features.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from clearance.documents.group_names import MISSING
from clearance.models.scoring import Kind

Encoding = Literal["one_hot", "ordinal"]
"""`one_hot` suits any estimator; `ordinal` trees that handle NaN themselves: one column for each feature."""

CATEGORIES = 20
"""The largest number of values of a category that are told apart; its rarer values count as one."""

RARE = 10
"""A value with fewer rows is a rare one: too few to learn from, and few enough to identify."""

GROUP = "group"
"""The step that encodes protected attributes beside the features."""


def transformer(kinds: Mapping[str, Kind], encoding: Encoding = "one_hot") -> ColumnTransformer:
    """An unfitted transformer from features of these kinds to float64 columns.

    `one_hot`: for numbers the median replaces nulls, with an indicator column of nulls (if train rows have
    any), all scaled. A null text is a category of its own, `MISSING`; values not seen in training count as
    rare ones, or as none of the columns without rare ones.

    `ordinal`: numbers unchanged, nulls as NaN. Categories are numbered in the order of their texts, and all
    rare ones share the last number; null texts and values not seen in training are NaN.
    """
    steps: dict[str, Any] = (
        {"number": _imputed_and_scaled(), "category": _one_hot()}
        if encoding == "one_hot"
        else {"number": "passthrough", "category": _numbered()}
    )
    columns = {step: [name for name, kind in kinds.items() if kind == step] for step in steps}
    return ColumnTransformer([(step, steps[step], names) for step, names in columns.items() if names])


def with_groups(encoder: ColumnTransformer, attributes: Iterable[str]) -> ColumnTransformer:
    """An unfitted copy of `encoder` with further columns, one-hot, for these attributes; they come last."""
    return ColumnTransformer([*encoder.transformers, (GROUP, _one_hot(), list(attributes))])


def fit_transform(encoder: ColumnTransformer, features: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Fit `encoder` on these inputs and return them encoded: what its own `fit_transform` does, to the byte.

    scikit-learn counts the values of a category as Python objects, one by one. Here ordinal categories are
    fitted as numbers in the order of their texts, which are put in the place of the numbers afterwards.
    """
    ordinal = {step: names for step, unfitted, names in encoder.transformers if _is_ordinal(unfitted)}
    if not ordinal:
        return np.asarray(encoder.fit_transform(features))
    texts, numbers = {}, features.copy(deep=False)
    for name in itertools.chain.from_iterable(ordinal.values()):
        texts[name], numbers[name] = _as_numbers(features[name])
    encoded = np.asarray(encoder.fit_transform(numbers))
    for step, names in ordinal.items():
        encoder.named_transformers_[step][-1].categories_ = [texts[name] for name in names]
    return encoded


def _is_ordinal(step: Any) -> bool:
    return isinstance(step, Pipeline) and isinstance(step[-1], OrdinalEncoder)


def _as_numbers(category: pd.Series) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.float64]]:
    """The different texts in order, NaN last, and for each row the place of its text; NaN stays NaN."""
    codes, uniques = pd.factorize(category.to_numpy(dtype=object))
    order = sorted(range(len(uniques)), key=uniques.__getitem__)
    place = np.empty(len(uniques) + 1)
    place[order], place[-1] = np.arange(len(uniques)), np.nan
    numbers = place[codes]
    missing = [np.nan] if np.isnan(numbers).any() else []
    return np.array([*uniques[order], *missing], dtype=object), numbers


def _imputed_and_scaled() -> Pipeline:
    return Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
            ("scale", StandardScaler()),
        ]
    )


def _one_hot() -> Pipeline:
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
        min_frequency=RARE,
        max_categories=CATEGORIES,
    )
    return Pipeline([("impute", SimpleImputer(strategy="constant", fill_value=MISSING)), ("encode", encoder)])


def _numbered() -> Pipeline:
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        min_frequency=RARE,
        max_categories=CATEGORIES,
    )
    return Pipeline([("encode", encoder)])


def origins(fitted: ColumnTransformer) -> list[str]:
    """The feature behind each encoded column, in the order of the columns.

    One-hot columns belong to their category, an indicator of nulls to its number.
    """
    features: list[str] = []
    for _, step, names in fitted.transformers_:
        features += _origins(step, names)
    if len(features) != len(fitted.get_feature_names_out()):
        raise ValueError(f"{len(features)} origins for {len(fitted.get_feature_names_out())} encoded columns")
    return features


def _origins(fitted: Any, names: list[str]) -> list[str]:
    steps = fitted.named_steps if isinstance(fitted, Pipeline) else {}
    if "scale" in steps:
        return [*names, *(names[index] for index in steps["impute"].indicator_.features_)]
    if isinstance(steps.get("encode"), OneHotEncoder):
        widths = _widths(steps["encode"])
        return [name for name, width in zip(names, widths, strict=True) for _ in range(width)]
    return list(names)


def _widths(encoder: OneHotEncoder) -> list[int]:
    """The number of one-hot columns of each category; all its rare values share one."""
    rare = [0 if values is None else len(values) for values in encoder.infrequent_categories_]
    return [len(values) - few + (few > 0) for values, few in zip(encoder.categories_, rare, strict=True)]
