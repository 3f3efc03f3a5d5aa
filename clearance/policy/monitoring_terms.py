"""What a policy says about watching a version in use: what is judged, how often, and what follows.

Typed data; unknown keys are refused. `clearance.monitoring` applies it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from clearance.documents import monitoring_catalogue
from clearance.params import Fraction, Section
from clearance.policy.dated import Dated, Text
from clearance.policy.limit import Limit

Reaction = Literal["record", "alert", "hold", "stop"]
Subjects = Literal["features", "score", "decision", "all"]
Period = Literal["day", "week", "month"]


class LiveRule(Dated):
    """One dated requirement on live decisions.

    `metric` is a name of `clearance.documents.monitoring_catalogue`. `of` says what it is read for: the
    features (all or those listed), the score, or the decision; of fairness, `attribute` or `attributes` do.
    `interval` fails when the effect is beyond the limit with the error that a look may make, and passes when
    the whole 95 % interval keeps it. `point` compares the number alone, and its chance of a false alarm is
    printed. `on_fail` is what the server does: nothing (`record`, `alert`), answer and mark every decision
    for a person's review (`hold`), or refuse new decisions (`stop`). `severity: serious` opens an incident.
    `retrain`: a failure asks for a new model.
    """

    id: Text
    metric: Text
    of: Subjects | tuple[Text, ...] = "features"
    attribute: Text | None = None
    attributes: tuple[Text, ...] = ()
    limit: Limit
    decides_by: Literal["interval", "point"] = "interval"
    minimum_support: int = Field(default=30, ge=1)
    severity: Literal["serious", "warn"] = "warn"
    on_fail: Reaction = "alert"
    retrain: bool = False
    jurisdiction: Text | None = None

    @field_validator("metric")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in monitoring_catalogue.METRICS:
            known = ", ".join(monitoring_catalogue.METRICS)
            raise ValueError(f"`{value}` is not a metric of live decisions; those are {known}")
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        by_group = monitoring_catalogue.METRICS[self.metric].subject == "attribute"
        if self.attribute and self.attributes:
            raise ValueError(f"rule {self.id} names both `attribute` and `attributes`")
        if by_group != bool(self.read_for):
            raise ValueError(
                f"rule {self.id}: {self.metric} "
                + ("is read by attribute; name one" if by_group else "is not read by attribute")
            )
        return self

    @property
    def needs_labels(self) -> bool:
        """Whether it waits for what turned out to be true of decisions."""
        return monitoring_catalogue.METRICS[self.metric].needs_labels

    @property
    def read_for(self) -> tuple[str, ...]:
        """The attributes and intersections it is read for; none where it is not read by attribute."""
        return self.attributes or ((self.attribute,) if self.attribute else ())


class AlertTerms(Section):
    """When people hear of a failed rule.

    One alert a rule and model. It is sent again after `repeat_hours`, to `escalate_to` once nobody took it
    for `escalate_hours`, and resolved after `resolve_looks` looks in a row without a failure. `to` and
    `escalate_to` are names of environment variables that hold an Apprise address: never an address. An
    override of the champion that ends within `permission_days` is an alert too.
    """

    to: tuple[Text, ...] = ("CLEARANCE_NOTIFY_URL",)
    repeat_hours: int = Field(default=24, ge=1, le=24 * 31)
    escalate_hours: int = Field(default=48, ge=1, le=24 * 31)
    escalate_to: tuple[Text, ...] = ()
    resolve_looks: int = Field(default=3, ge=1, le=60)
    permission_days: int = Field(default=7, ge=0, le=366)


class MaintenanceWindow(Section):
    """From `start` until before `end` nothing is sent for these rules (none listed: all); looks go on."""

    start: dt.datetime
    end: dt.datetime
    reason: Text
    rules: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("`start` and `end` of a maintenance window need a time zone, such as Z")
        if self.end <= self.start:
            raise ValueError("`end` of a maintenance window is not after its `start`")
        return self


class RetrainingTerms(Section):
    """What a failed rule with `retrain: true` sets off: a run of the pipeline, which judges as always.

    At most one in `cool_down_days`, and `most_a_year`; a run that makes no new model counts as none. It
    trains on what the source holds then. With `window_share` it waits until the source has labels of this
    share of those whom the failed windows decided on, by `data.entity` or else `data.row_key`.
    """

    cool_down_days: int = Field(default=14, ge=1, le=366)
    most_a_year: int = Field(default=6, ge=0, le=366)
    window_share: Annotated[float, Field(gt=0, le=1)] | None = None


class ReportDeadline(Dated):
    """Within how many days of becoming aware an incident of these kinds is reported, and to whom.

    `incidents` are kinds such as `serious`, `widespread`, `critical_infrastructure` or `death`; `role` is
    who must report: the provider or the deployer. 0 days means at once.
    """

    id: Text
    incidents: tuple[Text, ...] = Field(min_length=1)
    role: Literal["provider", "deployer"]
    to: Text
    days: int = Field(ge=0, le=366)
    incomplete_first: bool = False
    jurisdiction: Text | None = None


class MonitoringTerms(Section):
    """How a version in use is watched.

    `looks` are the windows that are judged once they are over, by the calendar of `timezone`.
    `false_alarms` is the largest probability that any rule with an error budget fails in a year in which
    nothing changed; all looks of the year and all rules of a look share it. `season`: the days of the
    reference that a window is compared with: all, or those of the same weekdays, or of the same weekdays and
    months. A look needs `minimum_rows`. Performance is judged once labels of `label_share` of a window's
    decisions are in; `label_delay_days` is when they are expected. `role` says whose duties an incident has
    that a rule opens: those of the system's provider, or of who deploys it.
    """

    looks: tuple[Period, ...] = Field(default=("day", "week", "month"), min_length=1)
    false_alarms: Fraction = 0.05
    season: Literal["none", "weekday", "weekday_and_month"] = "weekday"
    timezone: Text = "UTC"
    minimum_rows: int = Field(default=30, ge=1)
    label_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    label_delay_days: int = Field(default=30, ge=0, le=3_660)
    watched_by: tuple[Text, ...] = ()
    role: Literal["provider", "deployer"] = "provider"
    rules: tuple[LiveRule, ...] = Field(min_length=1)
    alerts: AlertTerms = AlertTerms()
    maintenance: tuple[MaintenanceWindow, ...] = ()
    retraining: RetrainingTerms = RetrainingTerms()
    deadlines: tuple[ReportDeadline, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"`{value}` is not the name of a time zone, such as Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        for what, names in (
            ("rule id", [rule.id for rule in self.rules]),
            ("deadline", [deadline.id for deadline in self.deadlines]),
            ("look", list(self.looks)),
        ):
            if twice := sorted(name for name, uses in Counter(names).items() if uses > 1):
                raise ValueError(f"the {what} {', '.join(twice)} is listed twice")
        known = {rule.id for rule in self.rules}
        if unknown := sorted({name for window in self.maintenance for name in window.rules} - known):
            raise ValueError(f"`maintenance` names the rule {', '.join(unknown)}, which `rules` does not")
        return self
