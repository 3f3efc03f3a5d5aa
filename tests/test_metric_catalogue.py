"""The catalogue of metrics names everything that is measured, and everything else takes its words from it."""

from __future__ import annotations

import pytest

from clearance.documents import metric_catalogue
from clearance.documents.metric_catalogue import METRICS
from clearance.metrics import data_bias, disparity, paired_disparity, paired_scores, performance
from clearance.policy import comparison_terms
from tools import metric_table

NOT_PAIRED = {
    *("calibration_error_highest", "roc_auc_difference"),
    *("theil_index", "generalized_entropy_index"),
    *("between_group_theil_index", "between_group_generalized_entropy_index"),
}
"""Metrics without a method that compares two models on the same rows: a rule on one blocks every follower."""


def names(document: str) -> set[str]:
    return {metric.measurement for metric in metric_catalogue.of_document(document)}


def test_every_metric_that_is_measured_has_an_entry_and_every_entry_is_measured() -> None:
    assert names("fairness") == set(disparity.METRICS)
    assert names("performance") == set(performance.METRICS)
    bias = {metric.measurement for metric in METRICS.values() if metric.family == "bias in the data"}
    others = {"class_imbalance", "missingness_difference", "proxy_auc", "proxy_auc_together"}
    assert bias == {*data_bias.LABELS, *others}


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_an_entry_is_complete_and_its_parity_lies_in_its_range(metric: metric_catalogue.Metric) -> None:
    assert metric.title and metric.meaning and metric.unit
    assert not metric.meaning.endswith(".") and not metric.meaning[0].isupper()
    ends = [end for end in (metric.low, metric.high) if end is not None]
    assert ends == sorted(ends)
    if metric.parity is not None:
        assert metric.better is not None
        assert metric.low is None or metric.low <= metric.parity
        assert metric.high is None or metric.parity <= metric.high


def test_a_fairness_metric_that_a_model_changes_is_compared_as_its_entry_says() -> None:
    fairness = metric_catalogue.of_document("fairness")
    changes = {metric.measurement for metric in fairness if metric.contrast}
    assert changes == names("fairness") - {"missing_share"}
    assert changes - NOT_PAIRED == paired_disparity.METRICS | {"scoring_rate_ratio"}
    ratios = {metric.measurement for metric in fairness if metric.contrast == "ratio"}
    assert ratios == paired_disparity.RATIOS | {"scoring_rate_ratio"}
    rising = {metric.measurement for metric in fairness if metric.better == "higher"} - ratios
    assert rising == paired_disparity.LOWEST


def test_the_quality_metrics_that_terms_may_name_have_entries() -> None:
    choices = comparison_terms.QualityMargin.model_json_schema()["properties"]["metric"]["enum"]
    assert {f"performance.{name}" for name in (*choices, *paired_scores.METRICS)} <= METRICS.keys()


@pytest.mark.parametrize(
    ("name", "attribute", "subject"),
    [
        ("performance.log_loss", None, "log loss"),
        ("fairness.demographic_parity_ratio", "race & sex", "demographic parity ratio by race & sex"),
        ("validation_raw.blocking_failures", None, "blocking data failures in the raw table"),
        ("roc_auc", None, "ROC AUC"),
        ("performance.made_up", None, "made up"),
    ],
)
def test_a_metric_is_called_by_its_title(name: str, attribute: str | None, subject: str) -> None:
    assert metric_catalogue.subject(name, attribute) == subject


def test_the_tables_in_the_guide_are_those_of_the_registry() -> None:
    text = metric_table.PAGE.read_text(encoding="utf-8")
    assert metric_table.written(text) == text
