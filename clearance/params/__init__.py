"""The data scientist's choices: `params.yaml`, read once, typed, unknown keys refused.

A module a section, or a few that belong together. Compliance's choices are not here: see `policies/`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from clearance import yaml
from clearance.errors import ConfigurationError
from clearance.params.data import AllBut, Column, Data, OutOfTime, Split
from clearance.params.faults import describe
from clearance.params.section import Fraction, Scalar, Section
from clearance.params.source import Source
from clearance.params.training import (
    Candidates,
    EstimatorChoice,
    Method,
    Mitigation,
    Search,
    Threshold,
    Train,
)

__all__ = [
    "AllBut",
    "Candidates",
    "Column",
    "Data",
    "EstimatorChoice",
    "Evaluate",
    "Explain",
    "Fraction",
    "Method",
    "Mitigation",
    "OutOfTime",
    "Params",
    "PolicyChoice",
    "Scalar",
    "Search",
    "Section",
    "Source",
    "Split",
    "Threshold",
    "Train",
    "describe",
    "load",
    "parse",
    "read_yaml",
]


class Evaluate(Section):
    """How performance and fairness are measured.

    `intersections` is how many protected attributes are combined at most (1: each alone); `reference` names
    the group of an attribute that disparate impact is measured against.
    """

    confidence: Fraction = 0.95
    resamples: int = Field(default=1000, ge=100)
    bins: int = Field(default=10, ge=2)
    intersections: int = Field(default=2, ge=1)
    reference: dict[str, Scalar] = {}


class Explain(Section):
    """How many test rows are explained, against how many background rows."""

    rows: int = Field(default=500, ge=10)
    background: int = Field(default=100, ge=10)


class PolicyChoice(Section):
    """Which policy judges, and as of which day its dated rules are read."""

    file: str
    as_of: dt.date


class Params(Section):
    """Everything in `params.yaml`."""

    name: str
    experiment: str
    seed: int = Field(ge=0, lt=2**32)
    source: Source
    data: Data
    split: Split
    train: Train
    evaluate: Evaluate = Evaluate()
    explain: Explain = Explain()
    policy: PolicyChoice
    overrides: dict[str, Any] = {}

    @field_validator("name")
    @classmethod
    def _registrable(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}", value) or value.endswith("-candidate"):
            raise ValueError(
                "a model name has letters, digits, `_`, `.`, `-`, and does not end in `-candidate`"
            )
        return value


def load(path: Path) -> Params:
    """Read `params.yaml`.

    Raises ConfigurationError that names each fault and the key it sits at.
    """
    return parse(read_yaml(path), str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping. Raises ConfigurationError when it is missing, no YAML, or no mapping."""
    try:
        data = yaml.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} is missing", f"restore {path.name}, or run in the project folder"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not readable YAML: {error}", "mend the line it names") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", "name a YAML file") from None
    if not isinstance(data, dict):
        raise ConfigurationError(
            f"{path} holds no keys",
            "docs/configuration.md lists those of params.yaml, policies/README.md those of a policy",
        )
    return data


def parse(data: Mapping[str, Any], where: str) -> Params:
    """Type the content of `params.yaml`; `where` names it in errors. Raises ConfigurationError."""
    for key, value in _leaves(data):
        if isinstance(value, dt.date):
            raise ConfigurationError(
                f"{where}: `{key}` is a bare date, which DVC cannot hold", f'write it in quotes: "{value}"'
            )
    try:
        return Params.model_validate(data)
    except ValidationError as error:
        mend = f"correct {where}; docs/configuration.md lists every key"
        raise ConfigurationError(f"{where}: {describe(error, Params)}", mend) from None


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, at)
    else:
        yield at, value
