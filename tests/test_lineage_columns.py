"""Column lineage from `select`: what DuckDB's parser makes certain is there, everything else is absent."""

from collections.abc import Mapping, Sequence

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.lineage import columns
from clearance.lineage.columns import ColumnUse

A, B = ColumnUse("a", "IDENTITY"), ColumnUse("b", "IDENTITY")


def computed(*names: str) -> tuple[ColumnUse, ...]:
    return tuple(ColumnUse(name, "TRANSFORMATION") for name in names)


@pytest.mark.parametrize(
    ("select", "outputs", "fields"),
    [
        (None, "ab", {"a": (A,), "b": (B,)}),
        ("SELECT * FROM source", "ab", {"a": (A,), "b": (B,)}),
        ("FROM source", "ab", {"a": (A,), "b": (B,)}),
        ("SELECT a, b AS c FROM source", "ac", {"a": (A,), "c": (B,)}),
        ("SELECT A FROM Source", "A", {"A": (ColumnUse("A", "IDENTITY"),)}),
        ("SELECT s.a FROM source s", "a", {"a": (A,)}),
        ("SELECT a + b AS c FROM source", "c", {"c": computed("a", "b")}),
        ("SELECT CAST(a AS INT) AS a FROM source", "a", {"a": computed("a")}),
        ("SELECT 1 AS c, random() AS d FROM source", "cd", {"c": (), "d": ()}),
        (
            "SELECT CASE WHEN a = 'x' THEN b ELSE 'none' END AS c FROM source",
            "c",
            {"c": (ColumnUse("a", "CONDITIONAL"), *computed("b"))},
        ),
        (
            "SELECT lag(a) OVER (PARTITION BY b ORDER BY d) AS c FROM source",
            "c",
            {"c": (*computed("a"), ColumnUse("b", "WINDOW"), ColumnUse("d", "WINDOW"))},
        ),
        (
            "SELECT * EXCLUDE (d) REPLACE (b * 2 AS b) RENAME (a AS z) FROM source",
            "zb",
            {"z": (A,), "b": computed("b")},
        ),
        (
            "SELECT sum(a) FILTER (WHERE b > 1) AS c FROM source",
            "c",
            {"c": (*computed("a"), ColumnUse("b", "CONDITIONAL"))},
        ),
        ('SELECT "we ird, ""x""" AS c FROM source', "c", {"c": (ColumnUse('we ird, "x"', "IDENTITY"),)}),
    ],
)
def test_what_the_text_makes_certain_is_told(
    select: str | None, outputs: Sequence[str], fields: Mapping[str, tuple[ColumnUse, ...]]
) -> None:
    assert columns.of_select(select, tuple(outputs)).fields == fields


@pytest.mark.parametrize(
    "select",
    [
        "SELECT * FROM source JOIN other USING (a)",
        "WITH t AS (SELECT 1) SELECT * FROM source",
        "SELECT * FROM other",
        "SELECT * FROM (SELECT * FROM source)",
        "SELECT * FROM source UNION ALL SELECT * FROM source",
        "SELECT * FROM source AS s(b, a)",
        "SELECT a FROM source; SELECT b FROM source",
        "DELETE FROM source",
        "SELEC a",
    ],
)
def test_a_select_that_is_not_plain_tells_nothing(select: str) -> None:
    assert columns.of_select(select, ("a", "b")).fields == {}


@pytest.mark.parametrize(
    ("select", "unknown"),
    [
        ("SELECT a, (SELECT max(b) FROM source) AS c FROM source", "c"),
        ("SELECT a, list_transform([1], x -> x + b) AS c FROM source", "c"),
        ("SELECT a, COLUMNS('b.*') FROM source", "b"),
        ("SELECT a, b + 1 AS d, d * 2 AS c FROM source", "c"),  # DuckDB lets `d` be the column before it
        ("SELECT a, #1 AS c FROM source", "c"),
        ("SELECT a, rowid AS c FROM source", "c"),
        ("SELECT *, a AS a2, upper(b) FROM source", "b"),  # `upper(b)` names a column by its text
        ("SELECT *, * FROM source", "b"),
    ],
)
def test_a_form_that_is_not_understood_is_absent(select: str, unknown: str) -> None:
    assert unknown not in columns.of_select(select, ("a", "b", "c", "d")).fields


def test_what_chooses_the_rows_is_told_apart() -> None:
    select = "SELECT a FROM source WHERE b > 0 GROUP BY a, c HAVING max(d) > 1 QUALIFY e = 1 ORDER BY f"
    assert columns.of_select(select, ("a",)).rows == tuple(
        ColumnUse(*use)
        for use in [
            ("a", "GROUP_BY"),
            ("b", "FILTER"),
            ("c", "GROUP_BY"),
            ("d", "FILTER"),
            ("e", "FILTER"),
            ("f", "SORT"),
        ]
    )


NAMES = st.sampled_from(["a", "b", "c"])
ITEMS = st.sampled_from(
    [
        "*",
        "* EXCLUDE (a)",
        "* REPLACE (b AS a)",
        "* RENAME (a AS z)",
        "a",
        "b AS y",
        "a + b AS x",
        "CASE WHEN c > 1 THEN a END AS w",
        "1 AS v",
        "max(c) OVER () AS u",
        "c AS a",
    ]
)


@settings(max_examples=40)
@given(st.lists(ITEMS, min_size=1, max_size=3))
def test_a_column_that_no_use_names_does_not_change_the_output(items: list[str]) -> None:
    """DuckDB itself as the judge: another value in any other column leaves a known output as it is."""
    select = f"SELECT {', '.join(items)} FROM source"  # noqa: S608

    def answer(**changed: int) -> dict[str, list[int]] | None:
        values = {"a": 1, "b": 2, "c": 3} | changed
        listed = ", ".join(f"{value} AS {name}" for name, value in values.items())
        connection = duckdb.connect()
        connection.execute(f"CREATE TABLE source AS SELECT {listed}")
        relation = connection.sql(select)
        if len({name.casefold() for name in relation.columns}) < len(relation.columns):
            return None  # an ingest refuses it
        row = relation.fetchall()[0]
        return dict(zip(relation.columns, row, strict=True))

    base = answer()
    if base is None:
        return
    known = columns.of_select(select, tuple(base)).fields
    for name in ("a", "b", "c"):
        other = answer(**{name: 7})
        assert other is not None
        for output, uses in known.items():
            if name not in {use.column for use in uses}:
                assert other[output] == base[output], (select, output, name)
            if uses == (ColumnUse(name, "IDENTITY"),):
                assert (base[output], other[output]) == ({"a": 1, "b": 2, "c": 3}[name], 7), (select, output)
