"""Waiting for a lock, for a limited time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from clearance import file_lock
from clearance.ledger import faults

PATIENCE = 120.0
"""Seconds that a writer waits for its turn by default."""

_SHORTEST, _LONGEST = 0.0005, 0.02


def until(attempt: Callable[[], bool], patience: float, what: str) -> None:
    """Repeat `attempt` until it succeeds. Raises BusyError that names `what` after `patience` seconds."""
    deadline, pause = time.monotonic() + patience, _SHORTEST
    while not attempt():
        if time.monotonic() >= deadline:
            raise faults.LOCK_TIMEOUT(what=what, seconds=patience)
        time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - not a secret: waiters must not retry in step
        pause = min(2 * pause, _LONGEST)


def flock(descriptor: int, patience: float, what: str) -> None:
    """Lock an open file. The lock is released when the file is closed or the process dies."""
    until(lambda: file_lock.attempt(descriptor), patience, what)
