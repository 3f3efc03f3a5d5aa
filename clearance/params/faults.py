"""What is wrong with a settings file, in plain words: each fault with the key it sits at."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError

_PLAIN = {
    "missing": "is missing",
    "string_type": "must be text, so put it in quotes",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "model_type": "must hold keys of its own",
    "dict_type": "must hold keys of its own",
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
    "timezone_aware": "must be a time with its zone, like 2026-01-31T12:00:00Z",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
}
"""By pydantic's name of a fault, what to say instead of its own message."""

_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")
"""A member of an enumeration as Python shows it; what is written in a file is its value."""


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """Each fault with its key; a misspelt key with the key that was probably meant."""
    known = sorted(set(_field_names(model)))
    faults = []
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            close = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
            faults.append(f"unknown key `{key}`" + (f" (did you mean `{close[0]}`?)" if close else ""))
        else:
            own = fault["msg"].removeprefix("Value error, ")
            plain = _MEMBER.sub(r"\1", _PLAIN.get(fault["type"], "").format(**fault.get("ctx", {})))
            name = f"`{key}`" if key else "it"
            faults.append(f"{name} {plain}" if plain else f"{name}: {own}" if key else own)
    return "; ".join(dict.fromkeys(faults))


def _field_names(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield name
        for kind in (info.annotation, *getattr(info.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _field_names(kind)
