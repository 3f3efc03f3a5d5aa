"""The types of the columns of a text table, decided by every one of their values.

A column is a number only if nothing is lost by reading it as one: identifiers with leading zeros, signs,
underscores or more digits than a number keeps stay text. It never looks at a name or guesses from a sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from clearance.data.sources import duckdb_engine

_SAMPLE = 2_048
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "[0-9]{2}:[0-9]{2}[0-9:.]*"
_NUMBER = " *-?(0|[1-9][0-9]{0,16})?([.][0-9]*)?([eE][-+]?[0-9]+)? *"
"""The text of a number that is read without loss. Most values pass a cheaper test first, see below."""

# From narrow to wide: the SQL type, and the test that every value of the column must pass.
_TESTS: Mapping[str, str] = {
    "BOOLEAN": "lower({c}) IN ('true', 'false')",
    "BIGINT": "CAST(TRY_CAST({c} AS BIGINT) AS VARCHAR) = {c}",
    "DOUBLE": (
        "isfinite(TRY_CAST({c} AS DOUBLE)) AND NOT contains({c}, '_') AND CASE"
        " WHEN {c} < '-' OR strlen({c}) > 20 OR abs(TRY_CAST({c} AS DOUBLE)) >= 1e17 THEN"
        f" regexp_full_match({{c}}, '{_NUMBER}')"
        " ELSE {c} NOT BETWEEN '00' AND '0:' AND {c} NOT BETWEEN '-00' AND '-0:' END"
    ),
    "TIMESTAMP": (
        f"regexp_full_match({{c}}, '{_DAY}([ T]{_CLOCK})?') AND TRY_CAST({{c}} AS TIMESTAMP) IS NOT NULL"
    ),
    "TIMESTAMPTZ": (
        f"regexp_full_match({{c}}, '{_DAY}[ T]{_CLOCK} ?(Z|[-+][0-9:]+)')"
        " AND TRY_CAST({c} AS TIMESTAMPTZ) IS NOT NULL"
    ),
}


def narrow(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> list[str]:
    """SQL for each text column of `table`, cast to the first type that all its values have.

    `table` is SQL that can be read twice. A column without any value stays text.
    """
    sample = f"(FROM {table} LIMIT {_SAMPLE})"
    possible = _possible(connection, sample, {column: list(_TESTS) for column in columns})
    possible = _possible(connection, table, possible)
    return [_cast(column, possible[column]) for column in columns]


def _possible(
    connection: duckdb.DuckDBPyConnection, table: str, candidates: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """The candidate types of each column that no value of the table rules out."""
    pairs = [(column, kind) for column, kinds in candidates.items() for kind in kinds]
    possible: dict[str, list[str]] = {column: [] for column in candidates}
    if pairs:
        tests = ", ".join(_all_values_pass(column, kind) for column, kind in pairs)
        answers = connection.execute(f"FROM {table} SELECT {tests}").fetchall()[0]
        for (column, kind), answer in zip(pairs, answers, strict=True):
            if answer is not False:
                possible[column].append(kind)
    return possible


def _all_values_pass(column: str, kind: str) -> str:
    """SQL that is true when every value passes, false when one does not, null when there are no values."""
    quoted = duckdb_engine.name(column)
    test = _TESTS[kind].replace("{c}", quoted)
    return f"bool_and(coalesce({test}, false)) FILTER ({quoted} IS NOT NULL)"


def _cast(column: str, kinds: Sequence[str]) -> str:
    quoted = duckdb_engine.name(column)
    if not kinds or len(kinds) == len(_TESTS):  # no type fits, or there are no values
        return quoted
    return f"CAST({quoted} AS {kinds[0]}) AS {quoted}"
