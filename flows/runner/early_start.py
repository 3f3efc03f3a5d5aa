"""The early start: stages are brought up to date while Prefect's server is still starting.

No stage needs the server, and its start takes longer than most stages do. What a stage wrote and how it
ended is kept for the flow's own step, which takes it over as if it had done the work itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from flows.runner.child_processes import OnLine

RunStage = Callable[[str, OnLine], bool]


class EarlyStart:
    """A thread that brings one stage after another up to date, until the flow takes over the first of them.

    It sets `idle` when it has nothing more to do; `run_stage` may set it while it only waits for a child.
    """

    def __init__(self, names: Iterable[str], run_stage: RunStage, idle: threading.Event) -> None:
        self._started: dict[str, tuple[Future[bool], list[str]]] = {}
        self._turn = threading.Lock()
        self._over = False
        self._idle = idle
        self._thread = threading.Thread(target=self._work, args=(list(names), run_stage), daemon=True)
        self._thread.start()

    def _work(self, names: list[str], run_stage: RunStage) -> None:
        try:
            self._run_stages(names, run_stage)
        finally:
            self._idle.set()

    def _run_stages(self, names: list[str], run_stage: RunStage) -> None:
        for name in names:
            end: Future[bool] = Future()
            lines: list[str] = []
            with self._turn:
                if self._over:
                    return
                self._started[name] = (end, lines)
            try:
                end.set_result(run_stage(name, lines.append))
            except BaseException as error:  # noqa: BLE001 - raised where the stage is taken over
                end.set_exception(error)
                return

    def take_over(self, name: str, on_line: OnLine) -> bool | None:
        """Wait for the stage's end, pass on its lines, and return whether it ran; None if it was not started.

        No further stage is started from now on. Raises what the stage raised; another try is the caller's.
        """
        with self._turn:
            self._over = True
            started = self._started.pop(name, None)
        if started is None:
            return None
        end, lines = started
        try:
            return end.result()
        finally:
            for line in lines:
                on_line(line)

    def close(self) -> None:
        """Start no further stage, and wait until the one that runs has ended."""
        with self._turn:
            self._over = True
        self._thread.join()
