"""The run's side of `flows.runner.fork_server`: start a child, pass on its lines, learn how it ended.

Every child belongs to that server process, so none outlives the run.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from clearance import isolation, paths

OnLine = Callable[[str], None]
"""Receives each line that a child writes, without its end."""

MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 31),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
"""The C library keeps what large arrays free for the next ones. At a million rows a stage spent a third of
its time on asking the system for memory and giving it back. Only glibc reads these."""


@dataclass(frozen=True)
class ExitReport:
    """How a child ended: its exit status (negative: the signal that killed it), and whether it timed out."""

    status: int
    timed_out: bool = False


class RunEnded(Exception):
    """The fork server is gone or was told to end: the run is over."""


class ChildProcesses:
    """Starts children in `folder`; leaving the `with` block stops those that still run."""

    def __init__(self, folder: Path) -> None:
        self._control, server_end = socket.socketpair()
        self._sending = threading.Lock()
        self._closed = False
        log = folder / paths.LOGS / "forks.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with server_end, log.open("wb") as stderr:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                isolation.command("-m", "flows.runner.fork_server", str(server_end.fileno())),
                cwd=folder,
                env={**MEMORY, **isolation.variables(), "PYTHONUNBUFFERED": "1"},  # lines come as written
                pass_fds=[server_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                process_group=0,  # to be ended with all that it starts
            )

    def preload(self, modules: Iterable[str]) -> None:
        """Have these modules imported, in this order, as soon as there is nothing else to do."""
        self._send({"preload": list(modules)}, os.open(os.devnull, os.O_WRONLY)).close()

    def run(
        self, command: str, *, cwd: Path, env: Mapping[str, str], timeout: float | None, on_line: OnLine
    ) -> ExitReport:
        """Run `command` in `cwd`, pass each line it writes to `on_line`, and return how it ended.

        `env` is its whole environment; `timeout` is in seconds. Raises RunEnded when the run is over.
        """
        reader, writer = os.pipe()
        request = _request(command, cwd, timeout)
        with (
            os.fdopen(reader, encoding="utf-8", errors="replace") as lines,
            self._send(request, writer, env) as connection,
            connection.makefile("r", encoding="utf-8") as replies,
        ):
            for line in lines:
                on_line(line.rstrip("\n"))
            reply = replies.readline()
        if self._closed or not reply:
            raise RunEnded(command)
        return ExitReport(**json.loads(reply))

    def _send(
        self, request: Mapping[str, Any], output: int, env: Mapping[str, str] | None = None
    ) -> socket.socket:
        """Send a request; only the child reads the variables, because one of them may be a secret."""
        run_end, server_end = socket.socketpair()
        try:
            run_end.sendall(json.dumps(request).encode() + b"\n")
            with self._sending, tempfile.TemporaryFile() as variables:
                variables.write(json.dumps(dict(env or {})).encode())
                variables.seek(0)
                descriptors = [server_end.fileno(), output, variables.fileno()]
                socket.send_fds(self._control, [b"+"], descriptors)
        except OSError as error:
            run_end.close()
            raise RunEnded(str(error)) from error
        finally:
            server_end.close()
            os.close(output)
        return run_end

    def close(self) -> None:
        """Stop the children that still run, and wait until they are gone."""
        self._closed = True
        self._control.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _request(command: str, cwd: Path, timeout: float | None) -> dict[str, Any]:
    return {"command": command, "cwd": str(cwd), "timeout": timeout}
