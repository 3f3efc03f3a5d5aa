"""The bytes of a text file before anybody reads it as a table: whole, decompressible, text in UTF-8.

DuckDB reads a gzip that was cut off as far as it goes and does not look at checksums, so the file is
decompressed once here. It decides nothing about rows and columns.
"""

from __future__ import annotations

import codecs
import io
import re
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
}
_FORMATS = {
    **dict.fromkeys((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"), "a zip archive or a spreadsheet"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old spreadsheet (.xls)",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"PAR1": "a Parquet file",
    b"%PDF-": "a PDF",
}
_START = 4096
_CONTROLS = re.compile(rb"[\x01-\x08\x0b\x0e-\x1f\x7f]")
"""Bytes that texts seldom hold and binary files soon do."""


def check(files: Iterable[Path], *, mark_allowed: bool) -> None:
    """Raise SourceError on a file that is cut off, damaged, packed unlike its name says, or not text.

    With `mark_allowed` a file may begin with the byte-order mark of UTF-8.
    """
    for path in files:
        start, zero = _read_whole(path)
        archive = next((name for magic, name in _ARCHIVES.items() if start.startswith(magic)), None)
        if archive is not None:
            raise faults.PACKED_FILE(path=path, kind=archive)
        if kind := next((name for magic, name in _FORMATS.items() if start.startswith(magic)), None):
            raise faults.NOT_TEXT(path=path, kind=kind)
        if start[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in start[:4]:
            raise source_faults.not_utf8(str(path), start if b"\xff" in start else b"\xff\xfe")
        if start.startswith(_MARK) and not mark_allowed:
            raise faults.BYTE_ORDER_MARK(path=path)
        if _CONTROLS.search(start) and not _is_utf8(start):
            raise faults.NOT_TEXT(path=path, kind="a binary file")
        if zero is not None:
            raise faults.ZERO_BYTE(path=path, line=zero)


def _is_utf8(start: bytes) -> bool:
    """Whether a text in UTF-8 may begin like this; its last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True


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
                start = start or chunk[:_START]
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
