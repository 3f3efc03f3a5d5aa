"""Which model decides: only one that verifies; a switch fails no request; what ended or is stale stops."""

import datetime as dt
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from clearance.errors import (
    ClearanceError,
    ConfigurationError,
    IntegrityError,
    ReleaseRefused,
    UnavailableError,
)
from clearance.promotion.restrictions import Restriction
from clearance.serving import faults, served_model
from clearance.serving.access import Role
from clearance.serving.champion import Champion, Sight
from clearance.serving.served_model import ServedModel
from tests.support import governed, judged, serving
from tests.support.governed import Place
from tests.support.serving import ROW

pytestmark = pytest.mark.slow

Asking = tuple[serving.Running, list[httpx.Response], threading.Event]
NOON = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


class World:
    """A ledger and a registry that a test moves: what `look` sees, what `load` gives or raises, clocks."""

    def __init__(self) -> None:
        self.seen = 0
        self.answer: ServedModel | ClearanceError = serving.champion_model()
        self.away = False
        self.restriction: Restriction | None = None
        self.now = NOON
        self.seconds = 0.0

    def champion(self) -> Champion:
        return Champion(
            Path(),
            load=self._load,
            look=self._look,
            restriction=lambda _, __: self.restriction,
            now=lambda: self.now,
            monotonic=lambda: self.seconds,
        )

    def move(self, answer: ServedModel | ClearanceError) -> None:
        self.seen, self.answer = self.seen + 1, answer

    def _load(self, _: Path) -> ServedModel:
        if isinstance(self.answer, ClearanceError):
            raise self.answer
        return self.answer

    def _look(self, _: Path) -> Sight:
        if self.away:
            raise UnavailableError("away", "wait")
        return Sight(entries=self.seen, digest="", alias=1)


def unsound() -> ClearanceError:
    return faults.CHAMPION_UNSOUND(name="m", version=2, check="evidence: changed")


def test_it_follows_the_alias_and_keeps_the_model_before_where_the_new_one_does_not_verify() -> None:
    world = World()
    champion = world.champion()
    first = champion.start()
    assert champion.refresh() is False
    world.move(unsound())
    assert champion.refresh() is False
    assert champion.deciding() is first
    assert champion.status().fault.code == faults.CHAMPION_UNSOUND.code
    world.seconds = 60 * first.policy.serving.unchecked_minutes + 1
    champion.refresh()
    assert not champion.status().decides, "what does not verify for that long is not served"
    second = replace(first, version=2)
    world.answer = second  # repaired in place: what was refused is tried again
    assert champion.refresh() is True
    assert champion.deciding() is second and champion.status().fault is None


def test_a_retired_champion_decides_nothing_more() -> None:
    world = World()
    champion = world.champion()
    champion.start()
    world.move(faults.NO_CHAMPION(name="m"))
    champion.refresh()
    with pytest.raises(UnavailableError) as refused:
        champion.deciding()
    assert refused.value.code == faults.NO_MODEL.code


def test_nothing_starts_on_what_does_not_verify() -> None:
    for error in (unsound(), faults.NO_CHAMPION(name="m")):
        world = World()
        world.answer = error
        with pytest.raises(type(error)):
            world.champion().start()


@pytest.mark.parametrize(("lapsed", "decides"), [("refuse", False), ("alarm", True)])
def test_an_override_that_ends_stops_it_as_the_policy_says(lapsed: str, decides: bool) -> None:
    world = World()
    model = serving.changed(serving.champion_model(), lapsed=lapsed)
    world.answer = replace(model, allowed_until=NOON + dt.timedelta(hours=1))
    champion = world.champion()
    champion.start()
    world.now += dt.timedelta(minutes=59)
    assert champion.status().decides and not champion.status().lapsed
    world.now += dt.timedelta(minutes=1)
    assert (champion.status().decides, champion.status().lapsed) == (decides, True)
    world.now -= dt.timedelta(days=1)  # a clock that is set back gives nothing back
    assert (champion.status().decides, champion.status().lapsed) == (decides, True)
    if not decides:
        with pytest.raises(ReleaseRefused) as refused:
            champion.deciding()
        assert refused.value.code == faults.LAPSED.code


def test_what_cannot_be_checked_any_more_stops_after_the_policys_minutes_and_goes_on_when_it_can() -> None:
    world = World()
    world.answer = serving.changed(serving.champion_model(), unchecked_minutes=5)
    champion = world.champion()
    champion.start()
    world.away = True
    for seconds, decides in ((299, True), (301, False)):
        world.seconds = seconds
        champion.refresh()
        assert champion.status().decides is decides
    world.away = False
    champion.refresh()
    assert champion.status().decides


def test_a_ledger_that_lost_entries_retires_nobody_and_is_not_asked_for_long() -> None:
    world = World()
    champion = world.champion()
    champion.start()
    world.seen, world.answer = -1, faults.NO_CHAMPION(name="m")
    champion.refresh()
    assert champion.status().decides
    assert champion.status().fault.code == "serving.ledger_behind"
    world.seconds = 60 * champion.deciding().policy.serving.unchecked_minutes + 1
    champion.refresh()
    assert not champion.status().decides


def test_a_clock_that_starts_after_the_override_ended_serves_nothing() -> None:
    world = World()
    world.answer = replace(serving.champion_model(), allowed_until=NOON)
    with pytest.raises(ReleaseRefused) as refused:
        world.champion().start()
    assert refused.value.code == faults.LAPSED.code


def test_a_champion_that_verifies_is_served_with_what_allowed_it(place: Place) -> None:
    place.put("champion")
    model = served_model.load_champion(place.root)
    assert (model.version, {*model.allowed_by}, model.allowed_until) == (1, {"rita", "vera"}, None)
    assert model.plan is not None
    assert model.content == place.proposed(1).content
    with pytest.raises(IntegrityError):
        served_model.load_version(place.root, 1, "0" * 64)
    assert served_model.load_version(place.root, 1, model.content).model_sha256 == model.model_sha256


def test_an_override_ends_on_its_day(place: Place) -> None:
    place.put("unsure")
    place.agree(3, kind="override")
    model = served_model.load_champion(place.root)
    assert model.version == 3
    assert model.allowed_until is not None
    assert model.allowed_until.date() == governed.today() + dt.timedelta(days=7)


@pytest.mark.parametrize("objection", ["revoke", "reject"])
def test_an_approval_that_is_withdrawn_stops_the_server_as_an_override_that_ends(
    place: Place, objection: str
) -> None:
    place.put("champion")
    champion = Champion(place.root)
    champion.start()
    assert place.decide(objection, 1, "vera").code == 0
    champion.refresh()
    assert champion.status().lapsed and not champion.status().decides
    with pytest.raises(ReleaseRefused) as refused:
        Champion(place.root).start()
    assert refused.value.code == faults.LAPSED.code


HARM = {
    "no champion": ("waiting", lambda _: None, ConfigurationError),
    "model swapped": (
        "champion",
        lambda place: (place.model_folder(1) / "model.skops").write_bytes(judged.trained(9)),
        IntegrityError,
    ),
    "alias moved": ("second", lambda place: place.move_alias(2), IntegrityError),
    "ledger cut": (
        "champion",
        lambda place: place.ledger_sql("DELETE FROM clearance_ledger_entries WHERE number = 3"),
        IntegrityError,
    ),
    "evidence edited": (
        "champion",
        lambda place: (place.run_folder(1) / "reports/fairness.json").write_text("{}"),
        IntegrityError,
    ),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_does_not_verify_is_never_loaded(place: Place, harm: str) -> None:
    state, do, error = HARM[harm]
    do(place.put(state))
    with pytest.raises(error):
        served_model.load_champion(place.root)


@pytest.fixture
def asking(tmp_path: Path, place: Place) -> Iterator[Asking]:
    """A server that follows the governed project, and a client that asks without a pause."""
    place.put("champion")
    champion = Champion(place.root)
    champion.start()
    answers: list[httpx.Response] = []
    stop = threading.Event()
    with serving.running(
        tmp_path,
        champion,
        load=lambda number, content: served_model.load_version(place.root, number, content),
    ) as served:

        def ask() -> None:
            with served.client() as client:
                while not stop.is_set():
                    answers.append(client.post("/v1/predict", json={"rows": [{"features": ROW}]}))

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield served, answers, stop
        finally:
            stop.set()
            thread.join(30)


def test_promotion_and_rollback_under_load_fail_no_request_and_mislabel_none(
    place: Place, asking: Asking
) -> None:
    served, answers, stop = asking
    place.put("successor")
    assert served.champion.refresh() is True
    second = served.champion.deciding()
    assert place.roll_back(1).code == 0
    assert served.champion.refresh() is True
    first = served.champion.deciding()
    while not answers or answers[-1].json()["decisions"][0]["version"] != 1:
        pass
    stop.set()
    assert (first.version, second.version) == (1, 2)
    row = tuple(ROW[column.name] for column in first.inputs)
    scores = {model.version: model.scores([row])[0] for model in (first, second)}
    assert scores[1] != scores[2]
    seen = set()
    for answer in answers:
        assert answer.status_code == 200, answer.text
        (decision,) = answer.json()["decisions"]
        assert decision["score"] == scores[decision["version"]]
        seen.add(decision["version"])
    assert seen == {1, 2}
    by_second = next(
        a.json()["decisions"][0]["id"] for a in answers if a.json()["decisions"][0]["version"] == 2
    )
    with served.client(Role.READ) as client:
        replay = client.post(f"/v1/decisions/{by_second}/replay", params={"reason": "an audit"}).json()
    assert (replay["same"], replay["version"]) == (True, 2)
