"""Windows of the calendar: no hour is left out or counted twice, in any zone, when clocks change as well."""

import datetime as dt
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from clearance.monitoring.counting import windows

ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"),
    *("America/St_Johns", "Pacific/Chatham", "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca"),
]
Period = Literal["day", "week", "month"]


@settings(max_examples=200)
@given(
    zone=st.sampled_from(ZONES),
    period=st.sampled_from(["day", "week", "month"]),
    start=st.datetimes(dt.datetime(2005, 1, 1), dt.datetime(2030, 1, 1)),
)
def test_windows_follow_each_other_without_gap_or_overlap(
    zone: str, period: Period, start: dt.datetime
) -> None:
    place, since = ZoneInfo(zone), start.replace(tzinfo=dt.UTC)
    spans = list(windows.closed([period], since, since + dt.timedelta(days=100), place))
    assert spans[0].start <= since < spans[0].end
    assert all(one.end == other.start for one, other in pairwise(spans))
    for span in spans:
        hours = [span.start + n * windows.HOUR for n in range(span.hours)]
        if period == "day":
            assert {windows.day_of(hour, place) for hour in hours} == {span.day}


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_has_as_many_hours_as_the_clocks_say(day: str, hours: int) -> None:
    span = windows.span("day", dt.date.fromisoformat(day), ZoneInfo("Europe/Berlin"))
    assert span.hours == hours


def test_a_day_that_a_country_skipped_is_empty() -> None:
    span = windows.span("day", dt.date(2011, 12, 30), ZoneInfo("Pacific/Apia"))
    assert span.hours == 0


def test_windows_come_by_their_end_and_the_shorter_first() -> None:
    start, now = dt.datetime(2026, 5, 31, 12, tzinfo=dt.UTC), dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    spans = list(windows.closed(["month", "week", "day"], start, now, ZoneInfo("UTC")))
    assert [(span.period, span.window.start) for span in spans] == [
        ("day", "2026-05-31T00:00Z"),
        ("week", "2026-05-25T00:00Z"),
        ("month", "2026-05-01T00:00Z"),
    ]


def test_a_window_that_is_not_over_is_not_closed() -> None:
    start, now = dt.datetime(2026, 6, 1, tzinfo=dt.UTC), dt.datetime(2026, 6, 1, 23, 59, tzinfo=dt.UTC)
    assert not list(windows.closed(["day"], start, now, ZoneInfo("UTC")))
