"""A decision by token: the person is who holds the attested account, whatever else is claimed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from clearance.trust import approval_rules, approval_state, decisions, dsse, recorded_decisions
from clearance.trust.approval_rules import ApprovalContext, ApprovalRequirement, Contributors
from clearance.trust.decisions import AttestedAccount, DecisionKind
from clearance.trust.recorded_decisions import DecisionRecord, RecordedDecision
from clearance.trust.roles import Right, Roles
from tests.support import people
from tests.support.codes import raises
from tests.support.people import AT, DAY, MATTER, ROLES, SIGNERS, record

ISSUER = "https://login.bank.example/v2.0"
DESK, SECOND = people.signer(50), people.signer(51)
APPROVE, REJECT, OVERRIDE, REVOKE = DecisionKind


def person(who: str, *subjects: str, keyed: bool = True, **more: Any) -> dict[str, Any]:
    accounts = [{"issuer": ISSUER, "subject": subject} for subject in subjects]
    keys = [people.key_entry(SIGNERS[who])] if keyed else []
    return {"roles": people.WORK[who], "keys": keys, "accounts": accounts, **more}


def with_accounts(**more: Any) -> Roles:
    data = people.plain(
        dan=person("dan", "s-dan", emails=["dan@bank.example"]),
        vera=person("vera", "s-vera"),
        rita=person("rita", "s-rita", "s-rita-old"),
        viktor=person("viktor", "s-viktor", keyed=False),
        ada=person("ada", "s-ada"),
        desk={"roles": ["desk"], "keys": [people.key_entry(DESK)]},
        **more,
    )
    return people.roles({**data, "roles": {**people.RIGHTS, "desk": ["attest_identity"]}})


KNOWN = with_accounts()


def account(subject: str, digit: str = "1", **more: Any) -> AttestedAccount:
    fields = {"issuer": ISSUER, "subject": subject, "token": digit * 64, "issued": AT, **more}
    return AttestedAccount.model_validate(fields, strict=False)


def by_token(
    number: int,
    who: str,
    kind: DecisionKind,
    attestation: AttestedAccount,
    *,
    key: Any = DESK,
    seen: Roles = KNOWN,
    when: dt.datetime = AT,
    **more: Any,
) -> DecisionRecord:
    statement = decisions.statement_for(
        kind, MATTER, by=who, reason="seen", at=AT, account=attestation, **more
    )
    return recorded_decisions.open_record(number, when, dsse.sign(statement, key), seen)


def standing(*records: DecisionRecord, **changes: Any) -> approval_state.ApprovalState:
    context = {
        "subject": MATTER,
        "roles": KNOWN,
        "contributors": Contributors(identities=frozenset({"dan"})),
        "requirement": ApprovalRequirement(roles={"validator": 1, "risk_officer": 1}, override_days=30),
        "failed": False,
        "now": AT + DAY,
    }
    return approval_state.evaluate(records, ApprovalContext(**{**context, **changes}))


def uncounted(state: approval_state.ApprovalState) -> dict[int, str]:
    """The code of every decision that does not count, by its number."""
    return {decision.number: decision.code for decision in state.refused}


VERA = by_token(1, "vera", APPROVE, account("s-vera"))
RITA = by_token(2, "rita", APPROVE, account("s-rita", "2"))


def test_two_people_known_by_their_tokens_are_enough_and_so_is_a_token_with_a_key() -> None:
    state = standing(VERA, RITA)
    assert state.complete and not state.refused
    assert [(vote.person.identity, vote.attester and vote.attester.identity) for vote in state.counted] == [
        ("vera", "desk"),
        ("rita", "desk"),
    ]
    assert standing(VERA, record(2, "rita", APPROVE, seen=KNOWN)).complete


def test_somebody_with_an_account_and_no_key_can_be_asked_and_can_decide() -> None:
    assert "both, vera, viktor" in standing(RITA).reasons[0]
    assert standing(RITA, by_token(3, "viktor", APPROVE, account("s-viktor"))).complete


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        (by_token(1, "vera", APPROVE, account("s-vera"), key=SIGNERS["otto"]), "may_not_attest"),
        (by_token(1, "vera", APPROVE, account("s-vera"), key=SIGNERS["vera"]), "may_not_attest"),
        (by_token(1, "vera", APPROVE, account("s-rita")), "other_account"),
        (by_token(1, "vera", APPROVE, account("s-nobody")), "unknown_account"),
        (by_token(1, "vera", APPROVE, account("s-vera", issuer=ISSUER + "/")), "unknown_account"),
        (by_token(1, "desk", APPROVE, account("s-vera")), "other_account"),
        (by_token(1, "dan", APPROVE, account("s-dan")), "contributor"),
        (by_token(1, "ada", APPROVE, account("s-ada")), "no_role"),
        (by_token(1, "vera", APPROVE, account("s-vera", roles=())), "no_role"),
        (by_token(1, "vera", APPROVE, account("s-vera", roles=("risk_officer",))), "no_role"),
        (record(1, "vera", APPROVE, seen=KNOWN, key=DESK), "other_signer"),
        (record(1, "desk", APPROVE, seen=KNOWN, key=DESK), "no_role"),
    ],
)
def test_what_a_token_does_not_prove_does_not_count(odd: DecisionRecord, code: str) -> None:
    state = standing(odd, RITA)
    assert not state.complete and state.missing == {"validator": 1}
    assert uncounted(state) == {1: code}


def test_groups_take_roles_away_and_give_none() -> None:
    identity = account("s-rita", roles=("validator", "risk_officer", "operator"))
    (vote,) = standing(by_token(1, "rita", APPROVE, identity)).counted
    assert vote.roles == {"risk_officer"} and vote.can_override
    assert recorded_decisions.roles_with_right(KNOWN, vote.person, Right.PROMOTE, AT, identity) == frozenset()


def test_a_person_counts_once_by_key_and_by_any_of_their_accounts() -> None:
    old = by_token(3, "rita", APPROVE, account("s-rita-old", "3"))
    for again in (old, record(3, "rita", APPROVE, seen=KNOWN)):
        state = standing(RITA, again, requirement=ApprovalRequirement(roles={"risk_officer": 2}))
        assert state.missing == {"risk_officer": 1}
        assert uncounted(state) == {3: "already_recorded"}


def test_a_token_decides_once_also_after_a_revocation() -> None:
    digest = VERA.signed.digest if VERA.signed else ""
    back = by_token(3, "vera", REVOKE, account("s-vera", "3"), revokes=[digest])
    assert standing(VERA, RITA, back).missing == {"validator": 1}
    replayed = by_token(4, "vera", APPROVE, account("s-vera", "1"), when=AT + DAY / 2)
    state = standing(replayed, back, VERA, RITA)
    assert state.missing == {"validator": 1}
    assert uncounted(state) == {1: "revoked", 4: "token_reused"}
    assert standing(VERA, RITA, back, by_token(5, "vera", APPROVE, account("s-vera", "5"))).complete


def test_a_replayed_revocation_takes_back_nothing() -> None:
    spent = account("s-vera", "9")
    first = by_token(1, "vera", REJECT, spent)
    approval = by_token(2, "vera", APPROVE, account("s-vera", "2"))
    digest = approval.signed.digest if approval.signed else ""
    state = standing(first, approval, by_token(3, "vera", REVOKE, spent, revokes=[digest]))
    assert [vote.number for vote in state.counted] == [2]


def test_by_token_one_takes_back_what_one_signed_with_a_key_and_nobody_elses() -> None:
    approval = record(1, "vera", APPROVE, seen=KNOWN)
    digest = approval.signed.digest if approval.signed else ""
    own = by_token(3, "vera", REVOKE, account("s-vera", "3"), revokes=[digest])
    other = by_token(3, "rita", REVOKE, account("s-rita", "3"), revokes=[digest])
    assert standing(approval, own).missing == {"validator": 1, "risk_officer": 1}
    assert standing(approval, other).missing == {"risk_officer": 1}


def test_who_had_a_part_in_making_it_cannot_attest_who_approved() -> None:
    state = standing(VERA, RITA, contributors=Contributors(identities=frozenset({"desk"})))
    assert not state.counted
    assert uncounted(state) == {1: "attester_contributor", 2: "attester_contributor"}
    assert approval_rules.contributors(KNOWN, [DESK.public_key.keyid], {}).identities == {"desk"}


@pytest.mark.parametrize(
    ("span", "counts"),
    [
        ({"until": "2026-06-01T12:00:00Z"}, False),
        ({"until": "2026-06-01T12:00:01Z"}, True),
        ({"from": "2026-06-01T12:00:00Z"}, True),
        ({"from": "2026-06-01T12:00:01Z"}, False),
    ],
)
def test_an_account_is_judged_as_of_the_ledgers_time(span: Mapping[str, str], counts: bool) -> None:
    entry = {"issuer": ISSUER, "subject": "s", **span}
    roles = with_accounts(both={"roles": ["validator"], "accounts": [entry]})
    read = recorded_decisions.read(by_token(1, "both", APPROVE, account("s"), seen=roles), roles)
    assert isinstance(read, RecordedDecision) is counts


def test_a_revoked_service_attests_nothing_from_then_on() -> None:
    revocation = {"at": "2026-06-01T12:00:00Z", "why": "its machine was broken into"}
    desk = {"roles": ["desk"], "keys": [people.key_entry(DESK, revoked=revocation)]}
    sound_roles = with_accounts(second={"roles": ["desk"], "keys": [people.key_entry(SECOND)]})
    data = people.plain(vera=person("vera", "s-vera"), desk=desk)
    broken_roles = people.roles({**data, "roles": {**people.RIGHTS, "desk": ["attest_identity"]}})
    late = by_token(1, "vera", APPROVE, account("s-vera"), seen=broken_roles)
    early = by_token(1, "vera", APPROVE, account("s-vera"), seen=broken_roles, when=AT - DAY)
    assert not isinstance(recorded_decisions.read(late, broken_roles), RecordedDecision)
    assert isinstance(recorded_decisions.read(early, broken_roles), RecordedDecision)
    assert isinstance(
        recorded_decisions.read(
            by_token(1, "vera", APPROVE, account("s-vera"), key=SECOND, seen=sound_roles), sound_roles
        ),
        RecordedDecision,
    )


def test_an_account_belongs_to_one_person() -> None:
    with raises("trust.invalid_roles") as error:
        with_accounts(both=person("both", "s-vera"))
    assert f"s-vera of {ISSUER}" in error.value.values["why"]
    with raises("trust.invalid_roles") as error:
        with_accounts(both={"roles": ["validator"], "accounts": [{"issuer": ISSUER}]})
    assert "subject" in error.value.values["why"]
    assert ROLES.holder(ISSUER, "s-vera", AT) is None
