"""The run in a terminal: options in; a line a step, the verdict and an exit status out.

It opens the run and starts Prefect's temporary server before it imports Prefect, so that the steps'
modules are imported meanwhile and a wrong parameter is told at once.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from clearance import environment, params
from clearance.cli import run_options
from clearance.errors import ClearanceError, ExitCode
from clearance.promotion import receipt
from clearance.reporting import summary
from flows import display, server
from flows.runner import overrides, run_context
from flows.runner.child_processes import ChildProcesses

if TYPE_CHECKING:
    from prefect import State


@run_options.command
def main(settings: tuple[str, ...], policy_file: str | None, force: bool, any_verdict: bool) -> None:
    """Run the pipeline in this terminal and exit with the status of its verdict."""
    screen = display.Display()
    struck = _listen()
    try:
        root = environment.project_root()
        environment.apply(root)
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")
        base = params.read_yaml(root / "params.yaml")
        changes = overrides.with_policy(overrides.check(overrides.from_settings(settings, base)), policy_file)
        with run_context.open_run(root, changes, screen.show, force=force) as run:
            with screen:
                state = _train(run, struck)
            code = _tell(screen, run, state)
    except ClearanceError as error:
        screen.fail(f"error: {error}")
        code = ExitCode.ERROR
    except KeyboardInterrupt:
        screen.fail("interrupted. Finished stages are kept; the next run resumes.")
        code = ExitCode.INTERRUPTED
    if any_verdict and code not in (ExitCode.ERROR, ExitCode.INTERRUPTED):
        code = ExitCode.PASS
    sys.exit(code)


def _listen() -> threading.Event:
    """Whether Ctrl-C was struck: remembered, for a library may swallow the exception while it is imported."""
    struck = threading.Event()

    def strike(*_: object) -> None:
        struck.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, strike)
    return struck


def _train(run: run_context.RunContext, struck: threading.Event) -> State[Any]:
    """Start Prefect's server; begin with the stages and import Prefect while it starts; run the flow."""
    keeper = ChildProcesses(run.root)
    atexit.register(keeper.close)  # Prefect's own threads have sent their last by then
    wait = server.start(keeper, run.root)
    if not run.needs_snapshot:
        run.start_early()
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows import training

    for logger in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(
            logger
        ).propagate = False  # the display says it; Prefect's API hears it all the same
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)  # it says that it is not done yet
    wait()
    _heed(struck)
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # its thread ends a second late
        state: State[Any] = training.training(
            overrides=run.settings.overrides, force=run.force, return_state=True
        )
    _heed(struck)
    return state


def _heed(struck: threading.Event) -> None:
    if struck.is_set():
        raise KeyboardInterrupt


def _tell(screen: display.Display, run: run_context.RunContext, state: State[Any]) -> ExitCode:
    """Say how the run ended and where to look next; return its exit status."""
    from flows import training

    if state.name not in training.JUDGED:
        screen.fail(f"\n{state.name}: {state.message}")
        return ExitCode.ERROR
    verdict = summary.read(run.folder)
    screen.say("")
    screen.say(summary.title(verdict), "bold green" if state.name == "Completed" else "bold yellow")
    uses = summary.test_uses(run.folder, verdict)
    beside = uses if run.effects_after else ["a what-if: nothing was registered or released"]
    for line in [*summary.reasons(verdict), *receipt.release_lines(run.folder), *beside]:
        screen.say(f"  {line}")
    screen.say(f"\nreport   {os.path.relpath(run.folder / summary.REPORT, run.root)}\nbrowse   make ui")
    return summary.outcome(verdict).exit_code
