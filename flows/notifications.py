"""The hook of both flows that notifies people of a run that did not end well.

A notification that cannot be sent is logged and changes nothing.
"""

from __future__ import annotations

from typing import Any

from prefect import Flow, State
from prefect.client.schemas.objects import FlowRun
from prefect.logging import get_logger

from flows.runner import notifications


def send(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """A flow's hook: send the name and the message of its end state."""
    title = f"{flow.name} {flow_run.name}: {state.name}"
    if not notifications.send(title, state.message or ""):
        get_logger(__name__).warning("the notification could not be sent: %s", title)
