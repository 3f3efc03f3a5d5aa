"""What a policy asks of a candidate beside the champion: each figure, and how far it may change.

Follows from the policy alone; no row is read and nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clearance.metrics.paired_disparity import LOWEST, RATIOS
from clearance.policy import comparison_terms, schema

_LOSSES = ("brier", "log_loss")
_OF_THE_DATA = ("missing_share",)
SCORING_RATE = "scoring_rate_ratio"
"""The ratio of shares above the median score: counted by score, compared like a ratio of decisions."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """One thing the candidate must not do to a figure of the champion's: the limit is on the change.

    A demand without a limit is on the verdict.
    """

    id: str
    metric: str
    attribute: str | None
    limit: schema.Limit | None
    severity: str

    @property
    def is_ratio(self) -> bool:
        """Whether the change is the candidate's figure over the champion's, and 1 no change."""
        return _is_ratio(self.metric)


def demands(asked: comparison_terms.ComparisonTerms, fairness: Sequence[schema.Rule]) -> list[Demand]:
    """What is asked of a candidate: each figure of quality, then each fairness rule that decides.

    `fairness` are the policy's rules in force; those on other documents, those that only report and those on
    figures that no model changes ask nothing. A rule that only warns makes a demand that only warns.
    """
    found = [
        Demand(
            id="not-inferior",
            metric=each.metric,
            attribute=None,
            limit=_at_most(each.margin) if each.metric in _LOSSES else _at_least(-each.margin),
            severity=asked.severity,
        )
        for each in asked.quality
    ]
    for rule in fairness:
        decides = rule.document == "fairness" and rule.decides_by != "report_only"
        if decides and rule.measurement not in _OF_THE_DATA:
            severity = "block" if (asked.severity, rule.severity) == ("block", "block") else "warn"
            found += [
                Demand(
                    id=f"not-less-fair: {rule.id}",
                    metric=rule.measurement,
                    attribute=name,
                    limit=_limit(asked, rule.measurement),
                    severity=severity,
                )
                for name in rule.read_for
            ]
    return found


def _limit(asked: comparison_terms.ComparisonTerms, metric: str) -> schema.Limit:
    if _is_ratio(metric):
        return _at_least(1 - asked.ratio_margin)
    return _at_least(-asked.difference_margin) if metric in LOWEST else _at_most(asked.difference_margin)


def _at_least(end: float) -> schema.Limit:
    return schema.Limit(at_least=round(end, 12))


def _at_most(end: float) -> schema.Limit:
    return schema.Limit(at_most=end)


def _is_ratio(metric: str) -> bool:
    return metric in RATIOS or metric == SCORING_RATE
