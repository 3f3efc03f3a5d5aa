"""The monitor from decisions on record to looks: counted once, looked at in order, once."""

import datetime as dt
from typing import Any

import pytest

from clearance.documents.measurement import Outcome
from clearance.monitoring import run
from tests.support import watched
from tests.support.governed import Place

HOUR = dt.timedelta(hours=1)
START = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    version = watched.version()
    assert version.baseline is not None
    return watched.enter(monkeypatch)


def at(days: float) -> dt.datetime:
    return START + dt.timedelta(days=days)


def monitor(place: Place, days: float, **asked: Any) -> run.MonitorRun:
    return run.run(place.root, run.Request(**asked), clock=lambda: at(days))


def test_a_quiet_day_is_counted_once_and_looked_at_once(place: Place) -> None:
    rows = watched.inputs(240)
    watched.record(place, watched.decisions(watched.version(), rows, START, HOUR / 10))
    result = monitor(place, 1.1)
    assert result.counted == 240
    days = [look for look in result.looks if look.rows]
    assert [(look.window.start, look.rows, look.basis) for look in days] == [
        ("2026-12-01T00:00Z", 240, "decisions")
    ]
    by_rule = {(finding.rule, finding.subject): finding for finding in days[0].findings}
    assert by_rule["schema", None].outcome is Outcome.PASS
    assert by_rule["skew", None].value == 0 and by_rule["skew", None].rows == 240
    assert by_rule["units", "amount"].outcome is Outcome.PASS
    parity = [finding.outcome for finding in days[0].findings if finding.rule == "parity"]
    assert Outcome.PASS not in parity  # nobody knows a group
    assert not days[0].failing
    again = monitor(place, 1.1)
    assert again.counted == 0
