"""The process that starts a run's children warm, and lets none of them outlive the run.

It imports the steps' modules while Prefect starts, and forks one child a request. When the run
goes away, even by `kill -9`, its children are ended and so does this process. It never imports
Prefect, and decides nothing about a step but when its time is up.

    run --- control --> a byte and two descriptors a request: the job's socket, and where output goes
    run <---- job ----> the request as one JSON line; back, the exit as another. Closing it ends the child.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.runner import preloaded

NEVER = float("inf")
GRACE = 5.0
"""Seconds between asking a child to stop and killing it."""

AHEAD = 2
"""Modules imported beside a child: enough for the next step, and the processor is the child's again."""


@dataclass(eq=False)
class Child:
    """A child, with a process group of its own."""

    pid: int
    socket: socket.socket
    deadline: float
    stopping: bool = False
    timed_out: bool = False

    def stop(self) -> None:
        """Ask the child, and whatever it has started, to stop; the second time, kill it."""
        self._send(signal.SIGKILL if self.stopping else signal.SIGTERM)
        self.deadline = NEVER if self.stopping else time.monotonic() + GRACE
        self.stopping = True

    def end(self, status: int) -> None:
        """Report the child's end, and kill what it left behind."""
        self._send(signal.SIGKILL)
        exit_ = {"status": os.waitstatus_to_exitcode(status), "timed_out": self.timed_out}
        with self.socket, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(json.dumps(exit_).encode() + b"\n")

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class ForkServer:
    """One loop: requests in, forks, exits out; imports when there is nothing else to do."""

    def __init__(self, control: socket.socket) -> None:
        self.warmth = preloaded.PreloadedModules(Path.cwd())
        self.jobs: list[Child] = []
        self.ahead = 1  # the first step's own: its child must not wait for another's import
        self.control, self.open = control, True
        self.exits, exits_end = socket.socketpair()
        exits_end.setblocking(False)
        self.sockets = [control, self.exits, exits_end]
        self.selector = selectors.DefaultSelector()
        for source in (control, self.exits):
            self.selector.register(source, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(exits_end.fileno(), warn_on_full_buffer=False)

    def serve(self) -> dict[str, Any] | None:
        """Serve until the run goes away, then None; in a process just forked, the request it is for."""
        while self.open or self.jobs:
            for key, _ in self.selector.select(self._patience()):
                if key.fileobj is self.control:
                    request, descriptors, _, _ = socket.recv_fds(self.control, 1, 2)
                    if not request:
                        self._part()
                    elif forked := self._accept(*descriptors):
                        return forked
                elif key.fileobj is self.exits:
                    self.exits.recv(4096)
                elif key.data in self.jobs:
                    self._hang_up(key.data)
            self._collect()
            if self._may_import() and not self.selector.select(0):
                self.warmth.import_next()
                self.ahead -= 1
        return None

    def _part(self) -> None:
        """The run wants no more of us, or is gone."""
        self.selector.unregister(self.control)
        self.warmth.wanted.clear()
        self.open = False
        for job in self.jobs:
            self._hang_up(job)

    def _hang_up(self, job: Child) -> None:
        """Nobody waits for this child any more."""
        self._unregister(job)
        if not job.stopping:
            job.stop()

    def _unregister(self, job: Child) -> None:
        with contextlib.suppress(KeyError):  # done before
            self.selector.unregister(job.socket)

    def _may_import(self) -> bool:
        """Not between two children: an import cannot be put off, and the next child would wait for it."""
        return bool(self.warmth.wanted) and self.ahead > 0

    def _patience(self) -> float | None:
        if self._may_import():
            return 0
        nearest = min((job.deadline for job in self.jobs), default=NEVER)
        return None if nearest == NEVER else max(0.0, nearest - time.monotonic())

    def _accept(self, job_end: int, output: int) -> dict[str, Any] | None:
        link = socket.socket(fileno=job_end)
        with link.makefile("r", encoding="utf-8") as lines:
            request: dict[str, Any] = json.loads(lines.readline())
        if "preload" in request:
            self.warmth.want(request["preload"])
            link.close()
        else:
            if call := preloaded.module_call(request["command"]):
                self.warmth.import_now(call[0])
            pid = os.fork()
            if pid == 0:
                self._leave(link, output)
                return request
            with contextlib.suppress(PermissionError, ProcessLookupError):  # the child was faster
                os.setpgid(pid, pid)
            self.jobs.append(Child(pid, link, time.monotonic() + (request["timeout"] or NEVER)))
            self.ahead = AHEAD
            self.selector.register(link, selectors.EVENT_READ, self.jobs[-1])
        os.close(output)
        return None

    def _collect(self) -> None:
        """Take leave of children that have ended; stop those whose time is up."""
        for job in list(self.jobs):
            pid, status = os.waitpid(job.pid, os.WNOHANG)
            if pid:
                self._unregister(job)
                job.end(status)
                self.jobs.remove(job)
            elif time.monotonic() >= job.deadline:
                job.timed_out = not job.stopping
                job.stop()

    def _leave(self, link: socket.socket, output: int) -> None:
        """In the fork: a process group of its own, its output in place, nothing of the server held open."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.close(output)
        self.selector.close()
        for held in (link, *self.sockets, *(job.socket for job in self.jobs)):
            held.close()


def main() -> None:
    server = ForkServer(socket.socket(fileno=int(sys.argv[1])))
    request = server.serve()
    if request is None:
        return
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    server.warmth.run(request["command"])


if __name__ == "__main__":
    main()
