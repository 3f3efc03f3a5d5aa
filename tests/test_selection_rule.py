"""The rule that chooses among candidates, on hand-made ones: limits first, then utility, then the order."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.models import selection_rule


def made(
    utility: float | None, *excess: float | None, unusable_because: str | None = None
) -> selection_rule.CandidateResult:
    checks = tuple(
        selection_rule.RuleCheck(
            rule="even", attribute=f"a{at}", value=None if x is None else 0.1 + x, excess=x
        )
        for at, x in enumerate(excess)
    )
    return selection_rule.CandidateResult(
        utility=utility, rule_checks=checks, unusable_because=unusable_because
    )


def chosen(*candidates: selection_rule.CandidateResult) -> int:
    return selection_rule.choose(candidates).chosen


def test_the_most_useful_of_those_that_keep_every_limit() -> None:
    choice = selection_rule.choose([made(0.9, 0.01), made(0.7, 0, 0), made(0.8, 0, 0), made(0.75, 0, 0)])
    assert (choice.chosen, choice.keeps_every_rule) == (2, True)
    assert choice.reasons == (
        "breaks even by a0: 0.110, 0.010 outside the limit",
        "keeps every rule, with less utility than the chosen one",
        "chosen: the highest utility among those that keep every rule",
        "keeps every rule, with less utility than the chosen one",
    )


def test_when_none_keeps_them_all_the_least_violating_and_it_says_so() -> None:
    choice = selection_rule.choose([made(0.9, 0.3, 0), made(0.6, 0.1, 0.1), made(0.7, 0, 0.2)])
    assert (choice.chosen, choice.keeps_every_rule) == (1, False)
    assert choice.reasons[1].startswith(
        "chosen as the least violating: none keeps every rule; breaks even by"
    )


def test_ties() -> None:
    assert chosen(made(0.8, 0), made(0.8, 0)) == 0
    assert selection_rule.choose([made(0.8, 0), made(0.8, 0)]).reasons[1] == (
        "equal to the chosen one, and listed after it"
    )
    assert chosen(made(0.7, 0.1), made(0.8, 0.1), made(0.8, 0.1)) == 1


def test_undefined_keeps_no_limit_and_is_the_worst() -> None:
    choice = selection_rule.choose([made(0.9, None), made(0.5, 0.9)])
    assert (choice.chosen, choice.keeps_every_rule) == (1, False)
    assert choice.reasons[0] == "breaks even by a0: undefined"
    assert chosen(made(0.9, math.nan), made(0.5, 0.9)) == 1
    assert not selection_rule.choose([made(0.9, math.nan)]).keeps_every_rule


def test_a_candidate_of_no_use_is_even_and_still_not_chosen() -> None:
    candidate = made(0.5, 0, unusable_because="it decides all tune rows alike")
    assert chosen(candidate, made(0.6, 0.4)) == 1
    assert chosen(made(None, 0), made(0.6, 0.4)) == 1
    alone = selection_rule.choose([candidate])
    assert (alone.chosen, alone.keeps_every_rule) == (0, False)
    assert "although it decides all tune rows alike" in alone.reasons[0]


def test_without_rules_the_utility_decides() -> None:
    assert chosen(made(0.6), made(0.7)) == 1


def test_nothing_to_choose_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="no candidate"):
        selection_rule.choose([])


CANDIDATE = st.builds(
    made,
    st.one_of(st.none(), st.sampled_from([0.5, 0.6, 0.7])),
    st.one_of(st.none(), st.sampled_from([0.0, 0.1])),
    st.sampled_from([0.0, 0.2]),
)


def test_a_value_that_all_lack_does_not_hide_the_others() -> None:
    assert chosen(made(0.9, None, 0.4), made(0.5, None, 0.1)) == 1
    assert chosen(made(0.5, None, None), made(0.4, None, 0.9)) == 1


@given(st.lists(CANDIDATE, min_size=1, max_size=5))
def test_order_only_breaks_ties(candidates: list[selection_rule.CandidateResult]) -> None:
    best = candidates[chosen(*candidates)]
    for order in itertools.islice(itertools.permutations(candidates), 24):
        again = order[selection_rule.choose(order).chosen]
        assert (again.utility, again.keeps_every_rule, again.worst) == (
            best.utility,
            best.keeps_every_rule,
            best.worst,
        )


@given(st.lists(CANDIDATE, min_size=1, max_size=5))
def test_no_useful_candidate_that_keeps_every_rule_is_more_useful(
    candidates: list[selection_rule.CandidateResult],
) -> None:
    choice = selection_rule.choose(candidates)
    good = [
        candidate.utility
        for candidate in candidates
        if candidate.keeps_every_rule and candidate.utility is not None
    ]
    assert choice.keeps_every_rule == bool(good) or candidates[choice.chosen].utility is None
    if good:
        assert candidates[choice.chosen].utility == max(good)
