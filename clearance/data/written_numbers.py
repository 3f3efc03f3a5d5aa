"""How the numbers of a text column are written: one strict grammar for a column, and the SQL that reads it.

The grammar has one decimal mark, one thousands separator and one unit. A text fits it as a whole or not at
all, and the SQL stops the run at a text that does not fit: it never yields another number. What only might be
a number is left to a person.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

MISSING = frozenset(
    {"", "na", "n/a", "n.a.", "<na>", "nan", "null", "none", "nil", "\\n", "?", "-", "--", ".", "missing"}
)
"""Words for a missing value, in lower case. `unknown` is left: it may be a group that people belong to."""

LONGEST = 60
"""A longer text is no number."""

_SPACES = " \u00a0\u2009\u202f"
_THOUSANDS = (None, ",", ".", "'", "\u2019", *_SPACES)
_MINUS = "\u2212"

_CURRENCIES = (
    *("US$", "R$", "A$", "C$", "NZ$", "HK$", "S$", *"$€£¥₹₩₽₺₴₦₪₫฿₱₡₲₵₸₼₾₿¢"),
    *(
        "USD",
        "EUR",
        "GBP",
        "CHF",
        "JPY",
        "CNY",
        "INR",
        "CAD",
        "AUD",
        "NZD",
        "SEK",
        "NOK",
        "DKK",
        "PLN",
        "CZK",
    ),
    *(
        "HUF",
        "RON",
        "BGN",
        "TRY",
        "RUB",
        "UAH",
        "ILS",
        "ZAR",
        "NGN",
        "KES",
        "EGP",
        "SAR",
        "AED",
        "BRL",
        "MXN",
    ),
    *(
        "ARS",
        "CLP",
        "COP",
        "PEN",
        "KRW",
        "SGD",
        "HKD",
        "TWD",
        "THB",
        "IDR",
        "MYR",
        "PHP",
        "VND",
        "PKR",
        "BDT",
    ),
    *("Rs.", "Rs", "kr.", "kr", "Fr.", "Euro", "euro", "euros", "dollars", "zł", "Kč", "Ft"),
)
_MEASURES = (
    *(
        "%",
        "\u2030",
        "°C",
        "°F",
        "°",
        "kg",
        "g",
        "mg",
        "lb",
        "lbs",
        "oz",
        "km",
        "cm",
        "mm",
        "mi",
        "miles",
        "ft",
    ),
    *("m²", "m2", "sqm", "sqft", "l", "L", "ml", "mL", "km/h", "mph", "kW", "kWh", "bpm", "mmHg", "mg/dL"),
    *("s", "sec", "min", "mins", "minutes", "h", "hr", "hrs", "hours", "day", "days", "week", "weeks"),
    *("month", "months", "mo", "yr", "yrs", "year", "years", "points", "pts"),
    *("Stunden", "Std.", "Tage", "Wochen", "Monate", "Jahre", "ans", "mois", "jours"),
)
"""Units. Signs that may multiply (k, m, M, b, t) are none: `10k` is not 10."""

_PREFIX = "|".join(map(re.escape, sorted(_CURRENCIES, key=len, reverse=True)))
_SUFFIX = "|".join(map(re.escape, sorted((*_CURRENCIES, *_MEASURES), key=len, reverse=True)))
_LIKE_NUMBER = re.compile(
    rf"\(?[-+{_MINUS}]?(?P<prefix>{_PREFIX})?\(?[-+{_MINUS}]?[0-9.,'\u2019]*[0-9](?:[eE][-+]?[0-9]+)?\)?"
    rf"(?P<suffix>{_SUFFIX})?\)?"
)
"""What may be a number once spaces are gone: it finds the unit, and proves nothing."""

_DIGITS = re.compile("[0-9]+")

_FIRST = 500
"""Texts by which a grammar is chosen; every text is then examined."""

_NO_SPACES = dict.fromkeys(map(ord, _SPACES))


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """One way to write numbers. `prefix` and `suffix` are the unit as written, empty for none.

    `extras` are the spaces, the Unicode minus and the parentheses that may occur as well. Parentheses mean a
    negative number, as in accounts. An exponent follows a plain number only.
    """

    decimal: str = "."
    thousands: str | None = None
    prefix: str = ""
    suffix: str = ""
    extras: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it has neither a unit nor separators."""
        return self.decimal == "." and self.thousands is None and not self.prefix + self.suffix

    @property
    def features(self) -> tuple[str, ...]:
        """What it has beyond a plain number, in words: marks and units, and no digit of a value."""
        return (
            *(["decimal commas"] if self.decimal == "," else []),
            *([f"`{self.thousands}` between thousands"] if self.thousands is not None else []),
            *(f"the unit `{unit}`" for unit in (self.prefix, self.suffix) if unit),
        )

    @cached_property
    def pattern(self) -> str:
        """The regular expression that a whole text of a number matches, for Python and for DuckDB."""
        prefix, suffix, mark = map(re.escape, (self.prefix, self.suffix, self.decimal))
        spaces = "".join(space for space in self.extras if space in _SPACES)
        gap = f"[{spaces}]*" if spaces else ""
        signs = f"[-+{_MINUS}]" if _MINUS in self.extras else "[-+]"
        whole = "0|[1-9][0-9]{0,14}"
        if self.thousands is not None:
            whole += f"|[1-9][0-9]{{0,2}}(?:{re.escape(self.thousands)}[0-9]{{3}}){{1,4}}"
        number = f"(?:(?:{whole})(?:{mark}[0-9]{{1,15}})?|{mark}[0-9]{{1,15}})"
        number += "(?:[eE][-+]?[0-9]{1,2})?" if self.is_plain else ""
        before, after = prefix + gap if prefix else "", gap + suffix if suffix else ""
        sign = f"(?:{signs}{gap})?" if gap else f"{signs}?"
        ways = [f"{sign}{before}{number}{after}"]
        if prefix:
            ways.append(f"{before}{signs}{gap}{number}{after}")
        if "(" in self.extras:
            ways.append(f"\\({gap}{before}{number}{after}{gap}\\)")
            if prefix or suffix:
                ways.append(f"{before}\\({gap}{number}{gap}\\){after}")
        return gap + (ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})") + gap

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def fits(self, text: str) -> bool:
        """Whether the whole text is a number in this grammar."""
        return len(text) <= LONGEST and self._compiled.fullmatch(text) is not None

    def value(self, text: str) -> float:
        """The number that a fitting text is."""
        for written, plain in self._replacements():
            text = text.replace(written, plain)
        return float(text)

    def sql(self, column: str, missing: Sequence[str] = ()) -> str:
        """DuckDB SQL for the column as numbers: null for a `missing` text, an error for one that does not
        fit."""
        quoted = quote(column)
        listed = ", ".join(map(literal, missing))
        nulls = f"WHEN {quoted} IN ({listed}) THEN NULL " if missing else ""
        fault = f"`{column}` holds a text that is not a number like the others"
        return (
            f"CASE WHEN {quoted} IS NULL THEN NULL {nulls}"
            f"WHEN {self._fits_sql(quoted)} THEN {self._number_sql(quoted)} ELSE error({literal(fault)}) END"
        )

    def sql_or_null(self, text: str) -> str:
        """DuckDB SQL for the number that the SQL `text` is: null for one that does not fit."""
        return f"CASE WHEN {self._fits_sql(text)} THEN {self._number_sql(text)} END"

    def _fits_sql(self, text: str) -> str:
        return f"regexp_full_match({text}, {_pattern_literal(self.pattern)})"

    def _number_sql(self, text: str) -> str:
        for written, plain in self._replacements():
            text = f"replace({text}, {literal(written)}, {literal(plain)})"
        return f"CAST({text} AS DOUBLE)"

    def _replacements(self) -> Iterator[tuple[str, str]]:
        """What to replace, in this order, so that a fitting text becomes a number that programs read."""
        for unit in (self.prefix, self.suffix):
            if unit:
                yield unit, ""
        marks = dict.fromkeys(self.extras, "") | {_MINUS: "-", "(": "-"}
        yield from ((extra, marks[extra]) for extra in self.extras)
        if self.thousands is not None and self.thousands not in self.extras:
            yield self.thousands, ""
        if self.decimal != ".":
            yield self.decimal, "."


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The grammar of a column's texts, or why there is none: `others` do not fit, `doubt` says what is open.

    `missing` are the texts that stand for a missing value.
    """

    grammar: Grammar
    missing: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    doubt: str | None = None

    @property
    def is_certain(self) -> bool:
        """Whether every text fits, in one way."""
        return not self.others and self.doubt is None


def read(texts: Sequence[str]) -> Reading | None:
    """How these distinct texts are written as numbers; None where fewer than half of them are numbers."""
    missing = tuple(text for text in texts if _is_missing(text))
    values = [text for text in texts if not _is_missing(text)]
    if all(map(_DIGITS.fullmatch, values)) and any(text.startswith("0") for text in values if len(text) > 1):
        return None  # codes such as 007
    first = values[:_FIRST]
    likely = [match for text in first if (match := _like_number(text))]
    if not likely or 2 * len(likely) < len(first):
        return None
    units = Counter((match["prefix"] or "", match["suffix"] or "") for match in likely)
    (prefix, suffix), _ = units.most_common(1)[0]
    signs = set().union(*values)
    extras = "".join(sign for sign in (*_SPACES, _MINUS, "(", ")") if sign in signs)
    grammars = [
        Grammar(decimal=decimal, thousands=thousands, prefix=prefix, suffix=suffix, extras=extras)
        for thousands, decimal in itertools.product(_THOUSANDS, ".,")
        if decimal != thousands
    ]
    counts = {grammar: sum(map(grammar.fits, first)) for grammar in grammars}
    most = max(counts.values())
    if 2 * most < len(first):
        return None
    best, *rivals = [grammar for grammar, count in counts.items() if count == most]
    others = {grammar: [text for text in values if not grammar.fits(text)] for grammar in (best, *rivals)}
    best = min(others, key=lambda grammar: len(others[grammar]))
    certain = [grammar for grammar in others if not others[grammar]]
    return Reading(
        grammar=best,
        missing=missing,
        others=tuple(others[best]),
        doubt=_doubt(values, certain) if certain else None,
    )


def _is_missing(text: str) -> bool:
    return text.strip().casefold() in MISSING


def _doubt(values: Sequence[str], grammars: Sequence[Grammar]) -> str | None:
    """What is open although all texts fit: these grammars read another number, or all are in parentheses."""
    if all("(" in text for text in values):
        return "all stand in parentheses"
    best, *rivals = grammars
    for grammar in rivals:
        for text in values:
            first, second = best.value(text), grammar.value(text)
            if first != second:
                return f"`{text.strip()}` may be {first:.15g} or {second:.15g}"
    return None


def _like_number(text: str) -> re.Match[str] | None:
    return _LIKE_NUMBER.fullmatch(text.translate(_NO_SPACES)) if len(text) <= LONGEST else None


def quote(column: str) -> str:
    """The column as a name in SQL."""
    return '"' + column.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as SQL, with a sign that an editor does not show as its number."""
    if len(text) == 1 and not text.isprintable():
        return f"chr({ord(text)})"
    return "'" + text.replace("'", "''") + "'"


def _pattern_literal(pattern: str) -> str:
    seen = (char if char.isprintable() else f"\\x{{{ord(char):X}}}" for char in pattern)
    return "'" + "".join(seen).replace("'", "''") + "'"
