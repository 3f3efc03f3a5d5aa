"""What alerts do in the ledger, what alarms beside looks, and that a kill anywhere leaves each thing once."""

import datetime as dt
import os
from collections.abc import Iterator

import pytest

from assurance import monitoring_crashes
from clearance.ledger import EntryKind
from clearance.monitoring import alerts, run
from clearance.monitoring.alerts import alert as alerts_
from clearance.monitoring.alerts import conditions
from clearance.monitoring.alerts.actions import Actions
from clearance.monitoring.alerts.alert import IntentKind
from clearance.monitoring.alerts.conditions import AWAY, ENDS, LAPSED, OVERDUE
from clearance.monitoring.counting import database
from clearance.policy.monitoring_terms import MonitoringTerms
from clearance.promotion import incidents, monitoring_policy, restrictions, session
from clearance.serving import faults as serving_faults
from clearance.serving.champion import Champion
from tests.support import alerting, governed, watched
from tests.support.alerting import at, finding, look
from tests.support.codes import raises
from tests.support.governed import NAME, Place
from tests.test_incidents import LISTED

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # Apprise's own
NIGHTLY = bool(os.environ.get("CLEARANCE_NIGHTLY"))
NOW = dt.datetime.now(dt.UTC)
TERMS = alerting.terms(deadlines=[item.model_dump() for item in LISTED], watched_by=["otto"])


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.delenv(database.ADDRESS, raising=False)
    monkeypatch.setattr(monitoring_policy, "terms", lambda _: TERMS)
    yield governed.enter(monkeypatch).put("champion")


def quiet(place: Place) -> Actions:
    """The real effects but for notices and the pipeline."""
    by_kind = dict(Actions.of(place.root).by_kind)
    for kind in (IntentKind.NOTICE, IntentKind.RETRAINING):
        by_kind[kind] = lambda _, __: "done"
    return Actions(by_kind=by_kind)


def react(place: Place, day: int, terms: MonitoringTerms = TERMS) -> alerts.Reaction:
    failed = finding(severity="serious", on_fail="stop")
    seen = look(day, failed, content=place.proposed(1).content)
    return alerts.react(place.root, seen, terms, now=at(day + 1), actions=quiet(place))


def test_a_serious_rule_stops_and_opens_an_incident_once_with_the_policys_deadlines(place: Place) -> None:
    assert react(place, 0).failed == ()
    react(place, 1)
    with session.open_read_only(place.root) as reader:
        entries = reader.entries(NAME)
    restriction = restrictions.find(entries, 1)
    (incident,) = incidents.fold(entries).values()
    (alert,) = (item for item, _ in alerts.list_alerts(place.root))
    assert restriction is not None and restriction.stops and restriction.names == "drift"
    assert (incident.rule, incident.alert, incident.owner) == ("drift", alert.id, "otto")
    assert incident.look == alerts_.digest(
        look(0, finding(severity="serious", on_fail="stop"), content=place.proposed(1).content)
    )
    assert [item.id for item in incident.deadlines] == ["d15"] and incident.aware_at == at(1)
    assert incident.affected == {"version": 1, "from": "2026-01-01T00:00:00.000000Z", "until": None}
    actors = {item.actor for item in entries if item.kind in (EntryKind.INCIDENT, EntryKind.RESTRICTION)}
    assert actors == {"pipeline"}, "signed by the monitor's own identity"


def test_a_monitoring_store_that_is_lost_and_filled_again_repeats_nothing(place: Place) -> None:
    react(place, 0)
    for file in (place.root / ".clearance").glob("monitoring.db*"):
        file.unlink()
    react(place, 0)
    assert len(place.entries(EntryKind.RESTRICTION)) == len(place.entries(EntryKind.INCIDENT)) == 1


def test_a_monitor_without_the_right_does_nothing_and_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARANCE_IDENTITY", "ada")
    failed = react(place, 0).failed
    assert {id_.split(".")[1] for id_, _ in failed} == {"restriction", "incident"}
    monkeypatch.setenv("CLEARANCE_IDENTITY", "otto")
    alerts.attend(place.root, TERMS, now=at(2), actions=quiet(place))
    assert len(place.entries(EntryKind.RESTRICTION)) == 1


# Beside looks


def rules(place: Place, now: dt.datetime = NOW) -> list[str]:
    return [item.rule for item in conditions.present(place.root, TERMS.alerts, now).alerts]


def test_an_override_alarms_before_it_ends_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    place = governed.enter(monkeypatch)
    place.make("soon ended", "judged", overridden)
    assert place.told() == 1
    until = NOW + dt.timedelta(days=7)
    assert rules(place, NOW - dt.timedelta(days=2)) == []
    assert rules(place, NOW + dt.timedelta(days=1)) == [ENDS]
    assert rules(place, until + dt.timedelta(days=1)) == [LAPSED]


def overridden(place: Place) -> None:
    place.release(model=2, verdict="fail")
    place.agree(1, kind="override")


def test_a_withdrawn_approval_alarms_once_until_it_is_given_again(place: Place) -> None:
    assert rules(place) == []
    assert place.decide("revoke", 1, "vera").code == 0
    for _ in range(2):
        alerts.attend(place.root, TERMS, now=NOW, actions=quiet(place))
    (only,) = (item for item, _ in alerts.list_alerts(place.root))
    assert (only.rule, only.serious, only.is_active) == (LAPSED, True, True)
    place.decide("approve", 1, "vera")
    reaction = alerts.attend(place.root, TERMS, now=NOW, actions=quiet(place))
    assert [item.rule for item in reaction.news("resolved")] == [LAPSED]


def test_a_late_report_alarms_until_the_whole_one_is_made(place: Place) -> None:
    react(place, 0)
    assert rules(place, at(16)) == []
    late = at(16.1)
    assert rules(place, late) == [OVERDUE]
    alerts.attend(place.root, TERMS, now=late, actions=quiet(place))
    (number,) = (item.number for item in place.entries(EntryKind.INCIDENT))
    for complete, resolved in ((False, []), (True, [OVERDUE])):
        with place.office("otto") as office:
            incidents.report(office, NAME, number, "what we know", deadline="d15", complete=complete)
        reaction = alerts.attend(place.root, TERMS, now=late, actions=quiet(place))
        assert [item.rule for item in reaction.news("resolved")] == resolved


def test_a_ledger_that_is_not_the_one_it_was_alarms_and_resolves_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.decide("revoke", 1, "vera")
    alerts.attend(place.root, TERMS, now=NOW, actions=quiet(place))
    with monkeypatch.context() as patch:
        patch.setenv("CLEARANCE_LEDGER", f"sqlite:///{place.root}/other.db")
        alerts.attend(place.root, TERMS, now=NOW, actions=quiet(place))
        active = {item.rule for item, _ in alerts.list_alerts(place.root, active=True)}
    assert active == {LAPSED, AWAY}
    alerts.attend(place.root, TERMS, now=NOW, actions=quiet(place))
    assert {item.rule for item, _ in alerts.list_alerts(place.root, active=True)} == {LAPSED}


# Commands


def test_the_commands_list_take_send_and_resolve(place: Place) -> None:
    assert place.command("alerts", "list").said.strip() == "no active alerts"
    react(place, 0)
    (alert,) = (item for item, _ in alerts.list_alerts(place.root))
    listed = place.command("alerts", "list")
    assert listed.code == 3 and alert.id in listed.said and "ledger entry" in listed.said
    assert place.command("alerts", "take", "0" * 16).error == "monitoring.no_such_alert"
    assert place.command("alerts", "take", alert.id, "--as", "otto").code == 0
    assert place.command("alerts", "list").code == 0
    assert place.command("alerts", "resolve", alert.id, "--reason", "a holiday", "--as", "otto").code == 0
    sent = place.command("alerts", "send")
    assert sent.code == 75 and "CLEARANCE_NOTIFY_URL is not set" in sent.said, "nobody heard that it is over"


def test_nothing_is_watched_where_the_policy_says_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring_policy, "terms", lambda _: None)
    with raises("monitoring.no_monitoring"):
        alerts.attend(place.root, now=NOW)


# From decisions to a stop, and back


def test_scores_of_another_model_stop_the_server_until_a_person_lets_it_decide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version, start = watched.version(), dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    place = watched.enter(monkeypatch)
    forged = watched.decisions(version, watched.inputs(240), start, dt.timedelta(minutes=5), score=0.9)
    watched.record(place, forged)
    champion = Champion(place.root)
    champion.start()

    def monitor() -> run.MonitorRun:
        return run.run(place.root, clock=lambda: start + dt.timedelta(days=1, hours=2))

    seen = monitor()
    champion.refresh()
    with raises(serving_faults.STOPPED.code, rule="skew"):
        champion.deciding()
    (failed,) = [look for look in seen.looks if look.failing]
    with session.open_read_only(place.root) as reader:
        (incident,) = incidents.fold(reader.entries(NAME)).values()
    assert (incident.rule, incident.look) == ("skew", alerts_.digest(failed))
    assert incident.affected["from"] == "2026-12-01T00:00:00.000000Z"
    done = place.command("decisions", "resume", "--reason", "the right model runs again", "--as", "otto")
    assert done.code == 0
    monitor()
    champion.refresh()
    assert champion.deciding().version == 1, "the same alert does not stop it again"
    assert len(place.entries(EntryKind.INCIDENT)) == len(place.entries(EntryKind.RESTRICTION)) == 1


# Kills


@pytest.mark.slow
def test_a_kill_anywhere_leaves_each_thing_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring_policy, "terms", lambda _: None)
    report = monitoring_crashes.run(place, monkeypatch, 100 if NIGHTLY else 3, seed=3)
    assert report["wrong"] == []
    assert report["kills"] >= (100 if NIGHTLY else 3)
