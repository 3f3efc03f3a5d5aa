"""Calendar windows of a policy's time zone, as spans of whole hours in UTC. Pure; nothing here reads a clock.

    day    midnight to midnight there: 23 or 25 hours where clocks change
    week   Monday to Monday
    month  the first to the first

Counts are by the hour in UTC, so in a zone whose offset is no whole hour a window begins at the hour before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from clearance.documents.look_document import Window
from clearance.policy.monitoring_terms import Period

HOUR = dt.timedelta(hours=1)
_FORMAT = "%Y-%m-%dT%H:%MZ"


@dataclass(frozen=True, kw_only=True)
class Span:
    """A window of the calendar, from `start` until before `end`: whole hours in UTC. `day` is its first."""

    period: Period
    day: dt.date
    start: dt.datetime
    end: dt.datetime

    @property
    def window(self) -> Window:
        """The window as a look has it."""
        return Window(period=self.period, start=self.start.strftime(_FORMAT), end=self.end.strftime(_FORMAT))

    @property
    def days(self) -> Iterator[dt.date]:
        """Its calendar days."""
        day, after = self.day, _next_first(self.period, self.day)
        while day < after:
            yield day
            day += dt.timedelta(days=1)

    @property
    def hours(self) -> int:
        """How many hours it has."""
        return (self.end - self.start) // HOUR


def hour_of(moment: dt.datetime) -> dt.datetime:
    """The hour in UTC in which the moment lies."""
    return moment.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)


def day_of(moment: dt.datetime, zone: ZoneInfo) -> dt.date:
    """The calendar day of an hour, by where most of it lies in that zone."""
    return (moment + HOUR / 2).astimezone(zone).date()


def span(period: Period, day: dt.date, zone: ZoneInfo) -> Span:
    """The window of this kind in which the calendar day lies."""
    first = _first_day(period, day)
    return Span(
        period=period,
        day=first,
        start=_midnight(first, zone),
        end=_midnight(_next_first(period, first), zone),
    )


def closed(periods: Sequence[Period], since: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> Iterator[Span]:
    """Every window that has an hour from `since` on and is over at `now`: by its end, shorter ones first."""
    order = {"day": 0, "week": 1, "month": 2}
    spans = [span_ for period in periods for span_ in _closed(period, since, now, zone)]
    yield from sorted(spans, key=lambda span_: (span_.end, order[span_.period]))


def _closed(period: Period, since: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> Iterator[Span]:
    current = span(period, day_of(hour_of(since), zone), zone)
    while current.end <= now:
        yield current
        current = span(period, _next_first(period, current.day), zone)


def _first_day(period: Period, day: dt.date) -> dt.date:
    if period == "week":
        return day - dt.timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def _next_first(period: Period, first: dt.date) -> dt.date:
    if period == "month":
        return (first + dt.timedelta(days=31)).replace(day=1)
    return first + dt.timedelta(days=7 if period == "week" else 1)


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The hour in UTC in which the day begins in that zone; where midnight is skipped, the first moment."""
    return hour_of(dt.datetime.combine(day, dt.time.min, tzinfo=zone))
