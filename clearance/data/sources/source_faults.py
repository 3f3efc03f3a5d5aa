"""DuckDB's messages about a table it cannot read, translated into one fault and its hint.

It decides which words of the message a person needs. The content of a line never enters an error:
it may hold personal data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from clearance.data import faults
from clearance.errors import ClearanceError


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what DuckDB raises while it reads rows into one clear error."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        raise explain(str(error)) from None
    except OSError as error:  # Arrow passes DuckDB's own errors on like this, without a number
        if error.errno is not None:
            raise
        raise explain(str(error)) from None


def explain(message: str) -> ClearanceError:
    """The error for DuckDB's `message` about reading the rows of a table."""
    if "Out of Memory" in message or "max_temp_directory_size" in message:
        return faults.NO_SPACE(reason=_first_line(message))
    return of_file(message) or _other(message)


def of_file(message: str) -> ClearanceError | None:
    """The error when DuckDB's `message` is about the content of a file, else None."""
    return _csv(message) or _json(message) or _parquet(message)


def not_utf8(path: str, start: bytes = b"") -> ClearanceError:
    """The error for a file in another encoding; `start` is how the file begins, where that is known."""
    encoding = "UTF-16" if start[:2] in {b"\xff\xfe", b"\xfe\xff"} else "WINDOWS-1252"
    encoding = "UTF-32" if start[:4] in {b"\xff\xfe\0\0", b"\0\0\xfe\xff"} else encoding
    return faults.NOT_UTF8(path=path, encoding=encoding)


def _csv(message: str) -> ClearanceError | None:
    path = _match(r"^\s*file = (.*)$", message)
    if path is None:
        return None
    if "not utf-8" in message:
        return not_utf8(path)
    line = _match(r"CSV Error on Line: (\d+)", message)
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if counts:
        return faults.CSV_FIELD_COUNT(line=line, path=path, columns=counts[1], fields=counts[2])
    place = f"line {line} of {path}" if line else path
    if limit := _match(r"Maximum line size of (\d+) bytes exceeded", message):
        return faults.LINE_TOO_LONG(place=place, limit=limit)
    if "unterminated quote" in message:
        return faults.CSV_OPEN_QUOTE(place=place)
    return faults.CSV_MALFORMED(place=place, reason=_first_line(message))


def _json(message: str) -> ClearanceError | None:
    path = _match(r'in file "([^"]*)"', message)
    if path is None or "JSON" not in message:
        return None
    if "UTF-8" in message:
        return not_utf8(path)
    place = _match(r"in ((?:line|record/value) \d+)", message) or "some record"
    reason = (
        _match(r"Malformed JSON .*?\d+: (.*)", message) or "it repeats a key or holds another kind of value"
    )
    return faults.JSON_RECORD_INVALID(place=place, path=path, reason=reason.strip(" ."))


def _parquet(message: str) -> ClearanceError | None:
    path = _match(r'Failed to read file "([^"]*)"', message)
    if path is None:
        return None
    return faults.PARQUET_UNREADABLE(path=path, reason=message.rsplit(": ", 1)[-1])


def _other(message: str) -> ClearanceError:
    if "expected records" in message:
        return faults.JSON_WITHOUT_RECORDS()
    return faults.TABLE_UNREADABLE(reason=_first_line(message))


def _match(pattern: str, message: str) -> str | None:
    match = re.search(pattern, message, re.MULTILINE)
    return match[1].strip() if match else None


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0]
