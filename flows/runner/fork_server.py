"""The process that starts a run's children from preloaded modules, and lets none of them outlive the run.

It imports the steps' modules once, and forks one child per request. When the run goes away,
even by `kill -9`, it ends the children and itself. It never imports Prefect, and decides nothing about a
step except when its time is up.

    run --- control ------> a byte and three descriptors per request: its connection, where output goes, and
                            the child's variables, which may hold a secret and which only the child reads
    run <-- connection ---> the request as a JSON line; back, the exit as another. Closing it ends the child.
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

from flows.runner.preloaded import PreloadedModules, module_call

NEVER = float("inf")
GRACE = 5.0
"""Seconds between asking a child to stop and killing it."""

IMPORTS_PER_CHILD = 2
"""Modules imported beside a child: enough for the next step, then the processor is the child's again."""


@dataclass(eq=False)
class Child:
    """A child, with a process group of its own, and the connection of the request it works for."""

    pid: int
    connection: socket.socket
    deadline: float
    stopping: bool = False
    timed_out: bool = False

    def stop(self) -> None:
        """Ask the child, and whatever it has started, to stop; the second time, kill it."""
        self._signal(signal.SIGKILL if self.stopping else signal.SIGTERM)
        self.deadline = NEVER if self.stopping else time.monotonic() + GRACE
        self.stopping = True

    def report_end(self, status: int) -> None:
        """Report the child's end, and kill what it left behind."""
        self._signal(signal.SIGKILL)
        report = {"status": os.waitstatus_to_exitcode(status), "timed_out": self.timed_out}
        with self.connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.sendall(json.dumps(report).encode() + b"\n")

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class ForkServer:
    """One loop: requests in, forks, exits out; imports when there is nothing else to do."""

    def __init__(self, control: socket.socket) -> None:
        self.modules = PreloadedModules(Path.cwd())
        self.children: list[Child] = []
        self.imports_left = 1  # the first step's own: its child must not wait for another's import
        self.control, self.is_open = control, True
        self.exits, exits_end = socket.socketpair()
        exits_end.setblocking(False)
        self.sockets = [control, self.exits, exits_end]
        self.selector = selectors.DefaultSelector()
        for source in (control, self.exits):
            self.selector.register(source, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(exits_end.fileno(), warn_on_full_buffer=False)

    def serve(self) -> dict[str, Any] | None:
        """Serve until the run goes away, then return None; in a new fork, return the request it is for."""
        while self.is_open or self.children:
            for key, _ in self.selector.select(self._select_timeout()):
                if key.fileobj is self.control:
                    request, descriptors, _, _ = socket.recv_fds(self.control, 1, 3)
                    if not request:
                        self._shut_down()
                    elif request_of_fork := self._accept(*descriptors):
                        return request_of_fork
                elif key.fileobj is self.exits:
                    self.exits.recv(4096)
                elif key.data in self.children:
                    self._abandon(key.data)
            self._reap()
            if self._may_import() and not self.selector.select(0):
                self.modules.import_next()
                self.imports_left -= 1
        return None

    def _shut_down(self) -> None:
        """The run needs no more children, or is gone."""
        self.selector.unregister(self.control)
        self.modules.queue.clear()
        self.is_open = False
        for child in self.children:
            self._abandon(child)

    def _abandon(self, child: Child) -> None:
        """Stop a child that nobody waits for any more."""
        self._unregister(child)
        if not child.stopping:
            child.stop()

    def _unregister(self, child: Child) -> None:
        with contextlib.suppress(KeyError):  # done before
            self.selector.unregister(child.connection)

    def _may_import(self) -> bool:
        """Not between two children: an import cannot be interrupted, and the next child would wait for it."""
        return bool(self.modules.queue) and self.imports_left > 0

    def _select_timeout(self) -> float | None:
        if self._may_import():
            return 0
        nearest = min((child.deadline for child in self.children), default=NEVER)
        return None if nearest == NEVER else max(0.0, nearest - time.monotonic())

    def _accept(self, descriptor: int, output: int, variables: int) -> dict[str, Any] | None:
        connection = socket.socket(fileno=descriptor)
        with connection.makefile("r", encoding="utf-8") as lines:
            request: dict[str, Any] = json.loads(lines.readline())
        if "preload" in request:
            self.modules.enqueue(request["preload"])
            connection.close()
        else:
            if call := module_call(request["command"]):
                self.modules.import_first(call[0])
            pid = os.fork()
            if pid == 0:
                self._become_child(connection, output)
                with os.fdopen(variables, encoding="utf-8") as file:
                    return request | {"env": json.load(file)}
            with contextlib.suppress(PermissionError, ProcessLookupError):  # the child was faster
                os.setpgid(pid, pid)
            deadline = time.monotonic() + (request["timeout"] or NEVER)
            self.children.append(Child(pid, connection, deadline))
            self.imports_left = IMPORTS_PER_CHILD
            self.selector.register(connection, selectors.EVENT_READ, self.children[-1])
        os.close(output)
        os.close(variables)
        return None

    def _reap(self) -> None:
        """Report children that have ended; stop those whose time is up."""
        for child in list(self.children):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._unregister(child)
                child.report_end(status)
                self.children.remove(child)
            elif time.monotonic() >= child.deadline:
                child.timed_out = not child.stopping
                child.stop()

    def _become_child(self, connection: socket.socket, output: int) -> None:
        """In the fork: its own process group, its output in place, nothing of the server left open."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.close(output)
        self.selector.close()
        for item in (connection, *self.sockets, *(child.connection for child in self.children)):
            item.close()


def main() -> None:
    """Serve the run at the other end of the socket whose descriptor is the argument."""
    server = ForkServer(socket.socket(fileno=int(sys.argv[1])))
    request = server.serve()
    if request is None:
        return
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    server.modules.run(request["command"])


if __name__ == "__main__":
    main()
