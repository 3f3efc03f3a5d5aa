"""A validation as evidence: which expectation failed, on which column, how, and what mends it.

Rows are named by hash. Of a protected attribute or an encoding no row is named at all, and of an
identifier no value is shown. The same table and suite give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from clearance.documents import measurement
from expectations import boundary, custom

LONGEST = 80
"""Longer values are cut."""

Hashes = Callable[[list[int]], list[str]]


def document(
    entries: list[dict[str, Any]],
    readings: list[boundary.ExpectationResult],
    name: str,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The evidence document of a boundary: counts and `more` as measurements, and every entry.

    `blocking_failures` and `warnings` count the entries at fault by severity; an expectation that could not
    be run is at fault. `expectations` counts those that ran.
    """
    failures = [entry["severity"] for entry in entries if not entry["success"]]
    blocking = failures.count(boundary.BLOCK)
    counts = {
        "blocking_failures": blocking,
        "warnings": failures.count(boundary.WARN),
        "expectations": sum(reading.ran for reading in readings),
    }
    measurements = {key: measurement.Measurement(value=count) for key, count in counts.items()}
    return measurement.measured(
        measurements | dict(more or {}), boundary=name, blocked=blocking > 0, expectations=entries
    )


def blocked_document(name: str, because: str) -> dict[str, Any]:
    """The document of a boundary that an earlier one blocked."""
    return measurement.blocked(because) | {"boundary": name, "blocked": True, "expectations": []}


def entries(
    readings: list[boundary.ExpectationResult],
    frame: pd.DataFrame,
    hashes: Hashes,
    *,
    silent: set[str],
    identifiers: set[str],
) -> list[dict[str, Any]]:
    """One entry for each expectation; for one that names several columns at fault, one for each of them.

    `silent` columns get no examples; `identifiers` get examples without values.
    """
    found = []
    for reading in readings:
        for fault in _faults(reading, frame):
            entry = {
                "expectation": reading.kind,
                "column": fault.column,
                "severity": reading.severity,
                "success": reading.success,
                "detail": fault.says if not fault.hint else f"{fault.says}; {fault.hint}",
                "observed": _plain(fault.observed),
                "examples": [],
            }
            if fault.positions and fault.column in frame and fault.column not in silent:
                entry["examples"] = _examples(fault, frame, hashes, fault.column in identifiers)
            found.append(entry)
    return found


def figures(readings: list[boundary.ExpectationResult]) -> dict[str, dict[str, measurement.Measurement]]:
    """What expectations measured, by metric and protected attribute."""
    found: dict[str, dict[str, measurement.Measurement]] = {}
    for reading in readings:
        for attribute, measured in reading.result.get("details", {}).get("figures", {}).items():
            for metric, figure in measured.items():
                found.setdefault(metric, {})[attribute] = measurement.Measurement.from_json(figure)
    return found


def proxy_columns(readings: list[boundary.ExpectationResult]) -> set[str]:
    """Features found to be as good as a protected attribute: none of their rows may be shown either."""
    return {
        fault["column"]
        for reading in readings
        for fault in reading.result.get("details", {}).get("faults", [])
        if fault["leaks"]
    }


def _faults(reading: boundary.ExpectationResult, frame: pd.DataFrame) -> list[custom.Fault]:
    column = reading.columns[0] if reading.columns else None
    if not reading.ran:
        return [custom.Fault(column=column, says=f"not run: {_why_not(reading, frame)}")]
    if reading.success:
        return [custom.Fault(column=column, says=reading.demand, observed=_observed(reading))]
    if found := reading.result.get("details", {}).get("faults"):
        return [custom.Fault(**fault) for fault in found]
    return [
        custom.Fault(
            column=column,
            says=_sentence(reading),
            hint=reading.hint,
            observed=_observed(reading),
            positions=tuple(reading.result.get("partial_unexpected_index_list", ())[: custom.EXAMPLES]),
        )
    ]


def _why_not(reading: boundary.ExpectationResult, frame: pd.DataFrame) -> str:
    """Said from the table, not from the exception, whose words may hold values."""
    absent = [name for name in reading.columns if name not in frame]
    if absent:
        return f"column `{absent[0]}` is missing"
    kinds = ", ".join(f"`{name}` holds {custom.kind_of(frame[name])} values" for name in reading.columns)
    return f"it cannot be computed{kinds and ', as '}{kinds} ({reading.demand})"


def _sentence(reading: boundary.ExpectationResult) -> str:
    """What is wrong, from the counts in the result; the demand alone for an expectation unknown here."""
    result = reading.result
    name = " and ".join(f"`{column}`" for column in reading.columns) or "the table"
    rows, known = (
        result.get("element_count", 0),
        result.get("element_count", 0) - result.get("missing_count", 0),
    )
    count = result.get("unexpected_count", 0)
    share = f" of {known} known values ({count / known:.2%})" if known else ""
    sentences = {
        "expect_table_row_count_to_equal": f"the table was read with {result.get('observed_value')} rows",
        "expect_table_row_count_to_be_between": f"the table has only {result.get('observed_value')} rows",
        "expect_column_values_to_not_be_null": f"{name} is null in {count} of {rows} rows",
        "expect_column_values_to_be_unique": f"{name} has a value that other rows have too in {count} rows",
        "expect_column_values_to_be_between": f"{name} is out of range in {count}{share}",
        "expect_column_values_to_be_in_set": f"{name} has a value that is not declared in {count}{share}",
        "expect_column_pair_values_to_be_equal": f"{name} differ in {count} rows",
    }
    said = sentences.get(reading.kind)
    return f"{said}: expected that {reading.demand}" if said else f"it does not hold that {reading.demand}"


def _observed(reading: boundary.ExpectationResult) -> Any:
    result = reading.result
    if "unexpected_count" in result:
        return {"rows": result["element_count"], "unexpected": result["unexpected_count"]}
    return None if "details" in result else result.get("observed_value")


def _examples(
    fault: custom.Fault, frame: pd.DataFrame, hashes: Hashes, without_values: bool
) -> list[dict[str, Any]]:
    positions = list(fault.positions)
    values = [None if without_values else _plain(frame[fault.column].iloc[at]) for at in positions]
    return [{"row": row, "value": value} for row, value in zip(hashes(positions), values, strict=True)]


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: numbers as they are, what is not finite or no number as text."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
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
