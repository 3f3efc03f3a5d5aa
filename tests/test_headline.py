"""One sentence for a verdict, and what would settle it: told from the verdict, never decided anew."""

from typing import Any

import pytest

from clearance.reporting import headline


def finding(**changes: Any) -> dict[str, Any]:
    base = {"metric": "fairness.demographic_parity_difference", "attribute": "race", "severity": "block"}
    base |= {"value": 0.05, "low": 0.0, "high": 0.2, "limit": {"at_least": None, "at_most": 0.1}}
    return (
        base
        | {"outcome": "fail", "reason": "the gap is wide", "support": {"Black": 66, "White": 400}}
        | changes
    )


def verdict(outcome: str, *findings: dict[str, Any], reasons: list[str] | None = None) -> dict[str, Any]:
    deciding = [f["reason"] for f in findings if f["outcome"] == outcome and f["severity"] == "block"]
    policy = {"id": "demo", "version": "1", "as_of": "2026-11-22"}
    found = {"verdict": outcome, "findings": list(findings), "policy": policy}
    return found | {"reasons": deciding if reasons is None else reasons}


PASSED = finding(outcome="pass", metric="performance.roc_auc", attribute=None)


def test_a_single_finding_speaks_for_itself() -> None:
    assert headline.sentence(verdict("fail", finding(), PASSED)) == "The gap is wide."


def test_several_findings_are_counted_and_named() -> None:
    other = finding(attribute="sex", reason="that gap is wide")
    said = headline.sentence(verdict("fail", finding(), other, PASSED))
    assert said == (
        "2 of 3 blocking checks fail: demographic parity difference by race "
        "and demographic parity difference by sex."
    )


def test_a_pass_counts_only_what_blocks_and_decides() -> None:
    warned = finding(severity="warn")
    reported = finding(outcome=None)
    assert (
        headline.sentence(verdict("pass", PASSED, PASSED, warned, reported)) == "All 2 blocking checks pass."
    )
    assert "policy demo 1 read as of 2026-11-22" in headline.next_steps(verdict("pass", PASSED))[0]


def test_a_verdict_that_rests_on_no_finding_gives_its_reasons() -> None:
    fault = verdict("not_evaluated", finding(outcome="not_evaluated"), reasons=["the policy demands `age`"])
    assert headline.deciding_findings(fault) == []
    assert headline.sentence(fault) == "The policy demands `age`."
    assert "params.yaml" in headline.next_steps(fault)[0]


def test_a_verdict_without_any_reason_is_no_pass() -> None:
    empty = verdict("not_evaluated", reasons=[])
    assert headline.sentence(empty) == "No reason was recorded."


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "very roughly 9 times the rows (fewest now: Black, 66)"),
        ({"high": 0.101}, "very roughly 1.5 times the rows"),
        ({"value": 0.0999, "high": 0.2}, "very roughly 1,100,000 times the rows"),
        ({"value": 0.1}, "more rows would sooner confirm that than lift it"),
        ({"value": 0.15}, "more rows would sooner confirm that than lift it"),
        ({"high": 0.09}, "more rows in the smallest group (fewest now: Black, 66)"),
        ({"value": None, "low": None, "high": None}, "rows for which it is defined"),
        (
            {"limit": {"at_least": 0.8, "at_most": None}, "value": 0.9, "low": 0.7, "high": 1.0},
            "very roughly 4 times the rows",
        ),
    ],
)
def test_what_would_decide_what_the_rows_cannot(changes: dict[str, Any], says: str) -> None:
    (said,) = headline.next_steps(
        verdict("insufficient_evidence", finding(outcome="insufficient_evidence", **changes))
    )
    assert said.startswith("For demographic parity difference by race: ")
    assert says in said


def test_what_would_change_a_refusal() -> None:
    (said,) = headline.next_steps(verdict("fail", finding()))
    assert said.endswith("another model or other data, so that it is at most 0.1 with the whole interval.")
    raw = finding(metric="validation_raw.blocking_failures", attribute=None, limit={"at_most": 0.0})
    (said,) = headline.next_steps(verdict("fail", raw))
    assert said.startswith(
        "For blocking data failures in the raw table: other data, so that it is at most 0;"
    )


def test_the_same_advice_is_given_once() -> None:
    lacking = [finding(outcome="not_evaluated", attribute=name, reason=name) for name in ("race", "sex")]
    (said,) = headline.next_steps(verdict("not_evaluated", *lacking))
    assert said.startswith(
        "For demographic parity difference by race and demographic parity difference by sex:"
    )
