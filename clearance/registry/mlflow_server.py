"""A connection to MLflow that is quiet, fails soon, waits for a locked database, and raises our errors.

A fresh SQLite store is created once, under a file lock, because several processes creating it would break
it.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, cast

import mlflow
import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils import logging_utils
from sqlalchemy.pool import NullPool

from clearance import database_urls, file_lock, files, foreign_text, paths
from clearance.database_urls import DatabaseFault
from clearance.errors import ClearanceError, ErrorKind
from clearance.registry import collector, faults

CLIENT_DEFAULTS = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""Quiet, with limits on how long a server may take, unless the environment says otherwise."""

PATIENCE = 60.0
"""Seconds that a call waits for other processes to release MLflow's database."""
_CONNECT_SECONDS = 5
_PAUSE = 0.5
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_SHARED = ("http://", "https://", "databricks", *_PORTS)
_DENIED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}
_BUSY = {"TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED"}
_DOWN = re.compile(
    r"API request to \S+ failed with (timeout )?exception|server closed the connection|could not connect"
)
_UNSUPPORTED = re.compile(r"unsupported uri|no such store|invalid uri|Could not find", re.IGNORECASE)


@dataclass(frozen=True)
class MlflowServer:
    """Where runs and models are recorded. `addresses` hold no password.

    `shared` says whether people on other machines see it too. `artifacts` is the folder for the files of new
    experiments, None where the server keeps them.
    """

    client: MlflowClient
    addresses: tuple[str, ...]
    shared: bool
    artifacts: Path | None


def connect() -> MlflowServer:
    """Connect to the tracking store and the registry that MLflow's own variables name.

    Raises UnavailableError when one does not answer, ConfigurationError when it refuses the account.
    """
    for name, value in CLIENT_DEFAULTS.items():
        os.environ.setdefault(name, value)
    logging_utils.MLFLOW_LOGGING_STREAM.enabled = False
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)  # what it logs as an error, it raises as well
    addresses = (mlflow.get_tracking_uri(), mlflow.get_registry_uri())
    for address in dict.fromkeys(addresses):
        _reach(address)
    with translated(addresses[0]), _exclusive(addresses):
        client = cast(MlflowClient, _PatientClient(MlflowClient()))
        client.search_experiments(max_results=1)
        client.search_registered_models(max_results=1)
    database = _sqlite_file(addresses[0])
    return MlflowServer(
        client=client,
        addresses=tuple(dict.fromkeys(map(database_urls.safe, addresses))),
        shared=all(map(is_shared, addresses)),
        artifacts=database and database.parent / paths.MLFLOW_ARTIFACTS,
    )


def translated(address: str) -> AbstractContextManager[None]:
    """Raise what MLflow or its database raises as an error of this room; `address` is the server's."""
    return database_urls.translated(address, _explain, (MlflowException, ImportError))


def _explain(error: Exception, address: str) -> ClearanceError:
    if (passing := files.passing_fault(error)) is not None:
        return passing
    name, reason = database_urls.safe(address), _reason(error, address)
    if isinstance(error, MlflowException):
        kind = _kind_of_answer(error, reason)
    else:
        kind = _KINDS.get(database_urls.classify(error), faults.MLFLOW_FAILED)
    return kind(address=name, reason=reason[:500], seconds=PATIENCE)


_KINDS = {
    DatabaseFault.NO_DRIVER: faults.DRIVER_MISSING,
    DatabaseFault.BUSY: faults.DATABASE_BUSY,
    DatabaseFault.FULL: faults.DATABASE_FULL,
    DatabaseFault.REFUSED: faults.DATABASE_REFUSES,
    DatabaseFault.UNREACHABLE: faults.MLFLOW_UNAVAILABLE,
}


def _kind_of_answer(error: MlflowException, reason: str) -> ErrorKind:
    """What MLflow's own error means."""
    if error.error_code in _DENIED or "error code 401" in reason or "error code 403" in reason:
        return faults.ACCOUNT_REFUSED
    if _UNSUPPORTED.search(reason):
        return faults.ADDRESS_NOT_USABLE
    if (fault := database_urls.classify_text(reason)) in (DatabaseFault.BUSY, DatabaseFault.FULL):
        return _KINDS[fault]
    busy = error.error_code in _BUSY or _DOWN.search(reason)
    return faults.MLFLOW_UNAVAILABLE if busy else faults.MLFLOW_FAILED


def _reason(error: Exception, address: str) -> str:
    """The message in one line, without what SQLAlchemy adds to it and without a credential."""
    text = str(getattr(error, "orig", None) or error).partition("\n(Background on this error")[0]
    return foreign_text.without_credentials(database_urls.scrub(" ".join(text.split()), address))


class _PatientClient:
    """An `MlflowClient` that repeats a call while another process has locked MLflow's database.

    A locked database took nothing, so that the call may be repeated. MLflow itself waits 20 s in each.
    """

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if not callable(method):
            return method

        @wraps(method)
        def call(*arguments: Any, **options: Any) -> Any:
            return patiently(lambda: method(*arguments, **options))

        return call


def patiently(call: Callable[[], Any]) -> Any:
    """What `call` returns, repeated for `PATIENCE` seconds while MLflow's database is locked."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except (MlflowException, sa.exc.SQLAlchemyError) as error:
            locked = database_urls.classify_text(str(error)) is DatabaseFault.BUSY
            if not locked or time.monotonic() + _PAUSE >= deadline:
                raise
        time.sleep(_PAUSE)


@dataclass(frozen=True)
class RunFiles:
    """The files of one run. Its methods raise MlflowException or OSError."""

    repository: Any

    def download(self, name: str, folder: str) -> Path:
        """Copy a file of the run below `folder`; return the copy."""
        return Path(self.repository.download_artifacts(name, folder))

    def names(self, folder: str | None) -> set[str]:
        """What lies in a folder of the run, None for its top."""
        return {info.path for info in self.repository.list_artifacts(folder)}


def open_run_files(server: MlflowServer, run_id: str) -> RunFiles:
    """The files of a run, located once. Raises MlflowException when there is no such run."""
    location = server.client.get_run(run_id).info.artifact_uri
    return RunFiles(get_artifact_repository(location, mlflow.get_tracking_uri(), mlflow.get_registry_uri()))


def is_shared(address: str) -> bool:
    """Whether the address is that of a server, which other machines may reach too."""
    return address.startswith(_SHARED)


def _reach(address: str) -> None:
    """Raise a clear error when a database cannot be opened; MLflow would try for minutes."""
    if address.partition(":")[0].partition("+")[0] not in {"sqlite", *_PORTS}:
        return
    try:
        url = sa.make_url(address)
        port = url.port or _PORTS.get(url.get_backend_name(), 0)
    except (sa.exc.SQLAlchemyError, ValueError):
        url = None
    if url is None:
        reason = "it is not the URL of a database"
        raise faults.ADDRESS_NOT_USABLE(address=database_urls.safe(address), reason=reason)
    if url.host and not _listens(url.host, port):
        raise faults.MLFLOW_UNAVAILABLE(address=database_urls.safe(address))
    with translated(address):
        wait = {"timeout": PATIENCE} if url.get_backend_name() == "sqlite" else {}
        engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=wait)
        if (file := _sqlite_file(address)) and not file.exists():
            return  # MLflow creates it
        with engine.connect() as connection:
            sa.inspect(connection).has_table("experiments")


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


@contextmanager
def _exclusive(addresses: tuple[str, ...]) -> Iterator[None]:
    """Hold the lock beside the first SQLite file among `addresses`, if there is one."""
    file = next((file for file in map(_sqlite_file, addresses) if file), None)
    if file is None:
        yield
        return
    with collector.paused():  # imported before the lock, which others wait for
        from clearance.registry import stores  # noqa: F401

    if file.exists() and not os.access(file.parent, os.W_OK):
        yield  # nothing can be created there, and reading needs no lock
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file_lock.hold(file.with_name(f"{file.name}.lock"), wait=True):
        yield
        file_lock.restrict(file)


def _sqlite_file(address: str) -> Path | None:
    if address.partition(":")[0].partition("+")[0] != "sqlite":
        return None
    name = sa.make_url(address).database
    return Path(name).resolve() if name and name != ":memory:" else None
