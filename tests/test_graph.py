"""dvc.yaml keeps its promises: every stage declares the code, the lock and the parameters it stands on.

An import that a stage does not declare would keep an old result, and with it an old approval, after its
code changed.
"""

import ast
from itertools import chain
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml

from clearance import paths
from tools import code_deps

ROOT = Path(__file__).parent.parent
STAGES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
ORDER = [
    *("ingest", "validate_raw", "prepare", "validate_prepared", "train", "score"),
    *("evaluate", "assess", "explain", "reasons", "baseline", "judge", "card", "document"),
]


SETTINGS_GO_TO = {"judge": ["clearance.policy.project_verdict"]}
"""Modules that a stage hands all its settings to."""


def module_of(stage: str) -> str:
    words = STAGES[stage]["cmd"].split()
    assert words[:2] == ["python", "-m"]
    return str(words[2])


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return code_deps.import_graph()


def test_the_stages_are_the_ones_the_design_names() -> None:
    assert list(STAGES) == ORDER


@pytest.mark.parametrize("stage", ORDER)
def test_every_first_party_module_a_stage_imports_is_declared(stage: str, imports: grimp.ImportGraph) -> None:
    needed = set(code_deps.code_of(stage, STAGES[stage]["cmd"], imports, ROOT))
    declared = {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")}
    assert declared == needed, f"run `make deps`: {stage} adds {needed - declared}, drops {declared - needed}"


def test_the_code_dependencies_are_as_make_deps_writes_them(imports: grimp.ImportGraph) -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert code_deps.written(text, imports, ROOT) == text
    variant = text.replace("      - clearance/errors.py\n", "")
    assert variant != text
    assert code_deps.written(variant, imports, ROOT) == text


WORDED = {"validate_raw", "validate_prepared", "evaluate", "assess", "judge", "card", "document"}
"""The stages that write sentences."""

STALE = {
    "errors": set(ORDER),
    "paths": set(ORDER),
    "yaml": set(ORDER),
    "files": set(ORDER),
    "canonical_json": set(ORDER),
    "labels": set(ORDER) - {"ingest", "card"},
    "wording": WORDED,
    "foreign_text": set(ORDER),
    "database_urls": set(),
    "file_lock": {"ingest", "prepare", "train"},
    "in_toto": set(),
}
"""The stages that a change of a file on the ground floor makes stale (decision 0021)."""


@pytest.mark.parametrize("module", STALE)
def test_a_change_on_the_ground_floor_makes_these_stages_stale(
    module: str, imports: grimp.ImportGraph
) -> None:
    stale = {
        stage
        for stage in STAGES
        if f"clearance/{module}.py" in code_deps.code_of(stage, STAGES[stage]["cmd"], imports, ROOT)
    }
    assert stale == STALE[module]


@pytest.mark.parametrize("stage", ORDER)
def test_every_stage_stands_on_the_locked_environment(stage: str) -> None:
    assert "requirements.lock" in STAGES[stage]["deps"]


@pytest.mark.parametrize("stage", ORDER)
def test_a_stage_that_opens_models_stands_on_the_locks_of_the_optional_libraries(stage: str) -> None:
    dependencies = set(STAGES[stage]["deps"])
    opens_models = "clearance/models/model_file.py" in dependencies
    locks = set(map(str, paths.EXTRA_LOCKS.values()))
    assert locks & dependencies == (locks if opens_models else set())


@pytest.mark.parametrize("stage", ORDER)
def test_every_section_of_the_parameters_a_stage_reads_is_declared(stage: str) -> None:
    modules = [module_of(stage), *SETTINGS_GO_TO.get(stage, ())]
    code = [(ROOT / Path(*module.split(".")).with_suffix(".py")).read_text() for module in modules]
    read = {
        node.attr
        for node in chain.from_iterable(ast.walk(ast.parse(text)) for text in code)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "settings"
    }
    assert read == set(STAGES[stage].get("params", []))


def test_no_effect_is_a_stage() -> None:
    assert not {"snapshot", "track", "release", "compare"} & set(STAGES)
