"""A run of the monitor in a terminal: what waits, the newest look first, and of many looks no long list."""

import datetime as dt
from dataclasses import replace

from clearance.documents.look_document import Look
from clearance.documents.measurement import Outcome
from clearance.monitoring import report
from clearance.monitoring.counting.store import VersionKey
from clearance.monitoring.run import MonitorRun, Pending
from tests.support.alerting import finding, look

KEY = VersionKey(model="loans", version=1, content="c")
DUE = dt.datetime(2026, 3, 2, 1, tzinfo=dt.UTC)


def result(*looks: Look, pending: Pending | None = None) -> MonitorRun:
    return MonitorRun(model="loans", counted=7, looks=looks, newest=KEY, terms=None, pending=pending)


def quiet(day: int) -> Look:
    return look(day, finding(Outcome.PASS))


def heads(lines: list[str]) -> list[str]:
    return [line.split(",")[0] for line in lines if line.startswith(("day 20", "week 20"))]


def test_the_newest_look_comes_first_and_a_week_before_the_day_that_ends_with_it() -> None:
    week = look(0, finding(Outcome.PASS), days=7, period="week")
    lines = list(report.lines(result(quiet(5), quiet(6), week)))
    assert heads(lines) == ["week 2026-01-01", "day 2026-01-07", "day 2026-01-06"]


def test_of_many_looks_the_newest_are_printed_and_failures_among_the_others_are_named() -> None:
    looks = [replace(quiet(day), outcome=Outcome.PASS) for day in range(40)]
    looks[3] = look(3, finding())
    lines = list(report.lines(result(*looks)))
    assert heads(lines) == [
        f"day {dt.date(2026, 1, 1) + dt.timedelta(days=day)}" for day in range(39, 29, -1)
    ]
    assert "40 looks, the newest first: 1 fails, 39 pass" in lines
    assert any(line.startswith("30 earlier looks: 1 fails, 29 pass") for line in lines)
    assert "  of these fail: day 2026-01-04" in lines
    assert len(heads(list(report.lines(result(*looks), every_look=True)))) == 40
    assert len(heads(list(report.lines(result(*looks), every_finding=True)))) == 40


def test_todays_decisions_are_said_to_wait() -> None:
    waiting = Pending(decisions=1_204, since=DUE - dt.timedelta(hours=25), due=DUE)
    lines = list(report.lines(result(quiet(0), pending=waiting)))
    assert "1,204 decisions since 2026-03-01 00:00Z wait to be judged, from 2026-03-02 01:00Z on" in lines
    assert not [line for line in report.lines(result(quiet(0))) if "wait to be judged" in line]
