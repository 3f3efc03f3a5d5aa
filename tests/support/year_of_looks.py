"""Looks at a version in use, made up: a year of them, with features that drift when the test says so."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clearance.documents import monitoring_catalogue
from clearance.documents.look_document import LiveFinding, Look, Window
from clearance.documents.measurement import Outcome
from clearance.monitoring.metrics import Watch
from clearance.policy import judgement
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms

FIRST = dt.date(2025, 12, 1)
LEVELS = {"day": 0.05 / 3 / 366, "week": 0.05 / 3 / 53, "month": 0.05 / 3 / 12, "batch": 0.05}
SHA = "ab" * 32


def rule(name: str, metric: str, **more: Any) -> dict[str, Any]:
    """A live rule as it stands in a policy."""
    base = {"kind": "engineering", "source": f"source of {name}", "valid_from": "2025-01-01"}
    return base | {"id": name, "metric": metric, "limit": {"at_most": 0.1}} | more


RULES: tuple[dict[str, Any], ...] = (
    rule("stable inputs", "drift.psi", on_fail="alert", retrain=True),
    rule("no missing values", "data.missing_excess", limit={"at_most": 0.01}),
    rule(
        "parity",
        "fairness.demographic_parity_difference",
        attributes=["sex", "race & sex"],
        severity="serious",
        on_fail="hold",
        minimum_support=30,
    ),
    rule("accuracy", "performance.roc_auc", limit={"at_least": 0.7}, severity="serious", on_fail="stop"),
    rule("schema", "data.schema_violations", limit={"at_most": 0}, severity="serious", on_fail="alert"),
)


def terms(*rules: Mapping[str, Any], **changes: Any) -> MonitoringTerms:
    """The monitoring section of a policy with these rules; without any, with `RULES`."""
    return MonitoringTerms.model_validate({"rules": list(rules) or list(RULES)} | changes)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """From this day on, the effect of a rule for a subject is this; until `end`, if there is one."""

    rule: str
    subject: str | None
    start: dt.date
    value: float
    end: dt.date | None = None

    def covers(self, day: dt.date) -> bool:
        return self.start <= day and (self.end is None or day < self.end)


def finding(rule: LiveRule, subject: str | None, value: float | None, rows: int, **more: Any) -> LiveFinding:
    """A finding whose outcome follows from an interval of ± 2/√rows around the value."""
    limit = rule.limit
    half = 2 / math.sqrt(max(rows, 1))
    half = half if monitoring_catalogue.METRICS[rule.metric].spends else 0.0
    low, high = (0.0, 0.0) if value is None else (value - half, value + half)
    if value is None:
        outcome = Outcome.NOT_EVALUATED
    elif limit.excludes(low, high):
        outcome = Outcome.FAIL
    elif limit.encloses(low, high):
        outcome = Outcome.PASS
    else:
        outcome = Outcome.INSUFFICIENT_EVIDENCE
    base: dict[str, Any] = {
        "rule": rule.id,
        "metric": rule.metric,
        "subject": subject,
        "outcome": outcome,
        "severity": rule.severity,
        "on_fail": rule.on_fail,
        "retrain": rule.retrain,
        "at_least": limit.at_least,
        "at_most": limit.at_most,
        "value": value,
        "low": low if half and value is not None else None,
        "high": high if half and value is not None else None,
        "p_value": 1e-9 if outcome is Outcome.FAIL else 0.5,
        "level": 1e-6,
        "rows": rows,
        "reference_rows": 1392,
        "rows_needed": 4 * rows if outcome is Outcome.INSUFFICIENT_EVIDENCE else None,
        "undefined": "labels are not in yet" if value is None else None,
        "reason": _reason(rule, subject, value, outcome),
    }
    return LiveFinding(**(base | more))


def _reason(rule: LiveRule, subject: str | None, value: float | None, outcome: Outcome) -> str:
    why = {
        Outcome.PASS: "kept",
        Outcome.FAIL: "broken, and hardly by chance (p 1e-09, at most 1e-06 allowed)",
        Outcome.INSUFFICIENT_EVIDENCE: "not enough evidence",
        Outcome.NOT_EVALUATED: "not evaluated",
    }
    return f"{rule.metric} of {subject or 'the model'} is {value}: {why[outcome]}"


def look(
    policy: MonitoringTerms,
    window: Window,
    findings: Sequence[LiveFinding],
    *,
    rows: int = 500,
    **more: Any,
) -> Look:
    """A look with these findings; its outcome is the worst of theirs."""
    outcomes = [item.outcome for item in findings]
    base: dict[str, Any] = {
        "model": "loan-approval",
        "version": 1,
        "content": SHA,
        "policy": "demo",
        "policy_version": "3",
        "policy_sha256": SHA,
        "window": window,
        "rows": rows,
        "level": LEVELS[window.period],
        "outcome": judgement.worst(outcomes) if outcomes else Outcome.NOT_EVALUATED,
        "findings": tuple(findings),
    }
    return Look(**(base | more))


def window(period: str, start: dt.date) -> Window:
    """The day, week or month that begins on this day."""
    if period == "day":
        end = start + dt.timedelta(days=1)
    elif period == "week":
        end = start + dt.timedelta(days=7)
    else:
        end = (start.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    return Window(period=period, start=f"{start}T00:00Z", end=f"{end}T00:00Z")


def windows(days: int, first: dt.date = FIRST) -> Iterator[Window]:
    """The days, weeks (from Mondays) and months that are over after so many days."""
    last = first + dt.timedelta(days=days)
    for period in ("day", "week", "month"):
        start = first
        while True:
            made = window(period, start)
            if dt.date.fromisoformat(made.end[:10]) > last:
                break
            yield made
            start = dt.date.fromisoformat(made.end[:10])


def year(
    policy: MonitoringTerms | None = None,
    *,
    features: Sequence[str] = ("income", "debt", "age"),
    days: int = 365,
    rows: int = 500,
    drifts: Sequence[Drift] = (),
    seed: int = 1,
    groups: Mapping[str, tuple[int, int]] | None = None,
) -> list[Look]:
    """Daily, weekly and monthly looks, quiet but for the drifts. The same arguments give the same looks."""
    policy, source = policy or terms(), random.Random(seed)  # noqa: S311 - made-up looks
    size = {"day": 1, "week": 7, "month": 30}
    made = []
    for at in windows(days):
        many = rows * size[at.period]
        day = dt.date.fromisoformat(at.end[:10]) - dt.timedelta(days=1)
        findings = []
        for terms_rule in policy.rules:
            for subject in _subjects(terms_rule, features):
                noise = abs(source.gauss(0, 0.4 / math.sqrt(many)))
                value = _effect(terms_rule, subject, day, drifts, noise)
                by_group = groups if terms_rule.read_for else None
                findings.append(finding(terms_rule, subject, value, many, groups=by_group))
        made.append(look(policy, at, findings, rows=many))
    return made


def _subjects(rule: LiveRule, features: Sequence[str]) -> Sequence[str | None]:
    if rule.read_for:
        return rule.read_for
    return features if rule.metric in ("drift.psi", "data.missing_excess", "drift.ks") else (None,)


def _effect(
    rule: LiveRule, subject: str | None, day: dt.date, drifts: Sequence[Drift], noise: float
) -> float | None:
    for drift in drifts:
        if (drift.rule, drift.subject) == (rule.id, subject) and drift.covers(day):
            return drift.value
    if rule.metric == "data.schema_violations":
        return 0.0
    return 0.81 - noise if rule.limit.at_least else noise


def plausible() -> list[Look]:
    """A year in which one feature drifted for good, another for a month, one group is treated worse since."""
    drifts = [
        Drift(rule="stable inputs", subject="income", start=dt.date(2026, 10, 20), value=0.31),
        Drift(
            rule="stable inputs",
            subject="debt",
            start=dt.date(2026, 4, 1),
            end=dt.date(2026, 5, 3),
            value=0.24,
        ),
        Drift(rule="parity", subject="sex", start=dt.date(2026, 11, 16), value=0.21),
    ]
    groups = {"men": (1_200, 2_000), "women": (780, 2_000)}
    looks = year(drifts=drifts, rows=2000, groups=groups)
    odd = "no decision was made between 2026-08-02T00:00Z and 2026-08-02T14:00Z"
    return [
        replace(item, notes=(odd,)) if item.window.start == "2026-08-02T00:00Z" else item for item in looks
    ]


def watch(seen: Sequence[Look] | None = None, **more: Any) -> Watch:
    """What a monitor with these looks knows; without any, with the plausible ones."""
    base = {"model": "loan-approval", "version": 1, "terms": terms()}
    base |= {"looks": plausible() if seen is None else seen}
    return Watch(**(base | {"looks_taken": {"day": 365, "week": 52, "month": 12}} | more))
