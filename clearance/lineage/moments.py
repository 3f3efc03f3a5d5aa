"""What a run tells lineage: its start and end, and those of each attempt at a step. Values only."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from clearance.params import Params
from clearance.versioning.stage_files import StageFiles

End = Literal["COMPLETE", "FAIL", "ABORT"]
SNAPSHOT, PREREGISTER, TRACK, RELEASE = "snapshot", "preregister", "track", "release"
"""The effects whose data sets are known."""


@dataclass(frozen=True, kw_only=True)
class RunDescription:
    """What lineage knows of a run beside its steps: the checkout `root` and the `folder` in which it works.

    `nominal_start` is when a schedule meant it to start, None where none did.
    """

    root: Path
    folder: Path
    settings: Params
    nominal_start: dt.datetime | None = None

    @property
    def job(self) -> str:
        """The name of its job. With overrides it is another one: it leaves the project's files alone."""
        return self.settings.name + ("" if self.folder == self.root else ".overrides")

    @property
    def place(self) -> PurePosixPath:
        """Where the run works, relative to the checkout."""
        return PurePosixPath(self.folder.relative_to(self.root).as_posix())


@dataclass(frozen=True, kw_only=True)
class RunMoment:
    """The start of a run, where `end` is None, or its end. `error` holds no value of a row."""

    at: dt.datetime
    end: End | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class StepMoment:
    """The start of an attempt at a step, where `end` is None, or its end.

    `files` is None for an effect. `cached`: nothing it depends on had changed. `code` is that of the fault
    with which it ended; a defect has none.
    """

    step: str
    at: dt.datetime
    files: StageFiles | None = None
    attempt: int = 1
    end: End | None = None
    cached: bool = False
    code: str | None = None

    @property
    def error(self) -> str | None:
        """What to say of a bad end: the code of the fault; its sentence may hold a value of a row."""
        if self.end == "ABORT":
            return INTERRUPTED
        return f"{self.step} failed: {self.code or 'a defect'}" if self.end == "FAIL" else None


@dataclass
class Attempts:
    """How often each step was tried, and how its last attempt ended (None: it has not)."""

    number: dict[str, int] = field(default_factory=dict)
    end: dict[str, End | None] = field(default_factory=dict)

    def begin(self, step: str) -> int:
        """Count an attempt at the step; returns its number, from 1 up."""
        self.number[step] = self.number.get(step, 0) + 1
        self.end[step] = None
        return self.number[step]

    def conclude(self, error: BaseException | None) -> tuple[End, str | None]:
        """How the run ended, which `error` may have ended early, and what to say of it."""
        failed = sorted(step for step, end in self.end.items() if end == "FAIL")
        if error is not None and not isinstance(error, Exception):
            return "ABORT", INTERRUPTED
        if failed:
            return "FAIL", f"failed: {', '.join(failed)}"
        if error is not None:
            return "FAIL", "the run could not do its steps"
        return ("COMPLETE", None) if set(self.end.values()) == {"COMPLETE"} else ("ABORT", INTERRUPTED)


INTERRUPTED = "the run was interrupted"
LEFT_OPEN = "its end was not recorded: its process was killed, or its disk was full"
