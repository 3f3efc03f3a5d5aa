"""How many more rows would decide what the rows at hand cannot, and in which group they are missing.

The only estimate of it: findings carry its answer and every page repeats that answer. Pure. It states its
assumption, promises nothing and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clearance import wording

MOST = 1000.0
"""The factor of growth beyond which more rows count as no answer: nobody will collect them."""

ASSUMPTION = "if rates stay the same and all groups grow equally"


@dataclass(frozen=True, kw_only=True)
class MoreRows:
    """The rows that would decide one finding.

    `times` is the factor, at least 1, by which all groups must grow until the interval lies on one side of
    the limit; None when no number of rows would do it. `group` is the group with the fewest rows and `rows`
    what it has now; both None when the finding counts no rows. `short` is how many rows each group lacks to
    the rule's minimum.
    """

    times: float | None
    group: str | None
    rows: int | None
    short: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """The estimate as it is written in a finding."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MoreRows:
        """Read an estimate back. Raises TypeError on missing or unknown keys."""
        return cls(**data)

    @property
    def sentence(self) -> str:
        """What would decide it, as a clause without a capital or a full stop."""
        if self.times is None:
            return "more rows will not decide it: the value lies too close to the limit"
        if self.short and self._minimum_decides:
            return f"{wording.join_names(_rows_in(self.short))} would decide it"
        if self.times <= 1:
            now = "" if self.rows is None else f" ({self.group}, {wording.count(self.rows)} now)"
            return f"more rows in the smallest group{now} would decide it"
        more = (
            ""
            if self.rows is None
            else f" ({_about(self.rows * (self.times - 1))} more in {self.group}, the smallest group)"
        )
        return f"about {_about(self.times)} times as many rows{more} would decide it, {ASSUMPTION}"

    @property
    def _minimum_decides(self) -> bool:
        """Whether the rule's minimum asks for more rows than the interval does."""
        if self.times is None or self.group is None or self.rows is None:
            return False
        return self.rows * self.times <= self.rows + self.short.get(self.group, 0)


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


def _rows_in(short: Mapping[str, int]) -> list[str]:
    """ "3 more rows in Hispanic", for each group."""
    return [
        f"{wording.count(rows)} more {'row' if rows == 1 else 'rows'} in {group}"
        for group, rows in short.items()
    ]


def _about(number: float) -> str:
    """Two digits, rounded up: below 10 in halves."""
    if number < 10:
        return wording.plain(math.ceil(round(number * 2, 6)) / 2)
    step = 10 ** (math.floor(math.log10(number)) - 1)
    return wording.count(math.ceil(round(number / step, 6)) * step)
