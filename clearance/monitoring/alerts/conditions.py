"""What alarms beside looks: a permission that ends or has ended, a late report, an unsound ledger.

Read from the ledger; nothing is recorded. Each condition is an alert by a rule of the monitor's own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clearance import params, paths
from clearance.errors import ClearanceError
from clearance.monitoring.alerts.alert import Alert, State, make_id, stamp
from clearance.policy.monitoring_terms import AlertTerms
from clearance.promotion import incidents, lapse, session, version_record
from clearance.promotion.session import ReadOnlySession

ENDS, LAPSED, OVERDUE, AWAY = "override-ends", "permission-lapsed", "incident-overdue", "ledger-unsound"


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The alerts that hold now, and the rules that could be looked for: others say nothing."""

    alerts: tuple[Alert, ...]
    looked_for: frozenset[str]


def present(root: Path, terms: AlertTerms, now: dt.datetime) -> Conditions:
    """What holds now. A ledger that is away or unsound is a condition of its own, and ends no other."""
    name = params.load(root / paths.PARAMS).name
    try:
        with session.open_read_only(root) as reader:
            reader.ensure_sound()
            alerts = (*_permission(reader, name, terms, now), *_overdue(reader, name, now))
    except ClearanceError as error:
        about = _About(model=name, version=0, content="", now=now)
        away = _alert(about, AWAY, f"The ledger cannot be relied on: {error.fault}", error.code)
        return Conditions(alerts=(away,), looked_for=frozenset({AWAY}))
    return Conditions(alerts=alerts, looked_for=frozenset({ENDS, LAPSED, OVERDUE, AWAY}))


def _permission(reader: ReadOnlySession, name: str, terms: AlertTerms, now: dt.datetime) -> Iterator[Alert]:
    """The champion's permission: an override that ends soon, or what has ended or was withdrawn."""
    entries = reader.entries(name)
    tenure = version_record.champion(entries, name)
    if tenure is None:
        return
    record = version_record.fold(entries, name, tenure.version, reader.roles)
    about = _About(model=name, version=tenure.version, content=tenure.content or "", now=now)
    if (why := lapse.find(record, reader.roles, now)) is not None:
        fact = f"What allowed version {tenure.version} to decide has ended: {why}"
        yield _alert(about, LAPSED, fact, tenure.number, why)
        return
    ends = lapse.ends_at(record, reader.roles)
    if ends is not None and ends - now <= dt.timedelta(days=terms.permission_days):
        fact = f"The override that version {tenure.version} rests on ends at {stamp(ends)}"
        yield _alert(about, ENDS, fact, tenure.number, stamp(ends))


def _overdue(reader: ReadOnlySession, name: str, now: dt.datetime) -> Iterator[Alert]:
    """Reports of incidents that are late."""
    for incident in incidents.fold(reader.entries(name)).values():
        about = _About(model=name, version=incident.version, content=incident.content, now=now)
        for duty in incident.overdue(now):
            fact = (
                f"Incident {incident.number}: the report to {duty.deadline.to} was due at {stamp(duty.due)} "
                f"({duty.deadline.source})"
            )
            key = (incident.number, duty.deadline.id, duty.deadline.due)
            yield _alert(about, OVERDUE, fact, *key)


@dataclass(frozen=True, kw_only=True)
class _About:
    """The version that a condition is about, and the moment."""

    model: str
    version: int
    content: str
    now: dt.datetime


def _alert(about: _About, rule: str, fact: str, *key: object) -> Alert:
    """The alert of a condition; `key` tells it from others of the same rule."""
    at = stamp(about.now)
    return Alert(
        id=make_id(about.model, rule, about.version, *key),
        model=about.model,
        rule=rule,
        version=about.version,
        content=about.content,
        state=State.OPEN,
        serious=rule in (LAPSED, OVERDUE),
        on_fail="alert",
        retrain=False,
        opened_at=at,
        since=at,
        until=at,
        subjects=(),
        look="",
        facts=(fact,),
    )
