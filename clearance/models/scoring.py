"""From a table to a decision: the inputs of a model, its scores, and the threshold.

Every stage that scores rows does it here, so that all do it the same way. Nothing here fits, and no row is
dropped: a table the model cannot read is an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from clearance.data.tables import row_ids
from clearance.models import faults

Kind = Literal["number", "category"]
Scores = npt.NDArray[np.float64]

FAVOURABLE = 1
"""The label of the favourable outcome, in every prepared table and model."""

_KINDS: dict[str, Kind] = {
    "number": "number",
    "integer": "number",
    "boolean": "number",
    "text": "category",
}
_INFERRED_KINDS: dict[str, Kind] = {
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "boolean": "number",
    "string": "category",
    "categorical": "category",
}
"""By the name that pandas infers from the values."""


def kinds(features: pd.DataFrame, declared: Mapping[str, str | None]) -> dict[str, Kind]:
    """The kind of each feature, in column order: by its declared type, else by its values.

    Raises DataError on a feature that is neither a number nor a category: times, bytes, lists, or a mixture.
    """
    kind_of: dict[str, Kind] = {}
    for name in features.columns:
        declared_type = declared.get(name)
        inferred = declared_type or pd.api.types.infer_dtype(features[name], skipna=True)
        kind = _KINDS.get(inferred)
        if kind is None and declared_type is None:
            kind = _INFERRED_KINDS.get(inferred)
        if kind is None:
            raise faults.FEATURE_TYPE(feature=name, kind=inferred)
        kind_of[name] = kind
    return kind_of


def model_kinds(pipeline: Any) -> dict[str, Kind]:
    """The kind of each feature of a fitted pipeline, in the order it was fitted on."""
    numbers = {name for step, _, columns in pipeline[0].transformers if step == "number" for name in columns}
    return {str(name): "number" if name in numbers else "category" for name in pipeline.feature_names_in_}


def example(expected: Mapping[str, Kind]) -> dict[str, float | str]:
    """A made-up row for these inputs, from their kinds alone: no value of it comes from a table."""
    return {name: 0.0 if kind == "number" else "text" for name, kind in expected.items()}


def inputs(features: pd.DataFrame, expected: Mapping[str, Kind]) -> pd.DataFrame:
    """The features as a model takes them: numbers and booleans as float64, categories as text, nulls as NaN.

    Columns are returned in the order of `expected`, without any others. Raises DataError that names the
    column when one is missing, is not a number, or holds an infinity.
    """
    missing = [name for name in expected if name not in features.columns]
    if missing:
        raise faults.FEATURES_MISSING(features=", ".join(missing))
    convert = {"number": _number, "category": _text}
    columns = {name: convert[kind](features[name]) for name, kind in expected.items()}
    return pd.DataFrame(columns, index=features.index, copy=False)


def _number(column: pd.Series) -> pd.Series:
    try:
        if isinstance(column.dtype, np.dtype) and column.dtype != object:
            numbers = column.to_numpy(dtype="float64")
        else:
            numbers = pd.to_numeric(column.astype(object)).to_numpy(dtype="float64", na_value=np.nan)
    except (TypeError, ValueError):
        raise faults.FEATURE_NOT_NUMERIC(feature=column.name) from None
    if np.isinf(numbers).any():
        raise faults.FEATURE_INFINITE(feature=column.name)
    return pd.Series(numbers, index=column.index, name=column.name, copy=False)


def _text(column: pd.Series) -> pd.Series:
    """The column as text, numbers in canonical form: pandas reads 3 as 3.0 when another value is null."""
    if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        try:
            values = pa.Array.from_pandas(column)
        except pa.ArrowException:
            raise faults.FEATURE_MIXED(feature=column.name) from None
        column = row_ids.canonical(values, str(column.name)).to_pandas().set_axis(column.index)
    codes, texts = pd.factorize(column)  # one object for a text, however many rows have it
    objects = np.append(np.asarray(texts, dtype=object), np.nan)
    return pd.Series(objects[codes], index=column.index, name=column.name, dtype=object, copy=False)


def score(pipeline: Any, features: pd.DataFrame) -> Scores:
    """The model's probability of the favourable label, one per row, in [0, 1]: 1 is certainly favourable.

    Scores are returned as the model gives them, so they may be NaN; callers that measure check for it.
    Raises DataError when the features are not what the model expects.
    """
    if len(features) == 0:
        return np.zeros(0)
    probabilities = np.asarray(
        pipeline.predict_proba(inputs(features, model_kinds(pipeline))), dtype="float64"
    )
    return np.ascontiguousarray(probabilities[:, list(pipeline.classes_).index(FAVOURABLE)])


def decide(scores: Scores, threshold: float) -> npt.NDArray[np.bool_]:
    """Whether each row gets the favourable decision: its score is at or above the threshold.

    A score of NaN is never favourable. Raises ValueError on a threshold that is not finite.
    """
    if not math.isfinite(threshold):
        raise ValueError(f"a threshold must be a finite number, not {threshold}")
    return np.asarray(scores >= threshold)
