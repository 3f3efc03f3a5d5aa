"""What the guides say is what the code does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest
import yaml
from pydantic import BaseModel

from clearance import cli, environment
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
    names = set(re.findall(r"`([a-z_.]+)`", text))
    head, _, last = key.rpartition(".")
    assert key in names or (f"`{head}." in text and last in names), key


def test_the_readme_draws_the_graph_of_dvc_yaml() -> None:
    text = (ROOT / "README.md").read_text()
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]:
        assert re.search(rf"\b{stage}\b", text), stage


def test_every_make_target_the_guides_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for guide in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        mentions = set(re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", guide.read_text(), re.MULTILINE))
        assert {a or b for a, b in mentions} <= targets, guide


@pytest.mark.parametrize("file", [".github/workflows/pipeline.yml", ".gitlab-ci.yml"])
def test_ci_only_wraps_make_targets(file: str) -> None:
    text = (ROOT / file).read_text()
    assert "python -m tasks" not in text
    for target in ("lint", "test", "repro", "run", "verdict"):
        assert re.search(rf"make (--silent )?{target}\b", text), target


def test_no_file_names_a_registry_or_this_machine() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://|index-url|find-links", lock)
    assert "--hash=sha256:" in lock


def test_the_settings_that_silence_telemetry_are_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    for tool in ("Prefect", "MLflow", "DVC", "Great Expectations"):
        assert tool in text
    assert set(environment.tool_locations(ROOT)) >= {"PREFECT_HOME", "MLFLOW_TRACKING_URI"}


def commands(text: str) -> set[tuple[str, ...]]:
    """Every `clearance …` that a guide shows, in a block or in a line, as its words."""
    matches = re.findall(r"^\s*(?:\$ )?clearance ([a-z].*)$|`clearance ([a-z][^`]*)`", text, re.MULTILINE)
    return {tuple((block or inline).split("  ")[0].split()) for block, inline in matches}


def fault(words: tuple[str, ...]) -> str | None:
    """What the command line does not know of it."""
    command: click.Command = cli.main
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        if (subcommand := command.commands.get(rest[0])) is None:
            return f"no command {rest[0]}"
        command, rest = subcommand, rest[1:]
    options = {name for parameter in command.params for name in parameter.opts} | {"-h", "--help"}
    return next((word for word in rest if word.startswith("--") and word not in options), None)


def lacking(words: tuple[str, ...]) -> str | None:
    """The option that a command with arguments must have, and lacks."""
    command: click.Command = cli.main
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        command, rest = command.commands[rest[0]], rest[1:]
    required = {parameter.opts[0] for parameter in command.params if parameter.required} if rest else set()
    return next((name for name in required if name.startswith("--") and name not in rest), None)


@pytest.mark.parametrize("guide", sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")))
def test_every_command_a_guide_shows_exists_with_its_options(guide: str) -> None:
    assert {words: fault(words) for words in commands((ROOT / guide).read_text()) if fault(words)} == {}


def test_every_command_the_readme_shows_exists_and_the_guide_shows_every_one_that_decides() -> None:
    assert {words: fault(words) for words in commands((ROOT / "README.md").read_text()) if fault(words)} == {}
    guide = (ROOT / "docs/governance.md").read_text()
    subcommands = {words[0] for words in commands(guide)}
    assert subcommands >= {"approve", "reject", "revoke", "override", "promote", "rollback", "retire"}
    assert subcommands >= {"verify", "history", "reproduce", "gc", "keys", "roles"}


def test_every_command_with_arguments_that_the_readme_or_a_guide_shows_has_the_options_it_needs() -> None:
    """Hints in the reference of errors name a command in passing, and drawings are no commands."""
    guides = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    shown = {words for guide in guides if guide.name != "errors.md" for words in commands(guide.read_text())}
    assert {words: lacking(words) for words in shown if "─" not in words and lacking(words)} == {}


def test_the_guide_names_the_automation_and_deployment_of_prefect_yaml() -> None:
    guide = (ROOT / "docs/governance.md").read_text()
    (promotion,) = [
        deployment
        for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
        if deployment.get("triggers") and deployment["name"] == "promotion"
    ]
    assert f"`{promotion['name']}`" in guide
    assert f"`{promotion['triggers'][0]['name']}`" in guide


@pytest.mark.parametrize("file", sorted(path.name for path in (ROOT / ".github/workflows").glob("*.yml")))
def test_workflows_fetch_the_whole_history(file: str) -> None:
    """A shallow clone hides authors; a release there is refused."""
    jobs = yaml.safe_load((ROOT / ".github/workflows" / file).read_text())["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"] if "checkout@" in step.get("uses", "")]
    assert steps and all(step["with"]["fetch-depth"] == 0 for step in steps)
    assert yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())["variables"]["GIT_DEPTH"] == "0"
