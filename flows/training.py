"""The training flow, `flows.training.training` for Prefect; `flows.terminal` runs it in a terminal.

It gives the stages of `dvc.yaml` what DVC does not: retries, parallel stages, states, logs and
notifications. DVC decides which stages there are, and in what order.
"""

from __future__ import annotations

import datetime as dt
import textwrap
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from clearance import environment, foreign_text, params, paths
from clearance.errors import ClearanceError
from clearance.reporting import attempt_notice, summary
from flows import crash_marker, notifications, steps
from flows.runner import conclusion, run_context
from flows.runner import overrides as run_overrides

if TYPE_CHECKING:
    from pydantic import BaseModel as Overrides
else:
    from flows.runner.overrides import Overrides

NOTHING = Overrides()
_LONGEST_NAME = 120

Futures = dict[str, PrefectFuture[Any]]


def run_name() -> str:
    """The name of the run in Prefect: the model, and what the run changes.

    What is wrong with the parameters or the project is left to the run itself to say.
    """
    given = flow_run.parameters
    try:
        model = params.read_yaml(environment.project_root() / paths.PARAMS).get("name")
        changes = run_overrides.check(given.get("overrides") or {})
    except ClearanceError:
        return "training"
    policy, force = given.get("policy_file"), given.get("force")
    parts = [
        *(f"{key}={value}" for key, value in run_overrides.leaves(changes)),
        *([f"what-if under {policy}"] if policy else []),
        *(["every stage again"] if force else []),
    ]
    text = f"{model}: {', '.join(parts) or 'as in params.yaml'}"
    return foreign_text.inert(textwrap.shorten(text, _LONGEST_NAME))


@flow(
    name="training",
    flow_run_name=run_name,
    task_runner=ThreadPoolTaskRunner(),  # type: ignore[arg-type]  # TaskRunner is invariant in its futures
    on_failure=[notifications.send],
    on_crashed=[notifications.send],
)
def training(
    overrides: Overrides = NOTHING, policy_file: str | None = None, force: bool = False
) -> State[Any]:
    """Run every stage that is due, judge the model, and release it if evidence and policy allow.

    Args:
        overrides: Changes to params.yaml for this run, which then works in a copy of the project.
        policy_file: Judge under this policy instead, as a what-if: nothing is registered or released.
        force: Run every stage, even if nothing changed.
    """
    changes = run_overrides.with_policy(run_overrides.plain(overrides), policy_file)
    try:
        with (
            run_context.open_run(
                environment.project_root(), changes, force=force, nominal_start=_scheduled_start()
            ) as run,
            crash_marker.marker(run.root, UUID(flow_run.id)),
        ):
            futures = _submit(run)
            told = len(run.notes)
            faults = [
                future.state.message for future in _unfinished(futures) if future.state.name != "NotReady"
            ]
            end = Failed(message="\n".join(map(str, faults))) if faults else _conclude(run)
        for note in run.notes[told:]:  # lineage is sent when everything else is over
            get_run_logger().warning(note)
        return end
    except ClearanceError as error:
        return Failed(message=str(error))


def _scheduled_start() -> dt.datetime | None:
    """When a schedule meant this run to start; None for a run that somebody asked for."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return run.expected_start_time if run is not None and run.auto_scheduled else None


@steps.step
def stage(name: str) -> State[Any]:
    """Bring one stage of dvc.yaml up to date."""
    return steps.run_step(lambda on_line: run_context.current().run_stage(name, on_line))


@steps.step
def effect(name: str) -> State[Any]:
    """Do one step that touches the world."""
    return steps.run_step(lambda on_line: run_context.current().run_effect(name, on_line))


def _submit(run: run_context.RunContext) -> Futures:
    """Submit every step; each waits for the ones it needs."""
    futures: Futures = {}
    if run.needs_snapshot:  # DVC reads the snapshot when it reads the graph
        futures[run_context.SNAPSHOT] = effect.submit(run_context.SNAPSHOT)
        if _unfinished(futures):
            return futures
    steps = run.steps
    for note in run.notes:
        get_run_logger().warning(note)
    for name, needs in steps.items():
        needed = [futures[earlier] for earlier in needs]
        futures[name] = (effect if name in run_context.EFFECTS else stage).submit(name, wait_for=needed)
    return futures


def _unfinished(futures: Futures) -> list[PrefectFuture[Any]]:
    """Wait for all; return those that did not complete."""
    for future in futures.values():
        future.wait()
    return [future for future in futures.values() if not future.state.is_completed()]


def _conclude(run: run_context.RunContext) -> State[Any]:
    """The verdict as the run's end state, and as an artifact."""
    verdict = attempt_notice.read_verdict(run.folder)
    counted_in = run.folder if run.effects_after else None
    create_markdown_artifact(
        key="verdict",
        markdown=summary.markdown(verdict, counted_in)
        + f"\nReport: `{run.folder / summary.REPORT}`\n{run.retention}\n",
    )
    end = conclusion.conclude(run)
    return (Completed if end.completes else Failed)(name=end.name, message=end.message)


if __name__ == "__main__":
    raise SystemExit("start a run with `clearance run` or `python -m flows.terminal`")
