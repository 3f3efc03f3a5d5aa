"""What DuckDB says about a file it cannot read, as one fault and its mend.

It decides which words of the message a person needs. The content of a line never gets into an error:
it may hold personal data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from clearance.errors import ClearanceError, SourceError


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what DuckDB raises while it reads rows into one clear error."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        raise explain(str(error)) from None
    except OSError as error:  # DuckDB's own faults come so through Arrow, without a number
        if error.errno is not None:
            raise
        raise explain(str(error)) from None


def explain(message: str) -> ClearanceError:
    """The error for DuckDB's `message` about reading the rows of a table."""
    if "Out of Memory" in message or "max_temp_directory_size" in message:
        return SourceError(
            f"there is no room for the table: {_first_line(message)}",
            "free some disk space, or sort, join and group less in `source.select`",
        )
    return of_file(message) or _other(message)


def of_file(message: str) -> SourceError | None:
    """The error when DuckDB's `message` is about the content of a file; None when it is not."""
    return _csv(message) or _json(message) or _parquet(message)


def not_utf8(path: str, start: bytes = b"") -> SourceError:
    """The error for a file in another encoding; `start` is how the file begins, where that is known."""
    encoding = "UTF-16" if start[:2] in {b"\xff\xfe", b"\xfe\xff"} else "WINDOWS-1252"
    return SourceError(
        f"{path} is not UTF-8 text",
        f"convert it, for instance with `iconv -f {encoding} -t UTF-8 {path} > converted`",
    )


def _csv(message: str) -> SourceError | None:
    file = _found(r"^\s*file = (.*)$", message)
    if file is None:
        return None
    if "not utf-8" in message:
        return not_utf8(file)
    line = _found(r"CSV Error on Line: (\d+)", message)
    fields = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if fields:
        return SourceError(
            f"line {line} of {file} has {fields[2]} fields, its header has {fields[1]}",
            "mend that line; a field that holds the delimiter or a quote stands in double quotes",
        )
    where = f"line {line} of {file}" if line else file
    if "unterminated quote" in message:
        return SourceError(
            f"{where} opens a quote that is never closed", "close it, or double it inside a field"
        )
    return SourceError(
        f"{where} is no regular CSV: {_first_line(message)}",
        "look there for a stray quote, and for line ends of two kinds (Windows and Unix) in one file",
    )


def _json(message: str) -> SourceError | None:
    file = _found(r'in file "([^"]*)"', message)
    if file is None or "JSON" not in message:
        return None
    if "UTF-8" in message:
        return not_utf8(file)
    place = _found(r"in ((?:line|record/value) \d+)", message) or "some record"
    reason = (
        _found(r"Malformed JSON .*?\d+: (.*)", message) or "it repeats a key or holds another kind of value"
    )
    return SourceError(f"{place} of {file} is no valid JSON record: {reason.strip(' .')}", "mend that record")


def _parquet(message: str) -> SourceError | None:
    file = _found(r'Failed to read file "([^"]*)"', message)
    if file is None:
        return None
    reason = message.rsplit(": ", 1)[-1]
    return SourceError(
        f"{file} is no readable Parquet file: {reason}", "it is damaged: copy or write it again"
    )


def _other(message: str) -> SourceError:
    if "expected records" in message:
        return SourceError(
            "the JSON file holds no records", "write a list of objects, or one object a line: one per row"
        )
    return SourceError(
        f"the table cannot be read: {_first_line(message)}", "mend the values it names, or `source.select`"
    )


def _found(pattern: str, message: str) -> str | None:
    match = re.search(pattern, message, re.MULTILINE)
    return match[1].strip() if match else None


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0]
