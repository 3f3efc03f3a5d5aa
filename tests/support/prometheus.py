"""A real Prometheus and Alertmanager on loopback with our rules, and a receiver of notices."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

DEPLOY = Path(__file__).resolve().parents[2] / "deploy/prometheus"
PROGRAMS = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")
MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
PATIENCE = 60.0
"""Seconds until a thing that must come is missing."""

Notice = dict[str, Any]
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def until(what: Callable[[], Any]) -> Any:
    """What `what` returns once it is true. Fails when that does not happen."""
    end = time.monotonic() + PATIENCE
    while not (answer := what()):
        assert time.monotonic() < end, f"{what} is still {answer!r}"
        time.sleep(0.1)
    return answer


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """A webhook. `notices` are what Alertmanager sent, each with the path that it was sent to."""

    address: str
    notices: list[tuple[str, Notice]] = field(default_factory=list)

    def alerts(self, status: str, **labels: str) -> list[tuple[str, Notice]]:
        """The alerts with this status and these labels, each with its path."""
        return [
            (path, alert)
            for path, notice in list(self.notices)
            for alert in notice["alerts"]
            if alert["status"] == status and alert["labels"].items() >= labels.items()
        ]


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """A running Prometheus, the Alertmanager that it tells, and who hears of its alerts."""

    address: str
    manager: str
    receiver: Receiver

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression now. Fails with Prometheus' words when it is not one."""
        answer = httpx.get(f"{self.address}/api/v1/query", params={"query": expression}, timeout=30).json()
        assert answer["status"] == "success", f"{answer.get('error')}: {expression}"
        return list(answer["data"]["result"])

    def everything(self) -> str:
        """Every series that it holds, with all labels, as text."""
        match = {"match[]": '{__name__=~".+"}'}
        return httpx.get(f"{self.address}/api/v1/series", params=match, timeout=30).text


@contextlib.contextmanager
def running(folder: Path, target: str, key: str) -> Iterator[Prometheus]:
    """Both programs, scraping `target` (host:port) with this key every half second, until the end.

    The rules are those of deploy/, without their `for`; the Alertmanager's settings, with short waits.
    """
    ports = _free_ports(2)
    with _receiver() as receiver:
        rules = (DEPLOY / "clearance.rules.yml").read_text(encoding="utf-8")
        _write(folder / "clearance.rules.yml", re.sub(r"for: \S+", "for: 0s", rules))
        _write(folder / "clearance.key", key)
        _write(folder / "alertmanager.yml", _quick_manager(receiver.address))
        _write(folder / "prometheus.yml", _quick_prometheus(target, ports[1]))
        listen = [f"127.0.0.1:{port}" for port in ports]
        server = (
            *("prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
            *(f"--web.listen-address={listen[0]}", "--rules.alert.resend-delay=1s"),
        )
        manager = (
            *("prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml"),
            *(f"--storage.path={folder}/alerts", f"--web.listen-address={listen[1]}"),
            "--cluster.listen-address=",
        )
        with _process(folder, *manager), _process(folder, *server):
            for address in listen:
                until(lambda address=address: _is_ready(f"http://{address}/-/ready"))
            server_url, manager_url = (f"http://{address}" for address in listen)
            yield Prometheus(address=server_url, manager=manager_url, receiver=receiver)


def _quick_manager(receiver: str) -> str:
    settings = (DEPLOY / "alertmanager.yml").read_text(encoding="utf-8")
    quick = {"group_wait": "100ms", "group_interval": "500ms"}
    for name, wait in quick.items():
        settings = re.sub(rf"{name}: \S+", f"{name}: {wait}", settings)
    return settings.replace("http://127.0.0.1:9095", receiver)


def _quick_prometheus(target: str, manager: int) -> str:
    settings = (DEPLOY / "prometheus.yml").read_text(encoding="utf-8")
    settings = re.sub(r"(scrape|evaluation)_interval: \S+", r"\1_interval: 500ms", settings)
    return settings.replace("127.0.0.1:8322", target).replace("127.0.0.1:9093", f"127.0.0.1:{manager}")


@contextlib.contextmanager
def _receiver() -> Iterator[Receiver]:
    notices: list[tuple[str, Notice]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            notices.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Receiver(address=f"http://127.0.0.1:{server.server_address[1]}", notices=notices)
        finally:
            server.shutdown()


@contextlib.contextmanager
def _process(folder: Path, *command: str) -> Iterator[None]:
    with (
        (folder / f"{command[0]}.log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as child,
    ):
        try:
            yield
        finally:
            child.terminate()
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()


def _is_ready(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url).is_success
    return False


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def labels(sample: Mapping[str, Any]) -> dict[str, str]:
    """The labels of a sample, without its name."""
    return {name: value for name, value in sample["metric"].items() if name != "__name__"}


def series(text: str) -> Series:
    """Every series of an exposition; fails on one that stands twice."""
    made: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in made, f"{key} stands twice"
            made[key] = sample.value
    return made


def value(made: Series, name: str, **labels: str) -> float:
    """The one series of this name with these labels among its own."""
    (number,) = [
        number for (series_name, own), number in made.items() if series_name == name and own >= labels.items()
    ]
    return number
