"""`python -m flows.monitoring_event MODEL EVENT INTENT RULE VERSION` tells Prefect of a failed rule.

EVENT is `failed`, or `retrain` where the rule asks for a new model. The event has an id made of the intent's,
so that one sent twice is one event; and the flow that it starts does its work once, whatever it is told.
"""

from __future__ import annotations

import asyncio
import sys
import uuid

from prefect.events import Event, Resource
from prefect.events.clients import get_events_client
from websockets.exceptions import WebSocketException

from clearance import stage
from flows import faults

NAMES = {"failed": "clearance.monitoring.failed", "retrain": "clearance.monitoring.retrain"}
_SPACE = uuid.UUID("5d0f9c7e-4b53-4a55-8ac1-6f2f1e0d3b11")


def main() -> None:
    """Emit the event. Raises UnavailableError when Prefect cannot be reached."""
    model, name, intent, rule, version = sys.argv[1:]
    made = event(model, name, intent, rule, int(version))
    try:
        asyncio.run(_emit(made))
    except (OSError, TimeoutError, WebSocketException) as error:
        raise faults.PREFECT_NOT_NOTIFIED(reason=error) from error


def event(model: str, name: str, intent: str, rule: str, version: int) -> Event:
    """The event; the same whenever it is made for the same intent, but for its time."""
    return Event(
        id=uuid.uuid5(_SPACE, f"{model} {intent}"),
        event=NAMES[name],
        resource=Resource(
            {"prefect.resource.id": f"clearance.model.{model}", "prefect.resource.name": model}
        ),
        payload={"model": model, "intent": intent, "rule": rule, "version": version},
    )


async def _emit(made: Event) -> None:
    async with get_events_client(reconnection_attempts=0) as events:
        await events.emit(made)


if __name__ == "__main__":
    stage.run(main, "MODEL EVENT INTENT RULE VERSION")
