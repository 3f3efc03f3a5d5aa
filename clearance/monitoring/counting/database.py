"""The monitoring store: an SQLite file of the project, or a PostgreSQL database, through SQLAlchemy Core.

Every transaction writes alone and is durable when it ends. Errors leave as faults that show no credentials.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from clearance import database_urls, file_lock, paths
from clearance.database_urls import DatabaseFault
from clearance.errors import ClearanceError
from clearance.monitoring import faults

ADDRESS = "CLEARANCE_MONITORING_URL"

METADATA = sa.MetaData()
"""Every table of the store: modules declare theirs in it, and `open` creates those that do not exist."""

_PATIENCE = 10
_DRIVERS = {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}
_ADVISORY = 0x636C6D6F6E  # any number that nobody else locks while tables are created


def texts(*names: str) -> tuple[sa.Column[str], ...]:
    """Columns of texts that are never missing."""
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def address(root: Path, environment: Mapping[str, str] = os.environ) -> sa.URL:
    """The store's URL: `CLEARANCE_MONITORING_URL`, or an SQLite file in the project.

    Raises ConfigurationError when it is neither an SQLite file nor a PostgreSQL database.
    """
    try:
        url = sa.make_url(environment.get(ADDRESS) or paths.sqlite_url(root / paths.MONITORING))
    except (sa.exc.ArgumentError, ValueError):
        raise faults.INVALID_ADDRESS() from None
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    in_memory = url.get_backend_name() == "sqlite" and (
        not url.database or url.database.startswith((":", "file:"))
    )
    if url.drivername not in _DRIVERS or in_memory:
        raise faults.INVALID_ADDRESS()
    return url


def open(root: Path, environment: Mapping[str, str] = os.environ) -> sa.Engine:  # noqa: A001 - `database.open`
    """The store of the project at `root`, with its tables; nothing stays open between transactions.

    Raises ConfigurationError for an unusable address, TransientError when the database does not answer.
    """
    url = address(root, environment)
    engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True)
    if url.get_backend_name() == "sqlite":
        _prepare_file(Path(str(url.database)))
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    with transaction(engine) as connection:
        if url.get_backend_name() == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY)))
        METADATA.create_all(connection)
    return engine


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction: committed at the end of the block, undone when it raises.

    Raises BusyError while others write for too long, UnavailableError when the database cannot be used.
    """
    with database_urls.translated(engine.url, _fault), engine.begin() as connection:
        yield connection


def _fault(error: Exception, url: sa.URL) -> ClearanceError:
    label = database_urls.label(url)
    if database_urls.classify(error) is DatabaseFault.BUSY:
        return faults.STORE_BUSY(database=label)
    why = next(iter(str(getattr(error, "orig", error)).strip().splitlines()), "")
    return faults.STORE_UNAVAILABLE(database=label, why=database_urls.scrub(why, url))


def _prepare_file(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file_lock.create(file)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins no transaction of its own
    for pragma in ("journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {_PATIENCE * 1000}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
