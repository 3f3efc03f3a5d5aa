"""A ledger as one file of JSON lines, which verifies without a database.

    {"format": 1, "ledger": id, "places": [names of the checkpoint files]}
    {"entry": {fields as they are stored}}            one line for each entry, in order
    {"place": index of the name, "line": text}        one line for each line of each checkpoint file

Damaged content is exported as it is: nothing is checked or repaired on the way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

from clearance.ledger import audit, faults, reading, verification
from clearance.ledger.checkpoint_reader import CheckpointCopy, VerifyEnvelope
from clearance.ledger.entry import Entry
from clearance.ledger.reading import Ledger
from clearance.ledger.verification_report import LedgerReport

FORMAT = 1
_FIELDS = {field.name for field in fields(Entry)}


def lines(ledger: Ledger, files: Sequence[Path]) -> Iterator[str]:
    """The lines of the export, without line ends, as of one moment."""
    until, copies = audit.snapshot(ledger, files)
    yield _line({"format": FORMAT, "ledger": ledger.id, "places": [copy.name for copy in copies]})
    for entry in reading.entries(ledger, until=until):
        yield _line({"entry": asdict(entry)})
    for index, copy in enumerate(copies):
        for text in copy.lines():
            yield _line({"place": index, "line": text})


def verify(file: Path, verify_envelope: VerifyEnvelope) -> LedgerReport:
    """Verify an export as a stream. Raises IntegrityError when the file is not an export."""
    header = _header(file)
    copies = [
        CheckpointCopy(name=str(name), lines=partial(_checkpoint_lines, file, index))
        for index, name in enumerate(header["places"])
    ]
    return verification.verify(header["ledger"], partial(entries, file), copies, verify_envelope)


def entries(file: Path) -> Iterator[Entry]:
    """The entries of an export as they are stored. Raises IntegrityError at the first that is not one."""
    for number, value in _objects(file, '{"entry"'):
        stored = value.get("entry")
        if not isinstance(stored, dict) or set(stored) != _FIELDS:
            raise faults.NOT_AN_ENTRY(line=number, file=file)
        yield Entry(**stored)


def _checkpoint_lines(file: Path, index: int) -> Iterator[str]:
    for _, value in _objects(file, '{"place"'):
        if value.get("place") == index and isinstance(value.get("line"), str):
            yield value["line"]


def _header(file: Path) -> Mapping[str, Any]:
    header = next((value for _, value in _objects(file, '{"format"')), {})
    names = header.get("places")
    valid = header.get("format") == FORMAT and isinstance(header.get("ledger"), str)
    if not valid or not isinstance(names, list):
        raise faults.NOT_AN_EXPORT(file=file, format=FORMAT)
    return header


def _objects(file: Path, start: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines that start so, with their numbers. Raises IntegrityError when the file cannot be read."""
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                if line.startswith(start):
                    yield number, _object(file, number, line)
                elif not line.startswith(('{"entry"', '{"place"', '{"format"')):
                    raise faults.NOT_AN_EXPORT_LINE(line=number, file=file)
    except OSError as error:
        raise faults.EXPORT_NOT_READABLE(file=file, why=error.strerror) from None


def _object(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise faults.NOT_AN_OBJECT(line=number, file=file)
    return value


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
