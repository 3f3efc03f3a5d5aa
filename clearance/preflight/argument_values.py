"""Which values a constraint of scikit-learn surely allows, read from its source without importing it.

It knows the common constraints. Of any other it says no, and the caller has scikit-learn decide.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, float) or _is_whole(value)


_Test = Callable[[Any], bool]
_TYPES: Mapping[str, _Test] = {
    "Integral": _is_whole,
    "Real": _is_real,
    "RealNotInt": lambda value: isinstance(value, float),
    "dict": lambda value: isinstance(value, dict),
    "str": lambda value: isinstance(value, str),
}
_WORDS: Mapping[Any, _Test] = {
    None: lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "random_state": lambda value: value is None or (_is_whole(value) and value >= 0),
    "verbose": lambda value: isinstance(value, int) and value >= 0,
}


def allows(constraint: ast.expr, value: Any) -> bool:
    """Whether the constraint surely allows the value."""
    match constraint:
        case ast.Constant(value=word):
            return word in _WORDS and _WORDS[word](value)
        case ast.Name(id=kind):
            return kind in _TYPES and _TYPES[kind](value)
        case ast.Call(func=ast.Name(id="StrOptions"), args=[ast.Set(elts=options), *_]):
            return value in [option.value for option in options if isinstance(option, ast.Constant)]
        case ast.Call(func=ast.Name(id="Interval"), args=[ast.Name(id=kind), low, high], keywords=[closed]):
            return kind in _TYPES and _TYPES[kind](value) and _is_within(value, low, high, closed.value)
    return False


def _is_within(value: float, low: ast.expr, high: ast.expr, closed: ast.expr) -> bool:
    """Whether a number lies in an interval; False for ends that are no literals."""
    try:
        first, last, side = map(ast.literal_eval, (low, high, closed))
    except ValueError:
        return False
    above = first is None or value > first or (value == first and side in ("left", "both"))
    below = last is None or value < last or (value == last and side in ("right", "both"))
    return bool(above and below)
