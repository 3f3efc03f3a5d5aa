"""From rules to findings: what waits for labels, what lacks rows, and what fails."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from clearance.documents import monitoring_catalogue
from clearance.documents.baseline_document import BaselineDocument
from clearance.documents.measurement import Outcome
from clearance.monitoring import judgement, looking, measure
from clearance.monitoring.counting import windows
from clearance.monitoring.counting.store import CountedDay
from clearance.monitoring.figures import rule_effects
from clearance.monitoring.figures.effects import Hypothesis
from clearance.monitoring.looking import CountedWindow
from clearance.monitoring.measure import LiveEvidence
from clearance.policy.limit import Limit
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms
from tests.support import monitored

LEVEL = 1e-4
PROFILE = {"income": 2.0, "debt": 1.0, "term": 0.5}
READ = [metric for metric in monitoring_catalogue.METRICS if rule_effects.reads(metric)]
LIMITS = {
    "drift.selection_rate": Limit(at_least=-0.1, at_most=0.1),
    "performance.roc_auc_loss": Limit(at_most=0.05),
    "performance.calibration_error": Limit(at_most=0.1),
    "fairness.demographic_parity_ratio": Limit(at_least=0.7),
    "attribution.ndcg": Limit(at_least=0.9),
}
NEED_LABELS = {
    *(metric for metric in READ if metric.startswith("performance.") and "estimated" not in metric),
    *("fairness.equal_opportunity_difference", "fairness.average_odds_difference"),
}


def rule(metric: str) -> LiveRule:
    by_attribute = monitoring_catalogue.METRICS[metric].subject == "attribute"
    usual = Limit(at_least=0.6) if metric.startswith("performance") else Limit(at_most=0.15)
    return LiveRule(
        id=metric,
        kind="engineering",
        source="a test",
        valid_from=dt.date(2026, 1, 1),
        metric=metric,
        attribute="sex" if by_attribute else None,
        limit=LIMITS.get(metric, usual),
    )


def rows(count: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    scores = random.beta(2, 2, count)
    return {
        "scores": scores,
        "labels": (random.random(count) < scores).astype(int),
        "groups": {"sex": random.choice(["female", "male"], count)},
        "contributions": {name: random.exponential(mean, count) for name, mean in PROFILE.items()},
    }


@pytest.fixture(scope="module")
def reference() -> BaselineDocument:
    table = rows(4000, 1)
    del table["contributions"]
    return monitored.baseline(**table, attribution=PROFILE, size=20)


def outcomes(reference: BaselineDocument, metric: str, **table: Any) -> set[Outcome]:
    window = monitored.window(reference, **table)
    terms = MonitoringTerms(rules=(rule(metric),))
    effects = rule_effects.effects_of(rule(metric), window, reference, terms)
    hypotheses = [Hypothesis(rule=rule(metric), subject=name, effect=effect) for name, effect in effects]
    assert hypotheses, "a rule is never left out"
    return {finding.outcome for finding in judgement.judge(hypotheses, LEVEL)}


@pytest.mark.parametrize("metric", READ)
def test_a_quiet_window_passes_and_an_empty_one_never(metric: str, reference: BaselineDocument) -> None:
    quiet = rows(6000, 2)
    assert outcomes(reference, metric, **quiet) == {Outcome.PASS}
    unlabelled = outcomes(reference, metric, **(quiet | {"labels": None}))
    assert unlabelled == {Outcome.NOT_EVALUATED if metric in NEED_LABELS else Outcome.PASS}
    one = outcomes(reference, metric, **rows(1, 3))
    empty = outcomes(reference, metric, **rows(0, 3))
    assert not {Outcome.PASS, Outcome.FAIL} & (one | empty)


@pytest.mark.parametrize("metric", [metric for metric in READ if "fairness" in metric or "rate" in metric])
def test_a_vanished_group_is_insufficient_evidence(metric: str, reference: BaselineDocument) -> None:
    table = rows(6000, 4)
    table["groups"]["sex"] = np.full(6000, "male")
    judged = outcomes(reference, metric, **table)
    if metric == "fairness.unknown_share":
        assert judged == {Outcome.PASS}
    else:
        assert Outcome.INSUFFICIENT_EVIDENCE in judged


def test_labels_of_earlier_days_check_the_estimates_of_a_window(reference: BaselineDocument) -> None:
    """A window gets those until its end, whatever came later."""
    days = [dt.date(2026, 3, day) for day in (1, 2, 3)]
    zone = dt.UTC
    quiet, wrong = rows(2000, 5), rows(2000, 6)
    wrong["labels"] = 1 - wrong["labels"]
    by_day = {
        days[0]: monitored.window(reference, **(quiet | {"contributions": None})),
        days[1]: monitored.window(reference, **(quiet | {"labels": None, "contributions": None})),
        days[2]: monitored.window(reference, **(wrong | {"contributions": None})),
    }
    counted = {day: CountedDay(counts=counts, hours=()) for day, counts in by_day.items()}
    spans = windows.closed(
        ("day",), dt.datetime(2026, 3, 1, tzinfo=zone), dt.datetime(2026, 3, 4, tzinfo=zone), ZoneInfo("UTC")
    )
    plain = [CountedWindow(span=span, counts=by_day[span.day], hours=()) for span in spans]
    labelled = list(looking.with_labels(plain, counted))
    assert [sum((window.labelled or {}).values()) for window in labelled] == [2000, 2000, 4000]
    metric = "performance.estimated_roc_auc"
    terms = MonitoringTerms(rules=(rule(metric),))
    values = []
    for window in labelled:
        evidence = LiveEvidence(
            window=window.span.window,
            counts=by_day[days[1]],
            baseline=reference,
            terms=terms,
            labelled=window.labelled,
        )
        values += [hypothesis.effect.value for hypothesis in measure.hypotheses(terms.rules, evidence)]
    assert [value is None for value in values] == [False, False, True]
