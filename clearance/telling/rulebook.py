"""A policy in plain words: what a rule asks, who says so and how sure that is, and what to beware of.

Reads the policy alone. It repeats what compliance wrote and judges no evidence.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterator

from clearance.errors import ConfigurationError
from clearance.judging import rules
from clearance.telling import glossary, wording

CERTAINTIES = {
    "text": "its wording was seen",
    "secondary": "known from a secondary source",
    "memory": "not confirmed",
    None: "how well the source is known is not stated",
}
_KINDS = {"legal": "The law or regulation", "engineering": "An engineering convention, no law"}
_WEIGHTS = {
    "block": "It blocks: a model that does not pass it is not released.",
    "warn": "It warns: it is told, and stops nothing.",
}


def explain(policy: rules.Policy, name: str) -> list[str]:
    """The rule called `name`, a line for each thing to know. Raises ConfigurationError when there is none."""
    rule = _called(policy, name)
    lines = [
        f"Rule {rule.id} of policy {policy.id}, version {policy.version} ({policy.title})",
        f"What is measured: {_measured(rule)}.",
        f"Limit: {wording.limit(rule.limit.model_dump() if rule.limit else None)}.",
        f"How it decides: {_decides(rule)}",
    ]
    if rule.decides_by != "report_only":
        lines += [f"What it does: {_WEIGHTS[rule.severity]}", f"Without a number: {_undefined(rule)}."]
    if rule.minimum_support:
        lines.append(f"Rows needed: {rule.minimum_support} in every group; with fewer it is not enough.")
    where = f", for {rule.jurisdiction}" if rule.jurisdiction else ""
    return [
        *lines,
        f"Who says so: {_KINDS[rule.kind]}{where}. {wording.sentence(rule.source)}",
        f"How sure: {CERTAINTIES[rule.certainty]}.",
        f"In force: {_dates(rule)}.",
    ]


def cautions(policy: rules.Policy, as_of: dt.date) -> Iterator[str]:
    """What is valid to write and perhaps not meant, a sentence each, as the rules stand on `as_of`."""
    for rule in policy.rules:
        if rule.valid_until is not None and rule.valid_until < as_of:
            yield f"rule {rule.id} is out of date: its last day was {rule.valid_until}"
        if rule.valid_from > as_of:
            yield f"rule {rule.id} has never been in force: its first day is {rule.valid_from}"
        if rule.kind == "legal" and rule.certainty is None:
            yield f"rule {rule.id} is legal and does not say how well its source is known (`certainty`)"
    small = policy.impact_table
    if small and small.excluded and not small.valid_from <= as_of <= (small.valid_until or as_of):
        yield f"impact_table is not in force on {as_of}: nobody in `excluded` is left out"
    in_force = [rule for rule in policy.rules if rule.in_force(as_of)]
    if not any(rule.severity == "block" and rule.decides_by != "report_only" for rule in in_force):
        yield f"no rule in force on {as_of} decides and blocks: no model can pass this policy"
    read = {name for rule in in_force for name in rule.read_for}
    for name in policy.attributes:
        if name not in read:
            yield f"{name} must be assessed, and no rule in force on {as_of} reads it"


def _called(policy: rules.Policy, name: str) -> rules.Rule:
    found = {rule.id: rule for rule in policy.rules}
    if name in found:
        return found[name]
    close = difflib.get_close_matches(name, found, n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    raise ConfigurationError(
        f"policy {policy.id} has no rule {name}{meant}", f"name one of its rules: {', '.join(found)}"
    )


def _measured(rule: rules.Rule) -> str:
    by = [name for name in rule.read_for if name is not None]
    groups = f" by {wording.listed(by)}" if by else ""
    told = glossary.METRICS.get(rule.metric, f"as it stands in reports/{rule.document}.json")
    return f"{wording.metric(rule.metric)}{groups}: {told}"


def _decides(rule: rules.Rule) -> str:
    interval = f"the {100 * rule.confidence:.4g} % interval"
    if rule.decides_by == "interval":
        return (
            f"it passes when all of {interval} keeps the limit and fails when none of it does; "
            "otherwise the evidence is insufficient."
        )
    if rule.decides_by == "point_and_significance":
        equal = wording.plain(rule.equal_at or 0.0)
        return (
            f"it passes when the number keeps the limit. It fails when the number breaks the limit and "
            f"{interval} leaves out {equal}, which would be no difference; a broken limit that may be chance "
            "is insufficient evidence."
        )
    if rule.decides_by == "point":
        return "the number alone decides, without an interval."
    return "it does not. The number is reported; it is never a pass and never stops a model."


def _undefined(rule: rules.Rule) -> str:
    word = rule.undefined.replace("_", " ")
    other = "; what was never measured is not evaluated" if rule.undefined != "not_evaluated" else ""
    return f"it is {word}{other}. That is never a pass"


def _dates(rule: rules.Rule) -> str:
    until = f", until {rule.valid_until}" if rule.valid_until else ", with no last day set"
    return f"from {rule.valid_from}{until}"
