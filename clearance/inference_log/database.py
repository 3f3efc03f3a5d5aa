"""Connections to the database of an inference log: SQLite through sqlite3, PostgreSQL through psycopg.

One statement in SQL serves both. The drivers are used directly, because an append must cost little beyond
its commit. A commit is durable when it returns: SQLite runs with WAL and synchronous=FULL, PostgreSQL with
synchronous_commit=on. Errors of a driver leave this module as faults that show neither user nor password.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from clearance import database_urls, file_lock
from clearance.database_urls import DatabaseFault
from clearance.errors import ClearanceError
from clearance.inference_log import faults
from clearance.ledger import waiting
from clearance.ledger.address import file_of

CONNECT_SECONDS = 3
_SHORTEST, _LONGEST = 0.0002, 0.005
_ROWS = 64
"""Most rows of one INSERT into SQLite."""

LOG, HEAD, RECORDS, KEYS, SEGMENTS = (
    f"clearance_inference_{name}" for name in ("log", "head", "records", "keys", "segments")
)
RECORD_COLUMNS = (
    *("sequence", "id", "kind", "at", "key", "about", "idempotency", "header", "sealed", "hash", "mac"),
)
KEY_COLUMNS = ("number", "pseudonym", "wrapped", "made", "erased")
SEGMENT_COLUMNS = (*("number", "first", "last", "previous", "head", "latest", "entry", "sealed", "expired"),)
_TABLES = (
    f"CREATE TABLE IF NOT EXISTS {LOG} (log TEXT PRIMARY KEY, format INTEGER NOT NULL, "
    "key_check TEXT NOT NULL)",
    f"CREATE TABLE IF NOT EXISTS {HEAD} (one INTEGER PRIMARY KEY CHECK (one = 1), sequence BIGINT NOT NULL, "
    "hash TEXT NOT NULL, at TEXT NOT NULL, keys BIGINT NOT NULL, erasures BIGINT NOT NULL, "
    "mac BYTES NOT NULL)",
    f"CREATE TABLE IF NOT EXISTS {RECORDS} (sequence NUMBER PRIMARY KEY, id TEXT NOT NULL UNIQUE, "
    "kind TEXT NOT NULL, at TEXT NOT NULL, key BIGINT NOT NULL, about TEXT, idempotency TEXT UNIQUE, "
    "header BYTES NOT NULL, sealed BYTES NOT NULL, hash TEXT NOT NULL, mac BYTES NOT NULL)",
    f"CREATE INDEX IF NOT EXISTS {RECORDS}_by_key ON {RECORDS} (key)",
    f"CREATE INDEX IF NOT EXISTS {RECORDS}_by_about ON {RECORDS} (about) WHERE about IS NOT NULL",
    f"CREATE TABLE IF NOT EXISTS {KEYS} (number NUMBER PRIMARY KEY, pseudonym TEXT UNIQUE, wrapped BYTES, "
    "made TEXT NOT NULL, erased TEXT)",
    f"CREATE TABLE IF NOT EXISTS {SEGMENTS} (number NUMBER PRIMARY KEY, first BIGINT NOT NULL, "
    "last BIGINT NOT NULL UNIQUE, previous TEXT NOT NULL, head TEXT NOT NULL, latest TEXT NOT NULL, "
    "entry BIGINT NOT NULL, sealed TEXT NOT NULL, expired TEXT)",
)
_ADVISORY = 0x636C656172  # any number that nobody else locks while tables are created


_KEY_ARRAYS = "%s::bigint[], %s::text[], %s::bytea[], %s::text[], %s::text[]"
_RECORD_ARRAYS = (
    "%s::bigint[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], "
    "%s::bytea[], %s::bytea[], %s::text[], %s::bytea[]"
)
_AT_ONCE = (
    f"WITH moved AS (UPDATE {HEAD} SET sequence = %s, hash = %s, at = %s, keys = %s, mac = %s "  # noqa: S608
    f"WHERE mac = %s AND EXISTS (SELECT 1 FROM {RECORDS} WHERE sequence = %s AND hash = %s) "
    "RETURNING one), "
    f"made AS (INSERT INTO {KEYS} ({', '.join(KEY_COLUMNS)}) "
    f"SELECT new.* FROM unnest({_KEY_ARRAYS}) AS new, moved) "
    f"INSERT INTO {RECORDS} ({', '.join(RECORD_COLUMNS)}) "
    f"SELECT new.* FROM unnest({_RECORD_ARRAYS}) AS new, moved"
)
"""A writer that waits for the head compares its code again: if others moved it, nothing is written."""


class Lookup(NamedTuple):
    """The rows of a query whose `column` has one of the values; no query without values."""

    query: str
    column: str
    values: list[Any]


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """What a writing transaction began with: head, hash of the last record, and what was looked up."""

    head: Sequence[Any]
    last: str | None
    found: Sequence[list[tuple[Any, ...]]]


class Connection(Protocol):
    """An open connection. Outside of `begin` and `commit`, each statement is a transaction of its own."""

    errors: tuple[type[Exception], ...]
    appends_at_once: bool

    def begin(self, lookups: Sequence[Lookup]) -> Beginning:
        """Begin to write, alone, and look up what cannot change from then on until the commit."""

    def together(self) -> AbstractContextManager[Any]:
        """Statements inside, whose results nobody reads there, may be sent together."""

    def append_at_once(
        self,
        *,
        before: tuple[int, str, bytes],
        after: tuple[int, str, str, int, bytes],
        keys: Sequence[Sequence[Any]],
        records: Sequence[Sequence[Any]],
    ) -> bool:
        """Append and commit in one statement, if the head is `before` (sequence, hash, code) and all is new.

        Moves the head to `after` (sequence, hash, time, keys, code). False where nothing was written. Only
        where `appends_at_once`.
        """

    def commit(self) -> None:
        """Commit: what was written is durable when this returns."""

    def rollback(self) -> None:
        """Undo what was written since `begin`."""

    def close(self) -> None:
        """Close the connection; never raises."""

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement; how many rows it changed."""

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""

    def rows_in(self, query: str, column: str, values: list[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query whose `column` has one of the values."""

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Everything read inside the block is as of one moment; nothing is locked."""

    def stream(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query one by one, in bounded memory. Only in a snapshot."""

    def scrub(self, *tables: str) -> bool:
        """Overwrite what was deleted from tables, as far as the database can; False while that must wait."""

    def exists(self) -> bool:
        """Whether the tables are there."""

    def create(self, rows: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """Create the tables that do not exist, and run these statements in the same transaction, alone."""


_HEAD = f"SELECT sequence, hash, at, keys, erasures, mac FROM {HEAD}"  # noqa: S608
_LAST = f"SELECT hash FROM {RECORDS} WHERE sequence = (SELECT sequence FROM {HEAD})"  # noqa: S608
"""No join: without statistics, PostgreSQL would read the whole table for it."""


class SqliteConnection:
    """A connection to an SQLite file."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    appends_at_once = False

    def __init__(self, url: sa.URL, patience: float, *, create: bool, name: str | None = None) -> None:
        """`name`: the URI of a database that nobody may write here, see `ledger.read_only`."""
        self._patience = patience
        self._file = Path(str(url.database))
        self._wal = self._file.with_name(f"{self._file.name}-wal")
        self._inserts: dict[tuple[str, int], str] = {}
        if name is not None:
            self._connection = sqlite3.connect(name, uri=True, isolation_level=None)
            return
        if not self._file.exists():
            if not create:
                raise sqlite3.OperationalError("the file is gone")
            self._create_file()
        self._connection = sqlite3.connect(
            self._file, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        try:
            for pragma in ("synchronous = FULL", "fullfsync = ON", "secure_delete = ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            if self._connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                self._connection.execute("PRAGMA journal_mode = WAL")
            self._inode = _inode(self._file)
            self._wal_inode: tuple[int, int] | None = None
        except BaseException:
            self._connection.close()
            raise

    def _create_file(self) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with file_lock.opened(self._file.with_name(f"{self._file.name}.lock")) as lock:
                waiting.flock(lock, self._patience, f"the new inference log {self._file}")
                file_lock.create(self._file)
                with _closing(sqlite3.connect(self._file, timeout=self._patience)) as connection:
                    connection.execute("PRAGMA journal_mode = WAL")
        except OSError as error:
            raise faults.NOT_CREATABLE(file=self._file, why=error.strerror) from None

    def exists(self) -> bool:
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = ?", (SEGMENTS,)))

    def create(self, rows: Sequence[tuple[str, Sequence[Any]]]) -> None:
        self._begin()
        try:
            for statement in _TABLES:
                self.run(statement.replace("NUMBER", "INTEGER").replace("BYTES", "BLOB"))
            for statement, values in rows:
                self.run(statement, values)
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def begin(self, lookups: Sequence[Lookup]) -> Beginning:
        self._begin()
        head, last = self.rows(_HEAD), self.rows(_LAST)
        return Beginning(
            head=head[0] if head else (),
            last=last[0][0] if last else None,
            found=[self.rows_in(*lookup) if lookup.values else [] for lookup in lookups],
        )

    def together(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def append_at_once(self, **_values: Any) -> bool:
        return False

    def _begin(self) -> None:
        """Begin, with short pauses while others write: SQLite's own pauses grow to a tenth of a second."""
        deadline, pause = time.monotonic() + self._patience, _SHORTEST
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    self._connection.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    busy = database_urls.classify(error) is DatabaseFault.BUSY
                    if not busy or time.monotonic() >= deadline:
                        raise
                time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - not a secret
                pause = min(2 * pause, _LONGEST)
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")

    def commit(self) -> None:
        self._connection.execute("COMMIT")
        wal = _inode(self._wal)
        self._wal_inode = self._wal_inode or wal
        if _inode(self._file) != self._inode or wal is None or wal != self._wal_inode:
            raise sqlite3.OperationalError("the file was removed or replaced while it was open")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        return self._connection.execute(statement, values).rowcount

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()

    def rows_in(self, query: str, column: str, values: list[Any]) -> list[tuple[Any, ...]]:
        marks = ", ".join("?" * len(values))
        return self.rows(f"{query} WHERE {column} IN ({marks})", values)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        for start in range(0, len(rows), _ROWS):
            group = rows[start : start + _ROWS]
            key = (table, len(group))
            if key not in self._inserts:
                marks = f"({', '.join('?' * len(columns))})"
                names, values = ", ".join(columns), ", ".join([marks] * len(group))
                self._inserts[key] = f"INSERT INTO {table} ({names}) VALUES {values}"  # noqa: S608
            self._connection.execute(self._inserts[key], [value for row in group for value in row])

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self.rollback()

    def stream(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        cursor = self._connection.execute(statement, values)
        try:
            yield from cursor
        finally:
            cursor.close()

    def scrub(self, *_tables: str) -> bool:
        try:
            return bool(self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
        except sqlite3.OperationalError:
            return False


class PostgresConnection:
    """A connection to a PostgreSQL database."""

    appends_at_once = True

    def __init__(self, url: sa.URL, patience: float) -> None:
        import psycopg  # only where it is used

        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)
        self._cursors = itertools.count()
        milliseconds = int(patience * 1000)
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: psycopg.Connection[Any] = psycopg.connect(
            address,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            prepare_threshold=1,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=2,
            tcp_user_timeout=milliseconds,
            options=f"-c synchronous_commit=on -c lock_timeout={milliseconds} -c timezone=UTC "
            f"-c default_transaction_isolation=read\\ committed",
        )

    def exists(self) -> bool:
        return self.rows("SELECT to_regclass(?)", (SEGMENTS,))[0][0] is not None

    def create(self, rows: Sequence[tuple[str, Sequence[Any]]]) -> None:
        with self._connection.transaction():
            self.rows(f"SELECT pg_advisory_xact_lock({_ADVISORY})")
            if not self.exists():
                for statement in _TABLES:
                    self.run(statement.replace("NUMBER", "BIGINT").replace("BYTES", "BYTEA"))
            for statement, values in rows:
                self.run(statement, values)

    def begin(self, lookups: Sequence[Lookup]) -> Beginning:
        # Statements after the one that locks see what other writers committed while this one waited.
        execute = self._connection.execute
        with self._connection.pipeline():
            execute("BEGIN")
            head = execute(f"{_HEAD} FOR UPDATE".encode())
            last = execute(_LAST.encode())
            found = [execute(_any(lookup), [lookup.values]) if lookup.values else None for lookup in lookups]
        row, hash_ = head.fetchone(), last.fetchone()
        return Beginning(
            head=row or (),
            last=hash_[0] if hash_ else None,
            found=[cursor.fetchall() if cursor else [] for cursor in found],
        )

    def together(self) -> AbstractContextManager[Any]:
        return self._connection.pipeline()

    def append_at_once(
        self,
        *,
        before: tuple[int, str, bytes],
        after: tuple[int, str, str, int, bytes],
        keys: Sequence[Sequence[Any]],
        records: Sequence[Sequence[Any]],
    ) -> bool:
        from psycopg.errors import UniqueViolation

        columns = [*_columns(keys, KEY_COLUMNS), *_columns(records, RECORD_COLUMNS)]
        values = [*after, before[2], *before[:2], *map(list, columns)]
        try:
            cursor = self._connection.execute(_AT_ONCE.encode(), values)
        except UniqueViolation:
            return False
        return int(cursor.rowcount) == len(records)

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        with suppress(*self.errors):
            self._connection.close()

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        return int(self._connection.execute(statement.replace("?", "%s").encode(), values).rowcount)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(statement.replace("?", "%s").encode(), values).fetchall())

    def rows_in(self, query: str, column: str, values: list[Any]) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(_any(Lookup(query, column, values)), [values]).fetchall())

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        marks = ", ".join(["%s"] * len(columns))
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
        if len(rows) == 1:
            self._connection.execute(statement.encode(), rows[0])
        else:
            with self._connection.cursor() as cursor:
                cursor.executemany(statement.encode(), rows)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            self.rollback()

    def stream(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        name = f"clearance_{next(self._cursors)}"
        with self._connection.cursor(name) as cursor:
            cursor.itersize = 500
            cursor.execute(statement.replace("?", "%s").encode(), values)
            yield from cursor

    def scrub(self, *tables: str) -> bool:
        try:
            for table in tables:
                self.run(f"VACUUM {table}")
        except self.errors:
            return False
        return True


def _inode(file: Path) -> tuple[int, int] | None:
    """Which file has this name now: a commit into a file that nobody can open again is lost."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _columns(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> Sequence[Sequence[Any]]:
    """The rows turned into one list for each column."""
    return list(zip(*rows, strict=True)) if rows else [()] * len(names)


def _any(lookup: Lookup) -> bytes:
    return f"{lookup.query} WHERE {lookup.column} = ANY(%s)".encode()


@contextmanager
def _closing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    finally:
        connection.close()


def parse(address: str) -> sa.URL:
    """The URL of an SQLite file or a PostgreSQL database. Raises ConfigurationError when it is neither."""
    try:
        url = sa.make_url(address)
    except (sa.exc.ArgumentError, ValueError):
        raise faults.INVALID_ADDRESS() from None
    in_memory = not url.database or url.database.startswith((":", "file:"))
    drivers = {"sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"}
    if url.drivername not in drivers or (url.get_backend_name() == "sqlite" and in_memory):
        raise faults.INVALID_ADDRESS()
    return url


def connect(url: sa.URL, patience: float, *, create: bool = False) -> Connection:
    """A new connection; an SQLite file is created only on request. Raises ClearanceError without one."""
    with translated(url):
        if file_of(url) is not None:
            return SqliteConnection(url, patience, create=create)
        return PostgresConnection(url, patience)


@contextmanager
def translated(url: sa.URL) -> Iterator[None]:
    """Raise a fault of the log in place of a driver's error, without that attached."""
    fault: ClearanceError | None = None
    try:
        yield
    except driver_errors(url) as error:
        fault = fault_of(error, url)
    if fault is not None:
        raise fault


def driver_errors(url: sa.URL) -> tuple[type[Exception], ...]:
    """What the driver of this database raises."""
    if file_of(url) is not None:
        return (sqlite3.Error,)
    import psycopg

    return (psycopg.Error,)


def fault_of(error: Exception, url: sa.URL) -> ClearanceError:
    """The fault that an error of the driver means."""
    line = next(iter(str(error).strip().splitlines()), "").strip()
    why = database_urls.scrub(line, url)
    database = f"the inference log {database_urls.label(url)}"
    kind = database_urls.classify(error)
    if kind in _PASSING:
        return _PASSING[kind](database=database)
    primary = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    state = (getattr(error, "sqlstate", None) or "")[:2]
    for fault, codes, states in _LASTING:
        if primary in codes or state in states:
            return fault(database=database, why=why)
    lasting = faults.REFUSED if kind is DatabaseFault.REFUSED else faults.UNAVAILABLE
    return lasting(database=database, why=why)


_PASSING = {DatabaseFault.BUSY: faults.LOCKED, DatabaseFault.FULL: faults.FULL}
_LASTING = (
    (
        faults.DAMAGED,
        {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT},
        {"22", "23"},
    ),
    (faults.NOT_A_LOG, {sqlite3.SQLITE_ERROR}, {"42"}),
)
"""Codes of SQLite and classes of SQLSTATE that mean the tables or what is in them."""
