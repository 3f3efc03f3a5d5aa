"""From which columns of the source each column of the raw table comes, as DuckDB's own parser reads `select`.

A form that is not understood gives no answer for its column, never a likely one: what is absent is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import duckdb

Use = Literal["IDENTITY", "TRANSFORMATION", "CONDITIONAL", "WINDOW", "FILTER", "GROUP_BY", "SORT"]
"""How a column is used, in OpenLineage's words; the first two are direct, the others indirect."""

TABLE = "source"
_UNDERSTOOD = frozenset(
    {
        *("COLUMN_REF", "CONSTANT", "FUNCTION", "CASE", "CAST", "COMPARISON", "CONJUNCTION", "OPERATOR"),
        *("BETWEEN", "WINDOW", "COLLATE"),
    }
)
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


@dataclass(frozen=True, order=True)
class ColumnUse:
    """A column of the source, and how it is used."""

    column: str
    use: Use


@dataclass(frozen=True, kw_only=True)
class SelectLineage:
    """The uses behind each output column, as far as they are known, and those that choose the rows."""

    fields: Mapping[str, tuple[ColumnUse, ...]]
    rows: tuple[ColumnUse, ...] = ()


class _Unknown(Exception):
    """An expression whose columns cannot be told from the text alone."""


def of_select(select: str | None, outputs: Sequence[str]) -> SelectLineage:
    """What is known of the columns `outputs` that `select` makes of the table `source`.

    Without `select` each is the column of that name. Nothing is known of a `select` that reads more than
    this one table, or that is not one plain SELECT.
    """
    if select is None:
        return SelectLineage(fields={name: (ColumnUse(name, "IDENTITY"),) for name in outputs})
    node = _parse(select)
    if node is None or not _reads_only_source(node):
        return SelectLineage(fields={})
    return _Select(node, outputs).lineage()


def _parse(select: str) -> dict[str, Any] | None:
    """The parsed SELECT; None where it is another statement, or none."""
    connection = duckdb.connect(":memory:", config=_SETTINGS)
    try:
        text = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [select]).fetchall()[0][0]
    finally:
        connection.close()
    tree = json.loads(text)
    if tree["error"] or len(tree["statements"]) != 1:
        return None
    node: dict[str, Any] = tree["statements"][0]["node"]
    return node if node["type"] == "SELECT_NODE" else None


def _reads_only_source(node: Mapping[str, Any]) -> bool:
    table = node["from_table"]
    return (
        not node["cte_map"]["map"]
        and table["type"] == "BASE_TABLE"
        and table["table_name"].casefold() == TABLE
        and not table["column_name_alias"]
    )


@dataclass(frozen=True)
class _Select:
    """One SELECT from the table `source`, with the names of what it returns."""

    node: Mapping[str, Any]
    outputs: Sequence[str]
    written: dict[str, str] = field(default_factory=dict)

    def lineage(self) -> SelectLineage:
        self.written.update({name.casefold(): name for name in self.outputs})
        items = self.node["select_list"]
        stars = [item for item in items if item["class"] == "STAR"]
        expressions = [item for item in items if item["class"] != "STAR"]
        named = {name: item for item in expressions if (name := _output_name(item))}
        known = self._source_columns(named, stars)
        fields: dict[str, tuple[ColumnUse, ...]] = {}
        for name, item in named.items():
            self._add(fields, name, item, named, known)
        if stars and len(named) == len(expressions):  # else a column may have the name of an expression
            self._add_star(fields, stars, named, known)
        return SelectLineage(fields=fields, rows=self._rows(named, known))

    def _add(
        self,
        fields: dict[str, tuple[ColumnUse, ...]],
        name: str,
        item: Mapping[str, Any],
        named: Mapping[str, Any],
        known: set[str],
    ) -> None:
        if name.casefold() in self.written:
            try:
                uses = self._uses(item, {other.casefold() for other in named} - {name.casefold()} - known)
            except _Unknown:
                return
            fields[self.written[name.casefold()]] = uses

    def _add_star(
        self,
        fields: dict[str, tuple[ColumnUse, ...]],
        stars: Sequence[Mapping[str, Any]],
        named: Mapping[str, Any],
        known: set[str],
    ) -> None:
        """What `*` returns: every column of the source that it does not leave out, replace or rename."""
        if len(stars) != 1 or stars[0]["columns"] or stars[0]["expr"] is not None:
            return
        replaced = {item["key"].casefold(): item["value"] for item in stars[0]["replace_list"]}
        renamed = {item["value"].casefold(): item["key"]["column"] for item in stars[0]["rename_list"]}
        for key, output in self.written.items():
            if key in {name.casefold() for name in named}:
                continue
            if key in replaced:
                self._add(fields, output, replaced[key], named, known)
            else:
                fields[output] = (ColumnUse(renamed.get(key, output), "IDENTITY"),)

    def _source_columns(self, named: Mapping[str, Any], stars: Sequence[Mapping[str, Any]]) -> set[str]:
        """Names that are columns of the source for certain, though an output has the same name."""
        known = {item["key"].casefold() for star in stars for item in star["replace_list"]}
        known |= {name.casefold() for star in stars for name in star["exclude_list"]}
        for name, item in named.items():
            own = {reference[-1].casefold() for reference in _references(item)}
            known |= {name.casefold()} & own
        return known

    def _rows(self, named: Mapping[str, Any], known: set[str]) -> tuple[ColumnUse, ...]:
        """The columns that decide which rows there are, and in which order."""
        parts: list[tuple[Any, Use]] = [(self.node[key], "FILTER") for key in ("where_clause", "having")]
        parts += [(self.node["qualify"], "FILTER"), (self.node["group_expressions"], "GROUP_BY")]
        for modifier in self.node["modifiers"]:
            parts.append((modifier, "SORT" if modifier["type"] == "ORDER_MODIFIER" else "FILTER"))
        aliases = {name.casefold() for name in named} - known
        uses: set[ColumnUse] = set()
        for part, use in parts:
            for reference in _references(part):
                column = self._column(reference)
                if column.casefold() not in aliases:
                    uses.add(ColumnUse(column, use))
        return tuple(sorted(uses))

    def _uses(self, item: Mapping[str, Any], ambiguous: set[str]) -> tuple[ColumnUse, ...]:
        """The uses in one expression, each column once by its most direct use. Raises _Unknown."""
        found: dict[str, Use] = {}
        plain = item["class"] == "COLUMN_REF" and len(item["column_names"]) <= 1 + self._is_own(item)
        for column, use in self._walk(item, "IDENTITY" if plain else "TRANSFORMATION"):
            if column.casefold() in ambiguous or column.casefold() == "rowid":
                raise _Unknown
            if column not in found or use in ("IDENTITY", "TRANSFORMATION"):
                found[column] = use
        return tuple(sorted(ColumnUse(column, use) for column, use in found.items()))

    def _walk(self, item: Any, use: Use) -> Iterator[tuple[str, Use]]:
        if isinstance(item, list):
            for inner in item:
                yield from self._walk(inner, use)
        elif isinstance(item, dict):
            kind = item.get("class")
            if kind is not None and kind not in _UNDERSTOOD:
                raise _Unknown
            if kind == "COLUMN_REF":
                yield self._column(item["column_names"]), use
                return
            for key, inner in item.items():
                yield from self._walk(inner, _narrowed(kind, key, use))

    def _column(self, reference: Sequence[str]) -> str:
        """The column of the source that a reference is to, written as the output of that name is."""
        own = len(reference) > 1 and reference[0].casefold() == self._table_name
        name = reference[1] if own else reference[0]
        return self.written.get(name.casefold(), name)

    def _is_own(self, item: Mapping[str, Any]) -> bool:
        names = item["column_names"]
        return len(names) > 1 and names[0].casefold() == self._table_name

    @property
    def _table_name(self) -> str:
        table = self.node["from_table"]
        return str(table["alias"] or table["table_name"]).casefold()


def _narrowed(kind: str | None, key: str, use: Use) -> Use:
    """How a part of an expression is used: a condition, or what a window is made of, is not the value."""
    if key in ("when_expr", "filter", "filter_expr"):
        return "CONDITIONAL"
    if kind == "WINDOW" and key in ("partitions", "orders", "start_expr", "end_expr", "arg_orders"):
        return "WINDOW"
    return use


def _output_name(item: Mapping[str, Any]) -> str | None:
    """The name under which an expression is returned; None where DuckDB makes one up from its text."""
    if item["alias"]:
        return str(item["alias"])
    return str(item["column_names"][-1]) if item["class"] == "COLUMN_REF" else None


def _references(item: Any) -> Iterator[list[str]]:
    """The names of every reference to a column below a node."""
    if isinstance(item, list):
        for inner in item:
            yield from _references(inner)
    elif isinstance(item, dict):
        if item.get("class") == "COLUMN_REF":
            yield item["column_names"]
        for inner in item.values():
            yield from _references(inner)
