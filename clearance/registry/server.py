"""A connection to MLflow that is quiet, fails soon, and speaks in our errors.

A fresh SQLite store is created once, under a file lock: several processes creating it break it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils import logging_utils
from sqlalchemy.engine import make_url

from clearance.errors import ClearanceError, ConfigurationError, UnavailableError

MANNERS = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""Quiet, and how long a server may keep us waiting, unless the environment says otherwise."""

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

    `shared` says whether somebody on another machine sees it too; `artifacts` is the folder for
    the files of new experiments, None where the server keeps them.
    """

    client: MlflowClient
    addresses: tuple[str, ...]
    shared: bool
    artifacts: Path | None


def connect() -> MlflowServer:
    """Connect to the tracking store and the registry that MLflow's own variables name.

    Raises UnavailableError when one does not answer, ConfigurationError when an address is none or the
    account is refused.
    """
    for name, value in MANNERS.items():
        os.environ.setdefault(name, value)
    logging_utils.MLFLOW_LOGGING_STREAM.enabled = False
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    addresses = (mlflow.get_tracking_uri(), mlflow.get_registry_uri())
    with translated(addresses[0]):
        for address in set(addresses):
            _reach(address)
        with _alone(addresses):
            client = MlflowClient()
            client.search_experiments(max_results=1)
            client.search_registered_models(max_results=1)
    database = _sqlite_file(addresses[0])
    return MlflowServer(
        client=client,
        addresses=tuple(dict.fromkeys(map(safe, addresses))),
        shared=all(map(is_shared, addresses)),
        artifacts=database and database.parent / "mlruns",
    )


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn what MLflow raises into an error with a mend; `address` is who was asked."""
    try:
        yield
    except MlflowException as error:
        raise _error(error, safe(address)) from error


def _error(error: MlflowException, address: str) -> ClearanceError:
    said = " ".join(str(error).split())
    if error.error_code in _DENIED or "error code 401" in said or "error code 403" in said:
        return ConfigurationError(
            f"MLflow at {address} refuses this account: {said[:300]}",
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN) to an "
            "account that may do this",
        )
    if error.error_code in _BUSY or _DOWN.search(said):
        return unavailable(address)
    return ClearanceError(f"MLflow at {address} says: {said[:500]}", "mend what it names, then repeat this")


def unavailable(address: str) -> UnavailableError:
    """MLflow does not answer: nothing is lost, the next run fills it in."""
    return UnavailableError(
        f"MLflow at {address} does not answer",
        "start it, or point MLFLOW_TRACKING_URI elsewhere, then run `clearance track` and "
        "`clearance release`: what the stages computed is kept",
    )


def is_shared(address: str) -> bool:
    """Whether the address is that of a server, which somebody on another machine may reach as well."""
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
        raise unavailable(safe(address)) from None


@contextmanager
def _alone(addresses: tuple[str, ...]) -> Iterator[None]:
    """Hold the lock beside the first SQLite file among `addresses`; without one there is none to hold."""
    file = next((file for file in map(_sqlite_file, addresses) if file), None)
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sqlite_file(address: str) -> Path | None:
    if not address.startswith("sqlite:"):
        return None
    name = make_url(address).database
    return Path(name).resolve() if name and name != ":memory:" else None
