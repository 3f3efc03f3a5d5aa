"""The facets of data sets and tests, from evidence documents: schema, columns, quality, version.

Names, counts and outcomes only: no smallest or largest value, no example, no sentence about a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from openlineage.client import facet_v2

from clearance.documents.measurement import Outcome
from clearance.documents.validation_document import ValidationDocument
from clearance.documents.verdict_document import VerdictDocument
from clearance.lineage import events
from clearance.lineage.columns import ColumnUse

ROWS = frozenset({"expect_table_row_count_to_equal", "expect_table_row_count_to_be_between"})
NOT_NULL = "expect_column_values_to_not_be_null"
_STATUS = {Outcome.PASS: "pass", Outcome.FAIL: "fail"}
_SEVERITY = {"block": "error", "warn": "warn"}
_DIRECT = frozenset({"IDENTITY", "TRANSFORMATION"})


def schema(types: Mapping[str, str]) -> facet_v2.schema_dataset.SchemaDatasetFacet:
    """The columns with their types, in order."""
    return facet_v2.schema_dataset.SchemaDatasetFacet(
        fields=[
            facet_v2.schema_dataset.SchemaDatasetFacetFields(name=name, type=kind, ordinal_position=place)
            for place, (name, kind) in enumerate(types.items(), 1)
        ],
        producer=events.producer(),
    )


def version(digest: str) -> facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet:
    """The version of a data set: the digest of its content, or the number of a registered version."""
    return facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet(
        datasetVersion=digest, producer=events.producer()
    )


def statistics(rows: int) -> facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet:
    """How many rows were written."""
    return facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=rows, producer=events.producer()
    )


def column_lineage(
    fields: Mapping[str, Iterable[tuple[events.DataSet, ColumnUse]]],
    rows: Iterable[tuple[events.DataSet, ColumnUse]] = (),
) -> facet_v2.column_lineage_dataset.ColumnLineageDatasetFacet:
    """The columns behind each output column, and those that decide which rows there are."""
    parts = facet_v2.column_lineage_dataset
    return parts.ColumnLineageDatasetFacet(
        fields={
            name: parts.Fields(inputFields=[_input_field(source, use) for source, use in uses])
            for name, uses in fields.items()
        },
        dataset=[_input_field(source, use) for source, use in rows],
        producer=events.producer(),
    )


def _input_field(source: events.DataSet, use: ColumnUse) -> facet_v2.column_lineage_dataset.InputField:
    kind = "DIRECT" if use.use in _DIRECT else "INDIRECT"
    transformation = facet_v2.column_lineage_dataset.Transformation(type=kind, subtype=use.use)
    return facet_v2.column_lineage_dataset.InputField(
        namespace=source.namespace, name=source.name, field=use.column, transformations=[transformation]
    )


def assertions(
    document: ValidationDocument,
) -> facet_v2.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet:
    """What was expected of a table, and whether it was met. Its sentences stay in the document."""
    parts = facet_v2.data_quality_assertions_dataset
    return parts.DataQualityAssertionsDatasetFacet(
        assertions=[
            parts.Assertion(
                assertion=entry.expectation,
                success=entry.success,
                column=entry.column,
                severity=_SEVERITY[entry.severity],
            )
            for entry in document.expectations
        ],
        producer=events.producer(),
    )


def quality(
    document: ValidationDocument,
) -> facet_v2.data_quality_metrics_dataset.DataQualityMetricsDatasetFacet | None:
    """The rows of the table and the nulls of each column, as far as an expectation counted them."""
    parts = facet_v2.data_quality_metrics_dataset
    counted = _counted(document)
    if counted is None:
        return None
    rows, nulls = counted
    columns = {name: parts.ColumnMetrics(nullCount=count) for name, count in nulls.items()}
    return parts.DataQualityMetricsDatasetFacet(
        rowCount=rows, columnMetrics=columns, producer=events.producer()
    )


def quality_of_input(
    document: ValidationDocument,
) -> facet_v2.data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet | None:
    """The same, as a facet of the table as the run has read it."""
    parts = facet_v2.data_quality_metrics_input_dataset
    counted = _counted(document)
    if counted is None:
        return None
    rows, nulls = counted
    columns = {name: parts.ColumnMetrics(nullCount=count) for name, count in nulls.items()}
    return parts.DataQualityMetricsInputDatasetFacet(
        rowCount=rows, columnMetrics=columns, producer=events.producer()
    )


def _counted(document: ValidationDocument) -> tuple[int | None, dict[str, int]] | None:
    rows: int | None = None
    nulls: dict[str, int] = {}
    for entry in document.expectations:
        observed: Any = entry.observed
        if entry.expectation in ROWS and isinstance(observed, int):
            rows = observed
        elif isinstance(observed, Mapping):
            rows = observed["rows"] if rows is None and isinstance(observed.get("rows"), int) else rows
            count = observed.get("unexpected")
            if entry.expectation == NOT_NULL and entry.column is not None and isinstance(count, int):
                nulls[entry.column] = count
    return None if rows is None and not nulls else (rows, nulls)


def tests(document: VerdictDocument) -> list[facet_v2.test_run.TestExecution]:
    """The rules of the policy as tests of the run; what is not decided is `skip`, beside its outcome."""
    return [
        facet_v2.test_run.TestExecution(
            name=finding.rule if finding.attribute is None else f"{finding.rule} by {finding.attribute}",
            status=_STATUS.get(finding.outcome, "skip"),
            severity=_SEVERITY[finding.severity],
            type=finding.metric,
            params={"outcome": finding.outcome.value},
        )
        for finding in document.findings
        if finding.outcome is not None
    ]
