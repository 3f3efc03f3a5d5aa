"""Takes down what a run does, and has it written and sent by a thread of its own: no step waits for it.

Whatever goes wrong with lineage is one note; it changes neither the run nor its verdict.
"""

from __future__ import annotations

import datetime as dt
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from clearance import files
from clearance.errors import ClearanceError
from clearance.lineage.moments import Attempts, End, RunDescription, RunMoment, StepMoment
from clearance.versioning.stage_files import StageFiles

if TYPE_CHECKING:
    from clearance.lineage.writer import LineageWriter

PATIENCE = 5.0
"""Seconds that the end of a run waits until its events are written, and sent where that is configured."""


Describe = Callable[[], StageFiles]


class LineageRecorder:
    """Records one run. `note` receives what went wrong with its lineage, a sentence."""

    def __init__(self, run: RunDescription, note: Callable[[str], None]) -> None:
        self._run = run
        self._note = note
        self._moments: queue.SimpleQueue[RunMoment | StepMoment | None] = queue.SimpleQueue()
        self._attempts = Attempts()
        self._thread = threading.Thread(target=self._work, name="lineage", daemon=True)
        self._thread.start()
        self._moments.put(RunMoment(at=_now()))

    def start_step(self, step: str, files: Describe | None) -> None:
        """Record the start of an attempt at a step; `files` describes a stage, None: it is an effect."""
        self._put(step, files, self._attempts.begin(step))

    def end_step(
        self, step: str, end: End, files: Describe | None, *, cached: bool = False, code: str | None = None
    ) -> None:
        """Record how the last attempt at a step ended; `code` is that of the fault it ended with."""
        self._attempts.end[step] = end
        self._put(step, files, self._attempts.number[step], end=end, cached=cached, code=code)

    def _put(
        self,
        step: str,
        files: Describe | None,
        attempt: int,
        *,
        end: End | None = None,
        cached: bool = False,
        code: str | None = None,
    ) -> None:
        try:
            stage = None if files is None else files()
        except (ClearanceError, OSError):
            stage = StageFiles(command=step, reads={}, writes={})
        if stage is None or stage.command:
            self._moments.put(
                StepMoment(
                    step=step, at=_now(), files=stage, attempt=attempt, end=end, cached=cached, code=code
                )
            )

    def finish(self, error: BaseException | None = None) -> None:
        """Record the end of the run, which `error` may have ended early. Waits `PATIENCE` seconds at most."""
        end, message = self._attempts.conclude(error)
        self._moments.put(RunMoment(at=_now(), end=end, error=message))
        self._moments.put(None)
        self._thread.join(PATIENCE)

    def _work(self) -> None:
        """Write every moment; the heavy imports happen here, beside the run's own work."""
        writer: LineageWriter | None = None
        faults: list[str] = []
        while (moment := self._moments.get()) is not None:
            try:
                if writer is None:
                    from clearance.lineage.writer import LineageWriter

                    writer = LineageWriter(self._run, moment.at)
                writer.write(moment)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with lineage, the run goes on
                faults.append(_reason(error))
        lines: list[str] = []
        try:
            lines = writer.close() if writer is not None else []
        except Exception as error:  # noqa: BLE001 - as above
            faults.append(_reason(error))
        if faults:
            lines.insert(0, f"lineage is incomplete: {faults[0]}")
        for line in lines:
            self._note(line)


def _reason(error: Exception) -> str:
    fault = error if isinstance(error, ClearanceError) else files.system_fault(error)
    return fault.fault if fault else f"a defect ({type(error).__name__})"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
