"""What the monitor knows of a version: its looks, its alerts and incidents, how far its labels are in.

Read from the store and the ledger, for the metrics and the page. Nothing here judges, counts or records.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from clearance import files, wording
from clearance.documents.look_document import Look
from clearance.ledger import Entry
from clearance.monitoring import alerts, faults, looking, report
from clearance.monitoring import metrics as monitor_metrics
from clearance.monitoring.alerts.alert import Alert, IntentKind, State
from clearance.monitoring.alerts.store import Stored
from clearance.monitoring.counting import database, store, sums
from clearance.monitoring.counting.store import VersionKey
from clearance.monitoring.metrics import Incidents, OpenAlert, Watch
from clearance.monitoring.run import MonitorRun
from clearance.policy.monitoring_terms import MonitoringTerms
from clearance.promotion import incidents, restrictions, session
from clearance.promotion.incidents import Incident
from clearance.reporting.monitoring import monitoring_page, trends
from clearance.reporting.monitoring.monitoring_page import AlertLine, IncidentLine, Monitored

DAYS = 366
"""How many days before the newest look the page goes back."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The version that is watched, in the project at `root`, and how its policy has it watched."""

    root: Path
    key: VersionKey
    terms: MonitoringTerms


def watch(subject: Subject, entries: Sequence[Entry], now: dt.datetime) -> Watch:
    """What the metrics show. `entries` are those of the model in the ledger that count.

    Raises TransientError when the store cannot be used, IntegrityError when it is damaged.
    """
    engine, key = database.open(subject.root), subject.key
    looks = store.newest(engine, key)
    listed = alerts.list_alerts(subject.root, active=True)
    return Watch(
        model=key.model,
        version=key.version,
        terms=subject.terms,
        looks=looks,
        looks_taken=store.look_numbers(engine, key),
        label_share=_label_share(engine, key, looks),
        alerts=[_open_alert(alert) for alert, _ in listed],
        incidents=_incidents(incidents.fold(entries).values(), now),
        notices_waiting=sum(_waits(stored) for _, done in listed for stored in done),
    )


def show(
    subject: Subject, entries: Sequence[Entry], now: dt.datetime, looks: Sequence[Look] | None = None
) -> Monitored:
    """What the page shows: the looks of the last `DAYS` days, or those that are given, and what is open.

    Raises as `watch`.
    """
    key = subject.key
    if looks is None:
        stored = store.looks(database.open(subject.root), key.model, version=key.version)
        looks = [item.look for item in stored]
    restriction = restrictions.find(entries, key.version)
    return Monitored(
        model=key.model,
        version=key.version,
        terms=subject.terms,
        looks=_recent([look for look in looks if VersionKey.of_look(look) == key]),
        alerts=[_alert_line(alert) for alert, _ in alerts.list_alerts(subject.root, active=True)],
        incidents=[
            _incident_line(incident, now)
            for incident in incidents.fold(entries).values()
            if incident.is_open and incident.version == key.version
        ],
        restrictions=restriction.lines() if restriction else (),
    )


def write(
    root: Path,
    result: MonitorRun,
    *,
    page: Path | None = None,
    metrics: Path | None = None,
    again: bool = False,
) -> None:
    """Write the page and the metrics of the newest version, each where a file is given.

    `again`: the run judged windows again under another policy, and the page shows these looks. Raises as
    `watch`, and ConfigurationError when the policy does not say how the version is watched.
    """
    if page is None and metrics is None:
        return
    if result.terms is None:
        raise faults.NO_TERMS(policy=f"the policy of version {result.newest.version}")
    subject = Subject(root=root, key=result.newest, terms=result.terms)
    with session.open_read_only(root) as reader:
        entries = reader.entries(result.model)
    now = dt.datetime.now(dt.UTC)
    if page is not None:
        shown = show(subject, entries, now, result.looks if again else None)
        if result.pending is not None:
            shown = replace(shown, waiting=report.waiting(result.pending))
        files.write_text(page, monitoring_page.render(shown))
    if metrics is not None:
        monitor_metrics.write(metrics, watch(subject, entries, now))


def _recent(looks: Sequence[Look]) -> list[Look]:
    """The looks at windows that end in the last `DAYS` days before the end of the newest one."""
    if not looks:
        return []
    ends = [dt.datetime.fromisoformat(look.window.end) for look in looks]
    first = max(ends) - dt.timedelta(days=DAYS)
    return [look for look, end in zip(looks, ends, strict=True) if end > first]


def _label_share(engine: sa.Engine, key: VersionKey, looks: Sequence[Look]) -> float | None:
    """The share of labels in the newest window, of the shortest period, where they are due; None: none."""
    due = [look for (_, side), look in trends.newest(looks).items() if side == "labels"]
    if not due:
        return None
    start, end = (dt.datetime.fromisoformat(moment) for moment in (due[0].window.start, due[0].window.end))
    days = store.days(engine, key, start, end, dt.datetime.date).values()
    return looking.label_share(sums.add([sums.empty(), *(day.counts for day in days)]))


def _open_alert(alert: Alert) -> OpenAlert:
    severity: Literal["serious", "warn"] = "serious" if alert.serious else "warn"
    return OpenAlert(rule=alert.rule, severity=severity, taken=alert.state is State.TAKEN)


def _waits(stored: Stored) -> bool:
    """Whether it is a notice that was tried and that nobody received."""
    return stored.intent.kind is IntentKind.NOTICE and stored.done is None and stored.attempts > 0


def _incidents(opened: Iterable[Incident], now: dt.datetime) -> Incidents:
    known = [incident for incident in opened if incident.is_open]
    ahead = [duty.due for incident in known for duty in incident.duties if not duty.met and duty.due > now]
    return Incidents(
        open=len(known),
        overdue=sum(bool(incident.overdue(now)) for incident in known),
        next_deadline=min(ahead, default=None),
    )


def _alert_line(alert: Alert) -> AlertLine:
    state = f"taken by {alert.taken_by}" if alert.state is State.TAKEN else str(alert.state)
    text = "; ".join(alert.facts) or f"failed in {wording.counted(alert.looks, 'look')}"
    return AlertLine(rule=alert.rule, state=state, since=alert.since[:10], text=text)


def _incident_line(incident: Incident, now: dt.datetime) -> IncidentLine:
    return IncidentLine(
        number=incident.number,
        state="open" if incident.is_open else "closed",
        owner=incident.owner,
        lines=incident.lines(now),
        overdue=bool(incident.overdue(now)),
    )
