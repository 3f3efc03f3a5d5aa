"""Commands that run the pipeline. Its steps belong to the project above this package and run as children."""

from __future__ import annotations

from typing import Any, NoReturn

import click

from clearance import run_lock
from clearance.cli import process, run_options


@run_options.command
@process.exit_with_status
def run(**_: Any) -> NoReturn:
    process.become_module(process.enter_project(), "flows.terminal", *run_options.words())


def _step(name: str) -> int:
    """Run one step outside the stages while no other command works in this checkout."""
    root = process.enter_project()
    with run_lock.hold(root):
        return process.run_module(root, f"tasks.{name}")


@click.command()
@process.exit_with_status
def snapshot() -> int:
    """Copy a source that DVC cannot watch.

    Sources of kind `sql` and `openml` need this before `dvc repro`; for all others it does nothing.
    """
    return _step("snapshot")


@click.command()
@process.exit_with_status
def track() -> int:
    """Record the last run in MLflow.

    Does nothing if the run is already recorded.
    """
    return _step("track")


@click.command()
@process.exit_with_status
def release() -> int:
    """Register the judged model and promote it if it may ship.

    The model becomes champion only if evidence, policy and approvals allow it. Exit status 0 whether it
    does or not, 6 if what allowed the champion has ended, 1 or 75 for a fault.
    """
    return _step("release")
