"""How many more rows would decide what the rows at hand cannot, and which group has the fewest.

Pure. An estimate with its assumption, never a promise; it decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from clearance import wording

MOST = 1000.0
"""Times the rows beyond which the number counts as sitting at the limit: nobody will collect them."""

ASSUMPTION = "if all rates stay as they are and every group grows alike"


def times(value: float, low: float, high: float, fences: Iterable[float]) -> float | None:
    """By how much the rows must grow until the interval lies on one side of each fence; 1 where it does.

    At least 1. None where no number of rows would decide: `value` lies on a fence, or so near to it that
    more than `MOST` times the rows were needed. Assumes that the value stays and that either end moves
    towards it as one over the root of the rows.
    """
    most = 1.0
    for fence in fences:
        if not low <= fence <= high:
            continue
        if value == fence:
            return None
        end = high if fence > value else low
        cut = end in (0.0, 1.0)  # the range ends there, and hides how far the interval would reach
        reach = max(high - value, value - low) if cut else abs(end - value)
        most = max(most, (reach / (fence - value)) ** 2)
    return most if most <= MOST else None


def sentence(
    value: float, low: float, high: float, fences: Iterable[float], support: Mapping[str, int]
) -> str:
    """Which group has the fewest rows, and about how many more would decide; or that none would."""
    fewest = min(sorted(support), key=lambda group: support[group], default=None)
    lacks = "" if fewest is None else f"{fewest} has the fewest rows ({wording.count(support[fewest])}); "
    needed = times(value, low, high, fences)
    if needed is None:
        return f"{lacks}it cannot be decided, the number sits at the limit however many rows there are"
    more = "" if fewest is None else f", {_about(support[fewest] * (needed - 1))} more in {fewest}"
    return f"{lacks}about {_about(needed)} times the rows{more}, would decide it {ASSUMPTION}"


def _about(number: float) -> str:
    """Two digits, rounded up: below 10 in halves."""
    if number < 10:
        return wording.plain(math.ceil(round(number * 2, 6)) / 2)
    step = 10 ** (math.floor(math.log10(number)) - 1)
    return wording.count(math.ceil(round(number / step, 6)) * step)
