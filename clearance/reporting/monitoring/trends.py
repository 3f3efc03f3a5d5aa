"""Looks at a version in use, laid out by rule and subject: what fails, what failed before, what was quiet.

It repeats what the looks recorded and decides nothing.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Literal

from clearance.documents.look_document import LiveFinding, Look, Window
from clearance.documents.measurement import Outcome
from clearance.policy import judgement

PERIODS = ("day", "week", "month", "batch")
"""Periods of looks, the shortest first; a batch has no place among them."""
SILENCE = dt.timedelta(days=31)
"""For how long windows without decisions leave everything as it stood."""
Side = Literal["decisions", "labels"]
"""What rules read: decisions alone, or labels as well, which come later and have looks of their own."""


class Standing(StrEnum):
    """Where a trend stands; quiet only where the newest look of every period judged it and it passed."""

    FAILING = "failing"
    FAILED_BEFORE = "failed_before"
    UNDECIDED = "undecided"
    QUIET = "quiet"


@dataclass(frozen=True, kw_only=True)
class Point:
    """What one look found for one rule and subject."""

    window: Window
    finding: LiveFinding


@dataclass(frozen=True, kw_only=True)
class Trend:
    """One rule for one subject: what the looks of each period found, in the order of their windows.

    `stale` are the periods whose newest look did not judge it: no label was in, or nothing was decided for
    longer than `SILENCE`.
    """

    rule: str
    metric: str
    subject: str | None
    points: Mapping[str, Sequence[Point]]
    stale: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[str, str, str | None]:
        """Rule, metric and subject: no other trend has all three."""
        return self.rule, self.metric, self.subject

    @cached_property
    def last(self) -> Mapping[str, LiveFinding]:
        """The newest finding of each period."""
        return {period: points[-1].finding for period, points in self.points.items()}

    @cached_property
    def worst(self) -> LiveFinding:
        """The worst of the newest findings."""
        return min(self.last.values(), key=worst_first)

    @property
    def looks(self) -> int:
        """How many looks judged it."""
        return sum(map(len, self.points.values()))

    def times(self, outcome: Outcome) -> int:
        """How many looks had this outcome."""
        return sum(point.finding.outcome is outcome for points in self.points.values() for point in points)

    @cached_property
    def standing(self) -> Standing:
        """Failing where a newest finding fails, also a stale one: no news is not good news."""
        newest = {finding.outcome for finding in self.last.values()}
        if Outcome.FAIL in newest:
            return Standing.FAILING
        if self.times(Outcome.FAIL):
            return Standing.FAILED_BEFORE
        return Standing.QUIET if newest == {Outcome.PASS} and not self.stale else Standing.UNDECIDED

    def failing_since(self, period: str) -> str | None:
        """Since when it failed in every look up to the newest: the start of a window; None: it does not."""
        since = None
        for point in reversed(self.points.get(period, ())):
            if point.finding.outcome is not Outcome.FAIL:
                break
            since = point.window.start
        return since


def trends(looks: Iterable[Look]) -> list[Trend]:
    """A trend for each rule and subject that the looks judged, the worst first.

    Of two looks at one window, the one that comes later in `looks` counts.
    """
    looks = decided(looks)
    by_key: defaultdict[tuple[str, str, str | None], dict[tuple[str, str], Point]] = defaultdict(dict)
    sides: dict[str, Side] = {}
    for look in looks:
        for finding in look.findings:
            key = (finding.rule, finding.metric, finding.subject)
            by_key[key][look.window.period, look.window.start] = Point(window=look.window, finding=finding)
            sides[finding.rule] = side(look)
    last = newest(looks)
    made = [
        Trend(
            rule=rule,
            metric=metric,
            subject=subject,
            points=(by_period := _by_period(points)),
            stale=frozenset(
                period
                for period, rows in by_period.items()
                if rows[-1].window.start < last[period, sides[rule]].window.start
            ),
        )
        for (rule, metric, subject), points in by_key.items()
    ]
    return sorted(made, key=_order)


def decided(looks: Iterable[Look]) -> list[Look]:
    """The looks at windows with decisions. All of them once nothing was decided for longer than `SILENCE`.

    An empty day changes nothing. Many in a row do: then nothing that stood before is certain any more.
    """
    looks = list(looks)
    known = [look for look in looks if look.basis != "empty"]
    if not known:
        return looks
    silent = _end(looks) - _end(known)
    return looks if silent > SILENCE else known


def silent_since(looks: Iterable[Look]) -> str | None:
    """The end of the last window with decisions, if a later one of its period has none; None: it has some."""
    looks = list(looks)
    every, known = newest(looks), newest(look for look in looks if look.basis != "empty")
    for key, look in every.items():
        if look.basis == "empty":
            return known[key].window.end if key in known else None
    return None


def _end(looks: Iterable[Look]) -> dt.datetime:
    return max(dt.datetime.fromisoformat(look.window.end) for look in looks)


def side(look: Look) -> Side:
    """What the rules of a look read."""
    return "labels" if look.basis in ("labels", "unlabelled") else "decisions"


def newest(looks: Iterable[Look], *, judged: bool = False) -> dict[tuple[str, Side], Look]:
    """The look with the latest window of each period and side; with `judged`, of those with findings."""
    last: dict[tuple[str, Side], Look] = {}
    for look in looks:
        key = (look.window.period, side(look))
        if judged and not look.findings:
            continue
        if key not in last or look.window.start >= last[key].window.start:
            last[key] = look
    return {key: last[key] for key in sorted(last, key=lambda key: (PERIODS.index(key[0]), key[1]))}


def worst_first(finding: LiveFinding) -> tuple[int, bool, float, str, str]:
    """The order of findings: by outcome, serious ones first, then by how far they are beyond the limit."""
    return (
        judgement.WORST_FIRST.index(finding.outcome),
        finding.severity != "serious",
        -excess(finding),
        finding.rule,
        finding.subject or "",
    )


def excess(finding: LiveFinding) -> float:
    """How far the value lies beyond its limit, as a share of the limit: below 0 within it.

    Minus infinity without a value.
    """
    if finding.value is None:
        return float("-inf")
    low, high = finding.at_least, finding.at_most
    beyond = [
        *([] if low is None else [(low - finding.value) / (abs(low) or 1.0)]),
        *([] if high is None else [(finding.value - high) / (abs(high) or 1.0)]),
    ]
    return max(beyond, default=float("-inf"))


def _by_period(points: Mapping[tuple[str, str], Point]) -> dict[str, tuple[Point, ...]]:
    ordered = [points[key] for key in sorted(points, key=lambda key: (PERIODS.index(key[0]), key[1]))]
    by_period: dict[str, list[Point]] = {}
    for point in ordered:
        by_period.setdefault(point.window.period, []).append(point)
    return {period: tuple(rows) for period, rows in by_period.items()}


def _order(trend: Trend) -> tuple[int, tuple[int, bool, float, str, str]]:
    return list(Standing).index(trend.standing), worst_first(trend.worst)
