"""The events of each run in a file of its own, and how many of them an endpoint has accepted.

A line is an event, complete once its end of line is there. What a kill or a full disk left of a line is cut
off before the next one is written, so every reader sees whole events only.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import files, paths
from clearance.lineage import events

FOLDER = paths.STATE / "lineage"
SUFFIX, ACCEPTED, REFUSED = ".ndjson", ".accepted", ".refused"
_TAIL = 1 << 16
KEPT_RUNS = 200
"""How many runs' files stay. One with events that an endpoint has not accepted yet stays in any case."""


@dataclass(frozen=True)
class RunFile:
    """The file of one run. Beside it, where an endpoint is configured, lies how many events it accepted."""

    path: Path

    @property
    def run_id(self) -> str:
        """The run's UUID, which is the name of the file."""
        return self.path.stem

    def append(self, event: Mapping[str, Any]) -> None:
        """Add an event, whole or not at all. Raises OSError when it cannot be written."""
        line = json.dumps(event, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        with self.path.open("ab", buffering=0) as file:
            end = _whole_lines(self.path)
            os.ftruncate(file.fileno(), end)
            written = 0
            try:
                while written < len(line):
                    written += file.write(line[written:]) or 0
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(file.fileno(), end)
                raise

    def sync(self) -> None:
        """Have the events survive a loss of power. Raises OSError where the disk refuses."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())

    def lines(self, start: int = 0) -> list[bytes]:
        """The whole events from number `start` (0: the first) on, as they lie there, without ends of line."""
        content = self.path.read_bytes()
        return content[: content.rfind(b"\n") + 1].split(b"\n")[start:-1]

    def read(self) -> list[dict[str, Any]]:
        """The events. Raises ValueError when a line is not JSON."""
        return [json.loads(line) for line in self.lines()]

    @property
    def is_outbound(self) -> bool:
        """Whether an endpoint is to get its events."""
        return self._accepted_file.exists()

    @property
    def accepted(self) -> int:
        """How many events the endpoint has accepted, or refused for good; the first ones in the file."""
        try:
            return int(self._accepted_file.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def accept(self, count: int) -> None:
        """Record that the endpoint has the first `count` events. Raises OSError when that fails."""
        files.write_text(self._accepted_file, f"{count}\n")

    def refuse(self, line: bytes) -> None:
        """Keep apart an event that the endpoint will never accept."""
        with self.path.with_suffix(REFUSED).open("ab") as file:
            file.write(line + b"\n")

    @property
    def waiting(self) -> int:
        """How many events wait for the endpoint."""
        return max(0, len(self.lines()) - self.accepted) if self.is_outbound else 0

    @property
    def _accepted_file(self) -> Path:
        return self.path.with_suffix(ACCEPTED)

    @property
    def has_ended(self) -> bool:
        """Whether its last event ends the file's own run: then nothing in it is open."""
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            tail = file.read()
        try:
            last = json.loads(tail[: tail.rfind(b"\n")].rpartition(b"\n")[2])
            return last["run"]["runId"] == self.run_id and last["eventType"] in events.CLOSING
        except (ValueError, KeyError, TypeError):
            return False

    def open_starts(self) -> list[dict[str, Any]]:
        """The START of every run in the file that has not ended, in order; the file's own run comes first.

        A line that somebody damaged is passed over: it must not keep later runs from being recorded.
        """
        starts: dict[str, dict[str, Any]] = {}
        for line in self.lines():
            try:
                event = json.loads(line)
                kind, run_id = event["eventType"], event["run"]["runId"]
            except (ValueError, KeyError, TypeError):
                continue
            if kind == "START":
                starts[run_id] = event
            elif kind in events.CLOSING:
                starts.pop(run_id, None)
        return list(starts.values())


def folder(root: Path) -> Path:
    """Where the events of the checkout at `root` lie."""
    return root / FOLDER


def create(root: Path, run_id: str, *, outbound: bool) -> RunFile:
    """The empty file of a new run; `outbound`: an endpoint is to get its events.

    Raises OSError when it cannot be written.
    """
    place = folder(root)
    place.mkdir(parents=True, exist_ok=True)
    run = RunFile(place / f"{run_id}{SUFFIX}")
    if outbound:
        run.accept(0)
    run.path.touch()
    return run


def runs(root: Path) -> Iterator[RunFile]:
    """The files of all runs, oldest first: a run's UUID begins with its time."""
    yield from (RunFile(path) for path in sorted(folder(root).glob(f"*{SUFFIX}")))


def prune(root: Path) -> None:
    """Remove the oldest files, as far as no endpoint waits for them."""
    for run in list(runs(root))[:-KEPT_RUNS]:
        if not run.waiting:
            for suffix in (SUFFIX, ACCEPTED, REFUSED):
                run.path.with_suffix(suffix).unlink(missing_ok=True)


def _whole_lines(path: Path) -> int:
    """The length of the file up to its last end of line."""
    size = path.stat().st_size
    with path.open("rb") as file:
        end = size
        while end:
            begin = max(0, end - _TAIL)
            file.seek(begin)
            place = file.read(end - begin).rfind(b"\n")
            if place >= 0:
                return begin + place + 1
            end = begin
    return 0
