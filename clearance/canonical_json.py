"""JSON that is signed or hashed: every value has one text, and no text can be read in two ways.

New records use RFC 8785 (`dumps`), which other languages can reproduce. Records of version 1 keep Python's
form (`text_v1`): it escapes all but ASCII and writes floats as `repr` does. The forms agree on ASCII text and
integers. Python's reader accepts repeated keys, NaN, infinities and lone surrogates; `loads` refuses them.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import rfc8785

from clearance.errors import ErrorKind, IntegrityError

LIMIT = 16 << 20
"""Most bytes of JSON that are read: evidence with its lock file and policy is well below one megabyte."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_encode_v1 = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode

_NEVER_EDIT = "take the file from where it was signed, and never edit it"
NOT_WRITABLE = ErrorKind(
    "canonical_json.not_writable", IntegrityError, "signed JSON cannot be written ({why})", _NEVER_EDIT
)
TOO_LONG = ErrorKind(
    "canonical_json.too_long",
    IntegrityError,
    "signed JSON has {length} bytes; the limit is {limit}",
    _NEVER_EDIT,
)
NOT_READABLE = ErrorKind(
    "canonical_json.not_readable", IntegrityError, "signed JSON cannot be read ({why})", _NEVER_EDIT
)


def dumps(value: Any) -> bytes:
    """`value` in the form of RFC 8785 (JSON Canonicalization Scheme), in UTF-8.

    Raises IntegrityError when `value` is not a JSON value, or holds NaN, an infinity, an integer beyond 2^53,
    a key that is not text, or a lone surrogate.
    """
    try:
        return rfc8785.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise NOT_WRITABLE(why=error) from None


def dumps_v1(value: Any) -> bytes:
    """`value` in the form of version 1, in ASCII.

    Raises IntegrityError when `value` is not a JSON value, holds NaN or an infinity, or has keys that JSON
    cannot tell apart.
    """
    try:
        return text_v1(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise NOT_WRITABLE(why=error) from None


def text_v1(value: Any) -> str:
    """`value` in the form of version 1: sorted keys, no spaces, all but ASCII escaped.

    Raises TypeError or ValueError when `value` is not a JSON value, or holds NaN or an infinity.
    """
    return _encode_v1(value)


def loads(data: bytes) -> Any:
    """The one value that `data` can mean.

    Raises IntegrityError when it is longer than `LIMIT`, not JSON in UTF-8, nested too deeply, or has a
    repeated key, NaN, a number beyond the range of a double, or text that is not Unicode.
    """
    if len(data) > LIMIT:
        raise TOO_LONG(length=len(data), limit=LIMIT)
    try:
        text = data.decode()
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # fails on a lone surrogate
    except (ValueError, RecursionError) as error:
        raise NOT_READABLE(why=error) from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is repeated")
    return members


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number
