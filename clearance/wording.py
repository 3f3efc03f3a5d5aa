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


def percent(rate: float | None, beside: Iterable[float | None] = ()) -> str:
    """A rate in [0, 1] as a percentage with one decimal; None, a rate over no rows, is "none".

    More decimals are shown when rounding would move it onto or past a number of `beside`, rates like it.
    """
    if rate is None:
        return "none"
    ends = [end for end in beside if end is not None]
    decimals = 1
    while decimals < _MOST_DECIMALS and any(_crosses(rate, end, decimals, 100) for end in ends):
        decimals += 1
    return f"{rate * 100:.{decimals}f}%"


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
    ends = [end for end in beside if end is not None]
    if all(number.is_integer() for number in numbers):
        words = [count(int(number)) for number in numbers]
    elif max(abs(number) for number in numbers) < _TINY:
        words = [_power_of_ten(number, ends) if number else "0" for number in numbers]
    else:
        decimals = _decimals_that_separate(numbers, ends)
        words = [_with_decimals(number, decimals, ends) for number in numbers]
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


def _with_decimals(value: float, decimals: int, ends: list[float]) -> str:
    """The number with so many decimals; not rounded at all where that would still reach one of `ends`."""
    return plain(value) if any(_crosses(value, end, decimals) for end in ends) else _fixed(value, decimals)


def _power_of_ten(value: float, ends: list[float]) -> str:
    """A tiny number with three significant digits, and more where those would reach one of `ends`."""
    digits = range(_SIGNIFICANT - 1, 17)
    texts = (f"{value:.{number}e}" for number in digits)
    return next((text for text in texts if not any(_passes(text, value, end) for end in ends)), repr(value))


def _crosses(value: float, end: float, decimals: int, scale: int = 1) -> bool:
    """Whether `value`, shown times `scale` with so many decimals, reaches `end` or lies past it."""
    if abs(value - end) * scale > 10.0**-decimals:
        return False  # rounding moves it by half of that at most
    return _passes(f"{value * scale:.{decimals}f}", value, end, scale)


def _passes(text: str, value: float, end: float, scale: int = 1) -> bool:
    """Whether `text`, which is how `value` is shown times `scale`, reaches `end` or lies past it."""
    rounded, bound = Decimal(text), Decimal(repr(float(end))) * scale
    return value != end and (rounded - bound) * (1 if value > end else -1) <= 0


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text
