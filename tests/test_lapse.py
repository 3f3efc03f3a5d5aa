"""A champion whose override ended, or whose approval was withdrawn, is not green, and nobody overlooks it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import yaml

from clearance.errors import ExitCode
from clearance.promotion import lapse, next_step, session, version_record
from tests.support import governed
from tests.support.governed import NAME, Place


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def overridden(place: Place) -> None:
    place.put("failed")
    place.agree(3, kind="override")


def found(place: Place, days: int = 0) -> str | None:
    """Why the champion has lapsed, so many days from now."""
    with session.open_read_only(place.root) as reader:
        entries = reader.entries(NAME)
        champion = version_record.champion(entries, NAME)
        assert champion is not None
        record = version_record.fold(entries, NAME, champion.version, reader.roles)
        return lapse.find(record, reader.roles, reader.now() + dt.timedelta(days=days))


def test_an_override_ends_and_a_new_one_lasts_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.make("overridden", "failed", overridden)
    assert found(place) is None and place.command("verify").code == ExitCode.PASS
    assert "The override of rita ended" in str(found(place, 8))
    on = dt.timedelta(days=8)
    monkeypatch.setattr("clearance.ledger.reading._now", lambda: dt.datetime.now(dt.UTC) + on)
    result = place.command("verify")
    assert result.code == ExitCode.LAPSED and "BROKEN  permission" in result.said
    receipt = place.release(model=2, verdict="fail")
    assert (receipt["status"], receipt["is_champion"]) == (next_step.Status.LAPSED, True)
    assert "The override of vera ended" in receipt["lapsed"]
    assert place.promote(3, by="pipeline").code == ExitCode.LAPSED


def test_a_withdrawn_approval_lapses_and_a_new_one_heals_it(place: Place) -> None:
    place.put("champion")
    assert place.decide("revoke", 1, "vera").code == ExitCode.PASS
    assert found(place) == "vera withdrew their approval."
    assert place.command("verify").code == ExitCode.LAPSED
    receipt = place.release()
    assert (receipt["status"], "vera withdrew" in receipt["lapsed"]) == (next_step.Status.LAPSED, True)
    assert place.decide("approve", 1, "vera").code == ExitCode.PASS
    assert found(place) is None
    assert place.release()["status"] == next_step.Status.CHAMPION


@pytest.mark.parametrize("lapsed", ["warn", "retire"])
def test_the_policy_says_what_a_release_does_then(
    place: Place, monkeypatch: pytest.MonkeyPatch, lapsed: str
) -> None:
    place.put("champion")
    assert place.decide("revoke", 1, "vera").code == ExitCode.PASS
    path = place.root / "policies/test.yaml"
    policy: dict[str, Any] = yaml.safe_load(path.read_text())
    assert policy["promotion"].get("lapsed") is None
    monkeypatch.setattr("clearance.promotion.promote.lapsed_policy", lambda _: lapsed)
    receipt = place.release()
    if lapsed == "warn":
        assert receipt["status"] == next_step.Status.CHAMPION and "vera withdrew" in receipt["reason"]
        assert "lapsed" not in receipt
    else:
        assert place.told() is place.alias() is None
        assert "retires" in receipt["lapsed"]
