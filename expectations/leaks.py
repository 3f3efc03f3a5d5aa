"""Which features give a protected attribute or the label away: by restating it, or by determining it.

Only certainties are named, in columns of few values (and, for the label, in numbers that a threshold
parts without an error). A feature that merely correlates is for the fairness measurements to show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

FEW = 1000
"""A column with more distinct values is no plain encoding of a group."""

ROWS_A_VALUE = 5
"""With fewer rows a value on average, columns determine each other by accident."""

_SAMPLE = 20_000


@dataclass(frozen=True)
class _View:
    """A feature beside the column it may give away: its values, and both as integers from 0."""

    values: pd.Series
    feature: np.ndarray
    column: np.ndarray


def attribute(frame: pd.DataFrame, feature: str, column: str) -> str | None:
    """How the feature gives the protected attribute away, as a verb, or None.

    It `restates` the attribute value for value, `tells groups apart by` nothing but it, or `determines` it.
    Rows without the attribute are left aside. A missing feature value counts as a value of its own; the
    feature is looked at without those rows too, where at least half the rows have one.
    """
    image = _holds(_image, frame, feature, column)
    if _holds(_determines, frame, feature, column):
        return "restates" if image else "determines"
    return "tells groups apart by" if image else None


def label(frame: pd.DataFrame, feature: str, column: str) -> str | None:
    """`determines` when the feature's values, or a threshold on them, settle the label; else None."""
    tests = (_determines, _parts)
    return "determines" if any(_holds(test, frame, feature, column) for test in tests) else None


def _holds(test: Callable[[_View], bool], frame: pd.DataFrame, feature: str, column: str) -> bool:
    """Whether the test holds on every row; one counterexample in a sample refutes it."""
    both = (frame[feature], frame[column])
    step = len(frame) // _SAMPLE
    if step > 1 and not any(test(view) for view in _views(*(values.iloc[::step] for values in both))):
        return False
    return any(test(view) and view.feature.any() and view.column.any() for view in _views(*both))


def _views(values: pd.Series, given_away: pd.Series) -> Iterator[_View]:
    whole = given_away.notna().to_numpy()
    values, column = values[whole], pd.factorize(given_away[whole])[0]
    feature = pd.factorize(values, use_na_sentinel=False)[0]
    yield _View(values, feature, column)
    known = values.notna().to_numpy()
    if len(known) / 2 <= known.sum() < len(known):
        yield _View(values[known], pd.factorize(values[known])[0], pd.factorize(column[known])[0])


def _image(view: _View) -> bool:
    return _few(view.column) and _is_function(view.column, view.feature)


def _determines(view: _View) -> bool:
    return _few(view.feature) and _is_function(view.feature, view.column)


def _parts(view: _View) -> bool:
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
