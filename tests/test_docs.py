"""What the guides say is what the code does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from clearance import environment
from clearance.params import Params

ROOT = Path(__file__).parent.parent


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, info in model.model_fields.items():
        inner = [
            kind
            for kind in (info.annotation, *get_args(info.annotation))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        if len(inner) == 1 and name not in {"time", "search", "threshold", "features", "source"}:
            yield from keys(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize("key", [key for key in keys(Params) if not key.endswith("columns")])
def test_the_configuration_guide_lists_every_key(key: str) -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    listed = set(re.findall(r"`([a-z_.]+)`", text))
    head, _, last = key.rpartition(".")
    assert key in listed or (f"`{head}." in text and last in listed), key


def test_the_readme_draws_the_graph_of_dvc_yaml() -> None:
    text = (ROOT / "README.md").read_text()
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]:
        assert re.search(rf"\b{stage}\b", text), stage


def test_every_make_target_the_guides_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for guide in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        named = set(re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", guide.read_text(), re.MULTILINE))
        assert {a or b for a, b in named} <= targets, guide


@pytest.mark.parametrize("file", [".github/workflows/pipeline.yml", ".gitlab-ci.yml"])
def test_ci_only_wraps_make_targets(file: str) -> None:
    text = (ROOT / file).read_text()
    assert "python -m tasks" not in text
    for target in ("lint", "test", "repro", "verdict", "release"):
        assert re.search(rf"make (--silent )?{target}\b", text), target


def test_no_file_names_a_registry_or_this_machine() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://|index-url|find-links", lock)
    assert "--hash=sha256:" in lock


def test_the_settings_that_silence_telemetry_are_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    for tool in ("Prefect", "MLflow", "DVC", "Great Expectations"):
        assert tool in text
    assert set(environment.homes(ROOT)) >= {"PREFECT_HOME", "MLFLOW_TRACKING_URI"}
