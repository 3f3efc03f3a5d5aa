"""Pydantic's validation errors in plain words, each with the key it concerns."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

_MESSAGES = {
    "missing": "is missing",
    "string_type": "must be text, so put it in quotes",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "model_type": "must be a mapping of keys",
    "dict_type": "must be a mapping of keys",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "date_type": "must be a day, like 2026-01-31",
    "date_parsing": "must be a day, like 2026-01-31",
    "date_from_datetime_parsing": "must be a day, like 2026-01-31",
    "date_from_datetime_inexact": "must be a day without a time, like 2026-01-31",
    "datetime_type": "must be a time, like 2026-01-31T12:00:00Z",
    "datetime_parsing": "must be a time, like 2026-01-31T12:00:00Z",
    "datetime_from_date_parsing": "must be a time, like 2026-01-31T12:00:00Z",
    "timezone_aware": "must be a time with a time zone, like 2026-01-31T12:00:00Z",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
}
"""Our messages by pydantic's type of error; other types keep pydantic's message."""

_PERCENTAGE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")
"""A member of an enumeration as Python shows it; a file holds its value."""


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """All problems in one line; see `each`."""
    return "; ".join(each(error, model))


def each(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Each problem with its key; for an unknown key the most similar one of `model` is suggested."""
    names = sorted(set(_field_names(model)))
    problems = []
    for key, alternatives in _by_key(error, model).items():
        if len(alternatives) > 1:
            problems.append(f"`{key}` {_one_of(alternatives)}")
            continue
        (problem,) = alternatives
        if problem["type"] == "extra_forbidden":
            close = difflib.get_close_matches(str(problem["loc"][-1]), names, n=1)
            problems.append(f"unknown key `{key}`" + (f" (did you mean `{close[0]}`?)" if close else ""))
        else:
            message = _message(problem)
            if problem["type"] in _MESSAGES:
                problems.append(f"{f'`{key}`' if key else 'it'} {message}")
            else:
                problems.append(f"`{key}`: {message}" if key else message)
    return list(dict.fromkeys(problems))


def _by_key(error: ValidationError, model: type[BaseModel]) -> dict[str, list[Mapping[str, Any]]]:
    """The errors by the key that a person wrote.

    Where a value may be of several kinds, there is an error for each kind that was tried. Of those only the
    ones stay that found the kind and something wrong in it, where there are such.
    """
    located = [(tuple(_written(problem["loc"], model)), problem) for problem in error.errors()]
    by_key: dict[str, list[Mapping[str, Any]]] = {}
    for key, problem in located:
        tried = len(problem["loc"]) > len(key)
        if tried and any(other[: len(key)] == key and len(other) > len(key) for other, _ in located):
            continue
        by_key.setdefault(".".join(key), []).append(problem)
    return by_key


def _written(loc: Sequence[int | str], model: type[BaseModel]) -> Iterator[str]:
    """The parts of a location that are keys: pydantic also names the kind that it tried."""
    kind: Any = model
    for part in loc:
        members = [member for member in _members(kind) if member is not NoneType]
        if len(members) > 1:
            kind = next((member for member in members if getattr(member, "__name__", "") == part), None)
            continue
        kind = _below(members[0] if members else kind, part)
        yield str(part)


def _members(kind: Any) -> tuple[Any, ...]:
    """The kinds that a value may be of: several for a union, else the kind itself."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _below(kind: Any, part: int | str) -> Any:
    """What stands at the key `part` of a value of this kind; None where that is not known."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        info = next((info for name, info in kind.model_fields.items() if part in (name, info.alias)), None)
        return info.annotation if info else None
    arguments = get_args(kind)
    return arguments[-1] if arguments and get_origin(kind) in (dict, list) else None


def _one_of(alternatives: Sequence[Mapping[str, Any]]) -> str:
    """What a value must be that fits none of several kinds."""
    messages = dict.fromkeys(_message(problem).removeprefix("must be ") for problem in alternatives)
    if {"bool_type", "int_type", "string_type"} <= {problem["type"] for problem in alternatives}:
        return "must be one value: a text, a number, true or false"
    return f"must be {' or '.join(messages)}"


def _message(problem: Mapping[str, Any]) -> str:
    template = _MESSAGES.get(problem["type"], "")
    context = {name: _number(value) for name, value in problem.get("ctx", {}).items()}
    ours = _MEMBER.sub(r"\1", template.format(**context))
    return (ours and f"{ours}{_meant(problem)}") or problem["msg"].removeprefix("Value error, ")


def _number(value: Any) -> Any:
    return f"{value:g}" if isinstance(value, float) else value


def _meant(problem: Mapping[str, Any]) -> str:
    """What was probably meant, as it follows a message: the share for a percentage, or a similar word."""
    value, context = problem.get("input"), problem.get("ctx", {})
    if problem["type"] in ("literal_error", "enum") and isinstance(value, str):
        words = re.findall("'([^']*)'", _MEMBER.sub(r"\1", str(context.get("expected"))))
        close = difflib.get_close_matches(value.lower(), words, n=1)
        return f" (did you mean '{close[0]}'?)" if close else ""
    if problem["type"] == "float_parsing" and (percentage := _PERCENTAGE.fullmatch(str(value))):
        return f"; write {float(percentage[1]) / 100:g}"
    top = context.get("lt", context.get("le"))
    is_share = problem["type"] in ("less_than", "less_than_equal") and top == 1
    if is_share and isinstance(value, int | float) and 1 < value <= 100:
        return f"; write {value / 100:g} for {value:g}%"
    return ""


def _field_names(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield name
        for kind in (info.annotation, *getattr(info.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _field_names(kind)
