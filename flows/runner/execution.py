"""Runs the steps of an open run without Prefect: each as soon as those it needs have ended well.

The training flow does the same with Prefect's tasks. Both take the steps and their order from the run, which
reads them from `dvc.yaml`, and both try a step again where that may help.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from clearance.errors import ClearanceError, TransientError
from flows.runner import run_context
from flows.runner.child_processes import RunEnded
from flows.runner.run_context import RunContext

DELAYS = (2.0, 4.0, 8.0)
"""Seconds before each further try of a step, stretched at random by up to a factor of two."""


def execute(run: RunContext) -> list[str]:
    """Bring every stage up to date and do the effects; return what went wrong, a text for each failed step.

    A step whose needs failed is left out and adds no text.
    """
    if run.needs_snapshot and (faults := _execute(run, {run_context.SNAPSHOT: []})):  # DVC's graph reads it
        return faults
    return _execute(run, run.steps)


def _execute(run: RunContext, steps: dict[str, list[str]]) -> list[str]:
    """Run `steps`, in an order in which each stands behind those it needs."""
    ended = threading.Event()
    futures: dict[str, Future[str | None]] = {}
    with ThreadPoolExecutor(max_workers=len(steps)) as pool:
        try:
            for name, needs in steps.items():
                needed = [futures[earlier] for earlier in needs]
                futures[name] = pool.submit(_run_step, run, name, needed, ended)
            wait(futures.values())
        except BaseException:  # Ctrl-C: end the children, or their threads would wait for them
            ended.set()
            run.children.close()
            raise
    return [fault for future in futures.values() if (fault := future.result())]


def _run_step(
    run: RunContext, name: str, needed: Iterable[Future[str | None]], ended: threading.Event
) -> str | None:
    """The fault of one step: None if it ended well, empty if a step that it needs did not."""
    if any(future.result() is not None for future in needed):
        return ""
    run_one = run.run_effect if name in run_context.EFFECTS else run.run_stage
    try:
        _try_again(lambda: run_one(name, lambda _: None), ended)
    except RunEnded:
        return "the run was ended"
    except ClearanceError as error:
        return str(error)
    return None


def _try_again(attempt: Callable[[], object], ended: threading.Event) -> None:
    """Call `attempt` until it does not raise TransientError, at most once more than there are delays."""
    for delay in DELAYS:
        try:
            attempt()
        except TransientError:
            if ended.wait(delay * random.uniform(1, 2)):  # noqa: S311 - spreads tries, protects nothing
                raise
        else:
            return
    attempt()
