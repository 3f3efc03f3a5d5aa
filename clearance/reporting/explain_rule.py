"""A policy in plain words: what a rule asks, its source and how well the source is established.

Reads the policy alone. It repeats what compliance wrote and judges no evidence.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clearance import wording
from clearance.documents import metric_catalogue
from clearance.policy import attempt_terms, findings, schema
from clearance.policy.attempt_terms import AttemptTerms
from clearance.policy.comparison_terms import ComparisonTerms
from clearance.policy.dated import Dated
from clearance.policy.document_terms import DocumentTerms
from clearance.policy.impact_rules import ImpactTableRules
from clearance.policy.reason_terms import ReasonTerms
from clearance.policy.test_set_limit import TestSetLimit
from clearance.reporting import faults

CERTAINTIES = {
    "text": "wording read",
    "secondary": "known from a secondary source",
    "memory": "not confirmed",
    None: "not stated",
}
"""How well a source is established, in words."""

_KINDS = {"legal": "law or regulation", "engineering": "engineering convention, not law"}
_EFFECTS = {
    "block": "blocks: a model that does not pass it is not released",
    "warn": "warns: it is reported and stops nothing",
}


def explain(policy: schema.Policy, name: str) -> list[str]:
    """The rule or the section called `name`, one line for each fact.

    A section is a part of the policy with a source and dates of its own: `Policy.sections`. Raises
    ConfigurationError when the policy has nothing of that name.
    """
    origin = f"of policy {policy.id}, version {policy.version} ({policy.title})"
    if (section := policy.sections.get(name)) is not None:
        return [f"`{name}` {origin}", *_terms(section), *_source(section)]
    rule = _rule(policy, name)
    lines = [
        f"Rule {rule.id} {origin}",
        f"Measures: {_measures(rule)}.",
        f"Limit: {wording.limit(rule.limit.model_dump() if rule.limit else None)}",
        f"Decides: {_decides(rule)}",
    ]
    if rule.decides_by != "report_only":
        lines += [f"Effect: {_EFFECTS[rule.severity]}.", f"Without a number: {_undefined(rule)}."]
    if rule.minimum_support:
        lines.append(
            f"Rows needed: at least {rule.minimum_support} in every group; fewer is insufficient evidence."
        )
    return [*lines, *_source(rule, rule.jurisdiction)]


def _source(part: Dated, jurisdiction: str | None = None) -> list[str]:
    scope = f" ({jurisdiction})" if jurisdiction else ""
    until = f" until {part.valid_until}" if part.valid_until else ", with no end date"
    return [
        f"Kind: {_KINDS[part.kind]}{scope}.",
        f"Source: {wording.sentence(_without_kind(part.source))}",
        f"Certainty of the source: {CERTAINTIES[part.certainty]}.",
        f"In force: from {part.valid_from}{until}.",
    ]


def _without_kind(source: str) -> str:
    """The source without the words "engineering convention", which the line before states."""
    return re.sub(r"^engineering convention(:|,|\b) *", "", source) or source


def _terms(section: Dated) -> list[str]:
    """What a section asks; a kind of section without words of its own is explained by its source alone."""
    explain_section = _EXPLAINED.get(type(section))
    return explain_section(section) if explain_section else []


def _impact_table(rules: ImpactTableRules) -> list[str]:
    excluded = [f"{item.category} ({item.attribute}): {item.justification}" for item in rules.excluded]
    return [
        "Applies to: the impact ratios in reports/impact.csv, each category's rate over the highest rate.",
        f"Allows: a category with less than {wording.percent(rules.excludable_below)} of the rows may be "
        "left out of the ratios, with a written justification; its count and rate stay in the table.",
        f"Left out: {'; '.join(excluded) or 'no category'}.",
    ]


def _test_uses(limit: TestSetLimit) -> list[str]:
    return [
        "Counts: how many models the same test set has judged, counted from what `track` recorded.",
        f"Limit: a warning from use {limit.warn_from} on.",
        f"Effect: {_EFFECTS['warn']}.",
    ]


def _attempts(terms: AttemptTerms) -> list[str]:
    spent = (
        "rules that decide by an interval of test rows decide the first attempt at 1/2 of their level, the "
        "next two at 1/8 each, the next four at 1/32 each, and so on; after attempt "
        f"{attempt_terms.MOST} nothing passes"
    )
    warning = f"a warning from attempt {terms.warn_from} on" if terms.warn_from else "none"
    return [
        "Counts: the models judged under one name since its last promotion, from MLflow and the ledger.",
        f"Level: {spent if terms.spend else 'every attempt is decided at the full level'}.",
        f"Warning: {warning}.",
    ]


def _reasons(terms: ReasonTerms) -> list[str]:
    group = {
        "near_cutoff": "applicants at or slightly above the threshold (the lowest "
        f"{wording.percent(terms.band)} of those who passed)",
        "all_applicants": "all applicants",
    }[terms.method]
    listed = "four, or five where inquiries are one, are listed as well"
    gives_none = "may be promoted, and its server says that it gives none"
    return [
        "Reasons: the features whose contribution falls furthest below the mean of "
        f"{group}, scored during development.",
        f"Stated: at most {terms.at_most}; where the next one falls short by at least "
        f"{wording.percent(terms.near_share)} of what the last one does, the answer says so.",
        f"Rows needed: {wording.count(terms.minimum_rows)} applicants in that group; fewer is insufficient "
        "evidence.",
        f"Key factors of the Fair Credit Reporting Act: {listed if terms.key_factors else 'none'}.",
        f"Without reasons: a version {'is not promoted' if terms.required else gives_none}.",
    ]


def _documents(terms: DocumentTerms) -> list[str]:
    names = wording.join_names(name.replace("_", " ") for name in terms.required)
    days = f"for {wording.counted(terms.valid_days, 'day')}" if terms.valid_days else "for ever"
    return [
        f"Requires: the model card says something about {names}, without a gap.",
        f"A sentence in card.yaml counts {days}.",
        "With a gap: the version is not promoted, and no approval or override helps.",
    ]


def _challenge(terms: ComparisonTerms) -> list[str]:
    margins = [
        f"{metric_catalogue.title(f'performance.{item.metric}')} may get worse by at most "
        f"{wording.plain(item.margin)}"
        for item in terms.quality
    ]
    approvals = terms.first_version.approvals
    people = f"at least {approvals} {'person' if approvals == 1 else 'people'} must approve it"
    return [
        "Compares: the candidate with the champion, on the same test rows.",
        f"Quality: {'; '.join(margins)}.",
        "Fairness, for each fairness rule that decides: a difference between groups may grow by at most "
        f"{wording.plain(terms.difference_margin)}; a ratio may lose at most "
        f"{wording.percent(terms.ratio_margin)} of the champion's.",
        f"Without a champion: {people if approvals else 'the rules of the policy are enough'}.",
        f"Rows needed: {wording.count(terms.minimum_rows)} in all and "
        f"{wording.count(terms.minimum_group_rows)} for every rate of a group; fewer is insufficient "
        "evidence.",
        f"Unknown categories: in at most {wording.percent(terms.unknown_share)} of the rows a feature may "
        "hold a category that the champion never saw.",
        f"Decides: passes if all of the {100 * terms.confidence:.4g}% interval of each change is within its "
        "margin.",
        f"Effect: {_EFFECTS[terms.severity]}.",
    ]


_EXPLAINED: Mapping[type[Dated], Callable[[Any], list[str]]] = {
    ImpactTableRules: _impact_table,
    TestSetLimit: _test_uses,
    AttemptTerms: _attempts,
    ComparisonTerms: _challenge,
    ReasonTerms: _reasons,
    DocumentTerms: _documents,
}


def cautions(policy: schema.Policy, as_of: dt.date) -> Iterator[str]:
    """What is valid but perhaps not intended, a sentence each, as the rules stand on `as_of`."""
    for rule in policy.rules:
        if rule.valid_until is not None and rule.valid_until < as_of:
            yield f"rule {rule.id} has expired: its last day was {rule.valid_until}"
        if rule.valid_from > as_of:
            yield f"rule {rule.id} is not yet in force: its first day is {rule.valid_from}"
        if suggestion := _similar_metric(rule.metric):
            yield f"rule {rule.id} reads {rule.metric}, which may not be measured: did you mean {suggestion}?"
        if rule.kind == "legal" and rule.certainty is None:
            yield f"rule {rule.id} is legal but does not state the certainty of its source (`certainty`)"
    for name, section in policy.sections.items():
        if not section.in_force(as_of) and (consequence := _consequence(section)):
            yield f"{name} is not in force on {as_of}: {consequence}"
        if section.kind == "legal" and section.certainty is None:
            yield f"{name} is legal but does not state the certainty of its source (`certainty`)"
    yield from _general_cautions(policy, as_of)


def _general_cautions(policy: schema.Policy, as_of: dt.date) -> Iterator[str]:
    """Cautions about the policy as a whole."""
    if not policy.demo and not policy.promotion.contract_pinned:
        yield (
            "promotion.contract_pinned is false: whoever trains a model may change the question it answers, "
            "and approvers only read that it changed"
        )
    terms = policy.promotion
    for tier in () if policy.demo else sorted(terms.approvals):
        if not terms.rebuild.get(tier):
            yield f"tier {tier} demands no independent rebuild (`promotion.rebuild`): one account can deceive"
    in_force = [rule for rule in policy.rules if rule.in_force(as_of)]
    for rule in in_force if policy.spends(as_of) else []:
        if rule.decides_by == "point_and_significance" and rule.document in findings.TEST_ROWS:
            yield f"rule {rule.id} decides by significance, so `attempts` does not make it stricter"
    if not any(rule.severity == "block" and rule.decides_by != "report_only" for rule in in_force):
        yield f"no rule in force on {as_of} decides and blocks: no model can pass this policy"
    attributes = {name for rule in in_force for name in rule.read_for}
    for name in policy.attributes:
        if name not in attributes:
            yield f"{name} must be assessed, but no rule in force on {as_of} reads it"


def _consequence(section: Dated) -> str | None:
    """What does not happen while the section is not in force; None where that changes nothing."""
    match section:
        case ImpactTableRules():
            return "no category in `excluded` is left out" if section.excluded else None
        case TestSetLimit():
            return "no number of uses is a warning"
        case AttemptTerms():
            return "every attempt is decided at the full level"
        case ComparisonTerms():
            return "a candidate is not compared with the champion"
    return "it has no effect"


def _similar_metric(name: str) -> str | None:
    """The metric in the registry that differs from this name by little more than a letter."""
    if name in metric_catalogue.METRICS:
        return None
    return next(iter(difflib.get_close_matches(name, metric_catalogue.METRICS, n=1, cutoff=0.95)), None)


def _rule(policy: schema.Policy, name: str) -> schema.Rule:
    rules = {rule.id: rule for rule in policy.rules}
    if name in rules:
        return rules[name]
    names = [*rules, *policy.sections]
    close = difflib.get_close_matches(name, names, n=1)
    raise faults.UNKNOWN_RULE(
        policy=policy.id,
        rule=name,
        suggestion=f" (did you mean {close[0]}?)" if close else "",
        rules=", ".join(names),
    )


def _measures(rule: schema.Rule) -> str:
    attributes = [name for name in rule.read_for if name is not None]
    groups = f" by {wording.join_names(attributes)}" if attributes else ""
    entry = metric_catalogue.METRICS.get(rule.metric)
    if entry is None:
        return f"{metric_catalogue.title(rule.metric)}{groups}: as it stands in reports/{rule.document}.json"
    parity = "" if entry.parity is None else f"; {entry.parity:g} means parity"
    return f"{entry.title}{groups}: {entry.meaning}{parity}"


def _decides(rule: schema.Rule) -> str:
    interval = f"the {100 * rule.confidence:.4g}% interval"
    if rule.decides_by == "interval":
        return (
            f"passes if all of {interval} is within the limit, fails if none of it is; otherwise the "
            "evidence is insufficient."
        )
    if rule.decides_by == "point_and_significance":
        equal = wording.plain(rule.equal_at or 0.0)
        return (
            f"passes if the number is within the limit. Fails if it is not and {interval} excludes {equal}, "
            "the value of no difference. A number outside the limit by chance is insufficient evidence."
        )
    if rule.decides_by == "presence":
        return "passes whatever the number is; only a number that is missing stops a model."
    if rule.decides_by == "point":
        return "the number alone decides, without an interval."
    return "nothing. The number is reported; it is never a pass and never stops a model."


def _undefined(rule: schema.Rule) -> str:
    outcome = rule.undefined.replace("_", " ")
    missing = (
        "; a metric that was never measured is not evaluated" if rule.undefined != "not_evaluated" else ""
    )
    return f"{outcome}{missing}. It is never a pass"
