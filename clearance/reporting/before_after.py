"""The chosen model compared with the same model without mitigation: parity gained, utility lost.

Lays out the tune-row figures of `reports/training.json`. Nothing is measured here, and no limit is known
here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clearance import wording
from clearance.documents import metric_catalogue
from clearance.documents.evidence_document import Evidence
from clearance.documents.training_document import BeforeAfter, TrainingDocument

UTILITY = ("balanced_accuracy", "accuracy", "f1", "roc_auc", "selection_rate")
"""Figures of all tune rows, in the order they are shown; the one that chose the model comes first."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure without mitigation and as chosen; both are measurements as in evidence.

    `attribute` is None for a figure of all rows. `change` says in words how the chosen model's value differs,
    or how much nearer to parity it is. Both are point values: a small change may be chance.
    """

    metric: str
    attribute: str | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    change: str


def lines(training: Evidence) -> list[Line]:
    """Utility, then each fairness figure by attribute; empty when the document compares nothing."""
    if not isinstance(training, TrainingDocument) or training.before_after is None:
        return []
    comparison = training.before_after
    return [*_utility(training.utility, comparison), *_fairness(comparison)]


def _utility(utility: str | None, comparison: BeforeAfter) -> Iterator[Line]:
    before, after = vars(comparison.before.tune), vars(comparison.after.tune)
    for metric in dict.fromkeys((utility, *UTILITY)):
        if metric in after:
            yield _line(metric, None, {"value": before[metric]}, {"value": after[metric]})


def _fairness(comparison: BeforeAfter) -> Iterator[Line]:
    before, after = comparison.before.disparity, comparison.after.disparity
    for metric in sorted(after):
        undefined = all(measurement.value is None for measurement in after[metric].values())
        if undefined or not _depends_on_model(metric):
            continue
        for attribute in sorted(after[metric]):
            sides = (before[metric][attribute].to_json(), after[metric][attribute].to_json())
            yield _line(metric, attribute, *sides)


def _depends_on_model(metric: str) -> bool:
    entry = metric_catalogue.METRICS.get(f"fairness.{metric}")
    return entry is None or entry.contrast is not None


def _line(metric: str, attribute: str | None, before: Mapping[str, Any], after: Mapping[str, Any]) -> Line:
    change = _change(None if attribute is None else parity(metric), before["value"], after["value"])
    return Line(metric=metric, attribute=attribute, before=before, after=after, change=change)


def parity(metric: str) -> float | None:
    """The value at which all groups are treated the same; None for a figure that compares no groups."""
    entry = metric_catalogue.METRICS.get(f"fairness.{metric}")
    return entry.parity if entry else None


def _change(at: float | None, before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "cannot be compared"
    if before == after:
        return "the same"
    if at is None:
        return f"{wording.number(abs(after - before))} {'higher' if after > before else 'lower'}"
    gain = abs(before - at) - abs(after - at)
    return f"{wording.number(abs(gain))} {'closer to' if gain > 0 else 'further from'} parity"
