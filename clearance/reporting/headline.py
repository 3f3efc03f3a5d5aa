"""A verdict in one sentence, and the next steps: for the page, the terminal and notifications.

It repeats what was decided and never decides again.
"""

from __future__ import annotations

from clearance import wording
from clearance.documents import metric_catalogue
from clearance.documents.measurement import Outcome
from clearance.documents.verdict_document import RuleFinding, VerdictDocument
from clearance.policy import sample_size
from clearance.policy.schema import Limit

VERDICTS = {
    Outcome.PASS: "Pass",
    Outcome.FAIL: "Refused",
    Outcome.INSUFFICIENT_EVIDENCE: "Insufficient evidence",
    Outcome.NOT_EVALUATED: "Not evaluated",
}
"""The word for a whole verdict; a single finding that fails is a "Fail", a run that fails is refused."""

_VERBS = {
    Outcome.PASS: ("passes", "pass"),
    Outcome.FAIL: ("fails", "fail"),
    Outcome.INSUFFICIENT_EVIDENCE: ("lacks evidence", "lack evidence"),
    Outcome.NOT_EVALUATED: ("is not evaluated", "are not evaluated"),
}
_DATA_DOCUMENTS = ("validation_raw", "validation_prepared", "split")


def deciding_findings(verdict: VerdictDocument) -> list[RuleFinding]:
    """The findings that made the verdict: those of blocking rules with the verdict's own outcome.

    Empty when the verdict rests on no finding (the policy and the parameters do not fit together).
    """
    findings = [finding for finding in _blocking(verdict) if finding.outcome == verdict.verdict]
    reasons = [finding.reason for finding in findings]
    if verdict.verdict != Outcome.PASS and reasons != list(verdict.reasons):
        return []
    return findings


def sentence(verdict: VerdictDocument) -> str:
    """One plain sentence: which rules made the verdict, with the numbers when it is a single one."""
    findings, outcome = deciding_findings(verdict), verdict.verdict
    if not findings:
        return wording.sentence("; ".join(verdict.reasons) or "no reason was recorded")
    if len(findings) == 1 and outcome != Outcome.PASS:
        return wording.sentence(findings[0].reason)
    total = len(_blocking(verdict))
    subjects = "" if outcome == Outcome.PASS else f": {wording.join_names(map(subject, findings))}"
    if total == 1 and outcome == Outcome.PASS:
        return "The only blocking check passes."
    share = f"All {total}" if len(findings) == total else f"{len(findings)} of {total}"
    return f"{share} blocking checks {_VERBS[outcome][len(findings) > 1]}{subjects}."


def next_steps(verdict: VerdictDocument) -> list[str]:
    """What would decide or change the verdict, a sentence each; what a pass applies to."""
    policy, findings = verdict.policy, deciding_findings(verdict)
    if verdict.verdict == Outcome.PASS:
        return [
            f"It applies to this model, this data and policy {policy.id} {policy.version} as of "
            f"{policy.as_of}; if any of them changes, run again."
        ]
    if not findings:
        return ["Correct the policy or params.yaml as the sentence above says, and run again."]
    advise = _ADVICE[verdict.verdict]
    subjects: dict[str, list[str]] = {}
    for finding in findings:
        subjects.setdefault(advise(finding), []).append(subject(finding))
    return [f"For {wording.join_names(names)}: {advice}" for advice, names in subjects.items()]


def subject(finding: RuleFinding) -> str:
    """What a finding is about: "demographic parity ratio by race"."""
    return metric_catalogue.subject(finding.metric, finding.attribute)


def _blocking(verdict: VerdictDocument) -> list[RuleFinding]:
    return [finding for finding in verdict.findings if finding.severity == "block" and finding.outcome]


def _after_fail(finding: RuleFinding) -> str:
    limit = wording.limit(vars(finding.limit) if finding.limit else None)
    if finding.metric.partition(".")[0] in _DATA_DOCUMENTS:
        return f"other data, so that it is {limit}; no model can change this."
    extent = "the whole interval" if finding.low is not None else "it"
    return f"another model or other data, so that {extent} is {limit}."


def _after_insufficient(finding: RuleFinding) -> str:
    """The answer of `clearance.policy.sample_size`, which the finding carries."""
    if finding.value is None:
        return "rows in every group for which the metric is defined."
    if (more := finding.more_rows) is None:
        return "more rows, another model or other data."
    if more.times is None:
        return f"another model or other data; {sample_size.sentence(more)}."
    limit = finding.limit and Limit.model_validate(vars(finding.limit))
    if limit and not limit.encloses(finding.value, finding.value):
        outlook = "The result would probably be a fail: the value itself is outside the limit."
        return f"{sample_size.sentence(more)}. {outlook}"
    return f"{sample_size.sentence(more)}."


def _after_not_evaluated(_: RuleFinding) -> str:
    return "the evidence that the reason says is missing; then run the pipeline again."


_ADVICE = {
    Outcome.FAIL: _after_fail,
    Outcome.INSUFFICIENT_EVIDENCE: _after_insufficient,
    Outcome.NOT_EVALUATED: _after_not_evaluated,
}
