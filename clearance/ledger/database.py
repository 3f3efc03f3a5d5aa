"""The ledger's tables in SQLite or PostgreSQL: created once, written by one at a time, read by all.

This module decides how a transaction starts, how long it waits, and what messages may say about the database:
its kind, host and name, never its user or password. What is written is decided elsewhere.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from clearance import database_urls, file_lock
from clearance.ledger import faults, read_only, waiting
from clearance.ledger.address import file_of, parse
from clearance.ledger.database_faults import translated

FORMAT = 1
LOCK = "lock\n"
"""Start of the names of rows that are only locked, in PostgreSQL: this one by writers, longer ones by models.

No model has such a name: it has no control characters.
"""

_CONNECT_SECONDS = 10
_TABLES = sa.MetaData()
_TEXT = sa.Text
identity = sa.Table(
    "clearance_ledger",
    _TABLES,
    sa.Column("ledger", _TEXT, primary_key=True),
    sa.Column("format", sa.Integer, nullable=False),
)
entries = sa.Table(
    "clearance_ledger_entries",
    _TABLES,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", _TEXT, nullable=False),
    sa.Column("kind", _TEXT, nullable=False),
    sa.Column("model", _TEXT),
    sa.Column("actor", _TEXT, nullable=False),
    sa.Column("keyid", _TEXT),
    sa.Column("salt", _TEXT),
    sa.Column("text", _TEXT),
    sa.Column("body_digest", _TEXT, nullable=False),
    sa.Column("previous", _TEXT, nullable=False),
    sa.Column("digest", _TEXT, nullable=False),
    sa.Index("clearance_ledger_by_model", "model", "number"),
)
fences = sa.Table(
    "clearance_ledger_fences",
    _TABLES,
    sa.Column("model", _TEXT, primary_key=True),
    sa.Column("token", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, kw_only=True)
class Database:
    """An open database with the ledger's tables in it. `ledger` is the random id it was created with."""

    engine: sa.Engine
    ledger: str
    patience: float

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for a server's."""
        return file_of(self.engine.url)


@contextmanager
def connected(address: str, patience: float = waiting.PATIENCE) -> Iterator[Database]:
    """The database at a URL, with its tables created if they do not exist; closed at the end.

    Where an SQLite database cannot be written, it is opened for reading, and nothing is written. Many
    processes may call it at once. Raises ConfigurationError when the URL is not usable, UnavailableError when
    no server answers, and IntegrityError when the tables are not those of a ledger.
    """
    url = parse(address)
    file = file_of(url)
    if file is not None and file.exists() and not read_only.is_writable(file):
        opened: AbstractContextManager[sa.Engine] = _read_only(url, file)
    else:
        opened = _closing(_engine(url, patience))
        for path in read_only.files(file) if file is not None else ():
            file_lock.restrict(path)
    with opened as engine:
        with translated(url):
            ledger, version = _identity(engine) or _create(engine, patience)
        if version != FORMAT:
            raise faults.UNKNOWN_FORMAT(database=database_urls.label(url), version=version, expected=FORMAT)
        yield Database(engine=engine, ledger=ledger, patience=patience)


@contextmanager
def _closing(engine: sa.Engine) -> Iterator[sa.Engine]:
    """The engine, whose connections are closed at the end."""
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _read_only(url: sa.URL, file: Path) -> Iterator[sa.Engine]:
    """An SQLite database where nothing may be written."""
    with read_only.uri(file) as name:

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(name, uri=True, check_same_thread=False)

        with _closing(sa.create_engine(url, hide_parameters=True, creator=connect)) as engine:
            yield engine


@contextmanager
def writing(database: Database) -> Iterator[sa.Connection]:
    """An exclusive write transaction: committed at the end, rolled back on an error.

    Raises BusyError when other processes write for longer than the database's patience.
    """
    with (
        translated(database.engine.url),
        _transaction(database.engine, database.patience) as connection,
    ):
        yield connection


@contextmanager
def _transaction(engine: sa.Engine, patience: float) -> Iterator[sa.Connection]:
    with engine.connect() as fresh:
        connection = fresh.execution_options(isolation_level="AUTOCOMMIT")  # we send BEGIN ourselves
        _begin(connection, patience)
        try:
            yield connection
        except BaseException:
            if not connection.invalidated:
                connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


@contextmanager
def reading(database: Database, *, lenient: bool = False) -> Iterator[sa.Connection]:
    """A connection that streams its results; `lenient`: text that is not UTF-8 is read as well."""
    with translated(database.engine.url), database.engine.connect() as connection:
        if lenient and database.file is not None:
            driver: Any = connection.connection.driver_connection
            connection.detach()  # so that nobody else gets it from the pool
            driver.text_factory = lambda data: data.decode("utf-8", "replace")
        yield connection.execution_options(stream_results=True, yield_per=100)


def _begin(connection: sa.Connection, patience: float) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    connection.exec_driver_sql(
        "BEGIN ISOLATION LEVEL READ COMMITTED"
    )  # sees the commits of earlier lock holders
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(patience * 1000)}")
    connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
    locked = lock_query(LOCK).with_for_update()
    if connection.execute(locked).first() is None:  # a ledger of an earlier version
        add_lock(connection, LOCK)
        connection.execute(locked)


def lock_query(row: str) -> sa.Select[tuple[int]]:
    """Finds the row to lock with this name."""
    return sa.select(fences.c.token).where(fences.c.model == row)


def add_lock(connection: sa.Connection, row: str) -> None:
    """Add the row to lock with this name to a PostgreSQL ledger, unless it is there."""
    connection.execute(postgresql.insert(fences).values(model=row, token=0).on_conflict_do_nothing())


def _engine(url: sa.URL, patience: float) -> sa.Engine:
    if file_of(url) is None:
        wait: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS}
        return sa.create_engine(url, hide_parameters=True, connect_args=wait, pool_pre_ping=True)
    wait = {"timeout": patience, "check_same_thread": False}
    engine = sa.create_engine(url, hide_parameters=True, connect_args=wait)

    def prepare(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")

    sa.event.listen(engine, "connect", prepare)
    return engine


def _identity(engine: sa.Engine) -> tuple[str, int] | None:
    """The ledger's id and format; None when the tables do not exist."""
    file = file_of(engine.url)
    if file is not None and not file.exists():
        return None  # connecting would create it
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table(identity.name):
            return None
        rows = connection.execute(sa.select(identity.c.ledger, identity.c.format)).all()
    if len(rows) != 1:
        raise faults.NOT_ONE_LEDGER(database=database_urls.label(engine.url), count=len(rows))
    return str(rows[0][0]), int(rows[0][1])


def _create(engine: sa.Engine, patience: float) -> tuple[str, int]:
    """Create the tables, unless another process has just created them."""
    file = file_of(engine.url)
    if file is None:
        try:
            with engine.begin() as connection:
                return _created(connection)
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError):
            if (others := _identity(engine)) is None:
                raise
            return others
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file_lock.opened(file.with_name(f"{file.name}.lock")) as lock:
            waiting.flock(lock, patience, f"the new ledger {file}")
            file_lock.create(file)
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            with _transaction(engine, patience) as connection:
                return _created(connection)
    except OSError as error:
        raise faults.NOT_CREATABLE(file=file, why=error.strerror) from None


def _created(connection: sa.Connection) -> tuple[str, int]:
    _TABLES.create_all(connection)
    if connection.dialect.name == "postgresql":
        add_lock(connection, LOCK)
    row = connection.execute(sa.select(identity.c.ledger, identity.c.format)).first()
    if row is None:
        row = connection.execute(
            identity.insert().returning(identity.c.ledger, identity.c.format),
            {"ledger": uuid.uuid4().hex, "format": FORMAT},
        ).one()
    return str(row[0]), int(row[1])
