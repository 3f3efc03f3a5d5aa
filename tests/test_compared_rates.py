"""A gap between groups names who is worse off, with the counts behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clearance.documents import compared_rates, metric_catalogue
from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.measurement import Measurement
from clearance.metrics import counts, data_bias, fairness
from clearance.policy import findings
from clearance.policy.schema import Rule

WOMEN = counts.Cells(true_positive=600, false_positive=104, false_negative=1000, true_negative=3185)
MEN = counts.Cells(true_positive=3417, false_positive=1000, false_negative=1419, true_negative=4000)
MEASURED = fairness.measure({"women": WOMEN, "men": MEN}, 0.95)


def said(metric: str) -> str | None:
    figure = MEASURED[metric]
    return compared_rates.sentence(f"fairness.{metric}", figure.rates, figure.support)


def test_the_group_that_is_worse_off_comes_first_with_its_counts() -> None:
    text = "women 14.4% (704 of 4,889), men 44.9% (4,417 of 9,836) decided favourably"
    assert said("demographic_parity_difference") == said("demographic_parity_ratio") == text


def test_being_refused_more_often_is_worse() -> None:
    pair = compared_rates.furthest(
        "fairness.false_negative_rate_difference",
        MEASURED["false_negative_rate_difference"].rates,
        MEASURED["false_negative_rate_difference"].support,
    )
    assert pair is not None
    assert (pair[0].name, pair[0].successes, pair[0].rows) == ("women, favourable label", 1000, 1600)


def test_of_two_kinds_of_rows_the_one_with_the_larger_gap_is_named() -> None:
    assert said("equalized_odds_difference") == (
        "women, favourable label 37.5% (600 of 1,600), men, favourable label 70.7% (3,417 of 4,836) "
        "decided favourably"
    )
    assert said("equalized_odds_ratio") == (
        "women, unfavourable label 3.2% (104 of 3,289), men, unfavourable label 20.0% (1,000 of 5,000) "
        "decided favourably"
    )


def test_a_weighted_rate_is_no_share_of_rows() -> None:
    pair = compared_rates.GroupRate(name="women", rate=0.1234, rows=50)
    assert pair.successes is None
    assert str(pair) == "women 12.3% (weighted, 50 rows)"


@pytest.mark.parametrize(
    ("metric", "rates"),
    [
        ("fairness.demographic_parity_difference", None),
        ("fairness.demographic_parity_difference", {"a": 0.5}),
        ("fairness.demographic_parity_difference", {"a": 0.5, "b": 0.5}),
        ("fairness.theil_index", {"a": 0.1, "b": 0.5}),
        ("fairness.unheard_of", {"a": 0.1, "b": 0.5}),
    ],
)
def test_where_no_rates_differ_nobody_is_named(metric: str, rates: dict[str, float] | None) -> None:
    assert compared_rates.sentence(metric, rates, {"a": 10, "b": 10}) is None


def test_labels_and_missing_values_name_groups_too() -> None:
    labels = data_bias.labels({"a": 1, "b": 3}, {"a": 10, "b": 10}, 0.95)
    assert labels["label_rate_difference"].rates == {"a": 0.1, "b": 0.3}
    nulls = data_bias.missingness({"x": {"a": 0, "b": 1}, "y": {"a": 5, "b": 1}}, {"a": 10, "b": 10}, 0.95)
    assert nulls.rates == {"a": 0.5, "b": 0.1}
    pair = compared_rates.furthest("validation_prepared.missingness_difference", nulls.rates, nulls.support)
    assert pair is not None and pair[0].name == "a"


def test_every_metric_that_compares_rates_says_what_it_counts() -> None:
    silent = {
        metric.measurement
        for metric in metric_catalogue.of_document("fairness")
        if (MEASURED.get(metric.measurement) or Measurement(value=0.0)).rates and not metric.counts
    }
    assert not silent


def test_the_finding_says_it_and_carries_the_rates() -> None:
    figure = MEASURED["demographic_parity_difference"]
    rule = Rule.model_validate(
        {
            **{"id": "parity", "metric": "fairness.demographic_parity_difference", "attributes": ["sex"]},
            **{"limit": {"at_most": 0.1}, "kind": "engineering", "source": "us", "valid_from": "2026-01-01"},
            **{"severity": "block", "decides_by": "interval"},
        }
    )

    def evaluated(measurement: Measurement) -> findings.Finding:
        by_attribute = {"demographic_parity_difference": {"sex": measurement}}
        return findings.evaluate(rule, "sex", {"fairness": MeasuredDocument(measurements=by_attribute)})

    finding = evaluated(figure)
    assert finding.reason.startswith("women 14.4% (704 of 4,889), men 44.9% (4,417 of 9,836) decided")
    assert finding.to_json()["rates"] == figure.rates
    without = evaluated(replace(figure, rates=None))
    assert "rates" not in without.to_json() and without.outcome == finding.outcome
