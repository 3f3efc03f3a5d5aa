"""Before and after: each figure once, in words that follow from parity and not from the sign alone."""

from __future__ import annotations

from typing import Any

import pytest

from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.measurement import Measurement, undefined
from clearance.documents.training_document import TrainingDocument
from clearance.metrics.disparity import METRICS
from clearance.reporting import before_after
from tests.support import evidence


def training(before: dict[str, Any], after: dict[str, Any], **tune: Any) -> TrainingDocument:
    """A training that compares these values by race; `tune` is (before, after) by figure."""

    def figure(value: float | None) -> Measurement:
        return undefined("no rows") if value is None else Measurement(value=value)

    def side(values: dict[str, Any], at: int) -> dict[str, Any]:
        return {
            "utility": 0.7,
            "threshold": 0.5,
            "tune": evidence.TUNE | {name: pair[at] for name, pair in tune.items()},
            "disparity": {metric: {"race": figure(value)} for metric, value in values.items()},
        }

    names = {"estimator": "e", "mitigation": "m", "before_was_a_candidate": False}
    return evidence.training(
        utility="f1", before_after={**names, "before": side(before, 0), "after": side(after, 1)}
    )


def by_race(document: TrainingDocument) -> list[before_after.Line]:
    """The lines of fairness figures."""
    return [line for line in before_after.lines(document) if line.attribute is not None]


@pytest.mark.parametrize(
    ("metric", "before", "after", "change"),
    [
        ("demographic_parity_difference", 0.3, 0.1, "0.200 closer to parity"),
        ("demographic_parity_difference", 0.1, 0.3, "0.200 further from parity"),
        ("demographic_parity_ratio", 0.6, 0.9, "0.300 closer to parity"),
        ("disparate_impact_best_group", 0.9, 0.6, "0.300 further from parity"),
        ("disparate_impact_reference_group", 1.3, 0.9, "0.200 closer to parity"),
        ("accuracy_lowest", 0.6, 0.7, "0.100 higher"),
        ("true_positive_rate_lowest", 0.6, 0.5, "0.100 lower"),
        ("accuracy_difference", 0.1, 0.1, "the same"),
        ("accuracy_difference", None, 0.1, "cannot be compared"),
    ],
)
def test_a_change_is_told_from_parity(
    metric: str, before: float | None, after: float | None, change: str
) -> None:
    (line,) = by_race(training({metric: before}, {metric: after}))
    assert (line.metric, line.attribute, line.change) == (metric, "race", change)
    assert (line.before["value"], line.after["value"]) == (before, after)


def test_utility_comes_first_and_the_one_that_chose_before_the_others() -> None:
    record = training(
        {"accuracy_difference": 0.1}, {"accuracy_difference": 0.2}, accuracy=(0.9, 0.8), f1=(1, 1)
    )
    changes = [(line.metric, line.attribute, line.change) for line in before_after.lines(record)]
    assert changes == [
        ("f1", None, "the same"),
        ("balanced_accuracy", None, "the same"),
        ("accuracy", None, "0.100 lower"),
        ("roc_auc", None, "the same"),
        ("selection_rate", None, "the same"),
        ("accuracy_difference", "race", "0.100 further from parity"),
    ]


def test_what_no_model_changes_and_what_is_undefined_everywhere_is_no_line() -> None:
    values = {"missing_share": 0.1, "disparate_impact_reference_group": None}
    assert by_race(training(values, values)) == []


def test_a_record_that_compares_nothing_has_no_lines() -> None:
    assert before_after.lines(evidence.training(before_after=None)) == []
    assert before_after.lines(BlockedDocument(because="validate_raw: a fault")) == []


def test_every_difference_and_ratio_that_is_measured_has_its_parity() -> None:
    parity = {metric: before_after.parity(metric) for metric in METRICS}
    zero = {metric for metric, at in parity.items() if at == 0}
    assert {metric for metric in METRICS if metric.endswith("_difference")} <= zero
    assert zero & {"accuracy_lowest", "true_positive_rate_lowest", "missing_share"} == set()
    assert {metric for metric, at in parity.items() if at == 1} == {
        *("demographic_parity_ratio", "equalized_odds_ratio", "scoring_rate_ratio"),
        *("disparate_impact_best_group", "disparate_impact_reference_group"),
    }
