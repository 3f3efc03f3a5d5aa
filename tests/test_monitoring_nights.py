"""Hours without decisions are mentioned when neither chance nor habit gives them: a night once."""

import datetime as dt
from collections.abc import Collection
from zoneinfo import ZoneInfo

import numpy as np

from clearance.monitoring import looking
from clearance.monitoring.counting import windows
from clearance.monitoring.counting.store import CountedDay, VersionKey
from clearance.monitoring.counting.window_counts import WindowCounts
from clearance.monitoring.looking import Watched
from clearance.policy.monitoring_terms import Period

START = dt.date(2026, 11, 2)  # a Monday
HOUR = dt.timedelta(hours=1)
NIGHT = frozenset({22, 23, 0, 1, 2, 3, 4, 5})
RATE = 20


def hours(days: int, closed: Collection[int] = NIGHT, weekend: bool = False) -> list[dt.datetime]:
    """The hours with decisions of so many days from a Monday on; `weekend`: none on Saturday and Sunday."""
    first = dt.datetime.combine(START, dt.time(), dt.UTC)
    every = [first + number * HOUR for number in range(24 * days)]
    return [hour for hour in every if hour.hour not in closed and not (weekend and hour.weekday() >= 5)]


def mentioned(busy: list[dt.datetime], day: int, period: Period = "day") -> tuple[str, int] | None:
    """When the gap that is mentioned begins in the look at this day, and its hours."""
    span = windows.span(period, START + dt.timedelta(days=day), ZoneInfo("UTC"))
    own = tuple(hour for hour in busy if span.start <= hour < span.end)
    counts = WindowCounts(rows=RATE * len(own), features={}, score=np.zeros(0, dtype=np.int64), decisions={})
    key = VersionKey(model="m", version=1, content="c")
    watched = Watched(key=key, baseline=None, unwatched=None, since=busy[0], until=None)
    days = {START + dt.timedelta(days=day): CountedDay(counts=counts, hours=own)}
    window = looking.counted(span, days, watched, busy)
    assert window.hours == own
    gap = looking.longest_gap(watched, window)
    return None if gap is None else (f"{gap[0]:%d %H}", gap[1])


def test_a_night_is_mentioned_once_and_not_on_each_look() -> None:
    busy = hours(30)
    told = [day for day in range(30) if mentioned(busy, day) is not None]
    assert told == [0, 1], "the first night, which lies in both days"


def test_an_outage_is_mentioned_also_beside_a_longer_night() -> None:
    busy = [hour for hour in hours(20) if not (hour.date() == dt.date(2026, 11, 16) and 11 <= hour.hour < 15)]
    assert mentioned(busy, 14) == ("16 11", 4)
    assert mentioned(busy, 15) is None


def test_a_night_that_does_not_end_is_mentioned() -> None:
    busy = [hour for hour in hours(20) if not (hour.date() == dt.date(2026, 11, 16) and hour.hour < 14)]
    assert mentioned(busy, 14) == ("16 00", 14)


def test_one_early_evening_is_no_news() -> None:
    busy = [hour for hour in hours(20) if not (hour.date() == dt.date(2026, 11, 16) and hour.hour == 21)]
    assert mentioned(busy, 14) is None


def test_weekends_are_no_news_in_the_weeks_after_the_first() -> None:
    busy = hours(30, weekend=True)
    assert mentioned(busy, 0, "week") == ("06 22", 50)
    assert [mentioned(busy, day, "week") for day in (7, 14, 21)] == [None, None, None]
