"""The data scientist's choices: `params.yaml`, read once, typed, with unknown keys refused.

There is one module for each section, or for a few that belong together. Compliance's choices are in
`policies/`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from clearance import validation_messages, yaml
from clearance.errors import ClearanceError
from clearance.params import faults
from clearance.params.data import AllBut, Column, Data, OutOfTime, Split
from clearance.params.external import External
from clearance.params.model_choices import (
    Candidates,
    EstimatorChoice,
    Method,
    Mitigation,
    Search,
    Threshold,
    Train,
)
from clearance.params.section import APART, Fraction, Scalar, Section, StrictSection
from clearance.params.source import Source

__all__ = [
    "AllBut",
    "Candidates",
    "Column",
    "Data",
    "EstimatorChoice",
    "Evaluate",
    "Explain",
    "External",
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
    "StrictSection",
    "Threshold",
    "Train",
    "find_faults",
    "load",
    "parse",
    "parse_section",
    "read_yaml",
]

_ALL_KEYS = "; docs/configuration.md lists every key"


class Evaluate(Section):
    """How performance and fairness are measured.

    `intersections` is how many protected attributes are combined at most (1: each alone); `reference` names
    the reference group of an attribute for disparate impact.
    """

    confidence: Fraction = 0.95
    resamples: int = Field(default=1000, ge=100)
    bins: int = Field(default=10, ge=2)
    intersections: int = Field(default=2, ge=1)
    reference: dict[str, Scalar] = {}


class Explain(Section):
    """How many test rows are explained, and how many background rows they are compared with."""

    rows: int = Field(default=500, ge=10)
    background: int = Field(default=100, ge=10)


class PolicyChoice(Section):
    """The policy that judges, and the day for which its dated rules are read."""

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
    def _is_valid_model_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}", value) or value.endswith("-candidate"):
            raise ValueError(
                "a model name has letters, digits, `_`, `.`, `-`, and does not end in `-candidate`"
            )
        return value

    @model_validator(mode="after")
    def _rows_suit_the_model(self) -> Self:
        if problems := made_elsewhere_problems(self.split, self.train):
            raise ValueError("; ".join(problems))
        return self


def made_elsewhere_problems(split: Split, train: Train) -> list[str]:
    """What `split` and `train` say that does not go together about where the model was made."""
    if train.external is None:
        if split.trained_on is None:
            return []
        return ["`split.trained_on` is about a model made elsewhere, and `train.external` names none"]
    if split.trained_on is None:
        return [
            "`train.external` is a model made elsewhere: declare in `split.trained_on` which rows it was "
            "trained on (none, unknown, or a file of their keys), in the place of `split.train`"
        ]
    return []


def load(path: Path) -> Params:
    """Read `params.yaml`.

    Raises ConfigurationError that names each problem and its key.
    """
    return parse(read_yaml(path), str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping. Raises ConfigurationError when the file is missing or not a YAML mapping."""
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    try:
        data = yaml.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise faults.FILE_MISSING(path=shown) from None
    except UnicodeDecodeError as error:
        raise faults.NOT_UTF8(path=shown, encoding=_encoding(error.object)) from None
    except yaml.YAMLError as error:
        raise faults.NOT_YAML(path=shown, reason=str(error)) from None
    except OSError as error:
        raise faults.FILE_UNREADABLE(path=shown, reason=error.strerror) from None
    if not isinstance(data, dict):
        raise faults.NO_KEYS(path=shown)
    return data


def _encoding(content: bytes) -> str:
    """The name for `iconv` of the encoding that a text which is not UTF-8 probably has."""
    if content[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "UTF-32"
    return "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "WINDOWS-1252"


def parse(data: Mapping[str, Any], where: str) -> Params:
    """The typed content of `params.yaml`; `where` is its path in errors. Raises ConfigurationError."""
    if dates := _bare_dates(data, where):
        raise dates[0]
    try:
        return Params.model_validate(data)
    except ValidationError as error:
        raise _invalid(where, validation_messages.describe(error, Params)) from None


def find_faults(data: Mapping[str, Any], where: str) -> list[ClearanceError]:
    """Everything for which `parse` would refuse this content, one error each; empty where it would not."""
    problems: list[str] = []
    try:
        Params.model_validate(data, context={APART: True})
    except ValidationError as error:
        problems = validation_messages.each(error, Params)
    if (roles := parse_section(data, "data")) is not None:
        problems += [f"`data`: {problem}" for problem in roles.inconsistencies()]
    return _bare_dates(data, where) + [_invalid(where, text) for text in problems]


def _invalid(where: str, problems: str) -> ClearanceError:
    """The error; where the message says what to write, it does not send the reader to the documentation."""
    says = any(phrase in problems for phrase in ("did you mean", "must be", "write "))
    return faults.INVALID(path=where, problems=problems, keys="" if says else _ALL_KEYS)


def parse_section(data: Mapping[str, Any], name: str) -> Any:
    """The section `name` alone, whatever is wrong with the others; None where too much of it is wrong.

    Keys that are unknown or do not fit are left out, and rules across keys are not applied: `find_faults`
    reports both. For comparing the rest, never for running.
    """
    content = data.get(name)
    section: TypeAdapter[Any] = TypeAdapter(Params.model_fields[name].annotation or Any)
    for _ in range(2):
        try:
            return section.validate_python(content, context={APART: True})
        except ValidationError as error:
            wrong = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
            if not isinstance(content, Mapping) or not wrong:
                return None
            content = {key: value for key, value in content.items() if key not in wrong}
    return None


def _bare_dates(data: Mapping[str, Any], where: str) -> list[ClearanceError]:
    dates = ((key, value) for key, value in _leaves(data) if isinstance(value, dt.date))
    return [faults.BARE_DATE(path=where, key=key, date=value) for key, value in dates]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, value
