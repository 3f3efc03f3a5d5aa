"""Which entries are past the period for which the policy keeps them. It names them and erases nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping

from clearance.errors import ConfigurationError
from clearance.ledger.entry import Entry
from clearance.ledger.kinds import EntryKind

OTHERS = "others"
"""Key of the period of every kind that has none of its own."""


def expired(entries: Iterable[Entry], years: Mapping[str, int], today: dt.date) -> Iterator[Entry]:
    """The entries whose body is still there although its period, in whole years, ended before `today`.

    `years` maps a kind, or `others`, to its period; a kind without one is kept for good. The chain never
    shrinks: what is past its period may be erased by `log.redact`, which leaves the digests. Raises
    ConfigurationError when a key is no kind or a period is no whole number of years from 1 on.
    """
    for kind, period in years.items():
        if kind not in {*EntryKind, OTHERS} or type(period) is not int or period < 1:
            raise ConfigurationError(
                f"the policy keeps `{kind}` for `{period}` years",
                f"name {OTHERS} or a kind, and years from 1 on",
            )
    for each in entries:
        kept = years.get(each.kind) or years.get(OTHERS)
        if kept is not None and not each.redacted and _later(each.at.date(), kept) < today:
            yield each


def _later(day: dt.date, years: int) -> dt.date:
    """The same day so many years later; the first of March for a 29 February that there is not."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return dt.date(day.year + years, 3, 1)
