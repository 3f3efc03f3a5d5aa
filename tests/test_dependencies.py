"""Whatever the code imports is declared in `pyproject.toml`, and docs/decisions/0001 says why."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from clearance import paths

ROOT = Path(__file__).parent.parent
ROOMS = ("clearance", "expectations", "flows", "tasks")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS: dict[str, list[str]] = PYPROJECT["dependency-groups"]
BESIDE_MODELS = {"evidently"}
"""Extras that no model is made with."""
GIVEN = {"prefect", "great-expectations", "fairlearn", "mlflow", "dvc", "scikit-learn", "shap", "pytest"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0]) for requirement in requirements}


def imported(room: str) -> set[str]:
    """The top-level modules, beyond the standard library and our own rooms, that a room's files import."""
    modules: set[str] = set()
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules.add(node.module.split(".")[0])
    return modules - set(sys.stdlib_module_names) - set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_every_package_that_is_imported_is_declared(room: str) -> None:
    declared = named(PROJECT["dependencies"])
    brings = packages_distributions()
    undeclared = {
        module
        for module in imported(room) - set(EXTRAS) - {"onnxruntime"}  # of the extra `onnx`
        if not declared & {normal(package) for package in brings[module]}
    }
    assert undeclared == set()


def test_every_dependency_earns_its_line() -> None:
    decision = normal((ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text())
    declared = named(PROJECT["dependencies"]) | named(PROJECT["optional-dependencies"]["dev"])
    declared |= {package for extra in EXTRAS.values() for package in named(extra)}
    missing = {
        package for package in declared - GIVEN if not re.search(rf"\b{re.escape(package)}\b", decision)
    }
    assert missing == set()


def pins(lock: str) -> dict[str, str]:
    """The versions that a lock pins for Linux, by package."""
    lines = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)(.*)$", (ROOT / lock).read_text(), re.MULTILINE)
    return {normal(name): version for name, version, marker in lines if "linux" in marker}


def test_each_extra_has_a_lock_that_moves_no_pin_of_the_others() -> None:
    """Installed after the base, an extra adds packages and changes none."""
    assert set(EXTRAS) - BESIDE_MODELS == set(paths.EXTRA_LOCKS)
    base = pins("requirements.lock")
    locks = {name: Path(f"requirements-{name}.lock") for name in BESIDE_MODELS}
    for name, lock in (paths.EXTRA_LOCKS | locks).items():
        own = pins(str(lock))
        library = {normal(package) for package in named(EXTRAS[name])} & set(own)
        assert library == named(EXTRAS[name]) & set(own)
        assert library, "none of its own packages is locked"
        assert {package: base[package] for package in own if package in base} == {
            package: version for package, version in own.items() if package in base
        }
        assert not library & set(base)
        assert "--hash=sha256:" in (ROOT / lock).read_text()
