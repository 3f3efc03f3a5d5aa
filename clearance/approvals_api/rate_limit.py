"""A limit on how many refusals per minute are recorded one by one; the others are only counted.

Without it, anybody without a token could fill the ledger.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimiter:
    """Admits at most `limit` events within `seconds` and counts the others. Safe for use by many threads."""

    def __init__(
        self, limit: int, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._seconds, self._clock = limit, seconds, clock
        self._lock = threading.Lock()
        self._window_start, self._admitted, self._skipped = float("-inf"), 0, 0

    def admit(self) -> int | None:
        """How many events were skipped since the last admitted one; None when this one is skipped as well."""
        with self._lock:
            now = self._clock()
            if now - self._window_start >= self._seconds:
                self._window_start, self._admitted = now, 0
            if self._admitted >= self._limit:
                self._skipped += 1
                return None
            self._admitted += 1
            skipped, self._skipped = self._skipped, 0
            return skipped
