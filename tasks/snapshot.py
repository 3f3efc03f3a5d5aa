"""Effect: a database query or an OpenML data set becomes an immutable copy, tracked by DVC, for `ingest`.

It is not a stage, because it asks the outside world. When the answer has not changed, nothing changes here,
not even the recorded time. If it is killed at any moment, the earlier copy is still there.
"""

from __future__ import annotations

import datetime as dt
import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clearance import files, params, paths, stage
from clearance.data import faults
from clearance.data.sources import (
    duckdb_engine,
    pulls,
    python_rows,
    snapshot_folder,
    source_faults,
    table_file,
)

logger = logging.getLogger(__name__)


def write_sorted(chunks: Iterable[pa.Table], target: Path, home: Path) -> int:
    """Write the rows to `target` in the order of their values and return how many there are.

    The order in which a database happens to answer makes no difference. Holds one chunk at a time. Raises
    DataError when there are no rows, or two columns have the same name.
    """
    with (
        tempfile.TemporaryDirectory(dir=target.parent) as folder,
        duckdb_engine.session(home) as connection,
        source_faults.translated_errors(),
    ):
        parts: list[Path] = []
        for chunk in chunks:
            duckdb_engine.refuse_duplicate_names(chunk.column_names, "the answer")
            parts.append(Path(folder) / f"{len(parts):06}.parquet")
            pq.write_table(chunk, parts[-1])
        if not sum(pq.read_metadata(part).num_rows for part in parts):
            raise faults.NO_ROWS()
        connection.register("source", _joined(parts))
        duckdb_engine.confine(connection, [])
        return table_file.write(duckdb_engine.stream(connection, "FROM source ORDER BY ALL"), target)


def _joined(parts: list[Path]) -> pa.RecordBatchReader:
    schema = python_rows.common_schema(pq.read_schema(part) for part in parts)
    batches = (batch for part in parts for batch in pq.read_table(part).cast(schema).to_batches())
    return pa.RecordBatchReader.from_batches(schema, batches)


def write_snapshot(source: params.Source, state: Path, now: dt.datetime, new: Path) -> bool:
    """Fill the folder `new` with today's snapshot; return whether it differs from the one at `source.path`.

    The same rows for the same question from the same place are not new: the first recorded time stays.
    """
    chunks, origin = pulls.pull(source, state)
    table = new / snapshot_folder.TABLE
    origin |= {"rows": write_sorted(chunks, table, duckdb_engine.HOME), "sha256": files.sha256(table)}
    before = snapshot_folder.current_origin(Path(source.path))
    if before is not None and origin == {key: value for key, value in before.items() if key != "time"}:
        logger.info("snapshot: %s rows, unchanged since %s", f"{origin['rows']:,}", before["time"])
        return False
    origin["time"] = now.isoformat(timespec="seconds")
    files.write_json(new / snapshot_folder.ORIGIN, origin)
    logger.info("snapshot: %s rows, new; commit %s.dvc", f"{origin['rows']:,}", source.path)
    return True


def snapshot(source: params.Source, state: Path, now: dt.datetime) -> None:
    """Bring the folder at `source.path` up to date and let DVC track it.

    Raises BusyError when another snapshot runs, or a stage reads the folder at the moment of the change.
    """
    from clearance.versioning import dvc_tracked

    folder = Path(source.path)
    snapshot_folder.check_place(folder, Path.cwd())
    with duckdb_engine.exclusive(state), dvc_tracked.repository() as repo:
        snapshot_folder.recover(folder)
        dvc_tracked.restore(repo, folder)
        with snapshot_folder.staging_folder(folder) as new:
            if write_snapshot(source, state, now, new):
                with duckdb_engine.exclusive(duckdb_engine.HOME):  # no ingest may read the folder now
                    dvc_tracked.replace(repo, folder, lambda: snapshot_folder.replace(new, folder))
        dvc_tracked.add(repo, folder)


def main() -> None:
    """Read `source` of params.yaml; renew its snapshot."""
    settings = params.load(paths.PARAMS)
    if settings.source.is_snapshot:
        snapshot(settings.source, paths.SNAPSHOT_STATE, dt.datetime.now(dt.UTC))
    else:
        logger.info("snapshot: nothing to do, because DVC itself tracks a %s source", settings.source.kind)


if __name__ == "__main__":
    stage.run(main)
