"""The bytes of a text file before anybody reads it as a table: whole, decompressible, text in UTF-8.

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
    """Raise SourceError on a file that is cut off, damaged, packed unlike its name says, or no text.

    With `mark_allowed` a file may begin with the byte-order mark of UTF-8.
    """
    for path in files:
        start, zero = _read_whole(path)
        archive = next((name for magic, name in _ARCHIVES.items() if start.startswith(magic)), None)
        if archive is not None:
            raise faults.PACKED_FILE(path=path, kind=archive)
        if start[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in start[:4]:
            raise source_faults.not_utf8(str(path), start if b"\xff" in start else b"\xff\xfe")
        if start.startswith(_MARK) and not mark_allowed:
            raise faults.BYTE_ORDER_MARK(path=path)
        if zero is not None:
            raise faults.ZERO_BYTE(path=path, line=zero)


def opened(path: Path) -> IO[bytes]:
    """The decompressed bytes of the file, to be read from the start."""
    kind = file_listing.PACKED.get(path.suffix.lower())
    if kind is None:
        return path.open("rb")
    return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), kind))


def _read_whole(path: Path) -> tuple[bytes, int | None]:
    """How the file begins, and the line of its first zero byte; None where it has none."""
    start, lines, zero = b"", 1, None
    kind = file_listing.PACKED.get(path.suffix.lower())
    try:
        with opened(path) as stream:
            while chunk := stream.read(_CHUNK):
                start = start or chunk[:6]
                if zero is None and (at := chunk.find(b"\0")) >= 0:
                    zero = lines + chunk.count(b"\n", 0, at)
                lines += chunk.count(b"\n")
    except (pa.ArrowException, OSError) as error:
        if kind is None:
            raise
        raise faults.COMPRESSED_FILE_DAMAGED(
            path=path, kind=kind, reason=str(error).splitlines()[0]
        ) from None
    return start, zero
