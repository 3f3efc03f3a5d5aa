"""Pydantic's validation errors in plain words, each with the key it concerns."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

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

_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")
"""A member of an enumeration as Python shows it; a file holds its value."""


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """All problems in one line; see `each`."""
    return "; ".join(each(error, model))


def each(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Each problem with its key; for an unknown key the most similar one of `model` is suggested."""
    names = sorted(set(_field_names(model)))
    problems = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            close = difflib.get_close_matches(str(problem["loc"][-1]), names, n=1)
            problems.append(f"unknown key `{key}`" + (f" (did you mean `{close[0]}`?)" if close else ""))
        else:
            original = problem["msg"].removeprefix("Value error, ")
            template = _MESSAGES.get(problem["type"], "")
            message = _MEMBER.sub(r"\1", template.format(**problem.get("ctx", {})))
            subject = f"`{key}`" if key else "it"
            if message:
                problems.append(f"{subject} {message}")
            else:
                problems.append(f"{subject}: {original}" if key else original)
    return list(dict.fromkeys(problems))


def _field_names(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield name
        for kind in (info.annotation, *getattr(info.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _field_names(kind)
