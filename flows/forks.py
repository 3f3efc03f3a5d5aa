"""The process that starts a run's children warm, and lets none of them outlive the run.

It imports the steps' modules while Prefect starts, and forks one child a request. When the run
goes away, even by `kill -9`, its children are killed and this process ends. It never imports
Prefect, and decides nothing about a step but when its time is up.

    run --- control --> one byte and two descriptors a request: the job's socket and its output
    run <---- job ----> the request as one JSON line; back, the exit as another. Closing it kills.
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

from flows import warm

NEVER = float("inf")


@dataclass(eq=False)
class Job:
    """A child, or a foreign process that must not outlive the run (`group` False)."""

    pid: int
    socket: socket.socket
    deadline: float = NEVER
    group: bool = True
    timed_out: bool = False

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if self.group else os.kill)(self.pid, signal.SIGKILL)


class Server:
    """One loop: requests in, forks, exits out; imports when there is nothing else to do."""

    def __init__(self, control: socket.socket) -> None:
        self.warmth = warm.Warmth(Path.cwd())
        self.jobs: list[Job] = []
        self.control = control
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
        while True:
            for key, _ in self.selector.select(self._patience()):
                if key.fileobj is self.control:
                    request, descriptors, _, _ = socket.recv_fds(self.control, 1, 2)
                    if not request:
                        return None
                    if forked := self._accept(*descriptors):
                        return forked
                elif key.fileobj is self.exits:
                    self.exits.recv(4096)
                elif key.data in self.jobs:
                    self._hang_up(key.data)
            self._collect()
            if self.warmth.wanted and not self.selector.select(0):
                self.warmth.import_next()

    def end(self) -> None:
        """Kill whatever still runs."""
        for job in self.jobs:
            job.kill()

    def _patience(self) -> float | None:
        if self.warmth.wanted:
            return 0
        nearest = min((job.deadline for job in self.jobs), default=NEVER)
        return None if nearest == NEVER else max(0.0, nearest - time.monotonic())

    def _accept(self, job_end: int, output: int) -> dict[str, Any] | None:
        link = socket.socket(fileno=job_end)
        with link.makefile("r", encoding="utf-8") as lines:
            request: dict[str, Any] = json.loads(lines.readline())
        if "preload" in request:
            self.warmth.want(request["preload"])
        elif "adopt" in request:
            self._watch(Job(request["adopt"], link, group=False))
        else:
            if call := warm.module_call(request["command"]):
                self.warmth.import_now(call[0])
            pid = os.fork()
            if pid == 0:
                self._leave(link, output)
                return request
            with contextlib.suppress(PermissionError, ProcessLookupError):  # the child was faster
                os.setpgid(pid, pid)
            self._watch(Job(pid, link, deadline=time.monotonic() + (request["timeout"] or NEVER)))
        os.close(output)
        return None

    def _watch(self, job: Job) -> None:
        self.jobs.append(job)
        self.selector.register(job.socket, selectors.EVENT_READ, job)

    def _forget(self, job: Job) -> None:
        self.selector.unregister(job.socket)
        self.jobs.remove(job)
        job.socket.close()

    def _hang_up(self, job: Job) -> None:
        """The other end spoke (let this process be) or closed (kill it)."""
        if not job.socket.recv(1):
            job.kill()
        if not job.group:
            self._forget(job)

    def _collect(self) -> None:
        """Report children that have ended, with whatever they left behind; end those whose time is up."""
        for job in [job for job in self.jobs if job.group]:
            pid, status = os.waitpid(job.pid, os.WNOHANG)
            if pid:
                job.kill()
                exit_ = {"status": os.waitstatus_to_exitcode(status), "timed_out": job.timed_out}
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    job.socket.sendall(json.dumps(exit_).encode() + b"\n")
                self._forget(job)
            elif time.monotonic() >= job.deadline:
                job.deadline, job.timed_out = NEVER, True
                job.kill()

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
    server = Server(socket.socket(fileno=int(sys.argv[1])))
    request = server.serve()
    if request is None:
        server.end()
        return
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    server.warmth.run(request["command"])


if __name__ == "__main__":
    main()
