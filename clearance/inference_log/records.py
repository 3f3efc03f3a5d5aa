"""What the inference log records, one frozen class for each kind.

    Record
    ├── Inference     a decision and everything that it rests on
    ├── Read          somebody read a record, and why
    ├── Review        a person contests a decision, or decides on a contest (GDPR, Art. 22(3))
    ├── Replay        a decision was computed again and compared
    ├── ShadowScore   what a challenger would have answered; never returned to anybody
    ├── Refusal       a request was turned away
    └── Erasure       the key of a subject was destroyed

A record has a header, which stays readable (`OPEN` names its fields), and content, which is sealed under a
key and can be erased. Numbers come back bit for bit, with their type; None is a missing value, and an absent
key is absent. NaN and infinities are refused. Nothing here reads a file or a database.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import time as clock
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar

from clearance import canonical_json
from clearance.errors import IntegrityError
from clearance.inference_log import faults
from clearance.ledger import times

LONGEST = 256 * 1024
"""Most bytes of the content of one record."""
LONGEST_HEADER = 8 * 1024
"""Most bytes of the header of one record."""

FAVOURABLE, UNFAVOURABLE = "favourable", "unfavourable"
"""The decision of a binary classifier, as its record has it."""

Scalar = bool | int | float | str
Value = bool | int | float | str | None

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.ASCII)
_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}\Z")
_OPTIONAL_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{0,200}\Z")


class RecordKind(StrEnum):
    """The kind of a record, as the log stores it."""

    INFERENCE = "inference"
    READ = "read"
    REVIEW = "review"
    REPLAY = "replay"
    SHADOW = "shadow"
    REFUSAL = "refusal"
    ERASURE = "erasure"


def new_id() -> str:
    """A new id: a UUID of version 7 (RFC 9562). Ids sort by the millisecond in which they were made."""
    bits = clock.time_ns() // 1_000_000 << 80 | 7 << 76 | int.from_bytes(os.urandom(10)) & ~(0xF << 76)
    text = f"{bits & ~(3 << 62) | 2 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_id(text: object) -> bool:
    """Whether this is the text of an id of a record."""
    return isinstance(text, str) and _ID.match(text) is not None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, kw_only=True)
class ModelReference:
    """A model: its name, its version there, and the digest of its content."""

    name: str
    version: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class PolicyReference:
    """A policy: its id, its version, and the SHA-256 of its file."""

    id: str
    version: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """What every record states: an id, the time of the event in UTC, who caused it, and in which request."""

    kind: ClassVar[RecordKind]
    OPEN: ClassVar[tuple[str, ...]] = ("caller", "request_id")

    id: str = field(default_factory=new_id)
    time: dt.datetime = field(default_factory=_now)
    caller: str
    request_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Inference(Record):
    """A decision about one row, and everything that it rests on.

    `input` maps each feature to its value as it was received. `subject` is the entity that it is about; its
    key seals the content. `idempotency_key` is the caller's own; `body_digest` tells a repeat from another
    request under the same key (default: the digest of `input`). `reasons` are JSON values.
    """

    kind = RecordKind.INFERENCE
    OPEN = (*Record.OPEN, "model", "policy")

    model: ModelReference
    policy: PolicyReference
    input: Mapping[str, Value]
    score: float | None
    threshold: float | None
    decision: Scalar | None
    reasons: tuple[Any, ...] = ()
    flags: tuple[str, ...] = ()
    subject: str | None = None
    idempotency_key: str | None = None
    body_digest: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class About(Record):
    """A record about an earlier one, whose id is `about`; its content is sealed under the same key."""

    OPEN = (*Record.OPEN, "about")

    about: str


@dataclass(frozen=True, kw_only=True)
class Read(About):
    """`caller` read the record `about`, for this reason. Sealed under the key of the day, not the subject's.

    Who looked must stay known when the subject's content is erased.
    """

    kind = RecordKind.READ

    reason: str


@dataclass(frozen=True, kw_only=True)
class Review(About):
    """A person's part in a decision. `step`: `contest` opens a review, `outcome` ends it.

    `outcome` is what the person decided, `decision` the decision that now holds.
    """

    kind = RecordKind.REVIEW
    OPEN = (*About.OPEN, "step")

    step: str
    text: str
    outcome: str | None = None
    decision: Scalar | None = None


@dataclass(frozen=True, kw_only=True)
class Replay(About):
    """The decision was computed again from the record; `same` says whether every bit came back."""

    kind = RecordKind.REPLAY
    OPEN = (*About.OPEN, "same")

    same: bool
    score: float | None = None
    decision: Scalar | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ShadowScore(About):
    """What the challenger `model` would have answered; `fault` says why it gave no answer."""

    kind = RecordKind.SHADOW
    OPEN = (*About.OPEN, "model")

    model: ModelReference
    score: float | None = None
    threshold: float | None = None
    decision: Scalar | None = None
    fault: str | None = None


@dataclass(frozen=True, kw_only=True)
class Refusal(Record):
    """A request was turned away; `code` is that of the fault."""

    kind = RecordKind.REFUSAL
    OPEN = (*Record.OPEN, "code")

    code: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Erasure(Record):
    """The key with the number `key` was destroyed, and with it the content of `count` records."""

    kind = RecordKind.ERASURE
    OPEN = (*Record.OPEN, "key", "count")

    key: int
    count: int
    reason: str


KINDS: Mapping[str, type[Record]] = {
    kind.kind: kind for kind in (Inference, Read, Review, Replay, ShadowScore, Refusal, Erasure)
}
"""The class of each kind."""

_BASE = frozenset({"id", "time"})
_CONTENT = {
    kind: tuple(f.name for f in fields(kind) if f.name not in {*_BASE, *kind.OPEN}) for kind in KINDS.values()
}
_REFERENCES = {"model": ModelReference, "policy": PolicyReference}
_TUPLES = frozenset({"reasons", "flags"})


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedRecord:
    """A record as bytes: its header, its content, and what the store finds it by.

    `subject` is whose key seals the content, None for the key of the day; `about` the record whose key seals
    it. `idempotency` is the digest of caller and key, `body_digest` that of the request.
    """

    id: str
    kind: str
    header: bytes
    content: bytes
    subject: str | None
    about: str | None
    idempotency: str | None
    body_digest: str | None


def encode(record: Record) -> EncodedRecord:
    """The record as it is written.

    Raises DataError when a field is invalid, a value is not JSON, or the record is too large.
    """
    _check(record)
    values = record.__dict__
    header: dict[str, Any] = {"id": record.id, "kind": record.kind, "time": times.stamp(record.time)}
    for name in record.OPEN:
        value = values[name]
        header[name] = value.__dict__ if name in _REFERENCES else value
    content = {name: values[name] for name in _CONTENT[type(record)]}
    about = idempotency = body_digest = subject = None
    if isinstance(record, Inference):
        subject, key = record.subject, record.idempotency_key
        content["input"] = dict(record.input)
        content["details"] = dict(record.details)
        if key is not None:
            body_digest = record.body_digest or hashlib.sha256(_json(content["input"])).hexdigest()
            content["body_digest"] = body_digest
            header["idempotency"] = idempotency = key_digest(record.caller, key)
    elif isinstance(record, About):
        about = record.about
    encoded, written = _json(header), _json(content)
    for data, limit in ((encoded, LONGEST_HEADER), (written, LONGEST)):
        if len(data) > limit:
            raise faults.TOO_LARGE(length=len(data), limit=limit)
    return EncodedRecord(
        id=record.id,
        kind=record.kind,
        header=encoded,
        content=written,
        subject=subject,
        about=about,
        idempotency=idempotency,
        body_digest=body_digest,
    )


def key_digest(caller: str, key: str) -> str:
    """What the store knows of a caller's idempotency key: the SHA-256 of `["caller","key"]`."""
    return hashlib.sha256(_json([caller, key])).hexdigest()


def decode(header: bytes, content: bytes) -> Record:
    """The record that `encode` wrote. Raises IntegrityError when it is not one."""
    opened, values = canonical_json.loads(header), canonical_json.loads(content)
    try:
        kind = KINDS[opened["kind"]]
        values |= {name: opened[name] for name in kind.OPEN}
        for name, reference in _REFERENCES.items():
            if name in values:
                values[name] = reference(**values[name])
        for name in _TUPLES & values.keys():
            values[name] = tuple(values[name])
        return kind(id=opened["id"], time=times.parse(opened["time"]), **values)
    except (KeyError, TypeError, ValueError) as error:
        identity = opened.get("id", "") if isinstance(opened, dict) else ""
        raise faults.UNREADABLE_RECORD(id=identity, why=error) from None


def to_json(record: Record) -> dict[str, Any]:
    """The record as a JSON value, header and content together, with its kind."""
    return {"kind": str(record.kind)} | asdict(record) | {"time": times.stamp(record.time)}


def read_header(header: bytes) -> dict[str, Any]:
    """The fields of a header. Raises IntegrityError when it is not one."""
    opened = canonical_json.loads(header)
    if not isinstance(opened, dict) or not {"id", "kind", "time"} <= opened.keys():
        raise faults.UNREADABLE_RECORD(id="", why="its header lacks a field")
    return opened


def _check(record: Record) -> None:
    if not is_id(record.id):
        raise faults.INVALID_FIELD(field="id", why="it is not a UUID in lower-case letters")
    if record.time.tzinfo is None:
        raise faults.INVALID_FIELD(field="time", why="it has no time zone")
    _check_name("caller", record.caller)
    if not isinstance(record.request_id, str) or not _OPTIONAL_NAME.match(record.request_id):
        raise faults.INVALID_FIELD(field="request_id", why="it must have at most 200 printable characters")
    if isinstance(record, Inference):
        for name in ("subject", "idempotency_key", "body_digest"):
            if (value := getattr(record, name)) is not None:
                _check_name(name, value)
        if not all(type(name) is str for name in record.input):
            raise faults.INVALID_FIELD(field="input", why="the name of every feature must be text")
        if not all(isinstance(value, _VALUES) for value in record.input.values()):
            raise faults.INVALID_FIELD(
                field="input", why="a value must be a number, text, a truth value or None"
            )
    elif isinstance(record, About) and not is_id(record.about):
        raise faults.INVALID_FIELD(field="about", why="it is not the id of a record")
    if isinstance(record, Review) and record.step not in ("contest", "outcome"):
        raise faults.INVALID_FIELD(field="step", why="it must be `contest` or `outcome`")


_VALUES = (float, int, str, bool, type(None))


def _check_name(name: str, value: object) -> None:
    if not isinstance(value, str) or not _NAME.match(value):
        raise faults.INVALID_FIELD(field=name, why="it must have 1 to 200 printable characters")


def _json(value: Any) -> bytes:
    """Canonical JSON of version 1: it keeps 1 and 1.0, 0.0 and -0.0 apart, which RFC 8785 writes alike."""
    try:
        text = canonical_json.text_v1(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise faults.NOT_JSON(why=error) from None
    if "\\ud" in text:
        try:
            canonical_json.loads(text.encode())
        except IntegrityError as error:
            raise faults.NOT_JSON(why=error.fault) from None
    return text.encode()
