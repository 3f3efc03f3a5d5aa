"""A text is read as a number exactly when the way it is written allows it, however soon that was seen."""

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clearance.data.sources import column_types

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
