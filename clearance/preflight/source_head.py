"""The first lines of a source's files, in a folder of their own, so that a long table is as quick to look at.

What the head shows about names is true of the whole table; what it shows about types and values need not be.
"""

from __future__ import annotations

import contextlib
import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path

from clearance.data import faults
from clearance.data.sources import file_listing
from clearance.params import Source

SMALL = 256 * 1024
"""Bytes of a source that is read in full."""

LINES = 128 * 1024
"""Bytes that are read of each file of a longer one."""

CUT = {
    faults.CSV_FIELD_COUNT.code,
    faults.CSV_OPEN_QUOTE.code,
    faults.CSV_MALFORMED.code,
    faults.JSON_RECORD_INVALID.code,
    faults.TABLE_UNREADABLE.code,
    faults.FILES_DIFFER_IN_TYPES.code,
    faults.LINE_TOO_LONG.code,
}
"""What only the cut may have caused where a table was cut."""

_LINES = {".csv", ".tsv", ".jsonl", ".ndjson"}


@contextlib.contextmanager
def folder_of(root: Path, source: Source, *, small: int) -> Iterator[tuple[Path, bool] | None]:
    """The folder in which `source.path` leads to the table or its head, and whether it is all of it.

    Up to `small` bytes are all of it.
    None where the files cannot be cut, because they are long and not made of lines. Raises SourceError where
    there are no files.
    """
    with contextlib.chdir(root):
        files = file_listing.find(source).files if source.kind == "file" else ()
        size = sum(path.stat().st_size for path in files)
    if size <= small or all(path.suffix.lower() == ".parquet" for path in files):
        yield root, True
    elif Path(source.path).is_absolute() or not all(map(_is_of_lines, files)):
        yield None
    else:
        with tempfile.TemporaryDirectory() as folder:
            for path in files:
                _copy_head(root / path, Path(folder) / path)
            yield Path(folder), False


def _is_of_lines(path: Path) -> bool:
    return Path(path.name.lower().removesuffix(".gz")).suffix in _LINES


def _copy_head(path: Path, target: Path) -> None:
    """Copy the whole lines within the first bytes; the head of a compressed file is compressed again."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as file:
        head = file.read(LINES)
    cut = head if len(head) < LINES else head[: head.rfind(b"\n") + 1]
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened(target, "wb") as copy:
        copy.write(cut)
