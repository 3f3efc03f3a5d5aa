"""The URL of a ledger's database."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from clearance.ledger import faults


def parse(address: str) -> sa.URL:
    """The URL of an SQLite file or a PostgreSQL database. Raises ConfigurationError when it is neither."""
    try:
        url = sa.make_url(address)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise faults.INVALID_ADDRESS()
    if url.get_backend_name() == "sqlite" and (not url.database or url.database.startswith((":", "file:"))):
        raise faults.IN_MEMORY()
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise faults.UNTESTED_DRIVER(driver=url.drivername)
    return url


def is_shared(address: str) -> bool:
    """Whether the ledger at this URL is a server's, which other machines reach. Raises as `parse` does."""
    return file_of(parse(address)) is None


def file_of(url: sa.URL) -> Path | None:
    """The file of an SQLite database; None for a server's database."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
