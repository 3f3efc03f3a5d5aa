"""Waiting for a lock, for a bounded time: whoever waits in vain learns for what."""

from __future__ import annotations

import fcntl
import random
import time
from collections.abc import Callable
from typing import IO, Any

from clearance.errors import BusyError

PATIENCE = 120.0
"""Seconds that a writer waits for its turn unless told otherwise."""

_SHORTEST, _LONGEST = 0.0005, 0.02


def until(attempt: Callable[[], bool], patience: float, what: str) -> None:
    """Try until `attempt` succeeds. Raises BusyError naming `what` after `patience` seconds."""
    deadline, pause = time.monotonic() + patience, _SHORTEST
    while not attempt():
        if time.monotonic() >= deadline:
            raise BusyError(
                f"another process holds {what}, for more than {patience:g} s",
                "wait until it has ended, or stop it; then repeat",
            )
        time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - no secret: waiters must not fall in step
        pause = min(2 * pause, _LONGEST)


def flock(file: IO[Any], patience: float, what: str) -> None:
    """Lock an open file; it is free again when it is closed, also by the death of the process."""

    def attempt() -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    until(attempt, patience, what)
