"""What a decision costs over HTTP, beside the servers that people use today: `python -m benchmarks.serving`.

A project is made, trained, overridden by two people and served by `clearance serve`: verified, with
reasons, each answer on record. Peers answer over the same fitted pipeline: `mlflow models serve` and
MLServer the score alone, Flask (waitress) the score with SHAP values of a prebuilt explainer. One client,
one row, one connection; all in turns, `OMP_NUM_THREADS=1` for all. Peers that the environment in `--peers`
lacks are left out, and said to be.

The log lies on the disk, and once in memory, where a commit costs nothing: "without the disk".
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

from clearance import paths
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.training_document import TrainingDocument
from clearance.models import model_file

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
ESTIMATORS = {
    "boosting": ("train.estimator=hist_gradient_boosting", "train.arguments={}"),
    "logistic": (),
}
Child = subprocess.Popen[bytes]
ROUNDS, REQUESTS, WARM = 5, 300, 60


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A server to ask: its port, the path, the headers, and the body for a row."""

    port: int
    path: str
    headers: Mapping[str, str]
    body: Callable[[Mapping[str, Any]], Any]


@dataclass
class Figures:
    """Seconds of each request, by server."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def p50(self, name: str) -> float:
        """Milliseconds of the median request."""
        return statistics.median(self.seconds[name]) * 1e3

    def p99(self, name: str) -> float:
        """Milliseconds that one request in a hundred exceeds."""
        return statistics.quantiles(self.seconds[name], n=100)[98] * 1e3


def free_port(count: int = 1) -> int:
    """A port that nobody holds, with `count - 1` more behind it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        with contextlib.ExitStack() as stack:
            try:
                for offset in range(count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port + offset))
            except OSError:
                continue
            return port


@contextlib.contextmanager
def process(
    command: Sequence[str], folder: Path, log: Path, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A server as a child, ended by its own process id."""
    tools = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HOME": str(folder), "PATH": tools} | variables
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
            child.wait(20)


def until(ready: Callable[[], bool], child: Child, log: Path) -> None:
    """Wait until the server answers. Raises RuntimeError when it ends instead."""
    end = time.monotonic() + 180
    while time.monotonic() < end:
        if child.poll() is not None:
            break
        with contextlib.suppress(urllib.error.URLError, OSError):
            if ready():
                return
        time.sleep(0.2)
    raise RuntimeError(log.read_text(errors="replace")[-3000:])


def answers(url: str) -> Callable[[], bool]:
    """Whether something answers there."""
    return lambda: urllib.request.urlopen(url, timeout=2).status == 200  # noqa: S310 - loopback


def project(folder: Path, changes: Sequence[str]) -> Path:
    """A clone with a champion: trained with these parameters, and overridden by two people."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    import yaml

    content = yaml.safe_load((folder / "params.yaml").read_text())
    for change in changes:
        key, _, value = change.partition("=")
        content[key.split(".")[0]][key.split(".")[1]] = yaml.safe_load(value)
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    clearance = str(Path(PYTHON).with_name("clearance"))

    def run(*words: str) -> None:
        subprocess.run([clearance, *words], cwd=folder, stdout=subprocess.DEVNULL, check=True)

    run("run", "--any-verdict")
    until_day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 7 * 86400))
    for person in ("rita", "vera"):
        run("override", "1", "--as", person, "--reason", "a benchmark", "--until", until_day)
    return folder


def rows_of(folder: Path) -> tuple[Any, list[dict[str, Any]]]:
    """The champion's pipeline and rows to ask about."""
    training = TrainingDocument.read(folder)
    if isinstance(training, BlockedDocument):
        raise TypeError("no model was trained")
    pipeline = model_file.load_scorer(folder / paths.MODEL, training.model.sha256, training.threshold)
    table = pd.read_parquet(folder / paths.PREPARED / "features.parquet")
    names = [column.name for column in training.inputs]
    complete = table[names].astype("float64").dropna().head(300)
    return pipeline, [dict(zip(names, map(float, row), strict=True)) for row in complete.to_numpy()]


@contextlib.contextmanager
def ours(folder: Path, log_address: str, name: str) -> Iterator[Endpoint]:
    """`clearance serve` in the project, with its log at the address."""
    port = free_port()
    command = [str(Path(PYTHON).with_name("clearance")), "serve", "--port", str(port)]
    log = folder / f"{name}.log"
    variables = {"CLEARANCE_INFERENCE_LOG": log_address, "CLEARANCE_INFERENCE_KEY": f"{folder}/{name}.key"}
    with process(command, folder, log, **variables) as child:
        until(answers(f"http://127.0.0.1:{port}/healthz"), child, log)
        key = re.search(r"clk_[\w-]+", log.read_text())
        yield Endpoint(
            port=port,
            path="/v1/predict",
            headers={"authorization": f"Bearer {key[0] if key else ''}"},
            body=lambda row: {"rows": [{"entity": "E-1", "features": row}]},
        )


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[Endpoint]:
    """`mlflow models serve` over the champion: decisions alone."""
    port = free_port()
    command = [PYTHON, "-m", "mlflow", "models", "serve", "-m", "models:/loan-approval@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "mlflow.log"
    with process(command, folder, log, MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db") as child:
        until(answers(f"http://127.0.0.1:{port}/health"), child, log)
        yield Endpoint(
            port=port,
            path="/invocations",
            headers={},
            body=lambda row: {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}},
        )


@contextlib.contextmanager
def flask_server(python: str, folder: Path, model: Path, rows: Path) -> Iterator[Endpoint]:
    """Flask on waitress with a prebuilt SHAP explainer: score and contributions."""
    port = free_port()
    log = folder / "flask.log"
    command = [python, str(ROOT / "benchmarks/serving_peers.py"), "flask", str(model), str(rows), str(port)]
    with process(command, folder, log) as child:
        until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, child, log)
        yield Endpoint(port=port, path="/predict", headers={}, body=lambda row: {"features": row})


@contextlib.contextmanager
def ml_server(python: str, folder: Path, model: Path) -> Iterator[Endpoint]:
    """MLServer over the pipeline: the score alone."""
    port, place = free_port(3), folder / "mlserver"
    settings = [
        python,
        str(ROOT / "benchmarks/serving_peers.py"),
        "mlserver",
        str(model),
        str(place),
        str(port),
    ]
    subprocess.run(settings, check=True)
    log = folder / "mlserver.log"
    with process([python, "-m", "mlserver.cli.main", "start", str(place)], place, log) as child:
        until(answers(f"http://127.0.0.1:{port}/v2/health/ready"), child, log)
        yield Endpoint(
            port=port,
            path="/v2/models/peer/infer",
            headers={},
            body=lambda row: {
                "inputs": [
                    {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
                    for name, value in row.items()
                ]
            },
        )


def ask(endpoint: Endpoint, rows: Sequence[Mapping[str, Any]], count: int) -> list[float]:
    """Seconds of each of `count` requests over one connection. Raises RuntimeError on an error."""
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=60)
    headers = {"content-type": "application/json", **endpoint.headers}
    seconds = []
    for index in range(count):
        body = json.dumps(endpoint.body(rows[index % len(rows)]))
        start = time.perf_counter()
        connection.request("POST", endpoint.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        seconds.append(time.perf_counter() - start)
        if answer.status != 200:
            raise RuntimeError(content.decode(errors="replace")[:500])
    connection.close()
    return seconds


def commits(folder: Path, count: int = 200, size: int = 1500) -> list[float]:
    """Seconds of each bare SQLite commit (WAL, FULL) of as many bytes as a record has."""
    import sqlite3

    with contextlib.closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS bare (data BLOB)")
        seconds = []
        for _ in range(count):
            data = os.urandom(size)
            start = time.perf_counter()
            connection.execute("INSERT INTO bare VALUES (?)", (data,))
            seconds.append(time.perf_counter() - start)
    return seconds


def measure(scratch: Path, estimator: str, peers: str | None) -> None:
    """Print p50 and p99 of every server for an estimator, and the ratios to its bars."""
    folder = project(scratch / estimator, ESTIMATORS[estimator])
    pipeline, rows = rows_of(folder)
    model, listed = scratch / f"{estimator}.joblib", scratch / f"{estimator}.json"
    joblib.dump(pipeline, model)
    listed.write_text(json.dumps(rows))
    figures = Figures()
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        disk = f"sqlite:///{folder}/bench.db"
        endpoints = {
            "ours, log in memory": stack.enter_context(
                ours(folder, f"sqlite:///{memory}/bench.db", "memory")
            ),
            "ours, log on disk": stack.enter_context(ours(folder, disk, "disk")),
            "mlflow models serve": stack.enter_context(mlflow_server(folder)),
        }
        if peers:
            endpoints["MLServer"] = stack.enter_context(ml_server(peers, folder, model))
            endpoints["Flask + SHAP"] = stack.enter_context(flask_server(peers, folder, model, listed))
        else:
            print("  MLServer and Flask are left out: --peers names no environment with them")
        for endpoint in endpoints.values():
            ask(endpoint, rows, WARM)
        for _ in range(ROUNDS):
            for name, endpoint in endpoints.items():
                count = REQUESTS // 4 if name == "mlflow models serve" else REQUESTS
                figures.seconds.setdefault(name, []).extend(ask(endpoint, rows, count))
            figures.seconds.setdefault("bare commit", []).extend(commits(folder))
    _show(estimator, figures)


def _show(estimator: str, figures: Figures) -> None:
    for name in figures.seconds:
        print(f"  {estimator:9} {name:20} p50 {figures.p50(name):7.2f} ms   p99 {figures.p99(name):7.2f} ms")
    answer = figures.p50("ours, log in memory")
    bars = {"MLServer": 0.5, "mlflow models serve": 0.1, "Flask + SHAP": 0.4}
    for name, bar in bars.items():
        if name in figures.seconds:
            print(f"{estimator}: ours / {name:20} {answer / figures.p50(name):5.2f}   (bar {bar:.2f})")
    beyond = figures.p50("ours, log on disk") - figures.p50("bare commit")
    print(f"{estimator}: durable answer beyond a commit {beyond:+.2f} ms   (bar 1.00)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument(
        "--peers",
        metavar="PYTHON",
        help="the Python of an environment with mlserver, flask, waitress and shap",
    )
    parser.add_argument("estimators", nargs="*", default=list(ESTIMATORS), metavar="estimator")
    options = parser.parse_args()
    for estimator in options.estimators:
        with tempfile.TemporaryDirectory(prefix="clearance-serving-") as scratch:
            measure(Path(scratch), estimator, options.peers)


if __name__ == "__main__":
    main()
