"""Traffic that repeats that of an earlier hour or day is found by keyed digests; nobody is kept by name."""

import datetime as dt
import hashlib
import sqlite3
from typing import Any

import pytest
import yaml

from clearance.documents.look_document import LiveFinding
from clearance.documents.measurement import Outcome
from clearance.inference_log import Inference
from clearance.monitoring import run
from clearance.monitoring.counting import replays, store
from tests.support import watched
from tests.support.governed import Place

START = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    assert watched.version().baseline is not None
    return watched.enter(monkeypatch)


def decided(seed: int, start: dt.datetime, rows: int = 40, **changes: Any) -> list[Inference]:
    """The same rows and persons for the same seed."""
    every = HOUR / (rows + 1)
    return watched.decisions(watched.version(), watched.inputs(rows, seed), start, every, **changes)


def looks(place: Place, days: float) -> list[LiveFinding]:
    """What a rule on replays says of each day with decisions, in order; the counts are those of one run."""
    file = place.root / "policies/test.yaml"
    policy = yaml.safe_load(file.read_text())
    rule = {"id": "replays", "metric": "data.replayed_share", "limit": {"at_most": 0.05}}
    policy["monitoring"] = {"looks": ["day"], "rules": [rule | watched.ENGINEERING]}
    other = file.with_name("replays.yaml")
    other.write_text(yaml.safe_dump(policy))
    result = run.run(place.root, run.Request(policy=other), clock=lambda: START + days * DAY)
    return [finding for look in result.looks if look.rows for finding in look.findings]


def shares(findings: list[LiveFinding]) -> list[float | None]:
    return [None if finding.value is None else round(finding.value, 3) for finding in findings]


def test_traffic_of_an_earlier_day_that_comes_again_is_found(place: Place) -> None:
    watched.record(place, [*decided(1, START), *decided(1, START + DAY), *decided(2, START + 2 * DAY)])
    findings = looks(place, 3.1)
    assert shares(findings) == [0.0, 1.0, 0.0]
    assert [finding.outcome for finding in findings][1] is Outcome.FAIL


def test_it_is_found_also_when_the_monitor_ran_in_between(place: Place) -> None:
    for day in range(3):
        watched.record(place, decided(day // 2, START + day * DAY))
        run.run(place.root, clock=lambda day=day: START + (day + 1.1) * DAY)
    assert shares(looks(place, 3.1)) == [0.0, 1.0, 0.0]


def test_the_same_hour_is_not_another_one_and_an_old_repetition_is_none(place: Place) -> None:
    watched.record(place, [*decided(1, START, 20), *decided(1, START, 20)])
    assert shares(looks(place, 1.1)) == [0.0]
    watched.record(place, decided(1, START + store.KEPT + DAY, 20))
    assert shares(looks(place, 9.1))[-1] == 0.0


def test_another_person_with_the_same_values_is_no_replay_and_nameless_ones_are_not_judged(
    place: Place,
) -> None:
    first = decided(1, START, subject="ada")
    watched.record(place, [*first, *decided(1, START + DAY, subject="vera")])
    watched.record(place, decided(1, START + 2 * DAY, subject=None))
    findings = looks(place, 3.1)
    assert shares(findings) == [0.0, 0.0, None]
    assert findings[2].outcome is Outcome.NOT_EVALUATED and "entity" in findings[2].reason


def test_what_is_kept_is_a_digest_that_nobody_can_try_and_it_goes_after_a_week(place: Place) -> None:
    made = decided(1, START)
    watched.record(place, made)
    looks(place, 1.1)
    kept = rows(place)
    assert len(kept) == 40
    plain = {hashlib.sha256(str(replays.text(one)).encode()).hexdigest() for one in made}
    assert not plain & {digest for _, digest, _ in kept}
    assert not any("person-" in str(row) for row in kept)
    watched.record(place, decided(2, START + store.KEPT + 2 * DAY, 5))
    looks(place, 10.1)
    assert len(rows(place)) == 5


def rows(place: Place) -> list[tuple[str, str, str]]:
    with sqlite3.connect(place.root / ".clearance/monitoring.db") as connection:
        return connection.execute("SELECT model, digest, hour FROM clearance_monitoring_inputs").fetchall()
