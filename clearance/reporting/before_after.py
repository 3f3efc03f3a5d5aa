"""The chosen model beside its unmitigated self: what mitigation gained in evenness and cost in utility.

Lays out what `reports/training.json` says of tune rows. Nothing is measured here, and no limit is known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clearance import wording

UTILITY = ("balanced_accuracy", "accuracy", "f1", "roc_auc", "selection_rate")
"""Figures of all tune rows, in the order they are told; the one that chose comes first."""

_OF_THE_DATA = ("missing_share",)
"""Figures that no model changes."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure without mitigation and as chosen: measurements as in evidence.

    `attribute` is None for a figure of all rows. `change` says in words where the chosen model's value lies,
    seen from the other's and, where the figure has one, from parity. Between point values that may be chance.
    """

    metric: str
    attribute: str | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    change: str


def lines(training: Mapping[str, Any]) -> list[Line]:
    """Utility, then each fairness figure by attribute; none where the record compares nothing."""
    table = training.get("before_after")
    return [] if not table else [*_utility(training, table), *_fairness(table)]


def _utility(training: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[Line]:
    before, after = table["before"]["tune"], table["after"]["tune"]
    first = training["utility"]
    for metric in dict.fromkeys((first, *UTILITY)):
        if metric in after:
            yield _line(metric, None, *({"value": each.get(metric)} for each in (before, after)))


def _fairness(table: Mapping[str, Any]) -> Iterator[Line]:
    before, after = table["before"]["disparity"], table["after"]["disparity"]
    for metric in sorted(after):
        values = [each["value"] for each in after[metric].values()]
        if metric in _OF_THE_DATA or all(value is None for value in values):
            continue
        for attribute in sorted(after[metric]):
            yield _line(metric, attribute, before[metric][attribute], after[metric][attribute])


def _line(metric: str, attribute: str | None, before: Mapping[str, Any], after: Mapping[str, Any]) -> Line:
    at = None if attribute is None else parity(metric)
    change = _change(at, before["value"], after["value"])
    return Line(metric=metric, attribute=attribute, before=before, after=after, change=change)


def parity(metric: str) -> float | None:
    """The value at which a fairness figure says that all groups are treated alike; None: it has none."""
    if metric.endswith("_difference"):
        return 0.0
    return 1.0 if metric.endswith("_ratio") or metric.startswith("disparate_impact") else None


def _change(at: float | None, before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "cannot be compared"
    if before == after:
        return "the same"
    if at is None:
        return f"{wording.number(abs(after - before))} {'higher' if after > before else 'lower'}"
    gained = abs(before - at) - abs(after - at)
    return f"{wording.number(abs(gained))} {'nearer to' if gained > 0 else 'farther from'} equal"
