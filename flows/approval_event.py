"""`python -m flows.approval_event MODEL VERSION CONTENT` notifies Prefect that a version is fully approved.

The event only says that it is time to look. Nothing trusts its content, so an event that is lost, repeated
or forged promotes nothing that may not be promoted.
"""

from __future__ import annotations

import asyncio
import sys

from prefect.events import Event, Resource
from prefect.events.clients import get_events_client
from websockets.exceptions import WebSocketException

from clearance import stage
from flows import faults

EVENT = "clearance.approval.complete"


def main() -> None:
    """Emit the event. Raises UnavailableError when Prefect cannot be reached."""
    model, version, content = sys.argv[1:]
    event = Event(
        event=EVENT,
        resource=Resource(
            {"prefect.resource.id": f"clearance.model.{model}", "prefect.resource.name": model}
        ),
        payload={"model": model, "version": int(version), "content": content},
    )
    try:
        asyncio.run(_emit(event))
    except (OSError, TimeoutError, WebSocketException) as error:
        raise faults.PREFECT_NOT_NOTIFIED(reason=error) from error


async def _emit(event: Event) -> None:
    async with get_events_client(reconnection_attempts=0) as events:
        await events.emit(event)


if __name__ == "__main__":
    stage.run(main, "MODEL VERSION CONTENT")
