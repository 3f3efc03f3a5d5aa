"""How a command meets its process: the project folder, log lines, child processes and the exit status."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, ParamSpec

import click

from clearance import environment, foreign_text, isolation, stage
from clearance.errors import ClearanceError, ExitCode

if TYPE_CHECKING:
    from rich.table import Table

P = ParamSpec("P")

SIGNING = "tasks.release"
"""The module that signs what was judged; no other is given the key."""


def exit_with_status(command: Callable[P, int]) -> Callable[P, NoReturn]:
    """The command as click calls it: the process ends with the exit status that `command` returns.

    A ClearanceError is printed with its hint, without a traceback; so is what the operating system refuses
    (see `files.system_fault`). Any other exception is a defect and keeps its traceback.
    """

    @wraps(command)
    def run(*args: P.args, **options: P.kwargs) -> NoReturn:
        try:
            with _log_on_stderr():
                status = command(*args, **options)
        except (ClearanceError, OSError) as error:
            fault = stage.fault_of(error)
            if fault is None:
                raise
            _write(f"error: {fault}", err=True)
            raise SystemExit(fault.exit_code) from error
        except KeyboardInterrupt:
            status = ExitCode.INTERRUPTED
        sys.exit(status)

    return run


def echo(line: object, *, err: bool = False) -> None:
    """Print one line. Whatever stands in it is inert and shows no credential: every command prints here."""
    click.echo(foreign_text.inert(foreign_text.without_credentials(str(line))), err=err)


def echo_lines(text: object, *, err: bool = False) -> None:
    """Print several lines, those after the first indented: none of them can pass for a line of its own."""
    _write(str(text), err=err)


def write_json(document: object) -> None:
    """Print one JSON document, for a program to read."""
    write_record(json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False))


def echo_text(text: str) -> None:
    """Print a text of our own with several lines, each of them as by `echo`."""
    click.echo("\n".join(map(foreign_text.inert, text.split("\n"))), nl=False)


def show_table(table: Table) -> None:
    """Print a table as wide as the terminal; its cells must be inert."""
    from rich.console import Console

    Console().print(table)


def write_record(line: str) -> None:
    """Write a line of a machine's format as it is; to a terminal, inert."""
    click.echo(foreign_text.inert(line, keep="\n") if sys.stdout.isatty() else line)


def _write(text: str, *, err: bool) -> None:
    click.echo(foreign_text.inert_lines(foreign_text.without_credentials(text)), err=err)


class _Stderr(logging.Handler):
    """Writes the bare message to the standard error stream of the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        _write(self.format(record), err=True)


@contextmanager
def _log_on_stderr() -> Iterator[None]:
    """Show what Clearance logs, and the warnings of other packages, while a command runs."""
    handler, ours = _Stderr(), logging.getLogger("clearance")
    root, level = logging.getLogger(), ours.level
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(level)
        root.removeHandler(handler)


def enter_project() -> Path:
    """The folder of the project around the working folder, with the defaults of its tools set.

    Call it before MLflow, DVC or any other of the tools is imported. Raises ConfigurationError outside a
    project.
    """
    root = environment.project_root()
    environment.apply(root)
    return root


def run_module(root: Path, module: str, *arguments: str) -> int:
    """Run a module of the project as a child process in its folder; returns the exit status."""
    command = isolation.command("-m", module, *arguments)
    variables = isolation.effect_variables(signs=module == SIGNING)
    return subprocess.run(command, cwd=root, env=variables, check=False).returncode  # noqa: S603


def become_module(root: Path, module: str, *arguments: str) -> NoReturn:
    """Replace this process by a module of the project, which then receives the signals itself."""
    os.chdir(root)
    variables = isolation.effect_variables(signs=True)  # it passes the key on to the effect that signs
    os.execve(sys.executable, isolation.command("-m", module, *arguments), variables)  # noqa: S606
