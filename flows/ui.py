"""Prefect and MLflow in the browser, with a worker that runs what is started there.

It starts its own servers on free ports of the loopback address, and stops each by its process id on Ctrl-C.
It never touches or attaches to a server that it did not start.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import environment, file_lock, params, paths, stage
from flows import faults, form, ports

SERVER_LOG = paths.LOGS / "prefect-server.log"
WORKER_LOG = paths.LOGS / "prefect-worker.log"
POOL = "clearance"
RUNNING = paths.STATE / "ui.lock"
"""Held while the servers of a project run; it holds their addresses."""

GUIDE = Path("docs/configuration.md")
PATIENCE = 120
"""Seconds that a server may take to answer."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that this command started."""

    name: str
    address: str
    log: Path
    process: subprocess.Popen[bytes]


def main() -> None:
    """Serve both user interfaces until Ctrl-C.

    Ports: `PREFECT_UI_PORT` and `MLFLOW_UI_PORT`, else the first free ones from 4200 and 5000 on.
    Raises ConfigurationError when such a port is taken, BusyError when this project's servers run already,
    UnavailableError when one of them does not start.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    root = environment.project_root()
    environment.apply(root)
    settings = params.load(root / paths.PARAMS)
    with ExitStack() as stack:
        descriptor = stack.enter_context(_only_one(root))
        prefect = f"http://{ports.HOST}:{ports.choose('PREFECT_UI_PORT', 4200)}"
        mlflow = _mlflow_address()
        _write(descriptor, f"{prefect} {mlflow}")
        os.environ["PREFECT_API_URL"] = f"{prefect}/api"
        server = stack.enter_context(_server(root, "Prefect", prefect, _prefect(prefect)))
        tracking = None
        if not _is_remote(os.environ["MLFLOW_TRACKING_URI"]):
            tracking = stack.enter_context(_server(root, "MLflow", mlflow, _mlflow(mlflow)))
        _wait(server, "/api/health")
        _call(root, "work-pool", "create", POOL, "--type", "process", "--overwrite")
        _call(root, "deploy", "--all")
        _explain_form(root, prefect)
        worker = ["prefect", "worker", "start", "--pool", POOL]
        stack.enter_context(_process(root, WORKER_LOG, worker))
        if tracking:
            _wait(tracking, "/health")
        sys.stdout.write("\n".join(_welcome(prefect, mlflow, settings)) + "\n")
        sys.stdout.flush()
        signal.pause()


def prefect_api(root: Path) -> str | None:
    """The address of Prefect's API while the project's user interfaces run; None while they do not."""
    path = root / RUNNING
    if not path.is_file():
        return None
    try:
        with file_lock.hold(path, wait=False):
            return None
    except BlockingIOError:
        addresses = path.read_text(encoding="utf-8").split()
        return f"{addresses[0]}/api" if addresses else None


def _welcome(prefect: str, mlflow: str, settings: params.Params) -> list[str]:
    """Where this project's own pages are, and how to go on."""
    deployment = _get(f"{prefect}/api/deployments/name/training/training")
    run = f"{prefect}/deployments/deployment/{deployment['id']}" if deployment else prefect
    name = urllib.parse.quote(settings.experiment)
    found = _get(f"{mlflow}/api/2.0/mlflow/experiments/get-by-name?experiment_name={name}")
    runs = (
        f"{mlflow}/#/experiments/{found['experiment']['experiment_id']}/runs?workflowType=machine_learning"
        if found
        else mlflow
    )
    candidate = f"{mlflow}/#/models/{urllib.parse.quote(settings.name)}-candidate"
    registered = _get(f"{mlflow}/api/2.0/mlflow/registered-models/get?name={candidate.rpartition('/')[2]}")
    return [
        f"Project        {settings.name}",
        f"Start a run    {run}",
        f"Tracked runs   {runs}" + ("" if found else "   (none yet: clearance run)"),
        *([f"Registry       {candidate}"] if registered else []),
        f"With PREFECT_API_URL={prefect}/api set, the last approval starts the flow `promotion`.",
        "Ctrl-C stops both.",
    ]


def _explain_form(root: Path, prefect: str) -> None:
    """Let the form of a run say what each key means and what it is now; without a guide it stays as it is."""
    deployment = _get(f"{prefect}/api/deployments/name/training/training")
    if deployment is None or not (root / GUIDE).is_file():
        return
    guide, current = (root / GUIDE).read_text(encoding="utf-8"), params.read_yaml(root / paths.PARAMS)
    schema = form.described(deployment["parameter_openapi_schema"], guide, current)
    request = urllib.request.Request(  # noqa: S310 - an address of ours
        f"{prefect}/api/deployments/{deployment['id']}",
        json.dumps({"parameter_openapi_schema": schema}).encode(),
        {"content-type": "application/json"},
        method="PATCH",
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - an address of ours
        pass


def _get(address: str) -> dict[str, Any] | None:
    """The JSON object at an address of ours; None where there is no such thing."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - an address of ours
            content = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


@contextmanager
def _only_one(root: Path) -> Iterator[int]:
    """Hold the project's user interfaces. Raises BusyError when another process does."""
    path = root / RUNNING
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(file_lock.hold(path, wait=False))
        except BlockingIOError:
            addresses = path.read_text(encoding="utf-8").strip().replace(" ", " and ")
            raise faults.UI_RUNNING(addresses=addresses or "it is just starting") from None
        _write(descriptor, "")
        yield descriptor


def _write(descriptor: int, text: str) -> None:
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _is_remote(store: str) -> bool:
    return store.startswith(("http://", "https://", "databricks"))


def _mlflow_address() -> str:
    """Where MLflow is: at the server that is configured, else at a free port."""
    store = os.environ["MLFLOW_TRACKING_URI"]
    return (
        store.rstrip("/")
        if _is_remote(store)
        else f"http://{ports.HOST}:{ports.choose('MLFLOW_UI_PORT', 5000)}"
    )


def _prefect(address: str) -> list[str]:
    return ["flows.offline_server", "server", "start", *_listen(address)]


def _mlflow(address: str) -> list[str]:
    store = os.environ["MLFLOW_TRACKING_URI"]
    return ["mlflow", "server", *_listen(address), "--backend-store-uri", store, "--workers", "1"]


def _listen(address: str) -> list[str]:
    return ["--host", ports.HOST, "--port", address.rsplit(":", 1)[1]]


@contextmanager
def _server(root: Path, name: str, address: str, command: list[str]) -> Iterator[Server]:
    log = paths.LOGS / f"{name.lower()}-server.log"
    with _process(root, log, command) as process:
        yield Server(name=name, address=address, log=log, process=process)


@contextmanager
def _process(root: Path, log: Path, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    (root / log).parent.mkdir(parents=True, exist_ok=True)
    with (root / log).open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            [sys.executable, "-m", *command],
            cwd=root,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
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


def _wait(server: Server, path: str) -> None:
    """Wait until a server of ours answers. Raises UnavailableError when it ends, or takes too long."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise faults.SERVER_ENDED(name=server.name, address=server.address, log=server.log)
        try:
            with urllib.request.urlopen(server.address + path, timeout=5):  # noqa: S310 - an address of ours
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise faults.NO_ANSWER(address=server.address, seconds=PATIENCE)


if __name__ == "__main__":
    stage.run(main)
