"""Expectations on which columns a table has, and what kind of values they hold."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd

from expectations import custom
from expectations.observed_table import ObservedTable

EXACT = 2**53
"""From here on a floating-point number no longer tells all integers apart."""


class ExpectColumnsToExist(custom.TableExpectation):
    """The table has these columns; `hints` says for each what to do when it is missing."""

    columns: list[str]
    hints: dict[str, str]
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "hints")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        present = table.columns
        for name in self.columns:
            if name in present:
                continue
            hint = self.hints[name]
            if close := difflib.get_close_matches(name, present, n=1):
                hint = f"did you mean `{close[0]}`? Otherwise {hint}"
            elif len(present) == 1 and len(self.columns) > 1:
                hint = "the table has a single column: check `source.delimiter`"
            yield custom.Fault(column=name, message=f"column `{name}` is missing", hint=hint)


class ExpectColumnToHold(custom.TableExpectation):
    """The column holds values of this kind: number, integer, text, boolean or time. 7.0 is an integer."""

    column: str
    kind: str
    success_keys: ClassVar[tuple[str, ...]] = ("column", "kind")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, [self.column])
        if self.column not in table:
            return
        kind = table.facts(self.column).kind
        if kind == self.kind or (self.kind == "number" and kind == "integer"):
            return
        yield custom.Fault(
            column=self.column,
            message=f"`{self.column}` holds {kind} values, not {self.kind}",
            hint="cast or clean it in `source.select`, declare "
            f"`source.types: {{{self.column}: {self.kind}}}`, or correct `data.columns.{self.column}.type`",
            observed=kind,
            positions=custom.positions(_is_not(table[self.column], self.kind)),
        )


class ExpectIdentifiersToBeExact(custom.TableExpectation):
    """No identifier is a floating-point number so large that others read the same."""

    columns: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("columns",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        for name in custom.present(table, self.columns):
            facts = table.facts(name)
            if facts.greatest < EXACT or not pd.api.types.is_float_dtype(facts.dtype):
                continue
            wrong = (table[name].abs() >= EXACT).to_numpy(dtype=bool, na_value=False)
            if wrong.any():
                yield custom.Fault(
                    column=name,
                    message=f"the identifier `{name}` is a floating-point number of 16 or more digits in "
                    f"{wrong.sum()} rows: different ones may have become one",
                    hint="write it as text or as an integer where the table is made",
                    observed=int(wrong.sum()),
                )


class ExpectColumnToWeigh(custom.TableExpectation):
    """The column holds weights: finite numbers above 0. Another expectation finds missing ones."""

    column: str
    success_keys: ClassVar[tuple[str, ...]] = ("column",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, [self.column])
        if self.column not in table:
            return
        facts, name = table.facts(self.column), custom.plain(self.column)
        if facts.smallest is not None and facts.smallest > 0 and math.isfinite(facts.greatest):
            return
        values, kind = table[self.column], facts.kind
        present = values.notna().to_numpy()
        if kind in {"number", "integer"}:
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
            wrong = present & ~(np.isfinite(numbers) & (numbers > 0))
            message = f"the weight `{name}` is negative, zero or infinite in {wrong.sum()} rows"
        else:
            wrong, message = present, f"the weight `{name}` holds {kind} values, not numbers"
        if wrong.any():
            hint = "correct those rows, or drop them, in `source.select`: a weight is a number above 0"
            yield custom.Fault(
                column=self.column,
                message=message,
                hint=hint,
                observed=int(wrong.sum()),
                positions=custom.positions(wrong),
            )


class ExpectTimesToBeBetween(custom.TableExpectation):
    """No time in the column is before `first` or after `last`: ISO 8601, UTC unless they name a zone."""

    column: str
    first: str | None
    last: str | None
    success_keys: ClassVar[tuple[str, ...]] = ("column", "first", "last")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, [self.column])
        if self.column not in table:
            return
        facts = table.facts(self.column)
        if not pd.api.types.is_datetime64_any_dtype(facts.dtype):
            kind = facts.kind
            yield custom.Fault(
                column=self.column, message=f"not run: `{self.column}` holds {kind} values, not times"
            )
            return
        values = table[self.column]
        instants = values.dt.tz_localize("UTC") if values.dt.tz is None else values
        wrong = np.zeros(len(values), dtype=bool)
        if self.first is not None:
            wrong |= (instants < _instant(self.first)).to_numpy(dtype=bool)
        if self.last is not None:
            wrong |= (instants > _instant(self.last)).to_numpy(dtype=bool)
        if wrong.any():
            span = " and ".join(
                f"{word} {end}" for word, end in (("from", self.first), ("to", self.last)) if end is not None
            )
            rows = f"{wrong.sum()} of {len(wrong)} rows"
            message = f"`{self.column}` is out of range in {rows}: expected {span}"
            hint = f"correct the values in `source.select`, or the range in `data.columns.{self.column}`"
            yield custom.Fault(
                column=self.column,
                message=message,
                hint=hint,
                observed=int(wrong.sum()),
                positions=custom.positions(wrong),
            )


def _instant(text: str) -> pd.Timestamp:
    moment = pd.Timestamp(text)
    return moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")


def _is_not(values: pd.Series, kind: str) -> np.ndarray:
    present = values.notna().to_numpy()
    if kind in ("number", "integer") and isinstance(values.dtype, pd.StringDtype):
        return np.asarray(present & pd.to_numeric(values, errors="coerce").isna().to_numpy())
    if kind == "integer" and pd.api.types.is_float_dtype(values.dtype):
        return np.asarray(present & (np.floor(values) != values).to_numpy())
    return np.asarray(present)
