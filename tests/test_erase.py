"""What the policy keeps for a time is erased after it, by whoever may, and nothing that still counts is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from clearance import ledger
from clearance.errors import ConfigurationError, ExitCode
from clearance.policy import schema
from clearance.promotion import erase
from tests.support import governed
from tests.support.governed import NAME, Place


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def keep(place: Place, **years: int) -> None:
    """Let the authorised policy keep entries for so many years; it judges nothing here."""
    path = place.root / "policies/test.yaml"
    policy: dict[str, Any] = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(policy | {"retention": years}))


def later(years: int) -> dt.date:
    day = governed.today()
    return dt.date(day.year + years, 1 if day.month == 2 else day.month, day.day) + dt.timedelta(days=1)


def clock(place: Place, monkeypatch: pytest.MonkeyPatch, years: int) -> None:
    """Let the ledger's clock be so many years on."""
    on = later(years) - governed.today()
    monkeypatch.setattr("clearance.ledger.reading._now", lambda: dt.datetime.now(dt.UTC) + on)


def test_the_kinds_that_a_policy_may_name_are_those_that_may_be_erased() -> None:
    assert set(get_args(schema.Erasable)) == {*ledger.ERASABLE, "others"}


def test_only_what_is_past_its_period_is_due_and_the_champions_entries_stay(place: Place) -> None:
    entries = place.put("successor").entries()
    before = [entry for entry in entries if entry.body.get("version") == 1 and entry.kind in ledger.ERASABLE]
    assert {"proposal", "approval"} <= {entry.kind for entry in before}
    assert erase.due_entries(entries, NAME, {"others": 2}, later(2)) == before
    assert erase.due_entries(entries, NAME, {"others": 2}, later(1)) == []


def test_all_about_one_version_goes_at_once_when_the_last_of_it_may(place: Place) -> None:
    """Else an objection could be erased before the approval that it takes back."""
    entries = place.put("successor").entries()
    assert erase.due_entries(entries, NAME, {"approval": 1}, later(9)) == []
    periods = {"approval": 1, "others": 5}
    assert erase.due_entries(entries, NAME, periods, later(4)) == []
    assert {entry.kind for entry in erase.due_entries(entries, NAME, periods, later(5))} >= {
        "proposal",
        "approval",
    }


def test_a_refusal_about_a_version_neither_keeps_its_evidence_nor_goes_with_it(place: Place) -> None:
    """Anybody who is refused names the version; it need not even exist."""
    before = erase.due_entries(place.put("successor").entries(), NAME, {"others": 2}, later(2))
    body = {"reason": "no right", "version": 1}
    place.forge("vera", ledger.Draft(kind=ledger.EntryKind.REFUSAL, model=NAME, actor="vera", body=body))
    periods = {"others": 2, "refusal": 30}
    assert erase.due_entries(place.entries(), NAME, periods, later(2)) == before


def test_it_is_told_first_and_erased_with_a_reason_by_whoever_may(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("successor")
    policy = place.root / "policies/test.yaml"
    judged_by = policy.read_bytes()
    keep(place, others=1)
    clock(place, monkeypatch, 1)
    count = len(place.entries())
    assert place.command("ledger", "erase").code == ExitCode.PASS
    assert len(place.entries()) == count
    result = place.command("ledger", "erase", "--yes", "--reason", "past ten years", "--as", "vera")
    assert result.code == ExitCode.ERROR and result.error == "promotion.right_missing"
    assert place.entries("refusal")[-1].actor == "vera"
    assert not any(entry.redacted for entry in place.entries())
    assert (
        place.command("ledger", "erase", "--yes", "--reason", "past their time", "--as", "otto").code
        == ExitCode.PASS
    )
    erasures = [entry for entry in place.entries() if entry.redacted]
    assert {entry.kind for entry in erasures} >= {"proposal", "approval"}
    with place.office() as office:
        (redaction,) = [entry for entry in office.entries() if entry.kind == "redaction"]
    assert (redaction.actor, redaction.body["reason"]) == ("otto", "past their time")
    assert redaction.body["entries"] == [entry.number for entry in erasures]
    policy.write_bytes(judged_by)
    assert place.broken() == set()  # ledger, alias and what the champion stands on
    assert place.told() == 2


def test_what_was_erased_is_no_longer_gone_back_to(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("successor")
    keep(place, others=1)
    clock(place, monkeypatch, 1)
    place.command("ledger", "erase", "--yes", "--reason", "past their time", "--as", "otto")
    result = place.roll_back(to=1)
    assert result.code == ExitCode.ERROR and result.error == "promotion.never_proposed"
    assert (place.told(), place.alias()) == (2, 2)


@pytest.mark.parametrize("policy", ["no period", "no policy"])
def test_without_a_period_everything_is_kept(place: Place, policy: str) -> None:
    place.put("champion")
    if policy == "no policy":
        (place.root / "policies/authorised.yaml").write_text("models: {}\n")
    result = place.command("ledger", "erase", "--yes", "--reason", "tidy", "--as", "otto")
    assert result.code == ExitCode.ERROR and result.error == "promotion.no_retention_period"


@pytest.mark.parametrize("years", [{"others": 0}, {"promotion": 3}, {"nothing": 1}])
def test_a_period_that_is_none_is_refused_by_its_place(place: Place, years: dict[str, int]) -> None:
    place.put("champion")
    keep(place, **years)
    with pytest.raises(ConfigurationError, match="retention"):
        erase.retention_years(Path(place.root), NAME)
