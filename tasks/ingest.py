"""Stage: the source becomes one table, `data/raw.parquet`, with its origin in `data/origin.json`.

It decides where the rows come from and which types they have. It never judges them, never holds the whole
table in memory, and never uses the network: `tasks.snapshot` pulls databases.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from clearance import files, params, paths, stage
from clearance.data import faults
from clearance.data.sources import bindings, column_types, duckdb_engine, source_faults, table_file
from clearance.documents.origin_document import OriginDocument

logger = logging.getLogger(__name__)


def ingest(
    source: params.Source,
    target: Path,
    home: Path,
    memory_limit: str = duckdb_engine.MEMORY_LIMIT,
    uses: column_types.ColumnUses | None = None,
) -> OriginDocument:
    """Write the rows of `source` to `target` and return their origin.

    `uses` says what its columns are used as; without it, nothing is an identity and all may be features.
    DuckDB spills into `home` beyond `memory_limit`. Raises ConfigurationError on a `select` that cannot
    be used, SourceError on what cannot be read, DataError on a table without rows or with duplicate columns.
    """
    uses = uses or column_types.ColumnUses(declared=source.types or {})
    try:
        return _ingest(source, target, home, memory_limit, replace(uses, every_row=source.select is None))
    except column_types.SampleMisledError:
        return _ingest(source, target, home, memory_limit, uses)


def _ingest(
    source: params.Source, target: Path, home: Path, memory_limit: str, uses: column_types.ColumnUses
) -> OriginDocument:
    with duckdb_engine.session(home, memory_limit) as connection:
        with source_faults.translated_errors():
            description = bindings.bind(connection, source, uses)
            duckdb_engine.refuse_empty(connection)
        select = source.select or "SELECT * FROM source"
        translated = _usable_select() if source.select else source_faults.translated_errors()
        with translated, column_types.raise_if_misled():
            duckdb_engine.check_select(connection, select)
            batches = duckdb_engine.stream(connection, select, uses.identities)
        with source_faults.translated_errors(), column_types.raise_if_misled():
            rows = table_file.write(batches, target)
    if not rows:
        raise faults.NO_ROWS_SELECTED()
    return OriginDocument(
        source=description | ({"select": source.select} if source.select else {}),
        rows=rows,
        columns=tuple(batches.schema.names),
        types={field.name: str(field.type) for field in batches.schema},
        sha256=files.sha256(target),
    )


@contextmanager
def _usable_select() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        reason = str(error).strip()
        fault = source_faults.of_file(reason)
        raise fault or faults.SELECT_NOT_USABLE(reason=source_faults.without_values(reason)) from None


def main() -> None:
    """Read `source` of params.yaml; write the table and its origin."""
    settings = params.load(paths.PARAMS)
    with files.replacing(paths.RAW_TABLE) as target:
        uses = column_types.ColumnUses.of(settings.source, settings.data)
        origin = ingest(settings.source, target, duckdb_engine.HOME, uses=uses)
    origin.write(Path())
    if left_out := origin.source.get("left_out"):
        logger.info("ingest: files that are not read: %s", ", ".join(left_out))
    logger.info("ingest: %s rows, %s columns", f"{origin.rows:,}", len(origin.columns))


if __name__ == "__main__":
    stage.run(main)
