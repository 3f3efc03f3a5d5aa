"""A head start: stages brought up to date while Prefect's server is still starting.

No stage needs the server, and its start takes longer than most stages do. What a stage said and how it ended
is kept for the flow's own step, which takes it over as if it had done the work itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future

OnLine = Callable[[str], None]
Bring = Callable[[str, OnLine], bool]


class EarlyStart:
    """A thread that brings one stage after another up to date, until the first of them is taken over.

    When it has nothing more to do it sets `waits`, as `bring` may when it only waits for a child.
    """

    def __init__(self, names: Iterable[str], bring: Bring, waits: threading.Event) -> None:
        self._begun: dict[str, tuple[Future[bool], list[str]]] = {}
        self._turn = threading.Lock()
        self._over = False
        self._waits = waits
        self._thread = threading.Thread(target=self._go, args=(list(names), bring), daemon=True)
        self._thread.start()

    def _go(self, names: list[str], bring: Bring) -> None:
        try:
            self._bring_each(names, bring)
        finally:
            self._waits.set()

    def _bring_each(self, names: list[str], bring: Bring) -> None:
        for name in names:
            end: Future[bool] = Future()
            lines: list[str] = []
            with self._turn:
                if self._over:
                    return
                self._begun[name] = (end, lines)
            try:
                end.set_result(bring(name, lines.append))
            except BaseException as error:  # noqa: BLE001 - it is raised where the stage is taken over
                end.set_exception(error)
                return

    def take(self, name: str, hear: OnLine) -> bool | None:
        """Wait for the stage's end, tell its lines, and return whether it ran; None when it was not begun.

        From now on no further stage is begun. Raises what the stage raised; the next try is not ahead.
        """
        with self._turn:
            self._over = True
            begun = self._begun.pop(name, None)
        if begun is None:
            return None
        end, lines = begun
        try:
            return end.result()
        finally:
            for line in lines:
                hear(line)

    def close(self) -> None:
        """Begin no further stage, and wait until the one that runs has ended."""
        with self._turn:
            self._over = True
        self._thread.join()
