"""The verdict of a policy: what must hold before a model may be promoted.

Plain data in, plain data out. Nothing here reads a file, a clock or a registry, so any verdict can be
replayed from the evidence it cites. Missing evidence is never a pass.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from clearance import labels, params
from clearance.documents.evidence_document import Evidence
from clearance.documents.measurement import INTERSECTION, Outcome
from clearance.policy import attempt_terms, findings
from clearance.policy.findings import Finding
from clearance.policy.schema import Policy, Rule

WORST_FIRST = (Outcome.FAIL, Outcome.NOT_EVALUATED, Outcome.INSUFFICIENT_EVIDENCE, Outcome.PASS)
"""The outcomes in the order in which they decide a verdict."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What the data scientist declared: the attributes assessed, the target, its favourable value.

    `titles` are the words by which sentences name attributes; they decide nothing.
    """

    attributes: tuple[str, ...]
    target: str
    favourable: params.Scalar
    titles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome, the sentences that explain it, every finding, and the rules not in force that day."""

    outcome: Outcome
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    not_in_force: tuple[Rule, ...]

    def to_json(self) -> dict[str, Any]:
        """The verdict as it is written in `reports/verdict.json`."""
        dates = {"id", "valid_from", "valid_until"}
        return {
            "verdict": self.outcome,
            "reasons": list(self.reasons),
            "findings": [finding.to_json() for finding in self.findings],
            "not_in_force": [rule.model_dump(mode="json", include=dates) for rule in self.not_in_force],
        }


def declaration_of(data: params.Data) -> Declaration:
    """The part of `params.yaml` that a policy constrains."""
    return Declaration(
        attributes=tuple(data.protected),
        target=data.target,
        favourable=data.favourable,
        titles=data.titles,
    )


def judge(
    policy: Policy,
    evidence: Mapping[str, Evidence],
    declaration: Declaration,
    as_of: dt.date,
    attempt: int = 1,
) -> Verdict:
    """Apply the rules in force on `as_of` to the evidence documents, by name.

    A "no" is a value, never an exception. The verdict is the worst outcome of the blocking rules (fail, then
    not evaluated, then insufficient evidence), and a pass only when there is one and all of them pass. When
    the declaration is not what the policy demands, the verdict is not evaluated. `attempt` counts the models
    judged under this name since its last promotion, this one included: it matters where the policy spends its
    level over attempts.
    """
    in_force = [rule for rule in policy.rules if rule.in_force(as_of)]
    spends = policy.spends(as_of)
    evaluate = partial(findings.evaluate_attempt, attempt=attempt) if spends else findings.evaluate
    results = tuple(
        findings.titled(evaluate(rule, name, evidence), declaration.titles)
        for rule in in_force
        for name in rule.read_for
    )
    blocking = [
        result for result in results if result.rule.severity == "block" and result.outcome is not None
    ]
    problems = _mismatches(policy, declaration)
    attributes = {name for rule in in_force for name in rule.read_for}
    problems += [
        f"policy {policy.id} demands an assessment of `{name}`, but no rule in force on {as_of} reads it"
        for name in policy.attributes
        if in_force and name not in attributes
    ]
    if not blocking:
        problems.append(f"policy {policy.id} has no rule in force on {as_of} that decides and blocks")
    outcome = Outcome.NOT_EVALUATED if problems else worst(result.outcome for result in blocking)
    return Verdict(
        outcome=outcome,
        reasons=tuple(problems or [result.reason for result in blocking if result.outcome == outcome]),
        findings=results,
        not_in_force=tuple(rule for rule in policy.rules if not rule.in_force(as_of)),
    )


def passes_until(
    policy: Policy, evidence: Mapping[str, Evidence], declaration: Declaration, as_of: dt.date
) -> int:
    """The last attempt as which the evidence passes, under a policy that spends its level; 0: as none."""
    passing = 0
    for rung in range(attempt_terms.RUNGS):
        if judge(policy, evidence, declaration, as_of, 2**rung).outcome is not Outcome.PASS:
            return passing
        passing = 2 ** (rung + 1) - 1
    return passing


def worst(outcomes: Iterable[Outcome | None]) -> Outcome:
    """The outcome that decides: the worst of all. Raises ValueError when there is none."""
    return min((outcome for outcome in outcomes if outcome is not None), key=WORST_FIRST.index)


def _is_intersection(name: str, declared: tuple[str, ...]) -> bool:
    """Whether the name is an intersection of declared attributes, in the order they are declared."""
    parts = name.split(INTERSECTION)
    return len(parts) > 1 and [attribute for attribute in declared if attribute in parts] == parts


def _mismatches(policy: Policy, declaration: Declaration) -> list[str]:
    problems = [
        f"the policy demands an assessment of `{name}`, but params.yaml does not declare it as protected: "
        "add it to `data.protected`"
        for name in policy.attributes
        if name not in declaration.attributes and not _is_intersection(name, declaration.attributes)
    ]
    demanded = policy.favourable
    same_value = labels.same(demanded.value, declaration.favourable)
    if demanded.target != declaration.target or not same_value:
        problems.append(
            f"the favourable outcome is `{demanded.target}` = {demanded.value!r} in the policy, "
            f"but `{declaration.target}` = {declaration.favourable!r} in params.yaml: "
            "correct `data.target` or `data.favourable`"
        )
    return problems
