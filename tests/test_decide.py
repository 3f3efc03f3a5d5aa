"""Who may agree, and to what: a decision counts for this very content, by its key, once a person."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from clearance import ledger, registry
from clearance.errors import ExitCode, IntegrityError
from clearance.policy import judgement
from clearance.promotion import decide
from clearance.registry import evidence
from clearance.trust import dsse, key_files, signers
from clearance.trust.decisions import DecisionKind
from clearance.versioning import git
from tests.support import governed
from tests.support.governed import Place

REFUSED = ExitCode.REFUSED


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def why_not(place: Place, number: int, version: int = 1) -> str:
    """The code of the reason why the decision in this entry does not count."""
    (code,) = [decision.code for decision in place.standing(version).refused if decision.number == number]
    return str(code)


def test_the_approval_that_completes_the_set_promotes_and_the_ledger_tells_it(place: Place) -> None:
    place.put("waiting")
    assert place.decide("approve", 1, "vera").code == ExitCode.PASS
    assert place.told() is place.alias() is None
    assert place.standing(1).missing == {"risk_officer": 1}
    assert place.decide("approve", 1, "rita").code == ExitCode.PASS
    assert place.told() == place.alias() == 1
    events = [(entry.kind, entry.actor) for entry in place.entries()]
    assert events == [
        ("proposal", "tess"),
        ("verdict", "tess"),
        ("approval", "vera"),
        ("approval", "rita"),
        ("intent", "pipeline"),
        ("promotion", "pipeline"),
    ]
    (reign,) = ledger.tenures(place.entries(), governed.NAME)
    assert reign.allowed_by == ("vera", "rita")
    assert reign.content == place.proposed(1).content
    assert not place.broken()


def test_who_made_the_model_cannot_approve_it_and_the_attempt_is_recorded(place: Place) -> None:
    place.put("half")
    assert place.decide("approve", 1, "tess").code == REFUSED
    attempt = place.entries()[-1]
    assert (attempt.kind, attempt.actor) == ("approval", "tess")
    assert why_not(place, attempt.number) == "contributor"
    assert place.told() is place.alias() is None


@pytest.mark.parametrize("who", ["dan", "otto", "ada", "pipeline"])
def test_a_role_that_may_not_approve_does_not(place: Place, who: str) -> None:
    place.put("half")
    result = place.decide("approve", 1, who)
    assert (result.code, result.error) == (ExitCode.ERROR, "promotion.right_missing")
    attempt = place.entries()[-1]
    assert (attempt.kind, attempt.actor) == ("refusal", who)
    forgery = place.record(who, ledger.EntryKind.APPROVAL, 1, place.decision("approve", 1, who))
    assert place.voids() == {forgery.number: f"{who} did not have the right approve"}
    assert place.alias() is None


def test_somebody_unknown_decides_nothing(place: Place) -> None:
    count = len(place.put("half").entries())
    assert place.decide("approve", 1, "mallory").code == ExitCode.ERROR
    assert len(place.entries()) == count


def test_one_person_counts_once(place: Place) -> None:
    place.put("half")
    count = len(place.entries())
    assert place.decide("approve", 1, "vera").code == ExitCode.PASS  # the same words again: nothing is new
    assert len(place.entries()) == count
    place.record("vera", ledger.EntryKind.APPROVAL, 1, place.decision("approve", 1, "vera"))
    assert why_not(place, place.entries()[-1].number) == "already_recorded"
    assert place.standing(1).missing == {"risk_officer": 1}
    assert place.promote(1).code == REFUSED and place.alias() is None


def test_to_approve_the_champion_again_by_the_same_words_is_no_news(place: Place) -> None:
    place.put("successor")
    count = len(place.entries())
    assert place.decide("approve", 2, "rita").code == ExitCode.PASS
    assert len(place.entries()) == count
    assert place.standing(2).complete  # on what it was promoted on: against the champion that it followed


def test_a_rejection_stands_in_the_way_until_its_author_revokes_it(place: Place) -> None:
    place.put("waiting")
    place.agree(1, kind="reject", by=["rita"]).agree(1, by=["vera"])
    assert place.promote(1).code == REFUSED
    assert place.decide("revoke", 1, "vic").code == ExitCode.ERROR  # it is not vic's
    assert place.entries()[-1].kind == "refusal"
    assert place.decide("revoke", 1, "rita").code == ExitCode.PASS
    assert place.decide("approve", 1, "rita").code == ExitCode.PASS
    assert place.told() == place.alias() == 1


def test_a_revoked_approval_counts_no_more_and_may_be_given_again(place: Place) -> None:
    place.put("half").agree(1, kind="revoke", by=["vera"])
    assert place.decide("approve", 1, "rita").code == ExitCode.PASS
    assert place.alias() is None
    assert place.decide("approve", 1, "vera").code == ExitCode.PASS
    assert place.told() == place.alias() == 1


def test_approvals_of_one_version_are_none_of_another(place: Place) -> None:
    place.put("second")
    for approval in place.entries("approval"):
        entry = place.record("vic", ledger.EntryKind.APPROVAL, 2, approval.body["envelope"])
        assert why_not(place, entry.number, 2) == "other_evidence"
    assert place.promote(2).code == REFUSED
    assert place.told() == place.alias() == 1


def test_a_new_champion_voids_what_was_agreed_before(place: Place) -> None:
    place.put("waiting").hold("approve", 1, "vera").hold("approve", 1, "rita")
    assert place.standing(1).complete
    place.release(model=1)
    place.agree(2)
    assert not place.standing(1).counted
    assert place.standing(1).refused[0].code == "other_champion"
    assert place.promote(1).code == REFUSED
    assert place.told() == 2


def forged(place: Place, how: str, folder: Path) -> dict[str, Any]:
    """An approval by rita that is none."""
    if how == "borrowed name":
        return place.decision("approve", 1, "rita", signer="vera")
    if how == "other digest":
        return place.decision("approve", 1, "rita", content="e" * 64)
    if how == "other model":
        return place.decision("approve", 1, "rita", model="another")
    envelope = place.decision("approve", 1, "rita")
    if how == "two keys":
        return dsse.countersign(envelope, signers.signer(f"file2:{place.root}/.clearance/keys/vera.pem"))
    statement = dsse.verify(envelope, {key.keyid: key for key in [_public(place, "rita")]}).statement
    return dsse.sign(statement, signers.signer(key_files.create(folder, "rita").uri))


def _public(place: Place, who: str) -> Any:
    return signers.signer(f"file2:{place.root}/.clearance/keys/{who}.pem").public_key


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("borrowed name", "other_signer"),
        ("other digest", "other_evidence"),
        ("other model", "other_version"),
        ("two keys", "several_signers"),
        ("unknown key", "invalid_signature"),
    ],
)
def test_a_forged_approval_does_not_count(place: Place, tmp_path: Path, how: str, why: str) -> None:
    place.put("half")
    entry = place.record("vic", ledger.EntryKind.APPROVAL, 1, forged(place, how, tmp_path))
    assert why_not(place, entry.number) == why
    assert place.promote(1).code == REFUSED
    assert place.alias() is None


def test_two_people_may_override_a_failed_verdict_for_a_time_and_it_shows(place: Place) -> None:
    place.put("failed")
    assert place.decide("approve", 3, "vera").code == REFUSED
    assert place.decide("override", 3, "vera", days=7).code == ExitCode.PASS
    assert place.alias() == 2
    assert place.decide("override", 3, "rita", days=20).code == ExitCode.PASS
    assert place.told() == place.alias() == 3
    approvals = place.verify()["approvals"].says
    ends = governed.today() + dt.timedelta(days=7)
    assert f"BY OVERRIDE until {ends.isoformat()}" in approvals
    assert "vera's override" in approvals and "rita's override" in approvals


@pytest.mark.parametrize(
    ("lasts", "why"),
    [(dt.timedelta(microseconds=1), "override_ended"), (dt.timedelta(days=40), "override_too_long")],
)
def test_an_override_that_ended_or_lasts_too_long_does_not_count(
    place: Place, lasts: dt.timedelta, why: str
) -> None:
    place.put("failed")
    for who in ("vera", "rita"):
        entry = place.record(
            who, ledger.EntryKind.OVERRIDE, 3, place.decision("override", 3, who, until=lasts)
        )
        assert why_not(place, entry.number, 3) == why
    assert place.promote(3).code == REFUSED
    assert place.told() == place.alias() == 2


def test_one_person_does_not_override_alone(place: Place) -> None:
    place.put("failed")
    assert place.decide("override", 3, "rita", days=7).code == ExitCode.PASS
    assert (
        place.decide("override", 3, "rita", days=9).code == ExitCode.PASS
    )  # it lasts longer: it replaces hers
    assert place.promote(3).code == REFUSED
    assert place.told() == 2


def test_an_override_needs_an_end_and_that_is_recorded(place: Place) -> None:
    place.put("failed")
    with place.office("rita") as session, pytest.raises(IntegrityError):
        decide.decide(session, registry.connect(), governed.NAME, 3, kind=DecisionKind.OVERRIDE, reason="so")
    refusal = place.entries("refusal")[-1]
    assert refusal.actor == "rita" and "could not override" in refusal.body["reason"]


def test_a_version_that_is_not_there_is_an_error_and_recorded(place: Place) -> None:
    place.put("waiting")
    assert place.decide("approve", 7, "vera").code == ExitCode.ERROR
    assert place.entries("refusal")[-1].body["version"] == 7


def count_calls(patch: pytest.MonkeyPatch, calls: Counter[str], owner: Any, name: str) -> None:
    """Count the calls of a function under its name, and carry them out."""
    function = getattr(owner, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        calls[name] += 1
        return function(*arguments, **options)

    patch.setattr(owner, name, counted)


def test_an_approval_that_promotes_reads_the_evidence_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("second")
    place.commit_policies()
    place.agree(2, by=["vera"])
    calls: Counter[str] = Counter()
    for owner, name in (
        (judgement, "judge"),
        (git, "_run"),
        (evidence, "open_run_files"),
        (ledger, "verify"),
    ):
        count_calls(monkeypatch, calls, owner, name)
    place.agree(2, by=["rita"])
    assert place.told() == 2
    assert calls["judge"] == 4  # the version and the champion it follows, as of the recorded day and today
    assert calls["verify"] == 1
    assert calls["_run"] <= 3
    assert (
        calls["open_run_files"] == 5
    )  # bundle and reports of both, and the bundle that both are compared by


def test_what_was_recorded_since_the_review_counts_without_judging_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("half")
    with place.office("rita") as session:
        server = registry.connect()
        result = decide.decide(session, server, governed.NAME, 1, kind=DecisionKind.APPROVE, reason="so")
        assert result.review.obstacle is None
        place.hold("reject", 1, "roy")
        calls: Counter[str] = Counter()
        count_calls(monkeypatch, calls, judgement, "judge")
        count_calls(monkeypatch, calls, ledger, "verify")
        completion = decide.complete(session.acting_as("otto"), server, result.review)
    assert completion.refused and completion.ending and "roy" in completion.ending.reason
    assert calls == {"verify": 1}  # somebody else recorded something, so the ledger is verified again
    assert place.told() is place.alias() is None


def test_what_was_signed_for_another_ledger_or_root_is_void(place: Place) -> None:
    """Else a second ledger could replay what was agreed to in the first, and withdrawn since."""
    place.put("half")
    for change in ({"ledger": "0" * 32}, {"root": "0" * 64}, {"ledger": None, "root": None}):
        envelope = place.decision("approve", 1, "rita", **change)
        entry = place.record("rita", ledger.EntryKind.APPROVAL, 1, envelope)
        assert "another ledger" in place.voids()[entry.number]
    assert place.standing(1).missing == {"risk_officer": 1}
