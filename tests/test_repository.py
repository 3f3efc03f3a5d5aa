"""What the repository promises beside its code: licence, owners, packaging, CI and contributor tools."""

import ast
import hashlib
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import clearance
from tests.conftest import SLOW_FILES

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PRODUCT = ("clearance", "expectations", "flows", "tasks")
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
WORKFLOWS = sorted((ROOT / ".github").glob("workflows/*.yml"))
ACTIONS = sorted((ROOT / ".github").glob("actions/*/action.yml"))
APACHE_2_0 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def steps(file: Path) -> list[dict[str, Any]]:
    """The steps of a workflow's jobs or of a composite action, in order."""
    document = yaml.safe_load(file.read_text())
    parts = document["jobs"].values() if "jobs" in document else [document["runs"]]
    return [step for part in parts for step in part["steps"]]


def imports(folder: str) -> set[str]:
    """The modules that the Python files below a folder import."""
    nodes = [node for path in (ROOT / folder).rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    members = {
        f"{node.module}.{name.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    return plain | members


def owners() -> dict[str, set[str]]:
    lines = (ROOT / ".github/CODEOWNERS").read_text().splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    return {pattern: set(teams) for pattern, *teams in rules}


def test_the_licence_is_apache_2_0_word_for_word() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2_0
    assert PROJECT["license"] == "Apache-2.0"


def test_the_package_and_its_metadata_have_one_version() -> None:
    assert clearance.__version__ == PROJECT["version"]


def test_the_wheel_holds_every_file_of_the_package_and_the_licence(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "clearance").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package <= names
    assert "clearance/py.typed" in names
    assert f"clearance-{PROJECT['version']}.dist-info/licenses/LICENSE" in names


@pytest.mark.parametrize("file", [*WORKFLOWS, *ACTIONS], ids=lambda file: file.parent.name + "/" + file.name)
def test_every_action_is_pinned_to_a_commit_and_names_its_version(file: Path) -> None:
    references = re.findall(r"uses: *(.*)", file.read_text())
    remote = [reference for reference in references if not reference.startswith("./")]
    assert [
        text for text in remote if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", text)
    ] == []
    local = [reference for reference in references if reference.startswith("./")]
    assert [path for path in local if not (ROOT / path / "action.yml").is_file()] == []


def test_one_action_has_one_commit_everywhere() -> None:
    text = "\n".join(file.read_text() for file in [*WORKFLOWS, *ACTIONS])
    pins = set(re.findall(r"uses: *([\w./-]+)@(.*)", text))
    assert len({action for action, _ in pins}) == len(pins)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_reads_the_whole_history_and_keeps_no_credentials(file: Path) -> None:
    checkouts = [step["with"] for step in steps(file) if "actions/checkout@" in step.get("uses", "")]
    assert len(checkouts) == len(yaml.safe_load(file.read_text())["jobs"])
    assert all(inputs == {"fetch-depth": 0, "persist-credentials": False} for inputs in checkouts)
    assert yaml.safe_load(file.read_text())["permissions"] == {"contents": "read"}


def test_ci_runs_the_fast_tests_first() -> None:
    commands = [step["run"] for step in steps(ROOT / ".github/workflows/pipeline.yml") if "run" in step]
    assert commands[:4] == ["make test-fast", "make lint", "make test", "make docs"]
    gitlab = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    first = [job["script"] for job in gitlab.values() if isinstance(job, dict) and job.get("stage") == "fast"]
    assert gitlab["stages"][0] == "fast"
    assert first == ["make test-fast"]


def test_ci_caches_the_environment_by_the_digest_of_the_lock() -> None:
    (cache,) = [
        step["with"]
        for step in steps(ROOT / ".github/actions/environment/action.yml")
        if "actions/cache@" in step.get("uses", "")
    ]
    assert cache["path"] == ".venv"
    assert "hashFiles('requirements.lock', 'pyproject.toml')" in cache["key"]
    assert "restore-keys" not in cache
    gitlab = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    assert gitlab["default"]["cache"]["key"]["files"] == ["requirements.lock", "pyproject.toml"]
    assert gitlab["variables"]["GIT_DEPTH"] == "0"


@pytest.mark.parametrize(
    "file", [*WORKFLOWS, ROOT / ".gitlab-ci.yml", ROOT / ".ci/run"], ids=lambda file: file.name
)
def test_every_make_target_that_ci_runs_exists(file: Path) -> None:
    targets = set(
        re.findall(r"\bmake (?:--silent )?([a-z-]+)(?: [A-Z]+=\S+)?$", file.read_text(), re.MULTILINE)
    )
    assert targets
    assert targets <= TARGETS


def test_make_help_lists_every_target() -> None:
    output = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)", MAKEFILE, re.MULTILINE)
    assert phony
    assert set(re.findall(r"^  make ([a-z-]+) ", output, re.MULTILINE)) == TARGETS
    assert set(phony[1].replace("\\", "").split()) == TARGETS


def test_pre_commit_runs_the_tools_of_make_lint() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [hook["entry"].split() for repository in hooks for hook in repository["hooks"]]
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    lint = [line.split() for line in recipe.replace("$(BIN)", ".venv/bin").splitlines()]
    assert {tuple(words[:2]) for words in entries} == {tuple(words[:2]) for words in lint}
    assert {repository["repo"] for repository in hooks} == {"local"}


def test_every_path_in_codeowners_exists() -> None:
    assert [
        pattern for pattern in owners() if pattern != "*" and not (ROOT / pattern.strip("/")).exists()
    ] == []


@pytest.mark.parametrize("folder", ["/policies/", "/expectations/"])
def test_policies_and_expectations_have_other_owners_than_the_code(folder: str) -> None:
    assert owners()[folder]
    assert owners()[folder].isdisjoint(owners()["*"])


@pytest.mark.parametrize(
    ("tag", "refusal"),
    [
        ('<script src="https://cdn.example/a.js"></script>', True),
        ('<script async="async" src="//cdn.example/a.js"></script>', True),
        ('<link rel="stylesheet" href="https://fonts.example/css">', True),
        ('<img alt="" src="http://cdn.example/a.png">', True),
        ('<script src="../_static/a.js"></script>', False),
        ('<a href="https://keepachangelog.com">a link to follow</a>', False),
    ],
)
def test_the_documentation_site_refuses_what_loads_from_another_host(
    tag: str, refusal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    request = runpy.run_path(str(ROOT / "docs/website/conf.py"))["REQUEST"]
    assert bool(request.search(tag)) is refusal


@pytest.mark.parametrize("guide", ["README.md", "CONTRIBUTING.md", ".github/pull_request_template.md"])
def test_every_make_target_a_newcomer_reads_about_exists(guide: str) -> None:
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)(?:`|$)", (ROOT / guide).read_text(), re.MULTILINE))
    assert targets
    assert targets <= TARGETS


def test_every_folder_and_file_that_contributing_names_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = set(re.findall(r"`((?:clearance|tasks|flows|expectations|policies|docs)/[\w./-]*)`", text))
    assert len(paths) >= 12
    assert {path for path in paths if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        *(
            (room, ("tests", "assurance", "benchmarks"))
            for room in ("clearance", "expectations", "flows", "tasks")
        ),
        ("tests/support", ("assurance", "benchmarks", "tests.test_")),
        ("assurance", ("benchmarks", "tests.test_", "tests.conftest")),
        ("benchmarks", ("assurance", "tests.test_", "tests.conftest")),
    ],
)
def test_harnesses_build_on_test_support_and_nothing_imports_back(
    folder: str, forbidden: tuple[str, ...]
) -> None:
    assert {name for name in imports(folder) if f"{name}.".startswith(forbidden)} == set()


def test_every_file_that_conftest_calls_slow_exists() -> None:
    assert {name for name in SLOW_FILES if not (ROOT / "tests" / name).is_file()} == set()
