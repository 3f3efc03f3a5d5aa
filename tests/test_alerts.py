"""One alert for each rule and model: opened, told, repeated, escalated, taken, resolved; each effect once."""

import datetime as dt
import http.server
import json
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.documents.look_document import Look
from clearance.documents.measurement import Outcome
from clearance.errors import UnavailableError
from clearance.monitoring import alerts
from clearance.monitoring.alerts import alert as alerts_
from clearance.monitoring.alerts import conditions
from clearance.monitoring.alerts.actions import ID_HEADER, Actions, notify
from clearance.monitoring.alerts.alert import Alert, IntentKind, State
from clearance.monitoring.counting import database
from clearance.policy.monitoring_terms import MonitoringTerms
from tests.support import alerting
from tests.support.alerting import at, finding, look
from tests.support.codes import raises

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # Apprise's own
PASS, FAIL = Outcome.PASS, Outcome.FAIL
UNSURE, ABSENT = Outcome.INSUFFICIENT_EVIDENCE, Outcome.NOT_EVALUATED
NIGHTLY = bool(os.environ.get("CLEARANCE_NIGHTLY"))
VARIABLE, OTHERS = "CLEARANCE_NOTIFY_URL", "CLEARANCE_NOTIFY_OTHERS"


class World:
    """What intents did, with receivers that are away while a test says so, and a clock."""

    def __init__(self, root: Path, terms: MonitoringTerms) -> None:
        self.root, self.terms = root, terms
        self.deeds: list[tuple[IntentKind, str]] = []
        self.away: set[IntentKind] = set()

    @property
    def actions(self) -> Actions:
        def act(kind: IntentKind) -> Any:
            def do(id_: str, _: object) -> str:
                if kind in self.away:
                    raise UnavailableError("away", "wait")
                self.deeds.append((kind, id_))
                return "done"

            return do

        return Actions(by_kind={kind: act(kind) for kind in IntentKind})

    def see(self, seen: Look, day: float) -> alerts.Reaction:
        return alerts.react(self.root, seen, self.terms, now=at(day), actions=self.actions)

    def attend(self, day: float) -> alerts.Reaction:
        return alerts.attend(self.root, self.terms, now=at(day), actions=self.actions)

    def alerts(self) -> list[Alert]:
        return [item for item, _ in alerts.list_alerts(self.root)]

    def told(self) -> list[str]:
        """The news of the notices that were sent, in order."""
        return [id_.split(".")[1] for kind, id_ in self.deeds if kind is IntentKind.NOTICE]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / ".clearance").mkdir()
    monkeypatch.delenv(database.ADDRESS, raising=False)
    nothing = conditions.Conditions(alerts=(), looked_for=frozenset())
    monkeypatch.setattr(conditions, "present", lambda *_: nothing)
    return World(tmp_path, alerting.terms(alerts={"escalate_to": [OTHERS]}))


PARAMS = """
name: loan-approval
experiment: e
seed: 1
source: {kind: file, path: data/source}
data: {row_key: id, target: approve, favourable: 1, protected: [race], features: [amount]}
split: {train: 0.5, tune: 0.2, test: 0.3}
train: {estimator: logistic_regression}
policy: {file: policies/test.yaml, as_of: "2026-11-22"}
"""


# From looks to alerts


def test_one_alert_while_a_rule_fails_and_one_notice(world: World) -> None:
    for day in range(3):
        world.see(look(day, finding(), finding(subject="age")), day + 1)
    (only,) = world.alerts()
    assert (only.state, only.looks, only.subjects) == (State.OPEN, 3, ("age", "income"))
    assert (only.since, only.until) == ("2026-01-01T00:00Z", "2026-01-04T00:00Z")
    assert world.told() == ["opened"]


def test_a_look_counts_once_however_often_it_is_told(world: World) -> None:
    for _ in range(3):
        world.see(look(0, finding(on_fail="stop", severity="serious", retrain=True)), 1)
    assert Counter(kind for kind, _ in world.deeds) == dict.fromkeys(IntentKind, 1)
    assert world.alerts()[0].looks == 1


def test_each_rule_has_its_alert(world: World) -> None:
    world.see(look(0, finding(), finding(rule="gap", subject="race")), 1)
    assert {item.rule for item in world.alerts()} == {"drift", "gap"}


def test_it_is_resolved_by_looks_in_which_what_failed_passes(world: World) -> None:
    world.see(look(0, finding()), 1)
    for day in (1, 2):
        world.see(look(day, finding(PASS)), day + 1)
    world.see(look(3, finding(UNSURE)), 4)
    world.see(look(4, finding(ABSENT)), 5)
    world.see(look(5), 6)
    world.see(look(6, finding(PASS, subject="age")), 7)
    assert world.alerts()[0].state is State.OPEN, "what nobody could judge proves nothing"
    reaction = world.see(look(7, finding(PASS), finding(UNSURE, subject="age")), 8)
    assert [item.state for item in reaction.news("resolved")] == [State.RESOLVED]
    assert world.told() == ["opened", "resolved"]


def test_a_failure_in_between_starts_the_row_again(world: World) -> None:
    for day, outcome in enumerate((FAIL, PASS, PASS, FAIL, PASS, PASS)):
        world.see(look(day, finding(outcome)), day + 1)
    (only,) = world.alerts()
    assert (only.state, only.clean, only.looks) == (State.OPEN, 2, 2)


def test_a_week_that_holds_a_day_which_has_alarmed_says_nothing_new(world: World) -> None:
    for day, outcome in enumerate((FAIL, PASS, PASS, PASS)):
        world.see(look(day, finding(outcome)), day + 1)
    world.see(look(0, finding(), days=7, period="week"), 8)
    assert world.told() == ["opened", "resolved"] and len(world.alerts()) == 1
    world.see(look(20, finding()), 21)
    assert len(world.alerts()) == 2 and world.told()[-1] == "opened"


def test_another_version_that_fails_has_an_alert_of_its_own(world: World) -> None:
    stops = finding(on_fail="stop")
    world.see(look(0, stops), 1)
    world.see(look(1, stops, version=2), 2)
    new, old = sorted(world.alerts(), key=lambda item: -item.version)
    assert (new.state, old.state) == (State.OPEN, State.RESOLVED)
    assert [kind for kind, _ in world.deeds].count(IntentKind.RESTRICTION) == 2
    world.see(look(0, finding(value=0.3), version=1), 3)
    assert {item.id: item.state for item in world.alerts()} == {new.id: State.OPEN, old.id: State.RESOLVED}


def test_a_version_without_the_feature_that_failed_can_resolve_the_alert(world: World) -> None:
    world.see(look(0, finding(), finding(subject="age")), 1)
    for day in range(1, 4):
        world.see(
            look(day, finding(UNSURE, subject="age"), finding(PASS, subject="debt"), version=2), day + 1
        )
    assert world.alerts()[0].state is State.OPEN
    for day in range(4, 7):
        world.see(look(day, finding(PASS, subject="age"), version=2), day + 1)
    assert world.alerts()[0].state is State.RESOLVED


def test_what_is_only_recorded_is_told_to_nobody(world: World) -> None:
    world.see(look(0, finding(on_fail="record")), 1)
    world.attend(9)
    assert len(world.alerts()) == 1 and world.told() == []


outcomes = st.lists(st.sampled_from([PASS, FAIL, UNSURE, ABSENT, None]), max_size=40)


@settings(max_examples=60)
@given(outcomes)
def test_from_any_looks_follow_alternating_openings_and_resolutions(row: list[Outcome | None]) -> None:
    terms, alert, news = alerting.terms(), None, []
    failures = 0
    for day, outcome in enumerate(row):
        findings = [] if outcome is None else [finding(outcome)]
        change = alerts_.after_look(alert, look(day, *findings), findings, terms, at(day + 1))
        failures += outcome is FAIL
        if change is not None:
            alert = change.alert
            news += [change.news] if change.news else []
    assert news == ["opened", "resolved"] * (len(news) // 2) + ["opened"] * (len(news) % 2)
    assert bool(news) == bool(failures)
    if alert is not None:
        assert Alert.from_json(json.loads(json.dumps(alert.to_json()))) == alert
        last = max(day for day, outcome in enumerate(row) if outcome is FAIL)
        passes = sum(outcome is PASS for outcome in row[last + 1 :])
        assert alert.is_active == (passes < terms.alerts.resolve_looks)


# Time


def test_it_is_repeated_and_escalated_until_somebody_takes_it(world: World) -> None:
    world.see(look(0, finding()), 1)
    for hour in range(0, 24 * 5, 6):
        world.attend(1 + hour / 24)
    assert world.told() == ["opened", "repeated-1", "escalated", "repeated-2", "repeated-3"]
    alerts.take(world.root, world.alerts()[0].id, "otto", now=at(6))
    for hour in range(0, 24 * 5, 6):
        world.attend(6 + hour / 24)
    assert len(world.told()) == 5
    assert world.alerts()[0].taken_by == "otto"
    alerts.resolve(world.root, world.alerts()[0].id, "a holiday", world.terms, now=at(12))
    with raises("monitoring.no_such_alert"):
        alerts.take(world.root, world.alerts()[0].id, "otto")
    with raises("monitoring.no_such_alert"):
        alerts.resolve(world.root, "0" * 16, "no such", world.terms)


def test_in_maintenance_nothing_is_sent_and_decisions_stop_all_the_same(world: World) -> None:
    window = {"start": at(0), "end": at(5), "reason": "migration", "rules": ["drift"]}
    world.terms = alerting.terms(maintenance=[window])
    world.see(look(0, finding(on_fail="stop"), finding(rule="gap")), 1)
    assert [kind for kind, _ in world.deeds].count(IntentKind.RESTRICTION) == 1
    assert len(world.told()) == 1, "the other rule is not in maintenance"
    silent = next(item.id for item in world.alerts() if item.rule == "drift")
    world.attend(4.9)
    assert not [id_ for kind, id_ in world.deeds if kind is IntentKind.NOTICE and id_.startswith(silent)]
    world.attend(5)
    assert (IntentKind.NOTICE, f"{silent}.opened.{VARIABLE}") in world.deeds


def test_what_is_over_before_the_maintenance_is_told_to_nobody(world: World) -> None:
    world.terms = alerting.terms(maintenance=[{"start": at(0), "end": at(5), "reason": "migration"}])
    for day, outcome in enumerate((FAIL, PASS, PASS, PASS)):
        world.see(look(day, finding(outcome)), day + 1)
    world.attend(6)
    assert world.told() == [] and world.alerts()[0].state is State.RESOLVED


# Retraining


def test_one_retraining_an_alert_with_a_cool_down_and_a_budget(world: World) -> None:
    world.terms = alerting.terms(retraining={"cool_down_days": 14, "most_a_year": 3})
    row = [FAIL if day % 8 == 0 else PASS for day in range(80)]
    days = []
    for day, outcome in enumerate(row):
        before = len(world.deeds)
        world.see(look(day, finding(outcome, retrain=True)), day + 1)
        days += [day for kind, _ in world.deeds[before:] if kind is IntentKind.RETRAINING]
    assert days == [0, 16, 32]
    assert len(world.alerts()) == 10
    (rest,) = [item for item in world.alerts() if item.since.startswith("2026-01-09")]
    assert rest.retrained_at is None


def test_an_alert_that_goes_on_is_retrained_once_the_cool_down_is_over(world: World) -> None:
    asks = finding(retrain=True)
    world.see(look(0, asks, finding(rule="gap", retrain=True)), 1)
    for day in range(1, 20):
        world.see(look(day, asks, finding(rule="gap", retrain=True)), day + 1)
    retrained = [id_ for kind, id_ in world.deeds if kind is IntentKind.RETRAINING]
    assert len(retrained) == 2 and len(set(retrained)) == 2


class Population:
    """Applicants who change for good at certain days; a version fits those it was trained on.

    Trained versions wait for people, who promote them two days later; the last one they never do.
    """

    CHANGES = (20, 60, 75, 200, 300)

    def __init__(self) -> None:
        self.fits: dict[int, int] = {1: 0}
        self.version, self.promoted_at = 1, dict[int, int]()

    def change(self, day: int) -> int:
        return sum(day >= change for change in self.CHANGES)

    def train(self, day: int) -> None:
        number = len(self.fits) + 1
        self.fits[number] = self.change(day)
        if self.fits[number] < len(self.CHANGES):
            self.promoted_at[day + 2] = number

    def outcome(self, day: int) -> Outcome:
        self.version = self.promoted_at.get(day, self.version)
        return PASS if self.fits[self.version] == self.change(day) else FAIL


def test_the_retrain_loop_left_running_for_a_year_neither_storms_nor_sleeps_nor_promotes(
    world: World,
) -> None:
    world.terms = alerting.terms(retraining={"cool_down_days": 14, "most_a_year": 6})
    people, trained, days = Population(), list[int](), 366 if NIGHTLY else 30
    for day in range(days):
        before = len(world.deeds)
        seen = look(day, finding(people.outcome(day), retrain=True), version=people.version)
        world.see(seen, day + 1)
        world.attend(day + 1.5)
        for kind, _ in world.deeds[before:]:
            if kind is IntentKind.RETRAINING:
                trained.append(day + 1)
                people.train(day + 1)
    assert trained == [change + 1 for change in people.CHANGES if change < days]
    assert len(world.alerts()) == len(trained)
    active = [item for item in world.alerts() if item.is_active]
    assert len(active) == (days > people.CHANGES[-1])
    assert people.version == 1 + len(trained) - len(active), "what people do not promote, nobody promotes"
    news = Counter(item.partition("-")[0] for item in world.told())
    assert (news["opened"], news["resolved"]) == (len(trained), len(trained) - len(active))
    assert max(Counter(world.deeds).values()) == 1


# Effects that fail


def test_what_fails_waits_longer_and_longer_and_is_never_lost_nor_done_twice(world: World) -> None:
    world.away = set(IntentKind)
    world.see(look(0, finding(on_fail="stop", severity="serious", retrain=True)), 1)
    tries = 0
    for minute in range(0, 600, 5):
        tries += len(world.attend(1 + minute / 1440).failed)
    assert world.deeds == []
    assert 5 * 10 <= tries <= 5 * 20
    world.away = set()
    world.attend(2)
    world.attend(2.5)
    kinds = [kind for kind, _ in world.deeds]
    assert kinds == sorted(kinds, key=list(IntentKind).index), "first the server, then people"
    assert Counter(kinds) == dict.fromkeys(IntentKind, 1)


def test_one_that_fails_holds_up_no_other(world: World) -> None:
    world.away = {IntentKind.RESTRICTION, IntentKind.NOTICE}
    world.see(look(0, finding(on_fail="hold", severity="serious")), 1)
    assert {kind for kind, _ in world.deeds} == {IntentKind.INCIDENT, IntentKind.EVENT}


def test_two_processes_send_nothing_twice(
    world: World, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(database.ADDRESS, address)
    world.away = {IntentKind.NOTICE}
    world.see(look(0, finding()), 1)
    world.away = set()
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        alerts.deliver(world.root, "loan-approval", now=at(2), actions=world.actions)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.told() == ["opened"]
    for day in range(1, 4):
        world.see(look(day, finding(PASS)), day + 1)
    assert world.told() == ["opened", "resolved"] and world.alerts()[0].state is State.RESOLVED


# A receiver


class Receiver:
    """A web hook on loopback that answers with `status`, and keeps what it took."""

    def __init__(self) -> None:
        self.status, self.taken, self.asked = 200, list[tuple[str, dict[str, Any]]](), 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.asked += 1
                if receiver.status == 200:
                    receiver.taken.append((self.headers[ID_HEADER], json.loads(body)))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://127.0.0.1:{self.server.server_address[1]}/hook?retry=0"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    hook = Receiver()
    thread = threading.Thread(target=hook.server.serve_forever, daemon=True)
    thread.start()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()
    thread.join()


def real(world: World) -> Actions:
    return Actions(by_kind={**world.actions.by_kind, IntentKind.NOTICE: notify})


def test_a_receiver_that_answers_500_for_an_hour_gets_every_notice_once(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, receiver.address)
    receiver.status = 500
    seen = look(0, finding(), finding(rule="gap", subject="race"))
    alerts.react(world.root, seen, world.terms, now=at(1), actions=real(world))
    for minute in range(60):
        alerts.attend(world.root, world.terms, now=at(1 + minute / 1440), actions=real(world))
    assert receiver.taken == [] and 2 * 6 <= receiver.asked <= 2 * 10
    receiver.status = 200
    for minute in range(60, 180):
        alerts.attend(world.root, world.terms, now=at(1 + minute / 1440), actions=real(world))
    ids = [id_ for id_, _ in receiver.taken]
    assert len(ids) == len(set(ids)) == 2
    assert all(id_ in message["message"] for id_, message in receiver.taken)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("", "monitoring.no_address"),
        ("nonsense", "monitoring.bad_address"),
        ("json://127.0.0.1:9/?retry=0&cto=0.5", "monitoring.not_sent"),
    ],
)
def test_an_address_that_is_missing_wrong_or_down_is_said_without_repeating_it(
    address: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, address)
    with raises(code, variable=VARIABLE) as error:
        notify("id", {"to": VARIABLE, "title": "t", "body": "b"})
    assert not address or address not in str(error.value)


def test_a_receiver_that_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"json://127.0.0.1:{silent.getsockname()[1]}/?retry=0&cto=0.2&rto=0.2"
        monkeypatch.setenv(VARIABLE, address)
        with raises("monitoring.not_sent"):
            notify("id", {"to": VARIABLE, "title": "t", "body": "b"})


def test_a_notice_says_what_how_bad_since_when_on_what_evidence_what_next_and_what_to_do(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, receiver.address)
    seen = look(3, finding(severity="serious", on_fail="stop", retrain=True, reason="applicant-77 earns 5"))
    alerts.react(world.root, seen, world.terms, now=at(4), actions=real(world))
    ((_, message),) = receiver.taken
    parts = [line.partition(": ")[0] for line in message["message"].splitlines()[:-1]]
    assert parts == ["What", "How bad", "Since", "Evidence", "What happens next", "What to do now"]
    for text in ("drift.psi of income", "0.31", "0.22 to 0.41", "at most 0.1", "412 rows"):
        assert text in message["message"]
    assert "2026-01-04T00:00Z" in message["message"]
    for text in (alerts_.digest(seen)[:12], "refused", "incident", "new model", "clearance alerts take"):
        assert text in message["message"]
    assert "applicant-77" not in json.dumps(message), "a sentence that may quote data is not sent"
    assert "serious" in message["title"] and "version 1" in message["title"]


def test_times_are_utc() -> None:
    zone = dt.timezone(dt.timedelta(hours=5))
    assert alerts_.stamp(dt.datetime(2026, 1, 1, 5, tzinfo=zone)) == "2026-01-01T00:00:00Z"
