"""Put on PYTHONPATH, it lets every Python process of a run reach only the loopback address.

An attempt to leave is refused and written to the file that CLEARANCE_GUARD_LOG names.
"""

import os
import sys
from typing import Any

LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0", "::")  # noqa: S104 - names to allow, nothing is bound


def _host(event: str, arguments: tuple[Any, ...]) -> str | None:
    if event == "socket.getaddrinfo":
        return arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        return address[0] if isinstance(address, tuple) else None
    return None


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    host = _host(event, arguments)
    if host is None or not host or host.startswith(LOOPBACK):
        return
    with open(os.environ["CLEARANCE_GUARD_LOG"], "a") as log:  # noqa: PTH123 - before any import
        log.write(f"{sys.argv} {event} {host}\n")
    raise OSError(f"{host} is not on this machine: the guard refuses")


sys.addaudithook(_guard)
