"""The contracts of `.importlinter` fail closed: a probe in the wrong room turns them red."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSES = ("clearance", "tasks", "flows", "expectations")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code and its contracts, to be changed."""
    root = tmp_path_factory.mktemp("architecture")
    for house in HOUSES:
        shutil.copytree(ROOT / house, root / house, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", root)
    return root


def broken_contracts(root: Path) -> set[str]:
    """The names of the contracts that the code at `root` breaks."""
    lint = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command as c; c()"
    result = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )
    lines = (line.strip() for line in result.stdout.splitlines())
    failures = {line.partition(" BROKEN")[0] for line in lines if " BROKEN" in line}
    assert (result.returncode != 0) == bool(failures), result.stdout + result.stderr
    return {name.partition(":")[0] for name in failures}


PROBES = [
    ("clearance/probe.py", "import mlflow", {"MLflow only in clearance.registry", "the rooms of clearance"}),
    ("clearance/policy/probe.py", "import dvc.repo", {"DVC only in clearance.versioning.dvc_api"}),
    ("clearance/metrics/probe.py", "import great_expectations", {"Great Expectations only in expectations"}),
    ("tasks/probe.py", "from prefect import flow", {"Prefect only in flows, and not in flows.runner"}),
    ("flows/runner/probe.py", "import prefect", {"Prefect only in flows, and not in flows.runner"}),
    ("clearance/data/probe.py", "from clearance import metrics", {"the rooms of clearance"}),
    ("clearance/probing/__init__.py", "", {"the rooms of clearance"}),
]
"""A file, what stands in it, and the contracts that it breaks."""


def test_the_code_keeps_every_contract(copy: Path) -> None:
    assert broken_contracts(copy) == set()


@pytest.mark.parametrize(("file", "text", "contracts"), PROBES)
def test_a_probe_in_the_wrong_room_turns_lint_red(
    copy: Path, file: str, text: str, contracts: set[str]
) -> None:
    probe = copy / file
    probe.parent.mkdir(exist_ok=True)
    probe.write_text(text + "\n")
    try:
        violations = broken_contracts(copy)
    finally:
        probe.unlink()
        if not any(probe.parent.iterdir()):
            probe.parent.rmdir()
    assert contracts <= violations
