"""Incidents: opened once, by whom, with which deadlines; reported in order; closed when all is reported."""

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import inference_log
from clearance.errors import ExitCode
from clearance.inference_log import ModelReference, settings
from clearance.ledger import EntryKind
from clearance.policy.monitoring_terms import ReportDeadline
from clearance.promotion import incidents, session
from clearance.promotion.incidents import Incident, Opening
from tests.support import governed, inferences
from tests.support.codes import raises
from tests.support.governed import NAME, Place

NOON = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
START = NOON - dt.timedelta(days=1)


def deadline(id_: str, days: int, *kinds: str, role: str = "provider", **changes: Any) -> ReportDeadline:
    about = {"id": id_, "incidents": kinds or ("serious",), "role": role, "days": days, "to": f"to-{id_}"}
    about |= {"kind": "legal", "source": "the test", "valid_from": dt.date(2026, 1, 1)}
    return ReportDeadline.model_validate(about | changes)


LISTED = (
    deadline("d15", 15, incomplete_first=True),
    deadline("d2", 2, "widespread", "critical_infrastructure", incomplete_first=True),
    deadline("d10", 10, "death", incomplete_first=True),
    deadline("provider-first", 0, "serious", "death", role="deployer"),
    deadline("then-authority", 1, "serious", "death", role="deployer"),
)


def opening(**changes: Any) -> Opening:
    about: dict[str, Any] = {"version": 1, "category": "serious", "role": "provider", "aware_at": NOON}
    about |= {"description": "group b is approved less", "decisions_from": START}
    return Opening(**(about | changes))


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch).put("champion")


def read(place: Place) -> dict[int, Incident]:
    with session.open_read_only(place.root) as reader:
        return incidents.fold(reader.entries(NAME))


def start(place: Place, by: str = "otto", **changes: Any) -> int:
    changes.setdefault("aware_at", dt.datetime.now(dt.UTC))
    with place.office(by) as office:
        return incidents.open_incident(office, NAME, opening(**changes), LISTED)


# Deadlines


@pytest.mark.parametrize(
    ("category", "days"),
    [("serious", 15), ("widespread", 2), ("critical_infrastructure", 2), ("death", 10)],
)
def test_article_73_counts_from_awareness(category: str, days: int) -> None:
    (only,) = incidents.due(LISTED, category, "provider", NOON)
    assert only.due == f"{NOON + dt.timedelta(days=days):%Y-%m-%dT%H:%M:%S.%fZ}"


def test_only_what_is_in_force_binds_and_no_law_asks_for_what_is_not_reportable() -> None:
    old = deadline("old", 15, valid_from=dt.date(2020, 1, 1), valid_until=dt.date(2026, 11, 29))
    assert incidents.due([old], "serious", "provider", NOON) == ()
    assert [item.id for item in incidents.due([old], "serious", "provider", START)] == ["old"]
    assert incidents.due(LISTED, incidents.NOT_REPORTABLE, "provider", NOON) == ()


AFTER = st.timedeltas(min_value=dt.timedelta(0), max_value=dt.timedelta(days=400))


@given(AFTER, st.none() | AFTER)
def test_a_report_is_overdue_exactly_after_its_due_time(
    after: dt.timedelta, reported: dt.timedelta | None
) -> None:
    (only,) = incidents.due(LISTED, "serious", "provider", NOON)
    first = None if reported is None else NOON + reported
    duty = incidents.Duty(deadline=only, met=False, first=first)
    late, time = after > dt.timedelta(days=15), dt.timedelta(days=15)
    assert duty.overdue(NOON + after) == (late and (reported is None or reported > time))
    whole = deadline("whole", 15)
    (strict,) = incidents.due([whole], "serious", "provider", NOON)
    assert incidents.Duty(deadline=strict, met=False, first=first).overdue(NOON + after) == late


def test_a_first_report_that_came_late_is_late_for_ever() -> None:
    (only,) = incidents.due(LISTED, "serious", "provider", NOON)
    days = {0: 0, 15: 0, 16: 1, 20: 5}
    for reported, late in days.items():
        duty = incidents.Duty(deadline=only, met=True, first=NOON + dt.timedelta(days=reported))
        assert duty.days_late == late and not duty.overdue(NOON + dt.timedelta(days=90))
        assert ("late" in duty.state(NOON)) == bool(late)
    begun = incidents.Duty(deadline=only, met=True, first=NOON + dt.timedelta(days=15, seconds=1))
    assert begun.days_late == 1, "a begun day counts"


# Opening


def test_a_rule_opens_one_incident_until_it_is_closed(place: Place) -> None:
    number = start(place, rule="gap", alert="a1", look="e" * 64)
    assert start(place, rule="gap", alert="a1") == number
    assert start(place, rule="gap", alert="a2") == number, "an open incident of the rule is not opened again"
    assert start(place, rule="drift", alert="a3") != number
    assert len(place.entries(EntryKind.INCIDENT)) == 2
    with place.office("otto") as office:
        incidents.report(office, NAME, number, "all of it", deadline="d15", complete=True)
        incidents.close(office, NAME, number, corrective_action="retrained", statement="no harm found")
    assert start(place, rule="gap", alert="a1") == number, "its alert has led to it"
    assert start(place, rule="gap", alert="a4") > number


def test_who_opens_it_and_what_it_says(place: Place) -> None:
    with raises("promotion.right_missing", right="watch"):
        start(place, by="vera")
    with raises("promotion.unknown_category", category="rain"):
        start(place, category="rain")
    with raises("promotion.aware_in_future"):
        start(place, aware_at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    with raises("promotion.never_proposed"):
        start(place, version=9)
    with raises("promotion.no_reason"):
        start(place, description="\u200b")
    assert read(place) == {}
    number = start(place, rule="gap", alert="a1", look="e" * 64)
    incident = read(place)[number]
    assert (incident.owner, incident.opened_by) == ("otto", "otto")
    assert incident.affected == {"version": 1, "from": "2026-11-29T12:00:00.000000Z", "until": None}
    assert incident.look == "e" * 64 and incident.content == place.proposed(1).content


# Reports


def test_a_first_report_may_be_incomplete_and_does_not_close(place: Place) -> None:
    number = start(place)
    late = dt.datetime.now(dt.UTC) + dt.timedelta(days=16)
    assert len(read(place)[number].overdue(late)) == 1
    with place.office("otto") as office:
        incidents.report(office, NAME, number, "what we know so far", deadline="d15")
        assert read(place)[number].overdue(late) == ()
        with raises("promotion.report_missing", deadline="d15"):
            incidents.close(office, NAME, number, corrective_action="c", statement="s")
        incidents.report(office, NAME, number, "all of it", deadline="d15", complete=True)
        incidents.close(office, NAME, number, corrective_action="c", statement="s")
        with raises("promotion.no_open_incident", number=number):
            incidents.report(office, NAME, number, "more")
        with raises("promotion.no_open_incident"):
            incidents.close(office, NAME, number, corrective_action="c", statement="s")


def test_a_deployer_tells_the_provider_first(place: Place) -> None:
    number = start(place, role="deployer")
    with place.office("otto") as office:
        with raises("promotion.report_out_of_order", deadline="provider-first"):
            incidents.report(office, NAME, number, "to the authority", deadline="then-authority")
        incidents.report(office, NAME, number, "to the provider", deadline="provider-first", complete=True)
        incidents.report(office, NAME, number, "to the authority", deadline="then-authority", complete=True)
        with raises("promotion.no_such_deadline", deadline="d15"):
            incidents.report(office, NAME, number, "to nobody", deadline="d15")
    assert [report.to for report in read(place)[number].reports] == ["to-provider-first", "to-then-authority"]


def test_what_is_learned_later_sets_other_deadlines(place: Place) -> None:
    number = start(place)
    then = dt.datetime.now(dt.UTC) - dt.timedelta(days=3)
    with place.office("otto") as office:
        worse = incidents.report(
            office, NAME, number, "somebody died", category="death", aware_at=then, listed=LISTED
        )
        assert [item.id for item in worse.deadlines] == ["d10"] and worse.aware_at == then
        none_due = incidents.report(
            office, NAME, number, "an alarm by chance", category="not_reportable", listed=LISTED
        )
        assert none_due.deadlines == ()
        assert incidents.close(office, NAME, number, corrective_action="c", statement="s").closed_at


def test_entries_past_the_commands_open_and_close_nothing(place: Place) -> None:
    number = start(place, alert="a1")
    with place.office("otto") as office:
        about = {"version": 1, "content": place.proposed(1).content}
        twice = dict(place.entries(EntryKind.INCIDENT)[0].body)
        close = about | {"incident": number + 5, "corrective_action": "c", "statement": "s"}
        place.forge(
            "otto",
            office.draft(EntryKind.INCIDENT, NAME, **twice),
            office.draft(EntryKind.INCIDENT_CLOSURE, NAME, **close),
        )
        place.forge(
            "vera",
            office.draft(EntryKind.INCIDENT_CLOSURE, NAME, **(close | {"incident": number})),
        )
    assert [item.is_open for item in read(place).values()] == [True]
    assert len(place.voids()) == 3


# Commands


def test_the_commands_from_opening_to_closing(place: Place) -> None:
    words = ("incident", "open", "--version", "1", "--from", "2026-11-01", "--text", "complaints", "--as")
    assert place.command(*words, "vera").error == "promotion.right_missing"
    opened = place.command(*words, "otto")
    assert opened.code == ExitCode.PASS, opened
    (number,) = read(place)
    shown = json.loads(place.command("incident", "show", str(number), "--json").said)
    assert (shown["category"], shown["owner"], shown["open"]) == ("serious", "otto", True)
    assert shown["affected"] == {"version": 1, "from": "2026-11-01T00:00:00.000000Z", "until": None}
    assert place.command("incident", "show", "9999").error == "promotion.no_such_incident"
    noted = ("incident", "report", str(number), "--text", "called them", "--until", "2026-11-29")
    assert place.command(*noted, "--as", "otto").code == ExitCode.PASS
    closed = ("incident", "close", str(number), "--action", "fixed", "--statement", "no harm", "--as", "otto")
    assert place.command(*closed).code == ExitCode.PASS
    listed = place.command("incident", "list")
    assert listed.code == ExitCode.PASS and "closed" in listed.said


def test_the_affected_decisions_are_a_query_over_the_log(place: Place) -> None:
    content = place.proposed(1).content
    number = start(place)
    with place.office("otto") as office:
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        incidents.report(office, NAME, number, "until then", decisions_until=soon)
    address, key = settings.address(place.root), settings.key_path(place.root)
    asked = ("incident", "decisions", str(number), "--reason", "who was affected", "--json", "--as")
    with inference_log.open(address, key) as log:
        wanted, other, foreign = (
            replace(inferences.inference(), model=ModelReference(name=NAME, version=version, digest=digest))
            for version, digest in ((1, content), (2, content), (1, "0" * 64))
        )
        log.append(wanted, other, foreign)
    listed = place.command(*asked, "ada")
    assert listed.code == ExitCode.PASS, listed
    assert [item["id"] for item in json.loads(listed.said)] == [wanted.id]
    assert place.command(*asked, "vera").error == "promotion.right_missing"
    with place.office("otto") as office:
        incidents.report(office, NAME, number, "it ended before", decisions_until=NOON)
    assert json.loads(place.command(*asked, "ada").said) == []
