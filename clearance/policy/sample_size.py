"""How many more rows would decide what the rows at hand cannot, and in which group they are missing.

The only estimate of it: findings carry its answer and every page repeats that answer. Pure. It states its
assumption, promises nothing and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from clearance import wording
from clearance.documents.measurement import Measurement, Projection
from clearance.documents.verdict_document import MoreRows

MOST = 1000.0
"""The factor of growth beyond which more rows count as no answer: nobody will collect them."""

FAR = 100.0
"""The factor from which on nobody is told to collect rows."""

ASSUMPTION = "if rates stay the same and all groups grow equally"


def sentence(more: MoreRows) -> str:
    """What would decide the finding, as a clause without a capital or a full stop."""
    if more.times is None:
        return "more rows will not decide it: the value lies too close to the limit"
    if more.times > FAR:
        return (
            "more rows will hardly decide it: the value lies so close to the limit that about "
            f"{_factor(more.times)} times as many would be needed"
        )
    if more.group is None or more.rows is None:
        return "more rows would decide it" if more.times <= 1 else _grown(more.times)
    minimum_is_more = more.rows * more.times <= more.rows + more.short.get(more.group, 0)
    if more.short and minimum_is_more:
        groups = [_rows_in(group, rows) for group, rows in more.short.items()]
        return f"{wording.join_names(groups)} would decide it"
    if more.times <= 1:
        return (
            f"more rows in {more.group}, the smallest group ({wording.count(more.rows)} now), would decide it"
        )
    extra = f"{_count(more.rows * (_rounded_up(more.times) - 1))} more in {more.group}, the smallest group"
    return _grown(more.times, f" ({extra})")


def _grown(times: float, extra: str = "") -> str:
    return f"about {_factor(times)} times as many rows{extra} would decide it, {ASSUMPTION}"


def estimate(
    measured: Measurement, ends: Iterable[float], support: Mapping[str, int], *, minimum: int = 0
) -> MoreRows:
    """The rows that would put the interval on one side of each of `ends` and give each group its minimum.

    `support` counts the rows that more would be added to. Raises ValueError without an interval.
    """
    if measured.value is None or measured.low is None or measured.high is None:
        raise ValueError("there is no interval that more rows would move")
    needed = times(measured.value, measured.low, measured.high, ends, measured.projections or ())
    return lacking(support, minimum, needed)


def lacking(support: Mapping[str, int], minimum: int = 0, times: float | None = 1.0) -> MoreRows:
    """The rows that groups lack to `minimum`, when the interval needs `times` as many."""
    smallest = min(sorted(support), key=lambda group: support[group], default=None)
    return MoreRows(
        times=times,
        group=smallest,
        rows=None if smallest is None else support[smallest],
        short={group: minimum - rows for group, rows in sorted(support.items()) if rows < minimum},
    )


def times(
    value: float, low: float, high: float, ends: Iterable[float], projections: Sequence[Projection] = ()
) -> float | None:
    """By how much the rows must grow until the interval lies on one side of each of `ends`; 1 where it does.

    At least 1. None when no number of rows would decide: `value` lies on an end, or so near to it that more
    than `MOST` times the rows would be needed. Assumes that the value stays. The end of the interval that has
    to pass the limit moves as it was projected when it was measured, at the level that this end has; beyond
    that, and where nothing was projected, towards the value as one over the square root of the rows.
    """
    most = 1.0
    for end in ends:
        if not low <= end <= high:
            continue
        if value == end:
            return None
        most = max(
            most, _until_within(abs(end - value), _reaches(value, low, high, projections, end > value))
        )
    return most if most <= MOST else None


def _reaches(
    value: float, low: float, high: float, projections: Sequence[Projection], is_above: bool
) -> list[tuple[float, float]]:
    """How far the bound above, or below, lies from the value, by 1 / sqrt(rows)."""
    if not projections:
        bound = high if is_above else low
        is_cut = bound in (0.0, 1.0)  # the range ends there, and hides how far the interval would reach
        return [(1.0, max(high - value, value - low) if is_cut else abs(bound - value))]
    return [(1 / math.sqrt(at.times), at.high - value if is_above else value - at.low) for at in projections]


def _until_within(need: float, reaches: Sequence[tuple[float, float]]) -> float:
    """The rows, as a factor, with which a bound is no farther than `need` from the value.

    `reaches` has how far it is, by 1 / sqrt(rows), from 1 down; at 0 it is on the value. Between two of them
    it is no farther than both the line between them and that from the next two: where the bound is that of
    another pair of groups from some number of rows on, it bends either way.
    """
    line = [*reaches, (0.0, 0.0)]
    place = next(at for at, (_, reach) in enumerate(line) if reach <= need)
    if place == 0:
        return 1.0
    segments = [(line[place - 1], line[place]), *pairwise(line[place : place + 2])]
    at, reach = line[place]
    slopes = [(above[1] - below[1]) / (above[0] - below[0]) for above, below in segments]
    return (at + (need - reach) / max(slopes)) ** -2


def _rows_in(group: str, rows: int) -> str:
    return f"{wording.count(rows)} more {'row' if rows == 1 else 'rows'} in {group}"


def _factor(times: float) -> str:
    """A factor of growth in words, rounded up."""
    return _count(times) if times >= 10 else wording.plain(_rounded_up(times))


def _rounded_up(times: float) -> float:
    """A factor of growth as it is shown: below 2 to tenths, below 10 to halves, else whole."""
    step = 10 if times < 2 else 2 if times < 10 else 1
    return math.ceil(round(times * step, 6)) / step


def _count(rows: float) -> str:
    """A number of rows, rounded up: above 100 to two digits."""
    step = max(1, 10 ** (math.floor(math.log10(rows)) - 1)) if rows >= 1 else 1
    return wording.count(math.ceil(round(rows / step, 6)) * step)
