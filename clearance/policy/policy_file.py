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

    A rule that can never fail is such a problem, except in a policy that was `recorded` with evidence: what
    it decided stays what it decided.
    """
    content = params.read_yaml(path)
    try:
        policy = Policy.model_validate(content)
    except ValidationError as error:
        problems = _RULE_KEY.sub(
            lambda key: _with_rule_id(key, content), validation_messages.describe(error, Policy)
        )
        raise faults.NOT_VALID(path=path, problems=problems) from None
    if vacuous := [rule for rule in policy.rules if rule.is_vacuous and not recorded]:
        raise faults.RULE_NEVER_FAILS(path=path, rules="; ".join(map(_range, vacuous)))
    return policy


def _range(rule: Rule) -> str:
    return f"rule {rule.id}: {rule.metric} lies in {metric_catalogue.METRICS[rule.metric].range}"


def _with_rule_id(key: re.Match[str], content: Mapping[str, Any]) -> str:
    """The key of a rule, followed by the id of that rule if it has one."""
    rule = content["rules"][int(key[1])]
    name = rule.get("id") if isinstance(rule, Mapping) else None
    return f"{key[0]} (rule {name})" if name else key[0]
