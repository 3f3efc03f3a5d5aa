"""Reads a policy file into its schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clearance import params, validation_messages
from clearance.documents import metric_catalogue
from clearance.policy import faults
from clearance.policy.schema import Policy, Rule

_RULE_KEY = re.compile(r"`rules\.(\d+)[^`]*`")


def load(path: Path, *, recorded: bool = False) -> Policy:
    """Read a policy file. Raises ConfigurationError that names each problem with its rule and its key.

    A rule that can never fail or never pass, or that is the wrong way round, is such a problem, except in a
    policy that was `recorded` with evidence: what it decided stays what it decided.
    """
    content = params.read_yaml(path)
    try:
        policy = Policy.model_validate(content)
    except ValidationError as error:
        problems = _RULE_KEY.sub(
            lambda key: _with_rule_id(key, content), validation_messages.describe(error, Policy)
        )
        raise faults.NOT_VALID(path=path, problems=problems) from None
    if not recorded:
        _refuse_senseless(policy, path)
    return policy


def _refuse_senseless(policy: Policy, path: Path) -> None:
    """Raise ConfigurationError on limits that every value keeps, that none does, or that point away."""
    if vacuous := [rule for rule in policy.rules if rule.is_vacuous]:
        raise faults.RULE_NEVER_FAILS(path=path, rules="; ".join(map(_range, vacuous)))
    if unmeetable := [rule for rule in policy.rules if rule.is_unmeetable]:
        rules = "; ".join(f"{_range(rule)}{_as_share(rule)}" for rule in unmeetable)
        raise faults.RULE_NEVER_PASSES(path=path, rules=rules)
    if backward := [rule for rule in policy.rules if rule.is_reversed]:
        raise faults.RULE_REVERSED(path=path, rules="; ".join(map(_direction, backward)))


def _range(rule: Rule) -> str:
    return f"rule {rule.id}: {rule.metric} lies in {metric_catalogue.METRICS[rule.metric].range}"


def _as_share(rule: Rule) -> str:
    """The bound that was probably meant, where a percentage was written for a share."""
    limit, metric = rule.deciding_limit or (None, None)
    percentage = limit.at_least if limit else None
    if metric is None or percentage is None or not metric.ends[1] < percentage <= 100 * metric.ends[1]:
        return ""
    return f" (did you mean {percentage / 100:g}?)"


def _direction(rule: Rule) -> str:
    limit, metric = rule.deciding_limit or (None, None)
    if limit is None or metric is None:
        return rule.id
    end, bound = ("at_least", limit.at_most) if metric.better == "higher" else ("at_most", limit.at_least)
    meant = f"did you mean `{end}: {bound:g}`?"
    return f"rule {rule.id}: {rule.metric} is better the {metric.better} it is ({meant})"


def _with_rule_id(key: re.Match[str], content: Mapping[str, Any]) -> str:
    """The key of a rule, followed by the id of that rule if it has one."""
    rule = content["rules"][int(key[1])]
    name = rule.get("id") if isinstance(rule, Mapping) else None
    return f"{key[0]} (rule {name})" if name else key[0]
