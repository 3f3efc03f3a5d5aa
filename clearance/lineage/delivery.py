"""Sends spooled events to an endpoint beside a run, in order, and records which ones it has accepted.

Nothing waits for it: a slow or dead endpoint costs the end of a run at most `PATIENCE` seconds, and what it
did not accept is sent again in the next run. An event may reach it twice when the run ends between its answer
and the record of it; both have the same run, type and time, and over HTTP the same `Idempotency-Key`.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import files
from clearance.lineage import endpoint, spool
from clearance.lineage.endpoint import Transport

PATIENCE = 2.0
"""Seconds that the end of a run waits for an endpoint."""
PAUSE = 10.0
"""Seconds without a try after one that failed."""
NEVER_ACCEPTED = frozenset({400, 413, 422})
"""The answers that say that this event, sent again, is refused again."""


@dataclass(frozen=True, kw_only=True)
class DeliveryReport:
    """How many events were accepted, refused for good, and wait; and why the last try failed, if it did."""

    accepted: int
    refused: int
    waiting: int
    fault: str | None


class Delivery:
    """A thread that sends what waits below `root`, whenever it is woken."""

    def __init__(self, root: Path, settings: Mapping[str, Any], transport: Transport | None = None) -> None:
        self._root = root
        self._settings = settings
        self._transport = transport
        self._woken = threading.Event()
        self._ending = threading.Event()
        self._abandoned = threading.Event()
        self._done: set[Path] = set()
        self._accepted = self._refused = 0
        self._fault: str | None = None
        self._failed_at = -PAUSE
        self._thread = threading.Thread(target=self._work, name="lineage-delivery", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something to send."""
        self._woken.set()

    def finish(self, patience: float = PATIENCE) -> DeliveryReport:
        """Wait until all is sent, or a try has failed, or `patience` seconds have passed."""
        self._ending.set()
        self._woken.set()
        self._thread.join(patience)
        self._abandoned.set()  # an answer that comes later is still taken down, but nothing more is sent
        fault = self._fault or ("no answer yet" if self._thread.is_alive() else None)
        waiting = sum(run.waiting for run in self._pending())
        return DeliveryReport(
            accepted=self._accepted, refused=self._refused, waiting=waiting, fault=fault if waiting else None
        )

    def _work(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            ending = self._ending.is_set()
            if time.monotonic() - self._failed_at >= PAUSE:
                try:
                    self._send_all()
                    self._fault = None
                except Exception as error:  # noqa: BLE001 - a transport has errors of its own; the run reports it
                    self._fault, self._failed_at = _reason(error), time.monotonic()
            if ending:
                return

    def _pending(self) -> list[spool.RunFile]:
        """The files of runs that may have events to send, oldest first."""
        return [run for run in spool.runs(self._root) if run.path not in self._done and run.is_outbound]

    def _send_all(self) -> None:
        transport = self._transport = self._transport or endpoint.connect(self._settings)
        for run in self._pending():
            ended = run.has_ended
            self._send(transport, run)
            if ended and not self._abandoned.is_set():
                self._done.add(run.path)

    def _send(self, transport: Transport, run: spool.RunFile) -> None:
        count = run.accepted
        for line in run.lines(count):
            if self._abandoned.is_set():
                return
            try:
                _emit(transport, line)
                self._accepted += 1
            except Exception as error:  # each transport has errors of its own; what is not final goes on up
                if _status(error) not in NEVER_ACCEPTED and not isinstance(error, _Damaged):
                    raise
                run.refuse(line)
                self._refused += 1
            count += 1
            run.accept(count)


class _Damaged(Exception):
    """A line of the file that is not an event."""


def _emit(transport: Transport, line: bytes) -> None:
    try:
        event = files.parse_json(line)
    except ValueError:
        raise _Damaged from None
    if not isinstance(event, dict):
        raise _Damaged
    if (session := getattr(transport, "session", None)) is not None:
        session.headers["Idempotency-Key"] = hashlib.sha256(line).hexdigest()
    transport.emit(event)


def _status(error: BaseException) -> int | None:
    """The status of the HTTP answer that the error tells of."""
    return getattr(getattr(error, "response", None), "status_code", None)


def _reason(error: Exception) -> str:
    """What failed, without the text of the error: it may hold the address with a key in it."""
    status = _status(error)
    return f"answer {status}" if status else type(error).__name__
