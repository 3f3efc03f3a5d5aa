"""One entry of the ledger, what its digest covers, and the sentence that tells it.

Plain values: nothing here reads a clock, a file or a database. Whether an entry is allowed is decided
elsewhere; whether it is sound (`fault_in`) is decided here, from its own fields alone.

    body digest = SHA-256("clearance/ledger/body/1 " + salt, 32 characters + " " + body as canonical JSON)
    digest      = SHA-256(JSON ["clearance/ledger/entry/1", number, time, kind, model, actor, keyid,
                                body digest, previous])
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clearance.errors import DataError, IntegrityError
from clearance.ledger import times
from clearance.ledger.kinds import WORDS, EntryKind

LONGEST = 256 * 1024
"""Characters of a body. A document that is longer is kept as a file and cited by its SHA-256."""

MEND = "run `clearance ledger verify`, and put the ledger and its checkpoints back from a backup"
"""What to do about a ledger that does not hold."""

_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}\Z")
_SALT = 32
_quote = json.encoder.encode_basestring_ascii
_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True, allow_nan=False).encode


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What is to be recorded. `actor` is the identity of a person, `keyid` the key that proved it, if any.

    `model` is None for what concerns no single model. Raises DataError when a name is empty, too long or not
    printable, or when the body is no JSON object of at most `LONGEST` characters.
    """

    kind: EntryKind
    model: str | None
    actor: str
    body: Mapping[str, Any] = field(default_factory=dict)
    keyid: str | None = None

    def __post_init__(self) -> None:
        for name in ("model", "actor", "keyid"):
            value = getattr(self, name)
            missing = value is None and name != "actor"
            if not missing and not (isinstance(value, str) and _NAME.match(value)):
                raise DataError(
                    f"the {name} of a ledger entry is no name of 1 to 200 printable characters",
                    "give it one; longer texts belong into the body",
                )
        if self.kind not in list(EntryKind):
            raise DataError(f"`{self.kind}` is no kind of ledger entry", f"use one of {', '.join(EntryKind)}")
        canonical(self.body)


def canonical(body: Mapping[str, Any]) -> str:
    """A body as the text that is stored and hashed: JSON, keys sorted, no spaces, ASCII.

    Raises DataError when it is no JSON object or too long.
    """
    mend = "give plain JSON values, and cite what is large by its SHA-256"
    try:
        if not isinstance(body, Mapping):
            raise TypeError("it is no object")
        text = _encode(dict(body))
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"the body of a ledger entry is no JSON object: {error}", mend) from None
    if len(text) > LONGEST:
        raise DataError(f"the body of a ledger entry has {len(text)} characters, over {LONGEST}", mend)
    return text


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An entry as it is stored: texts and digests, exactly the characters that were hashed.

    `number` counts from 1 without gaps. `text` is the body and `salt` what makes its digest unguessable;
    both are None once the body was erased. `previous` is the digest of the entry before.
    """

    number: int
    time: str
    kind: str
    model: str | None
    actor: str
    keyid: str | None
    salt: str | None
    text: str | None
    body_digest: str
    previous: str
    digest: str

    @property
    def at(self) -> dt.datetime:
        """When it was recorded: UTC, to the microsecond."""
        return times.parse(self.time)

    @property
    def body(self) -> dict[str, Any]:
        """The body; empty once it was erased. Raises IntegrityError when it is no JSON object."""
        try:
            found = json.loads(self.text) if self.text is not None else {}
        except (TypeError, ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise IntegrityError(f"the body of entry {self.number} is not readable", MEND)
        return found

    @property
    def redacted(self) -> bool:
        """Whether the body was erased."""
        return self.text is None

    def to_json(self) -> dict[str, Any]:
        """The entry for a reader: its body as JSON, its digests, no salt."""
        return {
            "number": self.number,
            "at": self.time,
            "kind": self.kind,
            "model": self.model,
            "actor": self.actor,
            "keyid": self.keyid,
            "body": None if self.redacted else self.body,
            "previous": self.previous,
            "digest": self.digest,
        }

    def __str__(self) -> str:
        did = next((words for kind, words in WORDS.items() if kind == self.kind), f"recorded `{self.kind}`")
        version = self.body.get("version")
        parts = [self.actor, did, self.model, f"version {version}" if isinstance(version, int) else None]
        told = " ".join(part for part in parts if part)
        erased = ", content erased" if self.redacted else ""
        return f"#{self.number} {times.for_display(self.at)}: {told}{erased}."


def origin(ledger: str) -> str:
    """What the first entry of the ledger with this id has as `previous`."""
    return _sha256(_encode(["clearance/ledger/origin/1", ledger]))


def chain(drafts: Iterable[Draft], *, after: int, previous: str, at: dt.datetime) -> Iterator[Entry]:
    """The entries that follow number `after`, whose digest is `previous`, all recorded at one time."""
    time = times.stamp(at)
    for number, draft in enumerate(drafts, after + 1):
        salt, text = secrets.token_hex(_SALT // 2), canonical(draft.body)
        body = body_digest(salt, text)
        own = _digest(number, time, draft.kind, draft.model, draft.actor, draft.keyid, body, previous)
        yield Entry(
            number=number,
            time=time,
            kind=str(draft.kind),
            model=draft.model,
            actor=draft.actor,
            keyid=draft.keyid,
            salt=salt,
            text=text,
            body_digest=body,
            previous=previous,
            digest=own,
        )
        previous = own


def fault_in(entry: Entry) -> str | None:
    """What is wrong with the entry as it stands alone; None when its digest covers its content."""
    if type(entry.number) is not int or not isinstance(entry.time, str):
        return "its number or time is not readable"
    try:
        times.parse(entry.time)
        if entry.text is not None and body_digest(entry.salt, entry.text) != entry.body_digest:
            return "its body is not what was recorded"
        if entry.digest != digest_of(entry):
            return "its content is not what was recorded"
    except (TypeError, ValueError):
        return "it is not readable"
    return None


def digest_of(entry: Entry) -> str:
    """The digest that an entry with these fields has. Raises TypeError when one cannot be JSON."""
    return _digest(
        entry.number,
        entry.time,
        entry.kind,
        entry.model,
        entry.actor,
        entry.keyid,
        entry.body_digest,
        entry.previous,
    )


def body_digest(salt: str | None, text: str) -> str:
    """The digest that the chain commits to in place of the body, so that the body may be erased."""
    if salt is None or len(salt) != _SALT:  # of one length, so that no character moves to the other side
        raise ValueError("a salt of another length")
    return _sha256(f"clearance/ledger/body/1 {salt} {text}")


def _digest(number: int, time: str, kind: str, *rest: str | None) -> str:
    texts = ",".join(["null" if each is None else _quote(each) for each in (time, kind, *rest)])
    return _sha256(f'["clearance/ledger/entry/1",{number},{texts}]')  # by hand: three times as fast


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()
