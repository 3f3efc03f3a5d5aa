"""Every door does the same work: its own copy, its own registry, the same lock and the same verdict.

A CI job starts from the demo's DVC cache, without a lock; a rebuild without that cache is what
tests/test_reproduce.py compares. What MLflow or Prefect starts is the toy's run in the suite, every night the
demo's: these doors differ in how a run starts and ends, not in what its stages compute.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clearance import files
from clearance.errors import ExitCode
from tests.support import judged, projects, terminal_run, toys
from tests.support.nightly import NIGHTLY
from tests.support.prefect_server import PrefectServer
from tests.support.projects import Done, Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
]

SAME = ("dvc.lock", "reports/verdict.json", "reports/report.html", "models/trained/model.skops")
SAME_TOY = ("dvc.lock", "reports/verdict.json", "models/model.txt", "reports/figures/a.svg")


def test_a_ci_job(demo: Project, demo_run: Done, tmp_path: Path) -> None:
    """Plain DVC behind make targets; no promotion without a shared registry."""
    job = projects.warm_copy(tmp_path, demo)
    venv = Path(sys.executable).parent.parent
    make = ("make", "--silent", f"VENV={venv}", "--assume-old", f"{venv}/.ready")
    job.run(*make, "repro", variables={"CI": "true"}).ok()
    result = job.run(*make, "verdict", variables={"CI": "true"})
    assert result.code != 0
    assert "insufficient evidence" in result.out.lower()
    assert projects.files(job.root, SAME) == projects.files(demo.root, SAME)
    refused = job.run(*make, "release", variables={"CI": "true"})
    assert refused.code != 0
    assert "hint:" in refused.out
    assert "MLFLOW_TRACKING_URI" in refused.out


@dataclass(frozen=True)
class Door:
    """A project to start a run in, and what the outputs of such a run are."""

    project: Project
    outputs: dict[str, bytes]


@pytest.fixture
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Door:
    """A project whose evidence does not suffice: the toy, every night a copy of the demo."""
    if NIGHTLY:
        demo = request.getfixturevalue("demo")
        request.getfixturevalue("demo_run")
        return Door(projects.warm_copy(tmp_path, demo), projects.files(demo.root, SAME))
    toy = toys.build(tmp_path / "toy", name="lacks")
    for name in ("MLproject", "prefect.yaml", "prefect.toml"):
        shutil.copy(toys.ROOT / name, toy)
    twin = toys.twin(toy, tmp_path / "twin")
    result = terminal_run.run(twin, toys.surroundings(twin))
    assert result.returncode == ExitCode.INSUFFICIENT_EVIDENCE, result.stderr
    (home := tmp_path / "home").mkdir()
    return Door(Project(toy, home), projects.files(twin, SAME_TOY))


def test_an_mlflow_project(door: Door) -> None:
    command = ("mlflow", "run", ".", "--env-manager", "local", "--experiment-name", "governance-demo")
    result = door.project.run(*command, variables={"MLFLOW_DISABLE_TELEMETRY": "true"})
    assert result.code != 0, "what is no pass does not look like a success in MLflow either"
    assert "insufficient evidence" in result.out.lower()
    assert projects.files(door.project.root, tuple(door.outputs)) == door.outputs


def test_a_run_started_in_the_prefect_ui(door: Door, prefect: PrefectServer, tmp_path: Path) -> None:
    """`make ui` serves and deploys; a run started as the page starts it; stopping leaves nothing behind."""
    project = door.project
    (project.root / ".prefect").mkdir()
    shutil.copy(prefect.empty_database, project.root / ".prefect/prefect.db")
    shutil.copy(judged.empty_store(), project.root / "mlflow.db")
    ports = {"PREFECT_UI_PORT": str(free_port()), "MLFLOW_UI_PORT": str(free_port())}
    log = tmp_path / "ui.log"
    with log.open("wb") as output:
        ui = subprocess.Popen(
            [sys.executable, "-m", "flows.ui"],
            cwd=project.root,
            env=project.environment() | ports,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    api = f"http://127.0.0.1:{ports['PREFECT_UI_PORT']}/api"
    try:
        until(lambda: "Ctrl-C" in log.read_text() or ui.poll() is not None)
        assert ui.poll() is None, log.read_text()
        deployment = call(f"{api}/deployments/name/training/training")
        run = call(f"{api}/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
        states = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        until(lambda: call(f"{api}/flow_runs/{run['id']}")["state"]["type"] in states)
        assert call(f"{api}/flow_runs/{run['id']}")["state"]["name"] == "Insufficient evidence"
        assert call(f"http://127.0.0.1:{ports['MLFLOW_UI_PORT']}/version", read=bytes.decode)
    finally:
        ui.send_signal(signal.SIGTERM)
        ui.wait(timeout=60)
    assert projects.files(project.root, tuple(door.outputs)) == door.outputs
    assert not project.guard_log.exists(), project.guard_log.read_text()
    for port in ports.values():
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(port))) != 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], bool], patience: float = 180) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.5)


def call(url: str, body: Any = None, read: Callable[[bytes], Any] = json.loads) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - loopback
        return read(reply.read())


def test_the_demos_own_door_ends_with_the_verdicts_exit_code(demo: Project, demo_run: Done) -> None:
    verdict = files.read_json(demo.root / "reports/verdict.json")["verdict"]
    assert demo_run.code == ExitCode.INSUFFICIENT_EVIDENCE
    assert verdict == "insufficient_evidence"
