"""One run a checkout: the lock, which the operating system releases even after `kill -9`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clearance.errors import BusyError


@contextmanager
def hold(root: Path) -> Iterator[None]:
    """Hold the checkout at `root`. Raises BusyError, at once, when another run holds it."""
    path = root / ".clearance" / "run.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise BusyError(
                f"another run holds this checkout (pid {holder})", "wait until it ends, or stop it"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
