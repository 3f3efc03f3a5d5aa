"""What a policy may ask of a model that would follow another: how much worse, or less fair, it may be.

Typed data, unknown keys refused. Nothing is compared here; see `clearance.comparison`.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clearance.params import Fraction, Section

Text = Annotated[str, Field(min_length=1)]
Margin = Annotated[float, Field(ge=0, lt=1)]


class QualityMargin(Section):
    """A figure of quality that may be worse by less than `margin`, in the figure's own unit.

    Of `brier` and `log_loss` less is better, of the others more.
    """

    metric: Literal["accuracy", "balanced_accuracy", "f1", "roc_auc", "brier", "log_loss"]
    margin: Margin


class FirstVersion(Section):
    """What a model needs that follows no other: the policy's own rules alone, or people beside them.

    `approvals` is how many people must agree at least, whatever `promotion` asks; 0: the rules alone.
    """

    approvals: int = Field(ge=0)


class ComparisonTerms(Section):
    """How candidate and champion are compared, and who says so; in force from `valid_from` to `valid_until`.

    `difference_margin` is how much farther apart groups may lie by a difference of rates (or how much lower
    the lowest rate), `ratio_margin` the share of the champion's ratio that may be lost. `minimum_rows` are
    needed in all, `minimum_group_rows` behind every rate of a group. `unknown_share` is the share of rows in
    which a feature may hold a category that the champion never saw.
    """

    first_version: FirstVersion
    quality: tuple[QualityMargin, ...] = Field(
        default=(QualityMargin(metric="accuracy", margin=0.02),), min_length=1
    )
    difference_margin: Margin = 0.02
    ratio_margin: Margin = 0.025
    minimum_rows: int = Field(default=100, ge=1)
    minimum_group_rows: int = Field(default=30, ge=1)
    unknown_share: Margin = 0.05
    confidence: Fraction = 0.95
    severity: Literal["block", "warn"] = "block"
    kind: Literal["legal", "engineering"]
    source: Text
    certainty: Literal["text", "secondary", "memory"] | None = None
    valid_from: dt.date
    valid_until: dt.date | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        named = [each.metric for each in self.quality]
        if len(set(named)) < len(named):
            raise ValueError("`quality` names a metric twice")
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError(f"challenge ends ({self.valid_until}) before it begins ({self.valid_from})")
        return self

    def in_force(self, as_of: dt.date) -> bool:
        """Whether a comparison is asked for on that day, the first and the last day included."""
        return self.valid_from <= as_of and (self.valid_until is None or as_of <= self.valid_until)
