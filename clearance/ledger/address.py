"""Where a ledger's database is: which URLs are of use."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from clearance.errors import ConfigurationError


def parse(address: str) -> sa.URL:
    """The URL of an SQLite file or a PostgreSQL database. Raises ConfigurationError when it is none."""
    mend = "set CLEARANCE_LEDGER to sqlite:///path or postgresql+psycopg://user:password@host/database"
    try:
        url = sa.make_url(address)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigurationError("the ledger's address is no URL of SQLite or PostgreSQL", mend)
    if url.get_backend_name() == "sqlite" and (not url.database or url.database.startswith((":", "file:"))):
        raise ConfigurationError("a ledger in memory is lost with the process", mend)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise ConfigurationError(f"the ledger is not tested with the driver {url.drivername}", mend)
    return url


def file_of(url: sa.URL) -> Path | None:
    """The file of an SQLite database; None for a server's."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
