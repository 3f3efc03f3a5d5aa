"""The run's side of `flows.runner.fork_server`: start a child, hear its lines, learn how it ended.

Every child is in the keeping of that process, so none outlives the run.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 31),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
"""The C library keeps what large arrays leave for the next ones: at a million rows a third of the time of a
stage went into asking the system for memory and giving it back. Elsewhere nobody reads these."""


@dataclass(frozen=True)
class ExitReport:
    """How a child ended: its exit status (negative: the signal that killed it); was its time up?"""

    status: int
    timed_out: bool = False


class RunEnded(Exception):
    """The child's keeper is gone or was told to end: the run is over."""


class ChildProcesses:
    """Starts children in `folder`; leaving the `with` block stops those that still run."""

    def __init__(self, folder: Path) -> None:
        self._control, theirs = socket.socketpair()
        self._sending = threading.Lock()
        self._serving: list[socket.socket] = []
        self._closed = False
        log = folder / ".clearance" / "logs" / "forks.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with theirs, log.open("wb") as stderr:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "flows.runner.fork_server", str(theirs.fileno())],
                cwd=folder,
                env={**MEMORY, **os.environ, "PYTHONUNBUFFERED": "1"},  # its lines come as it writes them
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                process_group=0,  # to be ended with all that it starts
            )

    def preload(self, modules: Iterable[str]) -> None:
        """Have these modules imported as soon as there is nothing else to do, in this order."""
        self._ask({"preload": list(modules)}, os.open(os.devnull, os.O_WRONLY)).close()

    def run(
        self,
        command: str,
        *,
        cwd: Path,
        env: Mapping[str, str],
        timeout: float | None,
        hear: Callable[[str], None],
    ) -> ExitReport:
        """Run `command` in `cwd`, pass each line it writes to `hear`, and return how it ended.

        `env` is added to the environment; `timeout` is in seconds. Raises Lost when the run is over.
        """
        reader, writer = os.pipe()
        request = _request(command, cwd, env, timeout)
        with (
            os.fdopen(reader, encoding="utf-8", errors="replace") as lines,
            self._ask(request, writer) as job,
            job.makefile("r", encoding="utf-8") as replies,
        ):
            for line in lines:
                hear(line.rstrip("\n"))
            reply = replies.readline()
        if self._closed or not reply:
            raise RunEnded(command)
        return ExitReport(**json.loads(reply))

    def serve(self, command: str, *, cwd: Path, env: Mapping[str, str], log: Path) -> socket.socket:
        """Start a command, its output in the file `log`; it runs until `close`.

        The socket returned has something to read, or is at its end, once the command is over.
        """
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        link = self._ask(_request(command, cwd, env, None), output)
        self._serving.append(link)
        return link

    def _ask(self, request: Mapping[str, Any], output: int) -> socket.socket:
        ours, theirs = socket.socketpair()
        try:
            ours.sendall(json.dumps(request).encode() + b"\n")
            with self._sending:
                socket.send_fds(self._control, [b"+"], [theirs.fileno(), output])
        except OSError as error:
            ours.close()
            raise RunEnded(str(error)) from error
        finally:
            theirs.close()
            os.close(output)
        return ours

    def close(self) -> None:
        """Stop the children that still run, and wait until they are gone."""
        self._closed = True
        for link in (self._control, *self._serving):
            link.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _request(command: str, cwd: Path, env: Mapping[str, str], timeout: float | None) -> dict[str, Any]:
    return {"command": command, "cwd": str(cwd), "env": dict(env), "timeout": timeout}
