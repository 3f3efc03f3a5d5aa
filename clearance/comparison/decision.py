"""Whether each demand is met: by an interval that keeps the limit as a whole, and by nothing less.

A "no" is a value with its reason. Too few rows, a figure without a sound interval, scores that are none: each
is a finding, never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clearance import wording
from clearance.comparison import paired_rows as duels
from clearance.comparison.criteria import Demand
from clearance.comparison.paired_rows import Duel
from clearance.documents.measurement import Measurement, Outcome
from clearance.metrics import intervals
from clearance.policy import comparison_terms, sample_size, schema


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found about one demand. Only an outcome of `PASS` meets it."""

    demand: Demand
    found: Measurement | None
    outcome: Outcome
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The finding as it stands in a comparison."""
        demand = self.demand
        return {
            "demand": demand.id,
            "metric": demand.metric,
            "attribute": demand.attribute,
            "limit": demand.limit and demand.limit.model_dump(),
            "severity": demand.severity,
            "outcome": self.outcome,
            "reason": self.reason,
            "change": self.found and self.found.to_json(),
        }


def undecided(asked: Sequence[Demand], outcome: Outcome, reason: str) -> tuple[Finding, ...]:
    """Every demand with the one reason why nothing could be compared. Raises ValueError on a pass."""
    if outcome is Outcome.PASS:
        raise ValueError("what was not compared does not pass")
    return tuple(Finding(demand=each, found=None, outcome=outcome, reason=reason) for each in asked)


def hold(
    asked: comparison_terms.ComparisonTerms,
    wanted: Sequence[Demand],
    duel: Duel,
    sampling: intervals.Sampling,
) -> tuple[Finding, ...]:
    """Hold the candidate's answers against the champion's, a finding for each of `wanted`."""
    if wrong := duels.fault(duel):
        return undecided(wanted, Outcome.NOT_EVALUATED, wrong)
    if duel.same:
        return tuple(_decide(each, _certain(each, duel, sampling.confidence), 0) for each in wanted)
    if len(duel.label) < asked.minimum_rows:
        few = f"{len(duel.label)} rows can be compared, {asked.minimum_rows} are needed"
        return undecided(wanted, Outcome.INSUFFICIENT_EVIDENCE, few)
    quality = duels.measure(duel, sampling)
    tables = duels.Tables(duel)
    found = []
    for each in wanted:
        taken = quality[each.metric] if each.id == "not-inferior" else tables.measure(each, sampling)
        found.append(_decide(each, taken, asked.minimum_group_rows if each.attribute else 0))
    return tuple(found)


def first_version(asked: comparison_terms.ComparisonTerms, verdict: Outcome, why: str) -> Finding:
    """What is found where no model serves yet: the policy's own rules decide alone, and people as it asks."""
    people = asked.first_version.approvals
    needs = (
        f"the policy asks for at least {people} approval(s) of it" if people else "it asks for no approval"
    )
    demand = Demand(id="first-version", metric="verdict", attribute=None, limit=None, severity="block")
    told = f"no champion to compare with, so the verdict stands alone: {verdict.replace('_', ' ')}"
    reason = "; ".join(part for part in (told, None if verdict is Outcome.PASS else why, needs) if part)
    return Finding(demand=demand, found=None, outcome=verdict, reason=reason)


def _certain(demand: Demand, duel: Duel, confidence: float) -> Measurement:
    """No change at all: the same model decides the same, on these rows and on any."""
    none, rows = 1.0 if demand.is_ratio else 0.0, {"rows": len(duel.label)}
    return Measurement(
        value=none, low=none, high=none, confidence=confidence, method="the same model", support=rows
    )


def _decide(demand: Demand, found: Measurement, needed: int) -> Finding:
    """Pass where the whole interval keeps the limit, fail where none of it does."""
    if demand.limit is None:
        raise ValueError(f"{demand.id} has no limit to hold a change against")
    small = {name: rows for name, rows in sorted(found.support.items()) if rows < needed}
    lack = f"{needed} rows a group are needed: {_each(small)}" if small else found.lack
    told = _told(demand, demand.limit, found)
    outcome, why = Outcome.NOT_EVALUATED, None
    if found.low is not None and found.high is not None and found.value is not None:
        outcome, why = _by_interval(demand.limit, found.value, found.low, found.high, found.support)
    if lack and outcome is not Outcome.FAIL:  # a group too small to clear the candidate excuses nothing
        outcome, why = Outcome.INSUFFICIENT_EVIDENCE, lack
    elif found.low is None and found.value is not None:
        why = f"there is no interval to decide by ({found.method})"
    reason = "; ".join(part for part in (told, why) if part)
    return Finding(demand=demand, found=found, outcome=outcome, reason=reason)


def _by_interval(
    limit: schema.Limit, value: float, low: float, high: float, support: Mapping[str, int]
) -> tuple[Outcome, str | None]:
    if limit.encloses(low, high):
        return Outcome.PASS, None
    if limit.excludes(low, high):
        return Outcome.FAIL, None
    ends = [end for end in (limit.at_least, limit.at_most) if end is not None]
    rows = {name: count for name, count in support.items() if name != "decided differently"}
    more = sample_size.sentence(value, low, high, ends, rows)
    return Outcome.INSUFFICIENT_EVIDENCE, f"the interval reaches across the limit: {more}"


def _told(demand: Demand, limit: schema.Limit, found: Measurement) -> str:
    """The change in a sentence, with the limit."""
    what = "candidate's over champion's" if demand.is_ratio else "candidate's minus champion's"
    by = f" by {demand.attribute}" if demand.attribute else ""
    bounds = limit.model_dump()
    ends = [end for end in bounds.values() if end is not None]
    said = wording.measurement(found.to_json(), beside=ends)
    if found.confidence is not None:
        said = said.replace("(", f"({100 * found.confidence:.4g} % interval ", 1)
    name = wording.metric(demand.metric)
    return f"{name}{by}, {what}: {said}; the limit is {wording.limit(bounds)}"


def _each(small: Mapping[str, int]) -> str:
    return ", ".join(f"{name} has {rows}" for name, rows in small.items())
