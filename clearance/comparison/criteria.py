"""What a policy asks of a candidate compared with the champion: each metric, and how far it may change.

Follows from the policy alone; no row is read and nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clearance.documents import metric_catalogue
from clearance.policy import schema
from clearance.policy.comparison_terms import ComparisonTerms
from clearance.policy.limit import Limit


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One thing the candidate must not do to a metric of the champion; the limit applies to the change.

    A criterion without a limit is about the verdict.
    """

    id: str
    metric: str
    attribute: str | None
    limit: Limit | None
    severity: str

    @property
    def is_ratio(self) -> bool:
        """Whether the change is the candidate's value divided by the champion's: 1 means no change."""
        return _contrast(self.metric) == "ratio"


def criteria_of(terms: ComparisonTerms, rules: Sequence[schema.Rule]) -> list[Criterion]:
    """The criteria for a candidate: each quality metric of `terms`, then each fairness rule that decides.

    `rules` are the policy's rules in force. Rules on other documents, rules that only report and rules on
    figures that no model changes add no criterion. A rule that only warns gives a criterion that only warns.
    """
    criteria = [
        Criterion(
            id="not-inferior",
            metric=item.metric,
            attribute=None,
            limit=_limit(f"performance.{item.metric}", item.margin),
            severity=terms.severity,
        )
        for item in terms.quality
    ]
    for rule in rules:
        decides = rule.document == "fairness" and rule.decides_by != "report_only"
        if decides and _contrast(rule.measurement) is not None:
            severity = "block" if (terms.severity, rule.severity) == ("block", "block") else "warn"
            margin = terms.ratio_margin if _contrast(rule.measurement) == "ratio" else terms.difference_margin
            criteria += [
                Criterion(
                    id=f"not-less-fair: {rule.id}",
                    metric=rule.measurement,
                    attribute=name,
                    limit=_limit(rule.metric, margin),
                    severity=severity,
                )
                for name in rule.read_for
            ]
    return criteria


def _contrast(measurement: str) -> metric_catalogue.Contrast | None:
    """How the metric is compared; one that the registry does not know, by its difference."""
    entry = metric_catalogue.METRICS.get(f"fairness.{measurement}")
    return entry.contrast if entry else "difference"


def _limit(name: str, margin: float) -> Limit:
    """The bound on the change: how much it may go in the direction that speaks against a model."""
    entry = metric_catalogue.METRICS.get(name)
    if entry is None or entry.better != "higher":
        return Limit(at_most=margin)
    return Limit(at_least=round(1 - margin if entry.contrast == "ratio" else -margin, 12))
