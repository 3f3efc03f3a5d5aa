"""JSON from callers that nobody trusts: what is ambiguous, infinite or too deep is refused, by a code.

Pure. No error repeats what was sent.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from clearance.serving import faults

DEEPEST = 16
"""Levels of nesting."""
Json = Any


def parse(body: bytes) -> Json:
    """The JSON value in `body`. Raises DataError for anything else, and for what JSON readers disagree on.

    Refused: bytes that are not UTF-8, a byte order mark, NaN and infinities, numbers beyond a double, a key
    twice in one object, text with half a surrogate pair, more than `DEEPEST` levels.
    """
    try:
        text = body.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise faults.NOT_UTF8() from None
    except json.JSONDecodeError as error:
        raise faults.NOT_JSON(line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise faults.TOO_DEEP(limit=DEEPEST) from None
    except ValueError:  # an integer of more digits than Python converts
        raise faults.NOT_FINITE() from None
    if "\\u" in text or text.count("[") + text.count("{") > DEEPEST:
        _check(value, DEEPEST)
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise faults.DUPLICATE_KEY()
    return content


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise faults.NOT_FINITE()
    return value


def _constant(_: str) -> NoReturn:
    raise faults.NOT_FINITE()


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=_constant)


def _check(value: Json, levels: int) -> None:
    """Raise DataError where `value` has more levels, or a text that UTF-8 cannot hold."""
    if isinstance(value, str):
        if not _is_encodable(value):
            raise faults.NOT_TEXT()
    elif isinstance(value, dict | list):
        if not levels:
            raise faults.TOO_DEEP(limit=DEEPEST)
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            _check(inner, levels - 1)


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
