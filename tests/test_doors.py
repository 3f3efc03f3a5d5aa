"""Every door does the same work: its own copy, empty stores, the same lock and the same verdict."""

from pathlib import Path

import projects
import pytest
from projects import Done, Project

from clearance import artifacts
from clearance.errors import ExitCode

pytestmark = pytest.mark.slow

SAME = ("dvc.lock", "reports/verdict.json", "reports/report.html", "models/trained/model.skops")


def test_a_ci_job(demo: Project, demo_run: Done, tmp_path: Path) -> None:
    """Plain DVC behind make targets, from no lock at all; no promotion without a shared registry."""
    job = projects.copy(tmp_path)
    (job.root / "dvc.lock").unlink(missing_ok=True)
    venv = Path(projects.sys.executable).parent.parent
    make = ("make", "--silent", f"VENV={venv}", "--assume-old", f"{venv}/.ready")
    job.run(*make, "repro", variables={"CI": "true"}).ok()
    told = job.run(*make, "verdict", variables={"CI": "true"})
    assert told.code != 0
    assert "insufficient evidence" in told.out.lower()
    assert projects.files(job.root, SAME) == projects.files(demo.root, SAME)
    refused = job.run(*make, "release", variables={"CI": "true"})
    assert refused.code != 0
    assert "mend:" in refused.out
    assert "MLFLOW_TRACKING_URI" in refused.out


def test_an_mlflow_project(demo: Project, demo_run: Done, tmp_path: Path) -> None:
    project = projects.copy(tmp_path)
    command = ("mlflow", "run", ".", "--env-manager", "local", "--experiment-name", "governance-demo")
    done = project.run(*command, variables={"MLFLOW_DISABLE_TELEMETRY": "true"}).ok()
    assert "insufficient evidence" in done.out.lower()
    assert projects.files(project.root, SAME) == projects.files(demo.root, SAME)


def test_the_demos_own_door_ends_with_the_verdicts_exit_code(demo: Project, demo_run: Done) -> None:
    verdict = artifacts.read_json(demo.root / "reports/verdict.json")["verdict"]
    assert demo_run.code == ExitCode.INSUFFICIENT_EVIDENCE
    assert verdict == "insufficient_evidence"
