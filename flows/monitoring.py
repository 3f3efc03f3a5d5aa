"""The monitoring flow: count new decisions and judge every window that is over, once a day.

A window that nobody judged in time is judged in the next run. What follows from a look (alerts, incidents, a
retraining) is decided in `clearance.monitoring`, not here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import State, flow
from prefect.states import Completed, Failed

from clearance import isolation, paths
from clearance.errors import ExitCode
from clearance.versioning import dvc_repro
from flows import notifications, steps
from flows.runner import child_processes, commands
from flows.runner.child_processes import OnLine

COMMAND = "python -m tasks.watch"
ENDS = {
    ExitCode.PASS: "Completed",
    ExitCode.REFUSED: "Rule failed",
    ExitCode.INSUFFICIENT_EVIDENCE: "Insufficient evidence",
    ExitCode.NOT_EVALUATED: "Not evaluated",
}
"""The name of the state by the exit status of the worst look; only a failed rule makes it a failed state."""


@flow(name="monitoring", on_crashed=[notifications.send])
def monitoring() -> State[Any]:
    """Count new decisions, judge every window that is over, and do what the policy says of failed rules."""
    return steps.as_flow(lambda root: watch.submit("watch", root))


@steps.step
def watch(name: str, root: Path) -> State[Any]:
    """Run the effect; what it prints becomes the message, and the worst look the name of the state."""
    lines: list[str] = []
    status = 0

    def run(on_line: OnLine) -> bool:
        nonlocal status

        def record(line: str) -> None:
            lines.append(line)
            on_line(line)

        with child_processes.ChildProcesses(root) as children:
            status = commands.run(
                children,
                name,
                COMMAND,
                cwd=root,
                timeout=dvc_repro.TIMEOUT,
                log=root / paths.LOGS / f"{name}.log",
                on_line=record,
                env=isolation.effect_variables(signs=True),
                ends=frozenset(ENDS),
            )
        return True

    state = steps.run_step(run)
    if not state.is_completed():
        return state
    new_state = Failed if status == ExitCode.REFUSED else Completed
    return new_state(name=ENDS[ExitCode(status)], message="\n".join(lines))
