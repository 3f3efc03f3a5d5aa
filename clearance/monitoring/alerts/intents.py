"""What an alert leads to: a restriction, an incident, an event, notices, a retraining. Pure.

Each intent has an id made of the alert's, so that what is wanted twice is one intent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from clearance.documents.look_document import Look
from clearance.monitoring.alerts import notices
from clearance.monitoring.alerts.alert import Alert, Change, Intent, IntentKind, parse, stamp
from clearance.monitoring.alerts.notices import News
from clearance.monitoring.alerts.store import Stored
from clearance.policy.monitoring_terms import MaintenanceWindow, MonitoringTerms, RetrainingTerms


def consequences(alert: Alert, look: Look, now: dt.datetime) -> Iterator[Intent]:
    """What a failing rule leads to beside notices and retraining: in force at once, also in maintenance."""
    about = {"rule": alert.rule, "version": alert.version, "alert": alert.id, "look": alert.look}
    about |= {"facts": list(alert.facts)}
    if alert.on_fail in ("hold", "stop"):
        body = about | {"mode": alert.on_fail}
        yield _intent(alert, IntentKind.RESTRICTION, alert.on_fail, body, now)
    if alert.serious:
        body = about | {"aware_at": stamp(now), "decisions_from": alert.since}
        yield _intent(alert, IntentKind.INCIDENT, "opened", body, now)
    body = about | {"policy": look.policy, "policy_sha256": look.policy_sha256, "serious": alert.serious}
    yield _intent(alert, IntentKind.EVENT, "failed", body, now)


def retraining(
    alert: Alert, earlier: Sequence[Stored], terms: RetrainingTerms, now: dt.datetime, model: str | None
) -> tuple[Intent | None, str]:
    """The retraining that an alert asks for, and a sentence about it; None where none may start now.

    One an alert and one at a time; at most one in the cool-down, and a number a year: `earlier` are those of
    the model, and those that made none do not count. `model` is the digest of the last one trained.
    """
    if not alert.retrain:
        return None, ""
    if alert.retrained_at is not None:
        return None, f"A retraining was asked for at {alert.retrained_at}."
    if waiting := [item for item in earlier if item.done is None]:
        return None, f"No retraining now: the one that was asked for at {waiting[0].created} has not ended."
    trained = [parse(item.done) for item in earlier if item.done and item.made_a_model]
    year = [at for at in trained if at > now - dt.timedelta(days=365)]
    if trained and (free := max(trained) + dt.timedelta(days=terms.cool_down_days)) > now:
        return (
            None,
            f"No retraining before {stamp(free)}: the last one ended at {stamp(max(trained))}.",
        )
    if len(year) >= terms.most_a_year:
        return None, f"No retraining: the policy allows {terms.most_a_year} a year."
    body = {"alert": alert.id, "rule": alert.rule, "version": alert.version}
    body |= {"since": alert.since, "until": alert.until, "model_sha256": model}
    body |= {"waits_for_window": terms.window_share is not None}
    intent = _intent(alert, IntentKind.RETRAINING, "run", body, now)
    return intent, _ASKED if terms.window_share is None else _WAITS


_ASKED = "A new model is trained and judged; it is promoted only by gate and approvals, as always."
_WAITS = f"{_ASKED} Training waits until the source has labels of the drifted window."


def messages(
    change: Change, terms: MonitoringTerms, now: dt.datetime, about_retraining: str = ""
) -> Iterator[Intent]:
    """The notices of a change, one for each address; during maintenance they wait for its end."""
    alert, news = change.alert, change.news
    if news is None or not alert.is_told:
        return
    to = terms.alerts.escalate_to if news == "escalated" else terms.alerts.to
    due = max([now, *(window.end for window in maintenance(alert.rule, terms.maintenance, now))])
    label = f"{news}-{alert.repeats}" if news == "repeated" else news
    for address in dict.fromkeys(to):
        id_ = f"{alert.id}.{label}.{address}"
        notice = notices.compose(alert, news, id_, about_retraining)
        body = {"to": address, "news": news, "title": notice.title, "body": notice.body}
        yield Intent(id=id_, alert=alert.id, model=alert.model, kind=IntentKind.NOTICE, body=body, due=due)


def maintenance(rule: str, windows: Sequence[MaintenanceWindow], now: dt.datetime) -> list[MaintenanceWindow]:
    """The maintenance windows that silence a rule now."""
    return [
        window
        for window in windows
        if window.start <= now < window.end and (not window.rules or rule in window.rules)
    ]


def _intent(alert: Alert, kind: IntentKind, label: str, body: dict[str, object], now: dt.datetime) -> Intent:
    id_ = f"{alert.id}.{kind}.{label}"
    return Intent(id=id_, alert=alert.id, model=alert.model, kind=kind, body=body, due=now)


__all__ = ["News", "consequences", "maintenance", "messages", "retraining"]
