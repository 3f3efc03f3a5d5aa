"""A Parquet file that DVC versions, as a table of a private SQLite database: found by id, in bounded memory.

The file is read only when its content is what DVC recorded. The database is SQLite's own temporary one,
which nobody else can open and which ends with this process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clearance import paths
from clearance.errors import ClearanceError
from clearance.feature_store import faults
from clearance.feature_store.lookup import Kind
from clearance.feature_store.settings import Source
from clearance.versioning import digests, dvc_lock

TABLE = "observations"
_BATCH = 20_000


def recorded_version(root: Path, file: str) -> str:
    """The MD5 that DVC recorded of the file: in its .dvc file, or in dvc.lock.

    Raises ConfigurationError when DVC does not version it.
    """
    beside = root / f"{file}.dvc"
    if beside.is_file():
        md5 = dvc_lock.tracked_outputs(beside.read_text(encoding="utf-8")).get(Path(file).name)
    else:
        lock = root / paths.DVC_LOCK
        md5 = dvc_lock.read(lock).outs.get(file) if lock.is_file() else None
    if md5 is None:
        raise faults.NOT_VERSIONED(file=file)
    return md5


def load(root: Path, source: Source) -> tuple[sqlite3.Connection, str, dict[str, Kind]]:
    """A connection to the rows, the version of the file, and the kind of each feature.

    Raises ConfigurationError when the file is not there or not versioned, IntegrityError when it is another
    version, or a column has a type or a value that no source may have.
    """
    file = str(source.file)
    version = recorded_version(root, file)
    try:
        with (root / file).open("rb") as stream:
            if digests.stream_md5(stream) != version:
                raise faults.NOT_THE_VERSION(file=file)
            stream.seek(0)
            connection, kinds = _read(stream, source, file)
    except FileNotFoundError:
        raise faults.FILE_MISSING(file=file) from None
    except (pa.ArrowException, OSError) as error:
        raise faults.UNREADABLE(file=file, why=type(error).__name__) from None
    return connection, version, kinds


def _read(stream: BinaryIO, source: Source, file: str) -> tuple[sqlite3.Connection, dict[str, Kind]]:
    table = pq.ParquetFile(stream)
    columns = columns_of(source)
    schema = table.schema_arrow
    for column in columns:
        if schema.names.count(column) != 1:
            raise faults.NO_COLUMN(file=file, column=column)
    kinds = _kinds(schema, source, file)
    connection = sqlite3.connect("", check_same_thread=False)
    try:
        names = ", ".join(quoted(column) for column in columns)
        marks = ", ".join("?" * len(columns))
        connection.execute(f"CREATE TABLE {TABLE} ({names})")
        for batch in table.iter_batches(_BATCH, columns=columns):
            rows = _rows(batch, source, file, columns)
            connection.executemany(f"INSERT INTO {TABLE} VALUES ({marks})", rows)  # noqa: S608
        key = ", ".join(map(quoted, columns[: 2 if source.created_time is None else 3]))
        connection.execute(f"CREATE INDEX by_entity ON {TABLE} ({key})")
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection, kinds


def columns_of(source: Source) -> list[str]:
    """The columns that are read: the entity, the times, then the others."""
    times = [source.event_time, *([source.created_time] if source.created_time else [])]
    return list(dict.fromkeys([source.entity, *times, *source.features.values(), *source.protected.values()]))


def quoted(name: str) -> str:
    """The name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _kinds(schema: pa.Schema, source: Source, file: str) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for name, column in source.features.items():
        kind = _kind(schema.field(column).type)
        if kind is None:
            raise _wrong(file, column, "is neither of numbers nor of texts")
        kinds[name] = kind
    for column in source.protected.values():
        if _kind(schema.field(column).type) is None and not pa.types.is_boolean(schema.field(column).type):
            raise _wrong(file, column, "is neither of numbers nor of texts")
    return kinds


def _kind(type_: pa.DataType) -> Kind | None:
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return "double"
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return "string" if any(is_text(type_) for is_text in texts) else None


def _rows(batch: pa.RecordBatch, source: Source, file: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    """The rows with ids as texts and times as microseconds since 1970, UTC."""
    values = []
    for column in columns:
        array = batch.column(column)
        if column == source.entity:
            array = _ids(array, file, column)
        elif column in (source.event_time, source.created_time):
            array = _times(array, file, column)
        elif pa.types.is_unsigned_integer(array.type) and pc.max(array).as_py() not in range(2**63):
            if array.null_count < len(array):
                raise _wrong(file, column, "holds a number that is too large")
        elif pa.types.is_floating(array.type) and pc.any(pc.is_inf(array)).as_py():
            raise _wrong(file, column, "holds an infinity")
        values.append(array.to_pylist())
    return zip(*values, strict=True)


def _ids(array: pa.Array, file: str, column: str) -> pa.Array:
    kind = _kind(array.type)
    if array.null_count or kind is None or pa.types.is_floating(array.type):
        raise _wrong(file, column, "has ids that are missing, or neither texts nor whole numbers")
    return array.cast(pa.string())


def _times(array: pa.Array, file: str, column: str) -> pa.Array:
    if not pa.types.is_timestamp(array.type) or array.type.tz is None:
        raise _wrong(file, column, "is not of times with a time zone")
    if array.null_count:
        raise _wrong(file, column, "has missing times")
    try:
        # Up, never down: a time must not move before the decision by being rounded.
        micros = array.cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64())
        if array.type.unit == "ns":
            part = pc.subtract(array.cast(pa.int64()), pc.multiply(micros, 1000))
            micros = pc.add(micros, pc.if_else(pc.greater(part, 0), 1, 0))
    except pa.ArrowInvalid:
        raise _wrong(file, column, "holds a time that is out of range") from None
    return micros


def _wrong(file: str, column: str, why: str) -> ClearanceError:
    return faults.WRONG_COLUMN(file=file, column=column, why=why)
