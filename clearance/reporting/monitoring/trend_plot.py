"""Small drawings of trends: for each look its interval and value against the limit, by outcome.

Decides where lines go, never what a trend says. Coordinates are whole units, so that a year of daily looks is
a few kilobytes.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from clearance import wording
from clearance.documents.look_document import LiveFinding, Look, Window
from clearance.documents.measurement import Outcome
from clearance.reporting.monitoring import trends
from clearance.reporting.monitoring.trends import PERIODS, Point, Trend

WIDTH, HEIGHT = 732, 60
"""Units of a drawing; a day of a year is two of them wide."""
SPARK_WIDTH, SPARK_HEIGHT, SPARK_POINTS = 120, 20, 53
_TOP, _BOTTOM = 9, 5
_BAND = 14


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The time from the start of the first window to the end of the last, in seconds of Unix time."""

    start: float
    end: float

    def place(self, moment: str) -> int:
        """Where a moment lies, from 0 to `WIDTH`."""
        share = (_unix(moment) - self.start) / ((self.end - self.start) or 1.0)
        return round(min(1.0, max(0.0, share)) * WIDTH)

    def span(self, window: Window) -> tuple[int, int]:
        """Where a window begins, and how wide it is: at least one unit."""
        left = self.place(window.start)
        return left, max(1, self.place(window.end) - left)

    @property
    def months(self) -> str:
        """A path with a line at the start of each month."""
        first = dt.datetime.fromtimestamp(self.start, dt.UTC).date().replace(day=1)
        last, lines = dt.datetime.fromtimestamp(self.end, dt.UTC).date(), []
        while (first := _next_month(first)) <= last:
            lines.append(f"M{self.place(f'{first}T00:00Z')} 0V{HEIGHT}")
        return "".join(lines)

    @property
    def days(self) -> tuple[str, str]:
        """The first and the last day."""
        first, last = (dt.datetime.fromtimestamp(end, dt.UTC) for end in (self.start, self.end - 1))
        return first.date().isoformat(), last.date().isoformat()


@dataclass(frozen=True, kw_only=True)
class Strip:
    """The looks of one period. `marks` are paths of values by outcome, `intervals` one of all intervals.

    `missing` marks looks without a value at the lower edge, `faults` those that failed at the upper one.
    `allowed` is the band that the limit allows, as top and height; `limits` a line at each end of it.
    `clipped`: an interval goes beyond the drawing.
    """

    period: str
    intervals: str
    marks: dict[str, str]
    missing: str
    faults: str
    allowed: tuple[int, int]
    limits: str
    top: str
    bottom: str
    clipped: bool
    label: str


@dataclass(frozen=True, kw_only=True)
class Band:
    """The outcomes of all looks of one period and side: a path for each, and how many there were."""

    period: str
    side: trends.Side
    marks: dict[str, str]
    notes: str
    counts: dict[str, int]


def axis(looks: Sequence[Look]) -> Axis:
    """The axis that covers all windows. Raises ValueError without a look."""
    if not looks:
        raise ValueError("there is no look to draw")
    return Axis(
        start=min(_unix(look.window.start) for look in looks),
        end=max(_unix(look.window.end) for look in looks),
    )


def strips(trend: Trend, time: Axis) -> list[Strip]:
    """A strip for each period of a trend, the shortest first."""
    return [_strip(period, trend.points[period], time) for period in PERIODS if period in trend.points]


def bands(looks: Sequence[Look], time: Axis) -> list[Band]:
    """A band for each period and side: the outcome of every look."""
    keys = trends.newest(looks)
    return [
        _band(key, [look for look in looks if (look.window.period, trends.side(look)) == key], time)
        for key in keys
    ]


def spark(trend: Trend, time: Axis) -> str:
    """A path of the values of the period with the most looks: the largest of as many as make a point."""
    points = max(trend.points.values(), key=len)
    valued = [point for point in points if point.finding.value is not None]
    if not valued:
        return ""
    step = math.ceil(len(valued) / SPARK_POINTS)
    chosen = [
        max(valued[place : place + step], key=lambda point: abs(point.finding.value or 0.0))
        for place in range(0, len(valued), step)
    ]
    values = [point.finding.value or 0.0 for point in chosen]
    low, high = min(values), max(values)
    places = [
        (
            round(time.place(point.window.start) * SPARK_WIDTH / WIDTH),
            round((SPARK_HEIGHT - 2) * (1 - (value - low) / ((high - low) or 1.0))) + 1,
        )
        for point, value in zip(chosen, values, strict=True)
    ]
    (x, y), *rest = places
    return f"M{x} {y}" + ("L" + " ".join(f"{x} {y}" for x, y in rest) if rest else "h2")


def _strip(period: str, points: Sequence[Point], time: Axis) -> Strip:
    findings = [point.finding for point in points]
    low, high, clipped = _range(findings)
    scale = _Scale(low=low, high=high)
    at_least, at_most = findings[-1].at_least, findings[-1].at_most
    ceiling = 0 if at_most is None else scale.place(at_most)
    floor = HEIGHT if at_least is None else scale.place(at_least)
    lines = [scale.place(end) for end in (at_least, at_most) if end is not None]
    return Strip(
        period=period,
        intervals="".join(_interval(point, time, scale) for point in points),
        marks={
            str(outcome): path
            for outcome in Outcome
            if (path := "".join(_mark(point, time, scale) for point in points if _has(point, outcome)))
        },
        missing="".join(_tick(point, time) for point in points if point.finding.value is None),
        faults="".join(_fault(point, time) for point in points if point.finding.outcome is Outcome.FAIL),
        allowed=(ceiling, max(0, floor - ceiling)),
        limits="".join(f"M0 {line}H{WIDTH}" for line in lines),
        top=wording.number(high, max(abs(low), abs(high))),
        bottom=wording.number(low, max(abs(low), abs(high))),
        clipped=clipped,
        label=_label(period, findings),
    )


@dataclass(frozen=True, kw_only=True)
class _Scale:
    low: float
    high: float

    def place(self, value: float) -> int:
        share = (self.high - value) / ((self.high - self.low) or 1.0)
        return round(_TOP + min(1.0, max(0.0, share)) * (HEIGHT - _TOP - _BOTTOM))


def _range(findings: Sequence[LiveFinding]) -> tuple[float, float, bool]:
    """The ends of what is drawn, and whether an interval goes beyond.

    Every value and limit is drawn. Intervals are drawn whole, unless a few of them (windows with hardly a
    row) are so wide that they would press everything else flat.
    """
    values = [finding.value for finding in findings if finding.value is not None]
    limits = [end for finding in findings for end in (finding.at_least, finding.at_most) if end is not None]
    lows = sorted(finding.low for finding in findings if finding.low is not None)
    highs = sorted(finding.high for finding in findings if finding.high is not None)
    most = [*lows[len(lows) // 10 :][:1], *highs[: len(highs) - len(highs) // 10][-1:]]
    drawn = [*values, *limits, *most] or [0.0]
    low, high = min(drawn), max(drawn)
    room = 2 * (high - low)
    low = min([low, *(end for end in lows[:1] if end >= low - room)])
    high = max([high, *(end for end in highs[-1:] if end <= high + room)])
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    return low, high, bool((lows and lows[0] < low) or (highs and highs[-1] > high))


def _interval(point: Point, time: Axis, scale: _Scale) -> str:
    finding = point.finding
    if finding.low is None or finding.high is None:
        return ""
    left, width = time.span(point.window)
    top, bottom = scale.place(finding.high), scale.place(finding.low)
    if width <= 3:
        return f"M{left + width // 2} {top}V{max(bottom, top + 1)}"
    return f"M{left} {top}h{width}M{left} {bottom}h{width}M{left + width // 2} {top}V{bottom}"


def _mark(point: Point, time: Axis, scale: _Scale) -> str:
    if point.finding.value is None:
        return ""
    left, width = time.span(point.window)
    return f"M{left} {scale.place(point.finding.value)}h{width}"


def _tick(point: Point, time: Axis) -> str:
    left, width = time.span(point.window)
    return f"M{left} {HEIGHT - 1}h{width}"


def _fault(point: Point, time: Axis) -> str:
    left, width = time.span(point.window)
    return f"M{left} 1h{width}"


def _has(point: Point, outcome: Outcome) -> bool:
    return point.finding.outcome is outcome


def _label(period: str, findings: Sequence[LiveFinding]) -> str:
    """What the drawing shows, for those who do not see it."""
    counts = {outcome: sum(finding.outcome is outcome for finding in findings) for outcome in Outcome}
    words = [f"{number} {WORDS[outcome]}" for outcome, number in counts.items() if number]
    return f"{wording.counted(len(findings), period)}: {', '.join(words)}"


WORDS = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.INSUFFICIENT_EVIDENCE: "undecided",
    Outcome.NOT_EVALUATED: "not evaluated",
}
"""The outcome of a look in a sentence."""


def _band(key: tuple[str, trends.Side], looks: Iterable[Look], time: Axis) -> Band:
    marks, notes = dict[str, str](), ""
    counts = dict.fromkeys(map(str, Outcome), 0)
    for look in looks:
        left, width = time.span(look.window)
        outcome = str(look.outcome)
        gap = 1 if width > 3 else 0
        height = {"pass": 4, "insufficient_evidence": 8, "not_evaluated": 8, "fail": _BAND}[outcome]
        marks[outcome] = marks.get(outcome, "") + f"M{left} {_BAND}v-{height}h{width - gap}v{height}z"
        notes += f"M{left} {_BAND + 2}h{max(2, width - gap)}" if look.notes else ""
        counts[outcome] += 1
    return Band(period=key[0], side=key[1], marks=marks, notes=notes, counts=counts)


@lru_cache(maxsize=4096)
def _unix(moment: str) -> float:
    return dt.datetime.fromisoformat(moment).timestamp()


def _next_month(day: dt.date) -> dt.date:
    return (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
