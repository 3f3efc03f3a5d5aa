"""Tell Prefect that all agree to a version who must: `python -m flows.approval_event MODEL VERSION CONTENT`.

The event only says that it is time to look. What it says is believed by nobody, so one that is lost,
repeated or forged promotes nothing that may not be.
"""

from __future__ import annotations

import asyncio
import sys

from prefect.events import Event, Resource
from prefect.events.clients import get_events_client
from websockets.exceptions import WebSocketException

from clearance import stage
from clearance.errors import UnavailableError

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
        raise UnavailableError(f"could not notify Prefect ({error})", "check PREFECT_API_URL") from error


async def _emit(event: Event) -> None:
    async with get_events_client(reconnection_attempts=0) as events:
        await events.emit(event)


if __name__ == "__main__":
    stage.run(main)
