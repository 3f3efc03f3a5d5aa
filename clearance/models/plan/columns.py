"""Clearance's encoder as arithmetic on arrays: a row of values becomes encoded columns without pandas.

Codes of categories are read off the fitted encoder by encoding every value it knows, a null and a value it
does not know; so rare, missing and unseen values are encoded as scikit-learn does it.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from clearance.models import encoding
from clearance.models.plan import faults, machine_code

Matrix = npt.NDArray[np.float64]
Value = float | int | str | None
"""One value of a row: a number, a text, or None where it is missing."""

UNSEEN = "\x00 a value that no table holds"
NUMBER, INDICATOR, ONE_HOT, AS_IS = range(4)
NO_COLUMN = -1.0
"""The code of a category that no one-hot column stands for."""

DOUBLE, SINGLE, ANY = range(3)
"""Which encoded values an estimator takes: finite ones, finite ones in single precision, or any. NaN passes:
where an encoder gives it, the estimator was fitted with it."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How raw values (n, features) become encoded columns (n, columns), each from one feature.

    `source` is the feature's position, `operation` one of `NUMBER` (`fill` where it is missing, minus `mean`,
    by `scale`), `INDICATOR` (whether it is missing, minus `mean`, by `scale`), `ONE_HOT` (1 where the raw
    code equals `code`) and `AS_IS`. `codes` has the raw code of each known text, by feature; None: a number.
    """

    features: tuple[str, ...]
    codes: tuple[Mapping[str, float] | None, ...]
    missing: tuple[float, ...]
    unseen: tuple[float, ...]
    source: npt.NDArray[np.int64]
    operation: npt.NDArray[np.int64]
    fill: Matrix
    mean: Matrix
    scale: Matrix
    code: Matrix

    @property
    def origins(self) -> tuple[str, ...]:
        """The feature behind each encoded column."""
        return tuple(self.features[position] for position in self.source)

    def raw(self, rows: Sequence[Sequence[Value]]) -> Matrix:
        """The rows' values in the order of `features`, as floats: texts by their codes.

        None and NaN are missing. Raises DataError when a row has another number of values, a number is a text
        or infinite, or a category is not a text.
        """
        raw = np.empty((len(rows), len(self.features)))
        for index, row in enumerate(rows):
            if len(row) != len(self.features):
                raise faults.ROW_LENGTH(values=len(row), features=len(self.features))
            raw[index] = [self._code(position, value) for position, value in enumerate(row)]
        return raw

    def _code(self, position: int, value: Value) -> float:
        codes = self.codes[position]
        if codes is None:
            return value if type(value) is float and abs(value) < math.inf else self._number(position, value)
        if type(value) is str:
            return codes.get(value, self.unseen[position])
        if value is None or (type(value) is float and math.isnan(value)):
            return self.missing[position]
        raise faults.TEXT_EXPECTED(feature=self.features[position])

    def _number(self, position: int, value: Any) -> float:
        if value is None:
            return math.nan
        if not isinstance(value, int | float | np.bool_ | np.integer | np.floating):
            raise faults.NUMBER_EXPECTED(feature=self.features[position])
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise faults.INFINITE_NUMBER(feature=self.features[position])
        return number

    def raw_of(self, typed: pd.DataFrame) -> Matrix:
        """The raw values of a table as `scoring.inputs` types it: the same as `raw`, column by column."""
        raw = np.empty((len(typed), len(self.features)))
        for position, (name, codes) in enumerate(zip(self.features, self.codes, strict=True)):
            column = typed[name]
            if codes is None:
                raw[:, position] = column.to_numpy()
            else:
                unseen, missing = self.unseen[position], self.missing[position]
                raw[:, position] = [
                    codes.get(value, unseen) if isinstance(value, str) else missing for value in column
                ]
        return raw

    def encode(self, raw: Matrix, limit: int) -> tuple[Matrix, npt.NDArray[np.bool_]]:
        """The encoded rows, and which of them an estimator with this `limit` refuses."""
        out = np.empty((len(raw), len(self.source)))
        refused = np.zeros(len(raw), dtype=np.bool_)
        _encode(
            raw,
            self.source,
            self.operation,
            self.fill,
            self.mean,
            self.scale,
            self.code,
            limit,
            out,
            refused,
        )
        return out, refused


@machine_code.compiled
def _encode(
    raw: Matrix,
    source: npt.NDArray[np.int64],
    operation: npt.NDArray[np.int64],
    fill: Matrix,
    mean: Matrix,
    scale: Matrix,
    code: Matrix,
    limit: int,
    out: Matrix,
    refused: npt.NDArray[np.bool_],
) -> None:
    for row in range(raw.shape[0]):
        for column in range(source.shape[0]):
            value = raw[row, source[column]]
            kind = operation[column]
            if kind == 0:
                if np.isnan(value):
                    value = fill[column]
                value = (value - mean[column]) / scale[column]
            elif kind == 1:
                value = ((1.0 if np.isnan(value) else 0.0) - mean[column]) / scale[column]
            elif kind == 2:
                value = 1.0 if value == code[column] else 0.0
            out[row, column] = value
            if limit == 0:
                refused[row] |= np.isinf(value)
            elif limit == 1:
                refused[row] |= np.isinf(np.float32(value))


@dataclass(frozen=True, kw_only=True)
class _Column:
    source: int
    operation: int
    fill: float = 0.0
    mean: float = 0.0
    scale: float = 1.0
    code: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Category:
    codes: Mapping[str, float]
    missing: float
    unseen: float


def compile_columns(encoder: Any, names: Sequence[str]) -> Columns:
    """The columns of a fitted encoder of `clearance.models.encoding`, for features in this order.

    Raises ConfigurationError when the encoder has a step that this module does not know.
    """
    if type(encoder) is not ColumnTransformer:
        raise faults.NO_ROW_PLAN(step=type(encoder).__name__)
    places = {name: position for position, name in enumerate(names)}
    columns: list[_Column] = []
    categories: dict[str, _Category] = {}
    for name, step, features in encoder.transformers_:
        if name == encoding.GROUP:
            raise faults.NO_ROW_PLAN(step="the encoder of protected attributes")
        match step:
            case FunctionTransformer(func=None):
                columns += [_Column(source=places[feature], operation=AS_IS) for feature in features]
            case Pipeline(steps=[(_, SimpleImputer()), (_, StandardScaler())]):
                columns += _numbers(step[0], step[1], [places[feature] for feature in features])
            case Pipeline(steps=[(_, SimpleImputer()), (_, OneHotEncoder() as one_hot)]):
                widths = collections.Counter(encoding.origins(encoder))
                for feature, category in _one_hot(step, one_hot, features, widths).items():
                    categories[feature] = category
                    columns += [
                        _Column(source=places[feature], operation=ONE_HOT, code=float(code))
                        for code in range(widths[feature])
                    ]
            case Pipeline(steps=[(_, OrdinalEncoder() as ordinal)]):
                for feature, category in _ordinals(step, ordinal, features).items():
                    categories[feature] = category
                    columns.append(_Column(source=places[feature], operation=AS_IS))
            case _:
                raise faults.NO_ROW_PLAN(step=f"the encoder's step `{name}`")
    own_categories = [categories.get(name) for name in names]
    return Columns(
        features=tuple(names),
        codes=tuple(None if category is None else category.codes for category in own_categories),
        missing=tuple(math.nan if category is None else category.missing for category in own_categories),
        unseen=tuple(math.nan if category is None else category.unseen for category in own_categories),
        source=np.array([column.source for column in columns], dtype=np.int64),
        operation=np.array([column.operation for column in columns], dtype=np.int64),
        fill=np.array([column.fill for column in columns], dtype=np.float64),
        mean=np.array([column.mean for column in columns], dtype=np.float64),
        scale=np.array([column.scale for column in columns], dtype=np.float64),
        code=np.array([column.code for column in columns], dtype=np.float64),
    )


def _numbers(imputer: SimpleImputer, scaler: StandardScaler, places: Sequence[int]) -> list[_Column]:
    indicators = [] if imputer.indicator_ is None else list(imputer.indicator_.features_)
    count = len(places) + len(indicators)
    means = scaler.mean_ if scaler.with_mean else np.zeros(count)
    scales = scaler.scale_ if scaler.with_std else np.ones(count)
    operations = [NUMBER] * len(places) + [INDICATOR] * len(indicators)
    sources = [*places, *(places[index] for index in indicators)]
    fills = [*imputer.statistics_, *([0.0] * len(indicators))]
    return [
        _Column(source=source, operation=operation, fill=float(fill), mean=float(mean), scale=float(scale))
        for source, operation, fill, mean, scale in zip(
            sources, operations, fills, means, scales, strict=True
        )
    ]


def _encoded_values(step: Any, encoder: Any, features: Sequence[str]) -> list[tuple[list[Any], Matrix]]:
    """For each feature its known values, a null and an unseen value, with the columns of each."""
    known = [[value for value in values if isinstance(value, str)] for values in encoder.categories_]
    most = max(map(len, known), default=0) + 2
    padded = [[*values, np.nan, UNSEEN] + [np.nan] * (most - len(values) - 2) for values in known]
    table = pd.DataFrame(dict(zip(features, padded, strict=True)), dtype=object, columns=list(features))
    encoded = np.asarray(step.transform(table), dtype="float64")
    return [(values, encoded[: len(values) + 2]) for values in known]


def _one_hot(
    step: Any, encoder: OneHotEncoder, features: Sequence[str], widths: Mapping[str, int]
) -> dict[str, _Category]:
    own, start = {}, 0
    for feature, (values, encoded) in zip(features, _encoded_values(step, encoder, features), strict=True):
        block = encoded[:, start : start + widths[feature]]
        start += widths[feature]
        own[feature] = _category(values, [float(row.argmax()) if row.any() else NO_COLUMN for row in block])
    return own


def _ordinals(step: Any, encoder: OrdinalEncoder, features: Sequence[str]) -> dict[str, _Category]:
    encoded = _encoded_values(step, encoder, features)
    return {
        feature: _category(values, codes[:, index].tolist())
        for index, (feature, (values, codes)) in enumerate(zip(features, encoded, strict=True))
    }


def _category(values: Sequence[str], codes: Sequence[float]) -> _Category:
    known = dict(zip(values, codes[: len(values)], strict=True))
    return _Category(codes=known, missing=codes[-2], unseen=codes[-1])
