"""Expectations on features that name a person rather than describe one: names, identifiers, row numbers.

An encoder keeps the values of a category, so a surname among the features ends up in the model file.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd

from clearance.data import disguises
from clearance.metrics import proxies
from expectations import custom, near_leaks
from expectations.observed_table import ObservedTable

ROWS = 50
"""With fewer rows, texts that all differ may be chance."""

FILLED = 0.1
"""A column with values in a smaller share of the rows came late, or by mistake."""

_NUMBERED = re.compile(r"[\s_.-]?\d+$")

UNIQUE = 0.8
"""From this share of different texts among the known ones on, a column identifies rows."""


class ExpectFeaturesNotToIdentify(custom.TableExpectation):
    """No feature holds another text in nearly every row, and none numbers the rows."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("features",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, self.features)
        for name in custom.present(table, self.features):
            facts = table.facts(name)
            known = len(table) - facts.nulls
            if known < ROWS:
                continue
            if facts.kind == "text" and (different := _different_texts(table, name)):
                message = (
                    f"`{name}` holds {different} different texts in {known} rows: it names persons or "
                    "rows, and its values would stand in the model file"
                )
                yield custom.Fault(column=name, message=message, hint=_hint(name), observed=different)
            elif facts.kind == "integer" and _numbers_rows(table, name):
                message = f"`{name}` is another whole number in every row, without gaps: it numbers the rows"
                yield custom.Fault(column=name, message=message, hint=_hint(name), observed=known)


class ExpectFeaturesToDiffer(custom.TableExpectation):
    """No feature is a copy of another one."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("features",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, self.features)
        sample = near_leaks.sample(table, custom.present(table, self.features))
        first: dict[str, str] = {}
        for name in sample.columns:
            if sample[name].nunique() < 2:
                continue
            original = first.setdefault(_digest(sample[name]), name)
            if original != name and _digest(table[name]) == _digest(table[original]):
                yield custom.Fault(
                    column=name,
                    message=f"`{name}` is a copy of `{original}`: the same value in every row",
                    hint="leave one of them out of `data.features`",
                )


class ExpectNoIndexAmongFeatures(custom.TableExpectation):
    """No column is the row index of a data frame that was written along; such a column is never a feature."""

    columns: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("columns",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        for name in custom.present(table, self.columns):
            yield custom.Fault(
                column=name,
                message=f"`{name}` is the row index of a data frame: it is not a feature",
                hint="write the table without its index, or name the column in `data.features` if it is one",
            )


class ExpectFeaturesNotToRepeatRoles(custom.TableExpectation):
    """No feature has the name of a column with another role and a number: `gender.1`, `gender_2`.

    Programs name a second column of the same name so. `roles` gives the role of each such column.
    """

    features: list[str]
    roles: dict[str, str]
    success_keys: ClassVar[tuple[str, ...]] = ("features", "roles")

    def faults(self, _: ObservedTable) -> Iterator[custom.Fault]:
        first = {_base(name): name for name in self.roles}
        for name in self.features:
            original = first.get(_base(_NUMBERED.sub("", name)))
            if original is not None and _NUMBERED.search(name):
                yield custom.Fault(
                    column=name,
                    message=f"`{name}` looks like a second `{original}`, which is {self.roles[original]}",
                    hint=_hint(name),
                )


class ExpectFeaturesToBeFilled(custom.TableExpectation):
    """Each feature has a value in at least `FILLED` of the rows."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("features",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        for name in custom.present(table, self.features):
            rows = len(table) - table.facts(name).nulls
            if 0 < rows < FILLED * len(table):
                yield custom.Fault(
                    column=name,
                    message=f"`{name}` has a value in only {rows} of {len(table)} rows",
                    hint=_hint(name),
                    observed=rows,
                )


def _base(name: str) -> str:
    return re.sub(r"[\s_.-]+", "", name).casefold()


def _hint(name: str) -> str:
    return (
        f"leave `{name}` out of the features (with `all_but`, list it there), or declare it under "
        "`data.columns` if it is meant as a feature"
    )


def _digest(values: pd.Series) -> str:
    hashes = pd.util.hash_pandas_object(values, index=False).to_numpy()
    return hashlib.sha256(np.ascontiguousarray(hashes).tobytes()).hexdigest()


def _different_texts(table: ObservedTable, name: str) -> int | None:
    """How many different texts the column holds, where they identify rows; else None."""
    values = table[name].dropna()
    few = values.iloc[:: max(1, math.ceil(len(values) / proxies.ROWS))]
    if few.nunique() < UNIQUE * len(few):
        return None
    texts = values.unique()
    identifies = len(texts) >= UNIQUE * len(values)
    return len(texts) if identifies and disguises.of(name, [str(text) for text in texts]) is None else None


def _numbers_rows(table: ObservedTable, name: str) -> bool:
    """Whether the column is of whole numbers, never null, and each occurs once, without gaps."""
    facts = table.facts(name)
    return (
        facts.largest is not None
        and facts.smallest is not None
        and facts.largest - facts.smallest == len(table) - facts.nulls - 1
        and pd.api.types.is_integer_dtype(facts.dtype)
        and table[name].dropna().is_unique
    )
