"""The fairness rules of a policy, held against tune rows by their point values, to choose among candidates.

Tune rows rank candidates; they prove nothing. Whether a model passes is judged on test rows, by interval.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance.documents.measurement import Measurement
from clearance.metrics import counts, fairness
from clearance.models.selection_rule import RuleCheck
from clearance.policy.schema import Limit, Policy, Rule

PROTECTED_AT_DECISION = "protected_at_decision"
"""The measurement in `reports/training.json`: 1 when the model takes in a protected attribute, else 0."""

Disparity = Mapping[str, Mapping[str, Measurement]]
"""A measurement for each metric and attribute."""


Stance = Literal["allowed", "forbidden", "not named"]


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What a policy asks for while candidates are chosen.

    `rules` read fairness, decide and block. `protected` is what the policy says about a model that takes in a
    protected attribute: `not named` when no rule in force reads `training.protected_at_decision`. Silence
    allows nothing.
    """

    rules: tuple[Rule, ...] = ()
    protected: Stance = "not named"


def from_policy(policy: Policy, as_of: dt.date) -> Constraints:
    """What the rules in force on `as_of` demand."""
    in_force = [rule for rule in policy.rules if rule.in_force(as_of)]
    named = [rule for rule in in_force if rule.metric == f"training.{PROTECTED_AT_DECISION}"]
    forbids = any(_decides(rule) and not (rule.limit and rule.limit.encloses(1, 1)) for rule in named)
    return Constraints(
        rules=tuple(rule for rule in in_force if rule.document == "fairness" and _decides(rule)),
        protected="forbidden" if forbids else "allowed" if named else "not named",
    )


def _decides(rule: Rule) -> bool:
    return rule.severity == "block" and rule.decides_by != "report_only" and rule.limit is not None


def measure(
    protected: pd.DataFrame,
    label: npt.NDArray[np.integer],
    decision: npt.NDArray[np.bool_],
    confidence: float = 0.95,
) -> Disparity:
    """The fairness measurements of these decisions, by metric and attribute, as `assess` defines them."""
    by_attribute = {
        str(name): fairness.measure(counts.count(protected[name], label, decision, ()), confidence)
        for name in protected.columns
    }
    metrics = dict.fromkeys(metric for found in by_attribute.values() for metric in found)
    return {
        metric: {name: found[metric] for name, found in by_attribute.items() if metric in found}
        for metric in metrics
    }


def check_rules(rules: Sequence[Rule], found: Disparity) -> tuple[RuleCheck, ...]:
    """Each rule against the point value it reads; a rule that reads what is not in `found` is left out."""
    return tuple(
        _hold(rule.id, name, rule.limit, found[rule.measurement][name])
        for rule in rules
        for name in rule.read_for
        if rule.limit is not None and name is not None and name in found.get(rule.measurement, {})
    )


def unmeasured_rules(rules: Sequence[Rule], found: Disparity) -> list[str]:
    """The rules that read what is not measured on tune rows, each with its attribute."""
    return [
        rule.id if name is None else f"{rule.id} by {name}"
        for rule in rules
        for name in rule.read_for
        if name is None or name not in found.get(rule.measurement, {})
    ]


def _hold(rule: str, attribute: str, limit: Limit, found: Measurement) -> RuleCheck:
    excess = None if found.value is None else _excess(limit, found.value)
    return RuleCheck(rule=rule, attribute=attribute, value=found.value, excess=excess)


def _excess(limit: Limit, value: float) -> float:
    below = 0.0 if limit.at_least is None else limit.at_least - value
    above = 0.0 if limit.at_most is None else value - limit.at_most
    return max(0.0, below, above)
