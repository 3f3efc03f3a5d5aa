"""The monitor from decisions on record to looks: counted once, looked at in order, once."""

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from clearance.documents.measurement import Outcome
from clearance.errors import ClearanceError
from clearance.feature_store import FeatureSettings, Source
from clearance.inference_log.records import FAVOURABLE
from clearance.monitoring import labels, run
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


def test_decisions_of_a_day_that_is_not_over_are_said_to_wait(place: Place) -> None:
    watched.record(place, watched.decisions(watched.version(), watched.inputs(240), START, HOUR / 5))
    waiting = monitor(place, 1.5).pending
    assert waiting is not None
    assert (waiting.decisions, waiting.since, waiting.due) == (120, at(1), at(2) + HOUR)
    assert monitor(place, 3.5).pending is None


def test_labels_count_once_and_corrections_are_further_counts(place: Place, tmp_path: Path) -> None:
    made = watched.decisions(watched.version(), watched.inputs(200), START, HOUR / 10)
    watched.record(place, made)
    monitor(place, 1.1)
    file = tmp_path / "labels.csv"

    def add(rows: Sequence[tuple[str, int]]) -> labels.LabelsAdded:
        text = "".join(f"{id_},{label}\n" for id_, label in rows)
        file.write_text(f"decision,label\n{text}")
        with run.opened(place.root, clock=lambda: at(2)) as (opened, log):
            return labels.add(opened, log, file)

    known = [(inference.id, number % 2) for number, inference in enumerate(made)]
    unknown = ("00000000-0000-7000-8000-000000000000", 1)
    result = add([*known, unknown, known[0]])
    assert (result.added, result.corrected, result.repeated) == (200, 0, 1)
    assert result.unknown == (201,)
    assert add(known).repeated == 200
    result = add([(known[0][0], 1), known[1]])
    assert (result.added, result.corrected, result.repeated) == (0, 1, 1)
    later = monitor(place, 9)
    (look,) = [look for look in later.looks if look.basis == "labels"]
    (accuracy,) = [finding for finding in look.findings if finding.rule == "accuracy"]
    right = sum(
        (inference.decision == FAVOURABLE) == label for inference, (_, label) in zip(made, known, strict=True)
    )
    right += 1 if made[0].decision == FAVOURABLE else -1
    assert accuracy.rows == 200 and accuracy.value == right / 200


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("decision\n1\n", "monitoring.labels_columns"),
        ("decision,entity,label\na,b,1\n", "monitoring.labels_columns"),
        ("decision,label\na,1\nb,0\nc,7\n", "monitoring.label_unknown"),
        ("decision,label\na,\n", "monitoring.label_unknown"),
        ("", "monitoring.labels_not_readable"),
        ("decision,label,time\na,1,2026-12-02T00:00:00Z\n", "monitoring.label_ahead"),
    ],
)
def test_a_file_of_labels_that_cannot_be_used_is_one_fault(
    place: Place, tmp_path: Path, text: str, code: str
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(ClearanceError) as caught:
        labels.read(file, watched.version().settings.data, START)
    assert caught.value.code == code


def test_what_predict_wrote_takes_labels_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("id,entity,decision,label\na,ada,favourable,1\n")
    (given,) = labels.read(file, watched.version().settings.data, START)
    assert (given.decision, given.entity, given.label) == ("a", None, 1)


def people_store() -> FeatureSettings:
    """A feature store that knows the group of people by an SQLite table."""
    source = Source(
        name="people",
        database="people.db",
        table="people",
        entity="id",
        event_time="at",
        max_age_hours=24 * 365,
        protected={"race": "race"},
    )
    return FeatureSettings(sources=(source,))


def test_groups_come_from_the_feature_store_as_known_at_the_decision(place: Place) -> None:
    made = watched.decisions(watched.version(), watched.inputs(100), START, HOUR / 10)
    watched.record(place, made)
    with contextlib.closing(sqlite3.connect(place.root / "people.db")) as people, people:
        people.execute("CREATE TABLE people (id, at, race)")
        before, after = (int(moment.timestamp() * 1e6) for moment in (START - HOUR, START + 900 * HOUR))
        for number in range(90):  # ten are not known
            people.execute("INSERT INTO people VALUES (?, ?, ?)", (f"person-{number}", before, "White"))
            people.execute("INSERT INTO people VALUES (?, ?, ?)", (f"person-{number}", after, "Black"))
    result = run.run(place.root, features=people_store(), clock=lambda: at(1.1))
    (look,) = [look for look in result.looks if look.rows]
    (parity,) = [finding for finding in look.findings if finding.rule == "parity"]
    assert (parity.groups or {})["White"][1] == 90 and "Black" not in (parity.groups or {})
    assert parity.outcome is not Outcome.PASS


def test_a_feature_store_that_cannot_be_read_stops_the_count_and_loses_nothing(place: Place) -> None:
    watched.record(place, watched.decisions(watched.version(), watched.inputs(5), START, HOUR))
    with contextlib.closing(sqlite3.connect(place.root / "people.db")) as people, people:
        people.execute("CREATE TABLE people (id, at, race)")
        people.execute("INSERT INTO people VALUES ('person-3', 'yesterday', 'White')")
    with pytest.raises(ClearanceError) as caught:
        run.run(place.root, features=people_store(), clock=lambda: at(1.1))
    assert caught.value.code == "feature_store.wrong_column"
    (place.root / "people.db").unlink()
    assert monitor(place, 1.1).counted == 5
