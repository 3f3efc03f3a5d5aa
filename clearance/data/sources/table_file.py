"""A table as one Parquet file whose bytes depend on the rows alone.

It decides row groups and encoding; the batches in which rows arrive leave no trace in the file.
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
    """The groups, each read while the caller handles the previous one."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, groups, None)
        while (group := coming.result()) is not None:
            coming = reader.submit(next, groups, None)
            yield group


def row_groups(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, size: int = ROW_GROUP
) -> Iterator[pa.Table]:
    """The rows in tables of exactly `size` rows, the last one shorter, each contiguous in memory."""
    parts: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, size - count)
            parts.append(part)
            start, count = start + part.num_rows, count + part.num_rows
            if count == size:
                yield pa.Table.from_batches(parts, schema).combine_chunks()
                parts, count = [], 0
    if parts:
        yield pa.Table.from_batches(parts, schema).combine_chunks()
