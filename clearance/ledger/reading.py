"""An open ledger, and what stands in it: nothing is checked here, and nothing is written."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from clearance.errors import ConfigurationError, IntegrityError
from clearance.ledger import database, entry, faults, waiting
from clearance.ledger.checkpoint import Seal
from clearance.ledger.entry import Entry

_COLUMNS = database.entries.c
_NEWEST = sa.select(database.entries).order_by(_COLUMNS.number.desc()).limit(1)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """An open ledger. Without a `seal` it can be read only.

    `signed` is the newest line that was signed through it: found again, it needs no second check.
    """

    database: database.Database
    seal: Seal | None
    clock: Callable[[], dt.datetime]
    signed: deque[str] = field(default_factory=partial(deque, maxlen=1), repr=False)

    @property
    def id(self) -> str:
        """The random id that the first entry is chained to: no other ledger's entries fit."""
        return self.database.ledger


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@contextmanager
def open(  # noqa: A001 - used as `ledger.open`
    address: str,
    *,
    seal: Seal | None = None,
    patience: float = waiting.PATIENCE,
    clock: Callable[[], dt.datetime] = _now,
) -> Iterator[Ledger]:
    """The ledger at a database URL, created when there is none; `patience` in seconds bounds every wait.

    Raises ConfigurationError for an address of no use or a seal without a place, UnavailableError when
    nobody answers there, IntegrityError when the database is damaged. Open it anew in a forked process.
    """
    if seal is not None and not seal.places:
        raise ConfigurationError(
            "the ledger has no place for its checkpoints", "name a file outside the database for them"
        )
    with database.connected(address, patience) as found:
        yield Ledger(database=found, seal=seal, clock=clock)


def entries(
    ledger: Ledger, *, model: str | None = None, after: int = 0, until: int | None = None
) -> Iterator[Entry]:
    """The entries after number `after` up to `until`, by number, as they are stored: nothing is checked.

    With a `model`, only those that concern it. Raises IntegrityError when the database is damaged.
    """
    query = sa.select(database.entries).where(_COLUMNS.number > after).order_by(_COLUMNS.number)
    if model is not None:
        query = query.where(_COLUMNS.model == model)
    if until is not None:
        query = query.where(_COLUMNS.number <= until)
    last, whole = after, False
    with suppress(IntegrityError):
        for each in _read(ledger, query):
            yield each
            last = each.number
        whole = True
    if not whole:  # one text that is no UTF-8 withholds all rows that were fetched with it
        yield from _read(ledger, query.where(_COLUMNS.number > last), lenient=True)


def head(ledger: Ledger) -> tuple[int, str]:
    """The number and digest of the newest entry; 0 and the ledger's origin when there is none."""
    with database.reading(ledger.database) as connection:
        last = newest_in(connection)
    return (last.number, last.digest) if last else (0, entry.origin(ledger.id))


def newest(ledger: Ledger) -> int:
    """The number of the newest entry, whether it is sound or not; 0 when there is none."""
    with database.reading(ledger.database) as connection:
        return connection.execute(sa.select(sa.func.max(_COLUMNS.number))).scalar() or 0


def newest_in(connection: sa.Connection) -> Entry | None:
    """The newest entry, None when there is none. Raises IntegrityError when it is not sound."""
    row = connection.execute(_NEWEST).first()
    if row is None:
        return None
    found = _entry(row)
    if fault := entry.fault_in(found):
        raise faults.UNSOUND_HEAD(number=found.number, why=fault)
    return found


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
