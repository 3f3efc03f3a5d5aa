"""Many decisions read at once: those after a sequence number, or those with given ids or subjects.

Every record that is returned is the one that was recorded, or IntegrityError is raised. That somebody read
them is recorded once by the caller, `InferenceLog`, before anything is returned.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clearance.inference_log import chain, database, faults, records
from clearance.inference_log.chain import Row
from clearance.inference_log.records import Inference, ModelReference, RecordKind
from clearance.inference_log.store import LogDatabase
from clearance.inference_log.transaction import open_row, previous_hash, read_row

PAGE = 1_000
"""Records that are fetched at a time."""

_TOGETHER = 500
_ROWS = f"SELECT {', '.join(database.RECORD_COLUMNS)} FROM {database.RECORDS}"  # noqa: S608
_KEYS = f"SELECT number, pseudonym, wrapped FROM {database.KEYS}"  # noqa: S608
_FROM = f"FROM {database.RECORDS} WHERE kind = '{RecordKind.INFERENCE}'"
_RANGE = f"SELECT COUNT(*), MIN(sequence), MAX(sequence) {_FROM}"


@dataclass(frozen=True, kw_only=True)
class LoggedDecision:
    """A decision with its place in the log. `at` is when the log took it.

    `inference` is None where its content was erased; `model` stays readable.
    """

    sequence: int
    id: str
    at: str
    model: ModelReference
    inference: Inference | None


@dataclass(frozen=True, kw_only=True)
class DecisionRange:
    """Decisions: how many, the sequence number after which they begin, and that of the last, with its id."""

    count: int
    after: int
    last: int
    last_id: str


def range_after(log: LogDatabase, after: int) -> DecisionRange | None:
    """The decisions after the sequence number `after`; None where there is none."""
    return _range(log, "sequence > ?", (after,))


def range_taken(log: LogDatabase, start: str, end: str) -> DecisionRange | None:
    """The decisions that the log took from `start` until before `end`; None where there is none.

    The log's time never goes back, so they are all between the first and the last of them.
    """
    return _range(log, "at >= ? AND at < ?", (start, end))


def _range(log: LogDatabase, condition: str, values: tuple[object, ...]) -> DecisionRange | None:
    count, first, last = log.connection.rows(f"{_RANGE} AND {condition}", values)[0]
    if not count:
        return None
    query = f"SELECT id FROM {database.RECORDS} WHERE sequence = ?"  # noqa: S608
    last_id = str(log.connection.rows(query, (last,))[0][0])
    return DecisionRange(count=count, after=first - 1, last=last, last_id=last_id)


def decisions(log: LogDatabase, after: int, last: int) -> Iterator[LoggedDecision]:
    """The decisions after the sequence number `after`, up to `last`, in order.

    Raises IntegrityError when a record is missing or is not what was recorded.
    """
    query = f"{_ROWS} WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT {PAGE}"
    before: Row | None = None
    while page := [read_row(values) for values in log.connection.rows(query, (after, last))]:
        _take_keys(log, {row.key for row in page})
        for row in page:
            if row.kind == RecordKind.INFERENCE:
                yield _opened(log, row, _previous(log, row, before))
            before = row
        after = page[-1].sequence


def sample_taken(
    log: LogDatabase, start: str, end: str, most: int, seed: int
) -> tuple[list[LoggedDecision], float]:
    """At most `most` of the decisions that the log took from `start` until before `end`, in order.

    They are drawn at random with the `seed`; the number is of how many decisions each is one. Only they are
    opened. Raises as `decisions`.
    """
    query = f"SELECT sequence {_FROM} AND at >= ? AND at < ? ORDER BY sequence"
    taken = [sequence for (sequence,) in log.connection.rows(query, (start, end))]
    drawn = sorted(random.Random(seed).sample(taken, min(most, len(taken))))  # noqa: S311 - no secret
    opened = sorted(_opened_together(log, "sequence", drawn), key=lambda decision: decision.sequence)
    return opened, len(taken) / len(drawn) if drawn else 1.0


def with_ids(log: LogDatabase, ids: Iterable[str]) -> Iterator[LoggedDecision]:
    """The decisions with these ids, of those that the log has. Raises as `decisions`."""
    yield from _opened_together(log, "id", sorted(set(ids)))


def of_subjects(log: LogDatabase, subjects: Iterable[str]) -> Iterator[LoggedDecision]:
    """Every decision about one of these subjects that was not erased. Raises as `decisions`."""
    names = sorted({log.keyring.pseudonym(subject, "") for subject in subjects})
    for start in range(0, len(names), _TOGETHER):
        keys = log.connection.rows_in(_KEYS, "pseudonym", names[start : start + _TOGETHER])
        yield from _opened_together(log, "key", [number for number, _, _ in keys])


def _opened_together(log: LogDatabase, column: str, values: Sequence[object]) -> Iterator[LoggedDecision]:
    for start in range(0, len(values), _TOGETHER):
        found = log.connection.rows_in(_ROWS, column, list(values[start : start + _TOGETHER]))
        rows = [row for row in map(read_row, found) if row.kind == RecordKind.INFERENCE]
        _take_keys(log, {row.key for row in rows})
        for row in rows:
            yield _opened(log, row, _previous(log, row, None))


def _previous(log: LogDatabase, row: Row, before: Row | None) -> str:
    """The hash that the row's own covers."""
    if before is not None and before.sequence == row.sequence - 1:
        return before.hash
    return previous_hash(log.connection, row)


def _take_keys(log: LogDatabase, numbers: set[int]) -> None:
    log.keyring.trim()
    missing = sorted(number for number in numbers if not log.keyring.has(number))
    for start in range(0, len(missing), _TOGETHER):
        for number, _, wrapped in log.connection.rows_in(_KEYS, "number", missing[start : start + _TOGETHER]):
            if wrapped is not None and not log.keyring.take(number, bytes(wrapped)):
                raise faults.UNREADABLE_RECORD(id="", why=f"key {number} is not one of this log")


def _opened(log: LogDatabase, row: Row, previous: str) -> LoggedDecision:
    digest = chain.digest(row.sequence, row.at, row.key, previous, header=row.header, sealed=row.sealed)
    if digest != row.hash or log.keyring.mac(digest) != row.mac:
        raise faults.UNREADABLE_RECORD(id=row.id, why="it is not what was recorded")
    inference = None
    if log.keyring.has(row.key):
        record = open_row(row, log.keyring, previous)
        inference = record if isinstance(record, Inference) else None
    header = records.read_header(row.header)
    return LoggedDecision(
        sequence=row.sequence,
        id=row.id,
        at=row.at,
        model=ModelReference(**header["model"]),
        inference=inference,
    )
