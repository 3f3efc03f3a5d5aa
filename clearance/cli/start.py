"""Commands that start a project and say where it stands. None of them judges a model."""

from __future__ import annotations

import click

from clearance import environment
from clearance.cli import options, process
from clearance.errors import ExitCode


@click.command()
@options.as_json
@process.exit_with_status
def check(as_json: bool) -> int:
    """Find mistakes before a run, all at once.

    Compares params.yaml, the policy and the columns of the table. Runs no stage and changes nothing. `run`
    does the same first. Exit status 1 if a run could not begin.
    """
    from clearance.preflight import check as preflight

    problems = preflight.check(environment.project_root())
    errors = sum(problem.blocks for problem in problems)
    if as_json:
        process.write_json({"ready": not errors, "problems": [problem.to_json() for problem in problems]})
        return ExitCode.ERROR if errors else ExitCode.PASS
    for problem in problems:
        process.echo_lines(problem)
    warnings = len(problems) - errors
    counts = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
    if not problems:
        process.echo("ready: settings, policy and table fit together")
    else:
        process.echo(f"{'NOT READY' if errors else 'ready'}: {counts}")
    return ExitCode.ERROR if errors else ExitCode.PASS


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
