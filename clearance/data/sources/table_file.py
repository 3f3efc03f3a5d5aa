"""A table as one Parquet file whose bytes depend on the rows alone.

It decides row groups and encoding; how the rows arrive in batches never shows in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 122_880


def write(batches: pa.RecordBatchReader, path: Path) -> int:
    """Write every row to `path`, holding two row groups at a time; returns the number of rows."""
    rows = 0
    schema = batches.schema.remove_metadata()
    repeating = [field.name for field in schema if not pa.types.is_floating(field.type)]
    with pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=1, use_dictionary=repeating
    ) as writer:
        for group in _read_ahead(row_groups(batches, schema)):
            writer.write_table(group, row_group_size=ROW_GROUP)
            rows += group.num_rows
    return rows


def _read_ahead(groups: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The groups, each read while the caller deals with the one before."""
    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(next, groups, None)
        while (group := coming.result()) is not None:
            coming = beside.submit(next, groups, None)
            yield group


def row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows in tables of exactly ROW_GROUP rows, the last one shorter, each in one piece of memory."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, ROW_GROUP - count)
            held.append(part)
            start, count = start + part.num_rows, count + part.num_rows
            if count == ROW_GROUP:
                yield pa.Table.from_batches(held, schema).combine_chunks()
                held, count = [], 0
    if held:
        yield pa.Table.from_batches(held, schema).combine_chunks()
