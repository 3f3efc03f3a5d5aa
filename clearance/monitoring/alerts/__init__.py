"""Alerts: what follows from looks. One alert for each rule and model, whatever is killed in between.

    look → react → alert + intents (one transaction) → deliver → ledger, people, Prefect, pipeline

`react` decides and writes down what is to be done; `deliver` does it, at least once, and each effect makes
that once (see `actions`). Nothing here promotes.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from clearance import params, paths
from clearance.documents.look_document import LiveFinding, Look
from clearance.errors import ClearanceError
from clearance.monitoring.alerts import actions as actions_
from clearance.monitoring.alerts import alert as alerts_
from clearance.monitoring.alerts import conditions, faults, intents, store
from clearance.monitoring.alerts.actions import Actions
from clearance.monitoring.alerts.alert import NO_NEW_MODEL, Alert, Change, Intent, IntentKind, stamp
from clearance.monitoring.alerts.store import Stored
from clearance.monitoring.counting import database
from clearance.policy.monitoring_terms import MonitoringTerms
from clearance.promotion import monitoring_policy

logger = logging.getLogger(__name__)

__all__ = [
    "Alert",
    "Reaction",
    "Stored",
    "attend",
    "deliver",
    "list_alerts",
    "react",
    "resolve",
    "retrain",
    "take",
]


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """What looks, or some time, led to: the alerts that changed, and what was done and could not be done.

    `done` and `failed` are sentences by the id of the intent.
    """

    changes: tuple[Change, ...] = ()
    done: tuple[tuple[str, str], ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    def news(self, kind: str) -> tuple[Alert, ...]:
        """The alerts about which this is new: `opened`, `repeated`, `escalated` or `resolved`."""
        return tuple(change.alert for change in self.changes if change.news == kind)

    def lines(self) -> list[str]:
        """What happened, a sentence each."""
        return [
            *(
                f"alert {item.alert.id} ({item.alert.rule}): {item.news}"
                for item in self.changes
                if item.news
            ),
            *(f"{_in_words(id_)}: {result}" for id_, result in self.done),
            *(f"{_in_words(id_)} waits: {fault}" for id_, fault in self.failed),
        ]


def _in_words(intent: str) -> str:
    """An intent by what its id says: alert a1, notice of `opened` to an address, or another kind."""
    alert, kind, rest = intent.split(".", 2)
    kinds = {IntentKind.RESTRICTION, IntentKind.INCIDENT, IntentKind.EVENT, IntentKind.RETRAINING}
    what = kind if kind in kinds else f"notice ({kind}) to ${rest}"
    return f"alert {alert}, {what}"


def react(
    root: Path,
    look: Look,
    terms: MonitoringTerms | None = None,
    *,
    now: dt.datetime | None = None,
    actions: Actions | None = None,
) -> Reaction:
    """Draw the consequences of a look, once: open, continue or resolve alerts, and do what follows.

    `terms` are those of the project's policy by default. Raises TransientError when the store cannot be used,
    ConfigurationError when the policy does not say how to watch; an effect that fails waits for `attend`.
    """
    now, terms, engine = now or _now(), terms or _terms(root), database.open(root)
    model = actions_.trained_model(root) if any(finding.retrain for finding in look.findings) else None
    with database.transaction(engine) as connection:
        changes = _after_look(connection, look, terms, now, model)
    done = _deliver(engine, look.model, now, actions or Actions.of(root))
    return replace(done, changes=changes)


def attend(
    root: Path,
    terms: MonitoringTerms | None = None,
    *,
    now: dt.datetime | None = None,
    actions: Actions | None = None,
) -> Reaction:
    """Do what time asks for: repeat, escalate, send what could not be sent, watch permissions and deadlines.

    Raises as `react` does.
    """
    now, terms, name = now or _now(), terms or _terms(root), _model(root)
    engine = database.open(root)
    present = conditions.present(root, terms.alerts, now)
    with database.transaction(engine) as connection:
        changes = [*_after_conditions(connection, name, present, terms, now)]
        for alert in store.alerts(connection, name, active=True):
            if (change := alerts_.after_time(alert, terms, now)) is not None:
                changes += _write(connection, change, terms, now)
    done = _deliver(engine, name, now, actions or Actions.of(root))
    return replace(done, changes=tuple(changes))


def deliver(
    root: Path, model: str, *, now: dt.datetime | None = None, actions: Actions | None = None
) -> Reaction:
    """Do what waits and is due. Nothing, where another process is at it.

    What fails is put off, with longer and longer pauses, and never given up.
    """
    return _deliver(database.open(root), model, now or _now(), actions or Actions.of(root))


def _deliver(engine: sa.Engine, model: str, now: dt.datetime, actions: Actions) -> Reaction:
    done, failed = list[tuple[str, str]](), list[tuple[str, str]]()
    for lock, kinds in _LOCKS:
        with store.alone(engine, lock) as allowed:
            for item in _due(engine, model, kinds, now) if allowed else ():
                intent = item.intent
                try:
                    result = actions.by_kind[intent.kind](intent.id, intent.body)
                except ClearanceError as error:
                    pause = actions_.next_attempt(item.attempts, error)
                    store.put_off(engine, intent.id, error.fault, now + pause)
                    failed.append((intent.id, error.fault))
                    continue
                if result is None:
                    store.put_off(engine, intent.id, _HANDED_ON, now + actions_.HANDED_ON)
                else:
                    _finish(engine, intent, result, now)
                    done.append((intent.id, result))
    return Reaction(done=tuple(done), failed=tuple(failed))


_HANDED_ON = "handed to Prefect"
_LOCKS = (
    ("alerts", frozenset(IntentKind) - {IntentKind.RETRAINING}),
    ("retraining", frozenset({IntentKind.RETRAINING})),
)
"""A retraining has a lock of its own: it takes long, and holds up no notice."""


def _due(engine: sa.Engine, model: str, kinds: frozenset[IntentKind], now: dt.datetime) -> list[Stored]:
    with database.transaction(engine) as connection:
        return [item for item in store.waiting(connection, model, now) if item.intent.kind in kinds]


def retrain(root: Path, id_: str, *, now: dt.datetime | None = None) -> str:
    """Run the pipeline for the retraining with this id, unless it is done; what came of it.

    Raises ConfigurationError where nobody asked for it, BusyError while another process is at it,
    UnavailableError when the pipeline reached no verdict.
    """
    engine = database.open(root)
    with store.alone(engine, "retraining") as allowed:
        if not allowed:
            raise faults.RETRAINING_UNDER_WAY()
        with database.transaction(engine) as connection:
            wanted = {item.intent.id: item for item in store.retrainings(connection, _model(root))}
        if id_ not in wanted:
            raise faults.NO_SUCH_RETRAINING(id=id_)
        if wanted[id_].done is not None:
            return wanted[id_].result
        result = actions_.train(root, wanted[id_].intent.body)
        _finish(engine, wanted[id_].intent, result, now or _now())
    return result


def _finish(engine: sa.Engine, intent: Intent, result: str, now: dt.datetime) -> None:
    """Note that an intent is done; people who have just been told of an alert need no repeat for a while."""
    with database.transaction(engine) as connection:
        store.settle(connection, intent.id, result, now)
        alert = store.find(connection, intent.alert) if intent.kind is IntentKind.NOTICE else None
        if alert is not None:
            store.save(connection, replace(alert, notified_at=stamp(now)))


def take(root: Path, id_: str, identity: str, *, now: dt.datetime | None = None) -> Alert:
    """Put an alert into the hands of a person. Raises ConfigurationError when no such alert is active."""
    now = now or _now()
    with database.transaction(database.open(root)) as connection:
        alert = alerts_.taken(_active(connection, id_), identity, now)
        store.save(connection, alert)
    return alert


def resolve(
    root: Path,
    id_: str,
    why: str,
    terms: MonitoringTerms | None = None,
    *,
    now: dt.datetime | None = None,
) -> Alert:
    """Resolve an alert because a person says so. Raises ConfigurationError when no such alert is active."""
    now, terms = now or _now(), terms or _terms(root)
    with database.transaction(database.open(root)) as connection:
        alert = alerts_.resolved(_active(connection, id_), why, now)
        _write(connection, Change(alert=alert, news="resolved"), terms, now)
    return alert


def list_alerts(root: Path, *, active: bool = False) -> list[tuple[Alert, list[Stored]]]:
    """The alerts of the project's model, the newest first, each with its intents."""
    with database.transaction(database.open(root)) as connection:
        listed = store.alerts(connection, _model(root), active=active)
        return [(alert, store.of_alert(connection, alert.id)) for alert in listed]


def _after_look(
    connection: sa.Connection, look: Look, terms: MonitoringTerms, now: dt.datetime, model: str | None
) -> tuple[Change, ...]:
    """The changes by a look; `model` is the digest of the model that was trained last."""
    digest = alerts_.digest(look)
    if store.is_reacted(connection, look.model, digest):
        return ()
    changes: list[Change] = []
    for rule, findings in _by_rule(look.findings).items():
        latest = store.latest(connection, look.model, rule)
        change = alerts_.after_look(latest, look, findings, terms, now)
        if change is not None:
            changes += _write(connection, change, terms, now, look=look, model=model)
    store.note_reaction(connection, look.model, digest, now)
    return tuple(changes)


def _by_rule(findings: Iterable[LiveFinding]) -> dict[str, list[LiveFinding]]:
    by_rule = defaultdict[str, list[LiveFinding]](list)
    for finding in findings:
        by_rule[finding.rule].append(finding)
    return by_rule


def _after_conditions(
    connection: sa.Connection,
    model: str,
    present: conditions.Conditions,
    terms: MonitoringTerms,
    now: dt.datetime,
) -> list[Change]:
    """Alerts for what is not judged by looks: permissions that end, reports that are late."""
    changes: list[Change] = []
    for condition in present.alerts:
        if store.find(connection, condition.id) is None:
            changes += _write(connection, Change(alert=condition, news="opened"), terms, now)
    ids = {condition.id for condition in present.alerts}
    for alert in store.alerts(connection, model, active=True):
        if alert.rule in present.looked_for and alert.id not in ids:
            gone = alerts_.resolved(alert, "the cause has ended", now)
            changes += _write(connection, Change(alert=gone, news="resolved"), terms, now)
    return changes


def _write(
    connection: sa.Connection,
    change: Change,
    terms: MonitoringTerms,
    now: dt.datetime,
    *,
    look: Look | None = None,
    model: str | None = None,
) -> list[Change]:
    """Write an alert and what is to be done because of it."""
    alert, sentence = change.alert, ""
    unsent = _unsent(connection, alert.id)
    if change.news == "repeated" and unsent:
        return []  # what people have not been told yet need not be repeated
    for ended in [change.superseded, alert]:
        if ended is not None and not ended.is_active:
            _give_up_retraining(connection, ended.id, now)
    if change.superseded is not None:
        store.save(connection, change.superseded)
    if look is not None and alert.is_active and alert.clean == 0:
        for intent in intents.consequences(alert, look, now):
            store.want(connection, intent, now)
        earlier = store.retrainings(connection, alert.model)
        wanted, sentence = intents.retraining(alert, earlier, terms.retraining, now, model)
        if wanted is not None and store.want(connection, wanted, now):
            alert = replace(alert, retrained_at=stamp(now))
    silent = _drop_silenced(connection, unsent, now) if change.news == "resolved" else set()
    for intent in intents.messages(replace(change, alert=alert), terms, now, sentence):
        if intent.body["to"] not in silent:
            store.want(connection, intent, now)
        alert = replace(alert, notified_at=stamp(now))
    store.save(connection, alert)
    return [replace(change, alert=alert)]


def _unsent(connection: sa.Connection, alert: str) -> list[Stored]:
    """The notices of an alert that nobody has received."""
    stored = store.of_alert(connection, alert)
    return [item for item in stored if item.intent.kind is IntentKind.NOTICE and item.done is None]


def _give_up_retraining(connection: sa.Connection, alert: str, now: dt.datetime) -> None:
    """Give up a retraining that still waits when its alert ends; one under way at Prefect goes on."""
    for item in store.of_alert(connection, alert):
        waits = item.done is None and item.result != _HANDED_ON
        if item.intent.kind is IntentKind.RETRAINING and waits:
            store.settle(connection, item.intent.id, f"{NO_NEW_MODEL}: its alert is resolved", now)


def _drop_silenced(connection: sa.Connection, unsent: Iterable[Stored], now: dt.datetime) -> set[str]:
    """Give up notices that maintenance kept back; returns the addresses that heard nothing."""
    silenced = [item.intent for item in unsent if not item.attempts and item.intent.due > now]
    for intent in silenced:
        store.settle(connection, intent.id, "not sent: resolved during maintenance", now)
    return {str(intent.body["to"]) for intent in silenced}


def _active(connection: sa.Connection, id_: str) -> Alert:
    alert = store.find(connection, id_)
    if alert is None or not alert.is_active:
        raise faults.NO_SUCH_ALERT(id=id_)
    return alert


def _terms(root: Path) -> MonitoringTerms:
    terms = monitoring_policy.terms(root)
    if terms is None:
        raise faults.NO_MONITORING(name=_model(root))
    return terms


def _model(root: Path) -> str:
    return params.load(root / paths.PARAMS).name


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
