"""Back to what served and still verifies, or to nothing: by those who may, for a reason, once."""

from __future__ import annotations

import pytest

from clearance import registry
from clearance.errors import ExitCode
from tests.support import governed, judged
from tests.support.governed import Place


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def test_the_champion_before_serves_again(place: Place) -> None:
    place.put("successor")
    assert place.roll_back(by="otto").code == ExitCode.PASS
    assert place.told() == place.alias() == 1
    change = place.entries()[-1]
    assert (change.kind, change.actor, change.body["reason"]) == ("rollback", "otto", "it does harm")
    assert not place.broken()


def test_the_same_command_again_goes_back_no_further_and_never_forward(place: Place) -> None:
    place.put("successor").roll_back()
    count = len(place.entries())
    assert place.roll_back().code == ExitCode.PASS
    assert (place.told(), place.alias(), len(place.entries())) == (1, 1, count)
    result = place.command("rollback", "--reason", "another reason")
    assert result.code == ExitCode.ERROR and result.error == "promotion.no_earlier_champion"
    assert place.told() == place.alias() == 1
    assert place.roll_back(2).code == ExitCode.PASS  # who names it may
    assert place.told() == place.alias() == 2


@pytest.mark.parametrize("state", ["second", "failed"])
def test_a_version_that_was_never_champion_is_refused(place: Place, state: str) -> None:
    place.put(state)
    served, never = {"second": (1, 2), "failed": (2, 3)}[state]
    result = place.roll_back(never)
    assert result.code == ExitCode.ERROR and result.error == "promotion.never_champion"
    assert place.told() == place.alias() == served
    assert str(never) in place.entries("refusal")[-1].body["reason"]


def test_what_was_swapped_since_is_refused(place: Place) -> None:
    place.put("successor")
    (place.model_folder(1) / "model.skops").write_bytes(judged.trained(9))
    result = place.roll_back(1)
    assert result.code == ExitCode.ERROR and "model.skops is not what was judged" in result.said
    assert place.told() == place.alias() == 2
    assert place.entries()[-1].kind == "refusal"


@pytest.mark.parametrize("who", ["dan", "vera", "rita", "ada"])
def test_who_may_not_is_refused_and_recorded(place: Place, who: str) -> None:
    place.put("successor")
    for result in (place.roll_back(1, by=who), place.retire(by=who)):
        assert result.code == ExitCode.ERROR and result.error == "promotion.right_missing"
        assert (place.entries()[-1].kind, place.entries()[-1].actor) == ("refusal", who)
    assert place.told() == place.alias() == 2


def test_a_retired_model_has_no_champion_until_somebody_goes_back(place: Place) -> None:
    place.put("successor")
    assert place.retire().code == ExitCode.PASS
    assert place.told() is place.alias() is None
    count = len(place.entries())
    assert place.retire().code == ExitCode.PASS  # the same again is no news
    assert len(place.entries()) == count
    assert not place.broken()
    assert place.roll_back(2).code == ExitCode.PASS
    assert place.told() == place.alias() == 2


def test_nothing_can_be_retired_where_nothing_serves(place: Place) -> None:
    place.put("waiting")
    result = place.retire()
    assert result.code == ExitCode.ERROR and result.error == "promotion.no_champion"


def test_an_alias_that_was_moved_by_hand_is_put_right(place: Place) -> None:
    place.put("successor").move_alias(1)
    assert place.broken() == {"alias"}
    assert place.roll_back(2).code == ExitCode.PASS
    assert place.told() == place.alias() == 2
    assert not place.broken()


def test_what_a_crash_began_keeps_its_reason_and_is_not_done_twice(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Nothing may catch it."""

    def die(*_: object) -> None:
        raise Killed

    place.put("successor")
    set_champion = registry.set_champion
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(registry, "set_champion", lambda *arguments: (set_champion(*arguments), die()))
        place.roll_back()
    assert (place.told(), place.alias()) == (2, 1)
    assert "was started and not completed" in place.verify()["alias"].says
    assert place.roll_back().code == ExitCode.PASS
    assert place.told() == place.alias() == 1
    (change,) = place.entries("rollback")
    assert change.body["reason"] == "it does harm"
