"""The alerts flow: sends what waits, repeats, escalates, and watches permissions and deadlines.

It judges nothing: looks do, in the monitoring flow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import State, flow

from clearance.monitoring import alerts as room
from flows import notifications, steps
from flows.runner.child_processes import OnLine


@flow(name="alerts", on_failure=[notifications.send], on_crashed=[notifications.send])
def alerts() -> State[Any]:
    """Attend to the alerts of the project once."""
    return steps.as_flow(lambda root: attend.submit("attend", root))


@steps.step
def attend(name: str, root: Path) -> State[Any]:
    """Do what waits; what cannot be done waits on, and is no fault of this run."""

    def run(on_line: OnLine) -> bool:
        reaction = room.attend(root)
        for line in reaction.lines() or [f"{name}: nothing to do"]:
            on_line(line)
        return True

    return steps.run_step(run)
