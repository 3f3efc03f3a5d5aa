"""How numbers and limits are put into words, the same wherever a person reads them.

Decides about digits and phrases only. Rounding never hides on which side of a limit a number lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

_SIGNIFICANT = 3
_MOST_DECIMALS = 12
_TINY = 1e-4

_NAMES = {
    "roc_auc": "ROC AUC",
    "roc_auc_difference": "ROC AUC difference",
    "theil_index": "Theil index",
    "between_group_theil_index": "between-group Theil index",
    "between_group_generalized_entropy_index": "between-group generalized entropy index",
    "disparate_impact_best_group": "disparate impact against the best group",
    "disparate_impact_reference_group": "disparate impact against the reference group",
    "true_positive_rate_lowest": "lowest true positive rate",
    "accuracy_lowest": "lowest accuracy",
    "calibration_error_highest": "highest calibration error within a group",
    "brier": "Brier score",
    "log_loss": "log loss",
    "f1": "F1",
    "additivity_error": "additivity error of the explanation",
    "blocking_failures": "blocking data failures",
    "warnings": "data warnings",
    "missing_share": "share of rows without a known group",
    "left_out": "rows in no split",
    "overlap": "rows in more than one split",
    "missingness_difference": "difference in missing values",
    "proxy_auc": "ROC AUC of the strongest proxy",
    "proxy_auc_together": "ROC AUC of all features as a proxy",
    "protected_at_decision": "use of protected attributes in decisions",
    "label_kl_divergence": "Kullback-Leibler divergence of the labels",
    "label_js_divergence": "Jensen-Shannon divergence of the labels",
}


def metric(name: str) -> str:
    """The name a person knows a metric by: `performance.log_loss` is "log loss"."""
    last = name.rpartition(".")[2]
    return _NAMES.get(last, last.replace("_", " "))


def count(number: int) -> str:
    """A whole number with thousands apart: 1989 is "1,989"."""
    return f"{number:,d}"


def percent(rate: float | None) -> str:
    """A rate in [0, 1] as a percentage with one decimal; None, a rate over no rows, is "none"."""
    return "none" if rate is None else f"{rate * 100:.1f}%"


def plain(number: float) -> str:
    """A number as somebody wrote it down, not rounded: 0.1 is "0.1", 30.0 is "30", 1e-6 is "0.000001"."""
    text = format(Decimal(repr(float(number))), "f")
    return text.removesuffix(".0")


def number(value: float, like: float | None = None) -> str:
    """A number with three significant digits; whole numbers stay whole, tiny ones take a power of ten.

    With `like`, the largest of a column, it has as many decimals as that one needs for three digits.
    """
    if like and abs(like) >= _TINY:
        return _fixed(value, _decimals([like]))
    return measurement({"value": value})


def measurement(measured: Mapping[str, Any], beside: Iterable[float | None] = ()) -> str:
    """A measurement with its interval, "0.12 (0.05 to 0.20)"; undefined ones say so and why.

    All three numbers have the same decimals: three significant digits of the largest. More are shown
    where rounding would put one of them onto, or beyond, a number of `beside` (the ends of a limit).
    """
    value = measured.get("value")
    if value is None:
        return f"undefined: {measured.get('undefined') or 'no reason was recorded'}"
    ends = [measured.get("low"), measured.get("high")]
    shown = [float(value), *(float(end) for end in ends if end is not None)]
    if all(each.is_integer() for each in shown):
        words = [count(int(each)) for each in shown]
    elif max(abs(each) for each in shown) < _TINY:
        words = [f"{each:.{_SIGNIFICANT - 1}e}" if each else "0" for each in shown]
    else:
        decimals = _apart(shown, [end for end in beside if end is not None])
        words = [_fixed(each, decimals) for each in shown]
    return f"{words[0]} ({words[1]} to {words[2]})" if len(words) == 3 else words[0]


def limit(bounds: Mapping[str, Any] | None) -> str:
    """The limit in words, "at least 0.8 and at most 1.25"; "none" where a rule has none."""
    ends = [("at least", "at_least"), ("at most", "at_most")]
    given = [f"{word} {plain(bounds[key])}" for word, key in ends if bounds and bounds.get(key) is not None]
    return " and ".join(given) or "none"


def listed(names: Iterable[str]) -> str:
    """Names as a person says them: "race, sex and age"."""
    *first, last = [str(name) for name in names] or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last


def sentence(text: str, stop: str = ".") -> str:
    """The text with a capital first letter and `stop` at its end, unless one stands there already."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else stop}"


def _decimals(values: list[float]) -> int:
    largest = max((abs(value) for value in values if value), default=1.0)
    return min(_MOST_DECIMALS, max(0, _SIGNIFICANT - 1 - math.floor(math.log10(largest))))


def _apart(values: list[float], fences: list[float]) -> int:
    """The fewest decimals, from three significant digits on, that keep every value on its side."""
    decimals = _decimals(values)
    while decimals < _MOST_DECIMALS and any(_crosses(v, f, decimals) for v in values for f in fences):
        decimals += 1
    return decimals


def _crosses(value: float, fence: float, decimals: int) -> bool:
    shown = float(f"{value:.{decimals}f}")
    return value != fence and (shown - fence) * (value - fence) <= 0


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text
