"""What one rule says about one measurement: an outcome, and a sentence with its numbers.

Pure. Whatever is missing, blocked, undefined, malformed, too small or too uncertain is a finding, never an
exception and never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from clearance import wording
from clearance.documents import codec, compared_rates, metric_catalogue
from clearance.documents.attempt_level import LevelledDocument
from clearance.documents.evidence_document import Evidence
from clearance.documents.measurement import INTERSECTION, Measurement, Outcome
from clearance.documents.validation_document import ValidationDocument
from clearance.documents.verdict_document import MoreRows
from clearance.policy import attempt_terms, sample_size, schema
from clearance.policy.limit import Limit
from clearance.policy.schema import Rule

_PLURAL = ("blocking_failures", "warnings", "expectations", "overlap")
_MOST_FAILURES = 3

TEST_ROWS = ("performance", "fairness")
"""The documents that say what the test rows say of the model: another attempt changes what they say."""


@dataclass(frozen=True, kw_only=True)
class RuleDecision:
    """What the numbers decide; `reason` adds what they do not say, `more_rows` what would decide.

    An `outcome` of None belongs to a rule that only reports.
    """

    outcome: Outcome | None
    reason: str | None = None
    more_rows: MoreRows | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule applied to one attribute; an outcome of None belongs to a rule that only reports."""

    rule: Rule
    attribute: str | None
    measurement: Measurement | None
    outcome: Outcome | None
    reason: str
    more_rows: MoreRows | None = None

    def to_json(self) -> dict[str, Any]:
        """The finding as it is written in `reports/verdict.json`."""
        facts = {"metric", "limit", "severity", "decides_by", "kind", "source", "certainty", "jurisdiction"}
        measured = self.measurement
        return self.rule.model_dump(include=facts) | {
            "rule": self.rule.id,
            "attribute": self.attribute,
            "outcome": self.outcome,
            "reason": self.reason,
            "value": None if measured is None else measured.value,
            "low": None if measured is None else measured.low,
            "high": None if measured is None else measured.high,
            "confidence": None if measured is None else measured.confidence,
            "support": {} if measured is None else dict(measured.support),
            **({"rates": dict(measured.rates)} if measured is not None and measured.rates else {}),
            **({} if self.more_rows is None else {"more_rows": codec.write(self.more_rows)}),
        }


def evaluate(rule: Rule, attribute: str | None, evidence: Mapping[str, Evidence]) -> Finding:
    """Apply the rule, for `attribute` (None: for all rows), to the evidence documents by name."""
    subject = metric_catalogue.subject(rule.metric, attribute)
    verb = "are" if rule.measurement in _PLURAL else "is"
    measured = _look_up(rule, attribute, evidence)
    if isinstance(measured, str):
        outcome = None if rule.decides_by == "report_only" else Outcome.NOT_EVALUATED
        reason = f"{subject} {verb} not evaluated: {measured}"
        return Finding(rule=rule, attribute=attribute, measurement=None, outcome=outcome, reason=reason)
    decision = _decide(rule, measured)
    limit = f"limit: {wording.limit(rule.limit.model_dump())}" if rule.limit else None
    failures = _failures(evidence[rule.document]) if rule.measurement == "blocking_failures" else []
    who = compared_rates.sentence(rule.metric, measured.rates, measured.support)
    figure = f"{subject} {verb} {_in_words(measured, rule.limit)}"
    said = f"{who}: {figure}" if who else figure
    return Finding(
        rule=rule,
        attribute=attribute,
        measurement=measured,
        outcome=decision.outcome,
        reason=all_reasons(said, limit, decision.reason, *failures),
        more_rows=decision.more_rows,
    )


def titled(finding: Finding, titles: Mapping[str, str]) -> Finding:
    """The finding with the titles of its attributes in its sentence; nothing else of it changes."""
    if finding.attribute is None or not titles:
        return finding
    parts = (titles.get(name, name) for name in finding.attribute.split(INTERSECTION))
    metric = finding.rule.metric
    plain = metric_catalogue.subject(metric, finding.attribute)
    words = metric_catalogue.subject(metric, INTERSECTION.join(parts))
    return replace(finding, reason=finding.reason.replace(plain, words, 1))


def evaluate_attempt(
    rule: Rule, attribute: str | None, evidence: Mapping[str, Evidence], attempt: int
) -> Finding:
    """As `evaluate`, for attempt number `attempt` under a policy that spends its level over attempts.

    A rule that decides by an interval of test rows passes only where it passes at the attempt's share of its
    level, too; a failure needs no more than the level itself. Any other rule decides as it always does.
    """
    finding = evaluate(rule, attribute, evidence)
    document = evidence.get(rule.document)
    spends = rule.decides_by == "interval" and rule.document in TEST_ROWS
    if finding.outcome is not Outcome.PASS or not spends:
        return finding
    share = attempt_terms.share(attempt)
    if share is None:
        reason = f"{finding.reason}; after attempt {attempt_terms.MOST} nothing is left of the level"
        return replace(finding, outcome=Outcome.INSUFFICIENT_EVIDENCE, reason=reason)
    if not isinstance(document, LevelledDocument) or not document.levels:
        reason = f"{finding.reason}; no interval was measured for attempt {attempt}: run the pipeline again"
        return replace(finding, outcome=Outcome.NOT_EVALUATED, reason=reason)
    stricter = rule.model_copy(update={"confidence": attempt_terms.at_share(rule.confidence, share)})
    levelled = replace(document, measurements=document.measurements_at(share))
    decided = evaluate(stricter, attribute, {**evidence, rule.document: levelled})
    outcome = Outcome.INSUFFICIENT_EVIDENCE if decided.outcome is Outcome.FAIL else decided.outcome
    reason = f"{decided.reason}; as attempt {attempt} it is decided at 1/{round(1 / share)} of the level"
    return replace(decided, rule=rule, outcome=outcome, reason=reason)


def by_interval(
    limit: Limit, measured: Measurement, *, support: Mapping[str, int], minimum: int = 0
) -> RuleDecision:
    """Pass when the whole interval keeps the limit, fail when none of it does, else insufficient evidence.

    `support` counts the rows that more would be added to. Raises ValueError without an interval.
    """
    low, high = measured.low, measured.high
    if low is None or high is None:
        raise ValueError("there is no interval to decide by")
    if limit.encloses(low, high):
        return RuleDecision(outcome=Outcome.PASS)
    if limit.excludes(low, high):
        return RuleDecision(outcome=Outcome.FAIL)
    more = sample_size.estimate(measured, limit.ends, support, minimum=minimum)
    return RuleDecision(
        outcome=Outcome.INSUFFICIENT_EVIDENCE,
        reason=f"the interval straddles the limit; {sample_size.sentence(more)}",
        more_rows=more,
    )


def all_reasons(*reasons: str | None) -> str:
    """Every reason that there is, none in place of another."""
    return "; ".join(reason for reason in reasons if reason)


def too_few(support: Mapping[str, int], minimum: int) -> str | None:
    """Which groups have fewer rows than `minimum`, and how many they are short; None when none has."""
    small = {group: rows for group, rows in sorted(support.items()) if rows < minimum}
    groups = ", ".join(f"{group} has {rows} ({minimum - rows} short)" for group, rows in small.items())
    return f"each group needs at least {minimum} rows; {groups}" if small else None


def _failures(document: Evidence) -> list[str]:
    """The first blocking expectations that the table breaks, in the words of the validation."""
    expectations = document.expectations if isinstance(document, ValidationDocument) else ()
    details = [expectation.detail for expectation in expectations if expectation.blocks]
    more = [f"and {len(details) - _MOST_FAILURES} more"] if len(details) > _MOST_FAILURES else []
    return details[:_MOST_FAILURES] + more


def _look_up(rule: Rule, attribute: str | None, evidence: Mapping[str, Evidence]) -> Measurement | str:
    """The measurement the rule reads, or why there is none."""
    document = evidence.get(rule.document)
    if document is None or document.status == "missing":
        return f"there is no {rule.document} evidence"
    if not document.is_measured:
        return f"{rule.document} is {document.status} ({document.because})"
    measured = document.measurements.get(rule.measurement)
    missing = f"{rule.document} has no {rule.measurement}" + (f" for {attribute}" if attribute else "")
    if measured is None:
        return missing
    if isinstance(measured, Measurement):
        return missing if attribute else _sound(rule, measured)
    if attribute is None:
        return f"{rule.metric} is measured by attribute, and the rule does not name one"
    key = _key(measured, attribute)
    return missing if key is None else _sound(rule, measured[key])


def _key(measurements: Mapping[str, Any], name: str) -> str | None:
    """The key for `name`, where an intersection is the same in any order; None if there is none."""
    if name in measurements:
        return name
    attributes = schema.attribute_set(name)
    return next((key for key in measurements if schema.attribute_set(key) == attributes), None)


def _sound(rule: Rule, measured: Measurement) -> Measurement | str:
    """The measurement, or why it cannot be used."""
    if measured.low is not None and measured.high is not None and measured.low > measured.high:
        return f"{rule.metric} is not a usable measurement (its interval is reversed)"
    return measured


def _decide(rule: Rule, measured: Measurement) -> RuleDecision:
    if rule.decides_by == "report_only":
        return RuleDecision(outcome=None, reason="reported, not decided")
    if measured.value is None:
        return RuleDecision(outcome=Outcome(rule.undefined))
    small = _small_groups(rule, measured)
    if rule.limit is None:
        return small or RuleDecision(
            outcome=Outcome.PASS, reason="it was measured; the value decides nothing"
        )
    if rule.decides_by == "point":
        holds = rule.limit.encloses(measured.value, measured.value)
        return small or RuleDecision(outcome=Outcome.PASS if holds else Outcome.FAIL)
    decision = _by_bounds(rule, rule.limit, measured)
    if small is None or decision.outcome is Outcome.FAIL:  # small groups never excuse a proven failure
        return decision
    return RuleDecision(
        outcome=small.outcome,
        reason=all_reasons(decision.reason, small.reason),
        more_rows=decision.more_rows or small.more_rows,
    )


def _by_bounds(rule: Rule, limit: Limit, measured: Measurement) -> RuleDecision:
    if measured.lack is not None:
        return RuleDecision(
            outcome=Outcome.INSUFFICIENT_EVIDENCE,
            reason=f"there is no interval to decide by: {measured.lack}",
            more_rows=sample_size.lacking(measured.support, rule.minimum_support),
        )
    if measured.low is None or measured.high is None or measured.confidence is None:
        reason = f"there is no interval to decide by ({measured.method})"
        return RuleDecision(outcome=Outcome.NOT_EVALUATED, reason=reason)
    if measured.confidence < rule.confidence:
        reason = f"the rule asks for {_percent(rule.confidence)} confidence"
        return RuleDecision(outcome=Outcome.NOT_EVALUATED, reason=reason)
    if rule.decides_by == "interval":
        return by_interval(limit, measured, support=measured.support, minimum=rule.minimum_support)
    return _by_significance(rule, measured)


def _by_significance(rule: Rule, measured: Measurement) -> RuleDecision:
    """Outside the limit and not by chance: fail. Outside, perhaps by chance: insufficient evidence."""
    value, equal_at = measured.value, rule.equal_at
    if value is None or measured.low is None or measured.high is None:
        raise ValueError("there is no interval to decide by")
    significant = equal_at is not None and not measured.low <= equal_at <= measured.high
    if rule.limit is not None and rule.limit.encloses(value, value):
        reason = "the gap is significant, but within the limit" if significant else None
        return RuleDecision(outcome=Outcome.PASS, reason=reason)
    if significant:
        return RuleDecision(outcome=Outcome.FAIL, reason="the gap is significant")
    ends = [] if equal_at is None else [equal_at]
    more = sample_size.estimate(measured, ends, measured.support, minimum=rule.minimum_support)
    return RuleDecision(
        outcome=Outcome.INSUFFICIENT_EVIDENCE,
        reason=f"the gap is not significant and may be chance; {sample_size.sentence(more)}",
        more_rows=more,
    )


def _small_groups(rule: Rule, measured: Measurement) -> RuleDecision | None:
    """The decision when groups are too small for the rule; None when none is."""
    if rule.minimum_support == 0:
        return None
    if not measured.support:
        reason = (
            f"the rule needs {rule.minimum_support} rows, and the evidence does not say how many there are"
        )
        return RuleDecision(outcome=Outcome.NOT_EVALUATED, reason=reason)
    short = too_few(measured.support, rule.minimum_support)
    if short is None:
        return None
    more = sample_size.lacking(measured.support, rule.minimum_support)
    return RuleDecision(outcome=Outcome.INSUFFICIENT_EVIDENCE, reason=short, more_rows=more)


def _in_words(measured: Measurement, limit: Limit | None) -> str:
    text = wording.measurement(measured.to_json(), beside=[] if limit is None else limit.ends)
    confidence = measured.confidence
    return text if confidence is None else text.replace("(", f"({_percent(confidence)} interval ", 1)


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"
