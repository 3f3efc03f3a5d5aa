"""Projects that an earlier release governed still verify, and can still be rolled back.

`tests/samples/v0/README.md` says what the sample holds. The installed command is asked,
in a process of its own or in this one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from clearance import cli
from tests.samples import make
from tests.support import projects
from tests.support.projects import Done, Project

pytestmark = pytest.mark.slow

ARCHIVE = Path(__file__).parent / "samples" / "v0" / make.ARCHIVE
PASS, ERROR = 0, 1
NAME, CANDIDATES = "hiring", "hiring-candidate"
FINGERPRINT = "clearance.fingerprint"

ENTRIES = [
    ("roles", "pipeline", None),
    *(("proposal", "pipeline", 1), ("verdict", "pipeline", 1), ("comparison", "pipeline", 1)),
    *(("approval", "dan", 1), ("approval", "vera", 1), ("approval", "rita", 1)),
    *(("intent", "pipeline", 1), ("promotion", "pipeline", 1)),
    *(("proposal", "pipeline", 2), ("verdict", "pipeline", 2), ("comparison", "pipeline", 2)),
    *(("rejection", "rita", 2), ("revocation", "rita", 2), ("approval", "vera", 2), ("approval", "rita", 2)),
    *(("intent", "pipeline", 2), ("promotion", "pipeline", 2)),
    *(("proposal", "pipeline", 3), ("verdict", "pipeline", 3), ("comparison", "pipeline", 3)),
    *(("refusal", "pipeline", 3), ("refusal", "pipeline", 3)),
    *(
        ("override", "vera", 3),
        ("override", "rita", 3),
        ("intent", "pipeline", 3),
        ("promotion", "pipeline", 3),
    ),
    *(("intent", "otto", 2), ("rollback", "otto", 2)),
    *(("intent", "otto", 2), ("retirement", "otto", 2)),
    *(("intent", "otto", 2), ("rollback", "otto", 2)),
]
"""Kind, actor and version of each entry of the sample's ledger, in order."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The sample, unpacked outside of any checkout of this repository."""
    (tmp_path / "home").mkdir()
    make.unpack(ARCHIVE, tmp_path / "project")
    return Project(tmp_path / "project", tmp_path / "home")


def run(project: Project, *arguments: str) -> Done:
    """Run `clearance` in the sample, which holds no code of its own."""
    path = os.pathsep.join(map(str, (projects.GUARD, projects.ROOT)))
    return project.run("clearance", *arguments, variables={"PYTHONPATH": path})


def run_here(project: Project, *arguments: str) -> Done:
    """The same in this process, without a second import and without the guard."""
    environment, own = dict(os.environ), project.environment()
    try:
        os.environ.clear()
        os.environ.update(own)
        with contextlib.chdir(project.root):
            result = CliRunner().invoke(cli.main, arguments)
    finally:
        os.environ.clear()
        os.environ.update(environment)
    return Done(result.exit_code, result.output)


def query(project: Project, statement: str, *values: object) -> list[tuple[str, ...]]:
    """Rows of MLflow's database."""
    with contextlib.closing(sqlite3.connect(project.root / make.STORE)) as database:
        return database.execute(statement, values).fetchall()


def champion(project: Project) -> int:
    """The number of the candidate whose copy the alias `champion` points to."""
    rows = query(
        project,
        "SELECT candidate.version FROM registered_model_aliases AS alias "
        "JOIN model_version_tags AS copy ON copy.name = alias.name AND copy.version = alias.version "
        "JOIN model_version_tags AS candidate ON candidate.key = copy.key AND candidate.value = copy.value "
        "WHERE alias.alias = 'champion' AND alias.name = ? AND copy.key = ? AND candidate.name = ?",
        *(NAME, FINGERPRINT, CANDIDATES),
    )
    assert len(rows) == 1, rows
    return int(rows[0][0])


def model_file(project: Project, version: int) -> Path:
    """The file of a candidate's model in MLflow."""
    statement = "SELECT storage_location FROM model_versions WHERE name = ? AND version = ?"
    location = query(project, statement, CANDIDATES, version)[0][0]
    return Path(location.removeprefix("file://")) / "model.skops"


def bundle_file(project: Project, version: int) -> Path:
    """The file of a candidate's evidence bundle."""
    statement = "SELECT value FROM model_version_tags WHERE name = ? AND version = ? AND key = ?"
    fingerprint = query(project, statement, CANDIDATES, version, FINGERPRINT)[0][0]
    return project.root / ".clearance/evidence" / f"{fingerprint}.json"


def test_the_ledger_verifies_and_every_entry_is_read(project: Project) -> None:
    run(project, "ledger", "verify").ok()
    run_here(project, "ledger", "verify", make.EXPORT).ok()
    lines = run_here(project, "ledger", "show", "--json").ok().out.splitlines()
    entries = [json.loads(line) for line in lines]
    assert [(entry["kind"], entry["actor"], entry["body"].get("version")) for entry in entries] == ENTRIES
    reigns = run_here(project, "history").ok().out.splitlines()
    versions = [int(number) for reign in reigns for number in re.findall(rf"^{NAME} version (\d+)", reign)]
    assert versions == [1, 2, 3, 2, 2]
    assert not project.guard_log.exists(), project.guard_log.read_text()


def test_the_champion_and_an_evidence_bundle_verify(project: Project) -> None:
    assert champion(project) == 2
    run(project, "verify").ok()
    assert not project.guard_log.exists(), project.guard_log.read_text()
    run_here(project, "verify", str(bundle_file(project, 1))).ok()


def test_an_earlier_version_becomes_champion_again(project: Project) -> None:
    run_here(project, "rollback", "--to", "1", "--as", "otto", "--reason", "it does harm").ok()
    assert champion(project) == 1
    run_here(project, "verify").ok()


def test_nobody_rolls_back_to_a_model_file_in_which_one_byte_changed(project: Project) -> None:
    file = model_file(project, 1)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert (
        run_here(project, "rollback", "--to", "1", "--as", "otto", "--reason", "it does harm").code == ERROR
    )
    assert champion(project) == 2
