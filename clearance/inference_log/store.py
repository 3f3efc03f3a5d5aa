"""The database of an inference log: opened, connected to again after a fault, and known by its id.

A database that was replaced by another log, or by an empty one, is a fault and never a place to go on.
"""

from __future__ import annotations

import copy
import datetime as dt
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from clearance import database_urls, file_lock
from clearance.database_urls import DatabaseFault
from clearance.errors import ClearanceError, TransientError
from clearance.inference_log import chain, database, faults, keyring, records
from clearance.inference_log.chain import Head
from clearance.inference_log.database import Connection, SqliteConnection
from clearance.inference_log.keyring import Keyring
from clearance.inference_log.records import EncodedRecord, Refusal
from clearance.inference_log.spool import Spool, SpoolContent, SpoolSettings
from clearance.inference_log.transaction import Append, Receipt, Request, Result, Writer
from clearance.ledger import read_only
from clearance.ledger.address import file_of

_IDENTITY = f"SELECT log, format, key_check FROM {database.LOG}"  # noqa: S608
_NEW_LOG = (
    f"INSERT INTO {database.LOG} (log, format, key_check) SELECT ?, ?, ? "  # noqa: S608
    f"WHERE NOT EXISTS (SELECT 1 FROM {database.LOG})"
)
_NEW_HEAD = (
    f"INSERT INTO {database.HEAD} (one, sequence, hash, at, keys, erasures, mac) "  # noqa: S608
    f"SELECT 1, 0, ?, '', 0, 0, ? WHERE NOT EXISTS (SELECT 1 FROM {database.HEAD})"
)
_UNIQUE = "23505"
_TOGETHER, _AGAIN = 200, 0.25
_OURSELVES = "inference-log"
TORN = "inference_log.spool_torn"
"""The code of the refusal that stands for an unfinished frame of a spool, for which nobody has a receipt."""


def identity(connection: Connection, url: sa.URL) -> str | None:
    """The id of the log in the database; None where there is none. Raises IntegrityError on several."""
    label = database_urls.label(url)
    with database.translated(url):
        rows = connection.rows(_IDENTITY) if connection.exists() else []
    if len(rows) > 1:
        raise faults.NOT_A_LOG(database=label, why=f"it has {len(rows)} log ids")
    if not rows:
        return None
    if rows[0][1] != chain.FORMAT:
        raise faults.UNKNOWN_FORMAT(database=label, version=rows[0][1], expected=chain.FORMAT)
    return str(rows[0][0])


def key_check(connection: Connection, url: sa.URL) -> str:
    """What the keyring of the log in the database has as its `check`."""
    with database.translated(url):
        return str(connection.rows(_IDENTITY)[0][2])


def establish(connection: Connection, url: sa.URL, key_path: Path) -> tuple[str, Keyring]:
    """The id of the log in the database and its keys; both are made where the database is new.

    Any number of processes may call it at once. Raises ConfigurationError when the key file is missing,
    cannot be used, or is that of another log.
    """
    log = identity(connection, url)
    if log is None:
        keyring.create(key_path)
        candidate = uuid.uuid4().hex
        keys = keyring.load(key_path, candidate)
        head = Head(sequence=0, hash=chain.origin(candidate), at="", keys=0, erasures=0)
        with database.translated(url):
            connection.create(
                [
                    (_NEW_LOG, (candidate, chain.FORMAT, keys.check)),
                    (_NEW_HEAD, (head.hash, keys.head_mac(head))),
                ]
            )
        log = identity(connection, url)
        if log is None:
            raise faults.NOT_A_LOG(database=database_urls.label(url), why="it lost its id")
    keys = keyring.load(key_path, log)
    if keys.check != key_check(connection, url):
        raise faults.WRONG_KEY(path=key_path)
    return log, keys


@dataclass(frozen=True, kw_only=True)
class AuditedDatabase:
    """A connection to the database of a log, with the log's id and its keys, if their file is here."""

    connection: Connection
    log: str
    keyring: Keyring | None


@contextmanager
def opened(url: sa.URL, key_path: Path, patience: float) -> Iterator[AuditedDatabase]:
    """The log in a database, to be verified; without its keys where there is no key file.

    Raises ConfigurationError when there is no log, or the key file cannot be used or is that of another one.
    """
    file = file_of(url)
    if file is not None and not file.exists():
        raise faults.NO_LOG(database=database_urls.label(url))
    with ExitStack() as stack:
        if file is not None and not read_only.is_writable(file):
            name = stack.enter_context(read_only.uri(file))
            connection: Connection = SqliteConnection(url, patience, create=False, name=name)
        else:
            connection = database.connect(url, patience)
        stack.callback(connection.close)
        stack.enter_context(database.translated(url))
        log = identity(connection, url)
        if log is None:
            raise faults.NO_LOG(database=database_urls.label(url))
        keys = keyring.load(key_path, log) if key_path.exists() else None
        if keys is not None and keys.check != key_check(connection, url):
            raise faults.WRONG_KEY(path=key_path)
        yield AuditedDatabase(connection=connection, log=log, keyring=keys)


@dataclass(frozen=True, kw_only=True)
class LogDatabase:
    """A connection of its own to the database of a log, with the log's id and keys."""

    connection: Connection
    log: str
    keyring: Keyring


@dataclass(frozen=True, kw_only=True)
class SubjectRecords:
    """What the log has sealed for a subject: how many records, and the time of the latest."""

    count: int
    latest: str


def count_subject(opened: LogDatabase, subject: str) -> SubjectRecords:
    """What the log has sealed for a subject. Raises DataError when there is nothing."""
    query = (
        f"SELECT COUNT(*), MAX(at) FROM {database.RECORDS} "  # noqa: S608
        f"WHERE key = (SELECT number FROM {database.KEYS} WHERE pseudonym = ?)"
    )
    count, latest = opened.connection.rows(query, (opened.keyring.pseudonym(subject, ""),))[0]
    if not count:
        raise faults.UNKNOWN_SUBJECT()
    return SubjectRecords(count=count, latest=latest)


class DatabaseStore:
    """The log's database, as the worker uses it: in one thread."""

    def __init__(
        self,
        url: sa.URL,
        key_path: Path,
        *,
        patience: float,
        now: Callable[[], dt.datetime],
        create: bool = True,
    ) -> None:
        self._url = url
        self._key_path = key_path
        self._patience = patience
        self._now = now
        self._errors = database.driver_errors(url)
        file = file_of(url)
        if not create and file is not None and not file.exists():
            raise faults.NO_LOG(database=database_urls.label(url))
        self._connection: Connection | None = database.connect(url, patience, create=True)
        if file is not None:
            for end in ("", "-wal", "-shm"):
                file_lock.restrict(file.with_name(f"{file.name}{end}"))
        try:
            if not create and identity(self._connection, url) is None:
                raise faults.NO_LOG(database=database_urls.label(url))
            self.log, self.keyring = establish(self._connection, url, key_path)
        except BaseException:
            self.close()
            raise
        self._writer = Writer(self._connection, self.keyring, self.log, now)

    @property
    def url(self) -> sa.URL:
        """Where the database is."""
        return self._url

    @contextmanager
    def opened(self) -> Iterator[LogDatabase]:
        """Another connection to the same log, for any thread; closed at the end.

        Errors of the driver leave the block as faults. Raises ConfigurationError when the key file is gone.
        """
        keys = keyring.load(self._key_path, self.log)
        connection = database.connect(self._url, self._patience)
        try:
            with database.translated(self._url):
                if identity(connection, self._url) != self.log:
                    raise self._replaced()
                yield LogDatabase(connection=connection, log=self.log, keyring=keys)
        finally:
            connection.close()

    def _replaced(self) -> ClearanceError:
        label = database_urls.label(self._url)
        return faults.NOT_A_LOG(database=label, why="this process began with another log")

    def carry_out(self, requests: Sequence[Request]) -> list[Result | ClearanceError]:
        """The result or fault of each request, once they are durable.

        Raises a fault when the database is; it is not known then whether anything was recorded. The next call
        connects again.
        """
        fault: ClearanceError
        fresh = self._connection is None
        try:
            try:
                return self._connected().carry_out(requests)
            except self._errors as error:
                unique = _is_unique(error)
                repeated = unique or self._writer.began
                appends = all(isinstance(request, Append) for request in requests)
                if not unique and not (_is_lost(error) and not fresh and (appends or not repeated)):
                    raise
            self.close()
            if not unique and repeated:  # nobody knows whether it was committed: the ids tell
                requests = [Append(records=r.records, again=True) for r in requests if isinstance(r, Append)]
            return self._connected().carry_out(requests, careful=unique)
        except self._errors as error:
            fault = database.fault_of(error, self._url)
        except ClearanceError as error:
            fault = error
        self.close()
        raise fault

    def instead(self, requests: Sequence[Request], fault: ClearanceError) -> list[Result | ClearanceError]:
        """The fault, for each request."""
        return [copy.copy(fault) for _ in requests]

    def idle(self) -> float | None:
        """Nothing is to be done without requests."""
        return None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connected(self) -> Writer:
        if self._connection is None:
            connection = database.connect(self._url, self._patience)
            try:
                if identity(connection, self._url) != self.log:
                    raise self._replaced()
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._writer = Writer(connection, self.keyring, self.log, self._now)
        return self._writer


def _is_lost(error: Exception) -> bool:
    """Whether a connection that had been idle was lost: the server was restarted since, or ended it."""
    return database_urls.classify(error) is DatabaseFault.UNREACHABLE


def _is_unique(error: Exception) -> bool:
    """Whether an id or an idempotency key turned out not to be new."""
    code = getattr(error, "sqlite_errorcode", None)
    unique = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
    return code in unique or getattr(error, "sqlstate", None) == _UNIQUE


class SpoolingStore:
    """A database with a local spool in front of it, for as long as it is away."""

    def __init__(self, database_store: DatabaseStore, settings: SpoolSettings) -> None:
        self._database = database_store
        self._spool = Spool(settings, database_store.keyring, database_store.log)
        for path, content in self._spool.abandoned():
            self._append(content)
            path.unlink()

    def carry_out(self, requests: Sequence[Request]) -> list[Result | ClearanceError]:
        """As the database does, after what waits in the spool."""
        if not self._spool.empty:
            self._append(self._spool.content())
            self._spool.clear()
        return self._database.carry_out(requests) if requests else []

    def instead(self, requests: Sequence[Request], fault: ClearanceError) -> list[Result | ClearanceError]:
        """A receipt from the spool for what can wait there; the fault for everything else.

        What has an idempotency key cannot wait: only the store knows whether it is a repeat.
        """
        answers = self._database.instead(requests, fault)
        if not isinstance(fault, TransientError):
            return answers
        waiting: dict[int, Sequence[EncodedRecord]] = {}
        for place, request in enumerate(requests):
            if isinstance(request, Append) and any(record.idempotency for record in request.records):
                answers[place] = faults.KEY_UNCHECKED()
            elif isinstance(request, Append):
                waiting[place] = request.records
        try:
            if waiting:
                self._spool.write(list(waiting.values()))
        except ClearanceError as full:
            return [copy.copy(full) if place in waiting else answer for place, answer in enumerate(answers)]
        for place, call in waiting.items():
            answers[place] = tuple(_spooled(record) for record in call)
        return answers

    def idle(self) -> float | None:
        """Try again soon while something waits."""
        return None if self._spool.empty else _AGAIN

    def close(self) -> None:
        """Close both; what waits stays in its file."""
        self._spool.close()
        self._database.close()

    def _append(self, content: SpoolContent) -> None:
        """Append what waited, in order. What cannot be appended any more leaves a refusal that says why."""
        calls = [Append(records=call, again=True) for call in content.frames]
        for start in range(0, len(calls), _TOGETHER):
            group = calls[start : start + _TOGETHER]
            lost = [
                _refusal(record.id, answer)
                for call, answer in zip(group, self._database.carry_out(group), strict=True)
                if isinstance(answer, ClearanceError)
                for record in call.records
            ]
            if lost:
                self._database.carry_out([Append(records=lost)])
        if content.torn:
            torn = Refusal(caller=_OURSELVES, code=TORN, reason=f"{content.torn} bytes")
            self._database.carry_out([Append(records=[records.encode(torn)])])


def _spooled(record: EncodedRecord) -> Receipt:
    return Receipt(id=record.id, sequence=None, hash=None, at=None, spooled=True)


def _refusal(id_: str, fault: ClearanceError) -> EncodedRecord:
    return records.encode(Refusal(caller=_OURSELVES, code=fault.code, reason=f"spooled record {id_}"))
