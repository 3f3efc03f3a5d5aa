"""Expectations on texts nobody listed the values of: spelled one way, decoded right, and texts at all.

Only values are looked at, not how often they occur; spelling only matters in columns of few values.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd

from expectations import custom, leaks, near_leaks

NUMBERS_FROM = 20
"""More different values than this, most of them numbers: a column of numbers that was read as text."""

_STANDS_FOR_NOTHING = {"", "na", "n/a", "#n/a", "nan", "null", "nil", "?", "-", "--", "."}
_NUMBER = re.compile(
    r"[-+(]?[$€£]?\s?(?!0\d)\d[\d,.' \u00a0\u202f]*(?:e[-+]?\d+)?\s?(?:%|[$€£]|[a-z]{1,3})?\)?"
)


class ExpectTextsToBeClean(custom.TableExpectation):
    """No text is another one's variant, wrongly decoded, or a stand-in for a missing value."""

    columns: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("columns",)

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        for name, values in _texts(frame, self.columns):
            if len(values) > leaks.FEW:
                continue
            spelled: dict[str, list[str]] = defaultdict(list)
            for value in values:
                spelled[_normal(value)].append(value)
            variants = {value for same in spelled.values() if len(same) > 1 for value in same}
            wrong = {
                "differ in case, blanks or form alone": variants,
                "begin or end with blanks": {value for value in values if value != value.strip()} - variants,
                "were decoded wrongly": {value for value in values if _is_mojibake(value)},
                "stand for a missing value": {
                    value for value in values if _normal(value) in _STANDS_FOR_NOTHING
                },
            }
            for how, found in wrong.items():
                if found:
                    yield custom.Fault(
                        column=name,
                        says=f"{len(found)} values of `{name}` {how}",
                        hint=f"hint them in `source.select`, or list `data.columns.{name}.values`",
                        observed=len(found),
                        positions=custom.positions(frame[name].isin(found).to_numpy(dtype=bool)),
                    )


class ExpectTextsNotToBeNumbers(custom.TableExpectation):
    """No column of texts holds numbers for the most part: with separators, units, or a word among them."""

    columns: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("columns",)

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        for name, some in _texts(near_leaks.sample(frame, custom.present(frame, self.columns)), self.columns):
            numbers = [bool(_NUMBER.fullmatch(value.strip().lower())) for value in some]
            if len(some) > NUMBERS_FROM and np.mean(numbers) >= 0.5:
                others = [value for value, number in zip(some, numbers, strict=True) if not number]
                says = f"`{name}` holds text values, most of which are numbers"
                hint = f"cast or clean it in `source.select`, or say `data.columns.{name}.type: text`"
                wrong = custom.positions(frame[name].isin(others).to_numpy(dtype=bool))
                yield custom.Fault(column=name, says=says, hint=hint, positions=wrong)


def _texts(frame: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The columns that hold texts, each with its different values in the order they come."""
    for name in custom.present(frame, columns):
        if isinstance(frame[name].dtype, pd.StringDtype):
            yield name, [str(value) for value in frame[name].dropna().unique()]


def _normal(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _is_mojibake(value: str) -> bool:
    """Whether a sign is lost, or the text is UTF-8 that was read as a Western encoding: `ZÃ¼rich`."""
    if "\N{REPLACEMENT CHARACTER}" in value:
        return True
    for encoding in ("cp1252", "latin-1"):
        try:
            return value.encode(encoding).decode("utf-8") != value
        except UnicodeError:
            continue
    return False
