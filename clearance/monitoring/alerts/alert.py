"""An alert: one for each rule and model, from the first failed look until nothing fails any more. Pure.

    (none) ──fails──→ open ──a person takes it──→ taken ──`resolve_looks` clean looks──→ resolved
                       └────────────────────────────────────────────────────────────────↗

What follows from a change of an alert are intents; nothing here sends, records or reads a clock.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from clearance import canonical_json
from clearance.documents import monitoring_catalogue
from clearance.documents.look_document import LiveFinding, Look
from clearance.documents.measurement import Outcome
from clearance.policy.monitoring_terms import MonitoringTerms

ID = 16
"""Characters of an alert's id."""
NO_NEW_MODEL = "no new model"
"""How the result of a retraining begins that made none: it does not count against the policy's budget."""


class State(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    TAKEN = "taken"
    RESOLVED = "resolved"


class IntentKind(StrEnum):
    """What is to be done because of an alert, in the order in which it is done."""

    RESTRICTION = "restriction"
    INCIDENT = "incident"
    EVENT = "event"
    NOTICE = "notice"
    RETRAINING = "retraining"


@dataclass(frozen=True, kw_only=True)
class Intent:
    """One thing to be done exactly once. `id` is derived from the alert, so it cannot be wanted twice.

    `body` is all that it takes. Nothing is done before `due`.
    """

    id: str
    alert: str
    model: str
    kind: IntentKind
    body: Mapping[str, Any]
    due: dt.datetime


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A rule of a model that failed. `rule` may be one of the monitor's own, such as `incident-overdue`.

    `since` and `until` span the failing windows (UTC, as in looks); `subjects` are those that failed
    since it opened; `looks` counts the failing looks, `clean` those without a failure since the last. `look`
    is the digest of the last failing one, `facts` says in sentences what it found. `serious`, `on_fail` and
    `retrain` are the rule's. `repeats` counts notices that it still fails.
    """

    id: str
    model: str
    rule: str
    version: int
    content: str
    state: State
    serious: bool
    on_fail: Literal["record", "alert", "hold", "stop"]
    retrain: bool
    opened_at: str
    since: str
    until: str
    subjects: tuple[str, ...]
    look: str
    facts: tuple[str, ...]
    looks: int = 1
    clean: int = 0
    taken_by: str | None = None
    taken_at: str | None = None
    resolved_at: str | None = None
    resolution: str | None = None
    notified_at: str | None = None
    repeats: int = 0
    escalated_at: str | None = None
    retrained_at: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it is not resolved."""
        return self.state is not State.RESOLVED

    @property
    def is_told(self) -> bool:
        """Whether people are notified: not of a rule whose failures are only recorded."""
        return self.on_fail != "record"

    def to_json(self) -> dict[str, Any]:
        """The alert as a JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Alert:
        """Read an alert back."""
        lists = {name: tuple(data[name]) for name in ("subjects", "facts")}
        return cls(**{**data, **lists, "state": State(data["state"])})


@dataclass(frozen=True, kw_only=True)
class Change:
    """An alert after something happened; `news` says what people hear: `opened`, `resolved`, ... or nothing.

    `superseded` is the alert that it takes the place of, resolved: the rule now fails for another version.
    """

    alert: Alert
    superseded: Alert | None = None
    news: Literal["opened", "repeated", "escalated", "resolved"] | None = None


def digest(look: Look) -> str:
    """The SHA-256 of a look as canonical JSON: by it, entries of the ledger name a look."""
    return hashlib.sha256(canonical_json.text_v1(look.to_json()).encode()).hexdigest()


def make_id(*parts: object) -> str:
    """The id of an alert from what makes it that one: made again from the same looks, it is the same."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:ID]


def worst(findings: Sequence[LiveFinding]) -> list[LiveFinding]:
    """The failed ones among the findings of a rule, the most certain first."""
    failed = [finding for finding in findings if finding.outcome is Outcome.FAIL]
    return sorted(
        failed, key=lambda item: (1.0 if item.p_value is None else item.p_value, item.subject or "")
    )


def after_look(
    alert: Alert | None, look: Look, findings: Sequence[LiveFinding], terms: MonitoringTerms, now: dt.datetime
) -> Change | None:
    """The alert of a rule after a look, whose `findings` are those of this rule; None: nothing changed.

    `alert` is the latest of this rule, active or resolved. A failing window that overlaps those of a resolved
    alert is the same cause: a week with a day that has alarmed says nothing new. A later window of another
    version opens an alert of its own.
    """
    failed = worst(findings)
    if failed:
        return _after_failure(alert, look, failed, now)
    is_later = alert is not None and alert.is_active and look.window.start >= alert.until
    if alert is None or not is_later or not _is_clean(alert, look, findings):
        return None
    clean = replace(alert, clean=alert.clean + 1)
    if clean.clean < terms.alerts.resolve_looks:
        return Change(alert=clean)
    why = f"{clean.clean} looks in a row without a failure"
    return Change(alert=resolved(clean, why, now), news="resolved")


def _after_failure(
    alert: Alert | None, look: Look, failed: Sequence[LiveFinding], now: dt.datetime
) -> Change | None:
    if alert is None:
        return Change(alert=_opened(look, failed, now), news="opened")
    is_same_version, window = alert.version == look.version, look.window
    if alert.is_active and is_same_version:
        return Change(alert=_failing_again(alert, look, failed))
    if alert.is_active and window.end <= alert.until:
        return None  # an old window of another version, which labels or corrections had judged again
    if is_same_version and window.start < alert.until and window.end > alert.since:
        return Change(alert=replace(alert, looks=alert.looks + 1))
    old = resolved(alert, f"version {look.version} decides now", now) if alert.is_active else None
    return Change(alert=_opened(look, failed, now), superseded=old, news="opened")


def _opened(look: Look, failed: Sequence[LiveFinding], now: dt.datetime) -> Alert:
    first, window = failed[0], look.window
    return Alert(
        id=make_id(look.model, first.rule, look.version, window.period, window.start),
        model=look.model,
        rule=first.rule,
        version=look.version,
        content=look.content,
        state=State.OPEN,
        serious=first.severity == "serious",
        on_fail=first.on_fail,
        retrain=first.retrain,
        opened_at=stamp(now),
        since=window.start,
        until=window.end,
        subjects=_subjects(failed),
        look=digest(look),
        facts=tuple(describe(finding) for finding in failed),
    )


def _failing_again(alert: Alert, look: Look, failed: Sequence[LiveFinding]) -> Alert:
    first = failed[0]
    return replace(
        alert,
        version=look.version,
        content=look.content,
        serious=alert.serious or first.severity == "serious",
        on_fail=first.on_fail,
        retrain=first.retrain,
        since=min(alert.since, look.window.start),
        until=max(alert.until, look.window.end),
        subjects=tuple(dict.fromkeys([*alert.subjects, *_subjects(failed)])),
        look=digest(look),
        facts=tuple(describe(finding) for finding in failed),
        looks=alert.looks + 1,
        clean=0,
    )


def _is_clean(alert: Alert, look: Look, findings: Sequence[LiveFinding]) -> bool:
    """Whether everything that failed passes now: what nobody could judge proves nothing.

    Another version need not have every feature that failed; of those it has, all must pass.
    """
    passed = {finding.subject or "" for finding in findings if finding.outcome is Outcome.PASS}
    failed = set(alert.subjects)
    if look.version != alert.version:
        failed &= {finding.subject or "" for finding in findings}
    return bool(passed) and failed <= passed


def _subjects(failed: Sequence[LiveFinding]) -> tuple[str, ...]:
    return tuple(finding.subject or "" for finding in failed)


def resolved(alert: Alert, why: str, now: dt.datetime) -> Alert:
    """The alert, resolved."""
    return replace(alert, state=State.RESOLVED, resolved_at=stamp(now), resolution=why)


def taken(alert: Alert, identity: str, now: dt.datetime) -> Alert:
    """The alert in the hands of a person."""
    return replace(alert, state=State.TAKEN, taken_by=identity, taken_at=stamp(now))


def after_time(alert: Alert, terms: MonitoringTerms, now: dt.datetime) -> Change | None:
    """The alert after some time: told again, or to others because nobody took it; None: not yet."""
    if not (alert.is_active and alert.is_told) or alert.notified_at is None:
        return None
    opened, notified = parse(alert.opened_at), parse(alert.notified_at)
    escalates = alert.state is State.OPEN and terms.alerts.escalate_to and alert.escalated_at is None
    if escalates and now - opened >= dt.timedelta(hours=terms.alerts.escalate_hours):
        return Change(alert=replace(alert, escalated_at=stamp(now)), news="escalated")
    if alert.state is State.OPEN and now - notified >= dt.timedelta(hours=terms.alerts.repeat_hours):
        return Change(alert=replace(alert, repeats=alert.repeats + 1), news="repeated")
    return None


def describe(finding: LiveFinding) -> str:
    """What a failed finding says: figure, subject, limit and rows, and no value of the data."""
    subject = "" if finding.subject is None else f" of {finding.subject}"
    bounds = [
        *([f"at least {finding.at_least:g}"] if finding.at_least is not None else []),
        *([f"at most {finding.at_most:g}"] if finding.at_most is not None else []),
    ]
    value = "not defined" if finding.value is None else f"{finding.value:.4g}"
    if finding.low is not None and finding.high is not None:
        value += f" (95 % interval {finding.low:.4g} to {finding.high:.4g})"
    figure = f"{finding.metric}{subject} ({monitoring_catalogue.METRICS[finding.metric].text})"
    return f"{figure} is {value}; allowed is {' and '.join(bounds)}; {finding.rows:,} rows"


def stamp(at: dt.datetime) -> str:
    """A time as alerts hold it: UTC, to the second."""
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> dt.datetime:
    """The time that `stamp` or a window wrote."""
    return dt.datetime.fromisoformat(text)
