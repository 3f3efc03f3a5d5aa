"""The ledger's tables in SQLite or PostgreSQL: created once, written by one at a time, read by all.

This module decides how a transaction starts, how long it waits, and what messages may say about the database:
its kind, host and name, never its user or password. What is written is decided elsewhere.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from clearance import database_urls
from clearance.ledger import faults, waiting
from clearance.ledger.address import file_of, parse
from clearance.ledger.database_faults import translated

FORMAT = 1
SPACE = 0x434C_5201
"""First half of the key of PostgreSQL's advisory locks for models; the ledger's own is `SPACE - 1`."""

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

    Many processes may call it at once. Raises ConfigurationError when the URL is not usable,
    UnavailableError when no server answers, and IntegrityError when the tables are not those of a ledger.
    """
    url = parse(address)
    engine = _engine(url, patience)
    try:
        with translated(url):
            ledger, version = _identity(engine) or _create(engine, patience)
        if version != FORMAT:
            raise faults.UNKNOWN_FORMAT(database=database_urls.label(url), version=version, expected=FORMAT)
        yield Database(engine=engine, ledger=ledger, patience=patience)
    finally:
        engine.dispose()


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
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(SPACE - 1, 0)))


def _engine(url: sa.URL, patience: float) -> sa.Engine:
    if file_of(url) is None:
        wait = {"connect_timeout": _CONNECT_SECONDS}
        return sa.create_engine(url, hide_parameters=True, connect_args=wait, pool_pre_ping=True)
    engine = sa.create_engine(
        url, hide_parameters=True, connect_args={"timeout": patience, "check_same_thread": False}
    )

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
        with _transaction(engine, patience) as connection:
            return _created(connection)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_name(f"{file.name}.lock").open("w") as lock:
            waiting.flock(lock, patience, f"the new ledger {file}")
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            with _transaction(engine, patience) as connection:
                return _created(connection)
    except OSError as error:
        raise faults.NOT_CREATABLE(file=file, why=error.strerror) from None


def _created(connection: sa.Connection) -> tuple[str, int]:
    _TABLES.create_all(connection)
    row = connection.execute(sa.select(identity.c.ledger, identity.c.format)).first()
    if row is None:
        row = connection.execute(
            identity.insert().returning(identity.c.ledger, identity.c.format),
            {"ledger": uuid.uuid4().hex, "format": FORMAT},
        ).one()
    return str(row[0]), int(row[1])
