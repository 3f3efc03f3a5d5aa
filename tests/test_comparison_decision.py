"""A candidate passes beside the champion only where the rows show it; what is not known never passes."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from clearance import comparison as comparisons
from clearance.comparison import (
    Comparison,
    Criterion,
    CriterionFinding,
    Model,
    ModelScores,
    PairedRows,
    Rows,
)
from clearance.documents.measurement import Outcome
from clearance.metrics import intervals
from clearance.policy.comparison_terms import ComparisonTerms
from clearance.policy.schema import Rule

SAMPLING = intervals.Sampling(confidence=0.95, resamples=200, seed=1)
ASKED: dict[str, Any] = {
    "first_version": {"approvals": 1},
    "kind": "engineering",
    "source": "the test",
    "valid_from": "2026-01-01",
}


def asked(**changes: Any) -> ComparisonTerms:
    return ComparisonTerms.model_validate(ASKED | changes)


def rule(metric: str, **changes: Any) -> Rule:
    fields = {
        **{"id": metric.replace("_", "-"), "metric": f"fairness.{metric}", "attributes": ["race"]},
        **{"limit": {"at_most": 0.1}, "kind": "engineering", "source": "the test", "severity": "block"},
        **{"valid_from": "2026-01-01", "decides_by": "interval"},
    }
    return Rule.model_validate(fields | changes)


FAIR = (rule("demographic_parity_difference"), rule("demographic_parity_ratio"))


def pair(
    rows: int = 4000, seed: int = 0, worse: float = 0.0, unfair: float = 0.0, noise: float = 0.004
) -> PairedRows:
    """A candidate that decides `noise` of the rows otherwise, errs in `worse` more of them, and turns down
    `unfair` of those in group b that the champion favours."""
    random = np.random.default_rng(seed)
    group = random.choice(["a", "b"], rows)
    label = (random.random(rows) < 0.6).astype(np.int8)
    champion = np.where(random.random(rows) < 0.85, label, 1 - label).astype(bool)
    candidate = champion ^ (random.random(rows) < noise)
    right = champion == (label == 1)
    candidate ^= right & (random.random(rows) < worse / 0.85)
    candidate &= ~((group == "b") & champion & (random.random(rows) < unfair))

    def answers(decisions: np.ndarray) -> ModelScores:
        return ModelScores(scores=0.25 + 0.5 * decisions + random.random(rows) / 5, threshold=0.5)

    return PairedRows(
        label=label,
        champion=answers(champion),
        candidate=answers(candidate),
        protected=pd.DataFrame({"race": group}, dtype=object),
        groups={"race": ["a", "b"]},
    )


def hold(of: PairedRows, rules: tuple[Rule, ...] = FAIR, **changes: Any) -> list[CriterionFinding]:
    settled = asked(**changes)
    return list(comparisons.decide(settled, comparisons.criteria_of(settled, rules), of, SAMPLING))


def outcomes(of: PairedRows, rules: tuple[Rule, ...] = FAIR, **changes: Any) -> list[str]:
    return [finding.outcome.value for finding in hold(of, rules, **changes)]


def test_a_candidate_that_is_as_good_and_as_fair_passes() -> None:
    findings = hold(pair(rows=20000))
    assert [finding.outcome for finding in findings] == [Outcome.PASS] * 3
    assert [finding.criterion.id for finding in findings] == [
        "not-inferior",
        "not-less-fair: demographic-parity-difference",
        "not-less-fair: demographic-parity-ratio",
    ]
    assert "limit: ≥ -0.02" in findings[0].reason
    assert "candidate / champion" in findings[2].reason


def test_a_worse_candidate_fails_by_the_interval_and_one_that_may_be_worse_has_not_shown_enough() -> None:
    assert outcomes(pair(worse=0.05))[0] == "fail"
    assert outcomes(pair(rows=400, worse=0.015))[0] == "insufficient_evidence"


def test_a_less_fair_candidate_fails_though_it_is_as_good() -> None:
    verdicts = outcomes(pair(rows=20000, unfair=0.1), quality=[{"metric": "accuracy", "margin": 0.1}])
    assert verdicts == ["pass", "fail", "fail"]


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1", "roc_auc", "brier", "log_loss"])
def test_every_figure_of_quality_knows_which_way_is_worse(metric: str) -> None:
    better, worse = pair(rows=6000), pair(rows=6000, worse=0.3)
    swap = replace(worse, champion=worse.candidate, candidate=worse.champion)
    quality = [{"metric": metric, "margin": 0.05}]
    assert outcomes(worse, (), quality=quality) == ["fail"]
    assert outcomes(swap, (), quality=quality) == ["pass"]
    if metric != "f1":  # a bootstrap of hardly any change decides nothing
        assert outcomes(better, (), quality=quality) == ["pass"]


def test_the_very_same_model_passes_on_any_rows() -> None:
    one = pair(rows=12)
    same = replace(one, candidate=one.champion, same=True)
    everything = (*FAIR, rule("roc_auc_difference"), rule("accuracy_lowest", limit={"at_least": 0.5}))
    findings = hold(same, everything)
    assert {finding.outcome for finding in findings} == {Outcome.PASS}
    assert {finding.change.value for finding in findings if finding.change} == {0.0, 1.0}
    assert outcomes(replace(same, same=False)) == ["insufficient_evidence"] * 3


@pytest.mark.parametrize("side", ["champion", "candidate"])
@pytest.mark.parametrize("score", [np.nan, 1.2, -0.1, np.inf])
def test_scores_that_are_no_probability_decide_nothing(side: str, score: float) -> None:
    one = pair()
    scores = getattr(one, side).scores.copy()
    scores[7] = score
    bad_pair = replace(one, **{side: ModelScores(scores=scores, threshold=0.5)})
    findings = hold(bad_pair)
    assert {finding.outcome for finding in findings} == {Outcome.NOT_EVALUATED}
    assert f"1 of the {side}'s 4000 scores are not probabilities" in findings[0].reason
    assert outcomes(replace(bad_pair, same=True)) == ["not_evaluated"] * 3


def test_too_few_rows_in_all_or_in_a_group_are_not_enough() -> None:
    few = hold(pair(rows=99))
    assert {finding.outcome for finding in few} == {Outcome.INSUFFICIENT_EVIDENCE}
    assert {finding.reason for finding in few} == {"99 rows can be compared, but at least 100 are needed"}
    assert all(finding.change is not None for finding in hold(pair(rows=100)))
    one = pair(rows=20000)
    race = one.protected["race"].to_numpy(dtype=object, copy=True)
    race[np.flatnonzero(race == "b")[29:]] = None
    thin = replace(one, protected=pd.DataFrame({"race": race}, dtype=object))
    findings = hold(thin)
    assert [finding.outcome.value for finding in findings] == ["pass", *["insufficient_evidence"] * 2]
    assert "at least 30 rows; b has 29 (1 short)" in findings[1].reason
    missing_group = replace(one, groups={"race": ["a", "b", "c"]})
    assert outcomes(missing_group) == ["pass", *["insufficient_evidence"] * 2]
    assert "no rows to count in c" in hold(missing_group)[1].reason


def test_what_cannot_be_compared_is_said_and_never_passes() -> None:
    strange = (
        rule("theil_index"),
        rule("demographic_parity_difference", attributes=["age"]),
        rule("demographic_parity_difference", id="none", attributes=[]),
    )
    findings = hold(pair(), strange)[1:]
    assert {finding.outcome for finding in findings} == {Outcome.NOT_EVALUATED}
    assert "no method is known that compares two models by Theil index" in findings[0].reason
    assert "age is not among the attributes" in findings[1].reason
    assert "names no attribute" in findings[2].reason


def test_rules_that_ask_nothing_of_a_change_make_no_demand() -> None:
    idle = (
        rule("missing_share"),
        rule("demographic_parity_ratio", decides_by="report_only"),
        rule("accuracy").model_copy(update={"metric": "performance.accuracy"}),
    )
    assert [criterion.id for criterion in comparisons.criteria_of(asked(), idle)] == ["not-inferior"]
    (_, warned) = comparisons.criteria_of(asked(), (rule("accuracy_difference", severity="warn"),))
    assert warned.severity == "warn"
    assert {criterion.severity for criterion in comparisons.criteria_of(asked(severity="warn"), FAIR)} == {
        "warn"
    }


def test_intersections_and_scoring_rates_are_compared_too() -> None:
    one = pair(rows=30000, noise=0.001)
    sex = np.random.default_rng(1).choice(["f", "m"], 30000)
    sample = replace(one, protected=one.protected.assign(sex=sex), candidate=one.champion)
    rules = (
        rule("demographic_parity_difference", attributes=["sex & race"]),
        rule("scoring_rate_ratio", limit={"at_least": 0.8}),
        rule("disparate_impact_reference_group", limit={"at_least": 0.8}),
    )
    findings = hold(replace(sample, reference={"race": "a"}), rules, ratio_margin=0.05)
    assert [finding.outcome.value for finding in findings] == ["pass"] * 4
    assert set(findings[1].change.support) == {"a & f", "a & m", "b & f", "b & m"}  # type: ignore[union-attr]


@given(st.integers(0, 1000), st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_and_the_names_of_groups_change_nothing(seed: int, shuffle: int) -> None:
    one = pair(rows=600, seed=seed, worse=0.02, unfair=0.05, noise=0.05)
    order = np.random.default_rng(shuffle).permutation(600)
    aliases = one.protected.replace({"race": {"a": "z", "b": "a"}})
    other = replace(
        one,
        label=one.label[order],
        champion=replace(one.champion, scores=one.champion.scores[order]),
        candidate=replace(one.candidate, scores=one.candidate.scores[order]),
        protected=aliases.iloc[order].reset_index(drop=True),
        groups={"race": ["a", "z"]},
    )
    quality = [{"metric": name, "margin": 0.02} for name in ("accuracy", "f1", "roc_auc")]
    for mine, theirs in zip(hold(one, quality=quality), hold(other, quality=quality), strict=True):
        assert mine.outcome == theirs.outcome
        assert mine.change is not None and theirs.change is not None
        ends = [(change.value, change.low, change.high) for change in (mine.change, theirs.change)]
        assert ends[0] == pytest.approx(ends[1], abs=1e-9)


def test_a_first_version_is_judged_by_its_own_verdict_and_says_who_must_agree() -> None:
    finding = comparisons.first_version(asked(), Outcome.PASS, "all rules pass")
    assert (finding.outcome, finding.criterion.severity) == (Outcome.PASS, "block")
    assert "at least 1 approval" in finding.reason
    for verdict in (Outcome.FAIL, Outcome.NOT_EVALUATED, Outcome.INSUFFICIENT_EVIDENCE):
        refused = comparisons.first_version(asked(severity="warn"), verdict, "the gap is 0.3")
        assert refused.outcome is verdict
        assert "the gap is 0.3" in refused.reason
        assert comparison((refused,), champion=None, severity="warn").outcome is verdict
    assert comparison((finding,), champion=None).approvals == 1
    assert comparison((finding,), champion=None, first_version={"approvals": 0}).approvals == 0


def comparison(findings: tuple[CriterionFinding, ...], champion: Model | None, **changes: Any) -> Comparison:
    return Comparison(
        name="loans",
        candidate=Model(fingerprint="c" * 64, sha256="d" * 64, threshold=0.5),
        champion=champion,
        policy="e" * 64,
        terms=asked(**changes),
        rows=Rows(test=300, left_out=40, compared=260, sha256="f" * 64),
        findings=findings,
        notes=("a note",),
    )


CHAMPION = Model(fingerprint="a" * 64, sha256="b" * 64, threshold=0.4, version=3)


def a_finding(outcome: Outcome, severity: str = "block") -> CriterionFinding:
    criterion = Criterion(id="x", metric="accuracy", attribute=None, limit=None, severity=severity)
    return CriterionFinding(criterion=criterion, change=None, outcome=outcome, reason=f"it is {outcome}")


def test_a_comparison_is_as_good_as_its_worst_blocking_finding() -> None:
    good, bad = a_finding(Outcome.PASS), a_finding(Outcome.FAIL)
    assert comparison((good,), CHAMPION).outcome is Outcome.PASS
    assert comparison((), CHAMPION).outcome is Outcome.NOT_EVALUATED
    for worst in (Outcome.FAIL, Outcome.NOT_EVALUATED, Outcome.INSUFFICIENT_EVIDENCE):
        assert comparison((good, a_finding(worst)), CHAMPION).outcome is worst
    assert comparison((good, a_finding(Outcome.FAIL, "warn")), CHAMPION).outcome is Outcome.PASS
    assert comparison((a_finding(Outcome.INSUFFICIENT_EVIDENCE), bad), CHAMPION).outcome is Outcome.FAIL
    assert comparison((good,), CHAMPION).approvals == 0
    with pytest.raises(ValueError, match="cannot pass"):
        comparisons.undecided([], Outcome.PASS, "")


def test_the_digest_moves_with_everything_that_is_compared() -> None:
    one = comparison((a_finding(Outcome.PASS),), CHAMPION)
    others = [
        replace(one, champion=replace(CHAMPION, version=4)),
        replace(one, champion=replace(CHAMPION, sha256="0" * 64)),
        replace(one, candidate=replace(one.candidate, fingerprint="0" * 64)),
        replace(one, candidate=replace(one.candidate, threshold=0.51)),
        replace(one, rows=replace(one.rows, compared=259)),
        replace(one, findings=(a_finding(Outcome.FAIL),)),
        replace(one, terms=asked(difference_margin=0.03)),
        replace(one, policy="0" * 64),
    ]
    assert len({comparisons.digest(variant) for variant in (one, *others)}) == len(others) + 1
    assert comparisons.digest(one) == comparisons.digest(comparison((a_finding(Outcome.PASS),), CHAMPION))
    assert len(comparisons.digest(one)) == 64


def test_the_summary_says_who_what_and_why_in_plain_lines() -> None:
    findings = (a_finding(Outcome.FAIL), a_finding(Outcome.NOT_EVALUATED, "warn"))
    assert comparisons.summary(comparison(findings, CHAMPION).to_json()) == [
        "Fail: loans, the candidate against the champion (version 3)",
        "  260 of 300 test rows compared; 40 left out because the champion was fitted or tuned on them",
        "  fail: it is fail",
        "  not evaluated (warning only): it is not_evaluated",
        "  note: a note",
    ]
    first = comparisons.summary(comparison((a_finding(Outcome.PASS),), None).to_json())
    assert first[:2] == ["Pass: loans, first version: there is no champion", "  pass: it is pass"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first_version": None}, "first_version"),
        ({"margin": 0.1}, "Extra inputs"),
        ({"difference_margin": -0.1}, "greater than or equal"),
        ({"ratio_margin": 1.0}, "less than"),
        ({"quality": []}, "at least 1 item"),
        ({"quality": [{"metric": "made_up", "margin": 0.1}]}, "Input should be"),
        ({"quality": [{"metric": "brier", "margin": 0.1}] * 2}, "names a metric twice"),
        ({"valid_until": "2025-01-01"}, "is before `valid_from`"),
        ({"confidence": float("nan")}, "finite"),
    ],
)
def test_a_section_that_says_nothing_sensible_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        asked(**changes)


def test_the_defaults_are_two_points_and_a_section_has_its_days() -> None:
    settled = asked(valid_until="2026-12-31")
    assert [(criterion.metric, criterion.margin) for criterion in settled.quality] == [("accuracy", 0.02)]
    assert settled.in_force(dt.date(2026, 1, 1)) and settled.in_force(dt.date(2026, 12, 31))
    assert not settled.in_force(dt.date(2025, 12, 31)) and not settled.in_force(dt.date(2027, 1, 1))
