"""Check a table at its boundary: `python -m tasks.validate raw` or `prepared`.

A table that fails is not a fault of the run: the report says that it is blocked, and every later step passes
that on. Only a table that is not there, or not the recorded one, raises.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clearance import files, params, stage
from clearance.data.tables import prepared, row_ids
from clearance.errors import ConfigurationError, DataError
from expectations import boundary, data_docs, report
from expectations import prepared_boundary as prepared_suite
from expectations import raw_boundary as raw_suite

RAW = Path("data/raw.parquet")
ORIGIN = Path("data/origin.json")
EXAMPLE_DIGITS = 16

log = logging.getLogger(__name__)


def check_raw(
    table: pa.Table, data: params.Data, recorded: int
) -> tuple[dict[str, Any], boundary.SuiteResult, set[str]]:
    """The evidence document of the raw table, the result behind it, and the columns to hide in that.

    `recorded` is the number of rows `ingest` wrote. Raises DataError when the table has no rows at all.
    """
    if not table.num_rows:
        raise DataError("the table has no rows", "check `source.path`, `source.query` and `source.select`")
    frame = raw_suite.frame(table)
    readings, result = boundary.run("raw", frame, raw_suite.suite(data, table.column_names, recorded))
    silent = raw_suite.hidden(data) | report.proxy_columns(readings)
    identifiers = raw_suite.identifiers(data)

    def hashes(positions: list[int]) -> list[str]:
        return _hashes(table.take(positions), data.row_key)

    entries = report.entries(readings, frame, hashes, silent=silent, identifiers=identifiers)
    return report.document(entries, readings, "raw"), result, silent | identifiers


def check_prepared(
    tables: dict[str, pa.Table], record: dict[str, Any], data: params.Data, confidence: float
) -> tuple[dict[str, Any], boundary.SuiteResult, set[str]]:
    """The evidence document of the prepared tables, the result behind it, and the columns to hide in that.

    `record` is `reports/split.json`; `confidence` is the level of the intervals of what is measured.
    """
    frame = prepared_suite.frame(tables)
    readings, result = boundary.run("prepared", frame, prepared_suite.suite(data, tables, record, confidence))
    silent = prepared_suite.hidden(data) | report.proxy_columns(readings)
    identifiers = prepared_suite.identifiers()

    def hashes(positions: list[int]) -> list[str]:
        return [str(row)[:EXAMPLE_DIGITS] for row in frame["row"].iloc[positions]]

    entries = report.entries(readings, frame, hashes, silent=silent, identifiers=identifiers)
    figures = report.figures(readings)
    document = report.document(entries, readings, "prepared", figures)
    return document | {"sampling": prepared_suite.sampling(data)}, result, silent | identifiers


def main() -> None:
    """Write the report of the boundary that the command names, and its Data Docs."""
    boundaries = {"raw": _raw, "prepared": _prepared}
    if len(sys.argv) != 2 or sys.argv[1] not in boundaries:
        raise ConfigurationError(
            f"no boundary is called {' '.join(sys.argv[1:]) or 'nothing'}",
            "run `python -m tasks.validate raw` or `python -m tasks.validate prepared`",
        )
    boundaries[sys.argv[1]](params.load(Path("params.yaml")))


def _raw(settings: params.Params) -> None:
    origin = files.read_json(ORIGIN)
    table = pq.read_table(files.verify(RAW, origin["sha256"]))
    document, result, hidden = check_raw(table, settings.data, origin["rows"])
    _write(document | {"table": origin["sha256"]}, result, hidden)


def _prepared(settings: params.Params) -> None:
    record = files.read_json(prepared.RECORD)
    if record["status"] == "blocked":
        files.write_json(_report("prepared"), report.blocked_document("prepared", record["because"]))
        log.info("blocked: %s", record["because"])
        return
    tables = prepared.tables(Path())
    document, result, hidden = check_prepared(tables, record, settings.data, settings.evaluate.confidence)
    _write(document | {"tables": record["tables"]}, result, hidden)


def _write(document: dict[str, Any], result: boundary.SuiteResult, hidden: set[str]) -> None:
    name = document["boundary"]
    page = data_docs.publish(result, hidden, data_docs.FOLDER / name)
    files.write_json(_report(name), document)
    for entry in document["expectations"]:
        if not entry["success"]:
            log.warning("%s: %s", entry["severity"], entry["detail"])
    log.info("%s table %s; %s", name, "blocked" if document["blocked"] else "may be used", page)


def _report(name: str) -> Path:
    return Path(f"reports/validation_{name}.json")


def _hashes(table: pa.Table, key: str | None) -> list[str]:
    """The rows' hashes as `prepare` makes them, cut; a row without its key goes by its content."""
    texts = row_ids.content(table)
    if key is not None and key in table.column_names:
        texts = pc.coalesce(row_ids.canonical(table.column(key), key), texts)
    return [row[:EXAMPLE_DIGITS] for row in row_ids.hexadecimal(row_ids.digests(texts)).to_pylist()]


if __name__ == "__main__":
    stage.run(main)
