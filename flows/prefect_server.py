"""Prefect's temporary server: the one Prefect would start for itself, started before Prefect is imported.

Its start is the longest part of a small run, and so this process can do something else meanwhile.
`python -m flows.prefect_server PORT` is the server; `start` runs it as a child that ends with the run.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from clearance import foreign_text, isolation, paths
from flows import faults
from flows.runner.child_processes import ChildProcesses

HOST = "127.0.0.1"
_PATIENCE = 10.0


def start(children: ChildProcesses, root: Path) -> Callable[[], None]:
    """Start the server unless `PREFECT_API_URL` names one, and make it the API of this process.

    Returns at once; the function returned waits until the server answers, and raises UnavailableError
    when it ends instead or takes longer than Prefect's own setting allows. Raises UnavailableError when a
    server that `PREFECT_API_URL` names does not answer.
    """
    if address := os.environ.get("PREFECT_API_URL"):
        refuse_dead(address)
        return lambda: None
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    os.environ["PREFECT_API_URL"] = f"http://{HOST}:{port}/api"
    log = root / paths.LOGS / "prefect.log"
    command, variables = f"python -m flows.prefect_server {port}", isolation.effect_variables(signs=False)
    connection = children.serve(command, cwd=root, env=variables, log=log)
    connection.setblocking(False)
    seconds = float(os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"])

    def wait() -> None:
        deadline = time.monotonic() + seconds
        while not _answers(f"http://{HOST}:{port}/api/health"):
            if time.monotonic() > deadline or _has_ended(connection):
                raise faults.SERVER_DID_NOT_START(log=log)
            time.sleep(0.05)

    return wait


def refuse_dead(address: str) -> None:
    """Raise UnavailableError unless a server answers at `address`, with whatever status."""
    try:
        urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=_PATIENCE).close()  # noqa: S310
    except urllib.error.HTTPError:
        return
    except (urllib.error.URLError, OSError, ValueError):
        raise faults.SERVER_DOES_NOT_ANSWER(address=foreign_text.without_credentials(address)) from None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - loopback
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _has_ended(connection: socket.socket) -> bool:
    try:
        connection.recv(1)
    except BlockingIOError:
        return False
    return True


def main() -> None:
    """Serve Prefect's API, without its UI, until asked to stop."""
    import uvicorn
    from prefect.server.api.server import create_app

    uvicorn.run(create_app(ephemeral=True), host=HOST, port=int(sys.argv[1]), log_level="error")


if __name__ == "__main__":
    main()
