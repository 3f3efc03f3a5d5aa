"""A policy in plain words: what a rule asks, who says so and how sure that is, and what to beware of.

Reads the policy alone. It repeats what compliance wrote and judges no evidence.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterator

from clearance import wording
from clearance.errors import ConfigurationError
from clearance.policy import schema
from clearance.policy.impact_rules import ImpactTable
from clearance.policy.test_set_limit import TestUses
from clearance.reporting import glossary

CERTAINTIES = {
    "text": "its wording was seen",
    "secondary": "known from a secondary source",
    "memory": "not confirmed",
    None: "how well the source is known is not stated",
}
_KINDS = {"legal": "The law or regulation", "engineering": "An engineering convention, not law"}
Dated = schema.Rule | ImpactTable | TestUses
"""What says who says so, how sure that is and since when."""

_WEIGHTS = {
    "block": "It blocks: a model that does not pass it is not released.",
    "warn": "It warns: it is told, and stops nothing.",
}


def explain(policy: schema.Policy, name: str) -> list[str]:
    """The rule called `name`, a line for each thing to know; `impact_table` and `test_uses` are told as well.

    Raises ConfigurationError when the policy has nothing of that name.
    """
    of = f"of policy {policy.id}, version {policy.version} ({policy.title})"
    if name == "impact_table" and policy.impact_table:
        return [f"`impact_table` {of}", *_impact_table(policy.impact_table), *_said_by(policy.impact_table)]
    if name == "test_uses" and policy.test_uses:
        return [f"`test_uses` {of}", *_test_uses(policy.test_uses), *_said_by(policy.test_uses)]
    rule = _called(policy, name)
    lines = [
        f"Rule {rule.id} {of}",
        f"What is measured: {_measured(rule)}.",
        f"Limit: {wording.limit(rule.limit.model_dump() if rule.limit else None)}.",
        f"How it decides: {_decides(rule)}",
    ]
    if rule.decides_by != "report_only":
        lines += [f"What it does: {_WEIGHTS[rule.severity]}", f"Without a number: {_undefined(rule)}."]
    if rule.minimum_support:
        lines.append(f"Rows needed: {rule.minimum_support} in every group; with fewer it is not enough.")
    return [*lines, *_said_by(rule, rule.jurisdiction)]


def _said_by(dated: Dated, jurisdiction: str | None = None) -> list[str]:
    where = f", for {jurisdiction}" if jurisdiction else ""
    return [
        f"Who says so: {_KINDS[dated.kind]}{where}{_source(dated.source)}",
        f"How sure: {CERTAINTIES[dated.certainty]}.",
        f"In force: {_dates(dated)}.",
    ]


def _source(source: str) -> str:
    """The source as the end of a sentence; that it is a convention has been said already."""
    rest = source.removeprefix("engineering convention")
    if rest == source:
        return f". {wording.sentence(source)}"
    return wording.sentence(rest if rest[:1] in (":", ",") else f",{rest}").removesuffix(" .")


def _impact_table(table: ImpactTable) -> list[str]:
    excluded = [f"{each.category} ({each.attribute}): {each.justification}" for each in table.excluded]
    return [
        "What it is about: the impact ratios in reports/impact.csv, each category's rate over the highest.",
        f"What it allows: a category with less than {wording.percent(table.excludable_below)} of the rows "
        "may be left out of the ratios, with a written justification; its count and rate stay in the table.",
        f"Who is left out: {'; '.join(excluded) or 'nobody'}.",
    ]


def _test_uses(limit: TestUses) -> list[str]:
    return [
        "What is counted: how many models the same test rows have judged, by what `track` recorded.",
        f"Limit: a warning from use {limit.warn_from} on.",
        "What it does: It warns: it is told, and stops nothing.",
    ]


def cautions(policy: schema.Policy, as_of: dt.date) -> Iterator[str]:
    """What is valid to write and perhaps not meant, a sentence each, as the rules stand on `as_of`."""
    for rule in policy.rules:
        if rule.valid_until is not None and rule.valid_until < as_of:
            yield f"rule {rule.id} is out of date: its last day was {rule.valid_until}"
        if rule.valid_from > as_of:
            yield f"rule {rule.id} has never been in force: its first day is {rule.valid_from}"
        if meant := _misspelt(rule.metric):
            yield f"rule {rule.id} reads {rule.metric}, which may not be measured: did you mean {meant}?"
        if rule.kind == "legal" and rule.certainty is None:
            yield f"rule {rule.id} is legal and does not say how well its source is known (`certainty`)"
    small, uses = policy.impact_table, policy.test_uses
    if small and small.excluded and not _in_force(small, as_of):
        yield f"impact_table is not in force on {as_of}: nobody in `excluded` is left out"
    if uses and not _in_force(uses, as_of):
        yield f"test_uses is not in force on {as_of}: no number of uses is a warning"
    for name, dated in (("impact_table", small), ("test_uses", uses)):
        if dated and dated.kind == "legal" and dated.certainty is None:
            yield f"{name} is legal and does not say how well its source is known (`certainty`)"
    in_force = [rule for rule in policy.rules if rule.in_force(as_of)]
    if not any(rule.severity == "block" and rule.decides_by != "report_only" for rule in in_force):
        yield f"no rule in force on {as_of} decides and blocks: no model can pass this policy"
    read = {name for rule in in_force for name in rule.read_for}
    for name in policy.attributes:
        if name not in read:
            yield f"{name} must be assessed, and no rule in force on {as_of} reads it"


def _misspelt(metric: str) -> str | None:
    """The well-known metric that differs from this one by little more than a letter."""
    if metric in glossary.METRICS:
        return None
    return next(iter(difflib.get_close_matches(metric, glossary.METRICS, n=1, cutoff=0.95)), None)


def _in_force(dated: Dated, as_of: dt.date) -> bool:
    return dated.valid_from <= as_of <= (dated.valid_until or as_of)


def _called(policy: schema.Policy, name: str) -> schema.Rule:
    found = {rule.id: rule for rule in policy.rules}
    if name in found:
        return found[name]
    beside = [key for key in ("impact_table", "test_uses") if getattr(policy, key)]
    close = difflib.get_close_matches(name, [*found, *beside], n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    also = f"; or {' or '.join(beside)}" if beside else ""
    raise ConfigurationError(
        f"policy {policy.id} has no rule {name}{meant}", f"name one of its rules: {', '.join(found)}{also}"
    )


def _measured(rule: schema.Rule) -> str:
    by = [name for name in rule.read_for if name is not None]
    groups = f" by {wording.listed(by)}" if by else ""
    told = glossary.METRICS.get(rule.metric, f"as it stands in reports/{rule.document}.json")
    return f"{wording.metric(rule.metric)}{groups}: {told}"


def _decides(rule: schema.Rule) -> str:
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


def _undefined(rule: schema.Rule) -> str:
    word = rule.undefined.replace("_", " ")
    other = "; what was never measured is not evaluated" if rule.undefined != "not_evaluated" else ""
    return f"it is {word}{other}. That is never a pass"


def _dates(dated: Dated) -> str:
    until = f", until {dated.valid_until}" if dated.valid_until else ", with no last day set"
    return f"from {dated.valid_from}{until}"
