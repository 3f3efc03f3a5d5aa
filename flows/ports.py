"""The port of a server: the one that a variable names, or the first that nobody holds.

A port is probed before a server is started on it, so a command never attaches to somebody else's server.
"""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request

from flows import faults

HOST = "127.0.0.1"
_TRIED = 100
_SIGNS = {"/api/health": "a Prefect server", "/health": "an MLflow server"}
_PATIENCE = 2.0


def choose(variable: str, first: int) -> int:
    """The port in the environment variable, else the first free one from `first` on.

    Raises ConfigurationError when the variable is not a port, or its port is taken; UnavailableError when
    none is free.
    """
    if text := os.environ.get(variable):
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
            raise faults.NOT_A_PORT(variable=variable, value=text)
        if not is_free(int(text)):
            raise faults.PORT_TAKEN(port=text, holder=holder(int(text)), variable=variable)
        return int(text)
    for port in range(first, first + _TRIED):
        if is_free(port):
            return port
    raise faults.NO_FREE_PORT(first=first, last=first + _TRIED - 1, variable=variable)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """What answers on a port, as far as it can be told."""
    for path, name in _SIGNS.items():
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=_PATIENCE) as answer:
                if answer.status == 200:
                    return name
        except (urllib.error.URLError, OSError, ValueError):
            continue
    return "another program"
