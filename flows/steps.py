"""How a flow does one step: its lines go to Prefect's log, its end becomes a state, some ends are retried.

Each flow decides which steps there are and what their ends mean for the run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed
from prefect.tasks import Task, exponential_backoff

from clearance import environment
from clearance.errors import ClearanceError, ReleaseRefused, TransientError
from flows.runner.child_processes import OnLine, RunEnded

UNAVAILABLE = "Unavailable"
"""The name of a failed state after which a retry may help."""

REFUSED = "Not promoted"
"""The name of the failed state of a promotion that evidence, policy or people do not allow."""


def is_worth_a_retry(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a step is worth a retry: after a lock or a lost service, never after a refusal."""
    return state.name == UNAVAILABLE


step: Callable[[Callable[..., Any]], Task[..., Any]] = partial(
    task,
    task_run_name="{name}",
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    retry_jitter_factor=1,
    retry_condition_fn=is_worth_a_retry,
    cache_policy=NO_CACHE,
)
"""Decorator that makes a task of a function whose argument `name` names the step."""


def as_flow(submit: Callable[[Path], PrefectFuture[Any]]) -> State[Any]:
    """The end of a flow of one step, which `submit` starts in the project's folder: that of the step."""
    try:
        root = environment.project_root()
        environment.apply(root)
        future = submit(root)
    except ClearanceError as error:
        return Failed(message=str(error))
    future.wait()
    state = future.state
    return (Completed if state.is_completed() else Failed)(name=state.name, message=state.message)


def run_step(run: Callable[[OnLine], bool]) -> State[Any]:
    """Do a step: `run` gets the receiver of its lines, and returns whether it had to run."""
    try:
        ran = run(get_run_logger().info)
    except RunEnded:
        return Failed(name="Interrupted", message="the run was ended")
    except TransientError as error:
        return Failed(name=UNAVAILABLE, message=str(error))
    except ReleaseRefused as error:
        return Failed(name=REFUSED, message=str(error))
    except ClearanceError as error:
        return Failed(message=str(error))
    return Completed() if ran else Completed(name="Cached", message="nothing it depends on has changed")
