"""How a policy compares a candidate with the champion: how much worse, or less fair, it may be.

Typed data; unknown keys are refused. `clearance.comparison` applies it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clearance.params import Fraction, Section
from clearance.policy.dated import Dated

Margin = Annotated[float, Field(ge=0, lt=1)]


class QualityMargin(Section):
    """A quality metric that may get worse by less than `margin`, in the unit of the metric.

    For `brier` and `log_loss` lower is better, for the others higher.
    """

    metric: Literal["accuracy", "balanced_accuracy", "f1", "roc_auc", "brier", "log_loss"]
    margin: Margin


class FirstVersion(Section):
    """What a model needs when there is no champion to compare it with.

    `approvals` is the least number of people who must approve it, whatever `promotion` asks for; 0: the
    policy's own rules are enough.
    """

    approvals: int = Field(ge=0)


class ComparisonTerms(Dated):
    """How candidate and champion are compared, and where these terms come from.

    `difference_margin` is how much further apart groups may get by a difference of rates (or how much lower
    the lowest rate may get), `ratio_margin` the share of the champion's ratio that may be lost.
    `minimum_rows` is needed in all, `minimum_group_rows` for every rate of a group. `unknown_share` is the
    share of rows in which a feature may hold a category that the champion never saw.
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

    @model_validator(mode="after")
    def _distinct_metrics(self) -> Self:
        metrics = [item.metric for item in self.quality]
        if len(set(metrics)) < len(metrics):
            raise ValueError("`quality` names a metric twice")
        return self
