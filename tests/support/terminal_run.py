"""`clearance run` in this process: what it prints and its exit status, without a second import."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from flows import terminal
from tests.support.projects import Done, Project

LOGGERS = ("prefect.flow_runs", "prefect.task_runs")


def run(folder: Path, variables: dict[str, str], *options: str) -> CompletedProcess[str]:
    """Run the pipeline in `folder`, with exactly `variables` as its environment.

    Everything that the run changes in this process is put back.
    """
    out, err = io.StringIO(), io.StringIO()
    environment, handler = dict(os.environ), signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:
        for logger in map(logging.getLogger, LOGGERS):
            patch.setattr(logger, "propagate", logger.propagate)
        events = logging.getLogger("EventsWorker")
        patch.setattr(events, "level", events.level)
        patch.setattr(sys, "unraisablehook", sys.unraisablehook)
        patch.chdir(folder)
        os.environ.clear()
        os.environ.update(variables)
        try:
            with (
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
                pytest.raises(SystemExit) as end,
            ):
                terminal.main(list(options), standalone_mode=False)
        finally:
            os.environ.clear()
            os.environ.update(environment)
            signal.signal(signal.SIGINT, handler)
    return CompletedProcess(options, int(end.value.code or 0), out.getvalue(), err.getvalue())


def in_project(project: Project, *options: str) -> Done:
    """What `project.run("clearance", "run", *options)` gives, but for the guard on this process itself."""
    result = run(project.root, project.environment(), *options)
    return Done(result.returncode, result.stdout + result.stderr)
