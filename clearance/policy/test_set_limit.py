"""What a policy may say about test rows that judge again and again: from which use on that is warned.

Typed data, unknown keys refused. Nothing is counted here (`clearance.registry.test_set_uses`), and a count
blocks nothing.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clearance.params import Section

Text = Annotated[str, Field(min_length=1)]


class TestUses(Section):
    """How many models the same test rows may judge before it is warned, and who says so.

    The use with the number `warn_from`, and every later one, is told as a warning while this is in force:
    from `valid_from` to `valid_until`, both included. `certainty` is how well the source is known.
    """

    warn_from: int = Field(ge=1)
    kind: Literal["legal", "engineering"]
    source: Text
    certainty: Literal["text", "secondary", "memory"] | None = None
    valid_from: dt.date
    valid_until: dt.date | None = None

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError(f"test_uses ends ({self.valid_until}) before it begins ({self.valid_from})")
        return self
