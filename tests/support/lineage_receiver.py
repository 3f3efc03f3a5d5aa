"""A real OpenLineage endpoint on loopback: it keeps what it accepts, fails as told, and may be killed."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Receiver:
    """What an endpoint got. `behaviour` is a status to answer with, or `hang`, `cut` or `lost answer`.

    `release` ends what hangs. With the last two the connection ends in the middle of the answer: before, or
    after it kept the event.
    """

    behaviour: str = "201"
    events: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    release: threading.Event = field(default_factory=threading.Event)

    def keys(self) -> list[tuple[str, str, str]]:
        """What tells the events apart: run, type and time."""
        return [key(event) for event in self.events]


def key(event: dict[str, Any]) -> tuple[str, str, str]:
    """What tells an event from every other one."""
    return event["run"]["runId"], event["eventType"], event["eventTime"]


@contextlib.contextmanager
def running() -> Iterator[Receiver]:
    """An endpoint in a thread of this process."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.headers.append(dict(self.headers))
            if receiver.behaviour == "hang":
                receiver.release.wait(60)
                self.close_connection = True
                return
            if receiver.behaviour == "cut":
                self.wfile.write(b"HTTP/1.")
                self.close_connection = True
                return
            status = 201 if receiver.behaviour == "lost answer" else int(receiver.behaviour)
            if status == 201:
                receiver.events.append(json.loads(body))
            if receiver.behaviour == "lost answer":
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        yield receiver
        receiver.release.set()
        server.shutdown()


SERVER = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

left = int(sys.argv[3])

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(size := int(self.headers["content-length"]))
        if len(body) < size:  # whoever sent it is gone
            return
        global left
        left -= 1
        if left == 0 and size % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(file, self.headers["idempotency-key"].encode() + b" " + body + b"\\n")
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.send_response(201)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

file = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
HTTPServer.allow_reuse_address = True
with HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    server.serve_forever()
"""


@contextlib.contextmanager
def process(port: int, file: Path, killed_at: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """An endpoint in a process of its own, to be killed; it adds each event with its key to `file`.

    It is killed at the event of number `killed_at`, from 1 up, before or after it keeps that one; 0: at none.
    """
    command = [sys.executable, "-I", "-S", "-c", SERVER, str(port), str(file), str(killed_at)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + 30
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                assert time.monotonic() < end
                time.sleep(0.005)
            yield server
        finally:
            server.kill()


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def received(file: Path) -> list[tuple[str, bytes]]:
    """What such a process has kept: the idempotency key and the body of each whole event."""
    content = file.read_bytes() if file.exists() else b""
    lines = content[: content.rfind(b"\n") + 1].splitlines()
    return [(line[:64].decode(), line[65:]) for line in lines]
