"""One rule against one measurement, at the very edges, and what stands of it in the verdict."""

from __future__ import annotations

from typing import Any

import pytest

from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.measurement import Measurement, Outcome
from clearance.documents.validation_document import Expectation, RawValidationDocument
from clearance.policy import findings, sample_size
from clearance.policy.findings import Finding
from clearance.policy.limit import Limit
from tests.test_policy import fairness, gap, made, rule

SIGNIFICANCE = {"decides_by": "point_and_significance", "equal_at": 0.0}


def find(measurement: Measurement, attribute: str | None = "race", **changes: Any) -> Finding:
    (read,) = made(rule(**changes)).rules
    return findings.evaluate(read, attribute, fairness(measurement))


def test_a_finding_holds_what_was_measured_and_what_the_rule_says_of_itself() -> None:
    finding = find(gap(0.05, 0.01, 0.09, support={"Elf": 40, "Orc": 60}), certainty="text")
    assert finding.attribute == "race" and finding.measurement is not None
    assert finding.to_json() == {
        "metric": "fairness.demographic_parity_difference",
        "limit": {"at_least": None, "at_most": 0.1},
        "severity": "block",
        "decides_by": "interval",
        "kind": "engineering",
        "source": "a convention",
        "certainty": "text",
        "jurisdiction": None,
        "rule": "parity",
        "attribute": "race",
        "outcome": Outcome.PASS,
        "reason": "demographic parity difference by race is 0.0500 (95% interval 0.0100 to 0.0900); "
        "limit: ≤ 0.1",
        "value": 0.05,
        "low": 0.01,
        "high": 0.09,
        "confidence": 0.95,
        "support": {"Elf": 40, "Orc": 60},
    }


def test_what_was_not_found_is_a_finding_too() -> None:
    (read,) = made(rule()).rules
    finding = findings.evaluate(read, "race", {}).to_json()
    assert finding["attribute"] == "race" and finding["outcome"] is Outcome.NOT_EVALUATED
    assert [finding[key] for key in ("value", "low", "high", "confidence", "support")] == [None] * 4 + [{}]


@pytest.mark.parametrize(("attribute", "ends"), [("sex", " for sex"), (None, "difference")])
def test_what_is_missing_is_named_with_its_attribute(attribute: str | None, ends: str) -> None:
    (read,) = made(rule()).rules
    missing = {"fairness": MeasuredDocument(measurements={})}
    assert findings.evaluate(read, attribute, missing).reason.endswith(ends)


@pytest.mark.parametrize("bounds", [{"low": None}, {"high": None}, {"confidence": None}])
@pytest.mark.parametrize("manner", [{}, SIGNIFICANCE])
def test_half_an_interval_decides_nothing(bounds: dict[str, None], manner: dict[str, Any]) -> None:
    half = Measurement(**{"value": 0.01, "low": 0.0, "high": 0.02, "confidence": 0.95} | bounds)
    assert find(half, **manner).outcome is Outcome.NOT_EVALUATED


def test_a_rule_that_only_reports_decides_nothing_with_a_limit_or_without() -> None:
    for limit in ({"at_most": 0.1}, None):
        finding = find(gap(0.5, 0.4, 0.6), decides_by="report_only", limit=limit)
        assert finding.outcome is None and finding.reason.endswith("reported, not decided")


@pytest.mark.parametrize(("low", "significant"), [(0.0, False), (0.001, True)])
def test_a_gap_whose_interval_touches_equality_may_be_chance(low: float, significant: bool) -> None:
    outside, inside = gap(0.2, low, 0.4), gap(0.05, low, 0.1)
    outcome = Outcome.FAIL if significant else Outcome.INSUFFICIENT_EVIDENCE
    assert find(outside, **SIGNIFICANCE).outcome is outcome
    assert ("significant, but within" in find(inside, **SIGNIFICANCE).reason) is significant
    below = find(gap(-0.2, -0.4, -low), **SIGNIFICANCE)
    assert below.outcome is Outcome.PASS and ("significant" in below.reason) is significant


def test_what_may_be_chance_says_how_many_rows_would_tell() -> None:
    finding = find(gap(0.2, -0.05, 0.45, support={"Elf": 40, "Orc": 60}), **SIGNIFICANCE)
    more = sample_size.estimate(gap(0.2, -0.05, 0.45), [0.0], {"Elf": 40, "Orc": 60})
    assert finding.more_rows == more and finding.reason.endswith(sample_size.sentence(more))


def test_groups_too_small_do_not_hide_that_the_interval_straddles_the_limit() -> None:
    finding = find(gap(0.05, 0.0, 0.25, support={"Elf": 27, "Orc": 60}), minimum_support=30)
    assert finding.outcome is Outcome.INSUFFICIENT_EVIDENCE and finding.more_rows is not None
    straddles, short = sample_size.sentence(finding.more_rows), findings.too_few({"Elf": 27}, 30)
    assert finding.reason.endswith(f"the interval straddles the limit; {straddles}; {short}")


@pytest.mark.parametrize(
    ("limit", "low", "high", "excluded"),
    [
        ({"at_least": 0.8}, 0.5, 0.8, False),
        ({"at_least": 0.8}, 0.5, 0.79, True),
        ({"at_most": 0.1}, 0.1, 0.5, False),
        ({"at_most": 0.1}, 0.11, 0.5, True),
    ],
)
def test_an_interval_that_touches_the_limit_is_not_outside(
    limit: dict[str, float], low: float, high: float, excluded: bool
) -> None:
    assert Limit(**limit).excludes(low, high) is excluded


def test_an_interval_of_one_point_is_sound_and_a_reversed_one_is_not() -> None:
    assert find(gap(0.05, 0.05, 0.05)).outcome is Outcome.PASS
    assert find(gap(0.05, 0.06, 0.05)).outcome is Outcome.NOT_EVALUATED


def broken(count: int, **changes: Any) -> dict[str, Any]:
    facts = {"expectation": "odd", "column": None, "severity": "block", "success": False, "observed": None}
    expectations = tuple(
        Expectation(**facts | {"detail": f"fault {number}", "examples": ()} | changes)
        for number in range(count)
    )
    document = RawValidationDocument(
        boundary="raw",
        table="ab" * 32,
        blocked=True,
        measurements={"blocking_failures": Measurement(value=float(count))},
        expectations=expectations,
    )
    return {"validation_raw": document}


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (1, ["fault 0"]),
        (3, ["fault 0", "fault 1", "fault 2"]),
        (5, ["fault 0", "fault 1", "fault 2", "and 2 more"]),
    ],
)
def test_the_first_faults_of_a_table_are_told_in_their_own_words(count: int, told: list[str]) -> None:
    about = {"metric": "validation_raw.blocking_failures", "attribute": None, "decides_by": "point"}
    (read, _) = made(rule(**about | {"limit": {"at_most": 0}}), rule(id="other")).rules
    assert findings.evaluate(read, None, broken(count)).reason.split("; ")[2:] == told
    for other in ({"success": True}, {"severity": "warn"}):
        assert findings.evaluate(read, None, broken(count, **other)).reason.split("; ")[2:] == []


def test_a_document_without_expectations_tells_no_faults() -> None:
    about = {"metric": "validation_raw.blocking_failures", "attribute": None, "decides_by": "point"}
    (read, _) = made(rule(**about | {"limit": {"at_most": 0}}), rule(id="other")).rules
    plain = {"validation_raw": MeasuredDocument(measurements={"blocking_failures": Measurement(value=1.0)})}
    finding = findings.evaluate(read, None, plain)
    assert finding.outcome is Outcome.FAIL and len(finding.reason.split("; ")) == 2
