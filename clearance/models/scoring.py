"""From a table to a decision: what a model takes in, what it scores, where it says yes.

Used alike by every stage that asks a model, so that none can ask it differently. Nothing here fits,
and no row is dropped: a table the model cannot read is an error.
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
from clearance.errors import DataError

Kind = Literal["number", "category"]
Scores = npt.NDArray[np.float64]

FAVOURABLE = 1
"""The label that is good for the person, in every prepared table and model."""

_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal", "boolean")
_KINDS: dict[str, Kind] = {
    "number": "number",
    "integer": "number",
    "boolean": "number",
    "text": "category",
}


def kinds(features: pd.DataFrame, declared: Mapping[str, str | None]) -> dict[str, Kind]:
    """What each feature is to a model, in column order: its declared type, else what its values are.

    Raises DataError on a feature that is neither: moments in time, bytes, lists, or a mixture.
    """
    found: dict[str, Kind] = {}
    for name in features.columns:
        said = declared.get(name)
        inferred = said or pd.api.types.infer_dtype(features[name], skipna=True)
        kind = _KINDS.get(inferred)
        if kind is None and said is None:
            kind = {"string": "category", "categorical": "category"}.get(inferred)  # type: ignore[assignment]
            kind = "number" if inferred in _NUMBERS else kind
        if kind is None:
            raise DataError(
                f"feature `{name}` holds {inferred} values, which no model takes",
                "derive a number or a text from it in `source.select`, or take it out of `data.features`",
            )
        found[name] = kind
    return found


def model_kinds(pipeline: Any) -> dict[str, Kind]:
    """What each feature is to a fitted pipeline, in the order the pipeline was fitted on."""
    by_name = {name: kind for kind, _, columns in pipeline[0].transformers for name in columns}
    return {str(name): by_name[name] for name in pipeline.feature_names_in_}


def inputs(features: pd.DataFrame, expected: Mapping[str, Kind]) -> pd.DataFrame:
    """The features as a model takes them: numbers and booleans as float64, categories as text, nulls as NaN.

    Columns come out in the order of `expected`; others are left behind. Raises DataError that names the
    column when one is missing, is no number, or holds an infinity.
    """
    missing = [name for name in expected if name not in features.columns]
    if missing:
        raise DataError(
            f"the table lacks the feature{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            "give the model every column it was trained on",
        )
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
        raise DataError(
            f"feature `{column.name}` is declared a number and holds something else",
            "mend the column, or declare its type `text` in `data.columns`",
        ) from None
    if np.isinf(numbers).any():
        raise DataError(
            f"feature `{column.name}` holds an infinite number",
            "turn it into a null or a finite number in `source.select`",
        )
    return pd.Series(numbers, index=column.index, name=column.name, copy=False)


def _text(column: pd.Series) -> pd.Series:
    """Numbers among the values in their one canonical text: a null elsewhere in a column makes 3 a 3.0."""
    if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        try:
            values = pa.Array.from_pandas(column)
        except pa.ArrowException:
            raise DataError(
                f"feature `{column.name}` mixes values of several types",
                "give the column one type in `source.select`",
            ) from None
        column = row_ids.canonical(values, str(column.name)).to_pandas().set_axis(column.index)
    return column.astype(object).where(column.notna(), np.nan).rename(column.name)


def score(pipeline: Any, features: pd.DataFrame) -> Scores:
    """The model's probability of the favourable label, one per row, in [0, 1]: 1 is certainly favourable.

    What the model answers is handed on as it is: whoever measures guards against a NaN. Raises DataError
    when the features are not what the model takes.
    """
    if len(features) == 0:
        return np.zeros(0)
    answers = np.asarray(pipeline.predict_proba(inputs(features, model_kinds(pipeline))), dtype="float64")
    return np.ascontiguousarray(answers[:, list(pipeline.classes_).index(FAVOURABLE)])


def decide(scores: Scores, threshold: float) -> npt.NDArray[np.bool_]:
    """Whether each row gets the favourable decision: its score is at or above the threshold.

    A score of NaN is never favourable. Raises ValueError on a threshold that is no finite number.
    """
    if not math.isfinite(threshold):
        raise ValueError(f"a threshold is a finite number, not {threshold}")
    return np.asarray(scores >= threshold)
