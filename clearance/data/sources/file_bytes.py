"""The bytes of a text file before anybody reads it as a table: whole, decompressible, and UTF-8.

DuckDB reads a gzip that was cut off as far as it goes and does not look at checksums, so the file is
decompressed once here. It decides nothing about rows and columns.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import pyarrow as pa

from clearance.data import faults
from clearance.data.sources import file_listing, source_faults

_CHUNK = 1 << 22
_MARK = b"\xef\xbb\xbf"
_ARCHIVES = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
}


def check(files: Iterable[Path], *, mark_allowed: bool) -> None:
    """Raise SourceError on a file that is cut off, damaged, packed in a way its name does not say, or UTF-16.

    With `mark_allowed` a file may begin with the byte-order mark of UTF-8.
    """
    for path in files:
        kind = file_listing.PACKED.get(path.suffix.lower())
        if kind is not None:
            _check_whole(path, kind)
        with opened(path) as file:
            start = file.read(6)
        archive = next((name for magic, name in _ARCHIVES.items() if start.startswith(magic)), None)
        if archive is not None:
            raise faults.PACKED_FILE(path=path, kind=archive)
        if start[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in start[:4]:
            raise source_faults.not_utf8(str(path), start if b"\xff" in start else b"\xff\xfe")
        if start.startswith(_MARK) and not mark_allowed:
            raise faults.BYTE_ORDER_MARK(path=path)


def opened(path: Path) -> IO[bytes]:
    """The decompressed bytes of the file, to be read from the start."""
    kind = file_listing.PACKED.get(path.suffix.lower())
    if kind is None:
        return path.open("rb")
    return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), kind))


def _check_whole(path: Path, kind: str) -> None:
    try:
        with pa.CompressedInputStream(pa.OSFile(str(path)), kind) as stream:
            while stream.read(_CHUNK):
                pass
    except (pa.ArrowException, OSError) as error:
        raise faults.COMPRESSED_FILE_DAMAGED(
            path=path, kind=kind, reason=str(error).splitlines()[0]
        ) from None
