"""How many refusals are recorded: so many a minute, the rest is counted and told with the next.

Whoever has no token at all could otherwise fill the ledger.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Tally:
    """At most `most` refusals in `seconds` are recorded one by one."""

    def __init__(self, most: int, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._lock = threading.Lock()
        self._since, self._recorded, self._passed_over = float("-inf"), 0, 0

    def admit(self) -> int | None:
        """Whether to record one more: how many were only counted since the last; None: this one, too."""
        with self._lock:
            now = self._clock()
            if now - self._since >= self._seconds:
                self._since, self._recorded = now, 0
            if self._recorded >= self._most:
                self._passed_over += 1
                return None
            self._recorded += 1
            passed_over, self._passed_over = self._passed_over, 0
            return passed_over
