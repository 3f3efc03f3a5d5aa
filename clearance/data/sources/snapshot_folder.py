"""The folder a SQL or OpenML source is kept in: `table.parquet` and `origin.json`, whole or not at all.

It decides whether a snapshot may be trusted and whether a new one says anything new. It never asks
the database; `tasks.snapshot` does.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clearance import files
from clearance.errors import ConfigurationError, IntegrityError, SourceError
from clearance.params import Source

TABLE = "table.parquet"
ORIGIN = "origin.json"
_HINT = "run `make repro`, or `python -m tasks.snapshot`: it pulls the table and keeps a copy"


def request(source: Source) -> dict[str, Any]:
    """What the snapshot of `source` must have been asked for."""
    if source.kind == "sql":
        return {"kind": "sql", "query": source.query}
    return {"kind": "openml", "openml_id": source.openml_id}


def read(source: Source) -> tuple[Path, dict[str, Any]]:
    """The table and origin of the snapshot at `source.path`.

    Raises SourceError when there is none or it answers another question than `source` asks, and
    IntegrityError when the table is not the one it recorded.
    """
    folder = Path(source.path)
    if not (folder / ORIGIN).is_file():
        raise SourceError(f"there is no snapshot in {folder}", _HINT)
    origin = files.read_json(folder / ORIGIN)
    other = [name for name, value in request(source).items() if origin.get(name) != value]
    if other:
        raise SourceError(
            f"the snapshot in {folder} has another {' and '.join(other)} than params.yaml",
            _HINT,
        )
    return files.verify(folder / TABLE, str(origin.get("sha256"))), origin


def current_origin(folder: Path) -> dict[str, Any] | None:
    """The origin of the snapshot in `folder`; None when there is none or its content is not as recorded."""
    try:
        origin: dict[str, Any] = files.read_json(folder / ORIGIN)
        files.verify(folder / TABLE, str(origin.get("sha256")))
    except (IntegrityError, AttributeError):
        return None
    return origin


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`, on the same disk, for what may replace it; gone afterwards."""
    new = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def replace(new: Path, folder: Path) -> None:
    """Put the finished folder `new` where `folder` is. Killed at any moment, `recover` finds one whole."""
    aside = _aside(folder)
    shutil.rmtree(aside, ignore_errors=True)
    new.chmod(0o755)
    if folder.exists():
        folder.replace(aside)
    new.replace(folder)
    shutil.rmtree(aside, ignore_errors=True)


def recover(folder: Path) -> None:
    """Mend what a killed snapshot left: the old folder comes back, unfinished ones go."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(folder)
    if aside.exists() and not folder.exists():
        aside.replace(folder)
    for left in (aside, *folder.parent.glob(f".{folder.name}.*.part")):
        shutil.rmtree(left, ignore_errors=True)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.previous.part")


def check_place(folder: Path, root: Path) -> None:
    """Raise ConfigurationError when `folder` is outside `root` or holds anything but a snapshot."""
    if not folder.resolve().is_relative_to(root.resolve()) or folder.resolve() == root.resolve():
        raise ConfigurationError(
            f"{folder} is outside the project",
            "name a folder inside it in `source.path`, where DVC can track it",
        )
    if folder.is_file() or (folder.is_dir() and not {p.name for p in folder.iterdir()} <= {TABLE, ORIGIN}):
        raise ConfigurationError(
            f"{folder} holds something else than a snapshot", "name a folder of its own in `source.path`"
        )
