"""A text is read as a number exactly when the way it is written allows it, however soon that was seen."""

import tempfile
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clearance import params
from clearance.data.sources import bindings, column_types, duckdb_engine
from tasks import ingest

SIGNS = st.sampled_from(["", "", "-", "+", " ", "  -"])
DIGITS = st.text("0123456789", max_size=20)
ENDS = st.one_of(st.just(""), st.from_regex(r"\.[0-9]{0,20}", fullmatch=True))
POWERS = st.one_of(st.just(""), st.from_regex(r"[eE][-+]?[0-9]{1,3}", fullmatch=True))
WRITTEN = st.tuples(SIGNS, DIGITS, ENDS, POWERS, st.sampled_from(["", "", " "])).map("".join)
ANYTHING = st.text("0123456789+-.eE_ ,/:infaty", min_size=1, max_size=24)


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@given(st.lists(WRITTEN | ANYTHING, min_size=1, max_size=50))
@example(
    ["123456789012345678", "99999999999999999", "99999999999999999.5", "1e17", "00.5", "-01", "+1", "1_000"]
)
@example(
    ["12345678901234567890e-10", "1234567890123456789e0", "-0", ".5", "-.5", "5.", " 7 ", " 07", "inf", "nan"]
)
@settings(max_examples=60, deadline=None)
def test_a_number_is_what_the_pattern_says(database: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    test = column_types._TESTS["DOUBLE"].replace("{c}", "c")
    pattern = f"regexp_full_match(c, '{column_types._NUMBER}')"
    meaning = " AND ".join(["isfinite(TRY_CAST(c AS DOUBLE))", "NOT contains(c, '_')", pattern])
    columns = ["c", *(f"coalesce({condition}, false)" for condition in (test, meaning))]
    query = " ".join(["SELECT", ", ".join(columns), "FROM unnest(?) AS t(c)"])
    for text, outcome, expectation in database.execute(query, [texts]).fetchall():
        assert outcome == expectation, repr(text)


VALUES = st.sampled_from(
    [
        *(
            "",
            "1",
            "7",
            "-3",
            "007",
            "1.0",
            "1.10",
            "2.5",
            "1e3",
            "12345678901234567890",
            "1_000",
            " 1",
            "+1",
        ),
        *(
            "+1",
            "true",
            "FALSE",
            "True",
            "$1,234",
            "2024-02-30",
            "2024-02-29",
            "2024-02-29 10:00",
            "NaN",
            "inf",
        ),
        *("2024-02-29T10:00:00Z", "2024-02-29 10:00:00+02", "x", "18:25"),
    ]
)
NAMES = ("first", "second", "third")
COLUMN = st.lists(st.sampled_from(["1", "2.5", "true", "2024-02-29", ""]) | VALUES, min_size=12, max_size=12)
ALIKE = st.tuples(VALUES, VALUES, st.integers(0, 12)).map(lambda drawn: _mostly(*drawn))
ROLES = st.sampled_from(["feature", "identity", "key", "other"])


def _mostly(often: str, seldom: str, at: int) -> list[str]:
    return [seldom if row == at else often for row in range(12)]


@given(st.tuples(*[COLUMN | ALIKE] * 3), st.tuples(*[ROLES] * 3))
@example(([["1"] * 11 + ["x"], ["1.5"] * 12, [""] * 4 + ["7"] * 8]), ("feature", "feature", "feature"))
@settings(max_examples=30, deadline=None)
def test_types_that_the_first_rows_promise_are_those_that_every_row_has(
    columns: tuple[list[str], ...], roles: tuple[str, ...]
) -> None:
    """Twelve rows, of which four are the first: one pass gives what testing every row beforehand gives."""
    names = {role: frozenset(n for n, own in zip(NAMES, roles, strict=True) if own == role) for role in roles}
    keys = names.get("key", frozenset())
    uses = column_types.ColumnUses(
        keys=keys,
        identities=keys | names.get("identity", frozenset()),
        features=names.get("feature", frozenset()),
    )
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(column_types, "_SAMPLE", 4)
        patch.setattr(column_types, "_FIRST", 2)
        path = Path(folder) / "t.csv"
        rows = [
            ",".join(f'"{value}"' if value else "" for value in row) for row in zip(*columns, strict=True)
        ]
        path.write_text("\n".join([",".join(NAMES), *rows, ""]))
        source = params.Source(kind="file", path=str(path))
        ingest.ingest(source, path.with_name("raw.parquet"), path.parent / "home", uses=uses)
        with duckdb_engine.session(path.parent / "home") as connection:
            bindings.bind(connection, source, replace(uses, every_row=False))
            tested = duckdb_engine.stream(connection, "FROM source", uses.identities).read_all()
        assert pq.read_table(path.with_name("raw.parquet")).equals(tested)
