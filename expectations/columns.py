"""Expectations on which columns a table has, and what kind of values they hold."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd

from expectations import custom


class ExpectColumnsToExist(custom.TableExpectation):
    """The table has these columns; `mends` says for each what to do when it has not."""

    columns: list[str]
    mends: dict[str, str]
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "mends")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        there = [str(name) for name in frame.columns]
        for name in self.columns:
            if name in there:
                continue
            hint = self.mends[name]
            if close := difflib.get_close_matches(name, there, n=1):
                hint = f"did you mean `{close[0]}`? else {hint}"
            elif len(there) == 1 and len(self.columns) > 1:
                hint = "the table has a single column: check `source.delimiter`"
            yield custom.Fault(column=name, says=f"column `{name}` is missing", hint=hint)


class ExpectColumnToHold(custom.TableExpectation):
    """The column holds values of this kind: number, integer, text, boolean or time. 7.0 is an integer."""

    column: str
    kind: str
    success_keys: ClassVar[tuple[str, ...]] = ("column", "kind")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, [self.column])
        if self.column not in frame:
            return
        values = frame[self.column]
        found = custom.kind_of(values)
        if found == self.kind or (self.kind == "number" and found == "integer"):
            return
        wrong = custom.positions(_not_of(values, self.kind))
        says = f"`{self.column}` holds {found} values, not {self.kind}"
        hint = f"cast or clean it in `source.select`, or hint `data.columns.{self.column}.type`"
        yield custom.Fault(column=self.column, says=says, hint=hint, observed=found, positions=wrong)


class ExpectColumnToWeigh(custom.TableExpectation):
    """The column holds weights: finite numbers above 0. Missing ones are for another expectation to find."""

    column: str
    success_keys: ClassVar[tuple[str, ...]] = ("column",)

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, [self.column])
        if self.column not in frame:
            return
        values, name = frame[self.column], custom.plain(self.column)
        known = values.notna().to_numpy()
        kind = custom.kind_of(values)
        if kind in {"number", "integer"}:
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
            wrong = known & ~(np.isfinite(numbers) & (numbers > 0))
            says = f"the weight `{name}` is negative, zero or infinite in {wrong.sum()} rows"
        else:
            wrong, says = known, f"the weight `{name}` holds {kind} values, not numbers"
        if wrong.any():
            hint = (
                "hint those rows, or drop them, in `source.select`; a row that stands for nobody has no place"
            )
            yield custom.Fault(
                column=self.column,
                says=says,
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

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, [self.column])
        if self.column not in frame:
            return
        values = frame[self.column]
        if not pd.api.types.is_datetime64_any_dtype(values.dtype):
            found = custom.kind_of(values)
            yield custom.Fault(
                column=self.column, says=f"not run: `{self.column}` holds {found} values, no times"
            )
            return
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
            says = f"`{self.column}` is out of range in {wrong.sum()} of {len(wrong)} rows: expected {span}"
            hint = f"hint the values in `source.select`, or the range in `data.columns.{self.column}`"
            yield custom.Fault(
                column=self.column,
                says=says,
                hint=hint,
                observed=int(wrong.sum()),
                positions=custom.positions(wrong),
            )


def _instant(text: str) -> pd.Timestamp:
    moment = pd.Timestamp(text)
    return moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")


def _not_of(values: pd.Series, kind: str) -> np.ndarray:
    known = values.notna().to_numpy()
    if kind in ("number", "integer") and isinstance(values.dtype, pd.StringDtype):
        return np.asarray(known & pd.to_numeric(values, errors="coerce").isna().to_numpy())
    if kind == "integer" and pd.api.types.is_float_dtype(values.dtype):
        return np.asarray(known & (np.floor(values) != values).to_numpy())
    return np.asarray(known)
