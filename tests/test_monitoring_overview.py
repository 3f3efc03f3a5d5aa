"""From the store and the ledger to the page and the metrics: what is known, and nothing of a person."""

from __future__ import annotations

import datetime as dt
import re
import threading
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry

from clearance import cli, paths
from clearance.errors import ClearanceError, ExitCode
from clearance.monitoring import alerts, overview, run
from clearance.monitoring import metrics as monitor_metrics
from clearance.monitoring.alerts.actions import Actions
from clearance.monitoring.alerts.alert import IntentKind
from clearance.monitoring.counting import store
from clearance.monitoring.metrics import Incidents, MonitorMetrics
from clearance.monitoring.overview import Subject
from clearance.policy.monitoring_terms import ReportDeadline
from clearance.promotion import incidents, session
from clearance.serving.live_monitor import MonitorReader
from tasks import watch as watch_task
from tests.support import governed, watched
from tests.support.governed import Place
from tests.support.prometheus import series, value

HOUR = dt.timedelta(hours=1)
START = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
NOW = START + dt.timedelta(days=2.1)
IDLE = Actions(by_kind=dict.fromkeys(IntentKind, lambda *_: "done"))


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    """A watched champion with a day of drifted decisions, an alert, and an incident that is overdue."""
    version = watched.version()
    place = watched.enter(monkeypatch)
    drifted = watched.inputs(200, amount=400.0)
    watched.record(place, watched.decisions(version, drifted, START, HOUR / 10))
    result = run.run(place.root, run.Request(), clock=lambda: NOW)
    (failing,) = [look for look in result.looks if look.failing]
    assert result.terms is not None
    alerts.react(place.root, failing, result.terms, now=NOW, actions=IDLE)
    return place


def subject(place: Place) -> Subject:
    version = watched.version()
    key = store.VersionKey(model=version.model, version=version.version, content=version.content)
    assert version.judging.policy.monitoring is not None
    return Subject(root=place.root, key=key, terms=version.judging.policy.monitoring)


def entries(place: Place) -> Any:
    with session.open_read_only(place.root) as reader:
        return reader.entries(governed.NAME)


def test_the_metrics_show_what_is_in_the_store(place: Place) -> None:
    watch = overview.watch(subject(place), entries(place), NOW)
    assert watch.looks_taken == {"day": 2}
    made = series(monitor_metrics.text(watch))
    day = {"rule": "drift", "period": "day"}
    assert value(made, "clearance_monitor_subjects", outcome="fail", **day) >= 1
    assert value(made, "clearance_monitor_alerts", rule="drift", state="open") == 1
    assert (
        value(made, "clearance_monitor_window_end_seconds", period="day") == (START + 48 * HOUR).timestamp()
    )
    newest = {"period": "day", "basis": "decisions", "outcome": "not_evaluated"}
    assert value(made, "clearance_monitor_look", **newest) == 1, "the second day had no decision"


def test_the_command_writes_the_page_and_the_metrics(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "run", partial(run.run, clock=lambda: NOW))
    page, prom = tmp_path / "monitoring.html", tmp_path / "clearance.prom"
    result = CliRunner().invoke(cli.main, ["monitor", "--page", str(page), "--metrics", str(prom)])
    assert result.exit_code == ExitCode.NOT_EVALUATED, result.output  # the newest day has no decision
    text = page.read_text(encoding="utf-8")
    assert "No decision since 2026-12-02" in text
    assert re.search(r"<bdi>amount</bdi>", text) and "<title>A rule fails" in text
    made = series(prom.read_text(encoding="utf-8"))
    assert value(made, "clearance_monitor_looks", period="day") == 2
    for written in (text, prom.read_text(encoding="utf-8")):
        assert "person-" not in written


def test_the_first_page_says_from_when_on_what_was_counted_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = watched.version()
    place = watched.enter(monkeypatch)
    watched.record(place, watched.decisions(version, watched.inputs(30), START, HOUR / 10))
    monkeypatch.setattr(run, "run", partial(run.run, clock=lambda: START + 12 * HOUR))
    page = tmp_path / "monitoring.html"
    result = CliRunner().invoke(cli.main, ["monitor", "--page", str(page)])
    assert result.exit_code == ExitCode.NOT_EVALUATED, result.output
    waiting = "30 decisions since 2026-12-01 00:00Z wait to be judged"
    text = page.read_text(encoding="utf-8")
    assert waiting in result.output and waiting in text
    assert "Nothing fails" not in text and "run `clearance monitor`" not in text


def test_an_open_incident_is_on_the_page_and_in_the_metrics_until_it_is_closed(place: Place) -> None:
    listed = [looks_deadline("d15", 15), looks_deadline("d40", 40)]
    opening = incidents.Opening(
        version=1,
        category="serious",
        role="provider",
        aware_at=NOW - dt.timedelta(days=20),
        description="women were refused",
        decisions_from=NOW - dt.timedelta(days=20),
    )
    with session.open_session(place.root, "pipeline") as office:
        number = incidents.open_incident(office, governed.NAME, opening, listed)
    watch = overview.watch(subject(place), entries(place), NOW)
    assert watch.incidents == Incidents(
        open=1, overdue=1, next_deadline=opening.aware_at + dt.timedelta(days=40)
    )
    (line,) = overview.show(subject(place), entries(place), NOW).incidents
    assert (line.number, line.overdue) == (number, True)
    assert any("women were refused" in text for text in line.lines)
    with session.open_session(place.root, "pipeline") as office:
        for deadline in ("d15", "d40"):
            incidents.report(office, governed.NAME, number, "all", deadline=deadline, complete=True)
        incidents.close(office, governed.NAME, number, corrective_action="a", statement="b")
    assert overview.watch(subject(place), entries(place), NOW).incidents == Incidents()
    assert overview.show(subject(place), entries(place), NOW).incidents == []


def looks_deadline(name: str, days: int) -> ReportDeadline:
    about = {"id": name, "incidents": ["serious"], "role": "provider", "to": "the authority", "days": days}
    rest = {"kind": "legal", "source": "the test", "valid_from": "2026-01-01"}
    return ReportDeadline.model_validate(about | rest)


def test_the_server_reads_the_store_where_there_is_one_and_says_when_it_cannot(place: Place) -> None:
    version = watched.version()
    model: Any = SimpleNamespace(
        name=version.model, version=version.version, content=version.content, policy=version.judging.policy
    )
    served = [None]
    reader = MonitorReader(place.root, lambda: served[0])
    assert reader() is None
    served[0] = model
    watch = reader()
    assert watch is not None and watch.looks_taken == {"day": 2}
    registry, stop = CollectorRegistry(), threading.Event()
    shown = MonitorMetrics(registry)
    shown.set(watch)
    (place.root / paths.MONITORING).write_bytes(b"no database " * 999)
    with pytest.raises(ClearanceError):
        reader()
    stop.set()
    monitor_metrics.follow(stop, shown, reader, 0)
    assert series(generate_latest(registry).decode()) == {("clearance_monitor_readable", frozenset()): 0}
    (place.root / paths.MONITORING).unlink()
    assert reader() is None


def test_the_daily_task_leaves_both_in_the_project(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.root)
    with pytest.raises(SystemExit):
        watch_task.main()
    assert "<title>A rule fails" in (place.root / paths.MONITORING_PAGE).read_text(encoding="utf-8")
    assert series((place.root / paths.MONITORING_METRICS).read_text(encoding="utf-8"))
