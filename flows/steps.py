"""How a flow does one step: its lines into Prefect's log, its end into a state, another try where that helps.

Which steps there are, and what a run makes of their ends, is each flow's to say.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed
from prefect.tasks import Task, exponential_backoff

from clearance.errors import ClearanceError, ReleaseRefused, TransientError
from flows.runner import child_processes

UNAVAILABLE = "Unavailable"
"""The name of a failed state after which another try may help."""

REFUSED = "Not promoted"
"""The name of the failed state of a promotion that evidence, policy or people do not allow."""


def may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a step is worth another try: after a lock or a lost service, never after a refusal."""
    return state.name == UNAVAILABLE


step: Callable[[Callable[..., Any]], Task[..., Any]] = partial(
    task,
    task_run_name="{name}",
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    retry_jitter_factor=1,
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
)
"""Makes a task of a function whose argument `name` names the step."""


def attempt(do: Callable[[Callable[[str], None]], bool]) -> State[Any]:
    """Do a step: `do` is given what hears its lines, and returns whether it had to run."""
    try:
        ran = do(get_run_logger().info)
    except child_processes.RunEnded:
        return Failed(name="Interrupted", message="the run was ended")
    except TransientError as error:
        return Failed(name=UNAVAILABLE, message=str(error))
    except ReleaseRefused as error:
        return Failed(name=REFUSED, message=str(error))
    except ClearanceError as error:
        return Failed(message=str(error))
    return Completed() if ran else Completed(name="Cached", message="nothing it depends on has changed")
