"""`from clearance import ...`: typed, documented, cheap to import, and at work in an installed wheel."""

from __future__ import annotations

import ast
import datetime as dt
import inspect
import json
import os
import re
import site
import subprocess
import sys
import venv
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import clearance
from clearance import library
from clearance.errors import ConfigurationError
from clearance.policy import judgement
from clearance.promotion.standing import Waiting
from tests.support import governed
from tests.support.codes import raises
from tests.support.governed import NAME, Place

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs/library.md"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def test_type_checkers_see_the_same_names_as_the_interpreter() -> None:
    stub = ast.parse((ROOT / "clearance/__init__.pyi").read_text())
    imported = {name.asname for node in stub.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert imported == set(clearance.__all__)


@pytest.mark.parametrize("name", clearance.__all__)
def test_every_name_is_documented_and_typed(name: str) -> None:
    value = getattr(clearance, name)
    assert value is getattr(library, name) and inspect.getdoc(value)
    signature = inspect.signature(value)
    assert all(option.annotation is not option.empty for option in signature.parameters.values())
    verbs = set(re.findall(r"^\| `(\w+)` \|", GUIDE.read_text(), re.MULTILINE))
    assert (name in verbs) is inspect.isfunction(value)


def test_a_name_that_is_none_of_them_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        clearance.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, clearance; print(*sorted(n for n in sys.modules if n.startswith('clearance')))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["clearance"]


def test_a_policy_judges_documents_that_are_handed_in() -> None:
    policy = clearance.load_policy(ROOT / "policies/demo.yaml")
    stated = judgement.Declaration(
        attributes=tuple(policy.attributes),
        target=policy.favourable.target,
        favourable=policy.favourable.value,
    )
    assert clearance.judge(policy, {}, stated, dt.date(2026, 11, 22)).outcome == "not_evaluated"


def test_the_verbs_take_a_candidate_from_the_first_decision_to_its_retirement(place: Place) -> None:
    root = place.put("waiting").root
    with raises("promotion.right_missing"):
        clearance.decide(root, 1, "approve", reason="mine", identity="dan")
    first = clearance.decide(root, 1, "approve", reason="read", identity="vera")
    assert (first.uncounted, first.complete, len(first.missing)) == (None, False, 1)
    early = clearance.promote(root / "policies", 1)
    assert (early.promoted, early.ending.status, early.champion) == (False, "awaiting approval", None)
    last = clearance.decide(root, 1, "approve", reason="read", identity="rita")
    assert last.complete and place.alias() is None  # it only records
    assert clearance.promote(root, 1).promoted and place.alias() == 1
    assert all(check.holds for check in clearance.verify(root))
    (champion,) = clearance.history(root)
    assert champion.tenure.version == 1 and NAME in champion.description
    assert clearance.history(root, champion.tenure.since - dt.timedelta(days=1)) == []
    clearance.retire(root, reason="no longer used")
    assert place.alias() is None and clearance.history(root, dt.datetime.now(dt.UTC)) == []


def test_outside_a_project_a_verb_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        clearance.verify(tmp_path)


# Where a project stands


def test_a_candidate_waits_for_those_who_have_not_decided(place: Place) -> None:
    root = place.put("waiting").root
    status = clearance.status(root)
    (waiting,) = status.waiting
    assert dict(waiting.missing) == {"validator": 1, "risk_officer": 1}
    assert "vera" in waiting.people["validator"] and "rita" in waiting.people["risk_officer"]
    assert status.champion is None
    assert status.next == "`clearance approve 1 --as NAME --reason TEXT`"
    place.command("promote", "1")
    assert clearance.candidates(root)[0].refusal == clearance.status(root).waiting[0].refusal is not None
    place.decide("approve", 1, "vera")
    (waiting,) = clearance.status(root).waiting
    assert dict(waiting.missing) == {"risk_officer": 1}
    assert waiting.refusal is None  # something was recorded since
    (candidate,) = clearance.candidates(root)
    assert (candidate.verdict, candidate.state, dict(candidate.decisions)) == (
        "pass",
        "candidate",
        {"vera": "approved"},
    )
    place.decide("revoke", 1, "vera")
    assert clearance.candidates(root)[0].decisions == {}
    place.decide("reject", 1, "rita")
    assert clearance.candidates(root)[0].state == "rejected"
    assert clearance.status(root).waiting == ()


def test_an_operator_is_told_why_the_last_promotion_was_refused() -> None:
    ready = Waiting(version=1, missing={}, people={})
    assert "judged again" in str(ready)
    refused = replace(ready, refusal="Judged again on 2026-11-30: not evaluated.")
    assert "Judged again on 2026-11-30: not evaluated" in str(refused)
    assert all(str(waiting).rpartition(": ")[2] == "`clearance promote 1`" for waiting in (ready, refused))


def test_a_champion_is_shown_and_nothing_waits(place: Place) -> None:
    place.put("waiting").agree(1)
    status = clearance.status(place.root)
    assert status.champion is not None and "version 1" in status.champion
    assert status.waiting == ()
    assert clearance.candidates(place.root)[0].state == "champion"


READING = [
    ("status",),
    ("list",),
    ("verdict",),
    ("judge",),
    ("history",),
    ("verify",),
    ("contract",),
    ("ledger", "verify"),
    ("roles", "show"),
    ("root", "show"),
]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_every_reading_command_prints_one_json_document(place: Place, words: tuple[str, ...]) -> None:
    place.put("waiting")
    done = place.command(*words, "--json")
    assert isinstance(json.loads(done.said), dict | list), done


# An installed wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (archive,) = folder.glob("*.whl")
    return archive


def test_the_wheel_holds_the_templates_and_the_types_and_nothing_of_the_project(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = {
        str(path.relative_to(ROOT))
        for path in ROOT.glob("clearance/reporting/**/templates/*")
        if path.is_file()
    }
    assert templates and templates <= names
    assert {"clearance/py.typed", "clearance/__init__.pyi"} <= names
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"clearance"}


@pytest.mark.slow
def test_the_guides_example_runs_with_an_installed_wheel_outside_the_repository(
    wheel: Path, place: Place, tmp_path: Path
) -> None:
    place.put("waiting")
    python = installed(wheel, tmp_path / "environment")
    (tmp_path / "my-project").symlink_to(place.root)
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    where = "import clearance; assert clearance.__file__.startswith(__import__('sys').prefix)\n"
    result = run([python, "-c", where + example], tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"promoted {NAME} version 1" in result.stdout
    assert place.told() == place.alias() == 1
    command = [python.with_name("clearance"), "verify"]
    assert run(command, tmp_path / "my-project").returncode == 0
    assert run([*command, "7"], tmp_path / "my-project").returncode == 1


def installed(wheel: Path, folder: Path) -> Path:
    """The interpreter of a fresh environment with the wheel and, beside it, the locked packages."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "locked.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return python


def run(command: list[Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it outside the repository, with nothing of the repository on the path."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
