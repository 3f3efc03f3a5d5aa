"""A connection to MLflow that is quiet, fails soon, and raises our errors.

A fresh SQLite store is created once, under a file lock, because several processes creating it would break
it.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils import logging_utils

from clearance import file_lock, paths
from clearance.errors import ClearanceError
from clearance.registry import collector, faults

CLIENT_DEFAULTS = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""Quiet, with limits on how long a server may take, unless the environment says otherwise."""

_CONNECT_SECONDS = 5
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_SHARED = ("http://", "https://", "databricks", *_PORTS)
_DENIED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}
_BUSY = {"TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED"}
_DOWN = re.compile(
    r"API request to \S+ failed with (timeout )?exception|server closed the connection|could not connect"
)


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
        logging.getLogger(noisy).setLevel(logging.ERROR)
    addresses = (mlflow.get_tracking_uri(), mlflow.get_registry_uri())
    with translated(addresses[0]):
        for address in set(addresses):
            _reach(address)
        with _exclusive(addresses):
            client = MlflowClient()
            client.search_experiments(max_results=1)
            client.search_registered_models(max_results=1)
    database = _sqlite_file(addresses[0])
    return MlflowServer(
        client=client,
        addresses=tuple(dict.fromkeys(map(safe, addresses))),
        shared=all(map(is_shared, addresses)),
        artifacts=database and database.parent / paths.MLFLOW_ARTIFACTS,
    )


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Raise what MLflow raises as an error of this room; `address` is the server's."""
    try:
        yield
    except MlflowException as error:
        raise _error(error, safe(address)) from error


def _error(error: MlflowException, address: str) -> ClearanceError:
    reason = " ".join(str(error).split())
    if error.error_code in _DENIED or "error code 401" in reason or "error code 403" in reason:
        return faults.ACCOUNT_REFUSED(address=address, reason=reason[:300])
    if error.error_code in _BUSY or _DOWN.search(reason):
        return faults.MLFLOW_UNAVAILABLE(address=address)
    return faults.MLFLOW_FAILED(address=address, reason=reason[:500])


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


def safe(address: str) -> str:
    """The address without user and password."""
    return re.sub(r"//[^/@]*@", "//", address)


def _reach(address: str) -> None:
    """Raise UnavailableError when a database server does not listen; MLflow would try for an hour."""
    parts = urlsplit(address)
    port = _PORTS.get(parts.scheme.partition("+")[0])
    if port is None or not parts.hostname:
        return
    try:
        socket.create_connection((parts.hostname, parts.port or port), timeout=_CONNECT_SECONDS).close()
    except OSError:
        raise faults.MLFLOW_UNAVAILABLE(address=safe(address)) from None


@contextmanager
def _exclusive(addresses: tuple[str, ...]) -> Iterator[None]:
    """Hold the lock beside the first SQLite file among `addresses`, if there is one."""
    file = next((file for file in map(_sqlite_file, addresses) if file), None)
    if file is None:
        yield
        return
    with collector.paused():  # imported before the lock, which others wait for
        import mlflow.store.model_registry.sqlalchemy_store
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    file.parent.mkdir(parents=True, exist_ok=True)
    with file_lock.hold(file.with_name(f"{file.name}.lock"), wait=True):
        yield


def _sqlite_file(address: str) -> Path | None:
    if not address.startswith("sqlite:"):
        return None
    from sqlalchemy.engine import make_url

    name = make_url(address).database
    return Path(name).resolve() if name and name != ":memory:" else None
