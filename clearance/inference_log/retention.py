"""Records past every retention period of the policy: which they are, and their deletion.

Whole sealed segments are deleted, oldest first, and the ledger records it before. A period counts from the
latest time that anybody stated for a segment: its records, the log, the ledger. Two more days are waited, so
that clocks that are wrong by a day, when the records were written and now, delete nothing early.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clearance.inference_log import chain, database, faults, seals
from clearance.inference_log.seals import LedgerAccess, SealedSegment, Seals
from clearance.inference_log.store import LogDatabase
from clearance.inference_log.transaction import read_head, write_head
from clearance.ledger import times
from clearance.ledger.events import InferenceDeletionEvent
from clearance.policy.inference_log_terms import RetentionPeriod, add_months

MARGIN = dt.timedelta(days=2)
"""How long after the longest period a record is still kept: both clocks may be wrong by a day."""


@dataclass(frozen=True, kw_only=True)
class Due:
    """The segments that may be deleted; the periods that bound them, and when the longest ended."""

    segments: Sequence[SealedSegment]
    months: dict[str, int]
    ended: str


def due(known: Seals, periods: Sequence[RetentionPeriod], now: dt.datetime) -> Due | None:
    """The oldest segments that are past every period in force since their decisions; None when none is.

    Raises ConfigurationError when the policy names no period.
    """
    if not periods:
        raise faults.NO_RETENTION_PERIOD()
    result, earliest = None, dt.date.min
    start = known.deleted.number if known.deleted else 0
    for segment in known.segments:
        months = {p.id: p.months for p in periods if p.binds(earliest, now.date())}
        if segment.number > start:
            if not months:
                break
            end = add_months(segment.base, max(months.values()))
            if end + MARGIN >= now:
                break
            chosen = (*result.segments, segment) if result else (segment,)
            result = Due(segments=chosen, months=months, ended=times.stamp(end))
        earliest = times.parse(segment.latest).date()
    return result


def delete(
    opened: LogDatabase,
    access: LedgerAccess,
    *,
    periods: Sequence[RetentionPeriod],
    now: dt.datetime,
    reason: str,
) -> Due | None:
    """Delete what is due, and finish a deletion that was interrupted; what was recorded as deleted now.

    Raises ConfigurationError when the clock is behind the last record, or the policy names no period.
    """
    with access.lock(f"inference log {opened.log}"):
        known = seals.read(access.entries, opened.log)
        seals.note(opened.connection, known.segments)
        _ensure_clock(opened, now)
        chosen = due(known, periods, now)
        if chosen is not None:
            last = chosen.segments[-1]
            access.record(
                InferenceDeletionEvent(
                    log=opened.log,
                    segment=last.number,
                    last=last.last,
                    head=last.head,
                    months=chosen.months,
                    ended=chosen.ended,
                    reason=reason,
                )
            )
        until = chosen.segments[-1] if chosen else known.deleted
        if until is not None:
            _delete(opened, known, until, times.stamp(now))
        return chosen


def _ensure_clock(opened: LogDatabase, now: dt.datetime) -> None:
    query = f"SELECT sequence, hash, at, keys, erasures, mac FROM {database.HEAD}"  # noqa: S608
    rows = opened.connection.rows(query)
    head = read_head(rows[0] if rows else (), opened.keyring)
    if head.at > times.stamp(now + times.SKEW):
        raise faults.CLOCK_BEHIND(now=times.stamp(now), last=head.at)


def _delete(opened: LogDatabase, known: Seals, until: SealedSegment, now: str) -> None:
    """Delete segment by segment, then the keys that seal nothing any more: writers wait for one at a time."""
    connection = opened.connection
    query = f"SELECT number FROM {database.SEGMENTS} WHERE expired IS NULL"  # noqa: S608
    open_ = {row[0] for row in connection.rows(query)}
    segments = [s for s in known.segments if s.number <= until.number and s.number in open_]
    for segment in segments:
        head = _begin(opened)
        connection.run(f"DELETE FROM {database.RECORDS} WHERE sequence <= ?", (segment.last,))  # noqa: S608
        connection.run(
            f"UPDATE {database.SEGMENTS} SET expired = ? WHERE number = ?",  # noqa: S608
            (now, segment.number),
        )
        write_head(connection, replace(head, erasures=head.erasures + 1), opened.keyring)
        connection.commit()
    if segments:
        head = _begin(opened)
        connection.run(
            f"DELETE FROM {database.KEYS} WHERE NOT EXISTS "  # noqa: S608
            f"(SELECT 1 FROM {database.RECORDS} r WHERE r.key = {database.KEYS}.number)"
        )
        write_head(connection, replace(head, erasures=head.erasures + 1), opened.keyring)
        connection.commit()
        connection.scrub(database.KEYS, database.RECORDS)


def _begin(opened: LogDatabase) -> chain.Head:
    return read_head(opened.connection.begin(()).head, opened.keyring)
