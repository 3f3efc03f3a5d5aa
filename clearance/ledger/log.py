"""Changes of the log: append entries, erase a body. Both return when a checkpoint covers the new entries.

    begin → insert → sign and sync the checkpoint outside → commit → confirm outside → return

A crash before the commit leaves an unconfirmed checkpoint: the next append starts where that one started.
A crash after it leaves entries that their checkpoint covers. Anything else is tampering, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from clearance import foreign_text
from clearance.errors import IntegrityError
from clearance.ledger import checkpoint, checkpoint_files, database, entry, faults, fencing, reading, times
from clearance.ledger.checkpoint import Checkpoint, Seal
from clearance.ledger.entry import Draft, Entry
from clearance.ledger.events import ERASABLE, EntryKind, RedactionEvent
from clearance.ledger.reading import Ledger

LARGEST = 10_000
"""Most entries of one batch, and so of one checkpoint."""

_COLUMNS = database.entries.c
_NAMES = tuple(column.name for column in _COLUMNS)
_INSERT = database.entries.insert()


def append(
    ledger: Ledger, drafts: Sequence[Draft], *, fence: fencing.Fence | None = None
) -> tuple[Entry, ...]:
    """Record the drafts as one batch, all of them or none, in order, without a gap before or between them.

    When it returns, the entries are committed and a signed checkpoint of them is on disk in every checkpoint
    file. With a `fence`, nothing is recorded once another holder has taken the lock of that model. Raises
    IntegrityError when database and checkpoints do not match; BusyError and UnavailableError when nothing
    was recorded or, as their hint says, may have been.
    """
    return _append(ledger, tuple(drafts), fence, erase=())


def redact(ledger: Ledger, draft: Draft) -> Entry:
    """Erase the bodies of the entries that the draft of a `RedactionEvent` lists, for good, and record it.

    The chain still verifies. Whether the erasure counts is not decided here. Raises DataError when an entry
    does not exist, its kind must stay readable, or the draft gives no entries or no reason.
    """
    if draft.kind != EntryKind.REDACTION or not foreign_text.is_visible(str(draft.body.get("reason", ""))):
        raise faults.NO_REASON()
    try:
        event = RedactionEvent.from_body(draft.body)
    except IntegrityError:
        raise faults.NO_REASON() from None
    if not foreign_text.is_visible(event.reason):
        raise faults.NO_REASON()
    entries = _append(ledger, (draft,), None, erase=tuple(sorted(set(event.entries))))
    if ledger.database.file is not None:
        with database.reading(ledger.database) as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
    return entries[0]


@contextmanager
def lock(ledger: Ledger, model: str, patience: float | None = None) -> Iterator[fencing.Fence]:
    """Hold the lock of the model until the block ends or the process dies: see `fencing.lock`."""
    with fencing.lock(ledger.database, model, patience) as fence:
        yield fence


def ensure(ledger: Ledger, fence: fencing.Fence) -> None:
    """Raise BusyError if another process has taken over the lock. Call it right before an outside effect."""
    with database.reading(ledger.database) as connection:
        fencing.ensure(connection, fence)


def _append(
    ledger: Ledger, drafts: tuple[Draft, ...], fence: fencing.Fence | None, erase: tuple[int, ...]
) -> tuple[Entry, ...]:
    seal = ledger.seal
    if seal is None:
        raise faults.READ_ONLY()
    if not 1 <= len(drafts) <= LARGEST:
        raise faults.BATCH_SIZE(limit=LARGEST, size=len(drafts))
    with database.writing(ledger.database) as connection:
        if fence is not None:
            fencing.ensure(connection, fence)
        last = reading.newest_in(connection)
        at, before = ledger.clock(), (last.number, last.digest) if last else (0, entry.origin(ledger.id))
        if last is not None and last.at <= at + times.SKEW:
            at = max(at, last.at)  # clocks differ a little; one that is far ahead drags nobody with it
        entries = tuple(entry.chain(drafts, after=before[0], previous=before[1], at=at))
        _erase(connection, erase)
        connection.execute(_INSERT, [{name: getattr(entry_, name) for name in _NAMES} for entry_ in entries])
        with checkpoint_files.locked(seal.files, ledger.database.patience):
            newest = _trusted(ledger, seal, before)
            statement = checkpoint.statement(ledger.id, newest, before, entries, at)
            line = checkpoint.line(seal.sign(statement))
            ledger.signed.append(line)
            checkpoint_files.write(seal.files, line, alone=True)
    checkpoint_files.write(seal.files, checkpoint.confirmation(statement["predicate"]["sequence"]))
    return entries


def _trusted(ledger: Ledger, seal: Seal, before: tuple[int, str]) -> Checkpoint | None:
    """The newest checkpoint, if it covers the database's head or its own batch was never committed."""
    tail = checkpoint_files.agreed(seal.places, seal.witness)
    last = tail.newest
    if last is None:
        if before[0]:
            raise faults.NO_CHECKPOINT_LEFT(count=before[0])
        return None
    if last.line not in ledger.signed and (fault := checkpoint.fault_in(last, seal.verify_envelope)):
        raise faults.INVALID_CHECKPOINT(checkpoint=last, why=fault)
    if last.ledger != ledger.id:
        raise faults.FOREIGN_CHECKPOINTS()
    committed = before == (last.last, last.digest)
    given_up = before == (last.after, last.head) and not tail.confirmed
    if not committed and not given_up:
        raise faults.HEAD_MISMATCH(number=before[0], checkpoint=last)
    return last


def _erase(connection: sa.Connection, numbers: tuple[int, ...]) -> None:
    for number in numbers:
        erased = connection.execute(
            database.entries.update()
            .where(_COLUMNS.number == number, _COLUMNS.kind.in_(ERASABLE))
            .values(text=None, salt=None)
        )
        if not erased.rowcount:
            raise faults.NOT_ERASABLE(number=number, kinds=", ".join(sorted(ERASABLE)))
