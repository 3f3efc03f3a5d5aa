"""Looks as the monitor stores them: of a version, a window and findings that a test names."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from clearance.documents.look_document import LiveFinding, Look, Window
from clearance.documents.measurement import Outcome
from clearance.policy.monitoring_terms import MonitoringTerms

START = dt.date(2026, 1, 1)
RULE: dict[str, Any] = {"metric": "drift.psi", "limit": {"at_most": 0.1}, "kind": "engineering"}
RULE |= {"source": "the test", "valid_from": "2026-01-01"}


def terms(**changes: Any) -> MonitoringTerms:
    """A policy's section `monitoring` with one rule, changed as told."""
    return MonitoringTerms.model_validate({"rules": [RULE | {"id": "drift"}]} | changes)


def finding(outcome: Outcome = Outcome.FAIL, **changes: Any) -> LiveFinding:
    """A finding of the rule `drift`, failed unless told otherwise."""
    about: dict[str, Any] = {"rule": "drift", "metric": "drift.psi", "subject": "income", "outcome": outcome}
    about |= {"severity": "warn", "on_fail": "alert", "at_most": 0.1, "value": 0.31, "low": 0.22}
    about |= {"high": 0.41, "p_value": 1e-9, "level": 1e-5, "rows": 412, "reason": "too far"}
    return LiveFinding(**(about | changes))


def look(
    day: int,
    *findings: LiveFinding,
    days: int = 1,
    period: Literal["day", "week", "month", "batch"] = "day",
    **changes: Any,
) -> Look:
    """The look at the `days` days that begin with day number `day` of the test."""
    start = START + dt.timedelta(days=day)
    window = Window(period=period, start=f"{start}T00:00Z", end=f"{start + dt.timedelta(days=days)}T00:00Z")
    worst = Outcome.FAIL if any(item.outcome is Outcome.FAIL for item in findings) else Outcome.PASS
    about: dict[str, Any] = {"model": "loan-approval", "version": 1, "content": "c" * 64, "policy": "demo"}
    about |= {"policy_version": "1", "policy_sha256": "d" * 64, "window": window, "rows": 412}
    about |= {"level": 1e-4, "outcome": worst, "findings": findings}
    return Look(**(about | changes))


def at(day: float) -> dt.datetime:
    """The moment `day` days after the first day began."""
    return dt.datetime.combine(START, dt.time(), dt.UTC) + dt.timedelta(days=day)
