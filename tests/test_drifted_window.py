"""A retraining waits for the drifted window in the source, where the policy says so; that costs no budget."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clearance import paths
from clearance.documents.measurement import Outcome
from clearance.monitoring import alerts
from clearance.monitoring.alerts import actions, conditions, drifted_window
from clearance.monitoring.alerts.actions import Actions
from clearance.monitoring.alerts.alert import Alert, IntentKind
from clearance.monitoring.alerts.drifted_window import Coverage, DecidedKeys
from clearance.monitoring.alerts.store import Stored
from clearance.monitoring.counting import database
from clearance.policy.monitoring_terms import MonitoringTerms
from clearance.promotion import monitoring_policy
from tests.support import alerting, watched
from tests.support.alerting import at, finding, look
from tests.support.codes import raises
from tests.support.governed import NAME, Place

KEYS = st.frozensets(st.text(max_size=3), max_size=8)
START = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
WINDOW = (START, START + dt.timedelta(days=1))


# The share


@given(decided=KEYS, labelled=KEYS, unnamed=st.integers(0, 5))
def test_the_share_is_of_all_who_were_decided_on_and_an_unknown_one_never_helps(
    decided: frozenset[str], labelled: frozenset[str], unnamed: int
) -> None:
    found = drifted_window.coverage(DecidedKeys(keys=decided, unnamed=unnamed), labelled)
    assert 0 <= found.share <= 1
    assert (found.share == 1) == (bool(decided) and decided <= labelled and not unnamed)
    assert found.labelled == len([key for key in decided if key in labelled])
    one_more = drifted_window.coverage(DecidedKeys(keys=decided, unnamed=unnamed + 1), labelled)
    assert one_more.share < found.share or not found.share


def test_a_window_without_decisions_has_no_share_of_anything() -> None:
    assert drifted_window.coverage(DecidedKeys(keys=frozenset()), {"a"}).share == 0


# The log and the source


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    """The watched champion; 40 persons were decided on in the window and 20 the day after it."""
    version = watched.version()
    place = watched.enter(monkeypatch)
    made = watched.decisions(version, watched.inputs(60), START, dt.timedelta(minutes=36))
    watched.record(place, made)
    return place


def source(place: Place, text: str, **data: Any) -> None:
    """The project's source is this CSV, with these roles of its columns."""
    (place.root / "new.csv").write_text(text)
    file = place.root / paths.PARAMS
    settings = yaml.safe_load(file.read_text())
    settings["source"] = {"kind": "file", "path": "new.csv"}
    settings["data"] |= {"entity": "person", "target": "approve"} | data
    file.write_text(yaml.safe_dump(settings))


def rows(persons: range, label: str = "1") -> str:
    return "".join(f"person-{number},{label}\n" for number in persons)


def ensure(place: Place, wanted: float = 0.8) -> Coverage:
    return drifted_window.ensure(place.root, 1, WINDOW, wanted)


def test_persons_of_the_window_are_looked_for_among_the_labelled_rows_of_the_source(place: Place) -> None:
    source(place, "person,approve\n" + rows(range(36)) + rows(range(36, 40), label="") + rows(range(40, 90)))
    found = ensure(place)
    assert (found.decided, found.labelled, found.unnamed) == (40, 36, 0)
    assert ensure(place, wanted=0.9).share == 0.9
    with raises("monitoring.window_not_in_source") as caught:
        ensure(place, wanted=0.95)
    assert all(text in caught.value.fault for text in ("90.0%", "36 of 40 keys", "95.0%", "person"))
    assert "person-" not in str(caught.value), "no key of a person leaves the log"


def test_ids_that_the_source_does_not_know_never_train(place: Place) -> None:
    source(place, "person,approve\nsomebody-else,1\n")
    with raises("monitoring.window_not_in_source"):
        ensure(place, wanted=0.01)


def test_a_window_whose_decisions_are_gone_never_trains(place: Place) -> None:
    source(place, "person,approve\n" + rows(range(60)))
    long_ago = (START - dt.timedelta(days=9), START - dt.timedelta(days=8))
    with raises("monitoring.window_not_in_source"):
        drifted_window.ensure(place.root, 1, long_ago, 0.01)
    with raises("monitoring.window_not_in_source"):
        drifted_window.ensure(place.root, 2, WINDOW, 0.01)


def test_numbers_are_keys_too_and_a_row_key_stands_in_for_an_entity(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    source(place, "application,approve\n007,1\n8,\n9,0\n", entity=None, row_key="application")
    decided = DecidedKeys(keys=frozenset({"007", "8", "9", "10"}))
    monkeypatch.setattr(drifted_window, "read_decided", lambda *_: decided)
    assert ensure(place, wanted=0.5).labelled == 2


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"entity": None, "row_key": None}, "monitoring.no_key_declared"),
        ({"entity": "nobody"}, "monitoring.column_not_in_source"),
        ({"target": "grade"}, "monitoring.column_not_in_source"),
    ],
)
def test_without_a_key_nothing_trains_and_the_message_says_why(
    place: Place, data: dict[str, Any], code: str
) -> None:
    source(place, "person,approve\n" + rows(range(60)), **data)
    with raises(code):
        ensure(place)


def test_erased_decisions_and_those_about_nobody_count_as_ones_that_the_source_has_not(place: Place) -> None:
    made = watched.decisions(
        watched.version(), watched.inputs(10, 3), START, dt.timedelta(minutes=1), subject=None
    )
    watched.record(place, made)
    with watched.log(place, START + dt.timedelta(days=3)) as log:
        log.erase_subject("person-0", actor="otto", reason="asked for")
    source(place, "person,approve\n" + rows(range(60)))
    found = ensure(place, wanted=0.1)
    assert (found.decided, found.labelled, found.unnamed) == (39, 39, 11)


# What the alert does


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project whose pipeline trains nothing, and whose policy wants four fifths of the window."""
    (tmp_path / ".clearance").mkdir()
    (tmp_path / "params.yaml").write_text(PARAMS)
    nothing = conditions.Conditions(alerts=(), looked_for=frozenset())
    monkeypatch.delenv(database.ADDRESS, raising=False)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(conditions, "present", lambda *_: nothing)
    monkeypatch.setattr(monitoring_policy, "terms", lambda _: TERMS)
    monkeypatch.setattr(actions, "run_pipeline", lambda _: "judged: exit status 0")
    monkeypatch.setattr(actions, "trained_model", lambda _: "a" * 64)
    return tmp_path


PARAMS = f"""
name: {NAME}
experiment: e
seed: 1
source: {{kind: file, path: data/source}}
data: {{row_key: id, target: approve, favourable: 1, protected: [race], features: [amount]}}
split: {{train: 0.5, tune: 0.2, test: 0.3}}
train: {{estimator: logistic_regression}}
policy: {{file: policies/test.yaml, as_of: "2026-11-22"}}
"""
TERMS = alerting.terms(retraining={"window_share": 0.8, "cool_down_days": 14, "most_a_year": 1})
ASKS = finding(retrain=True)


def covers(monkeypatch: pytest.MonkeyPatch, labelled: int) -> None:
    """So many of ten persons of the window are in the source."""
    keys = frozenset(map(str, range(10)))
    monkeypatch.setattr(drifted_window, "read_decided", lambda *_: DecidedKeys(keys=keys))
    monkeypatch.setattr(drifted_window, "read_labelled", lambda *_: frozenset(map(str, range(labelled))))


def react(root: Path, day: int, outcome: Outcome = Outcome.FAIL, terms: MonitoringTerms = TERMS) -> None:
    seen = look(day, finding(outcome, retrain=True), model=NAME)
    alerts.react(root, seen, terms, now=at(day + 1), actions=quiet(root))


def quiet(root: Path) -> Actions:
    by_kind = dict(Actions.of(root).by_kind)
    for kind in set(IntentKind) - {IntentKind.RETRAINING}:
        by_kind[kind] = lambda _, __: "done"
    return Actions(by_kind=by_kind)


def retrainings(root: Path) -> list[tuple[Alert, Stored]]:
    return [
        (alert, item)
        for alert, stored in reversed(alerts.list_alerts(root))
        for item in stored
        if item.intent.kind is IntentKind.RETRAINING
    ]


def test_it_waits_says_why_trains_once_the_rows_are_there_and_keeps_the_share(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    covers(monkeypatch, 7)
    react(project, 0)
    ((alert, waiting),) = retrainings(project)
    assert waiting.done is None and alert.retrained_at is not None
    assert "7 of 10 keys" in str(waiting) and "80.0%" in str(waiting)
    alerts.attend(project, TERMS, now=at(1.4), actions=quiet(project))
    assert retrainings(project)[0][1].attempts == 1, "a source is not asked every minute"
    covers(monkeypatch, 8)
    monkeypatch.setattr(actions, "trained_model", lambda _: "b" * 64)
    alerts.attend(project, TERMS, now=at(2), actions=quiet(project))
    ((_, done),) = retrainings(project)
    assert done.done is not None and done.made_a_model
    assert done.result.startswith("judged: exit status 0") and "8 of 10 keys" in done.result


def test_a_retraining_that_waits_or_is_given_up_uses_neither_cool_down_nor_budget(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    covers(monkeypatch, 0)
    react(project, 0)
    for day in range(1, 4):
        react(project, day, Outcome.PASS)
    ((_, given_up),) = retrainings(project)
    assert given_up.done is not None and not given_up.made_a_model
    covers(monkeypatch, 10)
    monkeypatch.setattr(actions, "trained_model", lambda _: "b" * 64)
    monkeypatch.setattr(actions, "run_pipeline", lambda _: changed(monkeypatch))
    react(project, 5)
    _, (_, trained) = retrainings(project)
    assert trained.made_a_model, "the only one of the year"
    for day in range(6, 9):
        react(project, day, Outcome.PASS)
    react(project, 40)
    assert len(retrainings(project)) == 2, "the policy allows one a year"


def changed(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(actions, "trained_model", lambda _: "c" * 64)
    return "judged: exit status 0"


def test_a_policy_that_no_longer_asks_lets_a_waiting_retraining_go(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    covers(monkeypatch, 0)
    react(project, 0)
    monkeypatch.setattr(monitoring_policy, "terms", lambda _: alerting.terms())
    alerts.attend(project, TERMS, now=at(2), actions=quiet(project))
    ((_, done),) = retrainings(project)
    assert done.done is not None and "keys" not in done.result


def test_without_a_share_in_the_policy_nothing_is_looked_up(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    covers(monkeypatch, 0)
    react(project, 0, terms=alerting.terms())
    ((_, done),) = retrainings(project)
    assert done.done is not None


def test_a_retraining_on_unchanged_data_does_not_count(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    covers(monkeypatch, 10)
    for day in (0, 5, 10):
        react(project, day)
        for clean in range(1, 4):
            react(project, day + clean, Outcome.PASS)
    results = [item.made_a_model for _, item in retrainings(project)]
    assert results == [False, False, False]


def test_while_one_waits_no_other_is_asked_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    covers(monkeypatch, 0)
    seen = look(0, ASKS, finding(rule="gap", retrain=True), model=NAME)
    alerts.react(project, seen, TERMS, now=at(1), actions=quiet(project))
    assert len(retrainings(project)) == 1


def test_prefect_is_told_nothing_while_the_window_is_missing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setattr(actions, "_tell_prefect", lambda _root, _id, event, _body: told.append(event))
    covers(monkeypatch, 0)
    react(project, 0)
    assert told == []
    covers(monkeypatch, 10)
    alerts.attend(project, TERMS, now=at(2), actions=quiet(project))
    assert told == ["retrain"]
    ((alert, waiting),) = retrainings(project)
    assert waiting.done is None
    result = alerts.retrain(project, waiting.intent.id, now=at(2))
    assert "10 of 10 keys" in result and retrainings(project)[0][1].done is not None
    assert alert.is_active
