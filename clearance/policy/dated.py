"""What every limit of a policy states: its source, how well that is established, and its dates."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clearance.params import Section

Text = Annotated[str, Field(min_length=1)]
Certainty = Literal["text", "secondary", "memory"]


class Dated(Section):
    """A part of a policy with its source and the days on which it is in force.

    `kind` says whether it is law or an engineering convention. `certainty` is how well the source is
    established: its wording was read, it is known from a secondary source, or it is not confirmed.
    `valid_from` and `valid_until` are the first and the last day in force; without `valid_until` it has no
    end.
    """

    kind: Literal["legal", "engineering"]
    source: Text
    certainty: Certainty | None = None
    valid_from: dt.date
    valid_until: dt.date | None = None

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError(f"`valid_until` ({self.valid_until}) is before `valid_from` ({self.valid_from})")
        return self

    def in_force(self, day: dt.date) -> bool:
        """Whether it applies on that day; the first and the last day are included."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)
