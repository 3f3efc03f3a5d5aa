"""When two values of a column are the same value: the canonical text of one, whatever type it is written in.

A source may store an outcome as `1`, `1.0`, `true` or `"1"`. Every comparison of labels and group names goes
through `text`, so that ingest, prepare, the policy and the comparison never disagree.
"""

from __future__ import annotations

import math
from decimal import Decimal

_EXACT = 2**53
_SHORTEST, _LONGEST = -6, 9
"""Powers of ten between which a fraction is written without an exponent, as Arrow writes it."""


def text(value: bool | int | float | str | None) -> str | None:
    """The canonical text of a value; None for a missing one (None or NaN).

    Numbers lose what carries no information (7 and 7.0 are `7`, -0.0 is `0`), booleans are `1` and `0`, text
    is itself. It agrees with `clearance.data.tables.row_ids.canonical`, which writes whole columns.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value))
    if math.isnan(value):
        return None
    if value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return _fraction(value)


def same(one: bool | int | float | str | None, other: bool | int | float | str | None) -> bool:
    """Whether both are the same value of a column: `1`, `1.0`, `true` and `"1"` are."""
    return text(one) == text(other)


def _fraction(value: float) -> str:
    """The shortest digits that read back as `value`, written as Arrow writes them."""
    if math.isinf(value):
        return str(value)
    exact = Decimal(repr(value)).normalize()
    exponent = exact.adjusted()
    if _SHORTEST <= exponent <= _LONGEST:
        return format(exact, "f")
    first, rest = exact.as_tuple().digits[0], "".join(map(str, exact.as_tuple().digits[1:]))
    mantissa = f"{'-' if value < 0 else ''}{first}{'.' if rest else ''}{rest}"
    return f"{mantissa}e{'+' if exponent > 0 else ''}{exponent}"
