"""Commands that start a project and say where it stands. None of them judges a model."""

from __future__ import annotations

from pathlib import Path

import click

from clearance import wording
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
    from clearance import library

    problems, left = library.check(Path.cwd()), library.left_to_run(Path.cwd())
    errors = sum(problem.blocks for problem in problems)
    if as_json:
        listed = [problem.to_json() for problem in problems]
        process.write_json({"ready": not errors, "problems": listed, "left_to_run": left})
        return ExitCode.ERROR if errors else ExitCode.PASS
    for problem in problems:
        process.echo_lines(problem)
    warnings = len(problems) - errors
    counts = f"{wording.counted(errors, 'error')}, {wording.counted(warnings, 'warning')}"
    if not problems:
        process.echo("; ".join(["ready: settings, policy and table fit together", *left]))
    elif errors:
        process.echo(f"NOT READY: {counts}")
    else:
        process.echo("; ".join([f"ready: {counts}", *left]))
    return ExitCode.ERROR if errors else ExitCode.PASS


@click.command()
@options.as_json
@process.exit_with_status
def status(as_json: bool) -> int:
    """Show where the project stands.

    Its last verdict and whether it holds for these files, its champion, what waits for whom, and what to do
    next. Exit status 0 whatever it is.
    """
    from clearance import library

    project = library.status(Path.cwd())
    if as_json:
        process.write_json(project.to_json())
    else:
        for line in project.lines():
            process.echo(line)
    return ExitCode.PASS


@click.command("list")
@options.as_json
@process.exit_with_status
def list_(as_json: bool) -> int:
    """List the candidates with their verdicts.

    The newest comes last. `clearance verify VERSION` checks one.
    """
    from clearance import library

    candidates = library.candidates(Path.cwd())
    if as_json:
        process.write_json([candidate.to_json() for candidate in candidates])
    else:
        for candidate in candidates:
            process.echo(candidate)
        if not candidates:
            process.echo("no candidate has been registered yet")
    return ExitCode.PASS
