"""`python -m flows.terminal`: the training flow in a terminal, a line per step, the verdict, an exit status.

It opens the run and starts Prefect's temporary server before it imports Prefect. The steps' modules are
imported meanwhile, and a wrong parameter is reported at once.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from clearance import environment, params, paths
from clearance.cli import run_options
from clearance.errors import ClearanceError, ExitCode
from clearance.promotion import receipt
from clearance.reporting import attempt_notice, summary
from flows import display, prefect_server
from flows.runner import overrides, run_context, workspace
from flows.runner.child_processes import ChildProcesses

if TYPE_CHECKING:
    from prefect import State


@run_options.command
def main(settings: tuple[str, ...], policy_file: str | None, force: bool, any_verdict: bool) -> None:
    """Run the pipeline in this terminal and exit with the status of its verdict."""
    screen = display.Display()
    interrupted = _catch_interrupts()
    try:
        root = environment.project_root()
        environment.apply(root)
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")
        base = params.read_yaml(root / paths.PARAMS)
        changes = overrides.with_policy(overrides.check(overrides.from_settings(settings, base)), policy_file)
        with run_context.open_run(root, changes, screen.show, force=force) as run:
            policy = run.settings.policy
            screen.say(
                f"{run.settings.name} under {policy.file} as of {policy.as_of}; each step says when it ends"
            )
            with screen:
                state = _train(run, interrupted)
            code = _show_end(screen, run, state)
    except ClearanceError as error:
        screen.fail(f"error: {error}")
        code = ExitCode.ERROR
    except KeyboardInterrupt:
        screen.fail("interrupted. Finished stages are kept; the next run resumes.")
        code = ExitCode.INTERRUPTED
    if any_verdict and code not in (ExitCode.ERROR, ExitCode.INTERRUPTED):
        code = ExitCode.PASS
    sys.exit(code)


def _catch_interrupts() -> threading.Event:
    """An event that Ctrl-C sets: a library may swallow the exception while it is imported.

    Where Python itself must swallow it, in a destructor or a callback from C, it would print a traceback.
    """
    interrupted = threading.Event()
    show = sys.unraisablehook

    def interrupt(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    def ignore_interrupts(swallowed: sys.UnraisableHookArgs) -> None:
        if swallowed.exc_type is not KeyboardInterrupt:
            show(swallowed)

    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = ignore_interrupts
    return interrupted


def _train(run: run_context.RunContext, interrupted: threading.Event) -> State[Any]:
    """Start Prefect's server; begin with the stages and import Prefect while it starts; run the flow."""
    children = ChildProcesses(run.root)
    atexit.register(children.close)  # Prefect's own threads have sent their last by then
    wait = prefect_server.start(children, run.root)
    if not run.needs_snapshot:
        run.start_early()
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows import training

    for logger in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(logger).propagate = False  # the display shows it, and Prefect's API gets it anyway
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)  # it warns that it has not finished yet
    wait()
    _raise_if(interrupted)
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # its thread ends a second late
        state: State[Any] = training.training(
            overrides=run.settings.overrides, force=run.force, return_state=True
        )
    _raise_if(interrupted)
    return state


def _raise_if(interrupted: threading.Event) -> None:
    if interrupted.is_set():
        raise KeyboardInterrupt


def _show_end(screen: display.Display, run: run_context.RunContext, state: State[Any]) -> ExitCode:
    """Show how the run ended and where to look next; return its exit status."""
    from flows import training

    if state.name not in training.JUDGED:
        screen.fail(f"\n{state.name}: {state.message}")
        return ExitCode.ERROR
    verdict = attempt_notice.read_verdict(run.folder)
    screen.say("")
    screen.say(summary.title(verdict), "bold green" if state.name == "Completed" else "bold yellow")
    counts = summary.counts(run.folder, verdict)
    notes = counts if run.effects_after else ["a what-if: nothing was registered or released"]
    judged = [*summary.reasons(verdict), *summary.overrides(verdict), *summary.data_warnings(run.folder)]
    for line in [*judged, *receipt.release_lines(run.folder), *notes]:
        screen.say(f"  {line}")
    report = os.path.relpath(run.folder / summary.REPORT, run.root)
    pages = os.path.relpath(run.folder / paths.DATA_DOCS / "raw" / "index.html", run.root)
    data = [f"data     {pages}"] if (run.root / pages).exists() else []
    for line in ("", f"report   {report}", *_retention(run), *data, "browse   make ui"):
        screen.say(line)
    return ExitCode.LAPSED if state.name == training.LAPSED else verdict.verdict.exit_code


def _retention(run: run_context.RunContext) -> list[str]:
    """How long the report of a run with overrides stays where it is, and where it stays for good."""
    if run.folder == run.root:
        return []
    runs = f"the last {workspace.MAX_WORKSPACES} runs with overrides"
    if not run.effects_after:
        return [f"         kept for {runs} only: a what-if is not tracked, so copy what you need"]
    experiment = run.settings.experiment
    return [f"         kept here for {runs}; MLflow keeps it for good: experiment {experiment}"]


if __name__ == "__main__":
    main(prog_name="clearance run")
