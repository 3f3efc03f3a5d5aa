"""Expectations on texts without declared values: consistent spelling, correct decoding, and no numbers.

Only the values are examined, not how often they occur; spelling only matters in columns of few values.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import ClassVar

import pandas as pd

from clearance.data import disguises, written_numbers
from expectations import custom, leaks, near_leaks
from expectations.observed_table import ObservedTable

NUMBERS_FROM = 20
"""With more distinct values than this, most of them numbers or dates, a column holds these as texts."""

_NUMBER = re.compile("-?[0-9]{1,18}([.][0-9]{1,18})?")

PLACEHOLDERS = frozenset(
    {
        *("", "na", "n/a", "n.a.", "#n/a", "nan", "nat", "<na>", "null", "<null>", "(null)", "#null!", "nil"),
        *("none", "<none>", "\\n", "?", "-", "--", ".", "missing", "undefined", "not available"),
    }
)
"""Texts, made `normal`, that usually stand for a missing value."""


class ExpectTextsToBeClean(custom.TableExpectation):
    """No text is a variant of another, wrongly decoded, or a placeholder for a missing value.

    Another expectation reports the placeholders of `groups`.
    """

    columns: list[str]
    groups: list[str] = []  # noqa: RUF012 - a field of pydantic, copied for each
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "groups")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        sample = near_leaks.sample(table, custom.present(table, self.columns))
        for name, few in _texts(sample, self.columns):
            if len(few) > leaks.FEW or len(counts := table.counts(name)) > leaks.FEW:
                continue
            values = [str(value) for value in counts.index]
            spellings: dict[str, list[str]] = defaultdict(list)
            for value in values:
                spellings[normal(value)].append(value)
            variants = {value for same in spellings.values() if len(same) > 1 for value in same}
            problems = {
                "differ only in case, spaces or Unicode form": variants,
                "are one number with another of them": _same_numbers(values),
                "begin or end with spaces": {value for value in values if value != value.strip()} - variants,
                "were decoded wrongly": {value for value in values if _is_mojibake(value)},
                "stand for a missing value": {value for value in values if normal(value) in PLACEHOLDERS},
            }
            if name in self.groups:
                del problems["stand for a missing value"]
            for problem, affected in problems.items():
                if affected:
                    yield custom.Fault(
                        column=name,
                        message=f"{len(affected)} values of `{name}` {problem}",
                        hint=f"correct them in `source.select`, or list `data.columns.{name}.values`",
                        observed=len(affected),
                        positions=custom.positions(table[name].isin(affected).to_numpy(dtype=bool)),
                    )


class ExpectTextsNotToBeNumbers(custom.TableExpectation):
    """No column of texts holds dates, or mostly numbers with separators, units, or a few words among them."""

    columns: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("columns",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        sample = near_leaks.sample(table, custom.present(table, self.columns))
        for name, values in _texts(sample, self.columns):
            disguise = disguises.of(name, values) if len(values) > NUMBERS_FROM else None
            if disguise is not None and disguise.kind == "numbers":
                disguise = disguises.of(name, [str(value) for value in table[name].dropna().unique()])
            if disguise is None:
                continue
            message = f"`{name}` holds text values, most of which are {disguise.kind}"
            hint = f"declare `data.columns.{name}.type: text`"
            if disguise.sql is not None:
                replace = f"* REPLACE ({disguise.sql} AS {written_numbers.quote(name)})"
                hint = f"write `{replace}` in `source.select`, or {hint}"
            else:
                message += f", but {disguise.obstacle}"
                hint = f"write them alike, or {hint}"
            wrong = custom.positions(table[name].isin(list(disguise.others)).to_numpy(dtype=bool))
            yield custom.Fault(column=name, message=message, hint=hint, positions=wrong)


def _texts(frame: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The columns that hold texts, each with its distinct values in the order they appear."""
    for name in columns:
        if name in frame and isinstance(frame[name].dtype, pd.StringDtype):
            yield name, [str(value) for value in frame[name].dropna().unique()]


def normal(value: str) -> str:
    """The text without what tells two spellings apart: case, spaces, the Unicode form of a character, and
    characters that are not seen."""
    form = unicodedata.normalize("NFKC", value)
    seen = "".join(character for character in form if unicodedata.category(character) != "Cf")
    return " ".join(seen.casefold().split())


def _same_numbers(values: Iterable[str]) -> set[str]:
    """The texts that are one number with another of them: `1`, `01` and `1.0`."""
    spellings: dict[Decimal, list[str]] = defaultdict(list)
    for value in values:
        if _NUMBER.fullmatch(value):
            spellings[Decimal(value)].append(value)
    return {value for same in spellings.values() if len(same) > 1 for value in same}


def _is_mojibake(value: str) -> bool:
    """Whether a character is lost, or the text is UTF-8 read in a Western encoding: `ZÃ¼rich`."""
    if "\N{REPLACEMENT CHARACTER}" in value:
        return True
    for encoding in ("cp1252", "latin-1"):
        try:
            return value.encode(encoding).decode("utf-8") != value
        except UnicodeError:
            continue
    return False
