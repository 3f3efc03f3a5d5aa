"""The promotion flow: a version that people agreed to becomes champion, on a worker that may promote.

An automation of `prefect.yaml` starts it when the last approval was recorded; so nobody's run waits for
people. It trusts none of its parameters: `clearance.promotion.promote` reads ledger, registry and
evidence itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import State, flow
from prefect.states import Completed, Failed

from clearance import environment, params
from clearance.errors import ClearanceError, ConfigurationError
from clearance.versioning import dvc_repro
from flows import notifications, steps
from flows.runner import child_processes, commands


@flow(name="promotion", on_failure=[notifications.send], on_crashed=[notifications.send])
def promotion(version: int, model: str | None = None) -> State[Any]:
    """Make a candidate the champion, if its evidence holds and all agree who must.

    Args:
        version: The candidate's number.
        model: Its registered name; a checkout promotes its own model alone. Without it, that one.
    """
    try:
        root = environment.project_root()
        environment.apply(root)
        _check(model, params.load(root / "params.yaml").name)
    except ClearanceError as error:
        return Failed(message=str(error))
    future = promote.submit("promote", root, version)
    future.wait()
    end = future.state
    make = Completed if end.is_completed() else Failed
    return make(name=end.name, message=end.message)


@steps.step
def promote(name: str, root: Path, version: int) -> State[Any]:
    """Run the effect; what it says is the message of a completed state."""
    lines: list[str] = []

    def run(on_line: child_processes.OnLine) -> bool:
        def take(line: str) -> None:
            lines.append(line)
            on_line(line)

        with child_processes.ChildProcesses(root) as started:
            commands.run(
                started,
                name,
                f"python -m tasks.promote {version}",
                cwd=root,
                timeout=dvc_repro.TIMEOUT,
                log=root / ".clearance" / "logs" / f"{name}.log",
                on_line=take,
                env={},
            )
        return True

    state = steps.attempt(run)
    return Completed(message="\n".join(lines)) if state.is_completed() else state


def _check(asked: str | None, own: str) -> None:
    """Raise ConfigurationError when another model is asked for than the checkout's."""
    if asked not in (None, own):
        raise ConfigurationError(
            f"this checkout promotes {own}, and was asked for {asked}",
            "start it on a worker in the project of that model",
        )
