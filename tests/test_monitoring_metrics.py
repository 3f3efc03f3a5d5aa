"""The monitor's metrics: bounded, without a person or a small group, and never older than they say."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.registry import CollectorRegistry

from clearance.documents.measurement import Outcome
from clearance.monitoring import metrics
from clearance.monitoring.metrics import Incidents, MonitorMetrics, OpenAlert, Watch
from tests.support import year_of_looks as looks
from tests.support.prometheus import series, value
from tests.support.year_of_looks import watch


def test_it_shows_the_newest_look_of_each_period_and_what_came_of_it() -> None:
    due = dt.datetime(2026, 12, 14, tzinfo=dt.UTC)
    made = series(
        metrics.text(
            watch(
                alerts=[
                    OpenAlert(rule="parity", severity="serious"),
                    OpenAlert(rule="stable inputs", severity="warn", taken=True),
                ],
                incidents=Incidents(open=2, overdue=1, next_deadline=due),
                label_share=0.4,
                notices_waiting=3,
            )
        )
    )
    assert value(made, "clearance_monitor_readable") == 1
    assert value(made, "clearance_monitor_looks", period="day") == 365
    end = dt.datetime(2026, 12, 1, tzinfo=dt.UTC).timestamp()
    assert value(made, "clearance_monitor_window_end_seconds", period="day") == end
    assert value(made, "clearance_monitor_rows", period="week") == 14_000
    assert value(made, "clearance_monitor_look", period="day", outcome="fail") == 1
    assert value(made, "clearance_monitor_look", period="day", outcome="pass") == 0
    failing = {"rule": "stable inputs", "period": "day", "outcome": "fail", "severity": "warn"}
    assert value(made, "clearance_monitor_subjects", **failing) == 1
    income = {"rule": "stable inputs", "period": "day", "subject": "income"}
    assert value(made, "clearance_monitor_effect", **income) == 0.31
    low, high = (value(made, f"clearance_monitor_effect_{end}", **income) for end in ("low", "high"))
    assert low < 0.31 < high
    assert value(made, "clearance_monitor_limit", rule="accuracy", bound="at_least") == 0.7
    assert value(made, "clearance_monitor_alerts", rule="parity", state="open") == 1
    assert value(made, "clearance_monitor_alerts", rule="stable inputs", state="taken") == 1
    assert value(made, "clearance_monitor_incidents", state="overdue") == 1
    assert value(made, "clearance_monitor_incident_due_seconds") == due.timestamp()
    assert value(made, "clearance_monitor_label_share") == 0.4
    assert value(made, "clearance_monitor_notices_waiting") == 3


def test_without_a_look_it_says_so_and_shows_no_outcome() -> None:
    made = series(metrics.text(watch([], looks_taken={})))
    assert value(made, "clearance_monitor_looks", period="day") == 0
    assert value(made, "clearance_monitor_window_end_seconds", period="day") == 0
    names = {name for name, _ in made}
    assert not names & {"clearance_monitor_look", "clearance_monitor_subjects", "clearance_monitor_effect"}
    assert "clearance_monitor_label_share" not in names


@pytest.mark.parametrize("features", [30, 300])
def test_the_number_of_series_does_not_grow_with_the_number_of_features(features: int) -> None:
    names = [f"feature {number}" for number in range(features)]
    made = series(metrics.text(watch(looks.year(features=names, days=31))))
    assert len(made) < 500
    day = {"rule": "stable inputs", "period": "day"}
    outcomes = [value(made, "clearance_monitor_subjects", outcome=str(it), **day) for it in Outcome]
    assert sum(outcomes) == features, "every subject is counted, also those without series of their own"


def test_a_window_without_decisions_ends_no_failure() -> None:
    made = looks.plausible()
    start = dt.date.fromisoformat(made[-1].window.end[:10])
    empty = looks.look(looks.terms(), looks.window("day", start), [], rows=0, basis="empty")
    after = series(metrics.text(watch([*made, empty])))
    assert value(after, "clearance_monitor_look", period="day", outcome="not_evaluated") == 1
    failing = {"rule": "stable inputs", "period": "day", "outcome": "fail"}
    assert value(after, "clearance_monitor_subjects", **failing) == 1


def test_the_subjects_with_series_are_the_worst() -> None:
    names = [f"feature {number:03}" for number in range(300)]
    bad = [names[217], names[3]]
    drifts = [
        looks.Drift(rule="stable inputs", subject=name, start=looks.FIRST, value=0.5 + 0.1 * place)
        for place, name in enumerate(bad)
    ]
    made = series(metrics.text(watch(looks.year(features=names, days=3, drifts=drifts))))
    shown = {
        dict(labels)["subject"]: number
        for (name, labels), number in made.items()
        if name == "clearance_monitor_effect" and dict(labels)["rule"] == "stable inputs"
    }
    assert len(shown) == metrics.SUBJECTS
    assert sorted(shown, key=lambda name: -shown[name])[:2] == bad[::-1]


def test_no_entity_no_small_group_and_no_text_of_a_finding_is_a_label() -> None:
    """Canaries in every place where a look may hold text; only the groups that are large enough appear."""
    canary = "entity-4711"
    groups = {"women": (400, 900), "men": (500, 1000), f"tiny {canary}": (3, 29)}
    taken = [
        replace(
            item,
            notes=(canary,),
            findings=tuple(
                replace(
                    finding,
                    reason=canary,
                    undefined=canary,
                    assumption=canary,
                    groups=groups if finding.rule == "parity" else None,
                )
                for finding in item.findings
            ),
        )
        for item in looks.year(days=31)
    ]
    text = metrics.text(watch(taken))
    assert canary not in text
    made = series(text)
    rate = {"rule": "parity", "attribute": "sex", "period": "day"}
    assert value(made, "clearance_monitor_group_rate", group="women", **rate) == 400 / 900
    assert value(made, "clearance_monitor_hidden_groups", **rate) == 1
    assert not [name for name, _ in made if "group" in name and "rows" in name]


def test_a_subject_that_no_rule_declares_is_counted_and_not_named() -> None:
    """As where a finding's subject were a group, or its rule is not in the policy that is read."""
    (day, *_) = looks.year(days=1, rows=20_000)
    strange = tuple(
        replace(item, subject="sex: entity-4711") if item.rule == "parity" else item for item in day.findings
    )
    made = metrics.text(watch([replace(day, findings=strange)]))
    assert "entity-4711" not in made
    assert value(series(made), "clearance_monitor_subjects", rule="parity", outcome="pass") == 2
    gone = tuple(replace(item, rule="gone", groups={"women": (400, 900)}) for item in day.findings)
    assert "women" not in metrics.text(watch([replace(day, findings=gone)]))


@pytest.mark.parametrize("name", ['a"b\\c\nd', "x" * 500, "\u202eevil\x1b[31m", "😀,=}", "half \ud800"])
def test_a_hostile_name_stays_one_label_of_one_line(name: str) -> None:
    made = looks.year(features=[name, name + "2"], days=1)
    text = metrics.text(watch(made))
    assert (
        len([line for line in text.splitlines() if 'rule="stable inputs"' in line and "effect{" in line]) == 2
    )
    assert series(text)
    assert "\x1b" not in text and "\u202e" not in text


def test_what_cannot_be_read_is_no_news() -> None:
    """The thread goes on, says that it cannot read, and shows nothing old."""
    registry, stop = CollectorRegistry(), threading.Event()
    monitor, given = MonitorMetrics(registry), iter([watch(), OSError("the store is gone"), watch()])
    counts = []

    def read() -> Watch:
        from prometheus_client import generate_latest

        counts.append(len(series(generate_latest(registry).decode())))
        item = next(given, None)
        if item is None:
            stop.set()
            raise ValueError
        if isinstance(item, OSError):
            raise item
        return item

    metrics.follow(stop, monitor, read, 0)
    first, second, third, fourth = counts
    assert (first, third) == (0, 1)
    assert second == fourth > 50


def test_the_textfile_is_written_whole(tmp_path: Path) -> None:
    metrics.write(tmp_path / "clearance.prom", watch())
    assert series((tmp_path / "clearance.prom").read_text(encoding="utf-8"))
    assert [path.name for path in tmp_path.iterdir()] == ["clearance.prom"]
