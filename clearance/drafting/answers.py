"""What a person must say about a table, and what the table itself suggests.

Each proposal says what it rests on. A value that nothing suggests is None, and must be given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clearance.data import disguises
from clearance.drafting import column_words
from clearance.drafting.table_profile import ColumnProfile, TableProfile
from clearance.params import Data

_LONGEST_CODE = 64


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The choices that a draft is made from.

    `favourable` is a value of the target, or a limit such as `>= 10` where the target is a number. `row_key`
    is None where the content of a row identifies it.
    """

    name: str
    target: str
    favourable: str
    protected: tuple[str, ...]
    row_key: str | None
    pack: str


def target(profile: TableProfile) -> str | None:
    """The column whose name says that it is an outcome and that has two values; None when none does."""
    two_valued = [column for column in profile.columns if column.distinct == 2]
    for word in column_words.OUTCOMES:
        for column in two_valued:
            if word in column_words.words(column.name):
                return column.name
    last = [column for column in two_valued if not column_words.mentions(column.name, column_words.PROTECTED)]
    return last[0].name if len(last) == 1 else None


def favourable(column: ColumnProfile) -> str | None:
    """The value of the target that is probably good for the person; None when its values do not say."""
    values = [value for value, _ in column.values]
    if len(values) != 2:
        return None
    if set(values) == {"0", "1"}:
        return "0" if column_words.mentions(column.name, column_words.UNFAVOURABLE) else "1"
    plain = {value.strip().casefold(): value for value in values}
    for word in column_words.GOOD_VALUES:
        if word in plain:
            return plain[word]
    bad = [value for key, value in plain.items() if key in column_words.BAD_VALUES]
    return next(value for value in values if value not in bad) if len(bad) == 1 else None


def protected(profile: TableProfile, target_column: str) -> tuple[str, ...]:
    """The columns whose names say that they are protected attributes, in the table's order."""
    return tuple(
        column.name
        for column in profile.columns
        if column.name != target_column
        and column.distinct > 1
        and column_words.mentions(column.name, column_words.PROTECTED)
    )


def row_key(profile: TableProfile, others: Sequence[str]) -> str | None:
    """The column that has another value in every row, and is a text or a whole number; None without one.

    A column whose name says that it identifies something comes first, an address of e-mail last. A position
    in a data frame is none: a later table may give it to another row.
    """
    unique = [
        column
        for column in profile.columns
        if column.distinct == profile.rows
        and column.name not in others
        and (column.kind in ("text", "integer") or column.whole)
        and not Data.is_index(column.name)
    ]
    reach = [column for column in unique if column_words.names_persons(column.name, column.distinct)]
    unique = [column for column in unique if column not in reach]
    named = [column for column in unique if column_words.mentions(column.name, column_words.IDENTIFIERS)]
    whole = [column for column in unique if _counts_rows(column, profile.rows)]
    plain = [column for column in unique if column.kind == "text" and _is_code(profile, column.name)]
    mails = [column for column in reach if "mail" in "".join(column_words.words(column.name))]
    return next((column.name for column in (*named, *whole, *plain, *mails)), None)


def _is_code(profile: TableProfile, name: str) -> bool:
    """Whether its texts are short, without spaces, and neither numbers nor dates."""
    texts = list(dict.fromkeys(map(str, profile.sample[name].dropna())))
    return all(len(text) <= _LONGEST_CODE and " " not in text for text in texts) and (
        disguises.of(name, texts) is None
    )


def _counts_rows(column: ColumnProfile, rows: int) -> bool:
    """Whether it numbers the rows without a gap: no measurement does."""
    return column.low is not None and column.high is not None and column.high - column.low == rows - 1
