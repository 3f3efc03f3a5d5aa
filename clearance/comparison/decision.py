"""Whether each criterion is met: only by an interval that keeps the limit as a whole.

A "no" is a value with its reason. Too few rows, a metric without a sound interval, unusable scores: each is a
finding, never a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clearance import wording
from clearance.comparison import paired_rows
from clearance.comparison.criteria import Criterion
from clearance.comparison.paired_rows import PairedRows
from clearance.documents import metric_catalogue
from clearance.documents.measurement import Measurement, Outcome
from clearance.metrics import intervals
from clearance.policy import findings
from clearance.policy.comparison_terms import ComparisonTerms
from clearance.policy.limit import Limit


@dataclass(frozen=True, kw_only=True)
class CriterionFinding:
    """The result for one criterion. Only an outcome of `PASS` meets it."""

    criterion: Criterion
    change: Measurement | None
    outcome: Outcome
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The finding as it is written in a comparison."""
        criterion = self.criterion
        return {
            "demand": criterion.id,
            "metric": criterion.metric,
            "attribute": criterion.attribute,
            "limit": criterion.limit and criterion.limit.model_dump(),
            "severity": criterion.severity,
            "outcome": self.outcome,
            "reason": self.reason,
            "change": self.change and self.change.to_json(),
        }


def undecided(criteria: Sequence[Criterion], outcome: Outcome, reason: str) -> tuple[CriterionFinding, ...]:
    """Every criterion with the one reason why nothing could be compared. Raises ValueError on a pass."""
    if outcome is Outcome.PASS:
        raise ValueError("what was not compared cannot pass")
    return tuple(
        CriterionFinding(criterion=criterion, change=None, outcome=outcome, reason=reason)
        for criterion in criteria
    )


def decide(
    terms: ComparisonTerms, criteria: Sequence[Criterion], rows: PairedRows, sampling: intervals.Sampling
) -> tuple[CriterionFinding, ...]:
    """Compare the candidate's decisions with the champion's, one finding for each criterion."""
    if fault := paired_rows.score_fault(rows):
        return undecided(criteria, Outcome.NOT_EVALUATED, fault)
    if rows.same:
        return tuple(
            _finding(criterion, _no_change(criterion, rows, sampling.confidence), 0) for criterion in criteria
        )
    if len(rows.label) < terms.minimum_rows:
        reason = f"{len(rows.label)} rows can be compared, but at least {terms.minimum_rows} are needed"
        return undecided(criteria, Outcome.INSUFFICIENT_EVIDENCE, reason)
    quality = paired_rows.measure(rows, sampling)
    tables = paired_rows.Tables(rows)
    results = []
    for criterion in criteria:
        is_quality = criterion.id == "not-inferior"
        change = quality[criterion.metric] if is_quality else tables.measure(criterion, sampling)
        minimum = terms.minimum_group_rows if criterion.attribute else 0
        results.append(_finding(criterion, change, minimum))
    return tuple(results)


def first_version(terms: ComparisonTerms, verdict: Outcome, reason: str) -> CriterionFinding:
    """The finding without a champion: the verdict decides, with the approvals that the terms require."""
    people = terms.first_version.approvals
    approvals = (
        f"the policy asks for at least {people} {'approval' if people == 1 else 'approvals'}"
        if people
        else "the policy asks for no approval"
    )
    criterion = Criterion(id="first-version", metric="verdict", attribute=None, limit=None, severity="block")
    words = f"there is no champion to compare with, so the verdict stands alone: {verdict.replace('_', ' ')}"
    parts = (words, None if verdict is Outcome.PASS else reason, approvals)
    return CriterionFinding(
        criterion=criterion, change=None, outcome=verdict, reason="; ".join(part for part in parts if part)
    )


def _no_change(criterion: Criterion, rows: PairedRows, confidence: float) -> Measurement:
    """No change at all: the same model makes the same decisions, on these rows and on any."""
    none = 1.0 if criterion.is_ratio else 0.0
    return Measurement(
        value=none,
        low=none,
        high=none,
        confidence=confidence,
        method="the same model",
        support={"rows": len(rows.label)},
    )


def _finding(criterion: Criterion, change: Measurement, minimum: int) -> CriterionFinding:
    """Pass when the whole interval keeps the limit, fail when none of it does."""
    if criterion.limit is None:
        raise ValueError(f"{criterion.id} has no limit for the change")
    lack = findings.too_few(change.support, minimum) or change.lack
    outcome, reason = Outcome.NOT_EVALUATED, None
    if change.low is not None and change.high is not None and change.value is not None:
        rows = {name: count for name, count in change.support.items() if name != "decided differently"}
        decision = findings.by_interval(criterion.limit, change, support=rows)
        outcome, reason = decision.outcome or Outcome.NOT_EVALUATED, decision.reason
    elif change.value is not None:
        reason = f"there is no interval to decide by ({change.method})"
    if lack and outcome is not Outcome.FAIL:  # small groups never excuse a proven failure
        outcome, reason = Outcome.INSUFFICIENT_EVIDENCE, findings.all_reasons(reason, lack)
    statement = _in_words(criterion, criterion.limit, change)
    return CriterionFinding(
        criterion=criterion, change=change, outcome=outcome, reason=findings.all_reasons(statement, reason)
    )


def _in_words(criterion: Criterion, limit: Limit, change: Measurement) -> str:
    """The change as a phrase, with its limit."""
    contrast = "candidate / champion" if criterion.is_ratio else "candidate - champion"
    value = wording.measurement(change.to_json(), beside=limit.ends)
    if change.confidence is not None:
        value = value.replace("(", f"({100 * change.confidence:.4g}% interval ", 1)
    subject = metric_catalogue.subject(criterion.metric, criterion.attribute)
    return f"{subject}, {contrast}: {value}; limit: {wording.limit(limit.model_dump())}"
