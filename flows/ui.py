"""Prefect and MLflow in the browser, with a worker that runs what is started there.

It starts four processes on the loopback address, stops each by its own process id on Ctrl-C, and never
touches a server that it did not start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clearance import environment, paths, stage
from flows import faults

HOST = "127.0.0.1"
SERVER_LOG = paths.LOGS / "prefect-server.log"
POOL = "clearance"
PATIENCE = 120
"""Seconds that a server may take to answer."""


def main() -> None:
    """Serve both user interfaces until Ctrl-C.

    Ports: `PREFECT_UI_PORT` (4200) and `MLFLOW_UI_PORT` (5000).
    Raises UnavailableError when one of them does not start.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    root = environment.project_root()
    environment.apply(root)
    prefect = f"http://{HOST}:{os.environ.get('PREFECT_UI_PORT', '4200')}"
    mlflow = f"http://{HOST}:{os.environ.get('MLFLOW_UI_PORT', '5000')}"
    os.environ["PREFECT_API_URL"] = f"{prefect}/api"
    with (
        _process(root, SERVER_LOG, "flows.offline_server", "server", "start", *_listen(prefect)),
        _process(root, paths.LOGS / "mlflow-server.log", "mlflow", *_mlflow(mlflow)),
    ):
        _wait(f"{prefect}/api/health")
        _call(root, "work-pool", "create", POOL, "--type", "process", "--overwrite")
        _call(root, "deploy", "--all")
        with _process(root, paths.LOGS / "prefect-worker.log", "prefect", "worker", "start", "--pool", POOL):
            _wait(f"{mlflow}/health")
            sys.stdout.write(
                f"Prefect  {prefect}   (Deployments > training > Run)\n"
                f"MLflow   {mlflow}\n"
                f"With PREFECT_API_URL={prefect}/api set, the last approval starts the flow `promotion`.\n"
                "Ctrl-C stops both.\n"
            )
            sys.stdout.flush()
            signal.pause()


def _mlflow(address: str) -> list[str]:
    store = os.environ["MLFLOW_TRACKING_URI"]
    return ["server", *_listen(address), "--backend-store-uri", store, "--workers", "1"]


def _listen(address: str) -> list[str]:
    return ["--host", HOST, "--port", address.rsplit(":", 1)[1]]


@contextmanager
def _process(root: Path, log: Path, module: str, *arguments: str) -> Iterator[None]:
    (root / log).parent.mkdir(parents=True, exist_ok=True)
    with (root / log).open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            [sys.executable, "-m", module, *arguments],
            cwd=root,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue


def _call(root: Path, *arguments: str) -> None:
    result = subprocess.run(  # noqa: S603 - our own interpreter and arguments
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        reason = (result.stderr or result.stdout).strip()[-400:]
        raise faults.PREFECT_COMMAND_FAILED(command=" ".join(arguments), reason=reason, log=SERVER_LOG)


def _wait(address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - a loopback address of ours
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise faults.NO_ANSWER(address=address, seconds=PATIENCE)


if __name__ == "__main__":
    stage.run(main)
