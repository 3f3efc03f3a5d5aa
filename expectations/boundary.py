"""Run a suite on a table with Great Expectations, and read what it says without trusting a single flag.

Severity and success are read for each expectation. An empty suite, an expectation that vanished, and one that
could not be computed are never a pass. Nothing here knows what is expected of which table.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.expectations.expectation import Expectation

from clearance.errors import IntegrityError
from expectations import gx_engine

SuiteResult = ExpectationSuiteValidationResult
"""What Great Expectations returns for a suite."""

BLOCK, WARN = "block", "warn"
_SEVERITIES = {BLOCK: "critical", WARN: "warning"}


@dataclass(frozen=True)
class ExpectationResult:
    """What one expectation said of the table.

    `columns` are the one or two it looks at; it is empty for an expectation on the table. `success` is
    never true unless it `ran`. `result` is Great Expectations' own, with positions of rows
    and with values: it must not be shown as it is.
    """

    kind: str
    columns: list[str]
    severity: str
    demand: str
    hint: str | None
    ran: bool
    success: bool
    result: dict[str, Any]


def says(demand: str, hint: str | None = None, severity: str = BLOCK) -> dict[str, Any]:
    """The keywords by which an expectation carries its demand, its severity and the hint of a breach."""
    return {"description": demand, "severity": _SEVERITIES[severity], "meta": {"hint": hint}}


def run(
    name: str, frame: pd.DataFrame, expectations: list[Expectation]
) -> tuple[list[ExpectationResult], ExpectationSuiteValidationResult]:
    """Each expectation's reading, in the order given, and the result they were read from.

    Raises IntegrityError when not exactly the given expectations were evaluated.
    """
    for at, expectation in enumerate(expectations):
        expectation.meta = (expectation.meta or {}) | {"at": at}
    result = _validate(name, frame, expectations)
    found = {each.expectation_config.meta["at"]: each for each in result.results}
    wanted = list(range(len(expectations)))
    if not wanted or sorted(found) != wanted or len(result.results) != len(wanted):
        raise IntegrityError(
            f"{len(result.results)} of {len(wanted)} expectations on the {name} table were evaluated",
            "this is a defect of the suite: report it with params.yaml",
        )
    return [_read(found[at]) for at in range(len(expectations))], result


def _validate(name: str, frame: pd.DataFrame, expectations: list[Expectation]) -> Any:
    context = _context()
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
    source = context.data_sources.add_pandas("clearance")
    type(source).execution_engine_override = gx_engine.ColumnEngine
    table = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
    definition = gx.ValidationDefinition(name=name, data=table, suite=suite)
    return context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": frame}, result_format="SUMMARY"
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


def _read(found: Any) -> ExpectationResult:
    config = found.expectation_config
    ran = not raised(found.exception_info) and bool(found.result)
    severity = next(ours for ours, theirs in _SEVERITIES.items() if config.severity == theirs)
    return ExpectationResult(
        kind=config.type,
        columns=columns_of(found),
        severity=severity,
        demand=config.description,
        hint=config.meta["hint"],
        ran=ran,
        success=ran and found.success is True,
        result=found.to_json_dict()["result"],
    )


def columns_of(found: Any) -> list[str]:
    """The column, or the pair of columns, that a result of Great Expectations is about."""
    kwargs = found.expectation_config.kwargs
    return [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]


def raised(information: dict[str, Any]) -> bool:
    """Whether a result's exception information, flat or with one entry for each metric, holds one."""
    entries = information.values() if "raised_exception" not in information else [information]
    return any(entry["raised_exception"] for entry in entries)
