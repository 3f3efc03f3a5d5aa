"""An open inference log: append, read, erase. Each returns only after the commit."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from clearance import foreign_text
from clearance.inference_log import database, faults, reading, records, retention, verification
from clearance.inference_log import seals as seals_
from clearance.inference_log.reading import DecisionRange, LoggedDecision
from clearance.inference_log.records import Record
from clearance.inference_log.retention import Due
from clearance.inference_log.seals import LedgerAccess, SealedSegment, Seals
from clearance.inference_log.spool import SpoolSettings
from clearance.inference_log.store import (
    DatabaseStore,
    LogDatabase,
    SpoolingStore,
    SubjectRecords,
    count_subject,
    opened,
)
from clearance.inference_log.transaction import Append, Erase, Look, Receipt, Request, Stored
from clearance.inference_log.verification import InferenceLogReport
from clearance.inference_log.worker import Worker
from clearance.ledger import times
from clearance.policy.inference_log_terms import RetentionPeriod

PATIENCE = 5.0
"""Seconds that a transaction waits for its turn by default."""
SEGMENT = 1_000
"""How many records a segment has by default."""
LARGEST = 1_000
"""Most records that one call appends."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@contextmanager
def open(  # noqa: A001 - used as `inference_log.open`
    address: str,
    key_path: Path,
    *,
    patience: float = PATIENCE,
    spool: SpoolSettings | None = None,
    create: bool = True,
    clock: Callable[[], dt.datetime] = _now,
) -> Iterator[InferenceLog]:
    """The inference log at a database URL, with its key file; created on request if it does not exist.

    `patience` in seconds limits how long a transaction waits for other writers. Without a `spool`, an append
    while the store is away is refused; with one, records without an idempotency key wait there.
    Closed at the end, after what waits was committed. Raises ConfigurationError for an address or a key file
    that cannot be used, UnavailableError when no server answers, IntegrityError when the database is damaged.
    """
    store = DatabaseStore(database.parse(address), key_path, patience=patience, now=clock, create=create)
    try:
        worker = Worker(store if spool is None else SpoolingStore(store, spool))
    except BaseException:
        store.close()
        raise
    try:
        yield InferenceLog(id=store.log, store=store, worker=worker, timeout=4 * patience)
    finally:
        worker.close()


def audit(
    address: str, key_path: Path, seals: Callable[[str], Seals], patience: float = PATIENCE
) -> InferenceLogReport:
    """Verify the log at a database URL against what `seals` says about its id; the key file may be missing.

    Nothing is written. Raises ConfigurationError when there is no log, or the key file is that of another
    one.
    """
    with opened(database.parse(address), key_path, patience) as log:
        return verification.verify(log.connection, log.log, log.keyring, seals(log.log))


@dataclass(frozen=True, kw_only=True)
class InferenceLog:
    """An open log, for threads. One object serves every thread of a process; a fork opens its own.

    `timeout` in seconds bounds each wait; after it, whether the record is there is not known.
    """

    id: str
    store: DatabaseStore
    worker: Worker
    timeout: float

    def append(self, *new: Record) -> tuple[Receipt, ...]:
        """Append the records together and return their receipts once they are durable.

        A repeat under an idempotency key records nothing but a read, and its receipt holds the first
        decision. A key is that of one record: number it (`key#0`, `key#1`) where a request has several rows.
        Raises DataError when a record is invalid, its key was used for another request, or its subject was
        erased meanwhile; TransientError when the store is away, locked or full.
        """
        return cast(tuple[Receipt, ...], self._do(_append(new)))

    def read(self, id_: str, *, reader: str, reason: str, request_id: str = "") -> Stored:
        """The record with this id; that `reader` read it, and why, is durable before it is returned.

        Raises DataError when there is none, its content was erased, or who or why is missing.
        """
        return cast(Stored, self._do(_look(reader, reason, request_id, id_=id_)))

    def find_by_key(self, caller: str, idempotency_key: str, *, request_id: str = "") -> Stored | None:
        """The decision for which the caller first used this key; None before. It counts as a read."""
        return cast(Stored | None, self._do(_look_by_key(caller, idempotency_key, request_id)))

    def erase_subject(self, subject: str, *, actor: str, reason: str) -> Receipt:
        """Destroy the key of a subject: what it sealed cannot be read again. The receipt of that record.

        The chain still verifies. Raises DataError when the log has nothing sealed for this subject.
        """
        return cast(Receipt, self._do(_erase(subject, actor, reason)))

    def decisions(self, *, after: int, reader: str, reason: str) -> Iterator[LoggedDecision]:
        """Every decision after the sequence number `after`, in order, as a stream in bounded memory.

        That `reader` read them, and why, is one record, durable before the first is returned; none is made
        where there is no decision. Raises IntegrityError when a record is not what was recorded, DataError
        when who or why is missing.
        """
        _ensure_reason(reader, reason)
        with self.store.opened() as log:
            yield from self._noted(log, reading.range_after(log, after), reader, reason)

    def decisions_taken(
        self, *, start: dt.datetime, end: dt.datetime, reader: str, reason: str
    ) -> Iterator[LoggedDecision]:
        """Every decision that the log took from `start` until before `end`, as by `decisions`."""
        _ensure_reason(reader, reason)
        with self.store.opened() as log:
            taken = reading.range_taken(log, times.stamp(start), times.stamp(end))
            yield from self._noted(log, taken, reader, reason)

    def sample_taken(
        self, *, start: dt.datetime, end: dt.datetime, most: int, seed: int, reader: str, reason: str
    ) -> tuple[list[LoggedDecision], float]:
        """At most `most` of the decisions that the log took from `start` until before `end`, drawn at random.

        With the number of decisions for which each stands. The same `seed` draws the same ones. Recorded and
        refused as by `decisions`.
        """
        _ensure_reason(reader, reason)
        with self.store.opened() as log:
            drawn, each = reading.sample_taken(log, times.stamp(start), times.stamp(end), most, seed)
        if drawn:
            self._note_read(drawn[-1].id, reader, f"{reason}: {len(drawn)} decisions up to this one")
        return drawn, each

    def _noted(
        self, log: LogDatabase, unread: DecisionRange | None, reader: str, reason: str
    ) -> Iterator[LoggedDecision]:
        if unread is not None:
            self._note_read(unread.last_id, reader, f"{reason}: {unread.count} decisions up to this one")
            yield from reading.decisions(log, unread.after, unread.last)

    def find(
        self, *, ids: Sequence[str] = (), subjects: Sequence[str] = (), reader: str, reason: str
    ) -> list[LoggedDecision]:
        """The decisions with these ids and about these subjects, of those that the log has, in order.

        Recorded and refused as by `decisions`.
        """
        _ensure_reason(reader, reason)
        with self.store.opened() as log:
            by_id = {decision.id: decision for decision in reading.with_ids(log, ids)}
            by_id |= {decision.id: decision for decision in reading.of_subjects(log, subjects)}
        found = sorted(by_id.values(), key=lambda decision: decision.sequence)
        if found:
            self._note_read(found[-1].id, reader, f"{reason}: {len(found)} decisions up to this one")
        return found

    def keyed_digests(self, texts: Sequence[str]) -> list[str]:
        """A digest of each text under the log's key file: equal for equal texts, and of no use without it."""
        with self.store.opened() as log:
            return [log.keyring.digest(text) for text in texts]

    def _note_read(self, about: str, reader: str, reason: str) -> None:
        self.append(records.Read(caller=reader, about=about, reason=reason))

    def verify(self, seals: Seals | None = None) -> InferenceLogReport:
        """Verify the log, as a stream, while others append; see `verification.verify`.

        Without the `seals` of the ledger, a chain made again with the key file, or an old copy, is not found.
        """
        with self.store.opened() as log:
            return verification.verify(log.connection, log.log, log.keyring, seals)

    def seal(
        self, access: LedgerAccess, *, size: int = SEGMENT, before: dt.datetime | None = None
    ) -> tuple[SealedSegment, ...]:
        """Seal every full segment of `size` records into the ledger; see `seals.seal`."""
        with self.store.opened() as log:
            return seals_.seal(log, access, size=size, before=before)

    def delete_expired(
        self, access: LedgerAccess, *, periods: Sequence[RetentionPeriod], now: dt.datetime, reason: str
    ) -> Due | None:
        """Delete what is past every retention period, and record it in the ledger; see `retention.delete`."""
        with self.store.opened() as log:
            return retention.delete(log, access, periods=periods, now=now, reason=reason)

    def count_subject(self, subject: str) -> SubjectRecords:
        """How many records are sealed with the key of a subject, and when the latest was taken.

        Raises DataError when there is none.
        """
        with self.store.opened() as log:
            return count_subject(log, subject)

    @property
    def aio(self) -> AsyncInferenceLog:
        """The same log for asyncio."""
        return AsyncInferenceLog(log=self)

    def _do(self, request: Request) -> Any:
        return self.worker.submit(request).wait(self.timeout)


@dataclass(frozen=True, kw_only=True)
class AsyncInferenceLog:
    """An open log, for tasks of an event loop: no thread waits. Each method is that of `InferenceLog`."""

    log: InferenceLog

    async def append(self, *new: Record) -> tuple[Receipt, ...]:
        """As `InferenceLog.append`."""
        return cast(tuple[Receipt, ...], await self._do(_append(new)))

    async def read(self, id_: str, *, reader: str, reason: str, request_id: str = "") -> Stored:
        """As `InferenceLog.read`."""
        return cast(Stored, await self._do(_look(reader, reason, request_id, id_=id_)))

    async def find_by_key(self, caller: str, idempotency_key: str, *, request_id: str = "") -> Stored | None:
        """As `InferenceLog.find_by_key`."""
        return cast(Stored | None, await self._do(_look_by_key(caller, idempotency_key, request_id)))

    async def erase_subject(self, subject: str, *, actor: str, reason: str) -> Receipt:
        """As `InferenceLog.erase_subject`."""
        return cast(Receipt, await self._do(_erase(subject, actor, reason)))

    async def _do(self, request: Request) -> Any:
        try:
            async with asyncio.timeout(self.log.timeout):
                return await self.log.worker.submit_future(request)
        except TimeoutError:
            raise faults.TIMED_OUT(seconds=self.log.timeout) from None


def _append(new: tuple[Record, ...]) -> Append:
    if not 1 <= len(new) <= LARGEST:
        raise faults.BATCH_SIZE(limit=LARGEST, size=len(new))
    return Append(records=[records.encode(record) for record in new])


def _look(reader: str, reason: str, request_id: str, *, id_: str) -> Look:
    _ensure_reason(reader, reason)
    if not records.is_id(id_):
        raise faults.UNKNOWN_DECISION(id=id_)
    look = Look(reader=reader, reason=reason, id=id_, request_id=request_id)
    records.encode(records.Read(caller=reader, about=id_, reason=reason, request_id=request_id))  # it fits
    return look


def _look_by_key(caller: str, key: str, request_id: str) -> Look:
    _ensure_reason(caller, key)
    digest = records.key_digest(caller, key)
    reason = "found by its idempotency key"
    return Look(reader=caller, reason=reason, idempotency=digest, request_id=request_id)


def _erase(subject: str, actor: str, reason: str) -> Erase:
    _ensure_reason(actor, reason)
    if not foreign_text.is_visible(subject):
        raise faults.UNKNOWN_SUBJECT()
    records.encode(records.Erasure(caller=actor, key=0, count=0, reason=reason))  # it fits
    return Erase(subject=subject, actor=actor, reason=reason)


def _ensure_reason(who: str, why: str) -> None:
    if not (foreign_text.is_visible(who) and foreign_text.is_visible(why)):
        raise faults.NO_REASON()
