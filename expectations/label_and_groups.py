"""Expectations on the label and on the groups that are compared.

Faults state how many rows each value of the label has, and how many groups a protected attribute has, never
the values: the column that somebody took for the label may be a name or a diagnosis.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa

from clearance import labels
from clearance.data.tables import row_ids
from expectations import custom, text_quality
from expectations.observed_table import ObservedTable

_SIZES = 10
"""How many values of a label have their rows stated."""


class ExpectLabelToHaveTwoValues(custom.TableExpectation):
    """The target has exactly two values, and the favourable one is among them."""

    column: str
    favourable: Any
    success_keys: ClassVar[tuple[str, ...]] = ("column", "favourable")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, [self.column])
        counts = counts_of(table, self.column)
        if not counts:
            return
        favourable = labels.text(self.favourable)
        rows = list(counts.values())
        sizes = ", ".join(map(str, rows[:_SIZES])) + (", …" if len(rows) > _SIZES else "")
        observed = rows[:_SIZES]
        if len(counts) != 2:
            message = f"the target `{self.column}` has {len(counts)} values, not two; rows of each: {sizes}"
            hint = "map it to two values in `source.select`"
            if len(counts) == 1:
                message = f"the target `{self.column}` has only one class; rows: {sizes}"
                hint = "check that `source` does not filter by the outcome"
            yield custom.Fault(column=self.column, message=message, hint=hint, observed=observed)
        if favourable not in counts:
            hint = "set `data.favourable` to the value of the favourable outcome"
            if isinstance(self.favourable, bool) and table.facts(self.column).kind == "text":
                hint = "YAML reads an unquoted yes, no, true or false as a boolean: put it in quotes"
            message = (
                f"the target `{self.column}` is never the favourable `{self.favourable}`; rows of each of "
                f"its values: {sizes}"
            )
            yield custom.Fault(column=self.column, message=message, hint=hint, observed=observed)


class ExpectLabelShareToBeAtLeast(custom.TableExpectation):
    """The rarer value of the target has at least this share of the rows."""

    column: str
    share: float
    success_keys: ClassVar[tuple[str, ...]] = ("column", "share")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, [self.column])
        counts = counts_of(table, self.column)
        if not counts:
            return
        rarest = min(counts.values()) if len(counts) > 1 else 0
        share = rarest / sum(counts.values())
        if not share >= self.share:
            message = (
                f"the rarer value of `{self.column}` has {share:.2%} of the rows, less than {self.share:.2%}"
            )
            hint = "add rows of the rarer outcome, or lower `data.label_share_min` deliberately"
            yield custom.Fault(column=self.column, message=message, hint=hint, observed=share)


class ExpectGroupsToCompare(custom.TableExpectation):
    """Each protected attribute divides the rows into at least two groups, and into at most `most`."""

    columns: list[str]
    most: int = 20
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "most")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, self.columns)
        for name in custom.present(table, self.columns):
            groups = len(table.counts(name))
            if groups < 2:
                message = f"`{name}` has {groups} groups: there is nothing to compare"
                yield custom.Fault(
                    column=name, message=message, hint="derive it in `source.select`", observed=groups
                )
            elif groups > self.most:
                message = f"`{name}` has {groups} groups, more than {self.most}: few will have enough rows"
                hint = "group its values in `source.select`"
                yield custom.Fault(column=name, message=message, hint=hint, observed=groups)


class ExpectGroupsToOccur(custom.TableExpectation):
    """Each group that `groups` declares for a protected attribute has rows."""

    groups: dict[str, list[Any]]
    success_keys: ClassVar[tuple[str, ...]] = ("groups",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, list(self.groups))
        for name in custom.present(table, list(self.groups)):
            counts = counts_of(table, name)
            absent = [value for value in self.groups[name] if labels.text(value) not in counts]
            if absent:
                values = ", ".join(f"`{value}`" for value in absent)
                message = f"`{name}` is never {values}, although that is declared"
                hint = f"check that `source` filters no rows out, or correct `data.columns.{name}.values`"
                yield custom.Fault(column=name, message=message, hint=hint, observed=len(counts))


class ExpectGroupsNotToBePlaceholders(custom.TableExpectation):
    """No group of a protected attribute is a text that usually stands for a missing value."""

    columns: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("columns",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        for name in custom.present(table, self.columns):
            counts = counts_of(table, name)
            for text in (text for text in counts if text_quality.normal(text) in text_quality.PLACEHOLDERS):
                shown = text.replace("'", "''")
                null = f"nullif({name}, '{shown}') AS {name}"
                yield custom.Fault(
                    column=name,
                    message=f"`{name}` is `{text}` in {counts[text]} rows, which usually means `missing`",
                    hint=f"make it null (`* REPLACE ({null})` in `source.select`), "
                    f"or list it in `data.columns.{name}.values` if it is a real group",
                    observed=counts[text],
                )


def counts_of(table: ObservedTable, column: str) -> dict[str, int]:
    """Rows of each value of the column as canonical text, the most frequent first; empty without values."""
    if column not in table:
        return {}
    counts = table.counts(column)
    texts = row_ids.canonical(pa.Array.from_pandas(counts.index), column).to_pylist()
    return dict(sorted(zip(texts, map(int, counts), strict=True), key=lambda item: (-item[1], item[0])))
