"""What people read about an alert: what, how bad, since when, the evidence, what happens, what to do.

Sentences only. No id and no value of a person is in them: they go to mail and chats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from clearance.monitoring.alerts.alert import Alert

News = Literal["opened", "repeated", "escalated", "resolved"]

_HEADS: Mapping[str, str] = {
    "opened": "failed",
    "repeated": "still fails",
    "escalated": "fails, and nobody has taken the alert",
    "resolved": "is resolved",
}
_REACTIONS: Mapping[str, str] = {
    "record": "The policy has this recorded, and nothing else.",
    "alert": "Decisions go on.",
    "hold": "Every new decision is marked for a person's review, until those who may promote end it.",
    "stop": "New decisions are refused, until those who may promote end it.",
}

_BY_CONDITION: Mapping[str, str] = {
    "override-ends": "Have the version approved, or replace it: `clearance status` shows what is missing.",
    "permission-lapsed": "Approve or override it again, or roll back: `clearance verify` shows what ended.",
    "incident-overdue": "Report it now: `clearance incident report NUMBER --deadline ID --text TEXT`.",
    "ledger-unsound": "Run `clearance ledger verify`, and bring the ledger back.",
}
"""What to do about what is not judged by looks."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A message to people. `id` is the same however often it is sent."""

    id: str
    title: str
    body: str


def compose(alert: Alert, news: News, id_: str, retraining: str = "") -> Notice:
    """The notice of an alert; `retraining` is a sentence about it, where the rule asks for a new model."""
    grade = "serious" if alert.serious else "warning"
    title = f"[{grade}] {alert.model} version {alert.version}: {alert.rule} {_HEADS[news]}"
    parts = [
        ("What", [f"The rule {alert.rule} {_HEADS[news]}: {alert.model} version {alert.version}."]),
        ("How bad", alert.facts),
        ("Since", [_since(alert)]),
        ("Evidence", _evidence(alert)),
        ("What happens next", _next(alert, news, retraining)),
        ("What to do now", [f"({n}) {step}" for n, step in enumerate(_to_do(alert, news), 1)]),
    ]
    lines = [f"{head}: {' '.join(_sentences(texts))}" for head, texts in parts if texts]
    lines.append(f"Notice {id_}; if it arrives twice, it is the same notice.")
    return Notice(id=id_, title=title, body="\n".join(lines))


def _sentences(texts: Sequence[str]) -> list[str]:
    return [text if text.endswith((".", "`")) else f"{text}." for text in texts]


def _since(alert: Alert) -> str:
    looks = "1 failed look" if alert.looks == 1 else f"{alert.looks} failed looks"
    return f"Decisions from {alert.since} until {alert.until}; {looks}"


def _evidence(alert: Alert) -> list[str]:
    if not alert.look:
        return ["The ledger; see it with `clearance verify` and `clearance incident list`"]
    day = alert.since[:10]
    return [f"Look {alert.look[:12]}…; see it with `clearance monitor --since {day}`"]


def _next(alert: Alert, news: News, retraining: str) -> list[str]:
    if news == "resolved":
        return [f"Nothing: {alert.resolution}. What was held or stopped stays so until somebody resumes it."]
    if not alert.look:
        return ["The alert resolves itself once this has ended."]
    incident = ["An incident is opened in the ledger; its legal deadlines run."] if alert.serious else []
    return [_REACTIONS[alert.on_fail], *incident, *([retraining] if retraining else [])]


def _to_do(alert: Alert, news: News) -> list[str]:
    if news == "resolved":
        resume = "`clearance decisions resume --reason TEXT`"
        return [f"If decisions are held or stopped and should not be: {resume}"] if _restricts(alert) else []
    if not alert.look:
        return [f"Say that you look after it: `clearance alerts take {alert.id}`.", _BY_CONDITION[alert.rule]]
    steps = [
        f"Say that you look after it: `clearance alerts take {alert.id}`.",
        "Find out whether data, world or model changed: `clearance monitor --page FILE` shows the trend.",
    ]
    if _restricts(alert):
        steps.append("When it is corrected: `clearance decisions resume --reason TEXT`.")
    if alert.serious:
        steps.append("Report the incident in time: `clearance incident list` shows to whom and by when.")
    return steps


def _restricts(alert: Alert) -> bool:
    return alert.on_fail in ("hold", "stop")
