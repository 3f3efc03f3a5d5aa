"""Connections of the approvals API: nobody who only holds one open keeps others out.

A connection has a limited time to send a whole request. Where many wait, the one that has waited longest is
closed for the next. What a request means is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 10.0
"""Seconds from the start of a connection, or the end of the last answer, to the end of a request."""
MOST_WAITING = 64
"""How many connections may be without a whole request at a time."""


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 over one connection, which is closed when a request takes too long to arrive."""

    seconds = SECONDS
    most_waiting = MOST_WAITING

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time of the first request; close the connection that has waited longest for its own."""
        super().connection_made(transport)
        self._wait()
        others = (other for other in self.connections if isinstance(other, BoundedProtocol))
        waiting = {other._deadline.when(): other for other in others if other._deadline}
        if len(waiting) > self.most_waiting:
            waiting[min(waiting)].close()

    def handle_events(self) -> None:
        """Stop the time when the whole request has arrived."""
        super().handle_events()
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Start the time of the next request."""
        self._wait()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        self._stop_waiting()
        super().connection_lost(exc)

    def close(self) -> None:
        """Close the connection without an answer."""
        self._stop_waiting()
        self.transport.abort()

    def _wait(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(self.seconds, self.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
