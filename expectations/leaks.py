"""The features that leak a protected attribute or the label: by restating it, or by determining it.

Only certainties count, in columns of few values (and, for the label, in numbers that a threshold separates
without an error). Features that merely correlate show in the fairness measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from expectations.observed_table import MANY, ObservedTable

FEW = 1000
"""A column with more distinct values is not a plain encoding of a group."""

ROWS_A_VALUE = 5
"""With fewer rows per value on average, columns determine each other by accident."""


@dataclass(frozen=True)
class _View:
    """A feature and the column it may leak: the values of the feature, and both as integers from 0."""

    values: pd.Series
    feature: np.ndarray
    column: np.ndarray


def attribute(table: ObservedTable, feature: str, column: str) -> str | None:
    """How the feature leaks the protected attribute, as a verb, or None.

    It `restates` the attribute value for value, `distinguishes groups by` nothing else, or `determines` it.
    Rows without the attribute are left out. A missing feature value counts as a value of its own; where at
    least half the rows have a value, the feature is also examined without the missing ones.
    """
    image = _holds(_image, table, feature, column)
    if _holds(_determines, table, feature, column):
        return "restates" if image else "determines"
    return "distinguishes groups by" if image else None


def label(table: ObservedTable, feature: str, column: str) -> str | None:
    """`determines` when the feature's values, or a threshold on them, determine the label; else None."""
    tests = (_determines, _separates)
    return "determines" if any(_holds(test, table, feature, column) for test in tests) else None


def _holds(test: Callable[[_View], bool], table: ObservedTable, feature: str, column: str) -> bool:
    """Whether the test holds on every row; one counterexample in a sample refutes it."""
    step = len(table) // MANY
    if step > 1:
        sample = table.every(step, [feature, column])
        if not any(test(view) for view in _views(sample[feature], sample[column])):
            return False
    views = _views(table[feature], table[column])
    return any(test(view) and view.feature.any() and view.column.any() for view in views)


def _views(values: pd.Series, target: pd.Series) -> Iterator[_View]:
    has_target = target.notna().to_numpy()
    values, column = values[has_target], pd.factorize(target[has_target])[0]
    feature = pd.factorize(values, use_na_sentinel=False)[0]
    yield _View(values, feature, column)
    has_value = values.notna().to_numpy()
    if len(has_value) / 2 <= has_value.sum() < len(has_value):
        yield _View(values[has_value], pd.factorize(values[has_value])[0], pd.factorize(column[has_value])[0])


def _image(view: _View) -> bool:
    return _few(view.column) and _is_function(view.column, view.feature)


def _determines(view: _View) -> bool:
    return _few(view.feature) and _is_function(view.feature, view.column)


def _separates(view: _View) -> bool:
    if not pd.api.types.is_numeric_dtype(view.values) or view.values.isna().any():
        return False
    one, other = view.values[view.column == 0], view.values[view.column != 0]
    if one.empty or other.empty:
        return True
    return bool(one.max() < other.min() or other.max() < one.min())


def _few(codes: np.ndarray) -> bool:
    levels = codes.max(initial=-1) + 1
    return bool(levels <= FEW and levels * ROWS_A_VALUE <= len(codes))


def _is_function(of: np.ndarray, codes: np.ndarray) -> bool:
    """Whether equal codes in `of` always go with equal codes."""
    one = np.empty(of.max(initial=-1) + 1, dtype=codes.dtype)
    one[of] = codes
    return bool((one[of] == codes).all())
