"""Notifies people of a run that did not end well. Off until `CLEARANCE_NOTIFY_URL` holds an Apprise address.

Such an address stands for mail, a chat or a web hook (`json://host/path`). A notification that cannot be
sent is logged and changes nothing.
"""

from __future__ import annotations

import os
from typing import Any

from prefect import Flow, State
from prefect.client.schemas.objects import FlowRun
from prefect.logging import get_logger


def send(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """A flow's hook: send the name and the message of its end state."""
    url = os.environ.get("CLEARANCE_NOTIFY_URL")
    if not url:
        return
    import apprise  # which imports a hundred services

    title = f"{flow.name} {flow_run.name}: {state.name}"
    if not apprise.Apprise([url]).notify(title=title, body=state.message or title):
        get_logger(__name__).warning("the notification could not be sent: %s", title)
