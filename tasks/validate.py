"""Stage: check a table at its boundary: `python -m tasks.validate raw` or `prepared`.

A table that fails does not make the run fail: the report says that it is blocked, and every later stage
passes that on. Only a table that is missing, or not the recorded one, raises.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from clearance import files, params, paths, stage
from clearance.data.tables import prepared, row_ids
from clearance.data.tables.stored_table import Columnar, StoredTable
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.origin_document import OriginDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.validation_document import (
    BlockedValidation,
    PreparedValidationDocument,
    RawValidationDocument,
    StatedSampling,
    ValidationDocument,
)
from expectations import boundary, data_docs, faults, validation_report
from expectations import prepared_boundary as prepared_suite
from expectations import raw_boundary as raw_suite

EXAMPLE_DIGITS = 16
"""Hex digits of a row's hash that an example shows."""

D = TypeVar("D", bound=ValidationDocument)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BoundaryCheck(Generic[D]):
    """The document of a check, and Great Expectations' own result of it.

    The result must not be shown without hiding the columns `hidden`.
    """

    document: D
    result: boundary.SuiteResult
    hidden: set[str]


def check_raw(
    table: Columnar, data: params.Data, origin: OriginDocument
) -> BoundaryCheck[RawValidationDocument]:
    """Check the raw table against the declaration and its origin.

    Raises DataError when the table has no rows at all.
    """
    if not table.num_rows:
        raise faults.EMPTY_TABLE()
    observed = raw_suite.observed(table)
    suite = raw_suite.suite(data, table.column_names, origin.rows)
    results, suite_result = boundary.run("raw", observed, suite)
    silent = raw_suite.hidden(data) | validation_report.proxy_columns(results)
    identifiers = raw_suite.identifiers(data)

    def hashes(positions: list[int]) -> list[str]:
        return _hashes(table.take(positions), data.row_key)

    entries = validation_report.entries(results, observed, hashes, silent=silent, identifiers=identifiers)
    document = RawValidationDocument(
        measurements=validation_report.counts(entries, results),
        blocked=any(entry.blocks for entry in entries),
        expectations=entries,
        table=origin.sha256,
    )
    return BoundaryCheck(document=document, result=suite_result, hidden=silent | identifiers)


def check_prepared(
    tables: Mapping[str, Columnar], record: SplitDocument, data: params.Data, confidence: float
) -> BoundaryCheck[PreparedValidationDocument]:
    """Check the prepared tables against the declaration and the record of the split.

    `confidence` is the level of the intervals of what is measured.
    """
    observed = prepared_suite.observed(tables)
    suite = prepared_suite.suite(data, tables, record, confidence)
    results, suite_result = boundary.run("prepared", observed, suite)
    silent = prepared_suite.hidden(data) | validation_report.proxy_columns(results)
    identifiers = prepared_suite.identifiers()

    def hashes(positions: list[int]) -> list[str]:
        return [str(row)[:EXAMPLE_DIGITS] for row in observed["row"].iloc[positions]]

    entries = validation_report.entries(results, observed, hashes, silent=silent, identifiers=identifiers)
    document = PreparedValidationDocument(
        measurements={**validation_report.counts(entries, results), **validation_report.figures(results)},
        blocked=any(entry.blocks for entry in entries),
        expectations=entries,
        tables=record.tables,
        sampling=StatedSampling(statement=prepared_suite.sampling(data)),
    )
    return BoundaryCheck(document=document, result=suite_result, hidden=silent | identifiers)


def main() -> None:
    """Write the report of the boundary that the command names, and its Data Docs."""
    boundaries = {"raw": _raw, "prepared": _prepared}
    if len(sys.argv) != 2 or sys.argv[1] not in boundaries:
        raise faults.UNKNOWN_BOUNDARY(name=" ".join(sys.argv[1:]))
    boundaries[sys.argv[1]](params.load(paths.PARAMS))


def _raw(settings: params.Params) -> None:
    origin = OriginDocument.read(Path())
    table = StoredTable(files.verify(paths.RAW_TABLE, origin.sha256))
    _write(check_raw(table, settings.data, origin))


def _prepared(settings: params.Params) -> None:
    record = SplitDocument.read(Path())
    if isinstance(record, BlockedDocument):
        BlockedValidation(because=record.because, boundary="prepared").pass_on(paths.VALIDATION_PREPARED)
        return
    tables = prepared.tables(Path())
    _write(check_prepared(tables, record, settings.data, settings.evaluate.confidence))


def _write(check: BoundaryCheck[D]) -> None:
    document = check.document
    page = data_docs.publish(check.result, check.hidden, data_docs.FOLDER / document.boundary)
    document.write(Path())
    for entry in document.expectations:
        if not entry.success:
            logger.warning("%s: %s", entry.severity, entry.detail)
    outcome = "blocked" if document.blocked else "may be used"
    logger.info("%s table %s; %s", document.boundary, outcome, page)


def _hashes(table: pa.Table, key: str | None) -> list[str]:
    """The rows' hashes as `prepare` makes them, cut; a row without its key is hashed by its content."""
    texts = row_ids.content(table)
    if key is not None and key in table.column_names:
        texts = pc.coalesce(row_ids.canonical(table.column(key), key), texts)
    return [row[:EXAMPLE_DIGITS] for row in row_ids.hexadecimal(row_ids.digests(texts)).to_pylist()]


if __name__ == "__main__":
    stage.run(main, "(raw | prepared)")
