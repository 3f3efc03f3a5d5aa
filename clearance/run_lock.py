"""One run per checkout at a time. The operating system releases the lock even after `kill -9`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from clearance import file_lock, paths
from clearance.errors import BusyError, ErrorKind

CHECKOUT_BUSY = ErrorKind(
    "run_lock.checkout_busy",
    BusyError,
    "another run holds this checkout (pid {pid})",
    "wait until it ends, or stop it",
)


@contextmanager
def hold(root: Path) -> Iterator[None]:
    """Hold the checkout at `root`. Raises BusyError, at once, when another run holds it."""
    path = root / paths.RUN_LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(file_lock.hold(path, wait=False))
        except BlockingIOError:
            holder = path.read_text(encoding="utf-8").strip() or "unknown"
            raise CHECKOUT_BUSY(pid=holder) from None
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
