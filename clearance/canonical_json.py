"""JSON as it is signed: every value has one text, and no text can be read in two ways.

Python's reader takes a repeated key, NaN, an infinity and half a character; none of them may carry evidence.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from clearance.errors import IntegrityError

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
LIMIT = 16 << 20
"""Bytes of JSON that are read at most: evidence with its lock file and policy is well below one megabyte."""


def dumps(value: Any) -> bytes:
    """`value` as canonical JSON in UTF-8: keys in order, no spaces, other than ASCII escaped.

    Its SHA-256 is what `artifacts.sha256_json` returns. Raises IntegrityError when `value` is no JSON value,
    holds NaN or an infinity, or has keys that JSON cannot tell apart.
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _faulty(f"cannot be written ({error})") from None
    return text.encode()


def loads(data: bytes) -> Any:
    """The one value that `data` says.

    Raises IntegrityError when it is longer than `LIMIT`, no JSON in UTF-8, nested too deep, or has a key
    twice, NaN, a number outside the range of a double, or a text that is not Unicode.
    """
    if len(data) > LIMIT:
        raise _faulty(f"has {len(data)} bytes, more than the {LIMIT} that are read")
    try:
        text = data.decode()
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # half a pair fails here
    except (ValueError, RecursionError) as error:
        raise _faulty(f"cannot be read ({error})") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no evidence")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def _faulty(what: str) -> IntegrityError:
    return IntegrityError(f"signed JSON {what}", "take the file from where it was signed; never edit it")
