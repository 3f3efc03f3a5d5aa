"""Release policy: what must hold before a model may be promoted.

Plain data in, plain data out. Nothing here reads a file, a clock or a registry,
so any verdict can be replayed from the evidence it cites. What is missing is never a pass.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clearance import params
from clearance.documents.measurement import INTERSECTION, Outcome
from clearance.policy import findings
from clearance.policy.findings import Finding
from clearance.policy.schema import Policy, Rule

_WORST_FIRST = (Outcome.FAIL, Outcome.NOT_EVALUATED, Outcome.INSUFFICIENT_EVIDENCE)


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What the data scientist declared: the attributes assessed, the target, its favourable value."""

    attributes: tuple[str, ...]
    target: str
    favourable: params.Scalar


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome, the sentences that carry it, every finding, and the rules not in force that day."""

    outcome: Outcome
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    not_in_force: tuple[Rule, ...]

    def to_json(self) -> dict[str, Any]:
        """The verdict as it stands in `reports/verdict.json`."""
        dates = {"id", "valid_from", "valid_until"}
        return {
            "verdict": self.outcome,
            "reasons": list(self.reasons),
            "findings": [finding.to_json() for finding in self.findings],
            "not_in_force": [rule.model_dump(mode="json", include=dates) for rule in self.not_in_force],
        }


def declaration_of(data: params.Data) -> Declaration:
    """What `params.yaml` declares, as far as a policy has a say in it."""
    return Declaration(attributes=tuple(data.protected), target=data.target, favourable=data.favourable)


def judge(policy: Policy, evidence: Mapping[str, Any], declaration: Declaration, as_of: dt.date) -> Verdict:
    """Hold the evidence documents (by name) against the rules in force on `as_of`.

    A "no" is a value, never an exception. The verdict is the worst finding of the blocking rules (fail,
    then not evaluated, then insufficient evidence), and a pass only when there is one and all of them
    pass. Where the declaration is not what the policy demands, nothing was evaluated in its sense.
    """
    in_force = [rule for rule in policy.rules if rule.in_force(as_of)]
    found = tuple(findings.find(rule, name, evidence) for rule in in_force for name in rule.read_for)
    deciding = [
        finding for finding in found if finding.rule.severity == "block" and finding.outcome is not None
    ]
    faults = _mismatches(policy, declaration)
    read = {name for rule in in_force for name in rule.read_for}
    faults += [
        f"policy {policy.id} demands that `{name}` is assessed, and no rule in force on {as_of} reads it"
        for name in policy.attributes
        if in_force and name not in read
    ]
    if not deciding:
        faults.append(f"no rule of policy {policy.id} that decides and blocks is in force on {as_of}")
    outcome = Outcome.NOT_EVALUATED if faults else _worst(deciding)
    return Verdict(
        outcome=outcome,
        reasons=tuple(faults or [finding.reason for finding in deciding if finding.outcome == outcome]),
        findings=found,
        not_in_force=tuple(rule for rule in policy.rules if not rule.in_force(as_of)),
    )


def _worst(deciding: list[Finding]) -> Outcome:
    seen = {finding.outcome for finding in deciding}
    return next((outcome for outcome in _WORST_FIRST if outcome in seen), Outcome.PASS)


def _intersects(name: str, declared: tuple[str, ...]) -> bool:
    """Whether the name is an intersection of declared attributes, in the order they are declared."""
    parts = name.split(INTERSECTION)
    return len(parts) > 1 and [each for each in declared if each in parts] == parts


def _mismatches(policy: Policy, declaration: Declaration) -> list[str]:
    faults = [
        f"the policy demands that `{name}` is assessed, and the parameters do not declare it protected"
        for name in policy.attributes
        if name not in declaration.attributes and not _intersects(name, declaration.attributes)
    ]
    demanded, given = policy.favourable, declaration
    if (demanded.target, demanded.value) != (given.target, given.favourable):
        faults.append(
            f"the policy calls `{demanded.target}` = {demanded.value!r} favourable, "
            f"the parameters `{given.target}` = {given.favourable!r}"
        )
    return faults
