"""One sentence for a verdict, and the next steps: read from the verdict, never decided again."""

import io
from typing import Any

import pytest
from rich.console import Console

from clearance.cli import verdict_table
from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.measurement import Measurement, Outcome, undefined
from clearance.documents.training_document import ExternalModel
from clearance.documents.verdict_document import VerdictDocument
from clearance.policy import findings, sample_size
from clearance.policy.schema import Rule
from clearance.reporting import causes, headline, summary
from tests.support import evidence


def finding(**changes: Any) -> dict[str, Any]:
    limit = {"at_least": None, "at_most": None} | changes.pop("limit", {"at_most": 0.1})
    wide: dict[str, Any] = {"outcome": "fail", "reason": "the gap is wide", "low": 0.0, "high": 0.2}
    wide["support"] = {"Black": 66, "White": 400}
    return evidence.finding(limit=limit, **(wide | changes))


def verdict(outcome: str, *findings: dict[str, Any], reasons: list[str] | None = None) -> VerdictDocument:
    deciding = [f["reason"] for f in findings if f["outcome"] == outcome and f["severity"] == "block"]
    policy = evidence.policy_report(id="demo", version="1")
    return evidence.verdict(
        outcome, findings=findings, policy=policy, reasons=deciding if reasons is None else reasons
    )


PASSED = finding(outcome="pass", metric="performance.roc_auc", attribute=None)


def test_a_single_finding_speaks_for_itself() -> None:
    assert headline.sentence(verdict("fail", finding(), PASSED)) == "The gap is wide."


def test_several_findings_are_counted_and_named() -> None:
    other = finding(attribute="sex", reason="that gap is wide")
    text = headline.sentence(verdict("fail", finding(), other, PASSED))
    assert text == (
        "2 of 3 blocking checks fail: demographic parity difference by race "
        "and demographic parity difference by sex."
    )


def test_a_pass_counts_only_what_blocks_and_decides() -> None:
    warned = finding(severity="warn")
    notice = finding(outcome=None)
    assert headline.sentence(verdict("pass", PASSED, PASSED, warned, notice)) == "All 2 blocking checks pass."
    assert "policy demo 1 as of 2026-11-22" in headline.next_steps(verdict("pass", PASSED))[0]


def test_a_verdict_that_rests_on_no_finding_gives_its_reasons() -> None:
    fault = verdict("not_evaluated", finding(outcome="not_evaluated"), reasons=["the policy demands `age`"])
    assert headline.deciding_findings(fault) == []
    assert headline.sentence(fault) == "The policy demands `age`."
    assert "params.yaml" in headline.next_steps(fault)[0]


def test_a_verdict_without_any_reason_is_no_pass() -> None:
    empty = verdict("not_evaluated", reasons=[])
    assert headline.sentence(empty) == "No reason was recorded."


def undecided(
    value: float, low: float, high: float, limit: dict[str, Any], **support: int
) -> tuple[dict[str, Any], str]:
    """A finding that the rows cannot decide, as the policy writes it, and what it says of more rows."""
    rule = {
        **{"id": "odds", "metric": "fairness.equalized_odds_difference", "attribute": "race"},
        **{"limit": limit, "kind": "engineering", "source": "a convention", "valid_from": "2026-01-01"},
        **{"severity": "block", "decides_by": "interval"},
    }
    figure = Measurement(value=value, low=low, high=high, confidence=0.95, support=support)
    documents = {"fairness": MeasuredDocument(measurements={"equalized_odds_difference": {"race": figure}})}
    result = findings.evaluate(Rule.model_validate(rule), "race", documents)
    assert result.outcome is Outcome.INSUFFICIENT_EVIDENCE
    assert result.more_rows is not None
    return result.to_json(), sample_size.sentence(result.more_rows)


def test_the_next_step_repeats_the_estimate_of_the_finding() -> None:
    """House.md 1.4: at the limit no number of rows decides; beyond it more rows decide, against the model."""
    at_limit, no_number = undecided(0.0976, 0.0099, 0.19, {"at_most": 0.1}, female=400, male=500)
    (step,) = headline.next_steps(verdict("insufficient_evidence", at_limit))
    assert at_limit["more_rows"]["times"] is None and no_number in step and no_number in at_limit["reason"]
    assert "times" not in step

    beyond, times = undecided(0.3, 0.05, 0.5, {"at_most": 0.1}, Hispanic=9, White=400)
    (step,) = headline.next_steps(verdict("insufficient_evidence", beyond))
    assert beyond["more_rows"]["times"] == pytest.approx(1.5625)
    assert times in step and times in beyond["reason"]
    assert "outside the limit" in step

    within, times = undecided(0.05, 0.0, 0.2, {"at_most": 0.1}, Black=66, White=400)
    (step,) = headline.next_steps(verdict("insufficient_evidence", within))
    assert times in step and "outside the limit" not in step


def test_a_finding_without_an_estimate_gets_general_advice() -> None:
    undefined = finding(outcome="insufficient_evidence", value=None, low=None, high=None)
    (step,) = headline.next_steps(verdict("insufficient_evidence", undefined))
    assert step.endswith("rows in every group for which the metric is defined.")
    (step,) = headline.next_steps(verdict("insufficient_evidence", finding(outcome="insufficient_evidence")))
    assert step.endswith("more rows, another model or other data.")


def test_what_would_change_a_refusal() -> None:
    (step,) = headline.next_steps(verdict("fail", finding()))
    assert step.endswith("another model or other data, so that the whole interval is ≤ 0.1.")
    raw = finding(metric="validation_raw.blocking_failures", attribute=None, limit={"at_most": 0.0})
    (step,) = headline.next_steps(verdict("fail", raw))
    assert step.startswith("For blocking data failures in the raw table: other data, so that it is ≤ 0;")


def test_the_same_advice_is_given_once() -> None:
    lacking = [finding(outcome="not_evaluated", attribute=name, reason=name) for name in ("race", "sex")]
    (step,) = headline.next_steps(verdict("not_evaluated", *lacking))
    assert step.startswith(
        "For demographic parity difference by race and demographic parity difference by sex:"
    )


def test_what_prevents_many_checks_is_told_once() -> None:
    blocked = [
        finding(
            metric=f"{name}.x",
            attribute=None,
            outcome="not_evaluated",
            reason=f"x is not evaluated: {name} is blocked (validate_raw: `age` is empty)",
        )
        for name in ("fairness", "performance", "explanation", "training")
    ]
    judged = verdict("not_evaluated", *blocked, finding())
    (cause,) = causes.of(judged.findings)
    assert (cause.reason, len(cause.findings)) == ("validate_raw: `age` is empty", 4)
    told = summary.reasons(judged)
    assert told == [str(cause), "the gap is wide"]
    assert "; 4 checks could not be evaluated because of it: " in told[0]


def measured_of(value: Measurement, metric: str, **rule: Any) -> dict[str, Any]:
    """The finding of the policy on one measurement."""
    document, _, name = metric.partition(".")
    facts = {"id": name, "metric": metric, "kind": "engineering", "source": "a convention"}
    facts |= {"valid_from": "2026-01-01", "severity": "block", "limit": {"at_most": 0}, "decides_by": "point"}
    documents = {document: MeasuredDocument(measurements={name: value})}
    return findings.evaluate(Rule.model_validate(facts | rule), None, documents).to_json()


def test_what_is_undefined_is_said_once() -> None:
    why = "only the answers of the model are here"
    lacking = measured_of(undefined(why), "training.protected_at_decision")
    (cause,) = causes.of(verdict("not_evaluated", lacking).findings)
    assert cause.reason == why
    assert str(cause).count(headline.subject(cause.findings[0])) == 1
    assert "undefined" not in str(cause)
    other = measured_of(undefined(why), "explanation.additivity_error", limit={"at_most": 1e-6})
    (cause,) = causes.of(verdict("not_evaluated", lacking, other).findings)
    assert (cause.reason, len(cause.findings)) == (why, 2), "whatever the limits are"


def test_a_cause_that_names_its_subject_is_said_as_it_is() -> None:
    figure = Measurement(value=0.5, method="counted")
    wanted = {"decides_by": "interval", "limit": {"at_least": 0.4}}
    lacking = measured_of(figure, "performance.accuracy", **wanted)
    assert lacking["outcome"] == "not_evaluated"
    (cause,) = causes.of(verdict("not_evaluated", lacking).findings)
    assert str(cause) == lacking["reason"]


def external(**changes: Any) -> ExternalModel:
    facts: dict[str, Any] = {"file": "external/v.csv", "sha256": evidence.DIGEST, "format": "table"}
    facts |= {"origin": "declared", "answer": "scores", "trained_on": "none", "trained_elsewhere": 0}
    facts |= {"declared_by": "Acme & Sons", "declared": (), "made_with": {}}
    return ExternalModel(**facts | changes)


def test_what_cannot_be_measured_of_a_model_made_elsewhere_is_nobodys_mistake() -> None:
    inner = measured_of(undefined("unknown"), "training.protected_at_decision")
    judged = verdict("not_evaluated", inner)
    (step,), (action,) = headline.next_steps(judged, external()), headline.actions(judged, external())
    assert "the owners of the policy" in step and "bring the model itself" in step
    assert action.what in step and "the data scientist" not in action.by
    assert "`split.trained_on`" not in step
    other = finding(outcome="not_evaluated")
    assert len(headline.actions(verdict("not_evaluated", inner, other), external())) == 2
    own = headline.actions(verdict("not_evaluated", other), external())
    assert own == headline.actions(verdict("not_evaluated", other))


def test_rows_that_nobody_listed_are_to_be_listed() -> None:
    overlap = measured_of(undefined("unknown"), "split.overlap")
    bought = external(origin="computed", format="onnx", trained_on="unknown")
    (step,) = headline.next_steps(verdict("not_evaluated", overlap), bought)
    assert "`split.trained_on`" in step and "bring the model" not in step
    listed = external(origin="computed", format="onnx", trained_on="listed")
    assert "`split.trained_on`" not in headline.next_steps(verdict("not_evaluated", overlap), listed)[0]


def test_who_declares_a_model_made_elsewhere_is_in_one_line() -> None:
    line = headline.declaration(external())
    assert "Acme & Sons" in line and "\n" not in line
    assert "answers" in line
    assert "answers" not in headline.declaration(external(origin="computed", format="onnx"))


def test_findings_are_sorted_by_what_matters_and_how_far_it_is_off() -> None:
    expected = [
        finding(outcome="fail", value=0.4),
        finding(outcome="fail", value=0.2),
        finding(outcome="insufficient_evidence", value=0.15),
        finding(outcome="fail", severity="warn", value=0.9),
        finding(outcome="pass", value=0.09),
        finding(outcome="pass", value=0.01),
        finding(outcome="pass", severity="warn", value=0.0),
        finding(outcome=None, severity="warn", value=0.5),
    ]
    findings_ = verdict("fail", *expected).findings
    mixed = [*findings_[1::2], *findings_[::2]]
    assert tuple(sorted(mixed, key=headline.worst_first)) == findings_


@pytest.mark.parametrize(
    ("outcome", "command"),
    [
        ("pass", "clearance approve VERSION"),
        ("fail", "clearance run"),
        ("insufficient_evidence", "clearance override VERSION"),
        ("not_evaluated", "clearance run"),
    ],
)
def test_every_verdict_says_what_to_type_next_and_who(outcome: str, command: str) -> None:
    actions = headline.actions(verdict(outcome, finding(outcome=outcome)))
    assert all(action.by and action.what for action in actions)
    assert any(command in action.command for action in actions)


def test_the_headline_names_who_is_worse_off_once() -> None:
    rates = {"rates": {"Black": 0.5, "White": 0.75}}
    ratio = finding(metric="fairness.demographic_parity_ratio", limit={"at_least": 0.8}, **rates)
    (line,) = headline.who(verdict("fail", finding(**rates), ratio))
    assert line == "By race: Black 50.0% (33 of 66), White 75.0% (300 of 400) decided favourably"
    assert f"**{line}.**" in summary.markdown(verdict("fail", finding(**rates)))


@pytest.mark.parametrize(
    ("times", "who"),
    [(1.3, "the owner of the data"), (240, "the data scientist"), (None, "the data scientist")],
)
def test_nobody_is_sent_for_rows_that_nobody_can_collect(times: float | None, who: str) -> None:
    more = {"times": times, "group": "Black", "rows": 66, "short": {}}
    lacking = finding(outcome="insufficient_evidence", value=0.09, more_rows=more)
    assert headline.actions(verdict("insufficient_evidence", lacking))[0].by == who


def test_the_table_of_a_terminal_has_the_rows_of_the_markdown_those_that_decide_first() -> None:
    hostile = "a|b\u202e[bold]\x1b[31m"
    judged = verdict(
        "fail",
        finding(rule="holds", outcome="pass"),
        finding(rule=hostile, outcome="fail", value=0.3, limit={"at_least": None, "at_most": 0.1}),
    )
    rows = summary.rows(judged)
    assert [row.cells[2] for row in rows] == ["fail", "pass"]
    assert [row.holds for row in rows] == [False, True]
    lines = [line for line in summary.markdown(judged).splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[-4].strip("*") for line in lines[1:]] == ["fail", "pass"]
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(verdict_table.table(rows))
    first, second, third = (line.rstrip() for line in console.export_text().splitlines())
    assert first.split() == list(summary.COLUMNS)
    assert second.startswith("a|b\\u202e[bold]\\u001b[31m") and "0.300" in second and second.endswith("≤ 0.1")
    assert third.startswith("holds")


def test_the_brief_says_verdict_who_and_why_and_is_never_too_long_for_a_registry() -> None:
    rates = {"rates": {"Black": 0.25, "White": 0.5}, "metric": "fairness.demographic_parity_difference"}
    title, who, why = summary.brief(verdict("fail", finding(**rates))).split("\n\n")
    assert title == "Refused: loans under demo 1 as of 2026-11-22"
    assert who.startswith("By race: Black 25.0%") and why == "The gap is wide."
    assert len(summary.brief(verdict("fail", finding(reason="x" * 9000)))) == 2000
