"""A verdict in one sentence, and the next steps: for the page, the terminal and notifications.

It repeats what was decided and never decides again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from clearance import wording
from clearance.documents import compared_rates, metric_catalogue
from clearance.documents.made_elsewhere import Known
from clearance.documents.measurement import Outcome
from clearance.documents.training_document import ExternalModel
from clearance.documents.verdict_document import RuleFinding, VerdictDocument
from clearance.policy import judgement, sample_size
from clearance.policy.limit import Limit

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
_WORDS = {str(outcome): word.lower() for outcome, word in VERDICTS.items()}
_DATA_DOCUMENTS = ("validation_raw", "validation_prepared", "split")


def word(verdict: str) -> str:
    """The word for a recorded verdict inside a sentence: `fail` is "refused". Any other text is returned."""
    return _WORDS.get(verdict, verdict)


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


def declaration(model: ExternalModel) -> str:
    """One sentence: that the model was made elsewhere, what of it is here, and who declares the rest."""
    here = "only its answers are here" if Known.of(model).answers_alone else "its file is here"
    return f"This model was made elsewhere, and {here}. Declared by {model.declared_by}."


def next_steps(verdict: VerdictDocument, external: ExternalModel | None = None) -> list[str]:
    """What would decide or change the verdict, a sentence each; what a pass applies to.

    `external` is the model where it was made elsewhere.
    """
    policy, findings = verdict.policy, deciding_findings(verdict)
    if verdict.verdict == Outcome.PASS:
        return [
            f"It applies to this model, this data and policy {policy.id} {policy.version} as of "
            f"{policy.as_of}; if any of them changes, run again."
        ]
    if not findings:
        return ["Correct the policy or params.yaml as the sentence above says, and run again."]
    advise, beyond = _ADVICE[verdict.verdict], _beyond(verdict, external)
    subjects: dict[str, list[str]] = {}
    for finding in findings:
        advice = f"{_remedy(external, beyond)}." if finding in beyond else advise(finding)
        subjects.setdefault(advice, []).append(subject(finding))
    for finding, outcome in _undecided_beside(verdict):
        advice = f"it blocks, too: {_ADVICE[outcome](finding)}"
        subjects.setdefault(advice, []).append(subject(finding))
    return [f"For {wording.join_names(names)}: {advice}" for advice, names in subjects.items()]


@dataclass(frozen=True, kw_only=True)
class Action:
    """What somebody can do next: who, what, and the command, empty where there is none."""

    by: str
    what: str
    command: str = ""


_RUN = "clearance run"


def actions(verdict: VerdictDocument, external: ExternalModel | None = None) -> list[Action]:
    """What to do next, by whom, and what that person types; `VERSION` is the candidate's number.

    `external` is the model where it was made elsewhere.
    """
    if verdict.what_if:
        return [
            Action(by="anybody", what="this was a what-if; judge by the project's own policy", command=_RUN)
        ]
    if beyond := _beyond(verdict, external):
        asked = Action(by="the team that brought the model", what=_remedy(external, beyond), command=_RUN)
        return [asked] if len(beyond) == len(deciding_findings(verdict)) else [asked, _REMOVE_CAUSE]
    return _ACTIONS[verdict.verdict](verdict)


def _beyond(verdict: VerdictDocument, external: ExternalModel | None) -> list[RuleFinding]:
    """The findings that made the verdict because it cannot be measured of a model made elsewhere."""
    if external is None or verdict.verdict is not Outcome.NOT_EVALUATED:
        return []
    names = Known.of(external).beyond
    return [
        finding for finding in deciding_findings(verdict) if finding.metric in names and finding.value is None
    ]


def _remedy(external: ExternalModel | None, findings: Iterable[RuleFinding]) -> str:
    metrics = {finding.metric for finding in findings}
    return "" if external is None else Known.of(external).remedy(metrics)


def _after_pass(_: VerdictDocument) -> list[Action]:
    return [
        Action(
            by="the people whom the policy asks to approve, if any",
            what="check the candidate, then approve or reject it",
            command="clearance verify VERSION && clearance approve VERSION --as NAME --reason TEXT",
        )
    ]


def _after_refusal(verdict: VerdictDocument) -> list[Action]:
    findings = deciding_findings(verdict)
    if findings and all(finding.metric.partition(".")[0] in _DATA_DOCUMENTS for finding in findings):
        return [
            Action(by="the owner of the data", what="deliver data that meet the rules above", command=_RUN)
        ]
    return [
        Action(
            by="the data scientist",
            what="try another model, mitigation or threshold (`train` in params.yaml) or better data",
            command=_RUN,
        )
    ]


_MANY_TIMES = 20
"""So many times the rows nobody collects soon."""


def _without_evidence(verdict: VerdictDocument) -> list[Action]:
    estimates = [finding.more_rows for finding in deciding_findings(verdict) if finding.more_rows]
    is_near = any(more.times is None or more.times > _MANY_TIMES for more in estimates)
    first = Action(
        by="the owner of the data",
        what="add the rows named here; they are test rows, a part of those collected",
        command=_RUN,
    )
    if is_near:
        near = (
            "a value lies so near its limit that rows will hardly settle it: try another model or mitigation"
        )
        first = Action(by="the data scientist", what=near, command=_RUN)
    return [
        first,
        Action(
            by="two people with the right to override",
            what="or allow it for a limited time, and say why",
            command="clearance override VERSION --as NAME --until DATE --reason TEXT",
        ),
    ]


_REMOVE_CAUSE = Action(by="the data scientist", what="remove the cause named here", command=_RUN)


def _without_measurement(_: VerdictDocument) -> list[Action]:
    return [_REMOVE_CAUSE]


_ACTIONS: Mapping[Outcome, Callable[[VerdictDocument], list[Action]]] = {
    Outcome.PASS: _after_pass,
    Outcome.FAIL: _after_refusal,
    Outcome.INSUFFICIENT_EVIDENCE: _without_evidence,
    Outcome.NOT_EVALUATED: _without_measurement,
}


def who(verdict: VerdictDocument) -> list[str]:
    """Who is worse off by the findings that made the verdict, or that come closest to it, each pair once.

    Each begins with the attribute: "By sex: women 14.4% (704 of 4,889), men …". Empty where no finding
    compares rates of groups.
    """
    findings = [finding for finding in deciding_findings(verdict) if finding.metric.startswith("fairness.")]
    sentences = (
        (finding.attribute, compared_rates.sentence(finding.metric, finding.rates, finding.support))
        for finding in findings
    )
    return list(dict.fromkeys(f"By {attribute}: {sentence}" for attribute, sentence in sentences if sentence))


def worst_first(finding: RuleFinding) -> tuple[bool, bool, int, float]:
    """The order in which findings are shown: what fails or lacks evidence before what passes, what blocks
    before what warns, then by outcome, then by how far the value lies beyond its limit."""
    settled = finding.outcome in (None, Outcome.PASS)
    order = (
        len(judgement.WORST_FIRST)
        if finding.outcome is None
        else judgement.WORST_FIRST.index(finding.outcome)
    )
    return settled, finding.severity != "block", order, -excess(finding)


def excess(finding: RuleFinding) -> float:
    """How far the value lies beyond its limit, as a share of the limit: below 0 within it, 0 without one."""
    if finding.value is None or finding.limit is None:
        return 0.0
    low, high = finding.limit.at_least, finding.limit.at_most
    beyond = [
        *([] if low is None else [(low - finding.value) / (abs(low) or 1.0)]),
        *([] if high is None else [(finding.value - high) / (abs(high) or 1.0)]),
    ]
    return max(beyond, default=0.0)


def in_brief(finding: RuleFinding) -> str:
    """A finding in one line: what was measured, with its interval and the limit."""
    limit = vars(finding.limit) if finding.limit else None
    ends = vars(finding.limit).values() if finding.limit else ()
    return f"{subject(finding)} {wording.measurement(vars(finding), ends)}, limit {wording.limit(limit)}"


def subject(finding: RuleFinding) -> str:
    """What a finding is about: "demographic parity ratio by race"."""
    return metric_catalogue.subject(finding.metric, finding.attribute)


def _undecided_beside(verdict: VerdictDocument) -> list[tuple[RuleFinding, Outcome]]:
    """The blocking findings that do not pass, beside those that made the verdict, with their outcomes."""
    deciding = deciding_findings(verdict)
    return [
        (finding, finding.outcome)
        for finding in sorted(_blocking(verdict), key=worst_first)
        if finding.outcome and finding.outcome is not Outcome.PASS and finding not in deciding
    ]


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
    if more.times is None or more.times > sample_size.FAR:
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
