"""Numbers and dates that are written as texts: what a column of texts is, and the SQL that makes it so.

A decimal comma, a currency, thousands separators or a slash date make a column text, and then each amount is
a category of its own. Pure functions of the distinct texts; which columns are examined is decided elsewhere.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

MOST = 500
"""The largest number of distinct texts examined."""

_NUMBER = re.compile(
    r"[-+(]?\s?(?:\$|[A-Z]{3}|Rs\.?|kr\.?)?\s?[-+]?(?!0\d)\d[\d,.'\u2019 ]*(?:[eE][-+]?\d+)?"
    r"\s?(?:%|\$|[A-Za-z]{1,3}\.?)?\)?"
)
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
    """What the texts are, in words; an expression of DuckDB SQL for it; and the texts that do not fit."""

    kind: str
    sql: str
    others: tuple[str, ...] = ()


def of(column: str, texts: Sequence[str]) -> Disguise | None:
    """The disguise of a column with these distinct texts, or None; half of them must fit."""
    texts = list(texts)[:MOST]
    return _date(column, texts) or _number(column, texts)


def is_number(text: str) -> bool:
    """Whether the text is a number with separators, a unit or a currency."""
    return bool(_NUMBER.fullmatch(_plain(text)))


def _plain(text: str) -> str:
    """The text with every currency sign as `$` and every space as a plain one."""
    normal = unicodedata.normalize("NFKC", text).strip()
    return "".join("$" if unicodedata.category(char) == "Sc" else char for char in normal)


def _number(column: str, texts: Sequence[str]) -> Disguise | None:
    numbers = [text for text in texts if is_number(text)]
    if not numbers or 2 * len(numbers) < len(texts):
        return None
    quoted = name(column)
    if _decimal_mark(numbers) == ",":
        sql = f"TRY_CAST(replace(regexp_replace({quoted}, '[^0-9,-]', '', 'g'), ',', '.') AS DOUBLE)"
    else:
        sql = f"TRY_CAST(regexp_replace({quoted}, '[^0-9.-]', '', 'g') AS DOUBLE)"
    return Disguise(kind="numbers", sql=sql, others=tuple(text for text in texts if not is_number(text)))


def _decimal_mark(numbers: Sequence[str]) -> str:
    """The decimal mark: the last of two marks in one number, or the one not followed by three digits."""
    votes = {",": 0, ".": 0}
    for text in numbers:
        marks = re.findall(r"[.,](?=\d)", text)
        if not marks:
            continue
        after = re.search(r"[.,](\d+)\D*$", text)
        if len(set(marks)) == 2 or (len(marks) == 1 and after and len(after[1]) != 3):
            votes[marks[-1]] += 1
    return "," if votes[","] > votes["."] else "."


def _date(column: str, texts: Sequence[str]) -> Disguise | None:
    sample = [text.strip() for text in texts]
    if not sample or not all(_LIKELY_DATE.fullmatch(text) for text in sample[:20]):
        return None
    fitting = [form for form in _FORMATS if all(_is_date(text, form) for text in sample)]
    if not fitting:
        return None
    kind = "dates"
    if len(fitting) > 1:
        kind += f", which may be {' or '.join(fitting[:2])}"
    return Disguise(kind=kind, sql=f"strptime({name(column)}, '{fitting[0]}')")


def _is_date(text: str, form: str) -> bool:
    try:
        dt.datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def name(column: str) -> str:
    """The column as a name in SQL."""
    return '"' + column.replace('"', '""') + '"'
