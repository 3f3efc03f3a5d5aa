"""Reads a policy file into its schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clearance import params, validation_messages
from clearance.policy import faults
from clearance.policy.schema import Policy

_RULE_KEY = re.compile(r"`rules\.(\d+)[^`]*`")


def load(path: Path) -> Policy:
    """Read a policy file. Raises ConfigurationError that names each problem with its rule and its key."""
    content = params.read_yaml(path)
    try:
        return Policy.model_validate(content)
    except ValidationError as error:
        problems = _RULE_KEY.sub(
            lambda key: _with_rule_id(key, content), validation_messages.describe(error, Policy)
        )
        raise faults.NOT_VALID(path=path, problems=problems) from None


def _with_rule_id(key: re.Match[str], content: Mapping[str, Any]) -> str:
    """The key of a rule, followed by the id of that rule if it has one."""
    rule = content["rules"][int(key[1])]
    name = rule.get("id") if isinstance(rule, Mapping) else None
    return f"{key[0]} (rule {name})" if name else key[0]
