"""The rows of one query from any database that SQLAlchemy speaks to, in chunks, read-only.

It decides what may be said about the database: its kind, host and name, and its own words about a
query. User, password and address never leave this module, not even inside an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from clearance import database_urls
from clearance.data.sources import python_rows
from clearance.errors import ClearanceError, ConfigurationError, SourceError, UnavailableError

CHUNK = 50_000
_CONNECT_SECONDS = 10

# What drivers raise about an address, beside their own errors; none of it is ever shown.
_FAULTS = (sa.exc.SQLAlchemyError, ImportError, OSError, TypeError, ValueError)
_LOGIN = re.compile(
    r"password|authenticat|access denied|does not exist|unknown database|permission|pg_hba|not a database",
    re.IGNORECASE,
)
_PASSING = re.compile(r"locked|deadlock|timed? ?out|lost connection|server closed", re.IGNORECASE)
_PASSING_STATES = (
    "08",
    "40",
    "53",
    "55",
    "57",
)  # SQLSTATE classes: connection, rollback, resources, lock, stop


def database_url(variable: str) -> sa.URL:
    """The database URL in an environment variable; ConfigurationError when it is unset or no URL."""
    text = os.environ.get(variable)
    form = f"set {variable} to dialect+driver://user:password@host/database, each part %-encoded"
    if not text:
        raise ConfigurationError(f"the environment variable {variable} (`source.url_env`) is not set", form)
    try:
        url = sa.make_url(text)
    except _FAULTS:
        url = None
    if url is None or not _plain(url):
        raise ConfigurationError(f"what {variable} holds is no database URL", form)
    return url


def _plain(url: sa.URL) -> bool:
    """Whether host and database are names: an unencoded password may have spilt into them."""
    if url.get_backend_name() == "sqlite":
        return url.host is None
    return not re.search(r"[^\w.:%-]", url.host or "") and not re.search(r"[@:/?]", url.database or "")


def fetch(url: sa.URL, query: str, variable: str, chunk: int = CHUNK) -> Iterator[pa.Table]:
    """The rows of `query`, `chunk` at a time, from a cursor on the server where there is one.

    Raises UnavailableError when the database does not answer, SourceError when it refuses the login or
    the query, ConfigurationError when its driver is not installed; `variable` names the URL in them.
    """
    with _connection(url, variable) as connection, database_urls.translated(url, _unanswered):
        streamed = connection.execution_options(
            stream_results=True, max_row_buffer=chunk, no_parameters=True, postgresql_readonly=True
        )
        result = streamed.exec_driver_sql(query)
        if not result.returns_rows:
            raise SourceError("`source.query` returns no rows", "write a SELECT")
        names = list(result.keys())
        for rows in result.partitions(chunk):
            yield python_rows.to_table(names, rows)


@contextmanager
def _connection(url: sa.URL, variable: str) -> Iterator[sa.Connection]:
    fault: BaseException | None = None
    try:
        connection = _engine(url).connect()
    except _FAULTS as error:
        fault = error
    if fault is not None:  # raised outside the handler: nothing of the driver's error stays attached
        raise _unreachable(fault, url, variable)
    with connection:
        yield connection


def _engine(url: sa.URL) -> sa.Engine:
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database and not Path(url.database).is_file():
        raise FileNotFoundError  # SQLite would create it
    wait = {"connect_timeout": _CONNECT_SECONDS} if backend == "postgresql" else {}
    return sa.create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=wait)


def _unreachable(error: BaseException, url: sa.URL, variable: str) -> ClearanceError:
    where = f"the database {database_urls.label(url)}"
    if isinstance(error, ImportError | sa.exc.NoSuchModuleError):
        return ConfigurationError(
            f"no driver for {url.drivername} is installed",
            "install one, or name another in the URL, for instance postgresql+psycopg://",
        )
    if isinstance(error, FileNotFoundError):
        return SourceError(f"{where} is a file that does not exist", f"mend the path in {variable}")
    if not isinstance(error, sa.exc.OperationalError | OSError):
        return ConfigurationError(f"{where} cannot be addressed so", f"mend the URL in {variable}")
    if _LOGIN.search(str(error)):
        return SourceError(
            f"{where} refuses the login", f"check user, password and database name in {variable}"
        )
    return UnavailableError(
        f"{where} does not answer", f"start it, or mend host and port in {variable}; then run again"
    )


def _unanswered(error: sa.exc.SQLAlchemyError, url: sa.URL) -> ClearanceError:
    cause = getattr(error, "orig", None) or error
    words = database_urls.scrub(
        getattr(getattr(cause, "diag", None), "message_primary", None) or str(cause), url
    )
    state = getattr(cause, "sqlstate", None) or ""
    gone = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
    operational = isinstance(error, sa.exc.OperationalError)
    if gone or state.startswith(_PASSING_STATES) or (operational and _PASSING.search(words)):
        return UnavailableError(f"the database {database_urls.label(url)} broke off: {words}", "run again")
    return SourceError(
        f"the database {database_urls.label(url)} refuses the query: {words}", "mend `source.query`"
    )
