"""Who is worse off: the two groups whose rates lie furthest apart, named with their counts.

One wording for the terminal, the report, Prefect and MLflow. Nothing is measured or decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clearance import wording
from clearance.documents import metric_catalogue

_AMONG = ("favourable label", "unfavourable label", "favourable decision")
"""Which of a group's rows a rate may be taken over; all of them where its name has no such ending."""

_BETTER_WITHOUT = ("decided unfavourably", "missing")
_WHOLE = 1e-6


@dataclass(frozen=True, kw_only=True)
class GroupRate:
    """The rate of a group, in [0, 1], over `rows` rows; `name` may say over which rows of the group."""

    name: str
    rate: float
    rows: int

    @property
    def successes(self) -> int | None:
        """How many of the rows the rate counts; None where rows weigh, so that it is no share of rows."""
        number = self.rate * self.rows
        return round(number) if abs(number - round(number)) < _WHOLE * max(1, self.rows) else None

    def __str__(self) -> str:
        rows = wording.count(self.rows)
        number = self.successes
        counted = f"weighted, {rows} rows" if number is None else f"{wording.count(number)} of {rows}"
        return f"{self.name} {wording.percent(self.rate)} ({counted})"


def furthest(
    metric: str, rates: Mapping[str, float] | None, rows: Mapping[str, int]
) -> tuple[GroupRate, GroupRate] | None:
    """The two groups that `metric` finds furthest apart, the one that is worse off first.

    `rates` and `rows` are by group, as in a measurement. None where they compare no two groups.
    """
    entry = metric_catalogue.METRICS.get(metric)
    if entry is None or not entry.counts:
        return None
    pairs = [pair for pair in _pairs(rates or {}, rows) if pair[0].rate < pair[1].rate]
    if not pairs:
        return None
    if entry.unit.startswith("ratio"):
        low, high = min(pairs, key=lambda pair: pair[0].rate / pair[1].rate)
    else:
        low, high = max(pairs, key=lambda pair: pair[1].rate - pair[0].rate)
    return (high, low) if entry.counts in _BETTER_WITHOUT else (low, high)


def sentence(metric: str, rates: Mapping[str, float] | None, rows: Mapping[str, int]) -> str | None:
    """Who is worse off, and than whom: "women 14.4% (704 of 4,889), men 44.9% (4,417 of 9,836) decided
    favourably". None where the groups do not differ or the figure compares no rates.
    """
    pair = furthest(metric, rates, rows)
    if pair is None:
        return None
    return f"{pair[0]}, {pair[1]} {metric_catalogue.METRICS[metric].counts}"


def _pairs(rates: Mapping[str, float], rows: Mapping[str, int]) -> Iterator[tuple[GroupRate, GroupRate]]:
    """The lowest and the highest rate among those that are taken over the same kind of rows."""
    kinds: dict[str, list[GroupRate]] = {}
    for name, rate in rates.items():
        if name in rows:
            kinds.setdefault(_kind(name), []).append(GroupRate(name=name, rate=rate, rows=rows[name]))
    for members in kinds.values():
        ordered = sorted(members, key=lambda member: member.rate)
        yield ordered[0], ordered[-1]


def _kind(name: str) -> str:
    return next((kind for kind in _AMONG if name.endswith(f", {kind}")), "")
