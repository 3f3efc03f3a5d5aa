"""The encoder before every estimator: imputation, scaling and one-hot columns, all fitted on train rows.

`origins` gives the feature of each encoded column, so that explanations can refer to features.
"""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from clearance.documents.group_names import MISSING
from clearance.models.scoring import Kind

CATEGORIES = 20
"""The largest number of one-hot columns of a category; its rarer values share the last one."""

RARE = 10
"""A value with fewer rows gets no column of its own: too few to learn from, and few enough to identify."""


def transformer(kinds: Mapping[str, Kind]) -> ColumnTransformer:
    """An unfitted transformer from features of these kinds to float64 columns.

    Numbers: the median for nulls, an indicator column of nulls (if train rows have any), scaled. Categories:
    one-hot; values not seen in training count as rare ones, or as none of the columns without rare ones. A
    null text is a category of its own, `MISSING`.
    """
    number = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
            ("scale", StandardScaler()),
        ]
    )
    category = Pipeline(
        [
            ("impute", SimpleImputer(strategy="constant", fill_value=MISSING)),
            (
                "encode",
                OneHotEncoder(
                    handle_unknown="infrequent_if_exist",
                    sparse_output=False,
                    min_frequency=RARE,
                    max_categories=CATEGORIES,
                ),
            ),
        ]
    )
    steps = {"number": number, "category": category}
    columns = {step: [name for name, kind in kinds.items() if kind == step] for step in steps}
    return ColumnTransformer([(step, steps[step], names) for step, names in columns.items() if names])


def origins(fitted: ColumnTransformer) -> list[str]:
    """The feature behind each encoded column, in the order of the columns.

    One-hot columns belong to their category, an indicator of nulls to its number.
    """
    features: list[str] = []
    for step, fitted_step, names in fitted.transformers_:
        if step == "number":
            indicator = fitted_step["impute"].indicator_
            features += [*names, *(names[index] for index in indicator.features_)]
        elif step == "category":
            widths = _widths(fitted_step["encode"])
            features += [name for name, width in zip(names, widths, strict=True) for _ in range(width)]
    if len(features) != len(fitted.get_feature_names_out()):
        raise ValueError(f"{len(features)} origins for {len(fitted.get_feature_names_out())} encoded columns")
    return features


def _widths(encoder: OneHotEncoder) -> list[int]:
    """The number of one-hot columns of each category; all its rare values share one."""
    rare = [0 if values is None else len(values) for values in encoder.infrequent_categories_]
    return [len(values) - few + (few > 0) for values, few in zip(encoder.categories_, rare, strict=True)]
