"""Reads a policy file into its schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clearance import params
from clearance.errors import ConfigurationError
from clearance.policy.schema import Policy

_PLACE = re.compile(r"`rules\.(\d+)[^`]*`")


def load(path: Path) -> Policy:
    """Read a policy file. Raises ConfigurationError that names each fault, its rule and its key."""
    written = params.read_yaml(path)
    try:
        return Policy.model_validate(written)
    except ValidationError as error:
        fault = _PLACE.sub(lambda place: _named(place, written), params.describe(error, Policy))
        raise ConfigurationError(
            f"{path}: {fault}", f"correct {path}; policies/README.md lists every key"
        ) from None


def _named(place: re.Match[str], written: Mapping[str, Any]) -> str:
    """A place among the rules with the id of the rule that stands there, if it has one."""
    rule = written["rules"][int(place[1])]
    name = rule.get("id") if isinstance(rule, Mapping) else None
    return f"{place[0]} (rule {name})" if name else place[0]
