"""The features that leak a protected attribute or the label: by restating it, or by determining it.

Only certainties count, in columns of few values (and, for the label, in numbers that a threshold separates
without an error). Features that merely correlate show in the fairness measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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


Test = Callable[[_View], bool]


def attribute(table: ObservedTable, feature: str, column: str) -> str | None:
    """How the feature leaks the protected attribute, as a verb, or None.

    It `restates` the attribute value for value, `distinguishes groups by` nothing else, or `determines` it.
    Rows without the attribute are left out. A missing feature value counts as a value of its own; where at
    least half the rows have a value, the feature is also examined without the missing ones.
    """
    image, determines = _hold((_image, _determines), table, feature, column)
    if determines:
        return "restates" if image else "determines"
    return "distinguishes groups by" if image else None


def label(table: ObservedTable, feature: str, column: str) -> str | None:
    """`determines` when the feature's values, or a threshold on them, determine the label; else None."""
    return "determines" if any(_hold((_determines, _separates), table, feature, column)) else None


def _hold(tests: Sequence[Test], table: ObservedTable, feature: str, column: str) -> list[bool]:
    """For each test whether it holds on every row; one counterexample in a sample refutes it."""
    open_tests = set(tests)
    step = len(table) // MANY
    if step > 1:
        sample = table.every(step, [feature, column])
        views = list(_views(sample[feature], sample[column]))
        open_tests = {test for test in tests if any(test(view) for view in views)}
    if not open_tests:
        return [False] * len(tests)
    views = [
        view for view in _views(table[feature], table[column]) if view.feature.any() and view.column.any()
    ]
    return [test in open_tests and any(test(view) for view in views) for test in tests]


def _vary(view: _View) -> bool:
    return bool(view.feature.any() and view.column.any())


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
