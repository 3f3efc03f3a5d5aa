"""An open ledger and its entries. Nothing is checked here, and nothing is written."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from clearance.errors import IntegrityError
from clearance.ledger import database, entry, faults, waiting
from clearance.ledger.checkpoint import Seal
from clearance.ledger.entry import Entry
from clearance.ledger.events import EntryKind

_COLUMNS = database.entries.c
_NEWEST = sa.select(database.entries).order_by(_COLUMNS.number.desc()).limit(1)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """An open ledger; without a `seal` it can only be read.

    `signed` is the newest line signed through it: that line needs no second verification.
    """

    database: database.Database
    seal: Seal | None
    clock: Callable[[], dt.datetime]
    signed: deque[str] = field(default_factory=partial(deque, maxlen=1), repr=False)

    @property
    def id(self) -> str:
        """The random id that the first entry is chained to, so that entries of other ledgers do not fit."""
        return self.database.ledger


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@contextmanager
def open(  # noqa: A001 - used as `ledger.open`
    address: str,
    *,
    seal: Seal | None = None,
    patience: float = waiting.PATIENCE,
    clock: Callable[[], dt.datetime] | None = None,
) -> Iterator[Ledger]:
    """The ledger at a database URL, created if it does not exist; `patience` in seconds limits every wait.

    Raises ConfigurationError for an address that is not usable or a seal without a checkpoint file,
    UnavailableError when no server answers, IntegrityError when the database is damaged. Open it again in a
    forked process.
    """
    if seal is not None and not seal.places:
        raise faults.NO_CHECKPOINT_FILE()
    with database.connected(address, patience) as connected:
        yield Ledger(database=connected, seal=seal, clock=clock or _now)


def entries(
    ledger: Ledger,
    *,
    model: str | None = None,
    kind: EntryKind | None = None,
    after: int = 0,
    until: int | None = None,
) -> Iterator[Entry]:
    """The entries after number `after` up to `until`, by number, as they are stored and unchecked.

    With a `model` or a `kind`, only the entries about it or of that kind. Raises IntegrityError when the
    database is damaged.
    """
    query = sa.select(database.entries).where(_COLUMNS.number > after).order_by(_COLUMNS.number)
    if model is not None:
        query = query.where(_COLUMNS.model == model)
    if kind is not None:
        query = query.where(_COLUMNS.kind == kind)
    if until is not None:
        query = query.where(_COLUMNS.number <= until)
    last, complete = after, False
    with suppress(IntegrityError):
        for entry_ in _read(ledger, query):
            yield entry_
            last = entry_.number
        complete = True
    if not complete:  # one text that is not UTF-8 withholds all rows that were fetched with it
        yield from _read(ledger, query.where(_COLUMNS.number > last), lenient=True)


def head(ledger: Ledger) -> tuple[int, str]:
    """The number and digest of the newest entry; 0 and the ledger's origin when it is empty."""
    with database.reading(ledger.database) as connection:
        last = newest_in(connection)
    return (last.number, last.digest) if last else (0, entry.origin(ledger.id))


def newest(ledger: Ledger) -> int:
    """The number of the newest entry, intact or not; 0 when the ledger is empty."""
    with database.reading(ledger.database) as connection:
        return connection.execute(sa.select(sa.func.max(_COLUMNS.number))).scalar() or 0


def newest_in(connection: sa.Connection) -> Entry | None:
    """The newest entry; None when the ledger is empty. Raises IntegrityError when it is not intact."""
    row = connection.execute(_NEWEST).first()
    if row is None:
        return None
    newest_entry = _entry(row)
    if fault := entry.fault_in(newest_entry):
        raise faults.UNSOUND_HEAD(number=newest_entry.number, why=fault)
    return newest_entry


def _read(ledger: Ledger, query: sa.Select[Any], *, lenient: bool = False) -> Iterator[Entry]:
    with database.reading(ledger.database, lenient=lenient) as connection:
        for row in connection.execute(query):
            yield _entry(row)


def _entry(row: Iterable[Any]) -> Entry:
    number, time, kind, model, actor, keyid, salt, text, body_digest, previous, digest = row
    return Entry(
        number=number,
        time=time,
        kind=kind,
        model=model,
        actor=actor,
        keyid=keyid,
        salt=salt,
        text=text,
        body_digest=body_digest,
        previous=previous,
        digest=digest,
    )
