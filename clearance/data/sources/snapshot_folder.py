"""The folder that holds the copy of a SQL or OpenML source: `table.parquet` and `origin.json`, both or none.

It decides whether a snapshot may be trusted and whether it is out of date. It never asks the database;
`tasks.snapshot` does.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from clearance import files
from clearance.data import faults
from clearance.data.sources import column_types, duckdb_engine
from clearance.errors import IntegrityError
from clearance.params import Source

TABLE = "table.parquet"
ORIGIN = "origin.json"


def bind(
    connection: duckdb.DuckDBPyConnection, name: str, source: Source, _uses: column_types.ColumnUses
) -> dict[str, Any]:
    """Make the snapshot the view `name` of a session that can read nothing else, and return its origin.

    Raises what `read` raises.
    """
    table, origin = read(source)
    connection.execute(f"CREATE TEMP VIEW {name} AS FROM read_parquet({duckdb_engine.literal(str(table))})")
    duckdb_engine.confine(connection, [table])
    return origin


def read(source: Source) -> tuple[Path, dict[str, Any]]:
    """The table and origin of the snapshot at `source.path`.

    Raises SourceError when there is none or it was taken of something other than what `source` requests,
    and IntegrityError when the table is not the one it recorded.
    """
    folder = Path(source.path)
    if not (folder / ORIGIN).is_file():
        raise faults.NO_SNAPSHOT(folder=folder)
    origin = files.read_json(folder / ORIGIN)
    changed = [name for name, value in source.request.items() if origin.get(name) != value]
    if changed:
        raise faults.SNAPSHOT_OUT_OF_DATE(folder=folder, keys=" and ".join(changed))
    return files.verify(folder / TABLE, str(origin.get("sha256"))), origin


def current_origin(folder: Path) -> dict[str, Any] | None:
    """The origin of the snapshot in `folder`; None when missing or its table is not the recorded one."""
    try:
        origin: dict[str, Any] = files.read_json(folder / ORIGIN)
        files.verify(folder / TABLE, str(origin.get("sha256")))
    except (IntegrityError, AttributeError):
        return None
    return origin


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """An empty folder next to `folder`, on the same disk, for its replacement; deleted at the end."""
    new = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def replace(new: Path, folder: Path) -> None:
    """Replace `folder` by the finished folder `new`. After a kill at any moment, `recover` restores one."""
    previous = _previous(folder)
    shutil.rmtree(previous, ignore_errors=True)
    new.chmod(0o755)
    if folder.exists():
        folder.replace(previous)
    new.replace(folder)
    shutil.rmtree(previous, ignore_errors=True)


def recover(folder: Path) -> None:
    """Clean up after a killed snapshot: restore the old folder and delete unfinished ones."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    previous = _previous(folder)
    if previous.exists() and not folder.exists():
        previous.replace(folder)
    for leftover in (previous, *folder.parent.glob(f".{folder.name}.*.part")):
        shutil.rmtree(leftover, ignore_errors=True)


def _previous(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.previous.part")


def check_place(folder: Path, root: Path) -> None:
    """Raise ConfigurationError when `folder` is outside `root` or holds anything but a snapshot."""
    if not folder.resolve().is_relative_to(root.resolve()) or folder.resolve() == root.resolve():
        raise faults.SNAPSHOT_OUTSIDE_PROJECT(folder=folder)
    if folder.is_file() or (folder.is_dir() and not {p.name for p in folder.iterdir()} <= {TABLE, ORIGIN}):
        raise faults.SNAPSHOT_FOLDER_IN_USE(folder=folder)
