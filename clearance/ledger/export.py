"""A ledger as one file of JSON lines, which verifies without any database.

    {"format": 1, "ledger": id, "places": [names]}
    {"entry": {fields as they are stored}}            one an entry, in order
    {"place": which of the names, "line": text}       one a line of every place

What is damaged is exported as it is: nothing is checked or mended on the way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

from clearance.errors import IntegrityError
from clearance.ledger import audit, reading, verification
from clearance.ledger.checkpoint_reader import CheckpointCopy, VerifyEnvelope
from clearance.ledger.entry import Entry
from clearance.ledger.reading import Ledger
from clearance.ledger.report import LedgerReport

FORMAT = 1
_FIELDS = {field.name for field in fields(Entry)}
_HINT = "export the ledger again with `clearance ledger export`"


def lines(ledger: Ledger, kept: Sequence[Path]) -> Iterator[str]:
    """The lines of the export, without their ends, as of one moment."""
    until, copies = audit.snapshot(ledger, kept)
    yield _line({"format": FORMAT, "ledger": ledger.id, "places": [copy.name for copy in copies]})
    for each in reading.entries(ledger, until=until):
        yield _line({"entry": asdict(each)})
    for place, copy in enumerate(copies):
        for text in copy.lines():
            yield _line({"place": place, "line": text})


def verify(file: Path, opened: VerifyEnvelope) -> LedgerReport:
    """Verify an export, streaming. Raises IntegrityError when it is none."""
    header = _header(file)
    copies = [
        CheckpointCopy(name=str(name), lines=partial(_kept, file, place))
        for place, name in enumerate(header["places"])
    ]
    return verification.verify(header["ledger"], partial(entries, file), copies, opened)


def entries(file: Path) -> Iterator[Entry]:
    """The entries of an export, as they are stored. Raises IntegrityError at the first that is none."""
    for number, found in _objects(file, '{"entry"'):
        fields_ = found.get("entry")
        if not isinstance(fields_, dict) or set(fields_) != _FIELDS:
            raise IntegrityError(f"line {number} of {file} is no ledger entry", _HINT)
        yield Entry(**fields_)


def _kept(file: Path, place: int) -> Iterator[str]:
    for _, found in _objects(file, '{"place"'):
        if found.get("place") == place and isinstance(found.get("line"), str):
            yield found["line"]


def _header(file: Path) -> Mapping[str, Any]:
    header = next((found for _, found in _objects(file, '{"format"')), {})
    names = header.get("places")
    if (
        header.get("format") != FORMAT
        or not isinstance(header.get("ledger"), str)
        or not isinstance(names, list)
    ):
        raise IntegrityError(f"{file} is no export of a ledger in format {FORMAT}", _HINT)
    return header


def _objects(file: Path, start: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines that begin so, with their numbers. Raises IntegrityError when the file cannot be read."""
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            for number, line in enumerate(opened, 1):
                if line.startswith(start):
                    yield number, _object(file, number, line)
                elif not line.startswith(('{"entry"', '{"place"', '{"format"')):
                    raise IntegrityError(f"line {number} of {file} is none of an export", _HINT)
    except OSError as error:
        raise IntegrityError(f"{file} cannot be read ({error.strerror})", _HINT) from None


def _object(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise IntegrityError(f"line {number} of {file} is no JSON object", _HINT)
    return found


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
