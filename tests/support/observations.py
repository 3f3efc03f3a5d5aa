"""Tables of observations for a feature store: Parquet files under DVC, and SQLite files."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
FILE = "data/features/application.parquet"
DATABASE = "data/features.db"
TYPES = {
    "applicant": pa.string(),
    "event": pa.timestamp("us", tz="UTC"),
    "created": pa.timestamp("us", tz="UTC"),
    "amount": pa.float64(),
    "purpose": pa.string(),
    "ratio": pa.float64(),
    "race": pa.string(),
}
SOURCE: dict[str, Any] = {
    "name": "application",
    "file": FILE,
    "entity": "applicant",
    "event_time": "event",
    "created_time": "created",
    "max_age_hours": 48,
    "features": ["amount", "purpose", "ratio"],
    "protected": ["race"],
}
"""The source that `write` makes."""
LIVE = {name: value for name, value in SOURCE.items() if name != "file"} | {
    "database": DATABASE,
    "table": "rows",
}
"""The source that `write_sqlite` makes."""


def row(
    applicant: str = "p-1", hours: float = 0, created: float | None = None, **values: Any
) -> dict[str, Any]:
    """An observation `hours` before noon, stored `created` hours before noon."""
    event = NOON - dt.timedelta(hours=hours)
    stored = event if created is None else NOON - dt.timedelta(hours=created)
    given = {"amount": 1.0, "purpose": "house", "ratio": 0.5, "race": "blue"} | values
    return {"applicant": applicant, "event": event, "created": stored, **given}


def write(root: Path, rows: Iterable[Mapping[str, Any]], types: Mapping[str, pa.DataType] = TYPES) -> Path:
    """Write the Parquet file, as `dvc add` leaves it."""
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([dict(item) for item in rows], schema=pa.schema(list(types.items())))
    pq.write_table(table, path)
    record(path)
    return path


def record(path: Path) -> None:
    """Have DVC's file beside it say what the file is."""
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    text = f"outs:\n- md5: {md5}\n  size: {path.stat().st_size}\n  hash: md5\n  path: {path.name}\n"
    Path(f"{path}.dvc").write_text(text)


def micros(at: dt.datetime) -> int:
    """Microseconds since 1970."""
    return (at - EPOCH) // dt.timedelta(microseconds=1)


def write_sqlite(root: Path, rows: Iterable[Mapping[str, Any]], *, path: str = DATABASE) -> Path:
    """Write the SQLite file; columns have no declared type, so that each value keeps its own."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"CREATE TABLE rows ({', '.join(TYPES)})")
        for item in rows:
            values = [micros(v) if isinstance(v, dt.datetime) else v for v in (item[name] for name in TYPES)]
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO rows VALUES ({marks})", values)  # noqa: S608
    return file
