"""`python -m flows.terminal`: the pipeline in a terminal, a line per step, the verdict, an exit status.

Prefect takes part only where a server of it is there to record the run: the one `PREFECT_API_URL` names, or
that of the project's `make ui`. Without one the same steps run in the same order, with the same retries.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clearance import environment, params, paths, run_lock
from clearance.cli import run_options
from clearance.documents.measurement import Outcome
from clearance.errors import ClearanceError, ExitCode
from clearance.promotion import receipt, unchanged
from clearance.reporting import attempt_notice, summary
from flows import display, prefect_api
from flows.runner import conclusion, execution, notifications, overrides, run_context
from flows.runner.conclusion import Conclusion


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
        if not (changes or force) and _is_unchanged(root):
            code = _tell_again(screen, root)
        else:
            code = _run(screen, root, changes, interrupted, force=force)
    except ClearanceError as error:
        screen.fail(f"error: {error}")
        code = ExitCode.ERROR
    except KeyboardInterrupt:
        screen.fail("interrupted. Finished stages are kept; the next run resumes.")
        code = ExitCode.INTERRUPTED
    if any_verdict and code not in (ExitCode.ERROR, ExitCode.INTERRUPTED):
        code = ExitCode.PASS
    sys.exit(code)


def _is_unchanged(root: Path) -> bool:
    """Whether a run would do nothing, while no other one works here."""
    with run_lock.hold(root):
        return unchanged.holds(root, _today(), os.environ)


def _tell_again(screen: display.Display, root: Path) -> ExitCode:
    """Show the last run's end without a run."""
    settings = params.load(root / paths.PARAMS)
    policy = settings.policy
    screen.say(
        f"{settings.name} under {policy.file} as of {policy.as_of}: nothing has changed since the last run. "
        "Every file was read again and is the one that was judged"
    )
    return _show_verdict(screen, root, root, [])


def _run(
    screen: display.Display,
    root: Path,
    changes: Mapping[str, Any],
    interrupted: threading.Event,
    *,
    force: bool,
) -> ExitCode:
    day, variables = _today(), dict(os.environ)
    with run_context.open_run(root, changes, screen.show, force=force) as run:
        policy = run.settings.policy
        screen.say(
            f"{run.settings.name} under {policy.file} as of {policy.as_of}; each step says when it ends"
        )
        with screen:
            end = _train(run, interrupted)
        code = _show_end(screen, run, end)
    if run.folder == root and code not in (ExitCode.ERROR, ExitCode.LAPSED):
        with run_lock.hold(root):
            unchanged.record(root, day, variables)
    return code


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


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


def _train(run: run_context.RunContext, interrupted: threading.Event) -> Conclusion:
    """Run all steps, as Prefect's flow where a server of it is there, and tell people of a bad end."""
    if address := prefect_api.find(run.root):
        os.environ["PREFECT_API_URL"] = address
        end = _train_with_prefect(run)
    else:
        faults = execution.execute(run)
        end = conclusion.without_verdict(faults) if faults else conclusion.conclude(run)
        _notify(run, end)
    _raise_if(interrupted)
    return end


def _train_with_prefect(run: run_context.RunContext) -> Conclusion:
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows import training

    for logger in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(logger).propagate = False  # the display shows it, and Prefect's API gets it anyway
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)  # it warns that it has not finished yet
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # its thread ends a second late
        state = training.training(overrides=run.settings.overrides, force=run.force, return_state=True)
    return Conclusion(name=str(state.name), message=state.message or "")


def _notify(run: run_context.RunContext, end: Conclusion) -> None:
    title = f"training {run.settings.name}: {end.name}"
    if not (end.completes or notifications.send(title, end.message)):
        logging.getLogger(__name__).warning("the notification could not be sent: %s", title)


def _raise_if(interrupted: threading.Event) -> None:
    if interrupted.is_set():
        raise KeyboardInterrupt


def _show_end(screen: display.Display, run: run_context.RunContext, end: Conclusion) -> ExitCode:
    """Show how the run ended and where to look next; return its exit status."""
    if not end.is_judged:
        screen.fail(f"\n{end.name}: {end.message}")
        return ExitCode.ERROR
    code = _show_verdict(screen, run.root, run.folder, [run.retention], what_if=not run.effects_after)
    return ExitCode.LAPSED if end.name == conclusion.LAPSED else code


def _show_verdict(
    screen: display.Display, root: Path, folder: Path, retention: Sequence[str], *, what_if: bool = False
) -> ExitCode:
    """Show the verdict of the run that worked in `folder`, and where to look next; return its exit status."""
    verdict = attempt_notice.read_verdict(folder)
    screen.say("")
    screen.say(summary.title(verdict), "bold green" if verdict.verdict == Outcome.PASS else "bold yellow")
    counts = summary.counts(folder, verdict)
    notes = ["a what-if: nothing was registered or released"] if what_if else counts
    judged = [*summary.reasons(verdict), *summary.choice(folder)]
    judged += [*summary.overrides(verdict), *summary.data_warnings(folder)]
    for line in [*judged, *receipt.release_lines(folder), *notes]:
        screen.say(f"  {line}")
    report = os.path.relpath(folder / summary.REPORT, root)
    pages = os.path.relpath(folder / paths.DATA_DOCS / "raw" / "index.html", root)
    data = [f"data     {pages}"] if (root / pages).exists() else []
    kept = [f"         {line}" for line in retention if line]
    for line in ("", f"report   {report}", *kept, *data, "browse   make ui"):
        screen.say(line)
    return verdict.verdict.exit_code


if __name__ == "__main__":
    main(prog_name="clearance run")
