"""Times as the ledger writes them: UTC with microseconds, 27 characters that sort by time."""

from __future__ import annotations

import datetime as dt
import re

SKEW = dt.timedelta(minutes=10)
"""How far the clocks of two recorders may be apart."""

_SHAPE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z", re.ASCII)
_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def stamp(at: dt.datetime) -> str:
    """The text of a time. Raises ValueError when it has no time zone."""
    if at.tzinfo is None:
        raise ValueError("the time has no time zone")
    return at.astimezone(dt.UTC).strftime(_FORMAT).rjust(27, "0")


def parse(time: str) -> dt.datetime:
    """The time that `stamp` wrote. Raises ValueError for any other text."""
    if not _SHAPE.match(time):
        raise ValueError("not a time of the ledger")
    return dt.datetime.fromisoformat(time)


def for_display(at: dt.datetime) -> str:
    """A time for people: UTC, to the second."""
    return at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
