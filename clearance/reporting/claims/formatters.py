"""The formatters of claims: how a value of an artefact is worded. A closed list of pure functions.

Each takes the value and the limits that it may be read against, and raises UnfitValue for a value that is not
of its kind. Rounding never moves a number onto or past one of the limits.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clearance import wording
from clearance.documents import metric_catalogue

Ends = Sequence[float]
Formatter = Callable[[Any, Ends], str]

OUTCOMES: Mapping[str | None, str] = {
    "pass": "pass",
    "fail": "fail",
    "insufficient_evidence": "insufficient evidence",
    "not_evaluated": "not evaluated",
    None: "reported only",
}
"""The word for each outcome of a rule."""

_DIGEST_SHOWN = 12


class UnfitValue(ValueError):
    """A value that its formatter cannot word; the text says what was expected."""


def limit_ends(value: Any) -> list[float]:
    """The numbers of a limit: of one with ends, of a finding that has one, or a number itself."""
    if isinstance(value, Mapping):
        if isinstance(value.get("limit"), Mapping):
            return limit_ends(value["limit"])
        ends = [value.get("at_least"), value.get("at_most")]
        return [_number_of(end) for end in ends if end is not None]
    return [] if value is None else [_number_of(value)]


def _text(value: Any, _: Ends) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UnfitValue("a text")
    return value


def _sentence(value: Any, ends: Ends) -> str:
    return wording.sentence(_text(value, ends))


def _count(value: Any, _: Ends) -> str:
    number = _number_of(value)
    if not number.is_integer() or number < 0:
        raise UnfitValue("a count")
    return wording.count(int(number))


def _entries(value: Any, _: Ends) -> str:
    if not isinstance(value, list | tuple | Mapping):
        raise UnfitValue("a list or an object")
    return wording.count(len(value))


def _percent(value: Any, ends: Ends) -> str:
    """A rate; None, a rate over no rows, is "none"."""
    return wording.percent(None if value is None else _number_of(value), ends)


def _bounds(value: Any, ends: Ends) -> str:
    """The two ends of a rate's interval; None, that of a rate over no rows, is "none"."""
    if value is None:
        return "none"
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise UnfitValue("the two ends of an interval")
    return " to ".join(_percent(end, ends) for end in value)


def _number(value: Any, ends: Ends) -> str:
    return wording.measurement({"value": _number_of(value)}, ends)


def _as_written(value: Any, _: Ends) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return wording.plain(_number_of(value)) if _is_number(value) else _text(value, _)


def _measurement(value: Any, ends: Ends) -> str:
    """A measurement or a finding, with its interval: "0.312 (0.124 to 0.474)"."""
    if not isinstance(value, Mapping) or "value" not in value:
        raise UnfitValue("a measurement")
    numbers = [value[name] for name in ("value", "low", "high") if value.get(name) is not None]
    for number in numbers:
        _number_of(number)
    if value["value"] is None:
        return f"undefined: {value.get('undefined') or value.get('reason') or 'no reason was recorded'}"
    return wording.measurement(value, [*ends, *limit_ends(value)])


def _limit(value: Any, _: Ends) -> str:
    if value is not None and not isinstance(value, Mapping):
        raise UnfitValue("a limit")
    return wording.limit(value)


def _outcome(value: Any, _: Ends) -> str:
    if (value is not None and not isinstance(value, str)) or value not in OUTCOMES:
        raise UnfitValue("an outcome")
    return OUTCOMES[value]


def _names(value: Any, _: Ends) -> str:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise UnfitValue("a list of texts")
    return wording.join_names(value)


def _date(value: Any, _: Ends) -> str:
    try:
        return dt.date.fromisoformat(_text(value, _)[:10]).isoformat()
    except ValueError:
        raise UnfitValue("a day, YYYY-MM-DD") from None


def _digest(value: Any, _: Ends) -> str:
    if not isinstance(value, str) or re.fullmatch("[0-9a-f]{40,64}", value) is None:
        raise UnfitValue("a digest")
    return f"{value[:_DIGEST_SHOWN]}…"


def _attribute(value: Any, _: Ends) -> str:
    return "all rows" if value is None else _text(value, _)


def _metric(value: Any, _: Ends) -> str:
    return metric_catalogue.title(_text(value, _))


def _metric_of(document: str) -> Formatter:
    """The title of a metric of this document, by its name there."""
    return lambda value, ends: _metric(f"{document}.{_text(value, ends)}", ends)


def _number_of(value: Any) -> float:
    if not _is_number(value):
        raise UnfitValue("a finite number")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


FORMATTERS: Mapping[str, Formatter] = {
    "as_written": _as_written,
    "attribute": _attribute,
    "bounds": _bounds,
    "count": _count,
    "date": _date,
    "digest": _digest,
    "entries": _entries,
    "fairness_metric": _metric_of("fairness"),
    "key": _text,
    "limit": _limit,
    "measurement": _measurement,
    "metric": _metric,
    "names": _names,
    "number": _number,
    "outcome": _outcome,
    "percent": _percent,
    "performance_metric": _metric_of("performance"),
    "sentence": _sentence,
    "text": _text,
}
"""Every formatter by the name that a source gives it."""

KEYS = ("key", "performance_metric", "fairness_metric")
"""Formatters that word the last key of a pointer, such as the name of a group, and not the value there."""
