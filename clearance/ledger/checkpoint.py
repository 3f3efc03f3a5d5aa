"""A checkpoint: a signed statement, kept outside the database, of which entries a batch added to the ledger.

It is written before the batch is committed, and confirmed after it. Each states the entry it goes on from
and the digest of the checkpoint before: one that is taken out leaves a gap, and the signature of the newest
vouches for all. Nothing here holds a key: who signs, and whose signature counts, is handed in.
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

from clearance.errors import IntegrityError
from clearance.ledger import times
from clearance.ledger.entry import Entry

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:clearance:ledger-checkpoint:v1"
FIRST = "0" * 64
"""What the first checkpoint has in place of the digest of the one before."""


_decode = json.JSONDecoder().decode
_CONFIRMED = '{"confirmed":'


class SignedStatement(Protocol):
    """An opened envelope: the statement whose signature holds."""

    @property
    def statement(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class Seal:
    """How checkpoints are signed, checked and kept.

    `sign` makes a DSSE envelope of an in-toto statement; `opened` gives it back, and raises IntegrityError
    unless a key that counts has signed it. `places` are files, each outside the database; the more of them
    in other hands, the harder is it to cut the ledger and every one of them alike.
    """

    sign: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    opened: Callable[[Mapping[str, Any]], SignedStatement]
    places: Sequence[Path]


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """What one signed line says.

    Its batch goes on from entry number `after` with digest `head`, and adds entries with `digests`.
    `previous` is the SHA-256 of the line before, `sequence` counts the lines from 1, `line` is its own text.
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
        """What the next checkpoint names as `previous`."""
        return sha256(self.line)

    def follows(self, other: Checkpoint) -> bool:
        """Whether its batch goes on from where the other's ended."""
        return self.after == other.last and self.head == other.digest

    def replaces(self, other: Checkpoint) -> bool:
        """Whether it goes on from where the other began: the other's batch never came to be."""
        return self.after == other.after and self.head == other.head

    def __str__(self) -> str:
        return f"checkpoint {self.sequence} of {self.at} (entries {self.after + 1} to {self.last})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """The line that says: the batch of this checkpoint was committed. It is unsigned and proves nothing."""

    sequence: int


def sha256(line: str) -> str:
    """The digest of a line as it is kept, without its end."""
    return hashlib.sha256(line.encode()).hexdigest()


def statement(
    ledger: str, last: Checkpoint | None, head: tuple[int, str], batch: Sequence[Entry], at: dt.datetime
) -> dict[str, Any]:
    """The in-toto statement that the batch adds its entries to a ledger whose head is `head`."""
    return {
        "_type": TYPE,
        "subject": [{"name": f"entry {each.number}", "digest": {"sha256": each.digest}} for each in batch],
        "predicateType": PREDICATE,
        "predicate": {
            "ledger": ledger,
            "sequence": 1 if last is None else last.sequence + 1,
            "previous": FIRST if last is None else last.sha256,
            "at": times.stamp(at),
            "after": head[0],
            "head": head[1],
        },
    }


def line(envelope: Mapping[str, Any]) -> str:
    """The envelope as one line of a place, without its end."""
    return json.dumps(envelope, sort_keys=True, separators=(",", ":"))


def confirmation(sequence: int) -> str:
    """The line that confirms a checkpoint, without its end."""
    return f"{_CONFIRMED}{sequence}}}"


def read(line: str) -> Checkpoint | Confirmation | None:
    """What a line of a place says, its signature not yet checked; None when it is none of ours."""
    if line.startswith(_CONFIRMED):
        number = line[len(_CONFIRMED) : -1]
        return Confirmation(sequence=int(number)) if number.isdecimal() and line[-1] == "}" else None
    try:
        said = _decode(binascii.a2b_base64(_decode(line)["payload"], strict_mode=True).decode())
        found = said["predicate"]
        made = Checkpoint(
            ledger=found["ledger"],
            sequence=found["sequence"],
            previous=found["previous"],
            at=found["at"],
            after=found["after"],
            head=found["head"],
            digests=tuple([each["digest"]["sha256"] for each in said["subject"]]),
            line=line,
        )
        numbers = type(made.sequence) is int and type(made.after) is int and made.after >= 0
        texts = all(map(str.isascii, (made.ledger, made.previous, made.at, made.head, *made.digests)))
        ours = said["predicateType"] == PREDICATE and bool(made.digests)
    except (binascii.Error, KeyError, TypeError, ValueError, RecursionError):
        return None
    return made if numbers and texts and ours else None


def fault_in(checkpoint: Checkpoint, opened: Callable[[Mapping[str, Any]], SignedStatement]) -> str | None:
    """Why the signature of the line does not hold; None when it does, and over what was read."""
    try:
        signed = opened(json.loads(checkpoint.line)).statement
    except IntegrityError as error:
        return error.fault
    subjects = tuple(each["digest"]["sha256"] for each in signed["subject"])
    said = signed["predicate"]
    same = subjects == checkpoint.digests and all(
        said[name] == getattr(checkpoint, name)
        for name in ("ledger", "sequence", "previous", "at", "after", "head")
    )
    return None if same else "what was signed is not what the line says"
