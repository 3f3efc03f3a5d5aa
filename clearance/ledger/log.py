"""What changes the log: append, and erase a body by law. Answers only when what was recorded is checkpointed.

    begin → insert → sign and sync the checkpoint outside → commit → confirm outside → answer

A crash before the commit leaves a checkpoint that nobody confirmed: the next append goes on from where it
began. A crash after it leaves entries that their checkpoint covers. Anything else is tampering, and refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from clearance.errors import ConfigurationError, DataError, IntegrityError
from clearance.ledger import checkpoint, checkpoint_files, database, entry, fencing, reading
from clearance.ledger.checkpoint import Checkpoint, Seal
from clearance.ledger.entry import Draft, Entry
from clearance.ledger.kinds import EntryKind
from clearance.ledger.reading import Ledger

LARGEST = 10_000
"""Entries of one batch, and so of one checkpoint."""

ERASABLE = frozenset(
    {
        EntryKind.PROPOSAL,
        EntryKind.VERDICT,
        EntryKind.COMPARISON,
        EntryKind.APPROVAL,
        EntryKind.REJECTION,
        EntryKind.REVOCATION,
        EntryKind.REFUSAL,
        EntryKind.OVERRIDE,
    }
)
"""Kinds whose body may be erased: who was champion, and who erased what, stays readable."""

_COLUMNS = database.entries.c
_NAMES = tuple(column.name for column in _COLUMNS)
_INSERT = database.entries.insert()


def append(
    ledger: Ledger, drafts: Sequence[Draft], *, fence: fencing.Fence | None = None
) -> tuple[Entry, ...]:
    """Record the drafts as one batch: all of them or none, in order, without a gap before or between.

    When it answers, the entries are committed and a signed checkpoint of them is on disk in every place.
    With a `fence`, nothing is recorded once another holder has taken the lock of that model. Raises
    IntegrityError when database and checkpoints do not fit, BusyError and UnavailableError when nothing
    was recorded or, as they say, may have been.
    """
    return _append(ledger, tuple(drafts), fence, erase=())


def redact(ledger: Ledger, numbers: Sequence[int], *, actor: str, keyid: str | None, reason: str) -> Entry:
    """Erase the bodies of these entries for good, and record who did so and why; the chain still verifies.

    Raises DataError when one does not exist or is of a kind that must stay, or no reason is given.
    """
    if not numbers or not reason.strip():
        raise DataError("an erasure names its entries and a reason", "give both")
    body = {"entries": sorted(set(numbers)), "reason": reason}
    drafts = (Draft(kind=EntryKind.REDACTION, model=None, actor=actor, keyid=keyid, body=body),)
    made = _append(ledger, drafts, None, erase=tuple(sorted(set(numbers))))
    if ledger.database.file is not None:
        with database.reading(ledger.database) as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
    return made[0]


@contextmanager
def lock(ledger: Ledger, model: str, patience: float | None = None) -> Iterator[fencing.Fence]:
    """Have the model's champion to oneself until the end, or until the process dies: see `fencing.lock`."""
    with fencing.lock(ledger.database, model, patience) as fence:
        yield fence


def ensure(ledger: Ledger, fence: fencing.Fence) -> None:
    """Raise BusyError when another has taken the lock over: to be asked right before an act outside."""
    with database.reading(ledger.database) as connection:
        fencing.ensure(connection, fence)


def _append(
    ledger: Ledger, drafts: tuple[Draft, ...], fence: fencing.Fence | None, erase: tuple[int, ...]
) -> tuple[Entry, ...]:
    seal = ledger.seal
    if seal is None:
        raise ConfigurationError("the ledger was opened for reading", "open it with a seal to append")
    if not 1 <= len(drafts) <= LARGEST:
        raise DataError(f"a batch has 1 to {LARGEST} entries, not {len(drafts)}", "append in smaller batches")
    with database.writing(ledger.database) as connection:
        if fence is not None:
            fencing.ensure(connection, fence)
        last = reading.newest_in(connection)
        at, before = ledger.clock(), (last.number, last.digest) if last else (0, entry.origin(ledger.id))
        if last is not None:
            at = max(at, last.at)  # a clock that was set back must not make the log look reordered
        made = tuple(entry.chain(drafts, after=before[0], previous=before[1], at=at))
        _erase(connection, erase)
        connection.execute(_INSERT, [{name: getattr(each, name) for name in _NAMES} for each in made])
        with checkpoint_files.held(seal.places, ledger.database.patience):
            vouched = _vouched(ledger, seal, before)
            said = checkpoint.statement(ledger.id, vouched, before, made, at)
            line = checkpoint.line(seal.sign(said))
            ledger.signed.append(line)
            checkpoint_files.write(seal.places, line)
    checkpoint_files.write(seal.places, checkpoint.confirmation(said["predicate"]["sequence"]))
    return made


def _vouched(ledger: Ledger, seal: Seal, before: tuple[int, str]) -> Checkpoint | None:
    """The newest checkpoint, when it covers the database's head or its own batch never came to be."""
    found = checkpoint_files.agreed(seal.places)
    last = found.newest
    if last is None:
        if before[0]:
            raise IntegrityError(f"no checkpoint is left of the ledger's {before[0]} entries", entry.MEND)
        return None
    if last.line not in ledger.signed and (fault := checkpoint.fault_in(last, seal.opened)):
        raise IntegrityError(f"{last} is not to be believed: {fault}", entry.MEND)
    if last.ledger != ledger.id:
        raise IntegrityError(
            "the checkpoints are those of another ledger",
            "put its database back from a backup; to begin a new ledger, name another place for checkpoints",
        )
    committed = before == (last.last, last.digest)
    given_up = before == (last.after, last.head) and not found.confirmed
    if not committed and not given_up:
        raise IntegrityError(f"the ledger ends with entry {before[0]}, which does not fit {last}", entry.MEND)
    return last


def _erase(connection: sa.Connection, numbers: tuple[int, ...]) -> None:
    for number in numbers:
        erased = connection.execute(
            database.entries.update()
            .where(_COLUMNS.number == number, _COLUMNS.kind.in_(ERASABLE))
            .values(text=None, salt=None)
        )
        if not erased.rowcount:
            raise DataError(
                f"entry {number} does not exist, or is of a kind that must stay readable",
                f"erase entries of these kinds: {', '.join(sorted(ERASABLE))}",
            )
