"""The one thread that writes: whoever waits shares its next commit, and is answered only after it.

Requests wait in a queue without a lock of their own. The thread takes all of them, carries them out in one
transaction, commits, and then answers. There is no thread for each request: a thread that waits has an event,
an asyncio task has a future. While the store is away each request gets its fault at once, and the
next try to reach the store comes after a pause that doubles from 50 ms to 2 s.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from clearance.errors import ClearanceError
from clearance.inference_log import faults
from clearance.inference_log.transaction import Append, Request, Result

MOST_WAITING = 20_000
"""Most requests that wait for a commit; more are refused at once."""

_MOST_TOGETHER = 2_000
"""After so many records no further request joins a transaction."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


class Store(Protocol):
    """What carries out requests. It reconnects by itself."""

    def carry_out(self, requests: Sequence[Request]) -> list[Result | ClearanceError]:
        """The result or fault of each; raises TransientError when the store cannot be reached."""

    def instead(self, requests: Sequence[Request], fault: ClearanceError) -> list[Result | ClearanceError]:
        """What becomes of requests while the store is away because of this fault."""

    def idle(self) -> float | None:
        """Do what is to be done without requests; in how many seconds again, None for never."""

    def close(self) -> None:
        """Close the connection."""


class Waiter:
    """A thread that waits for its answer."""

    def __init__(self) -> None:
        self._event = threading.Lock()
        self._event.acquire()
        self._answer: Result | ClearanceError = None

    def answer(self, answer: Result | ClearanceError) -> None:
        """Give the answer; the thread goes on."""
        self._answer = answer
        self._event.release()

    def wait(self, timeout: float) -> Result:
        """The answer. Raises it where it is a fault, and UnavailableError after `timeout` seconds."""
        if not self._event.acquire(timeout=timeout):
            raise faults.TIMED_OUT(seconds=timeout)
        if isinstance(self._answer, ClearanceError):
            raise self._answer
        return self._answer


@dataclass(frozen=True, slots=True)
class _Task:
    """A request, and who waits for its answer: a thread, or a future of an event loop."""

    request: Request
    waiter: Waiter | None
    loop: asyncio.AbstractEventLoop | None
    future: asyncio.Future[Any] | None


class Worker:
    """The thread. Every call but those of the thread itself may come from any thread of this process."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._closed = False
        self._process = os.getpid()
        self._fault: ClearanceError | None = None
        self._pause, self._again = _FIRST_PAUSE, 0.0
        self._thread = threading.Thread(target=self._run, name="inference-log", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Waiter:
        """Have a request carried out; wait for its answer with `Waiter.wait`."""
        waiter = Waiter()
        self._put(_Task(request, waiter, None, None))
        return waiter

    def submit_future(self, request: Request) -> asyncio.Future[Any]:
        """Have a request carried out; its answer is that of the future of the running event loop."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._put(_Task(request, None, loop, future))
        return future

    def _put(self, task: _Task) -> None:
        if self._closed or os.getpid() != self._process:
            raise faults.CLOSED()
        if self._tasks.qsize() >= MOST_WAITING:
            raise faults.OVERLOADED(count=MOST_WAITING)
        self._tasks.put(task)

    def close(self) -> None:
        """Carry out what waits, then end the thread."""
        if os.getpid() != self._process:
            return
        self._closed = True
        self._tasks.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            open_ = True
            while open_:
                tasks, open_ = self._gather()
                self._process_tasks(tasks)
        finally:
            self._closed = True
            self._store.close()
            self._refuse_rest()

    def _gather(self) -> tuple[list[_Task], bool]:
        """All tasks that wait; at least one, unless it is time to do something else. False at the end."""
        pause = self._store.idle() if self._tasks.empty() else None
        try:
            task = self._tasks.get(timeout=pause)
        except queue.Empty:
            return [], True
        tasks: list[_Task] = []
        records = 0
        while task is not None:
            tasks.append(task)
            records += len(task.request.records) if isinstance(task.request, Append) else 1
            if records >= _MOST_TOGETHER:
                return tasks, True
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                return tasks, True
        return tasks, False

    def _process_tasks(self, tasks: Sequence[_Task]) -> None:
        answers: Sequence[Result | ClearanceError] = [faults.CLOSED()] * len(tasks)
        try:
            answers = self._answers([task.request for task in tasks])
        finally:
            _answer(tasks, answers)

    def _answers(self, requests: Sequence[Request]) -> Sequence[Result | ClearanceError]:
        if self._fault is not None and self._clock() < self._again:
            return self._store.instead(requests, self._fault)
        try:
            answers = self._store.carry_out(requests)
        except ClearanceError as fault:
            self._fault, self._again = fault, self._clock() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            return self._store.instead(requests, fault)
        self._fault, self._pause = None, _FIRST_PAUSE
        return answers

    def _refuse_rest(self) -> None:
        tasks = []
        with suppress(queue.Empty):
            while True:
                if task := self._tasks.get_nowait():
                    tasks.append(task)
        _answer(tasks, [faults.CLOSED()] * len(tasks))


def _answer(tasks: Sequence[_Task], answers: Sequence[Result | ClearanceError]) -> None:
    """Answer everybody; each event loop is woken once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for task, answer in zip(tasks, answers, strict=True):
        if task.waiter is not None:
            task.waiter.answer(answer)
        elif task.loop is not None and task.future is not None:
            by_loop.setdefault(task.loop, []).append((task.future, answer))
    for loop, pairs in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, pairs)


def _resolve(pairs: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in pairs:
        if future.done():
            continue
        if isinstance(answer, ClearanceError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
