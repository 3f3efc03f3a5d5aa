"""An SQLite database that nobody may write here: a read-only checkout, or a backup."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote


def is_writable(file: Path) -> bool:
    """Whether SQLite can open the database as it does for writing: that needs files beside it."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def files(file: Path) -> tuple[Path, ...]:
    """The files of an SQLite database: itself, its write-ahead log and the index of that."""
    return (file, *(file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm")))


@contextmanager
def uri(file: Path) -> Iterator[str]:
    """The URI under which SQLite opens the database for reading, and writes nothing; valid inside the block.

    While another account writes it, its log has an index, and SQLite reads both. Without an index nobody
    does: what a log still holds is merged in a copy, and a database without a log is read as it is.
    """
    _, log, index = files(file)
    with ExitStack() as stack:
        source, mode = file, "mode=ro"
        if not index.exists() and log.exists() and log.stat().st_size:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for path in (file, log):
                shutil.copyfile(path, folder / path.name)
            source = folder / file.name
        elif not index.exists():
            mode = "immutable=1"
        yield f"file:{quote(str(source.absolute()))}?{mode}"
