"""A policy is read strictly and judged purely: nothing that is missing, undefined or uncertain passes."""

import datetime as dt
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clearance.documents import measurement as evidence
from clearance.documents.evidence_document import BlockedDocument, MeasuredDocument, UnusableDocument
from clearance.documents.measurement import Measurement, Outcome
from clearance.errors import ConfigurationError
from clearance.policy import (
    attempt_terms,
    comparison_terms,
    document_terms,
    inference_log_terms,
    judgement,
    policy_file,
    project_verdict,
    reason_terms,
    serving_terms,
    test_set_limit,
)
from clearance.policy.impact_rules import ExcludedCategory, ImpactTableRules
from clearance.policy.limit import Limit
from clearance.policy.schema import Policy, PromotionTerms, Rule
from tests.support import reported
from tests.support.codes import raises

ROOT = Path(__file__).parent.parent
TODAY = dt.date(2026, 6, 1)
DECLARED = judgement.Declaration(attributes=("race", "sex"), target="approve", favourable=1)


def rule(**changes: Any) -> dict[str, Any]:
    return {
        "id": "parity",
        "metric": "fairness.demographic_parity_difference",
        "attribute": "race",
        "limit": {"at_most": 0.1},
        "kind": "engineering",
        "source": "a convention",
        "valid_from": "2026-01-01",
        "severity": "block",
        "decides_by": "interval",
    } | changes


def written(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": "test",
        "version": "1",
        "title": "A policy for tests",
        "attributes": ["race"],
        "favourable": {"target": "approve", "value": 1},
        "promotion": {"approvals": {"none": {}}},
        "rules": list(rules) or [rule()],
    } | changes


def small(**changes: Any) -> dict[str, Any]:
    left_out = {"attribute": "race", "category": "Elf", "justification": "three people"} | changes
    table = {"excludable_below": 0.02, "kind": "legal", "source": "a law", "valid_from": "2023-07-05"}
    return table | {"excluded": [left_out]}


def uses(**changes: Any) -> dict[str, Any]:
    limit = {"warn_from": 20, "kind": "engineering", "source": "a convention", "valid_from": "2026-01-01"}
    return limit | changes


def made(*rules: dict[str, Any], **changes: Any) -> Policy:
    return Policy.model_validate(written(*rules, **changes))


def gap(value: float, low: float | None = None, high: float | None = None, **more: Any) -> Measurement:
    confidence = None if low is None else 0.95
    return Measurement(**{"value": value, "low": low, "high": high, "confidence": confidence} | more)


def fairness(measurement: Measurement, attribute: str = "race") -> dict[str, Any]:
    return {
        "fairness": MeasuredDocument(measurements={"demographic_parity_difference": {attribute: measurement}})
    }


def outcome(documents: dict[str, Any], *rules: dict[str, Any]) -> Outcome:
    return judgement.judge(made(*rules), documents, DECLARED, TODAY).outcome


def reason(documents: dict[str, Any], *rules: dict[str, Any]) -> str:
    return judgement.judge(made(*rules), documents, DECLARED, TODAY).findings[0].reason


# Reading a policy


def read(tmp_path: Path, content: dict[str, Any]) -> Policy:
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(content))
    return policy_file.load(file)


def test_a_policy_is_read_as_written(tmp_path: Path) -> None:
    policy = read(tmp_path, written(rule(valid_until="2026-12-31", minimum_support=30)))
    assert policy.rules[0].valid_until == dt.date(2026, 12, 31)
    assert policy.rules[0].undefined == "not_evaluated"
    assert policy.promotion.when == (Outcome.PASS,)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (
            written(rule(limit={"at_mots": 0.1})),
            ["rules.0.limit.at_mots", "at_most"],
        ),
        (written(rule(severty="block")), ["rules.0.severty", "severity"]),
        (written(atributes=["race"]), ["atributes", "attributes"]),
        (written(rules=[]), ["`rules`"]),
        (written(attributes=[]), ["`attributes`"]),
        (written(rule(), rule()), ["parity", "twice"]),
        (written(rule(limit={})), ["rules.0.limit", "at_least"]),
        (written(rule(limit=None)), ["rule parity", "`limit`"]),
        (written(rule(limit={"at_least": 0.8, "at_most": 0.2})), ["rules.0.limit", "0.8", "0.2"]),
        (written(rule(limit={"at_most": float("nan")})), ["rules.0.limit.at_most"]),
        (written(rule(limit={"at_most": float("inf")})), ["rules.0.limit.at_most"]),
        (written(rule(valid_until="2025-12-31")), ["rule parity", "valid_until", "2025-12-31"]),
        (written(rule(attributes=["race"])), ["rule parity", "`attribute`", "`attributes`"]),
        (written(rule(attribute=None, attributes=["race", "race"])), ["rule parity", "twice"]),
        (written(rule(attribute="sex")), ["race"]),
        (
            written(rule(), rule(id="b", attribute="age")),
            ["age", "`attributes`"],
        ),
        (written(rule(), rule(id="b", attribute="race & age")), ["race & age"]),
        (written(rule(), rule(id="b", attribute="race & race")), ["race & race"]),
        (written(rule(), rule(id="b", attribute="race & ")), ["race & "]),
        (
            written(rule(attribute="race & sex"), attributes=["race", "sex"]),
            ["race, sex"],
        ),
        (written(impact_table=small(attribute="age")), ["`excluded`", "age"]),
        (
            written(impact_table=small() | {"valid_until": "2020-01-01"}),
            ["impact_table", "valid_until"],
        ),
        (written(impact_table=small(justification="  ")), ["impact_table.excluded.0.justification"]),
        (written(test_uses=uses(warn_from=0)), ["test_uses.warn_from"]),
        (written(test_uses=20), ["`test_uses`"]),
        (written(test_uses=uses(kind="habit")), ["test_uses.kind", "legal", "engineering"]),
        (written(test_uses=uses(source="")), ["test_uses.source"]),
        (written(test_uses={"warn_form": 3}), ["test_uses.warn_form", "warn_from"]),
        (written(test_uses=uses(valid_until="2020-01-01")), ["test_uses", "valid_until"]),
        (written(rule(source=None)), ["rules.0.source", "rule parity"]),
        (written(rule(metric="fairnes.ratio")), ["rules.0.metric"]),
        (written(rule(metric="fairness.")), ["rules.0.metric"]),
        (written(rule(kind="folklore")), ["rules.0.kind"]),
        (written(rule(source="")), ["rules.0.source"]),
        (written(rule(undefined="pass")), ["rules.0.undefined"]),
        (written(rule(equal_at=1)), ["rule parity", "equal_at"]),
        (written(rule(decides_by="point_and_significance")), ["equal_at"]),
        (written(promotion={"approvals": {"none": {}}, "when": ["fail"]}), ["promotion.when"]),
        (written(promotion={"approvals": {"high": {"validator": 0}}}), ["promotion.approvals"]),
        (written(promotion={"approvals": {}}), ["promotion.approvals"]),
        (written(promotion={"approvals": {"none": {}}, "override_days": 400}), ["promotion.override_days"]),
    ],
)
def test_a_faulty_policy_is_refused_with_its_fault(
    tmp_path: Path, content: dict[str, Any], names: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as error:
        read(tmp_path, content)
    assert error.value.code == "policy.not_valid"
    assert error.value.values["path"] == tmp_path / "policy.yaml"
    for name in names:
        assert name in error.value.values["problems"]


def test_a_missing_policy_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is missing"):
        policy_file.load(tmp_path / "none.yaml")


# One rule, one measurement


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.02, 0.1, Outcome.PASS),
        (0.02, 0.1000001, Outcome.INSUFFICIENT_EVIDENCE),
        (0.1, 0.3, Outcome.INSUFFICIENT_EVIDENCE),
        (0.1000001, 0.3, Outcome.FAIL),
    ],
)
def test_an_interval_decides_by_where_all_of_it_lies(low: float, high: float, expected: Outcome) -> None:
    assert outcome(fairness(gap((low + high) / 2, low, high))) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.8, 1.25, "pass"), (0.7, 0.79, "fail"), (1.3, 1.4, "fail"), (0.7, 1.0, "insufficient_evidence")],
)
def test_a_limit_with_two_ends_is_kept_between_them(low: float, high: float, expected: str) -> None:
    two_sided = rule(limit={"at_least": 0.8, "at_most": 1.25})
    assert outcome(fairness(gap((low + high) / 2, low, high)), two_sided) == expected


@pytest.mark.parametrize(("value", "expected"), [(0, Outcome.PASS), (1, Outcome.FAIL)])
def test_a_count_decides_by_its_point(value: float, expected: Outcome) -> None:
    assert outcome(fairness(gap(value)), rule(decides_by="point", limit={"at_most": 0})) == expected


def test_a_point_decides_whatever_interval_it_carries() -> None:
    assert outcome(fairness(gap(0.05, 0.0, 0.4)), rule(decides_by="point")) == Outcome.PASS


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.7, 0.6, 0.9, Outcome.FAIL),
        (0.7, 0.4, 1.0, Outcome.INSUFFICIENT_EVIDENCE),
        (0.9, 0.7, 1.0, Outcome.PASS),
        (0.9, 0.85, 0.95, Outcome.PASS),
    ],
)
def test_significance_turns_a_broken_limit_into_a_failure(
    value: float, low: float, high: float, expected: Outcome
) -> None:
    four_fifths = rule(decides_by="point_and_significance", equal_at=1, limit={"at_least": 0.8})
    assert outcome(fairness(gap(value, low, high)), four_fifths) == expected


def test_a_significant_gap_inside_the_limit_is_said() -> None:
    four_fifths = rule(decides_by="point_and_significance", equal_at=1, limit={"at_least": 0.8})
    assert "significant" in reason(fairness(gap(0.9, 0.85, 0.95)), four_fifths)


def test_reporting_neither_passes_nor_blocks() -> None:
    report = rule(id="report", decides_by="report_only", limit=None)
    for value in (0.0, 0.9):
        verdict = judgement.judge(made(rule(), report), fairness(gap(value, value, value)), DECLARED, TODAY)
        alone = judgement.judge(made(rule()), fairness(gap(value, value, value)), DECLARED, TODAY)
        assert verdict.findings[1].outcome is None
        assert verdict.outcome == alone.outcome
    only = judgement.judge(made(report), fairness(gap(0.0, 0.0, 0.0)), DECLARED, TODAY)
    assert only.outcome == Outcome.NOT_EVALUATED


def test_a_small_group_is_named_with_what_it_lacks() -> None:
    documents = fairness(gap(0.02, 0.01, 0.03, support={"White": 400, "Black": 12, "Hispanic": 29}))
    assert outcome(documents, rule(minimum_support=30)) == Outcome.INSUFFICIENT_EVIDENCE
    sentence = reason(documents, rule(minimum_support=30))
    assert "Black has 12 (18 short), Hispanic has 29 (1 short)" in sentence
    assert "White" not in sentence
    assert outcome(documents, rule(minimum_support=12)) == Outcome.PASS


def test_a_small_group_does_not_excuse_a_proven_failure() -> None:
    rows = {"White": 400, "Black": 12}
    assert outcome(fairness(gap(0.4, 0.2, 0.6, support=rows)), rule(minimum_support=30)) == Outcome.FAIL
    across = fairness(gap(0.1, 0.05, 0.6, support=rows))
    assert outcome(across, rule(minimum_support=30)) == Outcome.INSUFFICIENT_EVIDENCE
    point = rule(minimum_support=30, decides_by="point")
    assert outcome(fairness(gap(0.4, support=rows)), point) == Outcome.INSUFFICIENT_EVIDENCE


def test_support_that_is_not_stated_is_no_support() -> None:
    assert outcome(fairness(gap(0.02, 0.01, 0.03)), rule(minimum_support=1)) == Outcome.NOT_EVALUATED


def test_less_confidence_than_the_rule_asks_for_decides_nothing() -> None:
    weak = fairness(gap(0.02, 0.01, 0.03, confidence=0.9))
    assert outcome(weak) == Outcome.NOT_EVALUATED
    assert outcome(weak, rule(confidence=0.9)) == Outcome.PASS
    assert outcome(fairness(gap(0.02, 0.01, 0.03, confidence=0.99))) == Outcome.PASS


@pytest.mark.parametrize("undefined", ["fail", "insufficient_evidence", "not_evaluated"])
def test_an_undefined_value_is_what_the_rule_says_and_never_a_pass(undefined: str) -> None:
    documents = fairness(evidence.undefined("no rows to count in Black"))
    assert outcome(documents, rule(undefined=undefined)) == undefined
    assert "no rows to count in Black" in reason(documents, rule(undefined=undefined))


GOOD = gap(0.02, 0.01, 0.03).to_json()


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({}, "there is no fairness evidence"),
        (
            {"fairness": BlockedDocument(because="validate_raw: 3 rows")},
            "fairness is blocked (validate_raw: 3 rows)",
        ),
        (
            {"fairness": UnusableDocument(status="stale", because="another model")},
            "is stale (another model)",
        ),
        ({"fairness": MeasuredDocument(measurements={})}, "has no demographic_parity_difference for race"),
        (fairness(gap(0.02, 0.01, 0.03), "sex"), "has no demographic_parity_difference for race"),
        (fairness(gap(0.02)), "no interval to decide by"),
    ],
)
def test_evidence_that_is_not_there_is_not_evaluated(found: dict[str, Any], why: str) -> None:
    verdict = judgement.judge(made(), found, DECLARED, TODAY)
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert len(verdict.reasons) == 1
    assert why in verdict.reasons[0]


def test_a_reversed_interval_is_not_evaluated() -> None:
    reversed_ = Measurement(value=0.02, low=0.03, high=0.01, confidence=0.95)
    assert outcome(fairness(reversed_)) == Outcome.NOT_EVALUATED


@pytest.mark.parametrize(
    "changes",
    [
        {"value": float("nan")},
        {"high": float("nan")},
        {"high": float("inf")},
        {"value": "0.02"},
        {"value": None},
        {"support": 40},
        {"support": {"Black": "many"}},
        {"surprise": 1},
    ],
)
def test_a_malformed_measurement_is_not_evaluated(changes: dict[str, Any]) -> None:
    document = reported.documents()["fairness"]
    document["measurements"]["demographic_parity_difference"]["race"] = GOOD
    read = project_verdict.evidence_of("fairness", document)
    assert outcome({"fairness": read}) == Outcome.PASS
    document["measurements"]["demographic_parity_difference"]["race"] = GOOD | changes
    read = project_verdict.evidence_of("fairness", document)
    assert read.status == "unreadable" and outcome({"fairness": read}) == Outcome.NOT_EVALUATED


def test_a_metric_by_attribute_needs_a_rule_that_names_one() -> None:
    rules = (rule(), rule(id="all", attribute=None))
    verdict = judgement.judge(made(*rules), fairness(gap(0.02, 0.01, 0.03)), DECLARED, TODAY)
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert "is measured by attribute, and the rule does not name one" in verdict.reasons[0]


def test_a_finding_is_a_sentence_with_its_numbers() -> None:
    documents = fairness(gap(0.3124, 0.1504, 0.4701))
    assert reason(documents) == (
        "demographic parity difference by race is 0.312 (95% interval 0.150 to 0.470); limit: ≤ 0.1"
    )
    across = fairness(gap(0.09, 0.02, 0.2, support={"White": 500, "Black": 60}))
    assert reason(across).endswith(
        "the interval straddles the limit; more rows will hardly decide it: the value lies so close to the "
        "limit that about 130 times as many would be needed"
    )


def test_a_sentence_names_an_attribute_by_its_title_and_nothing_else_changes() -> None:
    policy = Policy.model_validate(written(rule(attribute="race & sex"), attributes=["race & sex"]))
    documents = fairness(gap(0.3, 0.2, 0.4), "race & sex")
    plain = judgement.judge(policy, documents, DECLARED, TODAY)
    titled = judgement.judge(policy, documents, replace(DECLARED, titles={"sex": "sex at birth"}), TODAY)
    assert "by race & sex at birth is" in titled.reasons[0]
    assert [replace(finding, reason="") for finding in titled.findings] == [
        replace(finding, reason="") for finding in plain.findings
    ]


def test_a_number_that_sits_at_the_limit_cannot_be_decided_by_more_rows() -> None:
    at = fairness(gap(0.1, 0.02, 0.2, support={"White": 500, "Black": 60}))
    assert "more rows will not decide it" in reason(at)
    assert outcome(at) == Outcome.INSUFFICIENT_EVIDENCE


def test_rows_too_few_for_any_interval_are_insufficient_evidence_and_say_why() -> None:
    measurement = Measurement(value=0.02, lack="a bootstrap needs 10 rows of each kind: Black has 3")
    assert outcome(fairness(measurement)) == Outcome.INSUFFICIENT_EVIDENCE
    assert "there is no interval to decide by: a bootstrap needs 10 rows" in reason(fairness(measurement))
    with pytest.raises(ValueError, match="lacks rows"):
        Measurement(value=0.02, low=0.0, high=0.1, confidence=0.95, lack="too few")


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (("race", "sex"), Outcome.PASS),
        (("sex", "race"), Outcome.NOT_EVALUATED),
        (("race",), Outcome.NOT_EVALUATED),
    ],
)
def test_an_intersection_is_assessed_when_all_its_attributes_are_declared(
    declared: tuple[str, ...], expected: Outcome
) -> None:
    crossed = made(rule(attribute="race & sex"), attributes=["race & sex"])
    declaration = judgement.Declaration(attributes=declared, target="approve", favourable=1)
    documents = fairness(gap(0.02, 0.01, 0.03), "race & sex")
    assert judgement.judge(crossed, documents, declaration, TODAY).outcome == expected


# Many rules, one verdict

VALUES = {
    Outcome.PASS: gap(0.02, 0.01, 0.03),
    Outcome.FAIL: gap(0.4, 0.3, 0.5),
    Outcome.INSUFFICIENT_EVIDENCE: gap(0.1, 0.0, 0.2),
    Outcome.NOT_EVALUATED: evidence.undefined("a reason"),
}
ORDER = [Outcome.FAIL, Outcome.NOT_EVALUATED, Outcome.INSUFFICIENT_EVIDENCE, Outcome.PASS]


def many(pairs: list[tuple[str, Outcome]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A rule and a measurement for every (severity, outcome); the first reads for the attribute race."""
    rules = [rule(id="named", decides_by="report_only")]
    rules += [
        rule(id=f"rule-{at}", metric=f"performance.metric_{at}", attribute=None, severity=severity)
        for at, (severity, _) in enumerate(pairs)
    ]
    measurements = {f"metric_{at}": VALUES[result] for at, (_, result) in enumerate(pairs)}
    return rules, {"performance": MeasuredDocument(measurements=measurements)}


@pytest.mark.parametrize("pair", list(itertools.product(ORDER, ORDER)), ids=str)
def test_the_worst_blocking_finding_is_the_verdict(pair: tuple[Outcome, Outcome]) -> None:
    rules, documents = many([("block", result) for result in pair])
    verdict = judgement.judge(made(*rules), documents, DECLARED, TODAY)
    assert verdict.outcome == min(pair, key=ORDER.index)
    assert len(verdict.reasons) == pair.count(verdict.outcome)


@pytest.mark.parametrize("warned", ORDER)
def test_a_warning_is_reported_and_never_blocks(warned: Outcome) -> None:
    rules, documents = many([("block", Outcome.PASS), ("warn", warned)])
    verdict = judgement.judge(made(*rules), documents, DECLARED, TODAY)
    assert verdict.outcome == Outcome.PASS
    assert verdict.findings[-1].outcome == warned


@pytest.mark.parametrize("warned", ORDER)
def test_warnings_alone_are_no_verdict(warned: Outcome) -> None:
    rules, documents = many([("warn", warned)])
    verdict = judgement.judge(made(*rules), documents, DECLARED, TODAY)
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert "policy test has no rule in force" in verdict.reasons[0]


@given(
    st.lists(st.tuples(st.sampled_from(["block", "warn"]), st.sampled_from(ORDER)), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rules_changes_no_verdict(wanted: list[tuple[str, Outcome]], shuffler: Any) -> None:
    rules, documents = many(wanted)
    shuffled = list(rules)
    shuffler.shuffle(shuffled)
    first = judgement.judge(made(*rules), documents, DECLARED, TODAY)
    second = judgement.judge(made(*shuffled), documents, DECLARED, TODAY)
    assert first.outcome == second.outcome
    assert sorted(first.reasons) == sorted(second.reasons)


@given(st.permutations(["Black", "Hispanic", "White"]), st.integers(0, 60))
def test_the_names_of_groups_change_no_outcome(names: list[str], fewest: int) -> None:
    rows = dict(zip(names, (fewest, 100, 1000), strict=True))
    documents = fairness(gap(0.02, 0.01, 0.03, support=rows))
    expected = Outcome.PASS if fewest >= 30 else Outcome.INSUFFICIENT_EVIDENCE
    assert outcome(documents, rule(minimum_support=30)) == expected


def test_a_rule_is_read_for_each_of_its_attributes() -> None:
    joint_rule = rule(attribute=None, attributes=["race", "sex"])
    document = MeasuredDocument(
        measurements={
            "demographic_parity_difference": {"race": VALUES[Outcome.PASS], "sex": VALUES[Outcome.FAIL]}
        }
    )
    verdict = judgement.judge(
        made(joint_rule, attributes=["race", "sex"]), {"fairness": document}, DECLARED, TODAY
    )
    assert [(finding.attribute, finding.outcome) for finding in verdict.findings] == [
        ("race", Outcome.PASS),
        ("sex", Outcome.FAIL),
    ]


@pytest.mark.parametrize("name", ["race & sex", "sex & race"])
@pytest.mark.parametrize("taken", ["race & sex", "sex & race"])
def test_an_intersection_is_read_whatever_the_order_of_its_attributes(name: str, taken: str) -> None:
    joint_rule = rule(attribute=None, attributes=["race", "sex", name])
    gaps = {"race": VALUES[Outcome.PASS], "sex": VALUES[Outcome.PASS], taken: VALUES[Outcome.FAIL]}
    documents = {"fairness": MeasuredDocument(measurements={"demographic_parity_difference": gaps})}
    verdict = judgement.judge(made(joint_rule, attributes=["race", "sex"]), documents, DECLARED, TODAY)
    assert verdict.outcome == Outcome.FAIL
    assert f"by {name} is 0.4" in verdict.reasons[0]


def test_an_intersection_that_was_not_measured_is_not_evaluated() -> None:
    joint_rule = rule(attribute=None, attributes=["race", "race & sex", "sex"])
    gaps = dict.fromkeys(("race", "sex", "race & age"), VALUES[Outcome.PASS])
    documents = {"fairness": MeasuredDocument(measurements={"demographic_parity_difference": gaps})}
    verdict = judgement.judge(made(joint_rule, attributes=["race", "sex"]), documents, DECLARED, TODAY)
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert "fairness has no demographic_parity_difference for race & sex" in verdict.reasons[0]


# Dates


@pytest.mark.parametrize(
    ("day", "in_force"),
    [("2025-12-31", False), ("2026-01-01", True), ("2026-06-30", True), ("2026-07-01", False)],
)
def test_a_rule_holds_from_its_first_to_its_last_day(day: str, in_force: bool) -> None:
    dated = made(rule(valid_until="2026-06-30"))
    verdict = judgement.judge(dated, fairness(VALUES[Outcome.PASS]), DECLARED, dt.date.fromisoformat(day))
    assert verdict.outcome == (Outcome.PASS if in_force else Outcome.NOT_EVALUATED)
    assert len(verdict.findings) == in_force
    rules = verdict.to_json()["not_in_force"]
    expected = {"id": "parity", "valid_from": "2026-01-01", "valid_until": "2026-06-30"}
    assert rules == ([] if in_force else [expected])


def test_the_same_evidence_is_judged_by_the_rules_of_the_day() -> None:
    dated = made(
        rule(id="old", limit={"at_most": 0.5}, valid_until="2026-03-31"),
        rule(id="new", limit={"at_most": 0.1}, valid_from="2026-04-01"),
    )
    documents = fairness(gap(0.4, 0.35, 0.45))
    assert judgement.judge(dated, documents, DECLARED, dt.date(2026, 3, 31)).outcome == Outcome.PASS
    assert judgement.judge(dated, documents, DECLARED, dt.date(2026, 4, 1)).outcome == Outcome.FAIL


def test_an_attribute_whose_last_rule_ran_out_is_not_assessed() -> None:
    """Otherwise a rule's last day would quietly release whoever it protected."""
    book = made(rule(valid_until="2026-03-31"), rule(id="sex", attribute="sex"), attributes=["race", "sex"])
    gaps = dict.fromkeys(("race", "sex"), VALUES[Outcome.PASS])
    documents = {"fairness": MeasuredDocument(measurements={"demographic_parity_difference": gaps})}
    assert judgement.judge(book, documents, DECLARED, dt.date(2026, 3, 31)).outcome == Outcome.PASS
    verdict = judgement.judge(book, documents, DECLARED, dt.date(2026, 4, 1))
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert "an assessment of `race`, but no rule in force on 2026-04-01 reads it" in verdict.reasons[0]


# What was declared


@pytest.mark.parametrize(
    ("declaration", "why"),
    [
        (
            judgement.Declaration(attributes=("sex",), target="approve", favourable=1),
            "demands an assessment of `race`",
        ),
        (
            judgement.Declaration(attributes=("race",), target="approve", favourable=0),
            "`approve` = 1 in the policy",
        ),
        (judgement.Declaration(attributes=("race",), target="approve", favourable="x"), "`approve` = 'x'"),
        (judgement.Declaration(attributes=("race",), target="reject", favourable=1), "`reject` = 1"),
    ],
)
@pytest.mark.parametrize("found", [VALUES[Outcome.PASS], VALUES[Outcome.FAIL]], ids=["fair", "unfair"])
def test_another_declaration_than_the_policys_is_not_evaluated(
    declaration: judgement.Declaration, why: str, found: Measurement
) -> None:
    verdict = judgement.judge(made(), fairness(found), declaration, TODAY)
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert why in verdict.reasons[0]


@pytest.mark.parametrize("demanded", [1, "1", True, 1.0])
@pytest.mark.parametrize("declared", [1, "1", True, 1.0])
def test_one_outcome_value_may_be_written_in_several_types(demanded: Any, declared: Any) -> None:
    """Every stage treats them as one value, and so does the policy."""
    book = made(favourable={"target": "approve", "value": demanded})
    declaration = judgement.Declaration(attributes=("race",), target="approve", favourable=declared)
    assert judgement.judge(book, fairness(VALUES[Outcome.PASS]), declaration, TODAY).outcome == Outcome.PASS


def test_flipping_labels_policy_and_declaration_together_changes_nothing() -> None:
    flipped = made(favourable={"target": "approve", "value": 0})
    declaration = judgement.Declaration(attributes=("race",), target="approve", favourable=0)
    for expectation, measurement in VALUES.items():
        assert judgement.judge(flipped, fairness(measurement), declaration, TODAY).outcome == expectation


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "measurements", "race", "value", "low", "high", "support"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(ANYTHING, st.integers(0, 3))
def test_no_evidence_whatever_raises_or_passes(thing: Any, depth: int) -> None:
    by_race = {"race": thing} if depth > 2 else thing
    measurements = {"demographic_parity_difference": by_race} if depth > 1 else by_race
    document = {"status": "measured", "measurements": measurements} if depth else measurements
    read = project_verdict.evidence_of("fairness", document)
    assert outcome({"fairness": read}) == Outcome.NOT_EVALUATED


@pytest.mark.parametrize(
    ("metric", "limit", "vacuous"),
    [
        ("fairness.demographic_parity_difference", {"at_most": 1}, True),
        ("fairness.demographic_parity_difference", {"at_least": 0, "at_most": 1.5}, True),
        ("fairness.demographic_parity_difference", {"at_least": 0, "at_most": 0.999}, False),
        ("fairness.demographic_parity_ratio", {"at_least": 0}, True),
        ("fairness.demographic_parity_ratio", {"at_least": 0.01}, False),
        ("performance.log_loss", {"at_least": 0}, True),
        ("performance.log_loss", {"at_most": 1000}, False),
        ("validation_raw.blocking_failures", {"at_least": 0}, True),
        ("performance.not_in_the_catalogue", {"at_least": 0}, False),
    ],
)
def test_a_limit_that_every_value_keeps_is_refused_but_what_was_judged_by_one_is_still_read(
    metric: str, limit: dict[str, float], vacuous: bool, tmp_path: Path
) -> None:
    attribute = "race" if metric.startswith("fairness") else None
    idle = rule(id="idle", metric=metric, limit=limit, attribute=attribute, decides_by="point")
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(written(rule(), idle)))
    assert policy_file.load(tmp_path / "policy.yaml", recorded=True).rules[1].is_vacuous == vacuous
    if vacuous:
        with raises("policy.rule_never_fails"):
            policy_file.load(tmp_path / "policy.yaml")
    else:
        policy_file.load(tmp_path / "policy.yaml")


@pytest.mark.parametrize(
    ("metric", "limit", "severity", "code"),
    [
        ("fairness.demographic_parity_ratio", {"at_least": 80}, "block", "policy.rule_never_passes"),
        ("fairness.demographic_parity_difference", {"at_most": -0.1}, "warn", "policy.rule_never_passes"),
        ("performance.selection_rate_excess", {"at_least": 2}, "block", "policy.rule_never_passes"),
        ("fairness.demographic_parity_ratio", {"at_most": 0.9}, "block", "policy.rule_reversed"),
        ("fairness.demographic_parity_difference", {"at_least": 0.1}, "block", "policy.rule_reversed"),
        ("performance.roc_auc", {"at_most": 0.7}, "block", "policy.rule_reversed"),
        ("performance.log_loss", {"at_least": 0.5}, "block", "policy.rule_reversed"),
        ("performance.roc_auc", {"at_most": 0.99}, "warn", None),
        ("performance.roc_auc", {"at_least": 0.6, "at_most": 0.99}, "block", None),
        ("fairness.disparate_impact_reference_group", {"at_most": 1.25}, "block", None),
        ("fairness.demographic_parity_ratio", {"at_least": 0.8, "at_most": 1.25}, "block", None),
        ("performance.selection_rate_excess", {"at_most": 0.1}, "block", None),
        ("validation_raw.expectations", {"at_least": 1}, "block", None),
    ],
)
def test_a_limit_that_none_keeps_or_that_is_the_wrong_way_round_is_refused(
    metric: str, limit: dict[str, float], severity: str, code: str | None, tmp_path: Path
) -> None:
    attribute = "race" if metric.startswith("fairness") else None
    wrong = rule(
        id="wrong", metric=metric, limit=limit, attribute=attribute, decides_by="point", severity=severity
    )
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump(written(rule(), wrong)))
    assert len(policy_file.load(path, recorded=True).rules) == 2
    if code is None:
        policy_file.load(path)
    else:
        with raises(code):
            policy_file.load(path)


def test_a_percentage_where_a_share_belongs_gets_the_share(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    ratio = rule(metric="fairness.demographic_parity_ratio", limit={"at_least": 80})
    path.write_text(yaml.safe_dump(written(ratio)))
    with pytest.raises(ConfigurationError) as caught:
        policy_file.load(path)
    assert "did you mean 0.8?" in caught.value.fault


def test_a_rule_that_decides_by_presence_blocks_only_what_was_not_measured() -> None:
    presence = rule(decides_by="presence", limit=None)
    assert outcome(fairness(gap(1.0)), presence) == Outcome.PASS
    assert outcome(fairness(evidence.undefined("no rows")), presence) == Outcome.NOT_EVALUATED
    assert outcome({}, presence) == Outcome.NOT_EVALUATED
    with pytest.raises(ValueError, match="presence"):
        made(rule(decides_by="presence"))


# The demo's policy


def test_the_demo_policy_says_what_the_project_promises() -> None:
    demo = policy_file.load(ROOT / "policies/demo.yaml")
    limits = {policy_rule.metric: policy_rule for policy_rule in demo.rules}
    assert demo.attributes == ("race", "sex")
    assert (demo.favourable.target, demo.favourable.value) == ("approve", 1)
    difference = limits["fairness.demographic_parity_difference"]
    ratio = limits["fairness.demographic_parity_ratio"]
    assert difference.limit is not None
    assert difference.limit.at_most == 0.1
    assert ratio.limit is not None
    assert ratio.limit.at_least == 0.8
    for policy_rule in (difference, ratio):
        assert (policy_rule.severity, policy_rule.decides_by, set(policy_rule.read_for)) == (
            "block",
            "interval",
            {"race", "sex"},
        )
    for metric in (
        "validation_raw.blocking_failures",
        "validation_prepared.blocking_failures",
        "split.overlap",
    ):
        assert (limits[metric].severity, limits[metric].decides_by) == ("block", "point")


def test_the_demo_policy_calls_no_convention_law() -> None:
    """None of its numbers is a legal limit: the four-fifths rule is about employment, and being rescinded."""
    for policy_rule in policy_file.load(ROOT / "policies/demo.yaml").rules:
        assert policy_rule.kind == "engineering"
        assert "convention" in policy_rule.source


def test_the_policy_guide_names_every_key() -> None:
    guide = (ROOT / "policies/README.md").read_text()
    for model in (
        Policy,
        PromotionTerms,
        Rule,
        Limit,
        ImpactTableRules,
        ExcludedCategory,
        test_set_limit.TestSetLimit,
        attempt_terms.AttemptTerms,
        inference_log_terms.InferenceLogTerms,
        inference_log_terms.RetentionPeriod,
        inference_log_terms.SegmentSize,
        comparison_terms.ComparisonTerms,
        reason_terms.ReasonTerms,
        document_terms.DocumentTerms,
        serving_terms.ServingTerms,
        serving_terms.ServingTerms,
        comparison_terms.FirstVersion,
        comparison_terms.QualityMargin,
    ):
        for key in model.model_fields:
            assert f"`{key}`" in guide, key
