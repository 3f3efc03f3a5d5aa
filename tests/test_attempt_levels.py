"""A policy that spends its level over attempts gives each attempt a share of it; a pass must hold there."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clearance import params
from clearance.documents.attempt_level import AttemptLevel
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.measurement import Measurement, Outcome
from clearance.metrics import intervals
from clearance.policy import attempt_terms, findings, judgement
from clearance.policy.schema import Policy, Rule
from clearance.reporting.explain_rule import cautions, explain
from tasks import assess, evaluate
from tests.support import evidence, judged

TODAY = dt.date(2026, 11, 22)
SPEND = {"spend": True, "kind": "engineering", "source": "the test", "valid_from": "2026-01-01"}
DECLARED = judgement.Declaration(attributes=("race",), target="approve", favourable=1)
PASS, FAIL, INSUFFICIENT, NOT_EVALUATED = (
    Outcome.PASS,
    Outcome.FAIL,
    Outcome.INSUFFICIENT_EVIDENCE,
    Outcome.NOT_EVALUATED,
)


def policy(**changes: Any) -> Policy:
    favourable = {"target": "approve", "value": 1}
    return Policy.model_validate(judged.POLICY | {"favourable": favourable, "attempts": SPEND} | changes)


def gap(high: float, confidence: float = 0.95, low: float = 0.0) -> Measurement:
    value = (low + high) / 2
    support = {"Black": 60, "White": 300}
    return Measurement(value=value, low=low, high=high, confidence=confidence, support=support)


def fairness(*highs: float, plain: Measurement | None = None) -> FairnessDocument:
    """A document whose interval ends at these values for the shares of the first attempts."""
    document = evidence.fairness(
        {"demographic_parity_difference": {"race": plain or gap(0.05)}}, model_sha256="0" * 64
    )
    levels = tuple(
        AttemptLevel(
            share=share,
            confidence=attempt_terms.at_share(0.95, share),
            bounds={"demographic_parity_difference": {"race": (0.0, high)}},
        )
        for share, high in zip(attempt_terms.SHARES, highs, strict=False)
    )
    return replace(document, levels=levels or None)


def judge(document: FairnessDocument, attempt: int, **changes: Any) -> judgement.Verdict:
    raw = evidence.raw_validation({"blocking_failures": Measurement(value=0.0)})
    documents = {"fairness": document, "validation_raw": raw}
    return judgement.judge(policy(**changes), documents, DECLARED, TODAY, attempt)


def test_all_shares_together_stay_within_the_level_and_no_later_attempt_has_one() -> None:
    shares = [attempt_terms.share(number) for number in range(1, attempt_terms.MOST + 1)]
    assert sum(share for share in shares if share is not None) == 1 - 2**-6
    assert shares[:8] == [1 / 2, *[1 / 8] * 2, *[1 / 32] * 4, 1 / 128]
    assert all(later <= earlier for earlier, later in itertools.pairwise(shares) if earlier and later)
    assert attempt_terms.share(attempt_terms.MOST + 1) is None
    with pytest.raises(ValueError, match="counted from 1"):
        attempt_terms.share(0)


@pytest.mark.parametrize(
    ("attempt", "outcome"), [(1, PASS), (2, PASS), (3, PASS), (4, INSUFFICIENT), (64, INSUFFICIENT)]
)
def test_an_attempt_passes_only_where_its_share_of_the_level_does(attempt: int, outcome: Outcome) -> None:
    document = fairness(0.06, 0.09, 0.11, 0.12, 0.13, 0.14)
    assert judge(document, attempt).outcome == outcome
    assert judge(document, attempt, attempts=None).outcome == PASS
    later = SPEND | {"valid_from": "2027-01-01"}
    assert judge(document, attempt, attempts=later).outcome == PASS


@pytest.mark.parametrize(
    ("highs", "until"), [((0.06, 0.09, 0.11), 3), ((0.11,), 0), ((0.05,) * 6, attempt_terms.MOST)]
)
def test_the_last_attempt_that_passes_follows_from_the_evidence(highs: tuple[float, ...], until: int) -> None:
    raw = evidence.raw_validation({"blocking_failures": Measurement(value=0.0)})
    documents = {"fairness": fairness(*highs), "validation_raw": raw}
    assert judgement.passes_until(policy(), documents, DECLARED, TODAY) == until


def test_a_rule_on_significance_that_is_not_made_stricter_is_a_caution() -> None:
    change = {"decides_by": "point_and_significance", "equal_at": 0.0}
    rules = [judged.POLICY["rules"][0], judged.POLICY["rules"][1] | change]
    assert any("rule gap decides by significance" in line for line in cautions(policy(rules=rules), TODAY))
    assert not any("significance" in line for line in cautions(policy(), TODAY))
    assert any("1/8" in line for line in explain(policy(), "attempts"))


def test_the_finding_shows_the_interval_that_decided() -> None:
    finding = {finding.rule.id: finding for finding in judge(fairness(0.06, 0.11), 2).findings}["gap"]
    assert finding.measurement is not None
    assert (finding.measurement.high, finding.measurement.confidence) == (0.11, 1 - 0.05 / 8)
    assert finding.rule.confidence == 0.95
    assert finding.more_rows is not None


def test_a_failure_needs_no_more_than_the_level_and_is_not_watered_down() -> None:
    document = fairness(0.9, plain=gap(0.4, low=0.2))
    assert judge(document, 3).outcome == FAIL


def test_evidence_without_intervals_for_attempts_is_never_a_pass() -> None:
    assert judge(fairness(), 1).outcome == NOT_EVALUATED
    assert judge(fairness(0.05), 2).outcome == NOT_EVALUATED  # no interval for this share


def test_an_interval_of_too_low_a_confidence_does_not_stand_for_the_share() -> None:
    document = fairness(0.05)
    (level,) = document.levels or ()
    forgery = replace(document, levels=(replace(level, confidence=0.95),))
    assert judge(forgery, 1).outcome == NOT_EVALUATED


def test_rules_on_counts_and_on_significance_decide_as_ever() -> None:
    document = fairness(0.11)
    for decides in ({"decides_by": "point"}, {"decides_by": "point_and_significance", "equal_at": 0.0}):
        rule = Rule.model_validate(
            {**judged.POLICY["rules"][1], **decides, "id": "r", "attribute": "race", "attributes": ()}
        )
        assert findings.evaluate_attempt(rule, "race", {"fairness": document}, 3).outcome == PASS


def test_the_stages_measure_at_each_share_and_the_narrowest_is_the_plain_one() -> None:
    random = np.random.default_rng(1)
    label = random.integers(0, 2, 600)
    scores = np.clip(0.5 + 0.2 * (label - 0.5) + random.normal(0, 0.2, 600), 0, 1)
    protected = pd.DataFrame({"race": random.choice(["a", "b", "c"], 600)}, dtype=object)
    inputs: dict[str, Any] = {
        "label": label,
        "scores": scores,
        "threshold": 0.5,
        "model_sha256": "0" * 64,
        "options": params.Evaluate(),
        "seed": 1,
    }
    groups = {"protected": protected, "declared_groups": {}}
    plain, spent = (assess.assess(**inputs, **groups, shares=by) for by in ((), attempt_terms.SHARES))
    assert plain.levels is None
    assert spent == replace(plain, levels=spent.levels)
    at: Any = [spent.measurements_at(share) for share in attempt_terms.SHARES]
    wide = [by_metric["demographic_parity_difference"]["race"] for by_metric in at]
    assert [figure.confidence for figure in wide] == [1 - 0.05 * share for share in attempt_terms.SHARES]
    highs: list[Any] = [
        plain.measurements["demographic_parity_difference"]["race"].high,
        *(w.high for w in wide),
    ]
    assert highs == sorted(highs)
    assert highs[0] < highs[1] < highs[-1]
    performance = evaluate.evaluate(**inputs, shares=attempt_terms.SHARES)
    auc: Any = [performance.measurements_at(share)["roc_auc"] for share in attempt_terms.SHARES]
    lows = [figure.low for figure in auc]
    assert lows == sorted(lows, reverse=True)
    assert len(lows) == attempt_terms.RUNGS
    assert FairnessDocument.from_json(spent.to_json()) == spent


def test_a_figure_without_an_interval_for_the_share_lacks_evidence() -> None:
    document = fairness(0.05)
    (level,) = document.levels or ()
    bare = replace(document, levels=(replace(level, bounds={}),))
    assert judge(bare, 1).outcome == INSUFFICIENT


def test_too_few_draws_give_no_interval_rather_than_a_narrow_one() -> None:
    assert intervals.Sampling(confidence=0.95, resamples=100, seed=1).lack is None
    assert intervals.Sampling(confidence=1 - 0.05 / 8, resamples=1000, seed=1).lack is None
    lack = intervals.Sampling(confidence=1 - 0.05 / 32, resamples=1000, seed=1).lack
    assert lack is not None
    assert "3200" in lack
