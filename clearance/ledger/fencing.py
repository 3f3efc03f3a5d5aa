"""One holder of a model at a time: a lock that dies with its holder, and a token that outlives the lock.

A holder that lost the lock without knowing it (its connection broke) has an older token than the next one:
nothing is recorded under it any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from clearance.errors import BusyError
from clearance.ledger import database, database_faults, waiting
from clearance.ledger.database import Database, fences


@dataclass(frozen=True, kw_only=True)
class Fence:
    """The right to change the champion of `model`. Tokens of a model only rise."""

    model: str
    token: int


@contextmanager
def lock(database_: Database, model: str, patience: float | None = None) -> Iterator[Fence]:
    """Hold the lock of the model's name, in the ledger's database.

    It is free again at the end and when the process or its connection dies, also by `kill -9`. Raises
    BusyError when another holds it for longer than `patience` seconds (default: the ledger's).
    """
    wait = database_.patience if patience is None else patience
    taken = _file_lock if database_.file is not None else _server_lock
    with taken(database_, model, wait):
        yield _next(database_, model)


def ensure(connection: sa.Connection, fence: Fence) -> None:
    """Raise BusyError unless nobody has taken the lock since: to be asked before every act under it."""
    query = sa.select(fences.c.token).where(fences.c.model == fence.model)
    if connection.execute(query).scalar() != fence.token:
        raise BusyError(
            f"another process has taken over the lock of {fence.model}",
            "see with `clearance history` what it did, then repeat this",
        )


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
    """SQLite lives on one machine: so does the lock, in a file that the kernel frees."""
    file = database_.file
    assert file is not None  # noqa: S101 - chosen by the caller
    folder = file.with_name(f"{file.name}.locks")
    folder.mkdir(exist_ok=True)
    with Path(folder, _sha256(model).hex()).open("w") as held:
        waiting.flock(held, patience, f"the lock of {model}")
        yield


@contextmanager
def _server_lock(database_: Database, model: str, patience: float) -> Iterator[None]:
    """An advisory lock of a connection of its own: the server frees it when the connection ends."""
    key = int.from_bytes(_sha256(model)[:4], "big", signed=True)
    attempt = sa.select(sa.func.pg_try_advisory_lock(database.SPACE, key))
    with database_faults.translated(database_.engine.url):
        connection = database_.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with database_faults.translated(database_.engine.url):
            waiting.until(
                lambda: bool(connection.execute(attempt).scalar()), patience, f"the lock of {model}"
            )
        yield
    finally:
        connection.invalidate()  # ends the session, and with it the lock: also one that is already lost
        connection.close()


def _sha256(model: str) -> bytes:
    return hashlib.sha256(model.encode()).digest()
