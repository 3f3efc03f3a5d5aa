"""A Prefect server on loopback for all tests of a session; workers that run a project's deployments."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prefect import State, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.settings import PREFECT_API_URL, temporary_settings

from clearance import environment

ROOT = Path(__file__).resolve().parents[2]
POOL = "clearance"


@dataclass(frozen=True)
class PrefectServer:
    """A running server: the address of its API, and the folder it was started in (with our prefect.toml)."""

    api: str
    folder: Path

    @property
    def home(self) -> Path:
        """The HOME of its commands; nothing may appear there."""
        return self.folder.parent / "home"

    @property
    def empty_database(self) -> Path:
        """A database with Prefect's tables and nothing in them: making one takes seconds."""
        return self.folder.parent / "empty.db"

    @property
    def address(self) -> dict[str, str]:
        """The variable with which a command uses this server in place of a temporary one."""
        return {"PREFECT_API_URL": self.api}

    def variables(self) -> dict[str, str]:
        """The environment of a Prefect command that reaches this server."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name != "PREFECT_HOME" and name not in environment.tool_locations(self.folder)
        }
        pace = {
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
        }
        return inherited | environment.TOOL_DEFAULTS | pace | self.address | {"HOME": str(self.home)}


@contextlib.contextmanager
def running(parent: Path) -> Iterator[PrefectServer]:
    """A server below `parent` with an empty database, which it keeps where prefect.toml says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    server = PrefectServer(f"http://127.0.0.1:{port}/api", parent / "server")
    server.folder.mkdir()
    shutil.copy(ROOT / "prefect.toml", server.folder)
    command = ("server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui")
    with process(server.folder, server.variables(), *command):
        wait_for(f"{server.api}/health")
        with (
            contextlib.closing(sqlite3.connect(server.folder / ".prefect/prefect.db")) as database,
            contextlib.closing(sqlite3.connect(server.empty_database)) as copy,
        ):
            database.backup(copy)
        yield server


@contextlib.contextmanager
def process(folder: Path, variables: dict[str, str], *arguments: str) -> Iterator[None]:
    """A Prefect command that lasts, in a session of its own, ended by its own process id."""
    log = folder.parent / f"{arguments[0]}.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=folder,
            env=variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as child,
    ):
        try:
            yield
        except BaseException:
            sys.stderr.write(log.read_text())
            raise
        finally:
            for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    child.send_signal(number)
                    child.wait(timeout=10)


def wait_for(url: str) -> None:
    """Return once `url` answers."""
    end = time.monotonic() + 120
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url).is_success:
                return
        assert time.monotonic() < end
        time.sleep(0.2)


@contextlib.contextmanager
def deployed(server: PrefectServer, folder: Path, **more: str) -> Iterator[SyncPrefectClient]:
    """A client of the server, with the deployments of `folder`'s prefect.yaml and a worker there.

    `more` is added to the worker's environment. The deployments replace those of an earlier call.
    """
    with temporary_settings({PREFECT_API_URL: server.api}), get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"), overwrite=True)
        deploy = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
        variables = server.variables()
        result = subprocess.run(
            deploy, cwd=folder, env=variables, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        with process(folder, variables | more, "worker", "start", "--pool", POOL):
            yield client


def ended(client: SyncPrefectClient, run: Any) -> State[Any]:
    """The final state of a flow run, once it has one."""
    end = time.monotonic() + 180
    while True:
        state = client.read_flow_run(run).state
        if state and state.is_final():
            return state
        assert time.monotonic() < end, state
        time.sleep(0.3)
