"""One holder of a model at a time: a lock that ends with its holder, and a token that outlives the lock.

A holder that lost the lock without noticing (its connection broke) has an older token than the next holder:
nothing can be recorded under it any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from clearance import file_lock
from clearance.ledger import database, database_faults, faults, waiting
from clearance.ledger.database import Database, fences


@dataclass(frozen=True, kw_only=True)
class Fence:
    """The right to change the champion of `model`. The tokens of a model only increase."""

    model: str
    token: int


@contextmanager
def lock(database_: Database, model: str, patience: float | None = None) -> Iterator[Fence]:
    """Hold the lock of a model in the ledger's database.

    It is released at the end, and when the process or its connection dies, also by `kill -9`. Raises
    BusyError when another process holds it for longer than `patience` seconds (default: the ledger's).
    """
    wait = database_.patience if patience is None else patience
    taken = _file_lock if database_.file is not None else _server_lock
    with taken(database_, model, wait):
        yield _next(database_, model)


def ensure(connection: sa.Connection, fence: Fence) -> None:
    """Raise BusyError if another process has taken the lock since. Call it before every act under it."""
    query = sa.select(fences.c.token).where(fences.c.model == fence.model)
    if connection.execute(query).scalar() != fence.token:
        raise faults.LOCK_LOST(model=fence.model)


def _next(database_: Database, model: str) -> Fence:
    with database.writing(database_) as connection:
        query = sa.select(fences.c.token).where(fences.c.model == model)
        before = connection.execute(query).scalar()
        if before is None:
            connection.execute(fences.insert(), {"model": model, "token": 1})
            return Fence(model=model, token=1)
        connection.execute(fences.update().where(fences.c.model == model).values(token=before + 1))
        return Fence(model=model, token=before + 1)


@contextmanager
def _file_lock(database_: Database, model: str, patience: float) -> Iterator[None]:
    """SQLite is used on one machine, and so is its lock: a file lock that the kernel releases."""
    path = database_.file
    assert path is not None  # noqa: S101 - chosen by the caller
    folder = path.with_name(f"{path.name}.locks")
    folder.mkdir(exist_ok=True)
    with file_lock.opened(folder / _sha256(model).hex(), guarded=path) as descriptor:
        waiting.flock(descriptor, patience, f"the lock of {model}")
        yield


@contextmanager
def _server_lock(database_: Database, model: str, patience: float) -> Iterator[None]:
    """A locked row on a connection of its own: the server releases it when the connection ends.

    Only an account that may write the ledger can lock a row. An advisory lock, everybody who may connect can
    hold.
    """
    row = f"{database.LOCK}{model}"
    with database.writing(database_) as connection:
        database.add_lock(connection, row)
    attempt = database.lock_query(row).with_for_update(skip_locked=True)
    with database_faults.translated(database_.engine.url):
        connection = database_.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with database_faults.translated(database_.engine.url):
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL READ COMMITTED")
            waiting.until(
                lambda: connection.execute(attempt).first() is not None, patience, f"the lock of {model}"
            )
        yield
    finally:
        connection.invalidate()  # ends the session and the lock, even if the connection is already lost
        connection.close()


def _sha256(model: str) -> bytes:
    return hashlib.sha256(model.encode()).digest()
