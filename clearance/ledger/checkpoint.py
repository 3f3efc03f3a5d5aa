"""A checkpoint: a signed statement of the entries that a batch added, kept outside the ledger's database.

It is written before the batch is committed, and confirmed afterwards. Each names the entry before its batch
and the digest of the previous checkpoint: a removed checkpoint leaves a gap, and the newest signature covers
all of them. Nothing here holds a key: the caller passes in how to sign and how to verify.
"""

from __future__ import annotations

import binascii
import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clearance import canonical_json, in_toto
from clearance.errors import IntegrityError
from clearance.ledger import times
from clearance.ledger.entry import Entry

PREDICATE = "urn:clearance:ledger-checkpoint:v1"
FIRST = "0" * 64
"""What the first checkpoint has in place of the digest of the previous one."""


_decode = json.JSONDecoder().decode
_CONFIRMED = '{"confirmed":'


class SignedStatement(Protocol):
    """A verified envelope: the statement that was signed."""

    @property
    def statement(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class Seal:
    """How checkpoints are signed, verified and kept.

    `sign` makes a DSSE envelope of an in-toto statement. `verify_envelope` returns the statement, and raises
    IntegrityError unless a valid key signed it. `places` are the checkpoint files, all outside the database:
    the more of them other people control, the harder it is to cut back the ledger and every file alike.
    `witness` is a checkout's own copy: it is brought up to date at each append, because others append too.
    """

    sign: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    verify_envelope: Callable[[Mapping[str, Any]], SignedStatement]
    places: Sequence[Path]
    witness: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files to write to, the witness last: it never has what no other file has."""
        return (*self.places, *([self.witness] if self.witness else []))


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """The content of one signed line.

    Its batch follows entry number `after`, whose digest is `head`, and adds entries with `digests`.
    `previous` is the SHA-256 of the previous line, `sequence` counts from 1, `line` is the line itself.
    """

    ledger: str
    sequence: int
    previous: str
    at: str
    after: int
    head: str
    digests: tuple[str, ...]
    line: str

    @property
    def last(self) -> int:
        """The number of the last entry of the batch."""
        return self.after + len(self.digests)

    @property
    def digest(self) -> str:
        """The digest of the last entry of the batch: the ledger's head once it is committed."""
        return self.digests[-1]

    @property
    def sha256(self) -> str:
        """The digest that the next checkpoint has as `previous`."""
        return sha256(self.line)

    def follows(self, other: Checkpoint) -> bool:
        """Whether its batch follows the other's batch."""
        return self.after == other.last and self.head == other.digest

    def replaces(self, other: Checkpoint) -> bool:
        """Whether its batch starts where the other's did: the other's batch was never committed."""
        return self.after == other.after and self.head == other.head

    def __str__(self) -> str:
        return f"checkpoint {self.sequence} of {self.at} (entries {self.after + 1} to {self.last})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """The line after a checkpoint whose batch was committed. It is unsigned and proves nothing."""

    sequence: int


def sha256(line: str) -> str:
    """The digest of a line without its line end."""
    return hashlib.sha256(line.encode()).hexdigest()


def statement(
    ledger: str, last: Checkpoint | None, head: tuple[int, str], batch: Sequence[Entry], at: dt.datetime
) -> dict[str, Any]:
    """The in-toto statement that the batch adds its entries to a ledger whose head is `head`."""
    predicate = {
        "ledger": ledger,
        "sequence": 1 if last is None else last.sequence + 1,
        "previous": FIRST if last is None else last.sha256,
        "at": times.stamp(at),
        "after": head[0],
        "head": head[1],
    }
    subjects = [(f"entry {entry.number}", entry.digest) for entry in batch]
    return in_toto.frame(subjects, PREDICATE, predicate)


def line(envelope: Mapping[str, Any]) -> str:
    """The envelope as one line of a checkpoint file, without its line end."""
    return canonical_json.text_v1(envelope)


def confirmation(sequence: int) -> str:
    """The line that confirms a checkpoint, without its line end."""
    return f"{_CONFIRMED}{sequence}}}"


def read(line: str) -> Checkpoint | Confirmation | None:
    """The content of a line of a checkpoint file, not yet verified; None when it is not ours."""
    if line.startswith(_CONFIRMED):
        number = line[len(_CONFIRMED) : -1]
        return Confirmation(sequence=int(number)) if number.isdecimal() and line[-1] == "}" else None
    try:
        statement = _decode(binascii.a2b_base64(_decode(line)["payload"], strict_mode=True).decode())
        predicate = statement["predicate"]
        checkpoint = Checkpoint(
            ledger=predicate["ledger"],
            sequence=predicate["sequence"],
            previous=predicate["previous"],
            at=predicate["at"],
            after=predicate["after"],
            head=predicate["head"],
            digests=tuple([subject["digest"]["sha256"] for subject in statement["subject"]]),
            line=line,
        )
        numbers = type(checkpoint.sequence) is int and type(checkpoint.after) is int and checkpoint.after >= 0
        values = (checkpoint.ledger, checkpoint.previous, checkpoint.at, checkpoint.head, *checkpoint.digests)
        texts = all(map(str.isascii, values))
        ours = statement["predicateType"] == PREDICATE and bool(checkpoint.digests)
    except (binascii.Error, KeyError, TypeError, ValueError, RecursionError):
        return None
    return checkpoint if numbers and texts and ours else None


def fault_in(
    checkpoint: Checkpoint, verify_envelope: Callable[[Mapping[str, Any]], SignedStatement]
) -> str | None:
    """Why the signature of the line is not valid; None when it is, and covers what was read."""
    try:
        signed = verify_envelope(json.loads(checkpoint.line)).statement
    except IntegrityError as error:
        return error.fault
    subjects = tuple(subject["digest"]["sha256"] for subject in signed["subject"])
    predicate = signed["predicate"]
    same = subjects == checkpoint.digests and all(
        predicate[name] == getattr(checkpoint, name)
        for name in ("ledger", "sequence", "previous", "at", "after", "head")
    )
    return None if same else "what was signed differs from what the line says"
