"""One entry of the ledger: its fields, its digest, and the sentence that tells it.

Plain values: nothing here reads a clock, a file or a database. Whether an entry is allowed is decided
elsewhere; whether its digest covers it (`fault_in`) is decided here, from its own fields alone.

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
from typing import Any, TypeVar

from clearance import canonical_json
from clearance.errors import IntegrityError
from clearance.ledger import events, faults, times
from clearance.ledger.events import EntryKind, Event

LONGEST = 256 * 1024
"""Most characters of a body. A longer document is kept as a file and cited by its SHA-256."""

E = TypeVar("E", bound=Event)

_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}\Z")
_SALT = 32
_quote = json.encoder.encode_basestring_ascii


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An entry to be recorded. `actor` is the identity of a person, `keyid` the key that proved it, if any.

    `model` is None for what concerns no single model. Raises DataError when a name is empty, too long or not
    printable, or when the body is not a JSON object of at most `LONGEST` characters.
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
                raise faults.INVALID_NAME(field=name)
        if self.kind not in list(EntryKind):
            raise faults.UNKNOWN_KIND(kind=self.kind, kinds=", ".join(EntryKind))
        canonical(self.body)

    @classmethod
    def of(cls, event: Event, *, model: str | None, actor: str, keyid: str | None = None) -> Draft:
        """The draft that records an event."""
        return cls(kind=event.kind, model=model, actor=actor, keyid=keyid, body=event.to_body())


def canonical(body: Mapping[str, Any]) -> str:
    """A body as the text that is stored and hashed: JSON, keys sorted, no spaces, ASCII.

    Raises DataError when it is not a JSON object, or too long.
    """
    try:
        if not isinstance(body, Mapping):
            raise TypeError("it is not a mapping")
        text = canonical_json.text_v1(dict(body))
    except (TypeError, ValueError, RecursionError) as error:
        raise faults.INVALID_BODY(why=error) from None
    if len(text) > LONGEST:
        raise faults.BODY_TOO_LONG(length=len(text), limit=LONGEST)
    return text


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An entry as it is stored: texts and digests, exactly the characters that were hashed.

    `number` counts from 1 without gaps. `text` is the body, and `salt` makes its digest unguessable;
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
        """The body; empty once it was erased. Raises IntegrityError when it is not a JSON object."""
        try:
            value = json.loads(self.text) if self.text is not None else {}
        except (TypeError, ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise faults.UNREADABLE_BODY(number=self.number)
        return value

    @property
    def event(self) -> Event | None:
        """What the entry says, as the class of its kind; None once the body was erased.

        Raises IntegrityError when the kind is unknown or the body does not fit it.
        """
        event_class = self._event_class
        if event_class is None:
            raise faults.UNKNOWN_STORED_KIND(number=self.number, kind=self.kind)
        return None if self.text is None else event_class.from_text(self.text, where=f"entry {self.number}")

    def read(self, event_class: type[E]) -> E | None:
        """What the entry says, where it says something of this class; None when it does not, or was erased.

        Raises IntegrityError as `event` does.
        """
        own = self._event_class
        if own is None or not issubclass(own, event_class):
            return None
        event = self.event
        return event if isinstance(event, event_class) else None

    @property
    def _event_class(self) -> type[Event] | None:
        return events.EVENTS.get(EntryKind(self.kind)) if self.kind in list(EntryKind) else None

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
        erased = " (content erased)" if self.redacted else ""
        return f"#{self.number} {times.for_display(self.at)}: {self._sentence()}{erased}."

    def _sentence(self) -> str:
        """The sentence of the event; of its kind alone when the body was erased or does not fit."""
        event_class = self._event_class
        try:
            event = self.event
        except IntegrityError:
            event = None
        if event is not None:
            return event.sentence(self.actor, self.model)
        text = f"{{actor}} recorded `{self.kind}` on {{subject}}" if event_class is None else event_class.text
        return events.tell(text, self.actor, self.model, events.stated_version(self.body))


def origin(ledger: str) -> str:
    """What the first entry of the ledger with this id has as `previous`."""
    return _sha256(canonical_json.text_v1(["clearance/ledger/origin/1", ledger]))


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
        raise ValueError("the salt has another length")
    return _sha256(f"clearance/ledger/body/1 {salt} {text}")


def _digest(number: int, time: str, kind: str, *rest: str | None) -> str:
    texts = ",".join(["null" if text is None else _quote(text) for text in (time, kind, *rest)])
    return _sha256(f'["clearance/ledger/entry/1",{number},{texts}]')  # by hand: three times as fast


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()
