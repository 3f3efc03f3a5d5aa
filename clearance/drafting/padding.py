"""Spaces around the names and texts of a table, as in a CSV with a space after each comma.

With them ` Male` and `Male` are two groups, and no name is what a person types. The table is profiled, and
every proposal made, without them; the `select` of the draft takes them off.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clearance.data.sources import duckdb_engine
from clearance.drafting.table_profile import TableProfile


@dataclass(frozen=True, kw_only=True)
class Padding:
    """What to take off: `renamed` gives each clean name its name in the table; `padded` are columns whose
    texts have spaces around them, by their clean name."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    padded: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.renamed or self.padded)

    def in_table(self, name: str) -> str:
        """The name that a column has in the table."""
        return self.renamed.get(name, name)

    def select(self, others: Collection[str] = ()) -> str | None:
        """The SELECT without the spaces, of `others` too; None where there are none."""
        trimmed = list(dict.fromkeys((*self.padded, *others)))
        if not trimmed and not self.renamed:
            return None
        lines = "FROM source"
        if self.renamed:
            names = (f"{_quote(old)} AS {_quote(new)}" for new, old in self.renamed.items())
            lines = f"SELECT * RENAME (\n{_indented(names)}\n)\n{lines}"
        if trimmed:
            texts = (f"trim({_quote(name)}) AS {_quote(name)}" for name in trimmed)
            start = f"FROM (\n{_indented([lines])}\n)" if self.renamed else lines
            lines = f"SELECT * REPLACE (\n{_indented(texts)}\n)\n{start}"
        return lines

    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""
        names = ", ".join(self.renamed)
        texts = ", ".join(self.padded)
        return tuple(
            note
            for note, applies in (
                (f"spaces around the names of columns are taken off: {names}", self.renamed),
                (f"spaces around texts are taken off: {texts}", self.padded),
            )
            if applies
        )


def of(profile: TableProfile) -> Padding:
    """The spaces that a table has; no reader takes two names that differ in nothing else."""
    renamed = {name.strip(): name for name in profile.names if name.strip() not in ("", name)}
    back = {old: new for new, old in renamed.items()}
    padded = [
        back.get(column.name, column.name)
        for column in profile.columns
        if column.kind == "text"
        and _is_padded([value for value, _ in column.values] or profile.sample[column.name].dropna())
    ]
    return Padding(renamed=renamed, padded=tuple(padded))


def fitted(name: str, known: Sequence[str]) -> str:
    """The one of the known names or values that this is, up to spaces around it; itself where none is."""
    if name in known:
        return name
    alike = [item for item in known if item.strip() == name.strip()]
    return alike[0] if len(alike) == 1 else name


def _is_padded(texts: Iterable[object]) -> bool:
    return any(str(text) != str(text).strip(" ") for text in texts)


def _indented(items: Iterable[str]) -> str:
    return textwrap.indent(",\n".join(items), "  ")


def _quote(name: str) -> str:
    return duckdb_engine.name(name)
