"""The rules of a policy on a model, checked on tune rows by their point values, to choose among candidates.

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
from clearance.models.tune_measurements import Figures
from clearance.policy.limit import Limit
from clearance.policy.schema import Policy, Rule

PROTECTED_AT_DECISION = "protected_at_decision"
"""The measurement in `reports/training.json`: 1 when the model uses a protected attribute, else 0."""

_ON_A_MODEL = ("performance", "fairness", "explanation")
"""The documents whose numbers differ from candidate to candidate."""

Disparity = Mapping[str, Mapping[str, Measurement]]
"""A measurement for each metric and attribute."""


Stance = Literal["allowed", "forbidden", "not named"]


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What a policy requires when candidates are chosen.

    `rules` are the blocking rules on a model that decide. `protected` is whether the policy allows a model
    to use a protected attribute: `not named` when no rule in force reads `training.protected_at_decision`,
    which does not allow it.
    """

    rules: tuple[Rule, ...] = ()
    protected: Stance = "not named"


def from_policy(policy: Policy, as_of: dt.date) -> Constraints:
    """The constraints of the rules in force on `as_of`."""
    in_force = [rule for rule in policy.rules if rule.in_force(as_of)]
    on_use = [rule for rule in in_force if rule.metric == f"training.{PROTECTED_AT_DECISION}"]
    forbids = any(_decides(rule) and not (rule.limit and rule.limit.encloses(1, 1)) for rule in on_use)
    return Constraints(
        rules=tuple(rule for rule in in_force if rule.document in _ON_A_MODEL and _decides(rule)),
        protected="forbidden" if forbids else "allowed" if on_use else "not named",
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
    metrics = dict.fromkeys(metric for measured in by_attribute.values() for metric in measured)
    return {
        metric: {name: measured[metric] for name, measured in by_attribute.items() if metric in measured}
        for metric in metrics
    }


def check_rules(rules: Sequence[Rule], figures: Figures) -> tuple[RuleCheck, ...]:
    """Each rule checked on the point value it reads; rules on values that `figures` lack are left out."""
    return tuple(
        _check(rule.id, name, rule.limit, figures[rule.metric][name])
        for rule in rules
        for name in rule.read_for
        if rule.limit is not None and name in figures.get(rule.metric, {})
    )


def unmeasured_rules(rules: Sequence[Rule], figures: Figures) -> list[str]:
    """The rules on values that are not measured on tune rows, each with its attribute."""
    return [
        rule.id if name is None else f"{rule.id} by {name}"
        for rule in rules
        for name in rule.read_for
        if name not in figures.get(rule.metric, {})
    ]


def _check(rule: str, attribute: str | None, limit: Limit, measurement: Measurement) -> RuleCheck:
    value = measurement.value
    excess = None if value is None else _excess(limit, value)
    return RuleCheck(rule=rule, attribute=attribute, value=value, excess=excess)


def _excess(limit: Limit, value: float) -> float:
    below = 0.0 if limit.at_least is None else limit.at_least - value
    above = 0.0 if limit.at_most is None else value - limit.at_most
    return max(0.0, below, above)
