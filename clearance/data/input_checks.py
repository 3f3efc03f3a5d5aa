"""Whether a row keeps the rules that the training data had to keep: ranges, values, missing values.

Pure. The rules are those of `data.columns` in the signed parameters of the version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clearance.documents.training_document import ModelInput, NumberSummary
from clearance.params.data import Column

Value = float | str | None
"""A feature: a finite double, a text, or None where it is missing."""
Check = Callable[[Value], str | None]


@dataclass(frozen=True, kw_only=True)
class InputChecks:
    """The checks of a version's inputs, by the position of the feature; a feature without rules has none."""

    names: tuple[str, ...]
    columns: Mapping[int, Column]

    def unusual(self, row: Sequence[Value]) -> list[tuple[str, str]]:
        """Each feature of the row that breaks its rule, and how; no value is repeated."""
        return [
            (self.names[index], reason)
            for index, column in self.columns.items()
            if (reason := _broken(row[index], column))
        ]


def of(inputs: Sequence[ModelInput], columns: Mapping[str, Column]) -> InputChecks:
    """The checks for these inputs, from the rules of the table's columns."""
    names = tuple(column.name for column in inputs)
    return InputChecks(
        names=names,
        columns={index: columns[name] for index, name in enumerate(names) if name in columns},
    )


def example(
    inputs: Sequence[ModelInput], columns: Mapping[str, Column], numbers: Mapping[str, NumberSummary]
) -> dict[str, float | str]:
    """A made-up row that keeps the rules: medians of the training data, and listed values."""
    return {column.name: _example(column, columns.get(column.name), numbers) for column in inputs}


def _example(column: ModelInput, rule: Column | None, numbers: Mapping[str, NumberSummary]) -> float | str:
    listed = rule.values if rule and rule.values else []
    if column.type == "string":
        return str(listed[0]) if listed else "text"
    value = numbers[column.name].median if column.name in numbers else 0.0
    if listed:
        known = [float(item) for item in listed if isinstance(item, int | float)]
        return min(known, key=lambda item: abs(item - value), default=value)
    if rule is not None:
        low, high = rule.numbers
        value = float(round(value)) if rule.type == "integer" else value
        value = max(value, low) if low is not None else value
        value = min(value, high) if high is not None else value
    return value


def _broken(value: Value, column: Column) -> str | None:
    if value is None:
        return "is missing, which the rules of the training data do not allow" if column.nulls == 0 else None
    if isinstance(value, float):
        low, high = column.numbers
        if low is not None and value < low:
            return "is below the smallest value that the rules of the training data allow"
        if high is not None and value > high:
            return "is above the largest value that the rules of the training data allow"
        if column.type == "integer" and not value.is_integer():
            return "is not a whole number, as the training data was"
    if column.values is not None and not _is_listed(value, column):
        return "is not one of the values that the rules of the training data allow"
    return None


def _is_listed(value: float | str, column: Column) -> bool:
    if isinstance(value, float):
        return any(isinstance(known, int | float) and float(known) == value for known in column.values or ())
    return any(str(known) == value for known in column.values or ())
