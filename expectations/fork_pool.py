"""Calls shared between this process and a fork of it: two processors, about half the time.

For work that holds the interpreter, where threads would wait for each other. What is computed is the same,
whoever computes it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")

MOST = 256
"""Items that can be shared at a time: a ticket is one byte."""

_FORK = multiprocessing.get_context("fork")


def share(call: Callable[[Item], Found], items: Sequence[Item]) -> list[Found]:
    """What `call` returns for each of at most `MOST` items, in their order; results of the fork are pickled.

    Each process takes the next item when it is free. What the fork does not give, because it was killed or
    `call` raised, is computed here: so this raises what `call` raises.
    """
    tickets, last = os.pipe()
    os.write(last, bytes(range(len(items))))
    os.close(last)  # a reader finds the end when none is left, even if the other one was killed
    ours, theirs = _FORK.Pipe(duplex=False)
    fork = _FORK.Process(target=_send, args=(call, items, tickets, ours, theirs), daemon=True)
    fork.start()
    theirs.close()
    try:
        found = _work(call, items, tickets)
        with contextlib.suppress(EOFError, OSError):
            found |= ours.recv()
    finally:
        fork.kill()
        fork.join()
        ours.close()
        os.close(tickets)
    return [found[at] if at in found else call(item) for at, item in enumerate(items)]


def _work(call: Callable[[Item], Found], items: Sequence[Item], tickets: int) -> dict[int, Found]:
    found = {}
    while ticket := os.read(tickets, 1):
        found[ticket[0]] = call(items[ticket[0]])
    return found


def _send(
    call: Callable[[Item], Found], items: Sequence[Item], tickets: int, ours: Connection, theirs: Connection
) -> None:
    ours.close()  # or the fork would wait for a reader that is gone
    with contextlib.suppress(Exception):  # the other process makes the call again, and raises it
        theirs.send(_work(call, items, tickets))
