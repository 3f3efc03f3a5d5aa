"""Segments of an inference log, sealed into the ledger: what is sealed cannot be made again.

A segment is so many records in a row. Its ledger entry states the hash that their chain leads to, and the
ledger's own checkpoints sign it. The database keeps a copy of what the ledger says; only the ledger counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from clearance.inference_log import chain, database, faults, records
from clearance.inference_log.database import Connection
from clearance.inference_log.store import LogDatabase
from clearance.inference_log.transaction import read_row
from clearance.ledger import Entry, EntryKind, Event, times
from clearance.ledger.events import InferenceDeletionEvent, InferenceSegmentEvent
from clearance.policy.inference_log_terms import add_months


@dataclass(frozen=True, kw_only=True)
class SealedSegment:
    """Records `first` to `last`, as ledger entry `entry` sealed them: their chain leads to `head`.

    `latest` is the latest time that one of them states, `sealed` the time of the entry.
    """

    number: int
    first: int
    last: int
    previous: str
    head: str
    latest: str
    entry: int
    sealed: str

    @property
    def base(self) -> dt.datetime:
        """From when its retention periods count: the latest time that anybody stated for it."""
        return times.parse(max(self.latest, self.sealed))


@dataclass(frozen=True, kw_only=True)
class Seals:
    """What the ledger knows of a log: its segments in order, and the last one that was deleted, if any."""

    segments: Sequence[SealedSegment]
    deleted: SealedSegment | None = None

    @property
    def last(self) -> SealedSegment | None:
        """The newest segment; None before the first."""
        return self.segments[-1] if self.segments else None


@dataclass(frozen=True, kw_only=True)
class LedgerAccess:
    """The ledger in the hands of somebody.

    `entries` gives those of one kind that count, in order; `record` adds one. `lock` holds a name until its
    block ends, so that two processes do not seal the same records.
    """

    entries: Callable[[EntryKind], Iterable[Entry]]
    record: Callable[[Event], Entry]
    lock: Callable[[str], AbstractContextManager[Any]]


def read(entries: Callable[[EntryKind], Iterable[Entry]], log: str) -> Seals:
    """What the ledger knows of the log with this id. Raises IntegrityError when an entry cannot be read.

    A deletion before the end of the periods that it states itself does not count.
    """
    segments: dict[int, SealedSegment] = {}
    for entry in entries(EntryKind.INFERENCE_SEGMENT):
        event = entry.read(InferenceSegmentEvent)
        if event is not None and event.log == log and event.segment not in segments:
            segments[event.segment] = _segment(event, entry)
    deleted = 0
    for entry in entries(EntryKind.INFERENCE_DELETION):
        deletion = entry.read(InferenceDeletionEvent)
        if deletion is None or deletion.log != log or deletion.segment not in segments:
            continue
        if add_months(segments[deletion.segment].base, max(deletion.months.values())) <= entry.at:
            deleted = max(deleted, deletion.segment)
    ordered = tuple(segment for _, segment in sorted(segments.items()))
    return Seals(segments=ordered, deleted=segments.get(deleted))


def _segment(event: InferenceSegmentEvent, entry: Entry) -> SealedSegment:
    return SealedSegment(
        number=event.segment,
        first=event.first,
        last=event.last,
        previous=event.previous,
        head=event.head,
        latest=event.latest,
        entry=entry.number,
        sealed=entry.time,
    )


def seal(
    opened: LogDatabase, access: LedgerAccess, *, size: int, before: dt.datetime | None
) -> tuple[SealedSegment, ...]:
    """Seal every full segment of `size` records; those that were sealed now.

    What remains is sealed as well when its first record was taken before `before`. May be repeated after a
    crash. Raises IntegrityError when a record is not what was recorded; then nothing from there on is sealed.
    """
    with access.lock(f"inference log {opened.log}"):
        known = read(access.entries, opened.log)
        note(opened.connection, known.segments)
        limit = None if before is None else times.stamp(before)
        events = list(_unsealed(opened, known.last, size, limit))
        new = tuple(_segment(event, access.record(event)) for event in events)
        note(opened.connection, new)
        return new


def note(connection: Connection, segments: Iterable[SealedSegment]) -> None:
    """Copy what the ledger says into the database, where that does not know it yet."""
    numbers = {row[0] for row in connection.rows(f"SELECT number FROM {database.SEGMENTS}")}  # noqa: S608
    rows = [
        (s.number, s.first, s.last, s.previous, s.head, s.latest, s.entry, s.sealed, None)
        for s in segments
        if s.number not in numbers
    ]
    if rows:
        connection.insert(database.SEGMENTS, database.SEGMENT_COLUMNS, rows)


def _unsealed(
    opened: LogDatabase, last: SealedSegment | None, size: int, before: str | None
) -> Iterator[InferenceSegmentEvent]:
    """The segments after the last one, each verified record by record."""
    number = last.number if last else 0
    sequence, digest = (last.last, last.head) if last else (0, chain.origin(opened.log))
    first, previous, latest, began = sequence + 1, digest, "", ""

    def event() -> InferenceSegmentEvent:
        return InferenceSegmentEvent(
            log=opened.log,
            segment=number,
            first=first,
            last=sequence,
            records=sequence - first + 1,
            previous=previous,
            head=digest,
            latest=latest,
        )

    columns = ", ".join(database.RECORD_COLUMNS)
    query = f"SELECT {columns} FROM {database.RECORDS} WHERE sequence > ? ORDER BY sequence"  # noqa: S608
    with opened.connection.snapshot():
        for row in map(read_row, opened.connection.stream(query, (sequence,))):
            link = chain.digest(row.sequence, row.at, row.key, digest, header=row.header, sealed=row.sealed)
            sound = link == row.hash and opened.keyring.mac(link) == row.mac
            if row.sequence != sequence + 1 or not sound:
                raise faults.NOT_SEALABLE(sequence=sequence + 1)
            began = began or row.at
            sequence, digest = row.sequence, row.hash
            latest = max(latest, row.at, str(records.read_header(row.header)["time"]))
            if sequence - first + 1 == size:
                number += 1
                yield event()
                first, previous, latest, began = sequence + 1, digest, "", ""
    if began and before is not None and began < before:
        number += 1
        yield event()
