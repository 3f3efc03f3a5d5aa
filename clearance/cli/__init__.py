"""The `clearance` command. Thin: each subcommand starts a step or prints what one has written.

The pipeline itself is started as a child, for this package never imports the rooms above it.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import NoReturn, ParamSpec

import click

from clearance import environment, run_lock
from clearance.errors import ClearanceError, ExitCode

P = ParamSpec("P")


def said(command: Callable[P, int]) -> Callable[P, NoReturn]:
    """End with the command's exit status; tell a fault in two lines, without a traceback."""

    @wraps(command)
    def run(*args: P.args, **options: P.kwargs) -> NoReturn:
        try:
            sys.exit(command(*args, **options))
        except ClearanceError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)

    return run


MOVED = {
    "decide": "clearance.promotion.decide",
    "rollback": "clearance.promotion.rollback",
    "verify": "clearance.promotion.verify",
    "erase": "clearance.promotion.erase",
    "collect": "clearance.promotion.needed_objects",
    "reproduce": "clearance.reproduction.reproduce",
}


def effect(name: str, *arguments: str, alone: bool = True) -> int:
    """Run one step that touches the world and return its exit status; `alone`: no other in this checkout."""
    root = environment.project_root()
    environment.apply(root)
    with run_lock.hold(root) if alone else nullcontext():
        step = [sys.executable, "-m", MOVED.get(name, f"tasks.{name}"), *arguments]
        return subprocess.run(step, cwd=root, check=False).returncode  # noqa: S603


def become(module: str, *arguments: str) -> NoReturn:
    """Go on as a module of the rooms above, in the project's folder: it gets the signals itself."""
    root = environment.project_root()
    environment.apply(root)
    os.chdir(root)
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - our own module


FILE = click.Path(path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="clearance")
def main() -> None:
    """A governed machine-learning pipeline: no model ships without evidence."""


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@said
def run(options: tuple[str, ...]) -> NoReturn:
    """Run the pipeline and release the model if the evidence allows (`clearance run --help`)."""
    become("flows.training", *options)


@main.command()
@said
def snapshot() -> int:
    """Keep a copy of a source that DVC cannot watch (a database, OpenML); others need none."""
    return effect("snapshot")


@main.command()
@said
def track() -> int:
    """Record the last run in MLflow, if it is not there yet."""
    return effect("track")


@main.command()
@said
def release() -> int:
    """Register the judged model, and make it the champion if evidence and policy allow."""
    return effect("release")


@main.command()
@click.option(
    "--markdown", is_flag=True, help="As Markdown with a table of the findings, say for a CI summary."
)
@said
def verdict(markdown: bool) -> int:
    """Print the last verdict; the exit status is the verdict's (0 pass, 3, 4, 5)."""
    from clearance.reporting import summary

    root = environment.project_root()
    judged = summary.read(root)
    lines = [*summary.reasons(judged), *summary.test_uses(root, judged)]
    plain = "\n".join([summary.title(judged), *(f"  {line}" for line in lines)])
    click.echo(summary.markdown(judged, root) if markdown else plain, nl=not markdown)
    return summary.outcome(judged).exit_code


@main.command()
@click.option("--policy", type=FILE, help="The policy to judge under; without it, the project's.")
@click.option("--as-of", type=DAY, help="The day its dated rules are read for; without it, the project's.")
@said
def judge(policy: Path | None, as_of: dt.datetime | None) -> int:
    """Judge the evidence at hand under another policy or day. Nothing is changed and nothing released."""
    root = environment.project_root()
    file = "" if policy is None else str(_within(policy, root))
    day = "" if as_of is None else as_of.date().isoformat()
    step = [sys.executable, "-m", "tasks.what_if", file, day]
    return subprocess.run(step, cwd=root, check=False).returncode  # noqa: S603


def _within(file: Path, root: Path) -> Path:
    """The file as the project knows it: relative to its folder where it lies inside."""
    path = file.resolve()
    return path.relative_to(root) if path.is_relative_to(root) else path


@main.group()
def policy() -> None:
    """Read policies: check one, explain a rule, print the schema for an editor."""


@policy.command()
@click.argument("file", type=FILE)
@click.option("--as-of", type=DAY, help="The day its dates are held against; without it, today.")
@said
def check(file: Path, as_of: dt.datetime | None) -> int:
    """Say whether FILE is a valid policy, and what in it is out of date or not yet in force."""
    from clearance.policy import policy_file
    from clearance.reporting import explain_rule

    read = policy_file.load(file)
    day = dt.datetime.now(dt.UTC).date() if as_of is None else as_of.date()
    click.echo(f"valid: policy {read.id}, version {read.version} ({read.title}), rules: {len(read.rules)}")
    for caution in explain_rule.cautions(read, day):
        click.echo(f"warning: {caution}")
    return ExitCode.PASS


@policy.command()
@click.argument("rule")
@click.option("--policy", "file", type=FILE, help="The policy that has the rule; without it, the project's.")
@said
def explain(rule: str, file: Path | None) -> int:
    """Say in plain words what RULE measures, its limit, how it decides, who says so and how sure that is."""
    from clearance import params
    from clearance.policy import policy_file
    from clearance.reporting import explain_rule

    if file is None:
        root = environment.project_root()
        file = root / params.load(root / "params.yaml").policy.file
    first, *rest = explain_rule.explain(policy_file.load(file), rule)
    click.echo("\n".join([first, *(f"  {line}" for line in rest)]))
    return ExitCode.PASS


@policy.command()
@said
def schema() -> int:
    """Print the JSON Schema of a policy file, for an editor."""
    from clearance.policy import schema as rules

    click.echo(rules.json_schema(), nl=False)
    return ExitCode.PASS


@main.command()
@said
def repair() -> int:
    """Remove outputs and cached objects that are not what dvc.lock recorded; the next run rebuilds them."""
    from clearance.versioning import repair

    root = environment.project_root()
    environment.apply(root)
    with run_lock.hold(root):
        for path in repair.repair_checkout(root):
            click.echo(repair.describe_removed(path, root))
    return ExitCode.PASS


from clearance.cli import governing, trust  # noqa: E402 - their commands join the group above

governing.join(main)
trust.join(main)
