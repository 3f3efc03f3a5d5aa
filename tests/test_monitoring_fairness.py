"""Fairness of live decisions: Fairlearn's values and the evidence's bounds as oracles, exact error rates."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

import fairlearn.metrics
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from clearance.documents.baseline_document import BaselineDocument
from clearance.documents.group_names import MISSING
from clearance.metrics import fairness as evidence_fairness
from clearance.monitoring.counting.window_counts import WindowCounts
from clearance.monitoring.figures import fairness
from clearance.monitoring.figures.estimates import Estimate, Figure, Undefined
from clearance.policy.limit import Limit
from clearance.policy.monitoring_terms import LiveRule
from tests.support import monitored

METRICS = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equal_opportunity_difference",
    "average_odds_difference",
)


def rule(metric: str, attribute: str = "sex", **terms: Any) -> LiveRule:
    return LiveRule(
        id=metric,
        kind="engineering",
        source="a test",
        valid_from=dt.date(2026, 1, 1),
        metric=f"fairness.{metric}",
        attribute=attribute,
        limit=Limit(at_least=0.8) if metric.endswith("ratio") else Limit(at_most=0.1),
        **terms,
    )


def rows(count: int, seed: int, rates: dict[str, float] | None = None) -> dict[str, Any]:
    """Decisions of two or three groups by their selection rates, with labels and a second attribute."""
    random = np.random.default_rng(seed)
    rates = rates or {"female": 0.5, "male": 0.5}
    sex = random.choice(list(rates), count)
    decisions = random.random(count) < np.array([rates[group] for group in sex])
    return {
        "scores": np.where(decisions, 0.8, 0.3),
        "labels": (random.random(count) < np.where(decisions, 0.7, 0.4)).astype(int),
        "groups": {"sex": sex, "race": random.choice(["Black", "White"], count, p=[0.3, 0.7])},
    }


def crossed(groups: dict[str, Any]) -> dict[str, Any]:
    both = [f"{race} & {sex}" for race, sex in zip(groups["race"], groups["sex"], strict=True)]
    return groups | {"race & sex": np.array(both)}


@cache
def of_equal_groups() -> BaselineDocument:
    table = rows(4000, 1)
    return monitored.baseline(table["scores"], table["labels"], groups=crossed(table["groups"]), size=4)


@pytest.fixture
def reference() -> BaselineDocument:
    return of_equal_groups()


def measured(metric: str, window: WindowCounts, reference: BaselineDocument, **terms: Any) -> Figure:
    name = terms.pop("attribute", "sex")
    return fairness.measure(rule(metric, name, **terms), name, window, reference, 0.8)


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.integers(200, 800), st.integers(0, 1000), st.floats(0.2, 0.8), st.sampled_from(["sex", "race & sex"])
)
def test_values_are_fairlearns_and_bounds_those_of_the_evidence(
    count: int, seed: int, rate: float, name: str
) -> None:
    reference = of_equal_groups()
    table = rows(count, seed, {"female": rate, "male": 0.5})
    window = monitored.window(reference, **table)
    figures = {
        metric: measured(metric, window, reference, attribute=name, minimum_support=1) for metric in METRICS
    }
    group = crossed(table["groups"])[name]
    decision = table["scores"] > 0.5
    oracle = {
        "demographic_parity_difference": fairlearn.metrics.demographic_parity_difference,
        "demographic_parity_ratio": fairlearn.metrics.demographic_parity_ratio,
        "equal_opportunity_difference": fairlearn.metrics.equal_opportunity_difference,
    }
    cells = fairness.labelled_by_group(name, window, reference)
    theirs = evidence_fairness.measure(cells, 0.95)
    for metric, figure in figures.items():
        if figure.value is None:
            continue
        if metric in oracle:
            value = oracle[metric](table["labels"], decision, sensitive_features=group)
            assert figure.value == pytest.approx(value, abs=1e-12), metric
        assert figure.value == pytest.approx(theirs[metric].value, abs=1e-12)
        assert figure.interval(0.95) == pytest.approx((theirs[metric].low, theirs[metric].high), abs=1e-12)


def test_a_group_that_is_selected_less_fails_and_equal_ones_do_not(reference: BaselineDocument) -> None:
    unequal = monitored.window(reference, **rows(4000, 3, {"female": 0.3, "male": 0.6}))
    equal = monitored.window(reference, **rows(4000, 3))
    for metric, side in (
        ("demographic_parity_difference", "p_above"),
        ("demographic_parity_ratio", "p_below"),
    ):
        limit = 0.8 if metric.endswith("ratio") else 0.1
        assert getattr(measured(metric, unequal, reference), side)(limit) < 1e-9, metric
        assert getattr(measured(metric, equal, reference), side)(limit) > 0.2, metric


@pytest.mark.parametrize("metric", ["demographic_parity_difference", "demographic_parity_ratio"])
def test_a_true_value_at_the_limit_fails_no_more_often_than_the_p_value_says(
    metric: str, reference: BaselineDocument
) -> None:
    random = np.random.default_rng(5)
    below = 0
    for female, male in random.binomial((120, 200), (0.4, 0.5), size=(400, 2)).tolist():
        window = WindowCounts(
            rows=320,
            features={},
            score=np.zeros(6, dtype=np.int64),
            decisions={
                ((("sex", group),), 0, decision): int(count)
                for group, pair in (("female", (120 - female, female)), ("male", (200 - male, male)))
                for decision, count in enumerate(pair)
            },
        )
        figure = measured(metric, window, reference)
        below += (figure.p_below(0.8) if metric.endswith("ratio") else figure.p_above(0.1)) <= 0.1
    assert below <= 0.1 * 400


@pytest.mark.parametrize("metric", METRICS)
def test_a_group_that_vanished_never_passes_and_hides_no_failure(
    metric: str, reference: BaselineDocument
) -> None:
    table = rows(4000, 6, {"female": 0.5, "male": 0.5})
    table["groups"]["race"] = np.where(table["groups"]["sex"] == "male", "White", table["groups"]["race"])
    window = monitored.window(reference, **table)
    figure = measured(metric, window, reference, attribute="race & sex")
    assert isinstance(figure, Estimate)
    low, high = figure.interval(0.95)
    assert (low == 0) if metric.endswith("ratio") else (high == 1), "open to the worse side"
    assert figure.assumption is not None
    assert "Black & male (0)" in figure.assumption
    point = measured(metric, window, reference, attribute="race & sex", decides_by="point")
    assert isinstance(point, Undefined)
    assert point.evaluated
    alone = monitored.window(reference, **rows(4000, 6, {"male": 0.5}))
    gone = measured(metric, alone, reference)
    assert isinstance(gone, Undefined), "one group is no comparison"
    assert gone.evaluated


def test_a_group_below_the_minimum_keeps_a_small_gap_from_passing(reference: BaselineDocument) -> None:
    table = rows(5000, 8, {"female": 0.5, "male": 0.5, "other": 0.5})
    few = np.flatnonzero(table["groups"]["sex"] == "other")[20:]
    table["groups"]["sex"][few] = "male"
    window = monitored.window(reference, **table)
    metric = "demographic_parity_difference"
    assert measured(metric, window, reference, minimum_support=30).interval(0.95)[1] == 1
    assert measured(metric, window, reference, minimum_support=20).interval(0.95)[1] < 1


def test_unknown_groups_are_counted_and_compared_with_nobody(reference: BaselineDocument) -> None:
    table = rows(2000, 9)
    table["groups"]["sex"] = [
        None if row % 5 == 0 else group for row, group in enumerate(table["groups"]["sex"])
    ]
    window = monitored.window(reference, **table)
    share = measured("unknown_share", window, reference)
    assert share.value == 0.2
    assert share.rows == 2000
    assert share.p_above(0.1) < 1e-20
    parity = measured("demographic_parity_difference", window, reference)
    assert parity.rows == 1600
    assert MISSING not in fairness.selection_rates("sex", window, reference, 30)
    both = fairness.decisions_by_group("sex & race", window, reference)
    assert both[MISSING].count == 400, "an intersection is unknown where one attribute is"
    assert set(both) == {MISSING, "Black & female", "Black & male", "White & female", "White & male"}


def test_an_empty_window_is_undefined(reference: BaselineDocument) -> None:
    window = monitored.window(reference, np.array([]), labels=np.array([]))
    for metric in (*METRICS, "unknown_share"):
        figure = measured(metric, window, reference)
        assert isinstance(figure, Undefined)
        assert figure.p_above(0) == 1
    assert all(
        isinstance(figure, Undefined)
        for figure in fairness.selection_rates("sex", window, reference, 1).values()
    )


def test_error_rates_wait_for_labels_and_selection_rates_do_not(reference: BaselineDocument) -> None:
    table = rows(2000, 10)
    window = monitored.window(reference, **(table | {"labelled": table["scores"] > 0.5}))
    for metric in METRICS:
        figure = measured(metric, window, reference)
        assert figure.evaluated is metric.startswith("demographic"), metric


def test_a_group_whose_labels_are_behind_keeps_error_rates_from_passing(reference: BaselineDocument) -> None:
    table = rows(6000, 14, {"female": 0.5, "male": 0.5})
    few = np.flatnonzero(table["groups"]["sex"] == "female")[600:]
    table["groups"]["sex"][few] = "male"
    women = table["groups"]["sex"] == "female"
    late = women & (np.random.default_rng(1).random(6000) < 0.8)
    for labelled, passes in ((np.ones(6000, bool), True), (~late, False)):
        window = monitored.window(reference, **table, labelled=labelled)
        figure = measured("equal_opportunity_difference", window, reference)
        assert isinstance(figure, Estimate if passes else Undefined)
        assert figure.evaluated


def test_a_selection_rate_against_the_evidence(reference: BaselineDocument) -> None:
    window = monitored.window(reference, **rows(3000, 11, {"female": 0.35, "male": 0.5, "other": 0.5}))
    rates = fairness.selection_rates("sex", window, reference, 30)
    live = fairness.decisions_by_group("sex", window, reference)["female"]
    known = fairness.references("sex", reference)["female"]
    assert rates["female"].value == pytest.approx(live.selected / live.count - known.selected / known.rows)
    assert rates["female"].p_below(-0.05) < 1e-4
    assert rates["male"].p_below(-0.05) > 0.05
    assert rates["female"].rows == live.count
    assert rates["female"].reference_rows == known.rows
    assert rates["other"].value is None, "the evidence does not have this group"
    few = fairness.selection_rates("sex", window, reference, 100_000)
    assert all(isinstance(figure, Undefined) and figure.evaluated for figure in few.values())


def test_the_false_alarms_of_a_plain_figure_are_those_of_the_evidences_rates(
    reference: BaselineDocument,
) -> None:
    small, large = (
        measured("demographic_parity_difference", monitored.window(reference, **rows(n, 12)), reference)
        for n in (120, 20_000)
    )
    often, seldom = small.false_alarm(0.1), large.false_alarm(0.1)
    assert often is not None
    assert seldom is not None
    assert 0.15 < often < 0.45
    assert seldom < 0.001


def test_more_rows_are_asked_for_where_they_would_decide(reference: BaselineDocument) -> None:
    window = monitored.window(reference, **rows(300, 13, {"female": 0.3, "male": 0.55}))
    figure = measured("demographic_parity_difference", window, reference)
    needed = figure.rows_needed(0.1, 1e-6)
    assert needed is not None
    assert needed > 300
    more = monitored.window(reference, **rows(2 * needed, 13, {"female": 0.3, "male": 0.55}))
    assert measured("demographic_parity_difference", more, reference).p_above(0.1) < 1e-6
