"""What an insider with one key tried at the seams between ledger, attempts, rebuilds and lapses."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from clearance import ledger, registry
from clearance.errors import ExitCode
from clearance.ledger import Draft, EntryKind
from clearance.promotion import attempts, rebuilds
from tests.support import governed
from tests.support.governed import NAME, Place

pytestmark = pytest.mark.slow


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def draft(kind: EntryKind, actor: str, **body: Any) -> Draft:
    return Draft(kind=kind, model=NAME, actor=actor, body=body, keyid=None)


def forge_change(place: Place, step: EntryKind, version: int, by: str = "otto") -> None:
    """An operator, who may promote and roll back, writes a change of the champion past the commands."""
    said = {"version": version, "content": place.proposed(version).content}
    (intent,) = place.forge(by, draft(EntryKind.INTENT, by, **said, step=step))
    place.forge(by, draft(step, by, **said, intent=intent.number))


def counted(place: Place) -> attempts.AttemptCount:
    with place.office() as office:
        return attempts.recorded(office.entries(NAME), NAME)[-1]


# Attempts


@pytest.mark.parametrize("body", [{}, {"fingerprint": "f" * 64}], ids=["malformed", "without the right"])
def test_a_void_attempt_neither_stops_nor_counts_where_runs_are_tracked(
    place: Place, body: dict[str, Any]
) -> None:
    place.put("second")

    def number() -> int:
        return attempts.count_tracked(place.root, registry.connect(), NAME, "a" * 64, None).number

    before = number()
    place.forge("ada", draft(EntryKind.ATTEMPT, "ada", **body))
    assert number() == before


def test_a_promotion_that_an_operator_only_wrote_starts_no_new_count(place: Place) -> None:
    place.put("failed")
    assert (counted(place).champion, counted(place).number) == (2, 1)
    forge_change(place, EntryKind.PROMOTION, 2)  # the champion once more
    assert (counted(place).champion, counted(place).number) == (2, 1)
    forge_change(place, EntryKind.PROMOTION, 3)  # the refused one, and back
    forge_change(place, EntryKind.ROLLBACK, 2)
    assert place.voids() == {} and place.told() == place.alias() == 2
    assert (counted(place).champion, counted(place).number) == (2, 1)
    assert place.release(model=5)["attempt"]["number"] == 2


def test_a_champion_that_an_operator_only_wrote_vouches_for_no_successor(place: Place) -> None:
    place.put("failed")
    forge_change(place, EntryKind.PROMOTION, 3)
    with place.office() as office:
        server = registry.connect()
        fingerprint = place.proposed(3).fingerprint
        candidate = registry.find_version(server, registry.candidate_name(NAME), fingerprint)
        assert candidate is not None and office.book
        registry.copy_version(server, candidate, NAME)
    place.move_alias(3)
    assert place.told() == place.alias() == 3
    place.release(model=5)
    place.hold("approve", 4, "vera").hold("approve", 4, "rita")
    done = place.promote(4, by="otto")
    assert done.code == ExitCode.REFUSED and "version 3" in done.said
    assert place.told() == 3
    forge_change(place, EntryKind.PROMOTION, 4)
    assert "predecessors" in place.broken(4)
    forge_change(place, EntryKind.ROLLBACK, 2)
    place.move_alias(2)
    assert place.broken() == set()


def test_who_refused_models_were_cannot_be_rewritten_later(place: Place) -> None:
    place.put("failed")
    content = place.proposed(3).content
    facts = {"seed": 10**4000, "overrides": {"k" * 3000: "v"}}
    place.forge("dan", draft(EntryKind.VERDICT, "dan", version=3, content=content, outcome="pass"))
    (attempt,) = counted(place).attempts
    assert attempt.outcome == "fail"
    said = {"fingerprint": "9" * 64, "outcome": "pass (promoted)", "attempt": facts}
    place.forge("dan", draft(EntryKind.ATTEMPT, "dan", **said))
    assert counted(place).attempts[-1].outcome is None
    assert len(str(counted(place))) < 1000


def test_an_attempt_that_was_erased_by_right_still_counts(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("failed")
    before = counted(place).number
    later = dt.timedelta(days=370)
    monkeypatch.setattr("clearance.ledger.reading._now", lambda: dt.datetime.now(dt.UTC) + later)
    about = [entry.number for entry in place.entries() if (event := entry.event) and event.about == 3]
    said = {"entries": about, "reason": "old", "years": {"others": 1}, "versions": [3]}
    with place.office("otto") as office:
        change = office.draft(EntryKind.REDACTION, NAME, **said)
        office.ensure_counts(change)
        ledger.redact(office.book, change)
    assert place.voids() == {}
    assert counted(place).number == before
    assert place.broken() == set()


def test_numbers_that_somebody_proposed_ahead_stop_no_release(place: Place) -> None:
    place.put("champion")
    for number in (2, 3):
        said = {"version": number, "content": "9" * 64, "fingerprint": "8" * 64}
        place.forge("dan", draft(EntryKind.PROPOSAL, "dan", **said))
    receipt = place.release(model=1)
    assert (receipt["status"], receipt["candidate"]["version"]) == ("awaiting approval", 4)
    assert place.release(model=1)["candidate"]["version"] == 4
    place.agree(4)
    assert place.told() == 4 and place.broken() == set()


# Rebuilds


def test_nobody_lifts_the_rebuild_of_another_by_repeating_an_older_one(place: Place) -> None:
    place.put("waiting")
    place.roles(lambda roles: roles["roles"]["data_scientist"].append("rebuild"))

    def attest(by: str, conclusion: str, envelope: Any = None) -> Any:
        body = {"version": 1, "content": place.proposed(1).content, "conclusion": conclusion}
        body |= {"outputs": 20, "same": 20, "environment": "fresh"}
        envelope = envelope or place.signed(by, rebuilds.statement_for(body))
        place.forge(by, draft(EntryKind.REBUILD, by, **body, envelope=envelope))
        return envelope

    first = attest("builder", "identical")
    attest("builder", "different")
    assert place.broken(1) == {"rebuild"}
    attest("tess", "identical", first)
    assert place.voids() == {}
    assert place.broken(1) == {"rebuild"}


# Decisions


@pytest.mark.parametrize("letter", ["x", "\u20ac"])
def test_a_long_objection_is_a_refusal_and_no_error(place: Place, letter: str) -> None:
    place.put("waiting")
    done = place.command("reject", "1", "--as", "vera", "--reason", letter * 9_990)
    assert done.code == ExitCode.PASS
    done = place.promote(1, by="otto")
    assert done.code == ExitCode.REFUSED and "vera rejected it" in done.said
    assert place.entries()[-1].kind == EntryKind.REFUSAL


def test_who_objects_to_the_champion_that_they_allowed_no_longer_allows_it(place: Place) -> None:
    place.put("champion")
    assert place.decide("reject", 1, "rita").code == ExitCode.PASS
    assert place.command("verify").code == ExitCode.LAPSED
    receipt = place.release()
    assert receipt["status"] == "lapsed" and "rita rejected it" in receipt["lapsed"]
    place.decide("revoke", 1, "rita")
    assert place.decide("approve", 1, "rita").code == ExitCode.PASS
    assert place.command("verify").code == ExitCode.PASS


def test_an_override_that_was_signed_again_holds_everywhere(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("failed").agree(3, kind="override")
    on = dt.timedelta(days=8)
    monkeypatch.setattr("clearance.ledger.reading._now", lambda: dt.datetime.now(dt.UTC) + on)
    monkeypatch.setattr(governed, "today", (dt.datetime.now(dt.UTC) + on).date)
    assert place.command("verify").code == ExitCode.LAPSED
    assert place.decide("override", 3, "vera", days=7).code == ExitCode.PASS
    assert place.command("verify").code == ExitCode.LAPSED
    assert place.decide("override", 3, "rita", days=7).code == ExitCode.PASS
    done = place.command("verify")
    assert done.code == ExitCode.PASS, done.said
    assert place.release(model=2, verdict="fail")["status"] == "already champion"
