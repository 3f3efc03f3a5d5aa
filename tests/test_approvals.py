"""Approvals: the right people, by key, on this very content; any other decision says why it fails."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.errors import IntegrityError
from clearance.trust import approval_state, decisions, dsse, quorum, recorded_decisions
from clearance.trust.approval_rules import ApprovalContext, Contributors, contributors
from clearance.trust.approval_rules import ApprovalRequirement as Requirement
from clearance.trust.decisions import DecisionKind
from clearance.trust.recorded_decisions import DecisionRecord
from tests.support import people
from tests.support.people import AT, DAY, MATTER, ROLES, SIGNERS, record

TWO = {"validator": 1, "risk_officer": 1}
NOW = AT + DAY
DAN = Contributors(identities=frozenset({"dan"}))
ASKED = Requirement(roles=TWO, override_days=30)
APPROVE, REJECT, OVERRIDE, REVOKE = DecisionKind


def question(**changes: Any) -> ApprovalContext:
    usual = ApprovalContext(
        subject=MATTER, roles=ROLES, contributors=DAN, requirement=ASKED, failed=False, now=NOW
    )
    return replace(usual, **changes)


def standing(*records: DecisionRecord, **changes: Any) -> approval_state.ApprovalState:
    return approval_state.evaluate(records, question(**changes))


def uncounted(state: approval_state.ApprovalState) -> dict[int, str]:
    """The code of every decision that does not count, by its number."""
    return {decision.number: decision.code for decision in state.refused}


def obstacles(state: approval_state.ApprovalState) -> list[str]:
    """The codes of what is in the way."""
    return [obstacle.code for obstacle in state.obstacles]


VERA, RITA = record(1, "vera", APPROVE), record(2, "rita", APPROVE)


def test_a_validator_and_a_risk_officer_are_enough() -> None:
    state = standing(VERA, RITA)
    assert state.complete
    assert [vote.person.identity for vote in state.counted] == ["vera", "rita"]
    assert (state.missing, state.refused, state.until) == ({}, (), None)


def test_who_is_missing_is_named_and_who_could_be_asked() -> None:
    assert standing().missing == TWO
    assert not standing().complete
    assert standing(RITA).reasons == (
        "Missing: 1 approval from role validator (possible: both, vera, viktor).",
    )
    assert obstacles(standing(VERA)) == ["missing_role"]
    many = standing(VERA, requirement=Requirement(roles={"validator": 3}))
    assert many.missing == {"validator": 2}
    assert "both, viktor" in many.reasons[0] and "vera" not in many.reasons[0]


def test_a_role_that_nobody_has_or_that_may_not_approve_is_never_satisfied() -> None:
    for role in ("operator", "director"):
        state = standing(VERA, RITA, record(3, "otto", APPROVE), requirement=Requirement(roles={role: 1}))
        assert obstacles(state) == ["nobody_with_role"]


def test_a_policy_that_asks_for_nobody_waits_for_nobody_but_hears_objections() -> None:
    nobody = Requirement(roles={})
    assert standing(requirement=nobody).complete
    assert not standing(record(1, "viktor", REJECT), requirement=nobody).complete
    with pytest.raises(ValueError, match="negative"):
        Requirement(roles={"validator": -1})


def test_a_person_with_two_roles_fills_one_place_the_one_that_others_cannot() -> None:
    approval = record(3, "both", APPROVE)
    assert not standing(approval).complete
    assert standing(approval, VERA).complete
    assert standing(approval, RITA).complete
    assert standing(approval, VERA).missing == {}


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        (record(1, "dan", APPROVE), "contributor"),
        (record(1, "otto", APPROVE), "no_role"),
        (record(1, "ada", APPROVE), "no_role"),
        (record(1, "vera", APPROVE, key=people.STRANGER), "invalid_signature"),
        (record(1, "dan", APPROVE, by="vera"), "other_signer"),
        (record(1, "vera", APPROVE, replace(MATTER, content="b" * 64)), "other_evidence"),
        (record(1, "vera", APPROVE, replace(MATTER, model="cards")), "other_version"),
        (record(1, "vera", APPROVE, replace(MATTER, version=2)), "other_version"),
        (record(1, "vera", APPROVE, replace(MATTER, policy="lax")), "other_policy"),
        (record(1, "vera", APPROVE, replace(MATTER, champion="e" * 64)), "other_champion"),
        (record(1, "vera", APPROVE, replace(MATTER, champion=None)), "other_champion"),
        (record(1, "vera", APPROVE, replace(MATTER, comparison="e" * 64)), "other_champion"),
        (record(1, "vera", OVERRIDE, until=NOW + DAY), "nothing_to_override"),
        (record(1, "vera", APPROVE, when=people.AT - 365 * DAY), "invalid_key"),
        (DecisionRecord(number=1, at=AT, signed=None), "invalid_signature"),
    ],
)
def test_what_does_not_count_says_whose_it_is_and_what_to_do(odd: DecisionRecord, code: str) -> None:
    state = standing(odd, RITA)
    assert not state.complete
    assert state.missing == {"validator": 1}
    assert uncounted(state) == {1: code}


def test_a_stolen_key_does_not_count_from_the_moment_named() -> None:
    data = people.plain()
    data["people"]["vera"]["keys"][0]["revoked"] = {"at": "2026-06-01T12:00:00Z", "why": "stolen"}
    roles = people.roles(data)
    after = record(1, "vera", APPROVE, seen=roles)
    before = record(1, "vera", APPROVE, seen=roles, when=AT - DAY / 86400)
    assert uncounted(standing(after, RITA, roles=roles)) == {1: "invalid_key"}
    assert standing(before, RITA, roles=roles).complete


def test_the_time_is_the_ledgers_and_not_what_the_signer_says() -> None:
    """An expired key that claims to have signed in time: the ledger's time decides."""
    data = people.plain()
    data["people"]["vera"]["keys"][0]["until"] = "2026-05-01T00:00:00Z"
    roles = people.roles(data)
    late = record(1, "vera", APPROVE, seen=roles, at=AT - 60 * DAY, when=AT)
    assert uncounted(standing(late, RITA, roles=roles)) == {1: "invalid_key"}
    assert standing(
        record(1, "vera", APPROVE, seen=roles, at=AT, when=AT - 60 * DAY), RITA, roles=roles
    ).complete


def test_a_second_approval_by_the_same_person_adds_nothing() -> None:
    again = record(3, "vera", APPROVE, reason="still fine", at=AT + DAY)
    state = standing(VERA, again, requirement=Requirement(roles={"validator": 2}))
    assert state.missing == {"validator": 1}
    assert uncounted(state) == {3: "already_recorded"}


def test_a_second_key_makes_no_second_person() -> None:
    new = people.signer(70)
    data = people.plain()
    data["people"]["vera"]["keys"].append(people.key_entry(new))
    roles = people.roles(data)
    second = record(3, "vera", APPROVE, seen=roles, key=new)
    assert standing(VERA, second, roles=roles, requirement=Requirement(roles={"validator": 2})).missing == {
        "validator": 1
    }


def test_one_statement_under_two_signatures_is_nobodys() -> None:
    envelope = dsse.countersign(people.decided("vera", APPROVE), SIGNERS["viktor"])
    state = standing(recorded_decisions.open_record(1, AT, envelope, ROLES), RITA)
    assert uncounted(state) == {1: "several_signers"}


def digest(decision: DecisionRecord) -> str:
    assert decision.signed is not None
    return decision.signed.digest


def test_a_revoked_approval_stays_revoked_when_it_is_recorded_again() -> None:
    revocation = record(3, "vera", REVOKE, revokes=[digest(VERA)])
    replayed = record(4, "vera", APPROVE, when=AT + DAY)
    assert digest(replayed) == digest(VERA)
    state = standing(VERA, RITA, revocation, replayed)
    assert state.missing == {"validator": 1}
    assert uncounted(state) == {1: "revoked", 4: "revoked"}
    assert standing(VERA, RITA, revocation, replayed, record(5, "vera", APPROVE, at=AT + 2 * DAY)).complete


def test_nobody_revokes_for_another() -> None:
    foreign = record(3, "dan", REVOKE, revokes=[digest(VERA)])
    state = standing(VERA, RITA, foreign)
    assert state.complete
    assert uncounted(state) == {3: "revokes_nothing"}


def test_a_rejection_stands_until_whoever_rejected_revokes_it() -> None:
    rejection = record(3, "viktor", REJECT, reason="one group is worse off")
    state = standing(VERA, RITA, rejection)
    assert obstacles(state) == ["rejected"]
    assert "entry 3: one group is worse off" in state.reasons[0]
    assert not standing(VERA, RITA, rejection, record(4, "viktor", APPROVE)).complete
    assert not standing(
        VERA, RITA, rejection, record(4, "rita", REVOKE, revokes=[digest(rejection)])
    ).complete
    assert standing(VERA, RITA, rejection, record(4, "viktor", REVOKE, revokes=[digest(rejection)])).complete


def test_a_repeated_rejection_is_one_and_another_persons_is_another() -> None:
    rejections = [
        record(n, who, REJECT, at=AT + n * DAY) for n, who in ((3, "viktor"), (4, "viktor"), (5, "both"))
    ]
    state = standing(VERA, RITA, *rejections)
    assert [vote.number for vote in state.rejections] == [3, 5]
    assert uncounted(state) == {4: "already_recorded"}


def test_a_rejection_holds_against_every_champion_but_only_by_who_may_approve() -> None:
    elsewhere = replace(MATTER, champion=None, comparison=None, policy="older")
    assert not standing(VERA, RITA, record(3, "viktor", REJECT, elsewhere)).complete
    assert not standing(VERA, RITA, record(3, "dan", REJECT)).complete
    for harmless in (
        record(3, "ada", REJECT),
        record(3, "viktor", REJECT, replace(MATTER, content="b" * 64)),
        record(3, "viktor", REJECT, key=people.STRANGER),
    ):
        assert standing(VERA, RITA, harmless).complete


def over(number: int, who: str, days: float = 10, **more: Any) -> DecisionRecord:
    return record(number, who, OVERRIDE, until=AT + days * DAY, **more)


def test_an_override_takes_two_people_one_of_whom_may() -> None:
    state = standing(over(1, "vera", 9), over(2, "rita", 5), failed=True)
    assert state.complete
    assert state.until == AT + 5 * DAY
    alone = standing(over(2, "rita"), failed=True, requirement=Requirement(roles={}, override_days=30))
    assert obstacles(alone) == ["too_few_overriders"]
    nobody = standing(failed=True, requirement=Requirement(roles={}, override_days=30))
    assert not nobody.complete
    without = standing(
        over(1, "vera"),
        over(2, "viktor"),
        failed=True,
        requirement=Requirement(roles={}, override_days=30),
    )
    assert obstacles(without) == ["no_overrider"]


def test_approvals_do_not_override() -> None:
    state = standing(VERA, RITA, failed=True)
    assert not state.complete
    assert uncounted(state) == {1: "override_needed", 2: "override_needed"}
    assert not standing(over(1, "vera"), RITA, failed=True).complete
    assert not standing(over(1, "vera"), over(2, "dan"), failed=True).complete


@pytest.mark.parametrize(
    ("days", "now", "code"),
    [
        (1, NOW, "override_ended"),
        (5, AT + 6 * DAY, "override_ended"),
        (30.001, NOW, "override_too_long"),
    ],
)
def test_an_override_ends(days: float, now: Any, code: str) -> None:
    state = standing(over(1, "vera", days), over(2, "rita"), failed=True, now=now)
    assert not state.complete
    assert uncounted(state)[1] == code


def test_an_override_may_last_exactly_as_long_as_the_policy_says() -> None:
    assert standing(over(1, "vera", 30), over(2, "rita", 30), failed=True).complete


def test_the_override_that_lasts_longest_is_taken_and_none_where_the_policy_has_none() -> None:
    state = standing(over(1, "vera", 2), over(2, "rita", 20), over(3, "vera", 15), failed=True)
    assert state.until == AT + 15 * DAY
    assert not standing(
        over(1, "vera"), over(2, "rita"), failed=True, requirement=Requirement(roles=TWO)
    ).complete


def test_the_demos_keys_satisfy_the_demos_policy_only() -> None:
    roles = replace(ROLES, demo=True)
    assert obstacles(standing(VERA, RITA, roles=roles)) == ["demo_roles"]
    assert not standing(roles=roles, requirement=Requirement(roles={})).complete
    assert standing(VERA, RITA, roles=roles, requirement=replace(ASKED, demo=True)).complete


def test_who_made_it_is_known_by_key_and_address_and_a_stranger_holds_it_up() -> None:
    authors = contributors(
        ROLES, [SIGNERS["otto"].public_key.keyid, "f" * 64], {"Vera@bank.example": "", "eve@x.example": ""}
    )
    assert authors == Contributors(
        identities=frozenset({"otto", "vera"}), unlisted=frozenset({"eve@x.example"})
    )
    state = standing(VERA, record(2, "viktor", APPROVE), RITA, contributors=authors)
    assert state.missing == {}
    assert obstacles(state) == ["unlisted_author"] and "eve@x.example" in state.reasons[0]
    assert uncounted(state) == {1: "contributor"}
    assert standing(
        record(2, "viktor", APPROVE),
        RITA,
        contributors=authors,
        requirement=replace(ASKED, authors_listed=False),
    ).complete


def test_an_approver_whom_only_another_persons_commit_names_is_barred_and_reads_by_whom() -> None:
    claim = "by a Co-authored-by line in commit 0123456789ab of dan@bank.example"
    authors = contributors(ROLES, [], {"vera@bank.example": claim})
    assert (authors.identities, authors.claims) == (frozenset({"vera"}), {"vera": claim})
    assert contributors(ROLES, [SIGNERS["vera"].public_key.keyid], {"vera@bank.example": claim}).claims == {}
    state = standing(VERA, RITA, contributors=authors)
    assert uncounted(state) == {1: "contributor"} and claim in state.refused[0].why


def test_a_proposer_whose_key_has_expired_is_still_who_made_it() -> None:
    data = people.plain()
    data["people"]["vera"]["keys"] = [
        people.key_entry(SIGNERS["vera"], until="2026-02-01T00:00:00Z"),
        people.key_entry(people.signer(70)),
    ]
    roles = people.roles(data)
    authors = contributors(roles, [SIGNERS["vera"].public_key.keyid], {})
    again = record(1, "vera", APPROVE, seen=roles, key=people.signer(70))
    assert uncounted(standing(again, RITA, roles=roles, contributors=authors)) == {1: "contributor"}


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "  "},
        {"until": AT + DAY},
        {"revokes": ["a" * 64]},
        {"kind": OVERRIDE},
        {"kind": REVOKE},
        {"kind": REVOKE, "revokes": ["x"]},
        {"matter": replace(MATTER, version=0)},
        {"matter": replace(MATTER, champion="x")},
        {"at": AT.replace(tzinfo=None)},
    ],
)
def test_a_decision_that_says_nothing_is_not_made(change: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {
        "kind": APPROVE,
        "matter": MATTER,
        "by": "vera",
        "reason": "ok",
        "at": AT,
    } | change
    with pytest.raises(IntegrityError):
        decisions.statement_for(arguments.pop("kind"), arguments.pop("matter"), **arguments)


@pytest.mark.parametrize(
    "change", [{"more": 1}, {"version": True}, {"version": "3"}, {"decision": "aprove"}, {"at": 0}]
)
def test_a_decision_in_other_words_does_not_count(change: Mapping[str, Any]) -> None:
    statement = decisions.statement_for(APPROVE, MATTER, by="vera", reason="ok", at=AT)
    odd = {**statement, "predicate": {**statement["predicate"], **change}}
    decision = recorded_decisions.open_record(1, AT, dsse.sign(odd, SIGNERS["vera"]), ROLES)
    assert uncounted(standing(decision, RITA)) == {1: "invalid_decision"}
    other = dsse.sign({**statement, "predicateType": "urn:clearance:evidence:v1"}, SIGNERS["vera"])
    state = standing(recorded_decisions.open_record(1, AT, other, ROLES), RITA)
    assert uncounted(state) == {1: "invalid_decision"}


def everything() -> tuple[list[DecisionRecord], list[DecisionRecord]]:
    """Decisions that count for one of the questions, and such as count for none."""
    number = itertools.count(1)
    sound = [
        *(record(next(number), who, APPROVE) for who in ("vera", "viktor", "rita", "both", "vera")),
        *(
            over(next(number), who, days)
            for who in ("vera", "viktor", "rita", "both", "rita")
            for days in (3, 20)
        ),
        *(record(next(number), who, REJECT) for who in ("vera", "rita")),
    ]
    sound += [
        record(next(number), who, REVOKE, revokes=[digest(decision)])
        for decision in sound
        for who in ("vera", "rita")
        if decision.signed and decision.signed.statement["predicate"]["by"] == who
    ]
    rejections = [
        digest(decision)
        for decision in sound
        if decision.signed and decision.signed.statement["predicate"]["decision"] == REJECT
    ]
    foreign = [
        *(record(next(number), who, APPROVE) for who in ("dan", "otto", "ada")),
        *(over(next(number), who) for who in ("dan", "otto", "ada")),
        *(over(next(number), who, days) for who in ("vera", "rita") for days in (0.5, 90)),
        *(record(next(number), who, APPROVE, replace(MATTER, content="b" * 64)) for who in ("vera", "rita")),
        *(record(next(number), who, APPROVE, replace(MATTER, champion=None)) for who in ("vera", "rita")),
        *(record(next(number), who, APPROVE, key=people.STRANGER) for who in ("vera", "rita")),
        *(record(next(number), "dan", APPROVE, by=who) for who in ("vera", "rita")),
        *(record(next(number), who, APPROVE, when=AT - 365 * DAY) for who in ("vera", "rita")),
        *(record(next(number), who, REVOKE, revokes=rejections) for who in ("dan", "otto", "viktor", "both")),
        *(record(next(number), "dan", REVOKE, by="vera", revokes=rejections) for _ in range(2)),
        *(
            record(next(number), who, REVOKE, revokes=rejections, when=AT - 365 * DAY)
            for who in ("vera", "rita")
        ),
    ]
    return sound, foreign


SOUND, FOREIGN = everything()
records = st.lists(st.sampled_from(SOUND + FOREIGN), max_size=12, unique_by=lambda each: each.number)
questions = st.builds(
    question,
    failed=st.booleans(),
    requirement=st.sampled_from(
        [
            ASKED,
            Requirement(roles={}, override_days=30),
            Requirement(roles={"validator": 2}, override_days=30),
        ]
    ),
)


@given(records, questions, st.randoms(use_true_random=False))
def test_the_order_of_recording_does_not_matter(
    found: list[DecisionRecord], asked: ApprovalContext, chance: Any
) -> None:
    permutation = list(found)
    chance.shuffle(permutation)
    assert approval_state.evaluate(permutation, asked) == approval_state.evaluate(found, asked)


@given(records, questions, st.lists(st.sampled_from(FOREIGN), min_size=1, max_size=4))
def test_what_is_foreign_or_invalid_never_completes_a_set(
    found: list[DecisionRecord], asked: ApprovalContext, foreign: list[DecisionRecord]
) -> None:
    before, after = approval_state.evaluate(found, asked), approval_state.evaluate([*found, *foreign], asked)
    assert after.complete == before.complete
    assert after.missing == before.missing
    assert after.until == before.until


@given(records, questions, st.data())
def test_taking_an_approval_away_never_completes_a_set(
    found: list[DecisionRecord], asked: ApprovalContext, data: st.DataObject
) -> None:
    approvals = [
        decision for decision in found if decision.signed and decided_as(decision) in (APPROVE, OVERRIDE)
    ]
    if approvals and not approval_state.evaluate(found, asked).complete:
        away = data.draw(st.sampled_from(approvals))
        assert not approval_state.evaluate(
            [decision for decision in found if decision is not away], asked
        ).complete


@given(records, questions, st.sampled_from(["vera", "rita", "viktor", "both", "dan"]))
def test_a_new_rejection_always_stops_it(
    found: list[DecisionRecord], asked: ApprovalContext, who: str
) -> None:
    rejection = record(999, who, REJECT, reason="no", at=AT + DAY)
    assert not approval_state.evaluate([*found, rejection], asked).complete


def decided_as(decision: DecisionRecord) -> str:
    assert decision.signed is not None
    return str(decision.signed.statement["predicate"]["decision"])


roles_of = st.dictionaries(st.sampled_from("abcdef"), st.frozensets(st.sampled_from("xyz")), max_size=5)


@given(roles_of, st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3), max_size=3))
def test_as_many_places_are_filled_as_any_choice_can_fill(
    able: dict[str, frozenset[str]], wanted: dict[str, int]
) -> None:
    best = 0
    for choice in itertools.product(*([*sorted(roles), ""] for roles in able.values())):
        best = max(best, sum(min(choice.count(role), count) for role, count in wanted.items()))
    filled = quorum.assigned(able, wanted)
    assert sum(map(len, filled.values())) == best
    assert all(role in able[person] for role, there in filled.items() for person in there)
    members = [person for there in filled.values() for person in there]
    assert len(members) == len(set(members))
    assert sum(quorum.missing(able, wanted).values()) == sum(wanted.values()) - best


def test_people_move_over_for_each_other_as_far_as_it_takes() -> None:
    demand = {"r1": 1, "r2": 1, "r3": 1}
    chain = {"a": frozenset({"r1", "r2"}), "b": frozenset({"r2", "r3"}), "c": frozenset({"r1"})}
    assert quorum.assigned(chain, demand) == {"r1": ["c"], "r2": ["a"], "r3": ["b"]}
    stuck = {"a": frozenset({"r1", "r2"}), "b": frozenset({"r1"}), "c": frozenset({"r2", "r3"})}
    assert quorum.assigned(stuck, demand) == {"r1": ["b"], "r2": ["a"], "r3": ["c"]}
    assert quorum.missing(stuck, demand) == {}


def test_where_the_policy_allows_no_override_nobody_is_asked_for_one() -> None:
    state = standing(over(1, "vera"), over(2, "rita"), failed=True, requirement=Requirement(roles=TWO))
    assert not state.complete and not state.counted
    assert obstacles(state) == ["override_not_allowed"]
    assert uncounted(state) == {1: "override_not_allowed", 2: "override_not_allowed"}
