"""Numbers, limits and lists in words, the same wherever a person reads them.

Only digits and phrases are decided here. Rounding never hides on which side of a limit a number lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

_SIGNIFICANT = 3
_MOST_DECIMALS = 12
_TINY = 1e-4


def count(number: int) -> str:
    """A whole number with thousands separators: 1989 is "1,989"."""
    return f"{number:,d}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """The number with its noun: "1 line", "1,989 lines"; `many` is `one` with an "s" unless it is given."""
    return f"{count(number)} {one if number == 1 else many or f'{one}s'}"


def percent(rate: float | None) -> str:
    """A rate in [0, 1] as a percentage with one decimal; None, a rate over no rows, is "none"."""
    return "none" if rate is None else f"{rate * 100:.1f}%"


def plain(number: float) -> str:
    """A number as it was written, not rounded: 0.1 is "0.1", 30.0 is "30", 1e-6 is "0.000001"."""
    text = format(Decimal(repr(float(number))), "f")
    return text.removesuffix(".0")


def number(value: float, like: float | None = None) -> str:
    """A number with three significant digits; whole numbers stay whole, tiny ones use a power of ten.

    With `like`, the largest number of a column, it gets the decimals that that number needs for three digits.
    """
    if like and abs(like) >= _TINY:
        return _fixed(value, _decimals([like]))
    return measurement({"value": value})


def measurement(measured: Mapping[str, Any], beside: Iterable[float | None] = ()) -> str:
    """A measurement with its interval, "0.12 (0.05 to 0.20)"; an undefined one gives the reason.

    All three numbers have the same decimals: three significant digits of the largest. More are shown when
    rounding would move one of them onto or past a number of `beside` (the ends of a limit).
    """
    value = measured.get("value")
    if value is None:
        return f"undefined: {measured.get('undefined') or 'no reason was recorded'}"
    bounds = [measured.get("low"), measured.get("high")]
    numbers = [float(value), *(float(bound) for bound in bounds if bound is not None)]
    if all(number.is_integer() for number in numbers):
        words = [count(int(number)) for number in numbers]
    elif max(abs(number) for number in numbers) < _TINY:
        words = [f"{number:.{_SIGNIFICANT - 1}e}" if number else "0" for number in numbers]
    else:
        decimals = _decimals_that_separate(numbers, [end for end in beside if end is not None])
        words = [_fixed(number, decimals) for number in numbers]
    return f"{words[0]} ({words[1]} to {words[2]})" if len(words) == 3 else words[0]


def limit(bounds: Mapping[str, Any] | None) -> str:
    """The limit in words, "≤ 0.1", "≥ 0.8" or "0.8 to 1.25"; "none" for a rule without one."""
    low, high = (bounds or {}).get("at_least"), (bounds or {}).get("at_most")
    if low is not None and high is not None:
        return f"{plain(low)} to {plain(high)}"
    if low is not None:
        return f"≥ {plain(low)}"
    return "none" if high is None else f"≤ {plain(high)}"


def join_names(names: Iterable[str]) -> str:
    """The names as a phrase: "race, sex and age"; "nothing" when there is none."""
    *first, last = [str(name) for name in names] or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last


def sentence(text: str, stop: str = ".") -> str:
    """The text with a capital first letter and `stop` at its end, unless it already ends in a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else stop}"


def _decimals(values: list[float]) -> int:
    largest = max((abs(value) for value in values if value), default=1.0)
    return min(_MOST_DECIMALS, max(0, _SIGNIFICANT - 1 - math.floor(math.log10(largest))))


def _decimals_that_separate(values: list[float], ends: list[float]) -> int:
    """The fewest decimals, from three significant digits, that keep every value on its side of each end."""
    decimals = _decimals(values)
    while decimals < _MOST_DECIMALS and any(_crosses(v, end, decimals) for v in values for end in ends):
        decimals += 1
    return decimals


def _crosses(value: float, end: float, decimals: int) -> bool:
    rounded = float(f"{value:.{decimals}f}")
    return value != end and (rounded - end) * (value - end) <= 0


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text
