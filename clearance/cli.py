"""The `clearance` command. Thin: each subcommand starts a step or prints what one has written.

The pipeline itself is started as a child, for this package never imports the rooms above it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from typing import NoReturn, ParamSpec

import click

from clearance import checkout, environment
from clearance.errors import ClearanceError, ExitCode

P = ParamSpec("P")


def _said(command: Callable[P, int]) -> Callable[P, NoReturn]:
    """End with the command's exit status; tell a fault in two lines, without a traceback."""

    @wraps(command)
    def run(*args: P.args, **options: P.kwargs) -> NoReturn:
        try:
            sys.exit(command(*args, **options))
        except ClearanceError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)

    return run


def _effect(name: str) -> int:
    """Run one step that touches the world, alone in its checkout; returns its exit status."""
    root = environment.project_root()
    environment.apply(root)
    with checkout.held(root):
        return subprocess.run([sys.executable, "-m", f"tasks.{name}"], cwd=root, check=False).returncode  # noqa: S603


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="clearance")
def main() -> None:
    """A governed machine-learning pipeline: no model ships without evidence."""


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@_said
def run(options: tuple[str, ...]) -> NoReturn:
    """Run the pipeline and release the model if the evidence allows (`clearance run --help`)."""
    root = environment.project_root()
    environment.apply(root)
    os.chdir(root)
    os.execv(sys.executable, [sys.executable, "-m", "flows.training", *options])  # noqa: S606 - our own module


@main.command()
@_said
def snapshot() -> int:
    """Keep a copy of a source that DVC cannot watch (a database, OpenML); others need none."""
    return _effect("snapshot")


@main.command()
@_said
def track() -> int:
    """Record the last run in MLflow, if it is not there yet."""
    return _effect("track")


@main.command()
@_said
def release() -> int:
    """Register the judged model, and make it the champion if evidence and policy allow."""
    return _effect("release")


@main.command()
@click.option(
    "--markdown", is_flag=True, help="As Markdown with a table of the findings, say for a CI summary."
)
@_said
def verdict(markdown: bool) -> int:
    """Print the last verdict; the exit status is the verdict's (0 pass, 3, 4, 5)."""
    from clearance.telling import summary

    judged = summary.read(environment.project_root())
    lines = [summary.title(judged), *(f"  {line}" for line in summary.reasons(judged))]
    click.echo(summary.markdown(judged) if markdown else "\n".join(lines), nl=not markdown)
    return summary.outcome(judged).exit_code


@main.command()
@_said
def repair() -> int:
    """Remove outputs and cached objects that are not what dvc.lock recorded; the next run rebuilds them."""
    from clearance import repair

    root = environment.project_root()
    environment.apply(root)
    with checkout.held(root):
        for path in repair.mend(root):
            click.echo(repair.sentence(path, root))
    return ExitCode.PASS
