"""Whether a judged model may become champion, and which step comes next: every way a "no" comes about."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.documents.measurement import Outcome
from clearance.documents.verdict_document import VerdictDocument
from clearance.policy import judgement, schema
from clearance.promotion import next_step
from clearance.promotion.next_step import Ending, JudgedCase, PromotionState, Status, Step
from clearance.registry.version import Version
from clearance.trust.approval_state import ApprovalState
from clearance.trust.recorded_decisions import Reason
from tests.support import evidence

NAME = "loan-approval"
DAY = dt.date(2026, 11, 26)
MANNER = schema.PromotionTerms(approvals={"high": {"validator": 1}}, override_days=30)


def verdict(outcome: str = "pass", **changes: Any) -> VerdictDocument:
    reasons = [] if outcome == "pass" else ["the gap is 0.2; the limit is 0.1"]
    content: dict[str, Any] = {
        "name": NAME,
        "policy": evidence.policy_report(file="policies/strict.yaml"),
        "reasons": reasons,
        "findings": [evidence.finding(outcome=outcome, reason=reason) for reason in reasons],
    }
    return evidence.verdict(outcome, **(content | changes))


def today(outcome: str = "pass") -> judgement.Verdict:
    reasons = () if outcome == "pass" else ("the rule ended",)
    return judgement.Verdict(outcome=Outcome(outcome), reasons=reasons, findings=(), not_in_force=())


def case(**changes: Any) -> JudgedCase:
    good = JudgedCase(verdict=verdict(), has_model=True, promotion=MANNER, today=today(), day=DAY)
    return replace(good, **changes)


def standing(
    *reasons: str, counted: tuple[str, ...] = ("vera", "rita"), rejections: tuple[str, ...] = ()
) -> ApprovalState:
    decisions = tuple(SimpleNamespace(person=name) for name in counted)
    return ApprovalState(
        counted=cast(Any, decisions),
        rejections=cast(Any, rejections),
        refused=(),
        missing={},
        until=None,
        obstacles=tuple(Reason("a_code", reason) for reason in reasons),
    )


AGREED = standing()
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tier": "higher"}, "policies/authorised.yaml puts loan-approval into tier higher, which its policy"),
    (
        {"promotion": None},
        "loan-approval was judged under a version of policies/strict.yaml that policies/authorised.yaml",
    ),
    ({"today": None}, "loan-approval was judged under a version of policies/strict.yaml"),
    ({"uncommitted": "No commit holds it."}, "No commit holds it."),
    ({"unpushed": "It is not at the remote."}, "It is not at the remote."),
    ({"unreasoned": "Its denials cannot be reasoned."}, "Its denials cannot be reasoned."),
    ({"undocumented": "Its card has a gap."}, "Its card has a gap."),
]
JUDGED: list[tuple[dict[str, Any], str]] = [
    ({"verdict": verdict("fail")}, "The gap is 0.2; the limit is 0.1."),
    ({"verdict": verdict("not_evaluated")}, "The gap is 0.2"),
    ({"verdict": verdict("insufficient_evidence")}, "The gap is 0.2"),
    ({"today": today("fail")}, "Judged again on 2026-11-26: refused; the rule ended."),
    ({"today": today("not_evaluated")}, "Judged again on 2026-11-26: not evaluated; the rule ended."),
    ({"compared": "Compared with the champion: fail."}, "Compared with the champion: fail."),
]


def test_the_verdict_is_said_before_what_else_stands_in_the_way() -> None:
    refused = case(verdict=verdict("fail"), undocumented="Its card has a gap.")
    reason = ending(Status.NOT_PROMOTED, next_step.obstacle(refused))
    assert reason.index("The gap is 0.2") < reason.index("Its card has a gap.")
    overridden = ending(Status.NOT_PROMOTED, next_step.obstacle(refused, AGREED))
    assert overridden == "Its card has a gap."


def ending(status: Status, obstacle: Ending | None) -> str:
    assert obstacle is not None and obstacle.status is status
    return obstacle.reason


def test_a_pass_that_all_agree_to_may_be_promoted() -> None:
    assert next_step.obstacle(case(), AGREED) is None
    assert not case().failed


def test_what_nobody_was_asked_about_waits_for_that() -> None:
    assert ending(Status.AWAITING_APPROVAL, next_step.obstacle(case())) == "It has not been proposed yet."


def test_who_is_missing_is_told_in_order() -> None:
    obstacle = next_step.obstacle(case(), standing("Ask vera.", "Ask rita."))
    assert ending(Status.AWAITING_APPROVAL, obstacle) == "Ask vera. Ask rita."


@pytest.mark.parametrize(("needs", "agreed"), [(1, 0), (2, 1), (3, 2)])
def test_a_first_version_waits_for_as_many_as_the_comparison_asks_for(needs: int, agreed: int) -> None:
    some = standing(counted=("vera", "rita")[:agreed])
    reason = ending(Status.AWAITING_APPROVAL, next_step.obstacle(case(), some, needs))
    noun = "approval" if needs == 1 else "approvals"
    assert reason == f"A first version needs {needs} {noun} and has {agreed}: ask for more."
    assert next_step.obstacle(case(), some, agreed) is None


@pytest.mark.parametrize(("changes", "why"), REFUSED)
def test_what_no_agreement_mends_is_refused(changes: dict[str, Any], why: str) -> None:
    """Whoever agrees: not the authorised policy, nothing that could be built again."""
    for some in (None, AGREED, standing("Ask vera.")):
        assert ending(Status.NOT_PROMOTED, next_step.obstacle(case(**changes), some)).startswith(why)


@pytest.mark.parametrize(("changes", "why"), JUDGED)
def test_a_verdict_that_is_no_pass_is_refused_unless_it_was_overridden(
    changes: dict[str, Any], why: str
) -> None:
    bad = case(**changes)
    assert bad.failed
    nobody, one = standing("Ask vera.", counted=()), standing("Ask rita to override.", counted=("vera",))
    assert ending(Status.NOT_PROMOTED, next_step.obstacle(bad)).startswith(why)
    reason = ending(Status.NOT_PROMOTED, next_step.obstacle(bad, nobody))
    assert reason.startswith(why) and "Ask vera" not in reason
    explanation = ending(Status.NOT_PROMOTED, next_step.obstacle(bad, one))
    assert explanation.startswith(why) and explanation.endswith(" Ask rita to override.")
    assert next_step.obstacle(bad, AGREED) is None  # `standing` knows that only overrides complete such a set


def test_without_overrides_in_the_policy_nobody_is_told_to_ask_for_one() -> None:
    manner = schema.PromotionTerms(approvals={"high": {}}, override_days=0)
    one = standing("Ask rita.", counted=("vera",))
    obstacle = next_step.obstacle(case(verdict=verdict("fail"), promotion=manner), one)
    assert "Ask rita" not in ending(Status.NOT_PROMOTED, obstacle)


@pytest.mark.parametrize("changes", [{"promotion": None}, {"today": None}])
def test_without_an_authorised_policy_only_an_override_could_count(changes: dict[str, Any]) -> None:
    assert case(**changes).failed


def test_what_may_ship_is_the_policys_to_say() -> None:
    manner = schema.PromotionTerms(
        approvals={"high": {}}, when=(Outcome.PASS, Outcome.INSUFFICIENT_EVIDENCE), override_days=0
    )
    shortfall = case(
        verdict=verdict("insufficient_evidence"), promotion=manner, today=today("insufficient_evidence")
    )
    assert next_step.obstacle(shortfall, AGREED) is None and not shortfall.failed
    assert next_step.obstacle(replace(shortfall, today=today("fail")), standing("Ask.")) is not None


def test_a_rejection_is_told_before_the_verdict_and_stops_a_pass_too() -> None:
    rejection = standing("rita rejected it.", rejections=("rita",))
    for judged_case in (case(), case(verdict=verdict("fail"))):
        assert ending(Status.NOT_PROMOTED, next_step.obstacle(judged_case, rejection)) == "rita rejected it."


def test_a_run_by_a_chosen_policy_is_recorded_nowhere() -> None:
    obstacle = next_step.obstacle(case(verdict=verdict(what_if=True), has_model=False), AGREED)
    assert obstacle and obstacle.status is Status.WHAT_IF


def test_without_a_model_there_is_nothing_to_promote_and_the_verdict_says_why() -> None:
    obstacle = next_step.obstacle(case(verdict=verdict("fail"), has_model=False), AGREED)
    assert ending(Status.NO_MODEL, obstacle).endswith("The gap is 0.2; the limit is 0.1.")


def version(number: int, name: str = NAME) -> Version:
    return Version(name=name, number=number, fingerprint="x", tags={}, run_id="", model_id="")


def state(**changes: Any) -> PromotionState:
    return replace(PromotionState(obstacle=None, candidate=version(5), copy=None, champion=None), **changes)


NO = Ending(status=Status.NOT_PROMOTED, reason="so")
STEPS: list[tuple[dict[str, Any], Step | Status]] = [
    ({}, Step.COPY),
    ({"champion": version(3)}, Step.COPY),
    ({"copy": version(2)}, Step.SET_CHAMPION),
    ({"copy": version(2), "champion": version(1)}, Step.SET_CHAMPION),
    (
        {"copy": version(2), "champion": version(2)},
        Step.SET_CHAMPION,
    ),  # the alias is there, the ledger is not
    ({"copy": version(2), "champion": version(3)}, Status.SUPERSEDED),
    ({"copy": version(2), "champion": version(2), "ledger_champion": 5}, Status.CHAMPION),
    ({"copy": version(2), "champion": version(2), "ledger_champion": 5, "obstacle": NO}, Status.CHAMPION),
    ({"ledger_champion": 5}, Step.COPY),
    ({"copy": version(2), "ledger_champion": 4}, Step.SET_CHAMPION),
    ({"copy": version(2), "champions": frozenset({5})}, Status.SUPERSEDED),
    ({"champions": frozenset({4})}, Step.COPY),
    ({"obstacle": NO}, Status.NOT_PROMOTED),
    ({"obstacle": NO, "copy": version(2), "champion": version(3)}, Status.NOT_PROMOTED),
    ({"pending": True, "obstacle": NO}, Step.CONFIRM),
    ({"pending": False, "obstacle": NO}, Step.ABANDON),
    ({"pending": True, "copy": version(2), "ledger_champion": 5}, Step.CONFIRM),
]


@pytest.mark.parametrize(("changes", "due"), STEPS)
def test_the_next_step(changes: dict[str, Any], due: Step | Status) -> None:
    todo = next_step.decide(state(**changes))
    assert (todo.status if isinstance(todo, Ending) else todo) is due


def test_an_ending_names_the_version_that_is_champion_now() -> None:
    former = {"copy": version(2), "champions": frozenset({5})}
    for changes, champion in [({"champion": version(3)}, f"{NAME} version 3 is"), ({}, "no version is now")]:
        overtaken = next_step.decide(state(**former, **changes))
        assert isinstance(overtaken, Ending) and overtaken.status is Status.SUPERSEDED
        assert f"{champion} champion; use `clearance rollback`" in overtaken.reason
    ending_ = next_step.decide(state(copy=version(2), ledger_champion=5))
    assert ending_ == Ending(
        status=Status.CHAMPION, reason="loan-approval version 5 (version 2 in the registry) is the champion."
    )
    same = next_step.decide(state(copy=version(5), ledger_champion=5))
    assert same.reason == "loan-approval version 5 is the champion."


def states() -> st.SearchStrategy[PromotionState]:
    some = st.builds(version, st.integers(1, 3))
    return st.builds(
        PromotionState,
        obstacle=st.none() | st.builds(Ending, status=st.sampled_from(Status), reason=st.just("so")),
        candidate=some,
        copy=st.none() | some,
        champion=st.none() | some,
        ledger_champion=st.none() | st.integers(1, 3),
        champions=st.frozensets(st.integers(1, 3)),
        pending=st.none() | st.booleans(),
    )


@given(states())
def test_nothing_is_copied_or_crowned_against_an_obstacle_or_before_its_turn(state: PromotionState) -> None:
    todo = next_step.decide(state)
    if todo in (Step.COPY, Step.SET_CHAMPION):
        assert state.obstacle is None and state.pending is None
        assert state.candidate.number not in state.champions
    if todo is Step.COPY:
        assert state.copy is None
    if todo is Step.SET_CHAMPION:
        assert state.copy and (state.champion is None or state.champion.number <= state.copy.number)
    if todo in (Step.CONFIRM, Step.ABANDON):
        assert state.pending is (todo is Step.CONFIRM)
    if isinstance(todo, Ending) and todo.status is Status.CHAMPION and state.obstacle is None:
        assert state.copy and state.ledger_champion == state.candidate.number
