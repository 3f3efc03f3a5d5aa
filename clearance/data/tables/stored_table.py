"""A Parquet file of which one column, or a few rows, are read at a time, under the names of Arrow's tables.

It holds nothing of the file, so a table may be longer than memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


class Columnar(Protocol):
    """A table that is read by column: Arrow's own, or a `StoredTable`."""

    @property
    def schema(self) -> pa.Schema: ...
    @property
    def num_rows(self) -> int: ...
    @property
    def column_names(self) -> list[str]: ...
    def column(self, name: str) -> pa.ChunkedArray: ...
    def take(self, positions: Sequence[int]) -> pa.Table: ...


class StoredTable:
    """The table in a Parquet file."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        self.schema: pa.Schema = self._file.schema_arrow
        self.num_rows: int = self._file.metadata.num_rows
        self.column_names: list[str] = self.schema.names

    def column(self, name: str) -> pa.ChunkedArray:
        """A column in full."""
        return self._file.read(columns=[name]).column(name)

    def parts(self) -> Iterator[pa.Table]:
        """All rows in order, one row group after the other."""
        for at in range(self._file.num_row_groups):
            yield self._file.read_row_group(at)

    def take(self, positions: Sequence[int]) -> pa.Table:
        """The rows at these positions, in their order; only the row groups that hold them are read."""
        sizes = [self._file.metadata.row_group(at).num_rows for at in range(self._file.num_row_groups)]
        ends = np.cumsum(sizes)
        group = np.searchsorted(ends, positions, side="right")
        needed = sorted({int(at) for at in group})
        offset = dict(zip(needed, np.cumsum([0, *(sizes[at] for at in needed)]), strict=False))
        inside = [
            int(offset[int(at)] + position - (ends[at] - sizes[at]))
            for at, position in zip(group, positions, strict=True)
        ]
        return self._file.read_row_groups(needed).take(inside)


def parts(table: Columnar) -> Iterator[pa.Table]:
    """All rows of the table in order, in tables that fit into memory: one, where it is there already."""
    if isinstance(table, pa.Table):
        yield table
    elif isinstance(table, StoredTable):
        yield from table.parts()
