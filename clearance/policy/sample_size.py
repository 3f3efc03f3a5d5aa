"""How many more rows would decide what the rows at hand cannot, and in which group they are missing.

The only estimate of it: findings carry its answer and every page repeats that answer. Pure. It states its
assumption, promises nothing and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from clearance import wording
from clearance.documents.verdict_document import MoreRows

MOST = 1000.0
"""The factor of growth beyond which more rows count as no answer: nobody will collect them."""

ASSUMPTION = "if rates stay the same and all groups grow equally"


def sentence(more: MoreRows) -> str:
    """What would decide the finding, as a clause without a capital or a full stop."""
    if more.times is None:
        return "more rows will not decide it: the value lies too close to the limit"
    if more.group is None or more.rows is None:
        if more.times <= 1:
            return "more rows would decide it"
        return f"about {_factor(more.times)} times as many rows would decide it, {ASSUMPTION}"
    minimum_is_more = more.rows * more.times <= more.rows + more.short.get(more.group, 0)
    if more.short and minimum_is_more:
        groups = [_rows_in(group, rows) for group, rows in more.short.items()]
        return f"{wording.join_names(groups)} would decide it"
    if more.times <= 1:
        return (
            f"more rows in {more.group}, the smallest group ({wording.count(more.rows)} now), would decide it"
        )
    extra = f"{_count(more.rows * (more.times - 1))} more in {more.group}, the smallest group"
    return f"about {_factor(more.times)} times as many rows ({extra}) would decide it, {ASSUMPTION}"


def estimate(
    value: float,
    low: float,
    high: float,
    ends: Iterable[float],
    support: Mapping[str, int],
    *,
    minimum: int = 0,
) -> MoreRows:
    """The rows that would put the interval on one side of each of `ends` and give each group its minimum."""
    return lacking(support, minimum, times(value, low, high, ends))


def lacking(support: Mapping[str, int], minimum: int = 0, times: float | None = 1.0) -> MoreRows:
    """The rows that groups lack to `minimum`, when the interval needs `times` as many."""
    smallest = min(sorted(support), key=lambda group: support[group], default=None)
    return MoreRows(
        times=times,
        group=smallest,
        rows=None if smallest is None else support[smallest],
        short={group: minimum - rows for group, rows in sorted(support.items()) if rows < minimum},
    )


def times(value: float, low: float, high: float, ends: Iterable[float]) -> float | None:
    """By how much the rows must grow until the interval lies on one side of each of `ends`; 1 where it does.

    At least 1. None when no number of rows would decide: `value` lies on an end, or so near to it that more
    than `MOST` times the rows would be needed. Assumes that the value stays and that both ends of the
    interval move towards it as one over the square root of the rows.
    """
    most = 1.0
    for end in ends:
        if not low <= end <= high:
            continue
        if value == end:
            return None
        bound = high if end > value else low
        clipped = bound in (0.0, 1.0)  # the range ends there, and hides how far the interval would reach
        reach = max(high - value, value - low) if clipped else abs(bound - value)
        most = max(most, (reach / (end - value)) ** 2)
    return most if most <= MOST else None


def _rows_in(group: str, rows: int) -> str:
    return f"{wording.count(rows)} more {'row' if rows == 1 else 'rows'} in {group}"


def _factor(times: float) -> str:
    """A factor of growth, rounded up: below 2 to tenths, below 10 to halves, else to two digits."""
    if times >= 10:
        return _count(times)
    step = 10 if times < 2 else 2
    return wording.plain(math.ceil(round(times * step, 6)) / step)


def _count(rows: float) -> str:
    """A number of rows, rounded up: above 100 to two digits."""
    step = max(1, 10 ** (math.floor(math.log10(rows)) - 1)) if rows >= 1 else 1
    return wording.count(math.ceil(round(rows / step, 6)) * step)
