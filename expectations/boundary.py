"""Run a suite on a table with Great Expectations, and read the result without relying on one overall flag.

Severity and success are read for each expectation. An empty suite, a missing result, and an expectation that
could not be computed never count as a pass. What is expected of which table is defined elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.expectations.expectation import Expectation

from expectations import faults, gx_engine
from expectations.observed_table import ObservedTable

_RESULT = {"result_format": "SUMMARY", "return_unexpected_index_query": False}
"""Counts and the first unexpected values, without a list of all rows that have one."""

SuiteResult = ExpectationSuiteValidationResult
"""The type that Great Expectations returns for a suite."""

BLOCK, WARN = "block", "warn"
_SEVERITIES = {BLOCK: "critical", WARN: "warning"}


@dataclass(frozen=True)
class ExpectationResult:
    """The result of one expectation on the table.

    `columns` are the one or two it examines; the list is empty for an expectation on the whole table.
    `success` is never true unless it `ran`. `result` is Great Expectations' own, with positions of rows and
    with values: it must not be shown unfiltered.
    """

    kind: str
    columns: list[str]
    severity: str
    requirement: str
    hint: str | None
    ran: bool
    success: bool
    result: dict[str, Any]


def statement(requirement: str, hint: str | None = None, severity: str = BLOCK) -> dict[str, Any]:
    """The keyword arguments that give an expectation its requirement, severity and hint."""
    return {"description": requirement, "severity": _SEVERITIES[severity], "meta": {"hint": hint}}


def run(
    name: str, table: ObservedTable, expectations: Sequence[Expectation]
) -> tuple[list[ExpectationResult], ExpectationSuiteValidationResult]:
    """The result of each expectation, in the given order, and Great Expectations' result for the suite.

    Raises IntegrityError unless exactly the given expectations were evaluated.
    """
    for index, expectation in enumerate(expectations):
        expectation.meta = (expectation.meta or {}) | {"index": index}
    suite_result = _validate(name, table, expectations)
    by_index = {entry.expectation_config.meta["index"]: entry for entry in suite_result.results}
    expected = list(range(len(expectations)))
    if not expected or sorted(by_index) != expected or len(suite_result.results) != len(expected):
        raise faults.NOT_ALL_EVALUATED(
            evaluated=len(suite_result.results), expected=len(expected), table=name
        )
    return [_read(by_index[index]) for index in expected], suite_result


def _validate(name: str, table: ObservedTable, expectations: Sequence[Expectation]) -> Any:
    context = _context()
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=list(expectations)))
    source = context.data_sources.add_pandas("clearance")
    type(source).execution_engine_override = gx_engine.ColumnEngine
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
    definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
    return context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": gx_engine.handle(table)}, result_format=_RESULT
    )


def _context() -> Any:
    """A context in memory: no files, no progress bars, no analytics."""
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _read(gx_result: Any) -> ExpectationResult:
    config = gx_result.expectation_config
    ran = not raised(gx_result.exception_info) and bool(gx_result.result)
    severity = next(ours for ours, theirs in _SEVERITIES.items() if config.severity == theirs)
    return ExpectationResult(
        kind=config.type,
        columns=columns_of(gx_result),
        severity=severity,
        requirement=config.description,
        hint=config.meta["hint"],
        ran=ran,
        success=is_met(gx_result),
        result=gx_result.to_json_dict()["result"],
    )


def is_met(gx_result: Any) -> bool:
    """Whether an expectation ran, and the table met it."""
    return not raised(gx_result.exception_info) and bool(gx_result.result) and gx_result.success is True


def blocks(gx_result: Any) -> bool:
    """Whether an expectation blocks where it is not met; it warns otherwise."""
    return bool(gx_result.expectation_config.severity == _SEVERITIES[BLOCK])


def requirement(gx_result: Any) -> str:
    """What the expectation asks, in words."""
    return str(gx_result.expectation_config.description)


def columns_of(gx_result: Any) -> list[str]:
    """The column, or the pair of columns, that a result of Great Expectations is about."""
    kwargs = gx_result.expectation_config.kwargs
    return [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]


def raised(information: dict[str, Any]) -> bool:
    """Whether a result's exception information, flat or with one entry per metric, reports an exception."""
    entries = information.values() if "raised_exception" not in information else [information]
    return any(entry["raised_exception"] for entry in entries)
