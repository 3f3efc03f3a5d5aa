"""The version's own policy on live decisions: its rules on selection rates, from counts of a window alone.

The label of a live row is not known, so rules on error rates cannot be read here; the answer names them.
Pure: the rules, intervals and four values are those of the verdict before release. Never a pass on what is
missing: a group that nobody has seen in the window, or too rarely, is insufficient evidence.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clearance import labels, params
from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.group_names import MISSING
from clearance.documents.measurement import INTERSECTION, Measurement, Outcome, undefined
from clearance.metrics import fairness
from clearance.metrics.counts import Cells
from clearance.policy import findings, judgement, schema
from clearance.policy.findings import Finding
from clearance.policy.schema import Policy, Rule

LIVE = frozenset(
    {
        *("demographic_parity_difference", "demographic_parity_ratio", "missing_share"),
        *("disparate_impact_best_group", "disparate_impact_reference_group"),
    }
)
"""The measurements of fairness that decisions alone say."""

Groups = tuple[tuple[str, str | None], ...]
"""The group of a decision by attribute; None where it is not known."""
Decisions = Mapping[tuple[Groups, bool], int]
"""How many decisions there were, by groups and by whether they were favourable."""


@dataclass(frozen=True, kw_only=True)
class LiveVerdict:
    """What the rules say of `decisions` live decisions.

    `outcome` is the worst of the blocking rules that can be read here, not evaluated where there is none.
    `groups` are favourable and all decisions by attribute and group. `unread` are the rules in force on
    figures that live decisions do not have, each with the reason.
    """

    outcome: Outcome
    decisions: int
    findings: tuple[Finding, ...]
    groups: Mapping[str, Mapping[str, tuple[int, int]]]
    unread: Mapping[str, str]

    @property
    def failing(self) -> tuple[Finding, ...]:
        """The findings of blocking rules that fail."""
        return tuple(
            finding
            for finding in self.findings
            if finding.rule.severity == "block" and finding.outcome is Outcome.FAIL
        )

    def to_json(self) -> dict[str, Any]:
        """The verdict as a JSON value."""
        return {
            "outcome": self.outcome,
            "decisions": self.decisions,
            "findings": [finding.to_json() for finding in self.findings],
            "groups": {
                name: {
                    group: {"favourable": favourable, "decisions": count}
                    for group, (favourable, count) in table.items()
                }
                for name, table in self.groups.items()
            },
            "rules_not_read": dict(self.unread),
        }


def judge(
    policy: Policy,
    settings: params.Params,
    decisions: Decisions,
    *,
    required: Mapping[str, Sequence[str]],
    day: dt.date,
) -> LiveVerdict:
    """Apply the rules in force on `day` that live decisions can answer.

    `required` are the groups of each attribute and intersection that the version's evidence has: each must
    show in the window.
    """
    in_force = [rule for rule in policy.rules if rule.in_force(day)]
    live = [rule for rule in in_force if rule.document == "fairness" and rule.measurement in LIVE]
    names = list(dict.fromkeys(name for rule in live for name in rule.read_for if name is not None))
    tables = {name: _table(name, settings.data.protected, decisions, required) for name in names}
    design = settings.data.weight or settings.data.cluster
    results = tuple(
        findings.titled(_evaluate(rule, name, tables, settings, apart=design is None), settings.data.titles)
        for rule in live
        for name in rule.read_for
    )
    blocking = [
        finding.outcome
        for finding in results
        if finding.rule.severity == "block" and finding.outcome is not None
    ]
    return LiveVerdict(
        outcome=judgement.worst(blocking) if blocking else Outcome.NOT_EVALUATED,
        decisions=sum(decisions.values()),
        findings=results,
        groups={
            name: {group: (cells.selected, cells.count) for group, cells in table.items()}
            for name, table in tables.items()
        },
        unread={
            rule.id: "it needs labels or test rows, which live decisions do not have"
            for rule in in_force
            if rule not in live
        },
    )


def _evaluate(
    rule: Rule,
    name: str | None,
    tables: Mapping[str, Mapping[str, Cells]],
    settings: params.Params,
    *,
    apart: bool,
) -> Finding:
    measured = {}
    if name is not None:
        reference = _reference(name, settings)
        figure = (
            _measure(rule, tables[name], reference)
            if apart
            else undefined("rows weigh or come in clusters, and counts of decisions know neither")
        )
        measured = {rule.measurement: {name: figure}}
    evidence = {"fairness": MeasuredDocument(measurements=measured)}
    lenient = rule.model_copy(update={"undefined": Outcome.INSUFFICIENT_EVIDENCE.value} if apart else {})
    return replace(findings.evaluate(lenient, name, evidence), rule=rule)


def _measure(rule: Rule, table: Mapping[str, Cells], reference: str | None) -> Measurement:
    if not sum(cells.count for cells in table.values()):
        return undefined("there was no decision in the window", dict.fromkeys(table, 0))
    figure = fairness.measure(table, rule.confidence, reference)[rule.measurement]
    if rule.measurement == "missing_share":
        return replace(figure, support={"decisions": sum(figure.support.values())})
    return figure


def _table(
    name: str, declared: Sequence[str], decisions: Decisions, required: Mapping[str, Sequence[str]]
) -> dict[str, Cells]:
    """The decisions by group of one attribute or intersection; labels are left out of what is read of it."""
    parts = schema.attribute_set(name)
    over = [attribute for attribute in declared if attribute in parts]
    counts: Counter[tuple[str, bool]] = Counter()
    for (groups, favourable), count in decisions.items():
        known = dict(groups)
        own = [known.get(attribute) for attribute in over]
        complete = len(over) == len(parts) and None not in own and MISSING not in own
        counts[INTERSECTION.join(map(str, own)) if complete else MISSING, favourable] += count
    expected = next((groups for key, groups in required.items() if schema.attribute_set(key) == parts), ())
    seen = {group for group, _ in counts} | (set(expected) - {MISSING})
    return {
        group: Cells(true_positive=counts[group, True], false_negative=counts[group, False])
        for group in sorted(seen)
    }


def _reference(name: str, settings: params.Params) -> str | None:
    """The declared reference group, of an intersection that of all its attributes together."""
    declared = settings.evaluate.reference
    parts = schema.attribute_set(name)
    over = [attribute for attribute in settings.data.protected if attribute in parts]
    values = [declared.get(name)] if name in declared else [declared.get(attribute) for attribute in over]
    texts = [labels.text(value) for value in values]
    return INTERSECTION.join(text for text in texts if text) if texts and all(texts) else None
