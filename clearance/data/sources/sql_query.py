"""The rows of one query from any database that SQLAlchemy supports, in chunks, read-only.

It decides what may be shown of the database: its kind, host and name, and its own message about a
query. User, password and URL never leave this module, not even inside an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from clearance import database_urls
from clearance.data import faults
from clearance.data.sources import python_rows
from clearance.database_urls import DatabaseFault
from clearance.errors import ClearanceError
from clearance.params import Source

CHUNK = 50_000
_CONNECT_SECONDS = 10

# What drivers raise about a URL, besides their own errors; none of it is ever shown.
_DRIVER_ERRORS = (sa.exc.SQLAlchemyError, ImportError, OSError, TypeError, ValueError)
_NOT_A_DATABASE = re.compile("not a database", re.IGNORECASE)
_PASSING = (DatabaseFault.BUSY, DatabaseFault.FULL, DatabaseFault.UNREACHABLE)


def pull(source: Source) -> tuple[Iterator[pa.Table], dict[str, Any]]:
    """The rows of the query of `source` in chunks, and the database it asks. Raises what `fetch` raises."""
    if source.url_env is None or source.query is None:
        raise ValueError("a sql source has `url_env` and `query`")
    url = database_url(source.url_env)
    return fetch(url, source.query, source.url_env), {"database": database_urls.label(url)}


def database_url(variable: str) -> sa.URL:
    """The database URL in an environment variable; ConfigurationError when it is unset or not a URL."""
    text = os.environ.get(variable)
    if not text:
        raise faults.URL_NOT_SET(variable=variable)
    try:
        url = sa.make_url(text)
    except _DRIVER_ERRORS:
        url = None
    if url is None or not _has_plain_names(url):
        raise faults.NOT_A_DATABASE_URL(variable=variable)
    return url


def _has_plain_names(url: sa.URL) -> bool:
    """Whether host and database are names: part of an unencoded password may have ended up in them."""
    if url.get_backend_name() == "sqlite":
        return url.host is None
    return not re.search(r"[^\w.:%-]", url.host or "") and not re.search(r"[@:/?]", url.database or "")


def fetch(url: sa.URL, query: str, variable: str, chunk: int = CHUNK) -> Iterator[pa.Table]:
    """The rows of `query`, `chunk` at a time, from a cursor on the server where there is one.

    Raises UnavailableError when the database does not answer, SourceError when it refuses the login or
    the query, ConfigurationError when its driver is not installed; `variable` names the URL in them.
    """
    with _connection(url, variable) as connection, database_urls.translated(url, _query_error):
        streamed = connection.execution_options(
            stream_results=True, max_row_buffer=chunk, no_parameters=True, postgresql_readonly=True
        )
        result = streamed.exec_driver_sql(query)
        if not result.returns_rows:
            raise faults.QUERY_WITHOUT_ROWS()
        names = list(result.keys())
        for rows in result.partitions(chunk):
            yield python_rows.to_table(names, rows)


@contextmanager
def _connection(url: sa.URL, variable: str) -> Iterator[sa.Connection]:
    fault: BaseException | None = None
    try:
        connection = _engine(url).connect()
    except _DRIVER_ERRORS as error:
        fault = error
    if fault is not None:  # raised outside the handler: nothing of the driver's error stays attached
        raise _connection_error(fault, url, variable)
    with connection:
        yield connection


def _engine(url: sa.URL) -> sa.Engine:
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database and not Path(url.database).is_file():
        raise FileNotFoundError  # SQLite would create it
    wait = {"connect_timeout": _CONNECT_SECONDS} if backend == "postgresql" else {}
    return sa.create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=wait)


def _connection_error(error: BaseException, url: sa.URL, variable: str) -> ClearanceError:
    database = database_urls.label(url)
    if isinstance(error, ImportError | sa.exc.NoSuchModuleError):
        return faults.NO_DRIVER(driver=url.drivername)
    if isinstance(error, FileNotFoundError):
        return faults.DATABASE_FILE_MISSING(database=database, variable=variable)
    if not isinstance(error, sa.exc.OperationalError | OSError):
        return faults.DATABASE_URL_REJECTED(database=database, variable=variable)
    if database_urls.classify(error) is DatabaseFault.REFUSED or _NOT_A_DATABASE.search(str(error)):
        return faults.LOGIN_REFUSED(database=database, variable=variable)
    return faults.DATABASE_UNREACHABLE(database=database, variable=variable)


def _query_error(error: Exception, url: sa.URL) -> ClearanceError:
    cause = getattr(error, "orig", None) or error
    message = getattr(getattr(cause, "diag", None), "message_primary", None) or str(cause)
    reason, database = database_urls.scrub(message, url), database_urls.label(url)
    if database_urls.classify(error) in _PASSING:
        return faults.DATABASE_DISCONNECTED(database=database, reason=reason)
    return faults.QUERY_REFUSED(database=database, reason=reason)
