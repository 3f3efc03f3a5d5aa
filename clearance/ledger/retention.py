"""Entries past the retention period of the policy. They are listed here, and erased elsewhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping

from clearance.ledger import faults
from clearance.ledger.entry import Entry
from clearance.ledger.events import EntryKind

OTHERS = "others"
"""The key for every kind without a period of its own."""


def expired(entries: Iterable[Entry], years: Mapping[str, int], today: dt.date) -> Iterator[Entry]:
    """The entries whose body still exists although its period, in whole years, ended before `today`.

    `years` maps a kind, or `others`, to its period; a kind without one is kept forever. Erase with
    `log.redact`, which keeps the digests, so that the chain never shrinks. Raises ConfigurationError when a
    key is not a kind, or a period is not a whole number of years from 1.
    """
    for kind, period in years.items():
        if kind not in {*EntryKind, OTHERS} or type(period) is not int or period < 1:
            raise faults.UNKNOWN_RETENTION(kind=kind, period=period, others=OTHERS)
    for entry in entries:
        limit = years.get(entry.kind) or years.get(OTHERS)
        if limit is not None and not entry.redacted and ends(entry.at.date(), limit) < today:
            yield entry


def ends(day: dt.date, years: int) -> dt.date:
    """The last day of a period that began on `day`: the same day `years` later; 1 March for 29 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return dt.date(day.year + years, 3, 1)
