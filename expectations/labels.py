"""Expectations on the label and on the groups it is compared between.

The label's values are named with their counts; of a protected attribute only the number of groups is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa

from clearance.data.tables import row_ids
from expectations import custom


class ExpectLabelToHaveTwoValues(custom.TableExpectation):
    """The target has exactly two values, and the favourable one is among them."""

    column: str
    favourable: Any
    success_keys: ClassVar[tuple[str, ...]] = ("column", "favourable")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, [self.column])
        counts = counts_of(frame, self.column)
        if not counts:
            return
        favourable = row_ids.canonical_value(self.favourable)
        found = ", ".join(f"`{value}` ({count} rows)" for value, count in list(counts.items())[:10])
        more = f" and {len(counts) - 10} more" if len(counts) > 10 else ""
        observed = dict(list(counts.items())[:10])
        if len(counts) != 2:
            says = f"the target `{self.column}` has {len(counts)} values, not two: {found}{more}"
            hint = "map it to two values in `source.select`"
            if len(counts) == 1:
                says = f"the target `{self.column}` has one class only: {found}"
                hint = "check that `source` does not filter by the outcome"
            yield custom.Fault(column=self.column, says=says, hint=hint, observed=observed)
        if favourable not in counts:
            hint = "set `data.favourable` to the value that is good for the person"
            if isinstance(self.favourable, bool) and custom.kind_of(frame[self.column]) == "text":
                hint = "YAML reads an unquoted yes, no, true or false as a boolean: put it in quotes"
            says = f"the target `{self.column}` is never the favourable `{self.favourable}`: {found}{more}"
            yield custom.Fault(column=self.column, says=says, hint=hint, observed=observed)


class ExpectLabelShareToBeAtLeast(custom.TableExpectation):
    """The rarer value of the target has at least this share of the rows."""

    column: str
    share: float
    success_keys: ClassVar[tuple[str, ...]] = ("column", "share")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, [self.column])
        counts = counts_of(frame, self.column)
        if not counts:
            return
        rarest = min(counts.values()) if len(counts) > 1 else 0
        share = rarest / sum(counts.values())
        if not share >= self.share:
            says = (
                f"the rarer value of `{self.column}` has {share:.2%} of the rows, less than {self.share:.2%}"
            )
            hint = "bring more rows of the rarer outcome, or lower `data.label_share_min` knowingly"
            yield custom.Fault(column=self.column, says=says, hint=hint, observed=share)


class ExpectGroupsToCompare(custom.TableExpectation):
    """Each protected attribute parts the rows into some groups, and not into very many."""

    columns: list[str]
    most: int = 20
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "most")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, self.columns)
        for name in custom.present(frame, self.columns):
            groups = int(frame[name].nunique())
            if groups < 2:
                says = f"`{name}` has {groups} groups: there is nothing to compare"
                yield custom.Fault(
                    column=name, says=says, hint="derive it in `source.select`", observed=groups
                )
            elif groups > self.most:
                says = f"`{name}` has {groups} groups, more than {self.most}: few will have rows enough"
                yield custom.Fault(column=name, says=says, hint="band it in `source.select`", observed=groups)


class ExpectGroupsToOccur(custom.TableExpectation):
    """Each group that is declared of a protected attribute, by `groups`, has rows."""

    groups: dict[str, list[Any]]
    success_keys: ClassVar[tuple[str, ...]] = ("groups",)

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, list(self.groups))
        for name in custom.present(frame, list(self.groups)):
            found = counts_of(frame, name)
            gone = [value for value in self.groups[name] if row_ids.canonical_value(value) not in found]
            if gone:
                never = ", ".join(f"`{value}`" for value in gone)
                says = f"`{name}` is never {never}, which is declared"
                hint = f"check that `source` filters nobody out, or hint `data.columns.{name}.values`"
                yield custom.Fault(column=name, says=says, hint=hint, observed=len(found))


def counts_of(frame: pd.DataFrame, column: str) -> dict[str, int]:
    """Rows of each value of the column as canonical text, the most frequent first; empty without values."""
    if column not in frame:
        return {}
    counts = frame[column].value_counts()
    texts = row_ids.canonical(pa.Array.from_pandas(counts.index), column).to_pylist()
    return dict(sorted(zip(texts, map(int, counts), strict=True), key=lambda item: (-item[1], item[0])))
