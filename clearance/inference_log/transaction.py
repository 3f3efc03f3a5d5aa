"""One transaction on an inference log: it takes the requests of all who wait, in order, and commits once.

A request is refused alone, without harm to the others, where it is at fault; where the database is, all are.
Other processes wait at the head of the chain meanwhile, so what is looked up here cannot change before the
commit: that makes idempotency keys unique and an erasure final.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clearance.errors import ClearanceError
from clearance.inference_log import chain, database, faults, records
from clearance.inference_log.chain import Head, Row
from clearance.inference_log.database import Connection, Lookup
from clearance.inference_log.keyring import Keyring
from clearance.inference_log.records import EncodedRecord, Erasure, Inference, Read, Record
from clearance.ledger import times

REPEATED = "a request was repeated under its idempotency key"
"""The reason of the read that a repeat is: its caller is given the first decision again."""

_REMEMBERED = 10_000
_ROW = f"SELECT {', '.join(database.RECORD_COLUMNS)} FROM {database.RECORDS}"  # noqa: S608
_KEY = f"SELECT number, pseudonym, wrapped FROM {database.KEYS}"  # noqa: S608


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """Where a record stands in the log, once it is durable.

    `first` is the decision that the caller's idempotency key was first used for: then nothing else was
    recorded, and the receipt is that of `first`. A `spooled` record waits in the local spool for its place:
    `sequence`, `hash` and `at` are None.
    """

    id: str
    sequence: int | None
    hash: str | None
    at: str | None
    first: Inference | None = None
    spooled: bool = False


@dataclass(frozen=True, kw_only=True)
class Append:
    """Append these records together: all of them or none.

    `again`: it is not known whether they are there already; of those that are, the receipt is given again.
    """

    records: Sequence[EncodedRecord]
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Look:
    """Read one record, named by its `id` or by `caller` and key digest, on behalf of `reader`."""

    reader: str
    reason: str
    id: str | None = None
    idempotency: str | None = None
    request_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Erase:
    """Destroy the key of a subject on behalf of `actor`."""

    subject: str
    actor: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A record as it was read, with its place in the log."""

    record: Record
    receipt: Receipt


Request = Append | Look | Erase
Result = tuple[Receipt, ...] | Stored | Receipt | None


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What requests are about: subjects (None: the day), ids of records, digests of idempotency keys."""

    subjects: set[str | None]
    ids: set[str]
    keys: set[str]

    @classmethod
    def of(cls, requests: Iterable[Request], *, every_id: bool) -> _Wanted:
        """What these requests are about."""
        wanted = cls(subjects={None}, ids=set(), keys=set())
        for request in requests:
            if isinstance(request, Append):
                for record in request.records:
                    wanted._add(record, its_id=every_id or request.again)
            elif isinstance(request, Look):
                wanted.ids.update(filter(None, [request.id]))
                wanted.keys.update(filter(None, [request.idempotency]))
            else:
                wanted.subjects.add(request.subject)
        return wanted

    def _add(self, record: EncodedRecord, *, its_id: bool) -> None:
        if record.about is not None:
            self.ids.add(record.about)
        else:
            self.subjects.add(record.subject)
        if record.idempotency is not None:
            self.keys.add(record.idempotency)
        if its_id:
            self.ids.add(record.id)


class Writer:
    """Carries out requests on a connection with the log's keys. One thread uses it at a time."""

    def __init__(
        self, connection: Connection, keyring: Keyring, log: str, now: Callable[[], dt.datetime]
    ) -> None:
        self._connection = connection
        self._keyring = keyring
        self._log = log
        self._now = now
        self._numbers: dict[str, int] = {}
        self._head: Head | None = None
        self._alone = False
        self._scrubs = False
        self.began = False
        """Whether the last transaction got so far that it may have been committed."""

    def carry_out(
        self, requests: Sequence[Request], *, careful: bool = False
    ) -> list[Result | ClearanceError]:
        """The result or the fault of each request, once everything is durable.

        `careful`: look up every id, which is only needed after an id turned out not to be new. Raises what
        the driver raises: then it is not known whether anything was recorded.
        """
        self.began = False
        try:
            if not careful and (results := self._at_once(requests)) is not None:
                return results
            return self._locked(requests, every_id=careful)
        except BaseException:
            self._forget()
            self._head, self._alone = None, False
            raise

    def _locked(self, requests: Sequence[Request], *, every_id: bool) -> list[Result | ClearanceError]:
        """Lock the head, look up what the requests are about, write, and commit."""
        connection = self._connection
        batch = self._begin(_Wanted.of(requests, every_id=every_id))
        results = [batch.attempt(request) for request in requests]
        if batch.changed:
            with connection.together():
                batch.write()
                connection.commit()
        else:
            connection.rollback()
        self._head = batch.head
        self._scrubs = self._scrubs or batch.scrubs
        if self._scrubs:  # again after the next transaction, where others still read
            self._scrubs = not connection.scrub(database.KEYS)
        return results

    def _at_once(self, requests: Sequence[Request]) -> list[Result | ClearanceError] | None:
        """Append in one statement, on the condition that nobody has moved the head since our last one.

        That spares two round trips to a server while nobody else writes. None where it does not apply, or
        the condition did not hold: a subject, an id or an idempotency key was not new, or others write.
        """
        head = self._head
        if head is None or not (self._alone and self._connection.appends_at_once):
            return None
        if not all(isinstance(request, Append) and _is_plain(request) for request in requests):
            return None
        self._keyring.trim()
        batch = _Batch(self._connection, self._keyring, head, self._stamp(head), self._numbers)
        if not batch.has_keys(_Wanted.of(requests, every_id=False)):
            return None
        results = [batch.attempt(request) for request in requests]
        self.began = True
        if not batch.put():
            self._forget()
            self._alone = self.began = False
            return None
        self._head = batch.head
        return results

    def _begin(self, wanted: _Wanted) -> _Batch:
        today = times.stamp(self._now())[:10]
        asked = {
            self._keyring.pseudonym(subject, today) for subject in wanted.subjects
        } - self._numbers.keys()
        lookups = (
            Lookup(_ROW, "id", sorted(wanted.ids)),
            Lookup(_ROW, "idempotency", sorted(wanted.keys)),
            Lookup(_KEY, "pseudonym", sorted(asked)),
        )
        beginning = self._connection.begin(lookups)
        self.began = True
        head = read_head(beginning.head, self._keyring)
        if not self._ends(head, beginning.last):
            raise faults.UNSOUND_HEAD()
        self._alone = head == self._head
        known = self._head is not None and head.erasures == self._head.erasures
        if not known or len(self._numbers) > _REMEMBERED:
            self._forget()
        self._keyring.trim()
        batch = _Batch(self._connection, self._keyring, head, self._stamp(head), self._numbers)
        batch.look_up(wanted, beginning.found, asked)
        return batch

    def _ends(self, head: Head, last: str | None) -> bool:
        """Whether the chain ends at its head, or all of it was deleted after its retention period."""
        if last is not None:
            return last == head.hash
        if not head.sequence:
            return head.hash == chain.origin(self._log)
        query = f"SELECT head FROM {database.SEGMENTS} WHERE last = ? AND expired IS NOT NULL"  # noqa: S608
        return self._connection.rows(query, (head.sequence,)) == [(head.hash,)]

    def _stamp(self, head: Head) -> str:
        """The time of this transaction: never before the last one, unless that was far ahead."""
        now = self._now()
        stamp = times.stamp(now)
        if stamp < head.at <= times.stamp(now + times.SKEW):
            return head.at
        return stamp

    def _forget(self) -> None:
        self._numbers.clear()
        self._keyring.forget()


class _Batch:
    """The requests of one transaction, and what they add."""

    def __init__(
        self, connection: Connection, keyring: Keyring, head: Head, at: str, numbers: dict[str, int]
    ) -> None:
        self._connection = connection
        self._keyring = keyring
        self._start = head
        self.head = head
        self._at = at
        self._numbers = numbers
        self._by_id: dict[str, Row] = {}
        self._by_idempotency: dict[str, Row] = {}
        self._rows: list[Row] = []
        self._keys: list[tuple[int, str, bytes]] = []
        self.scrubs = False

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""
        return self.head != self._start

    def look_up(self, wanted: _Wanted, answers: Sequence[Sequence[tuple[Any, ...]]], asked: set[str]) -> None:
        """Take what was looked up, and look up the keys that it takes to open and to seal."""
        by_id, by_idempotency, by_pseudonym = answers
        self._by_id = {row.id: row for row in map(read_row, by_id)}
        self._by_idempotency = {str(row.idempotency): row for row in map(read_row, by_idempotency)}
        self._take_keys(by_pseudonym)
        pseudonyms = {self._pseudonym(subject) for subject in wanted.subjects}
        if unasked := sorted(pseudonyms - asked - self._numbers.keys()):
            self._take_keys(self._connection.rows_in(_KEY, "pseudonym", unasked))
        needed = {row.key for row in (*self._by_id.values(), *self._by_idempotency.values())}
        needed |= {self._numbers[name] for name in pseudonyms & self._numbers.keys()}
        if locked := sorted(number for number in needed if not self._keyring.has(number)):
            self._take_keys(self._connection.rows_in(_KEY, "number", locked))

    def has_keys(self, wanted: _Wanted) -> bool:
        """Whether every key of these subjects that is known is unwrapped as well."""
        names = {self._pseudonym(subject) for subject in wanted.subjects} & self._numbers.keys()
        return all(self._keyring.has(self._numbers[name]) for name in names)

    def _take_keys(self, rows: Iterable[tuple[Any, ...]]) -> None:
        for number, pseudonym, wrapped in rows:
            if wrapped is not None:
                if not self._keyring.take(number, bytes(wrapped)):
                    raise faults.UNREADABLE_RECORD(id="", why=f"key {number} is not one of this log")
                self._numbers[pseudonym] = number

    def _pseudonym(self, subject: str | None) -> str:
        return self._keyring.pseudonym(subject, self._at[:10])

    def attempt(self, request: Request) -> Result | ClearanceError:
        """The result of a request; the fault where it is refused, and then nothing of it is recorded."""
        try:
            if isinstance(request, Append):
                return self._append(request)
            if isinstance(request, Look):
                return self._look(request)
            return self._erase(request)
        except ClearanceError as error:
            return error

    def _append(self, request: Append) -> tuple[Receipt, ...]:
        there = {r.id: self._by_id[r.id] for r in request.records if request.again and r.id in self._by_id}
        new = [record for record in request.records if record.id not in there]
        if any(len(set(names)) < len(names) for names in _names(new)):
            raise faults.INVALID_FIELD(field="id", why="two records of one call share an id or a key")
        repeats = [self._repeated(record) for record in new]
        for record, first in zip(new, repeats, strict=True):
            if first is None and record.id in self._by_id:
                raise faults.DUPLICATE_ID(id=record.id)
        numbers = [
            0 if first is not None else self._number_for(record)
            for record, first in zip(new, repeats, strict=True)
        ]
        receipts = {id_: _receipt(row) for id_, row in there.items()}
        for record, first, number in zip(new, repeats, numbers, strict=True):
            if first is None:
                receipts[record.id] = _receipt(self._add(record, number))
            else:
                row, decision = first
                receipts[record.id] = replace(_receipt(row), first=decision)
                self._note_read(row.id, decision.caller, REPEATED, "")
        return tuple(receipts[record.id] for record in request.records)

    def _repeated(self, record: EncodedRecord) -> tuple[Row, Inference] | None:
        """The first decision under the same key. Raises DataError when that was for another request."""
        first = self._by_idempotency.get(record.idempotency or "")
        if first is None:
            return None
        decision = self._open(first)
        if not isinstance(decision, Inference) or decision.body_digest != record.body_digest:
            raise faults.KEY_CONFLICT(id=first.id)
        return first, decision

    def _number_for(self, record: EncodedRecord) -> int:
        """The key that seals its content: its subject's, that of the record it is about, or the day's."""
        if record.about is None or record.kind == records.RecordKind.READ:
            return self._subject_key(record.subject)
        about = self._by_id.get(record.about)
        if about is None:
            raise faults.UNKNOWN_DECISION(id=record.about)
        if not self._keyring.has(about.key):
            raise faults.ERASED(id=record.about)
        return about.key

    def _subject_key(self, subject: str | None) -> int:
        pseudonym = self._pseudonym(subject)
        number = self._numbers.get(pseudonym)
        if number is None:
            number = self.head.keys + 1
            self._keys.append((number, pseudonym, self._keyring.make(number)))
            self.head = replace(self.head, keys=number)
            self._numbers[pseudonym] = number
        return number

    def _add(self, record: EncodedRecord, number: int) -> Row:
        sequence, previous = self.head.sequence + 1, self.head.hash
        bound = chain.place(sequence, self._at, number, previous, record.header)
        sealed = self._keyring.seal(number, record.content, bound)
        digest = chain.digest(sequence, self._at, number, previous, header=record.header, sealed=sealed)
        row = Row(
            sequence=sequence,
            id=record.id,
            kind=str(record.kind),
            at=self._at,
            key=number,
            about=record.about,
            idempotency=record.idempotency,
            header=record.header,
            sealed=sealed,
            hash=digest,
            mac=self._keyring.mac(digest),
        )
        self._rows.append(row)
        self._by_id[row.id] = row
        if row.idempotency is not None:
            self._by_idempotency[row.idempotency] = row
        self.head = replace(self.head, sequence=sequence, hash=digest, at=self._at)
        return row

    def _look(self, request: Look) -> Stored | None:
        row = self._by_idempotency.get(request.idempotency or "")
        if request.id is not None:
            row = self._by_id.get(request.id)
            if row is None:
                raise faults.UNKNOWN_DECISION(id=request.id)
        if row is None:
            return None
        stored = Stored(record=self._open(row), receipt=_receipt(row))
        self._note_read(row.id, request.reader, request.reason, request.request_id)
        return stored

    def _note_read(self, about: str, reader: str, reason: str, request_id: str) -> None:
        read = Read(caller=reader, about=about, reason=reason, request_id=request_id)
        self._add(records.encode(read), self._subject_key(None))

    def _open(self, row: Row) -> Record:
        """The record in a row. Raises DataError when its content was erased, IntegrityError when changed."""
        if not self._keyring.has(row.key):
            raise faults.ERASED(id=row.id)
        return open_row(row, self._keyring, self._previous(row))

    def _previous(self, row: Row) -> str:
        for added in self._rows:
            if added.sequence == row.sequence - 1:
                return added.hash
        if row.sequence == self._start.sequence + 1:
            return self._start.hash
        return previous_hash(self._connection, row)

    def _erase(self, request: Erase) -> Receipt:
        pseudonym = self._pseudonym(request.subject)
        number = self._numbers.get(pseudonym)
        if number is None:
            raise faults.UNKNOWN_SUBJECT()
        self._write_keys()
        query = f"SELECT COUNT(*) FROM {database.RECORDS} WHERE key = ?"  # noqa: S608
        count = int(self._connection.rows(query, (number,))[0][0])
        count += sum(row.key == number for row in self._rows)
        erasure = Erasure(caller=request.actor, key=number, count=count, reason=request.reason)
        row = self._add(records.encode(erasure), self._subject_key(None))
        self._connection.run(
            f"UPDATE {database.KEYS} SET pseudonym = NULL, wrapped = NULL, erased = ? WHERE number = ?",  # noqa: S608
            (self._at, number),
        )
        self.head = replace(self.head, erasures=self.head.erasures + 1)
        del self._numbers[pseudonym]
        self._keyring.drop(number)
        self.scrubs = True
        return _receipt(row)

    def put(self) -> bool:
        """Write what the requests add and commit it, in one statement; False where nothing was written."""
        before, after = self._start, self.head
        return self._connection.append_at_once(
            before=(before.sequence, before.hash, self._keyring.head_mac(before)),
            after=(after.sequence, after.hash, after.at, after.keys, self._keyring.head_mac(after)),
            keys=self._key_rows(),
            records=self._record_rows(),
        )

    def write(self) -> None:
        """Write what the requests add; the caller commits."""
        self._write_keys()
        if self._rows:
            self._connection.insert(database.RECORDS, database.RECORD_COLUMNS, self._record_rows())
        write_head(self._connection, self.head, self._keyring)

    def _record_rows(self) -> list[tuple[Any, ...]]:
        return [tuple(getattr(row, name) for name in database.RECORD_COLUMNS) for row in self._rows]

    def _key_rows(self) -> list[tuple[Any, ...]]:
        return [(number, name, wrapped, self._at, None) for number, name, wrapped in self._keys]

    def _write_keys(self) -> None:
        if self._keys:
            self._connection.insert(database.KEYS, database.KEY_COLUMNS, self._key_rows())
            self._keys.clear()


def _is_plain(request: Append) -> bool:
    """Whether nothing of it needs to be looked up before it is written."""
    return not request.again and all(record.about is None for record in request.records)


def _names(new: Sequence[EncodedRecord]) -> tuple[list[str], list[str]]:
    """The ids of the records, and their idempotency keys."""
    return [record.id for record in new], [record.idempotency for record in new if record.idempotency]


def read_head(values: Sequence[Any], keyring: Keyring) -> Head:
    """The head in its row. Raises IntegrityError when it was not moved there with the log's key file."""
    if not values:
        raise faults.NOT_A_LOG(database="the database of the inference log", why="it has no head")
    names = ("sequence", "hash", "at", "keys", "erasures")
    head = Head(**dict(zip(names, values[:5], strict=True)))
    if keyring.head_mac(head) != bytes(values[5]):
        raise faults.UNSOUND_HEAD()
    return head


def write_head(connection: Connection, head: Head, keyring: Keyring) -> None:
    """Move the head of the log; the caller commits."""
    connection.run(
        f"UPDATE {database.HEAD} SET sequence = ?, hash = ?, at = ?, keys = ?, erasures = ?, mac = ?",  # noqa: S608
        (head.sequence, head.hash, head.at, head.keys, head.erasures, keyring.head_mac(head)),
    )


def read_row(values: Sequence[Any]) -> Row:
    """A row of the table of records."""
    sequence, id_, kind, at, key, about, idempotency, header, sealed, digest, mac = values
    return Row(
        sequence=sequence,
        id=id_,
        kind=kind,
        at=at,
        key=key,
        about=about,
        idempotency=idempotency,
        header=bytes(header),
        sealed=bytes(sealed),
        hash=digest,
        mac=bytes(mac),
    )


def previous_hash(connection: Connection, row: Row) -> str:
    """The hash that the row's own covers. Raises IntegrityError when the record before it is missing."""
    if row.sequence == 1:
        log = connection.rows(f"SELECT log FROM {database.LOG}")  # noqa: S608
        return chain.origin(str(log[0][0]))
    query = f"SELECT hash FROM {database.RECORDS} WHERE sequence = ?"  # noqa: S608
    found = connection.rows(query, (row.sequence - 1,))
    if not found:
        query = f"SELECT head FROM {database.SEGMENTS} WHERE last = ?"  # noqa: S608
        found = connection.rows(query, (row.sequence - 1,))
    if not found:
        raise faults.UNREADABLE_RECORD(id=row.id, why="the record before it is missing")
    return str(found[0][0])


def open_row(row: Row, keyring: Keyring, previous: str) -> Record:
    """The record in a row whose key is unwrapped. Raises IntegrityError when anything of it was changed."""
    content = keyring.open(
        row.key, row.sealed, chain.place(row.sequence, row.at, row.key, previous, row.header)
    )
    if content is None:
        raise faults.UNREADABLE_RECORD(id=row.id, why="its content does not match its seal")
    return records.decode(row.header, content)


def _receipt(row: Row) -> Receipt:
    return Receipt(id=row.id, sequence=row.sequence, hash=row.hash, at=row.at)
