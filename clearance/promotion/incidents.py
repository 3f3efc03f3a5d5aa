"""Incidents: opened by a serious failed rule or a person, reported within the policy's deadlines, and closed.

The ledger holds them. An incident has the number of the entry that opened it. Its kind, `category`, is a
person's judgement: a rule opens it with the strictest reading, and a person may change it with a reason.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from clearance import wording
from clearance.ledger import Entry, EntryKind, events, times
from clearance.ledger.events import IncidentDeadline
from clearance.policy.monitoring_terms import ReportDeadline
from clearance.promotion import faults, version_record
from clearance.promotion.session import LedgerSession
from clearance.trust.roles import Right, format_time

Role = Literal["provider", "deployer"]
SERIOUS = "serious"
"""The category of an incident that a serious failed rule opens."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """One report of an incident, or a note where `to` is None: the entry, its time, who made it, its text."""

    entry: int
    at: dt.datetime
    by: str
    text: str
    deadline: str | None
    to: str | None
    complete: bool


@dataclass(frozen=True, kw_only=True)
class Duty:
    """A deadline of an incident, and how far it is met: by a complete report, a first one, or none.

    `first` is when the first report was made, None where there is none.
    """

    deadline: IncidentDeadline
    met: bool
    first: dt.datetime | None

    @property
    def due(self) -> dt.datetime:
        """When the report is due."""
        return times.parse(self.deadline.due)

    def overdue(self, now: dt.datetime) -> bool:
        """Whether a report is owed and late. A first report in time counts where one is allowed."""
        first_in_time = self.first is not None and self.days_late == 0
        in_time = self.met or (first_in_time and self.deadline.incomplete_first)
        return not in_time and now > self.due

    @property
    def days_late(self) -> int:
        """By how many days the first report missed the deadline, a begun day counts; 0: in time, or none."""
        if self.first is None or self.first <= self.due:
            return 0
        return -((self.due - self.first) // dt.timedelta(days=1))

    def state(self, now: dt.datetime) -> str:
        """In words: reported, reported in part, overdue, or open."""
        late = f" {wording.counted(self.days_late, 'day')} late" if self.days_late else ""
        if self.met:
            return f"reported{late}"
        if self.overdue(now):
            return f"OVERDUE, first report{late}" if late else "OVERDUE"
        return "open" if self.first is None else "first report made, whole report owed"


@dataclass(frozen=True, kw_only=True)
class Incident:
    """An incident as the ledger tells it; `number` is that of the entry that opened it."""

    number: int
    opened_at: dt.datetime
    opened_by: str
    version: int
    content: str
    category: str
    role: Role
    aware_at: dt.datetime
    owner: str
    description: str
    rule: str | None
    alert: str | None
    look: str | None
    decisions_from: dt.datetime
    decisions_until: dt.datetime | None
    deadlines: tuple[IncidentDeadline, ...]
    reports: tuple[Report, ...] = ()
    closed_at: dt.datetime | None = None
    corrective_action: str | None = None
    statement: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed it."""
        return self.closed_at is None

    @property
    def duties(self) -> tuple[Duty, ...]:
        """Its deadlines in the order in which they are to be met, each with how far it is."""
        return tuple(
            Duty(
                deadline=deadline,
                met=any(report.complete for report in self._about(deadline.id)),
                first=min((report.at for report in self._about(deadline.id)), default=None),
            )
            for deadline in self.deadlines
        )

    def overdue(self, now: dt.datetime) -> tuple[Duty, ...]:
        """The deadlines that have passed without the report that they ask for; none once it is closed."""
        return tuple(duty for duty in self.duties if duty.overdue(now)) if self.is_open else ()

    def _about(self, deadline: str) -> list[Report]:
        return [report for report in self.reports if report.deadline == deadline]

    def to_json(self, now: dt.datetime) -> dict[str, Any]:
        """The incident as a JSON value, as of `now`."""
        return {
            "incident": self.number,
            "open": self.is_open,
            "opened_at": times.stamp(self.opened_at),
            "opened_by": self.opened_by,
            "version": self.version,
            "content": self.content,
            "category": self.category,
            "role": self.role,
            "aware_at": times.stamp(self.aware_at),
            "owner": self.owner,
            "description": self.description,
            "rule": self.rule,
            "alert": self.alert,
            "look": self.look,
            "affected": self.affected,
            "deadlines": [
                duty.deadline.model_dump(mode="json") | {"state": duty.state(now)} for duty in self.duties
            ],
            "reports": [
                {"entry": report.entry, "at": times.stamp(report.at), "by": report.by, "to": report.to}
                | {"deadline": report.deadline, "complete": report.complete, "text": report.text}
                for report in self.reports
            ],
            "closed_at": self.closed_at and times.stamp(self.closed_at),
            "corrective_action": self.corrective_action,
            "statement": self.statement,
        }

    @property
    def affected(self) -> dict[str, Any]:
        """The affected decisions as a query over the inference log: version, from, until (None: still)."""
        until = self.decisions_until
        return {
            "version": self.version,
            "from": times.stamp(self.decisions_from),
            "until": until and times.stamp(until),
        }

    def lines(self, now: dt.datetime) -> tuple[str, ...]:
        """The incident in sentences."""
        state = "open" if self.closed_at is None else f"closed {format_time(self.closed_at)}"
        until = "now" if self.decisions_until is None else format_time(self.decisions_until)
        reports = [
            f"{format_time(item.at)} {item.by}{f' to {item.to}' if item.to else ''}: {item.text}"
            for item in self.reports
        ]
        return (
            f"incident {self.number} ({self.category}, {state}): {self.description}",
            f"opened {format_time(self.opened_at)} by {self.opened_by}; owner: {self.owner}",
            f"aware since {format_time(self.aware_at)}, as {self.role}",
            *([f"rule {self.rule}, alert {self.alert}, look {self.look}"] if self.rule else []),
            f"affected: decisions of version {self.version} "
            f"from {format_time(self.decisions_from)} until {until}",
            *(
                f"{duty.state(now)}: report to {duty.deadline.to} by {format_time(duty.due)} "
                f"({duty.deadline.id}; {duty.deadline.source})"
                for duty in self.duties
            ),
            *reports,
            *([f"corrective action: {self.corrective_action}"] if self.corrective_action else []),
            *([f"closing statement: {self.statement}"] if self.statement else []),
        )


def fold(entries: Iterable[Entry]) -> dict[int, Incident]:
    """The incidents of a model by number, from its ledger entries that count."""
    incidents: dict[int, Incident] = {}
    for entry in entries:
        event = entry.read(events.LiveEvent)
        if isinstance(event, events.IncidentEvent):
            incidents[entry.number] = _opened(entry, event)
        elif isinstance(event, events.IncidentReportEvent):
            incidents[event.incident] = _reported(incidents[event.incident], entry, event)
        elif isinstance(event, events.IncidentClosureEvent):
            incidents[event.incident] = replace(
                incidents[event.incident],
                closed_at=entry.at,
                corrective_action=event.corrective_action,
                statement=event.statement,
            )
    return incidents


def _opened(entry: Entry, event: events.IncidentEvent) -> Incident:
    return Incident(
        number=entry.number,
        opened_at=entry.at,
        opened_by=entry.actor,
        version=event.version,
        content=event.content,
        category=event.category,
        role=event.role,
        aware_at=times.parse(event.aware_at),
        owner=event.owner,
        description=event.description,
        rule=event.rule,
        alert=event.alert,
        look=event.look,
        decisions_from=times.parse(event.decisions_from),
        decisions_until=None if event.decisions_until is None else times.parse(event.decisions_until),
        deadlines=event.deadlines,
    )


def _reported(incident: Incident, entry: Entry, event: events.IncidentReportEvent) -> Incident:
    report = Report(
        entry=entry.number,
        at=entry.at,
        by=entry.actor,
        text=event.description,
        deadline=event.deadline,
        to=event.to,
        complete=event.complete,
    )
    until = event.decisions_until
    return replace(
        incident,
        reports=(*incident.reports, report),
        category=event.category or incident.category,
        aware_at=times.parse(event.aware_at) if event.aware_at else incident.aware_at,
        deadlines=incident.deadlines if event.deadlines is None else event.deadlines,
        decisions_until=times.parse(until) if until else incident.decisions_until,
    )


def due(
    listed: Sequence[ReportDeadline], category: str, role: Role, aware_at: dt.datetime
) -> tuple[IncidentDeadline, ...]:
    """The deadlines that bind who has this role in an incident of this category, in the policy's order.

    Those are taken that are in force on the day of becoming aware. Days have 24 hours and begin at that
    moment, which is the strictest reading; 0 days is at once.
    """
    return tuple(
        IncidentDeadline(
            id=deadline.id,
            to=deadline.to,
            due=times.stamp(aware_at + dt.timedelta(days=deadline.days)),
            incomplete_first=deadline.incomplete_first,
            source=deadline.source,
        )
        for deadline in listed
        if category in deadline.incidents and deadline.role == role and deadline.in_force(aware_at.date())
    )


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What opens an incident: see `events.IncidentEvent`. `owner`: None stands for who opens it."""

    version: int
    category: str
    role: Role
    aware_at: dt.datetime
    description: str
    decisions_from: dt.datetime
    decisions_until: dt.datetime | None = None
    owner: str | None = None
    rule: str | None = None
    alert: str | None = None
    look: str | None = None


def open_incident(
    session: LedgerSession, name: str, opening: Opening, listed: Sequence[ReportDeadline]
) -> int:
    """Open an incident; its number. One that this alert opened before, or one of the same rule that is open,
    is not opened again: its number is returned.

    `listed` are the deadlines of the policy. Raises ReleaseRefused without the right to watch,
    ConfigurationError where the version does not exist, the time lies ahead, or the policy knows no such
    category.
    """
    faults.ensure_reason(opening.description)
    session.demand(Right.WATCH, name, f"open an incident of {name}")
    entries = session.entries(name)
    if (number := _repeats(fold(entries).values(), opening)) is not None:
        return number
    proposal = version_record.find_proposal(entries, opening.version)
    if proposal is None:
        raise faults.NEVER_PROPOSED(version=f"{name} version {opening.version}")
    _ensure_past(opening.aware_at, session.now())
    _ensure_category(opening.category, listed)
    optional = {
        "rule": opening.rule,
        "alert": opening.alert,
        "look": opening.look,
        "decisions_until": opening.decisions_until and times.stamp(opening.decisions_until),
    }
    body: dict[str, Any] = {
        "version": opening.version,
        "content": proposal.content,
        "category": opening.category,
        "role": opening.role,
        "aware_at": times.stamp(opening.aware_at),
        "owner": opening.owner or session.acting.person.identity,
        "description": opening.description,
        "decisions_from": times.stamp(opening.decisions_from),
        "deadlines": _bodies(due(listed, opening.category, opening.role, opening.aware_at)),
    }
    body |= {key: value for key, value in optional.items() if value is not None}
    return session.record(session.draft(EntryKind.INCIDENT, name, **body))[0].number


def report(
    session: LedgerSession,
    name: str,
    number: int,
    description: str,
    *,
    deadline: str | None = None,
    complete: bool = False,
    category: str | None = None,
    aware_at: dt.datetime | None = None,
    decisions_until: dt.datetime | None = None,
    listed: Sequence[ReportDeadline] = (),
) -> Incident:
    """Record a report, or without a `deadline` a note; the incident afterwards.

    A `category` or `aware_at` replaces that of before, and sets the deadlines of the policy, `listed`, again.
    A deployer tells who comes first in the policy before the others. Raises ReleaseRefused without the right
    to watch or out of this order, ConfigurationError where there is no such open incident or deadline.
    """
    faults.ensure_reason(description)
    session.demand(Right.WATCH, name, f"report an incident of {name}")
    incident = _open(fold(session.entries(name)), number)
    body: dict[str, Any] = {"incident": number, "version": incident.version, "content": incident.content}
    body |= {"description": description}
    if category is not None or aware_at is not None:
        category, aware_at = category or incident.category, aware_at or incident.aware_at
        _ensure_past(aware_at, session.now())
        _ensure_category(category, listed)
        deadlines = due(listed, category, incident.role, aware_at)
        body |= {"category": category, "aware_at": times.stamp(aware_at), "deadlines": _bodies(deadlines)}
        incident = replace(incident, deadlines=deadlines)
    if deadline is not None:
        body |= {"deadline": deadline, "to": _addressee(incident, deadline), "complete": complete}
    if decisions_until is not None:
        body["decisions_until"] = times.stamp(decisions_until)
    session.record(session.draft(EntryKind.INCIDENT_REPORT, name, **body))
    return fold(session.entries(name))[number]


def close(
    session: LedgerSession, name: str, number: int, *, corrective_action: str, statement: str
) -> Incident:
    """Close an incident whose reports are all made; the incident afterwards.

    Raises ReleaseRefused without the right to watch or while a report is missing, ConfigurationError where
    there is no such open incident.
    """
    for text in (corrective_action, statement):
        faults.ensure_reason(text)
    session.demand(Right.WATCH, name, f"close an incident of {name}")
    session.ensure_sound()
    incident = _open(fold(session.entries(name)), number)
    if missing := [duty.deadline for duty in incident.duties if not duty.met]:
        raise faults.REPORT_MISSING(number=number, to=missing[0].to, deadline=missing[0].id)
    body = {
        "incident": number,
        "version": incident.version,
        "content": incident.content,
        "corrective_action": corrective_action,
        "statement": statement,
    }
    session.record(session.draft(EntryKind.INCIDENT_CLOSURE, name, **body))
    return fold(session.entries(name))[number]


NOT_REPORTABLE = "not_reportable"
"""The category of an incident that no law asks to report; it has no deadlines."""


def _repeats(incidents: Iterable[Incident], opening: Opening) -> int | None:
    """The incident that this opening would only repeat; None where it is a new one."""
    for incident in incidents:
        same_alert = opening.alert is not None and incident.alert == opening.alert
        same_rule = opening.rule is not None and incident.rule == opening.rule and incident.is_open
        if same_alert or (same_rule and incident.version == opening.version):
            return incident.number
    return None


def _open(incidents: dict[int, Incident], number: int) -> Incident:
    incident = incidents.get(number)
    if incident is None or not incident.is_open:
        listed = ", ".join(str(item.number) for item in incidents.values() if item.is_open) or "none"
        raise faults.NO_OPEN_INCIDENT(number=number, listed=listed)
    return incident


def _ensure_past(at: dt.datetime, now: dt.datetime) -> None:
    if at > now + times.SKEW:
        raise faults.AWARE_IN_FUTURE(at=format_time(at))


def _ensure_category(category: str, listed: Sequence[ReportDeadline]) -> None:
    known = {NOT_REPORTABLE, SERIOUS, *(name for deadline in listed for name in deadline.incidents)}
    if category not in known:
        raise faults.UNKNOWN_CATEGORY(category=category, known=", ".join(sorted(known)))


def _addressee(incident: Incident, deadline: str) -> str:
    """To whom a report under this deadline goes, where it is its turn."""
    for duty in incident.duties:
        if duty.deadline.id == deadline:
            return duty.deadline.to
        if incident.role == "deployer" and duty.first is None:
            raise faults.REPORT_OUT_OF_ORDER(to=duty.deadline.to, deadline=duty.deadline.id)
    listed = ", ".join(duty.deadline.id for duty in incident.duties) or "none"
    raise faults.NO_SUCH_DEADLINE(deadline=deadline, listed=listed)


def _bodies(deadlines: Iterable[IncidentDeadline]) -> list[dict[str, Any]]:
    return [deadline.model_dump(mode="json") for deadline in deadlines]
