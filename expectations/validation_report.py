"""A validation as evidence: which expectation failed, on which column, how, and what would fix it.

Rows are named by hash. For a protected attribute or an encoding no row is named at all, and for an identifier
no value is shown. The same table and suite give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from clearance.documents.measurement import Measurement
from clearance.documents.validation_document import Example, Expectation
from expectations import boundary, custom
from expectations.observed_table import ObservedTable

LONGEST = 80
"""Longer values are cut."""

Hashes = Callable[[list[int]], list[str]]


def counts(
    entries: Sequence[Expectation], results: Sequence[boundary.ExpectationResult]
) -> dict[str, Measurement]:
    """How many entries failed, by severity, and how many expectations ran.

    An expectation that could not be run counts as failed.
    """
    failures: list[str] = [entry.severity for entry in entries if not entry.success]
    numbers = {
        "blocking_failures": failures.count(boundary.BLOCK),
        "warnings": failures.count(boundary.WARN),
        "expectations": sum(result.ran for result in results),
    }
    return {name: Measurement(value=number) for name, number in numbers.items()}


def entries(
    results: Sequence[boundary.ExpectationResult],
    table: ObservedTable,
    hashes: Hashes,
    *,
    silent: set[str],
    identifiers: set[str],
) -> tuple[Expectation, ...]:
    """One entry for each expectation; where several columns are at fault, one for each of them.

    `silent` columns get no examples; `identifiers` get examples without values.
    """
    return tuple(
        Expectation(
            expectation=result.kind,
            column=fault.column,
            severity="block" if result.severity == boundary.BLOCK else "warn",
            success=result.success,
            detail="; ".join(filter(None, (fault.message, fault.hint))),
            observed=_json_value(fault.observed),
            examples=_examples(fault, table, hashes, silent=silent, identifiers=identifiers),
        )
        for result in results
        for fault in _faults(result, table)
    )


def figures(results: Sequence[boundary.ExpectationResult]) -> dict[str, dict[str, Measurement]]:
    """What expectations measured, by metric and protected attribute."""
    measurements: dict[str, dict[str, Measurement]] = {}
    for result in results:
        for attribute, by_metric in result.result.get("details", {}).get("figures", {}).items():
            for metric, figure in by_metric.items():
                measurements.setdefault(metric, {})[attribute] = Measurement.from_json(figure)
    return measurements


def proxy_columns(results: Sequence[boundary.ExpectationResult]) -> set[str]:
    """Features that reveal a protected attribute: none of their rows may be shown either."""
    return {
        fault["column"]
        for result in results
        for fault in result.result.get("details", {}).get("faults", [])
        if fault["leaks"]
    }


def _faults(result: boundary.ExpectationResult, table: ObservedTable) -> list[custom.Fault]:
    column = result.columns[0] if result.columns else None
    if not result.ran:
        return [custom.Fault(column=column, message=f"not run: {_why_not(result, table)}")]
    if result.success:
        return [custom.Fault(column=column, message=result.requirement, observed=_observed(result))]
    if faults := result.result.get("details", {}).get("faults"):
        return [custom.Fault(**fault) for fault in faults]
    return [
        custom.Fault(
            column=column,
            message=_sentence(result),
            hint=result.hint,
            observed=_observed(result),
            positions=tuple(result.result.get("partial_unexpected_index_list", ())[: custom.EXAMPLES]),
        )
    ]


def _why_not(result: boundary.ExpectationResult, table: ObservedTable) -> str:
    """The reason, taken from the table; the text of the exception may hold values."""
    absent = [name for name in result.columns if name not in table]
    if absent:
        return f"column `{absent[0]}` is missing"
    kinds = ", ".join(f"`{name}` holds {table.facts(name).kind} values" for name in result.columns)
    return f"it cannot be computed{kinds and ', as '}{kinds} ({result.requirement})"


def _sentence(result: boundary.ExpectationResult) -> str:
    """What is wrong, from the counts in the result; the demand alone for an expectation unknown here."""
    counted = result.result
    name = " and ".join(f"`{column}`" for column in result.columns) or "the table"
    rows = counted.get("element_count", 0)
    present = rows - counted.get("missing_count", 0)
    count = counted.get("unexpected_count", 0)
    share = f" of {present} known values ({count / present:.2%})" if present else ""
    sentences = {
        "expect_table_row_count_to_equal": f"the table was read with {counted.get('observed_value')} rows",
        "expect_table_row_count_to_be_between": f"the table has only {counted.get('observed_value')} rows",
        "expect_column_values_to_not_be_null": f"{name} is null in {count} of {rows} rows",
        "expect_column_values_to_be_unique": f"{name} has a value that other rows have too in {count} rows",
        "expect_column_values_to_be_between": f"{name} is out of range in {count}{share}",
        "expect_column_values_to_be_in_set": f"{name} has a value that is not declared in {count}{share}",
        "expect_column_pair_values_to_be_equal": f"{name} differ in {count} rows",
    }
    sentence = sentences.get(result.kind)
    if sentence is None:
        return f"it is not true that {result.requirement}"
    return f"{sentence}: expected that {result.requirement}"


def _observed(result: boundary.ExpectationResult) -> Any:
    counted = result.result
    if "unexpected_count" in counted:
        return {"rows": counted["element_count"], "unexpected": counted["unexpected_count"]}
    return None if "details" in counted else counted.get("observed_value")


def _examples(
    fault: custom.Fault, table: ObservedTable, hashes: Hashes, *, silent: set[str], identifiers: set[str]
) -> tuple[Example, ...]:
    positions = list(fault.positions)
    if not positions or fault.column is None or fault.column not in table or fault.column in silent:
        return ()
    column = table[fault.column]
    show = fault.column not in identifiers
    values = [_json_value(column.iloc[at]) if show else None for at in positions]
    return tuple(Example(row=row, value=value) for row, value in zip(hashes(positions), values, strict=True))


def _json_value(value: Any) -> Any:
    """The value as JSON can hold it: numbers as they are; what is not finite or not a number as text."""
    if isinstance(value, dict):
        return {str(key): _json_value(inner) for key, inner in value.items()}
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value if math.isfinite(value) else str(value)
    text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
