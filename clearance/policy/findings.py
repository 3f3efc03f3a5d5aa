"""What one rule says about one measurement: an outcome, and a sentence that carries its numbers.

Pure. Whatever is missing, blocked, undefined, malformed, too small or too uncertain is a finding,
never an exception and never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clearance import wording
from clearance.documents.measurement import Measurement, Outcome
from clearance.policy import sample_size, schema
from clearance.policy.schema import Limit, Rule

_PLACES = {"validation_raw": " in the raw table", "validation_prepared": " in the prepared tables"}
_PLURAL = ("blocking_failures", "warnings", "expectations", "overlap")
_FAULTS_TOLD = 3
_Decision = tuple[Outcome | None, str | None]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule read for one attribute: what was found, the outcome (None when the rule only reports), why."""

    rule: Rule
    attribute: str | None
    found: Measurement | None
    outcome: Outcome | None
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The finding as it stands in `reports/verdict.json`."""
        facts = {"metric", "limit", "severity", "decides_by", "kind", "source", "certainty", "jurisdiction"}
        found = self.found
        return self.rule.model_dump(include=facts) | {
            "rule": self.rule.id,
            "attribute": self.attribute,
            "outcome": self.outcome,
            "reason": self.reason,
            "value": None if found is None else found.value,
            "low": None if found is None else found.low,
            "high": None if found is None else found.high,
            "confidence": None if found is None else found.confidence,
            "support": {} if found is None else dict(found.support),
        }


def find(rule: Rule, attribute: str | None, evidence: Mapping[str, Any]) -> Finding:
    """Hold the rule, read for `attribute` (None: for all rows), against the evidence documents by name."""
    subject = _subject(rule, attribute)
    found = _look_up(rule, attribute, evidence)
    if isinstance(found, str):
        outcome = None if rule.decides_by == "report_only" else Outcome.NOT_EVALUATED
        reason = f"{subject} not evaluated: {found}"
        return Finding(rule=rule, attribute=attribute, found=None, outcome=outcome, reason=reason)
    outcome, why = _decide(rule, found)
    limit = rule.limit and f"the limit is {wording.limit(rule.limit.model_dump())}"
    said = f"{subject} {_said(found, rule.limit)}"
    faults = _faults(evidence[rule.document]) if rule.measurement == "blocking_failures" else []
    reason = "; ".join(part for part in (said, limit, why, *faults) if part)
    return Finding(rule=rule, attribute=attribute, found=found, outcome=outcome, reason=reason)


def _faults(document: Mapping[str, Any]) -> list[str]:
    """The first blocking expectations that the table breaks, in the validation's own words."""
    entries = document.get("expectations")
    broken = [
        str(entry.get("detail"))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, Mapping) and entry.get("success") is False and entry.get("severity") == "block"
    ]
    more = [f"and {len(broken) - _FAULTS_TOLD} more"] if len(broken) > _FAULTS_TOLD else []
    return broken[:_FAULTS_TOLD] + more


def _look_up(rule: Rule, attribute: str | None, evidence: Mapping[str, Any]) -> Measurement | str:
    """The measurement the rule reads, or why there is none."""
    document = evidence.get(rule.document)
    if not isinstance(document, Mapping):
        return f"there is no {rule.document} evidence"
    if document.get("status") != "measured":
        return f"{rule.document} is {document.get('status')} ({document.get('because')})"
    at: Any = document.get("measurements")
    for name in (rule.measurement, *([attribute] if attribute else [])):
        key = _key(at, name) if isinstance(at, Mapping) else None
        if key is None:
            return f"{rule.document} has no {rule.measurement}" + (f" for {attribute}" if attribute else "")
        at = at[key]
    if isinstance(at, Mapping) and "value" not in at:
        return f"{rule.metric} is measured by attribute, and the rule names none"
    try:
        return _sound(Measurement.from_json(at))
    except (TypeError, ValueError) as error:
        return f"{rule.metric} is no usable measurement ({error})"


def _key(taken: Mapping[str, Any], name: str) -> str | None:
    """What the evidence calls `name`, an intersection being the same in any order; None: it has none."""
    if name in taken:
        return name
    return next((key for key in taken if schema.parts(key) == schema.parts(name)), None)


def _sound(found: Measurement) -> Measurement:
    if not isinstance(found.support, Mapping) or not all(isinstance(n, int) for n in found.support.values()):
        raise TypeError("its support is no count by group")
    if found.low is not None and found.high is not None and found.low > found.high:
        raise ValueError("its interval is reversed")
    return found


def _decide(rule: Rule, found: Measurement) -> _Decision:
    """The outcome, and what the numbers alone do not say."""
    if rule.decides_by == "report_only" or rule.limit is None:
        return None, "reported, not decided"
    if found.value is None:
        return Outcome(rule.undefined), None
    lack = _lack(rule, found)
    if rule.decides_by == "point":
        kept = rule.limit.encloses(found.value, found.value)
        return lack or ((Outcome.PASS if kept else Outcome.FAIL), None)
    decision = _by_bounds(rule, rule.limit, found.value, found)
    proven = decision[0] is Outcome.FAIL  # a group too small to clear the model excuses nothing
    return decision if proven or lack is None else lack


def _by_bounds(rule: Rule, limit: Limit, value: float, found: Measurement) -> _Decision:
    if found.lack is not None:
        return Outcome.INSUFFICIENT_EVIDENCE, f"there is no interval to decide by: {found.lack}"
    if found.low is None or found.high is None or found.confidence is None:
        return Outcome.NOT_EVALUATED, f"there is no interval to decide by ({found.method})"
    if found.confidence < rule.confidence:
        return Outcome.NOT_EVALUATED, f"the rule asks for {_percent(rule.confidence)} confidence"
    if rule.decides_by == "interval":
        return _by_interval(limit, value, found.low, found.high, found.support)
    significant = rule.equal_at is not None and not found.low <= rule.equal_at <= found.high
    equal = [] if rule.equal_at is None else [rule.equal_at]
    more = sample_size.sentence(value, found.low, found.high, equal, found.support)
    return _by_significance(limit.encloses(value, value), significant, more)


def _lack(rule: Rule, found: Measurement) -> _Decision | None:
    """Which groups are too small for the rule, and by how many rows; None when none is."""
    if rule.minimum_support == 0:
        return None
    if not found.support:
        return (
            Outcome.NOT_EVALUATED,
            f"how many rows stand behind it is not stated, {rule.minimum_support} are needed",
        )
    small = {group: rows for group, rows in sorted(found.support.items()) if rows < rule.minimum_support}
    if not small:
        return None
    each = ", ".join(
        f"{group} has {rows} (lacks {rule.minimum_support - rows})" for group, rows in small.items()
    )
    return Outcome.INSUFFICIENT_EVIDENCE, f"{rule.minimum_support} rows a group are needed: {each}"


def _by_interval(
    limit: Limit, value: float, low: float, high: float, support: Mapping[str, int]
) -> _Decision:
    if limit.encloses(low, high):
        return Outcome.PASS, None
    if limit.excludes(low, high):
        return Outcome.FAIL, None
    ends = [end for end in (limit.at_least, limit.at_most) if end is not None]
    more = sample_size.sentence(value, low, high, ends, support)
    return Outcome.INSUFFICIENT_EVIDENCE, f"the interval reaches across the limit: {more}"


def _by_significance(kept: bool, significant: bool, more: str) -> _Decision:
    """Outside the limit and not by chance: fail. Outside, perhaps by chance: not enough evidence."""
    if kept:
        return Outcome.PASS, "the gap is significant all the same" if significant else None
    if significant:
        return Outcome.FAIL, "the gap is significant"
    return Outcome.INSUFFICIENT_EVIDENCE, f"the gap may be chance, it is not significant: {more}"


def _subject(rule: Rule, attribute: str | None) -> str:
    by = f" by {attribute}" if attribute else ""
    verb = "are" if rule.measurement in _PLURAL else "is"
    return f"{wording.metric(rule.metric)}{by}{_PLACES.get(rule.document, '')} {verb}"


def _said(found: Measurement, limit: Limit | None) -> str:
    ends = [] if limit is None else [end for end in (limit.at_least, limit.at_most) if end is not None]
    said = wording.measurement(found.to_json(), beside=ends)
    confidence = found.confidence
    return said if confidence is None else said.replace("(", f"({_percent(confidence)} interval ", 1)


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
