"""The retraining flow: the pipeline runs once for an alert that asks for a new model, and judges as always.

An automation of `prefect.yaml` starts it. It trusts no parameter: the monitoring store says which retrainings
wait, and one that is done is not done again. It promotes nothing that gate and approvals do not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import State, flow
from prefect.futures import PrefectFuture

from clearance import params, paths
from clearance.monitoring import alerts
from flows import faults, notifications, steps
from flows.runner.child_processes import OnLine


@flow(name="retraining", on_failure=[notifications.send], on_crashed=[notifications.send])
def retraining(intent: str, model: str | None = None) -> State[Any]:
    """Run the pipeline for a retraining that waits.

    Args:
        intent: The id of the retraining in the monitoring store.
        model: The registered name, by default the checkout's own model, the only one it trains.
    """

    def submit(root: Path) -> PrefectFuture[Any]:
        own = params.load(root / paths.PARAMS).name
        if model not in (None, own):
            raise faults.ANOTHER_MODEL(own=own, model=model)
        return retrain.submit("retrain", root, intent)

    return steps.as_flow(submit)


@steps.step
def retrain(name: str, root: Path, intent: str) -> State[Any]:
    """Run the pipeline, unless this retraining is done."""

    def run(on_line: OnLine) -> bool:
        on_line(f"{name}: {alerts.retrain(root, intent)}")
        return True

    return steps.run_step(run)
