"""dvc.yaml keeps its promises: every stage declares the code, the lock and the parameters it stands on.

An import that a stage does not declare would keep an old result, and with it an old approval, after its
code changed.
"""

import ast
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml

ROOT = Path(__file__).parent.parent
STAGES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
ROOMS = ("clearance", "expectations", "tasks")
ORDER = [
    *("ingest", "validate_raw", "prepare", "validate_prepared", "train", "score"),
    *("evaluate", "assess", "explain", "judge", "document"),
]


def module_of(stage: str) -> str:
    words = STAGES[stage]["cmd"].split()
    assert words[:2] == ["python", "-m"]
    return str(words[2])


def path_of(module: str) -> str:
    path = ROOT / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*ROOMS, cache_dir=None)


def closure(module: str, imports: grimp.ImportGraph) -> set[str]:
    """What runs when `module` is imported: what it imports, and each package on the way there."""
    found: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        found.add(name)
        parents = {name.rsplit(".", 1)[0]} if "." in name else set()
        waiting |= (parents | imports.find_modules_directly_imported_by(name)) - found
    return found


def only_this_boundary(stage: str, modules: set[str]) -> set[str]:
    """`tasks.validate` serves two boundaries; each stands on its own suite alone."""
    other = {"validate_raw": "expectations.prepared", "validate_prepared": "expectations.raw"}.get(stage)
    return modules - {other}


def test_the_stages_are_the_ones_the_design_names() -> None:
    assert list(STAGES) == ORDER


@pytest.mark.parametrize("stage", ORDER)
def test_every_first_party_module_a_stage_imports_is_declared(stage: str, imports: grimp.ImportGraph) -> None:
    module = module_of(stage)
    modules = only_this_boundary(stage, closure(module, imports))
    needed = {path_of(name) for name in modules}
    declared = {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")}
    assert declared == needed, f"{stage}: add {sorted(needed - declared)}, drop {sorted(declared - needed)}"


@pytest.mark.parametrize("stage", ORDER)
def test_every_stage_stands_on_the_locked_environment(stage: str) -> None:
    assert "requirements.lock" in STAGES[stage]["deps"]


@pytest.mark.parametrize("stage", ORDER)
def test_every_section_of_the_parameters_a_stage_reads_is_declared(stage: str) -> None:
    tree = ast.parse((ROOT / path_of(module_of(stage))).read_text())
    read = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "settings"
    }
    assert read == set(STAGES[stage].get("params", []))


def test_no_effect_is_a_stage() -> None:
    assert not {"snapshot", "track", "release", "compare"} & set(STAGES)
