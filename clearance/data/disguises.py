"""Numbers and dates that are written as texts: what a column of texts is, and the SQL that makes it so.

A decimal comma, a currency, thousands separators or a slash date make a column text, and then each amount is
a category of its own. Pure functions of the distinct texts; which columns are examined is decided elsewhere.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from clearance.data import written_numbers

_DAYS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d.%m.%y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", "T%H:%M:%SZ", " %H:%M:%S.%f", "T%H:%M:%S.%f")
_FORMATS = tuple(day + clock for day in _DAYS for clock in _CLOCKS)
_LIKELY_DATE = re.compile(r"[\d/.\-:, TZ]*\d[\d/.\-:, TZ]*|.*[A-Za-z]{3}.*\d.*")


@dataclass(frozen=True, kw_only=True)
class Disguise:
    """What most of the texts are, in words, and an expression of DuckDB SQL that reads all of them.

    `sql` is None where some do not fit (`others`) or can be read in two ways (`doubt`): then nothing is
    converted. `missing` are texts that stand for a missing value, which `sql` makes null.
    """

    kind: str
    sql: str | None
    others: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    doubt: str | None = None

    @property
    def obstacle(self) -> str | None:
        """Why nothing is converted, with up to three of the texts that do not fit; None where all fit."""
        if self.others:
            listed = ", ".join(f"`{text[:40]}`" for text in self.others[:3])
            return f"not {listed}" + (f" and {len(self.others) - 3} more" if len(self.others) > 3 else "")
        return self.doubt


def of(column: str, texts: Sequence[str]) -> Disguise | None:
    """The disguise of a column with these distinct texts, or None; half of them must fit."""
    return _date(column, texts) or _number(column, texts)


def _number(column: str, texts: Sequence[str]) -> Disguise | None:
    reading = written_numbers.read(texts)
    if reading is None:
        return None
    return Disguise(
        kind="numbers",
        sql=reading.grammar.sql(column, reading.missing) if reading.is_certain else None,
        others=reading.others,
        missing=reading.missing,
        doubt=reading.doubt,
    )


def _date(column: str, texts: Sequence[str]) -> Disguise | None:
    missing = tuple(text for text in texts if text.strip().casefold() in written_numbers.MISSING)
    values = [text for text in texts if text not in missing]
    if not values or not all(_LIKELY_DATE.fullmatch(text) for text in values[:20]):
        return None
    fitting = [form for form in _FORMATS if all(_is_date(text, form) for text in values)]
    if not fitting:
        return None
    kind = "dates"
    if len(fitting) > 1:
        kind += f", which may be {' or '.join(fitting[:2])}"
    quoted, listed = written_numbers.quote(column), ", ".join(map(written_numbers.literal, missing))
    value = f"CASE WHEN {quoted} NOT IN ({listed}) THEN {quoted} END" if missing else quoted
    return Disguise(kind=kind, sql=f"strptime({value}, '{fitting[0]}')", missing=missing)


def _is_date(text: str, form: str) -> bool:
    try:
        dt.datetime.strptime(text, form)
    except ValueError:
        return False
    return True
