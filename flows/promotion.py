"""The promotion flow: an approved version becomes champion, on a worker that may promote.

An automation of `prefect.yaml` starts it when the last approval is recorded, so that no run has to wait for
people. It trusts none of its parameters: `clearance.promotion.promote` reads ledger, registry and evidence
itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import State, flow
from prefect.states import Completed, Failed

from clearance import environment, isolation, params, paths
from clearance.errors import ClearanceError
from clearance.versioning import dvc_repro
from flows import faults, notifications, steps
from flows.runner import child_processes, commands
from flows.runner.child_processes import OnLine


@flow(name="promotion", on_failure=[notifications.send], on_crashed=[notifications.send])
def promotion(version: int, model: str | None = None) -> State[Any]:
    """Make a candidate the champion, if its evidence holds and it has every approval it needs.

    Args:
        version: The candidate's number.
        model: Its registered name, by default the checkout's own model, the only one it promotes.
    """
    try:
        root = environment.project_root()
        environment.apply(root)
        _check(model, params.load(root / paths.PARAMS).name)
    except ClearanceError as error:
        return Failed(message=str(error))
    future = promote.submit("promote", root, version)
    future.wait()
    state = future.state
    new_state = Completed if state.is_completed() else Failed
    return new_state(name=state.name, message=state.message)


@steps.step
def promote(name: str, root: Path, version: int) -> State[Any]:
    """Run the effect; what it prints becomes the message of a completed state."""
    lines: list[str] = []

    def run(on_line: OnLine) -> bool:
        def record(line: str) -> None:
            lines.append(line)
            on_line(line)

        with child_processes.ChildProcesses(root) as children:
            commands.run(
                children,
                name,
                f"python -m tasks.promote {version}",
                cwd=root,
                timeout=dvc_repro.TIMEOUT,
                log=root / paths.LOGS / f"{name}.log",
                on_line=record,
                env=isolation.effect_variables(signs=True),
            )
        return True

    state = steps.run_step(run)
    return Completed(message="\n".join(lines)) if state.is_completed() else state


def _check(model: str | None, own: str) -> None:
    """Raise ConfigurationError when `model` is not the checkout's own."""
    if model not in (None, own):
        raise faults.ANOTHER_MODEL(own=own, model=model)
