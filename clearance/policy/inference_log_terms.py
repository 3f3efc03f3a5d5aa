"""What a policy says about the log of decisions: what happens while it is away, and how long it keeps them.

Typed data; unknown keys are refused. `clearance.inference_log` applies it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clearance.params import Section
from clearance.policy.dated import Dated, Text


def add_months(at: dt.datetime, months: int) -> dt.datetime:
    """The same day and time so many months later; the first of the next month where there is no such day."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    try:
        return at.replace(year=year, month=month + 1)
    except ValueError:
        year, month = divmod(year * 12 + month + 1, 12)
        return at.replace(year=year, month=month + 1, day=1)


class RetentionPeriod(Dated):
    """For how many months after a decision its record must be kept, and who says so."""

    id: Text
    months: Annotated[int, Field(ge=1, le=1_200)]
    jurisdiction: Text | None = None

    def binds(self, day: dt.date, today: dt.date) -> bool:
        """Whether it was in force on any day from that of the decision to today."""
        return self.valid_from <= today and (self.valid_until is None or day <= self.valid_until)


class SegmentSize(Section):
    """When records are sealed into the ledger: once there are so many, or the first is so many hours old."""

    records: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    hours: Annotated[int, Field(ge=1, le=168)] = 24


class InferenceLogTerms(Section):
    """What happens to a decision that the log cannot take, and how long the log keeps what it took.

    `on_failure`: `refuse` gives no answer; `spool` writes to a local file of at most `spool_megabytes` and
    answers, until the log is back or the file is full. Records are deleted past the end of every period of
    `retention` that was in force meanwhile, and never without one.
    """

    on_failure: Literal["refuse", "spool"] = "refuse"
    spool_megabytes: Annotated[int, Field(ge=1, le=4_096)] = 64
    seal: SegmentSize = SegmentSize()
    retention: tuple[RetentionPeriod, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        uses = Counter(period.id for period in self.retention)
        if twice := sorted(name for name, count in uses.items() if count > 1):
            raise ValueError(f"the retention period {', '.join(twice)} is listed twice")
        return self
