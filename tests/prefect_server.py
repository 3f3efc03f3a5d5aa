"""A real Prefect server on loopback with the deployments of a project, and a worker that runs them there."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from prefect import State, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from clearance import environment


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
        ) as started,
    ):
        try:
            yield
        except BaseException:
            sys.stderr.write(log.read_text())
            raise
        finally:
            for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    started.send_signal(number)
                    started.wait(timeout=10)


def prefect(folder: Path, variables: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def wait_for(url: str) -> None:
    end = time.monotonic() + 120
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url).is_success:
                return
        assert time.monotonic() < end
        time.sleep(0.2)


@contextlib.contextmanager
def served(folder: Path, **more: str) -> Iterator[tuple[SyncPrefectClient, dict[str, str]]]:
    """A client of a server that has the deployments of `folder`'s prefect.yaml and a worker there.

    The environment comes with it in which commands reach that server; `more` is the worker's own.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    api = f"http://127.0.0.1:{port}/api"
    kept = {
        name: value for name, value in os.environ.items() if name not in environment.tool_locations(folder)
    }
    variables = (
        kept
        | environment.TOOL_DEFAULTS
        | {
            "PREFECT_API_URL": api,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
            "HOME": str(folder.parent / "home"),
        }
    )
    with process(folder, variables, "server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui"):
        wait_for(f"{api}/health")
        prefect(folder, variables, "work-pool", "create", "clearance", "--type", "process")
        prefect(folder, variables, "deploy", "--all")
        with (
            process(folder, variables | more, "worker", "start", "--pool", "clearance"),
            temporary_settings({PREFECT_API_URL: api, PREFECT_HOME: folder.parent / "prefect"}),
            get_client(sync_client=True) as client,
        ):
            yield client, variables


def ended(client: SyncPrefectClient, run: Any) -> State[Any]:
    end = time.monotonic() + 180
    while True:
        state = client.read_flow_run(run).state
        if state and state.is_final():
            return state
        assert time.monotonic() < end, state
        time.sleep(0.3)
