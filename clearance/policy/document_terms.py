"""Which sections of a model card a policy requires. Typed data; unknown keys are refused."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field, field_validator

from clearance.policy.dated import Dated

CardSection = Literal[
    "details",
    "intended_use",
    "out_of_scope",
    "data",
    "performance",
    "fairness",
    "explanation",
    "limits",
    "mitigation",
    "ethical_considerations",
    "contacts",
]


class DocumentTerms(Dated):
    """What the card of a version must hold before the version may be promoted.

    A gap in one of the `required` sections blocks a promotion. `valid_days`: a sentence in `card.yaml` counts
    for so many days after the day on which it was written; without it, for ever.
    """

    required: tuple[CardSection, ...] = Field(min_length=1)
    valid_days: int | None = Field(default=None, ge=1)

    @field_validator("required")
    @classmethod
    def _named_once(cls, value: tuple[CardSection, ...]) -> tuple[CardSection, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a section is named twice")
        return value

    def is_outdated(self, written_on: dt.date, day: dt.date) -> bool:
        """Whether a sentence that was written on one day no longer counts on `day`."""
        return self.valid_days is not None and day - written_on > dt.timedelta(days=self.valid_days)
