"""The rules for one column, inferred from what it holds: type, range, values and nulls.

What identifies or decides blocks; what was only seen once in one table warns.
"""

from __future__ import annotations

import math
from typing import Any

from clearance.drafting.table_profile import ColumnProfile

LISTED = 20
"""The most values that are listed as the only allowed ones."""

_NUMBERS_LISTED = 6
_MARGIN = 0.01


def of_key(column: ColumnProfile) -> dict[str, Any]:
    """The rules for the row key: no row without one."""
    return {"nulls": 0} if not column.nulls else {}


def of_groups(column: ColumnProfile) -> dict[str, Any]:
    """The rules for the target or a protected attribute: its values, and how many rows may lack one."""
    values = {"values": _values(column)} if 0 < column.distinct <= LISTED else {}
    return values | {"nulls": _nulls(column)}


def of_feature(column: ColumnProfile) -> dict[str, Any]:
    """The rules for a feature; a violation warns, because the table says what is, not what may be."""
    rules: dict[str, Any] = {"type": "integer" if column.is_number and column.whole else column.kind}
    if column.is_number and 0 < column.distinct <= _NUMBERS_LISTED and column.whole:
        rules["values"] = sorted(_values(column), key=float)
    elif column.low is not None and column.high is not None:
        low, high = _range(column.low, column.high)
        if math.isfinite(low) and math.isfinite(high):
            rules |= {"min": low, "max": high}
    elif column.kind == "text" and 0 < column.distinct <= LISTED:
        rules["values"] = sorted(_values(column), key=str)
    return rules | {"nulls": _nulls(column), "severity": "warn"}


def _values(column: ColumnProfile) -> list[Any]:
    values = [value for value, _ in column.values]
    if column.is_number or column.kind == "boolean":
        return sorted(int(float(value)) if float(value).is_integer() else float(value) for value in values)
    return sorted(values)


def _nulls(column: ColumnProfile) -> float | int:
    """The share that was seen, rounded up to a hundredth, with one hundredth more; 0 where none was seen."""
    if not column.nulls:
        return 0
    return min(1.0, round(math.ceil(column.null_share * 100) / 100 + _MARGIN, 2))


def _range(low: float, high: float) -> tuple[float, float]:
    """The range that was seen, widened to round numbers."""
    largest = max(abs(low), abs(high))
    if largest == 0 or not math.isfinite(largest):
        return _plain(low), _plain(high)
    step = 10.0 ** math.floor(math.log10(largest))
    start = 0.0 if low >= 0 else math.floor(low / step) * step
    return _plain(start), _plain(math.ceil(high / step) * step if high > 0 else 0.0)


def _plain(number: float) -> float:
    rounded = float(f"{number:.12g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded
