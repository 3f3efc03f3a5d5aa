"""What a policy may say about small categories: when one may be left out of the impact ratios, and why.

Typed data, unknown keys refused. Nothing is left out here; see `clearance.reporting.impact_table`.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from clearance.params import Fraction, Section

Text = Annotated[str, Field(min_length=1)]


class Exclusion(Section):
    """A category left out of the impact ratios, and the written reason."""

    attribute: Text
    category: Text
    justification: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ImpactTable(Section):
    """When a small category may be left out of the impact ratios, who says so, and which ones are.

    Only a category whose share of the rows lies below `excludable_below` and that is listed in `excluded`
    is left out, and only from `valid_from` on; its count and its rate stay in the table.
    """

    excludable_below: Fraction
    kind: Literal["legal", "engineering"]
    source: Text
    certainty: Literal["text", "secondary", "memory"] | None = None
    valid_from: dt.date
    valid_until: dt.date | None = None
    excluded: tuple[Exclusion, ...] = ()

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError(f"impact_table ends ({self.valid_until}) before it begins ({self.valid_from})")
        return self
