"""One cause told once: the findings that could not be evaluated, by what prevented it.

A table that may not be used leaves every later figure unmeasured, and each rule says so again. Here the cause
comes first, with the findings that wait for it. Nothing is decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from clearance import wording
from clearance.documents import metric_catalogue
from clearance.documents.measurement import Outcome
from clearance.documents.validation_document import Expectation
from clearance.documents.verdict_document import RuleFinding

_NO_FIGURE = re.compile(r"(?:is|are) (?:not evaluated|undefined): ")
_UNUSABLE = re.compile(r"\w+ is (?:blocked|missing|unreadable|stale) \((.*)\)", re.DOTALL)
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why these findings have no measurement to decide by."""

    reason: str
    findings: tuple[RuleFinding, ...]

    def __str__(self) -> str:
        subjects = [metric_catalogue.subject(finding.metric, finding.attribute) for finding in self.findings]
        if self.reason == self.findings[0].reason:  # it names its subject
            return self.reason
        if len(subjects) == 1:
            return f"{subjects[0]} could not be evaluated: {self.reason}"
        more = len(subjects) - _NAMED
        named = subjects if more <= 0 else [*subjects[:_NAMED], f"{wording.count(more)} more"]
        count = wording.count(len(subjects))
        return (
            f"{self.reason}; {count} checks could not be evaluated because of it: {wording.join_names(named)}"
        )


def of(findings: Iterable[RuleFinding]) -> list[Cause]:
    """The causes of the findings that were not evaluated, in their order; empty where all were."""
    by_reason: dict[str, list[RuleFinding]] = {}
    for finding in findings:
        if finding.outcome is Outcome.NOT_EVALUATED:
            by_reason.setdefault(_reason(finding), []).append(finding)
    return [Cause(reason=reason, findings=tuple(group)) for reason, group in by_reason.items()]


def _reason(finding: RuleFinding) -> str:
    *_, said = _NO_FIGURE.split(finding.reason, maxsplit=1)
    if finding.limit is not None and said != finding.reason:
        said = said.removesuffix(f"; limit: {wording.limit(vars(finding.limit))}")
    document = _UNUSABLE.fullmatch(said)
    return document[1] if document else said


def remedy(expectation: Expectation) -> str:
    """Where to change what an expectation asks, as the line of params.yaml, or else the data."""
    if expectation.column is None:
        return "correct the table, or what `data` in params.yaml says of it"
    return f"correct the data, or `data.columns.{expectation.column}` in params.yaml"
