"""Four outcomes, one level for a look: what fails, what passes, and what is never a pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.documents.baseline_document import FeatureBins
from clearance.documents.look_document import LiveFinding
from clearance.documents.measurement import Outcome
from clearance.monitoring import judgement
from clearance.monitoring.figures.effects import Hypothesis
from clearance.monitoring.statistics import distribution, normal
from clearance.monitoring.statistics.normal import NormalEffect
from clearance.monitoring.statistics.reference import ReferenceCounts
from clearance.policy import alarm_budget
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms

LEVEL = 0.01


def rule(
    metric: str = "drift.psi", *, at_most: float | None = 0.1, at_least: float | None = None, **more: Any
) -> LiveRule:
    return LiveRule.model_validate(
        {
            "id": "a_rule",
            "kind": "engineering",
            "source": "tests",
            "valid_from": "2026-01-01",
            "metric": metric,
            "limit": {"at_most": at_most, "at_least": at_least},
            **more,
        }
    )


def normal_effect(value: float, error: float = 0.01, **more: Any) -> NormalEffect:
    return NormalEffect(value=value, standard_error=error, rows=1000, **more)


def one(effect: Any, **more: Any) -> LiveFinding:
    (finding,) = judgement.judge([Hypothesis(rule=rule(**more), subject="age", effect=effect)], LEVEL)
    return finding


@dataclass(frozen=True)
class Odd:
    """An effect of whatever numbers."""

    value: float | None = 0.5
    rows: int = 1000
    reference_rows: int | None = None
    undefined: str | None = None
    assumption: str | None = None
    spends: bool = True
    p: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def interval(self, confidence: float) -> tuple[float, float]:  # noqa: ARG002 - an effect has it
        return self.low, self.high

    def p_above(self, limit: float) -> float:  # noqa: ARG002 - an effect has it
        return self.p

    def p_below(self, limit: float) -> float:  # noqa: ARG002 - an effect has it
        return self.p

    def false_alarm(self, limit: float) -> float | None:  # noqa: ARG002 - an effect has it
        return None

    def rows_needed(self, limit: float, level: float) -> int | None:  # noqa: ARG002 - an effect has it
        return None


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (0.05, Outcome.PASS),
        (0.09, Outcome.INSUFFICIENT_EVIDENCE),
        (0.11, Outcome.INSUFFICIENT_EVIDENCE),
        (0.15, Outcome.FAIL),
    ],
)
def test_beyond_the_limit_fails_within_it_passes_and_near_it_neither(value: float, outcome: Outcome) -> None:
    finding = one(normal_effect(value))
    assert finding.outcome is outcome
    assert finding.p_value == pytest.approx(
        1.0 if value < 0.1 else normal.tail_of((value - 0.1) / 0.01, math.inf)
    )
    assert finding.level == LEVEL
    assert (finding.low, finding.high) == pytest.approx((value - 0.0196, value + 0.0196), abs=1e-4)


@pytest.mark.parametrize("value", [-0.15, 0.15])
def test_a_limit_with_two_ends_fails_on_either_side_at_twice_the_p_value(value: float) -> None:
    finding = one(normal_effect(value), at_least=-0.1)
    assert finding.outcome is Outcome.FAIL
    assert finding.p_value == pytest.approx(2 * normal.tail_of(5, math.inf))


@pytest.mark.parametrize(
    "effect",
    [
        Odd(value=None),
        Odd(value=math.nan),
        Odd(value=math.inf),
        Odd(value=0.0, undefined="no rows to judge"),
        Odd(value=0.0, p=math.nan),
        normal.undefined("nothing to see", 1000),
    ],
)
@pytest.mark.parametrize("decides_by", ["interval", "point"])
def test_what_is_not_a_number_is_not_evaluated(effect: Any, decides_by: str) -> None:
    finding = one(effect, decides_by=decides_by)
    expected = (
        Outcome.PASS
        if decides_by == "point" and effect.value == 0.0 and not effect.undefined
        else Outcome.NOT_EVALUATED
    )
    assert finding.outcome is expected
    LiveFinding(**{**finding.__dict__})


@pytest.mark.parametrize(
    "ends", [(math.nan, 0.05), (0.0, math.nan), (math.nan, math.nan), (-math.inf, math.inf)]
)
def test_an_interval_that_is_not_known_is_no_pass(ends: tuple[float, float]) -> None:
    finding = one(Odd(value=0.01, p=1.0, low=ends[0], high=ends[1]))
    assert finding.outcome is Outcome.INSUFFICIENT_EVIDENCE


def test_no_p_value_is_printed_as_nothing() -> None:
    finding = one(Odd(value=0.5, p=0.0, low=0.4, high=0.6))
    assert finding.outcome is Outcome.FAIL and finding.p_value == 0
    assert "(p < 1e-12," in finding.reason
    assert "(p 0.0000" not in one(Odd(value=0.5, p=1e-9, low=0.4, high=0.6)).reason


def test_too_few_rows_are_insufficient_whatever_the_numbers_say() -> None:
    finding = one(NormalEffect(value=9.0, standard_error=0.01, rows=29))
    assert finding.outcome is Outcome.INSUFFICIENT_EVIDENCE
    assert finding.rows_needed == 30
    assert finding.p_value is None


def test_an_exact_count_spends_nothing() -> None:
    exact = Odd(value=1.0, spends=False)
    chance = normal_effect(0.10 + 0.01 * normal.quantile(0.9 * LEVEL, math.inf))
    both = [
        Hypothesis(rule=rule("data.schema_violations", at_most=0), subject=None, effect=exact),
        Hypothesis(rule=rule(), subject="age", effect=chance),
    ]
    violations, drift = judgement.judge(both, LEVEL)
    assert violations.outcome is drift.outcome is Outcome.FAIL
    assert (violations.p_value, violations.level) == (None, None)
    assert drift.level == LEVEL


def test_a_rule_by_point_compares_the_customary_index_and_says_how_often_it_is_wrong() -> None:
    before = np.array([139] * 9 + [141, 0, 0])
    live = np.array([4, 16, 8, 14, 6, 12, 10, 14, 6, 10, 0, 0])
    bins = FeatureBins(kind="number", edges=tuple(range(9)))
    effect = distribution.effect("drift.psi", live, ReferenceCounts(bins=bins, counts=before))
    finding = one(effect, decides_by="point")
    assert finding.value == effect.plain > 0.1 > (effect.value or 0)  # type: ignore[attr-defined]
    assert finding.outcome is Outcome.FAIL
    assert finding.false_alarm == pytest.approx(0.41, abs=0.05)
    assert (finding.p_value, finding.level) == (None, None)


def naive_holm(p_values: list[float], level: float) -> set[int]:
    """Holm's method word by word."""
    rejected: set[int] = set()
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        if p_values[place] > level / (len(p_values) - rank):
            break
        rejected.add(place)
    return rejected


@given(st.lists(st.floats(0, 1) | st.floats(0, 1e-3), min_size=1, max_size=30), st.floats(1e-6, 0.5))
def test_holm_is_holm(p_values: list[float], level: float) -> None:
    levels = judgement.holm(dict(enumerate(p_values)), level)
    assert {at for at, p_value in enumerate(p_values) if p_value <= levels[at]} == naive_holm(p_values, level)


@given(st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=12))
def test_findings_keep_their_order_and_fail_as_holm_says(values: list[float]) -> None:
    tests = [
        Hypothesis(rule=rule(), subject=f"f{at}", effect=normal_effect(v)) for at, v in enumerate(values)
    ]
    findings = judgement.judge(tests, LEVEL)
    assert [finding.subject for finding in findings] == [f"f{at}" for at in range(len(values))]
    failed = {at for at, finding in enumerate(findings) if finding.outcome is Outcome.FAIL}
    assert failed == naive_holm([judgement.p_value(test) for test in tests], LEVEL)


def test_a_p_value_that_is_no_number_hides_no_other_failure() -> None:
    effects = [Odd(p=math.nan), normal_effect(0.5), Odd(p=math.nan), normal_effect(0.0), Odd(p=math.nan)]
    tests = [Hypothesis(rule=rule(), subject=str(at), effect=effect) for at, effect in enumerate(effects)]
    outcomes = [finding.outcome for finding in judgement.judge(tests, LEVEL)]
    unknown = Outcome.NOT_EVALUATED
    assert outcomes == [unknown, Outcome.FAIL, unknown, Outcome.PASS, unknown]


def test_an_insufficient_finding_names_the_rows_that_would_decide() -> None:
    finding = one(normal_effect(0.11))
    assert finding.rows_needed == math.ceil(1000 * (normal.quantile(LEVEL, math.inf)) ** 2)
    assert f"{finding.rows_needed:,}" in finding.reason


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, math.nan])
def test_a_level_that_is_none_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        judgement.judge([], level)


@given(
    st.sets(st.sampled_from(["day", "week", "month"]), min_size=1),
    st.floats(0.001, 0.5),
)
def test_the_looks_of_a_year_together_spend_no_more_than_the_budget(looks: set[str], whole: float) -> None:
    terms = MonitoringTerms.model_validate({"looks": tuple(looks), "false_alarms": whole, "rules": [rule()]})
    spent = sum(
        alarm_budget.level(terms, period) * alarm_budget.LOOKS_A_YEAR[period] for period in terms.looks
    )
    assert spent == pytest.approx(whole)
    assert alarm_budget.level(terms, "batch") == whole
