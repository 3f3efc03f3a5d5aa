"""Prefect's temporary server: the one Prefect would start for itself, started before Prefect is imported.

So its start, the longest part of a small run, goes on while this process does something else.
`python -m flows.server PORT` is the server; `start` runs it as a child that ends with the run.
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

from clearance.errors import UnavailableError
from flows.runner.child_processes import ChildProcesses

HOST = "127.0.0.1"


def start(children: ChildProcesses, root: Path) -> Callable[[], None]:
    """Start the server unless `PREFECT_API_URL` names one, and make it the API of this process.

    Returns at once; the function returned waits until the server answers, and raises UnavailableError
    when it ends instead or takes longer than Prefect's own setting allows.
    """
    if os.environ.get("PREFECT_API_URL"):
        return lambda: None
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    os.environ["PREFECT_API_URL"] = f"http://{HOST}:{port}/api"
    log = root / ".clearance" / "logs" / "prefect.log"
    link = children.serve(f"python -m flows.server {port}", cwd=root, env={}, log=log)
    link.setblocking(False)
    patience = float(os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"])

    def wait() -> None:
        end = time.monotonic() + patience
        while not _answers(f"http://{HOST}:{port}/api/health"):
            if time.monotonic() > end or _over(link):
                raise UnavailableError("Prefect's temporary server did not start", f"see {log}")
            time.sleep(0.05)

    return wait


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - loopback
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _over(link: socket.socket) -> bool:
    try:
        link.recv(1)
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
