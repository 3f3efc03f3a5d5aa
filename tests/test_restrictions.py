"""Holding and stopping decisions: by whom, for which version, undone by whom, and what a server does then."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

import pytest

from clearance.errors import ExitCode, UnavailableError
from clearance.inference_log import Inference
from clearance.ledger import EntryKind
from clearance.promotion import restrictions, session
from clearance.promotion.restrictions import Cause, Restriction
from clearance.serving import faults
from clearance.serving.champion import Champion, Sight
from clearance.serving.served_model import ServedModel
from tests.support import governed, serving
from tests.support.codes import raises
from tests.support.governed import NAME, Place
from tests.support.serving import ROW

LOOK = "e" * 64


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch).put("champion")


def in_force(place: Place, version: int = 1) -> Restriction | None:
    with session.open_read_only(place.root) as reader:
        return restrictions.find(reader.entries(NAME), version)


def stop(place: Place, *, alert: str = "a1", by: str = "otto") -> int:
    with place.office(by) as office:
        return restrictions.restrict(
            office, NAME, 1, "stop", "it failed", rule="drift", alert=alert, look=LOOK
        )


def test_a_rule_stops_once_per_alert_and_only_who_promotes_undoes_it(place: Place) -> None:
    number = stop(place)
    assert stop(place) == number, "the same alert stops once"
    present = in_force(place)
    assert present is not None and present.stops and present.names == "drift"
    with place.office("vera") as office, raises("promotion.right_missing", right="promote"):
        restrictions.resume(office, NAME, 1, "I say so")
    with place.office("otto") as office:
        restrictions.resume(office, NAME, 1, "corrected")
    assert in_force(place) is None
    assert stop(place) == number and in_force(place) is None, "it does not come back for the same alert"
    assert stop(place, alert="a2") != number and in_force(place) is not None
    assert len(place.entries(EntryKind.RESTRICTION)) == 2


def test_who_may_not_watch_restricts_nothing(place: Place) -> None:
    with raises("promotion.right_missing", right="watch"):
        stop(place, by="vera")
    assert in_force(place) is None and len(place.entries(EntryKind.REFUSAL)) == 1


def test_a_role_with_watch_alone_stops_and_does_not_resume(place: Place) -> None:
    place.roles(lambda file: file["roles"]["auditor"].append("watch"))
    stop(place, by="ada")
    with place.office("ada") as office, raises("promotion.right_missing"):
        restrictions.resume(office, NAME, 1, "mine")
    assert in_force(place) is not None


def test_what_was_written_past_the_commands_counts_for_nothing(place: Place) -> None:
    with place.office("vera") as office:
        content = place.proposed(1).content
        about = {"version": 1, "content": content}
        forged = [
            office.draft(EntryKind.RESTRICTION, NAME, **about, mode="stop", reason="no right"),
        ]
        place.forge("vera", *forged)
    assert in_force(place) is None
    number = stop(place)
    with place.office("otto") as office:
        again = about | {"mode": "stop", "reason": "again", "alert": "a1"}
        other = about | {"restrictions": [number + 7], "reason": "of nothing"}
        elsewhere = {"version": 1, "content": "0" * 64, "restrictions": [number], "reason": "other content"}
        place.forge(
            "otto",
            office.draft(EntryKind.RESTRICTION, NAME, **again),
            office.draft(EntryKind.RESUMPTION, NAME, **other),
            office.draft(EntryKind.RESUMPTION, NAME, **elsewhere),
        )
    present = in_force(place)
    assert present is not None and [cause.entry for cause in present.causes] == [number]
    assert len(place.voids()) == 4
    assert place.verify()["ledger"].holds


def test_resuming_ends_all_that_is_in_force_and_nothing_later(place: Place) -> None:
    stop(place)
    assert place.command("decisions", "hold", "--reason", "complaints", "--as", "otto").code == ExitCode.PASS
    assert place.command("decisions", "restriction").code == ExitCode.REFUSED
    refused = place.command("decisions", "resume", "--reason", "x", "--as", "vera")
    assert refused.error == "promotion.right_missing"
    done = place.command("decisions", "resume", "--reason", "corrected", "--as", "otto")
    assert done.code == ExitCode.PASS
    assert place.command("decisions", "restriction").said.strip() == "version 1 decides freely"
    assert place.command("decisions", "resume", "--reason", "x", "--as", "otto").error == (
        "promotion.not_restricted"
    )


def test_another_version_is_free_and_an_unknown_one_cannot_be_stopped(place: Place) -> None:
    stop(place)
    assert in_force(place, 2) is None
    with place.office("otto") as office, raises("promotion.never_proposed"):
        restrictions.restrict(office, NAME, 9, "stop", "no such version")
    with place.office("otto") as office, raises("promotion.no_reason"):
        restrictions.restrict(office, NAME, 1, "stop", " ")


# The server


@pytest.mark.slow
def test_a_server_follows_the_ledger(place: Place) -> None:
    champion = Champion(place.root)
    free = champion.start()
    stop(place)
    champion.refresh()
    with raises(faults.STOPPED.code, rule="drift"):
        champion.deciding()
    with place.office("otto") as office:
        restrictions.resume(office, NAME, 1, "corrected")
    champion.refresh()
    assert champion.deciding().identity == free.identity
    fresh = Champion(place.root)
    stop(place, alert="a2")
    assert fresh.start().restriction is not None, "it starts, answers why, and waits"
    assert not fresh.status().decides


def restricted(*modes: str) -> Restriction:
    causes = tuple(
        Cause(entry=40 + n, mode="stop" if mode == "stop" else "hold", rule=f"rule-{n}", reason="why")
        for n, mode in enumerate(modes)
    )
    return Restriction(version=1, content="c" * 64, causes=causes)


class World:
    """A ledger that holds and stops as a test says, beside a registry that is away when it says so."""

    def __init__(self) -> None:
        self.restriction: Restriction | None = None
        self.ledger_away = self.registry_away = False
        self.seconds = 0.0
        self.now = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
        model = serving.champion_model()
        self.champion = Champion(
            governed._shared().root,
            load=lambda _: model,
            look=self._look,
            restriction=self._read,
            now=lambda: self.now,
            monotonic=lambda: self.seconds,
        )
        self.champion.start()

    def _look(self, _: object) -> Sight:
        if self.registry_away or self.ledger_away:
            raise UnavailableError("away", "wait")
        return Sight(entries=1, digest="", alias=1)

    def _read(self, _name: str, _version: int) -> Restriction | None:
        if self.ledger_away:
            raise UnavailableError("away", "wait")
        return self.restriction


@pytest.mark.slow
def test_a_stop_takes_effect_while_the_registry_is_away_and_survives_a_ledger_that_is() -> None:
    world = World()
    world.registry_away, world.restriction = True, restricted("stop")
    assert world.champion.refresh() and not world.champion.status().decides
    world.ledger_away, world.restriction = True, None
    world.champion.refresh()
    assert not world.champion.status().decides, "an unreadable ledger lifts nothing"
    world.ledger_away = world.registry_away = False
    world.champion.refresh()
    assert world.champion.status().decides
    world.ledger_away, world.seconds = True, 60 * 15 + 1.0
    world.champion.refresh()
    assert not world.champion.status().decides, "nobody knows whether it was stopped meanwhile"


@pytest.mark.slow
def test_an_older_ledger_lifts_no_stop(place: Place) -> None:
    place.save("before the stop")
    stop(place)
    champion = Champion(place.root)
    champion.start()
    place.put("before the stop")
    champion.refresh()
    status = champion.status()
    assert status.stopped and status.fault is not None and status.fault.code == faults.LEDGER_BEHIND.code


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[serving.Running, list[Restriction]]]:
    present: list[Restriction] = []

    def model() -> ServedModel:
        return replace(serving.champion_model(), restriction=present[0] if present else None)

    with serving.running(tmp_path_factory.mktemp("held"), serving.fixed(model)) as running:
        yield running, present


@pytest.mark.slow
def test_held_decisions_are_answered_marked_and_recorded_and_stopped_ones_are_refused(
    server: tuple[serving.Running, list[Restriction]],
) -> None:
    running, present = server
    free = running.predict(ROW).json()["decisions"][0]
    assert "review_required" not in free
    present[:] = [restricted("hold", "hold")]
    running.champion.refresh()
    held = running.predict(ROW, **{"idempotency-key": "k1"}).json()["decisions"][0]
    assert held["review_required"] is True and held["review_reasons"] == ["rule-0", "rule-1"]
    assert (held["decision"], held["score"]) == (free["decision"], free["score"])
    recorded = running.log.read(held["id"], reader="a test", reason="held?").record
    assert isinstance(recorded, Inference) and recorded.details["review_required"] is True
    tensors = [
        {"name": name, "shape": [1], "datatype": kind, "data": [ROW[name]]}
        for name, kind in (("amount", "FP64"), ("purpose", "BYTES"), ("ratio", "FP64"))
    ]
    with running.client() as client:
        answer = client.post(f"/v2/models/{NAME}/infer", json={"inputs": tensors}).json()
    assert answer["parameters"] == {"review_required": True, "review_reasons": "rule-0, rule-1"}
    present[:] = [restricted("hold", "stop")]
    running.champion.refresh()
    refused = running.predict(ROW)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "serving.stopped")
    assert "rule-1" in refused.json()["error"]["message"]
    repeat = running.predict(ROW, **{"idempotency-key": "k1"})
    assert repeat.json()["decisions"][0] == held, "a decision that was made is told again"
    with running.client(None) as client:
        assert client.get("/readyz").json() | {"seconds_since_last_check": 0} == {
            "ready": False,
            "version": 1,
            "lapsed": False,
            "stopped": True,
            "fault": None,
            "seconds_since_last_check": 0,
        }
    present.clear()
    running.champion.refresh()
    assert running.predict(ROW).status_code == 200
