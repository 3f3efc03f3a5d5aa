"""The types of the columns of a table: a value is what was written until the user says otherwise.

A text becomes a number, a boolean or a time only where every value of the column allows it and nothing is
lost: identifiers with leading zeros, signs, underscores or more digits than a number keeps stay text. What
identifies a row or a group keeps its text unless integers say the same; only a feature may lose the way its
numbers were written, because it is used as a number. `source.types` decides before all of that.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb

from clearance import params
from clearance.data import faults
from clearance.data.sources import duckdb_engine
from clearance.params.source import ColumnType

_SAMPLE = 2_048
_TESTS_A_SCAN = 120
"""DuckDB holds some 3 MB for each test of a scan, so a wide table is scanned several times."""

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


TEXT_KINDS = tuple(_TESTS)
"""What a column of a CSV, whose values are all texts, may become."""

_POWER = "-?[1-9]([.][0-9]*[1-9])?e(-0[5-9]|-[1-9][0-9]+|[+]1[6-9]|[+][2-9][0-9]+)"
_ONE_SPELLING: Mapping[str, str] = {
    "BOOLEAN": (
        "(bool_and({c} = lower({c})) OR bool_and({c} = upper({c})) OR bool_and({c} IN ('True', 'False')))"
    ),
    "DOUBLE": (
        f"(bool_and(regexp_full_match({{c}}, '-?(0|[1-9][0-9]*)([.][0-9]*[1-9])?|{_POWER}'))"
        f" OR bool_and(regexp_full_match({{c}}, '-?(0|[1-9][0-9]*)[.](0|[0-9]*[1-9])|{_POWER}'))"
        " OR (bool_and(regexp_full_match({c}, '-?(0|[1-9][0-9]*)[.][0-9]+'))"
        " AND min(strlen({c}) - strpos({c}, '.')) = max(strlen({c}) - strpos({c}, '.'))))"
    ),
}
"""The test over a whole column that no two texts are one value, as 1.1 and 1.10 are.

Numbers pass that are written without idle zeros, as programs print them (2.0 beside 2.5), or with the same
number of decimals.
"""

# What `source.types` may declare: the SQL type, and the test of a value `{c}` that is read as text first.
_DECLARED: Mapping[ColumnType, tuple[str, str]] = {
    "text": ("{c}", "true"),
    "number": ("CAST({c} AS DOUBLE)", "isfinite(TRY_CAST({c} AS DOUBLE)) AND NOT contains({c}, '_')"),
    "integer": (
        "CAST(split_part(trim({c}), '.', 1) AS BIGINT)",
        "regexp_full_match(trim({c}), '[-+]?[0-9]+([.]0*)?')"
        " AND TRY_CAST(split_part(trim({c}), '.', 1) AS BIGINT) IS NOT NULL",
    ),
    "boolean": ("CAST({c} AS BOOLEAN)", "TRY_CAST({c} AS BOOLEAN) IS NOT NULL"),
    "time": ("CAST({c} AS TIMESTAMP)", "TRY_CAST({c} AS TIMESTAMP) IS NOT NULL"),
}


_FIRST = 20
_GLANCE: Mapping[str, re.Pattern[str]] = {
    "BOOLEAN": re.compile("(?i:true|false)$"),
    "BIGINT": re.compile("-?[0-9]+$"),
    "DOUBLE": re.compile("[ 0-9.-]"),
    "TIMESTAMP": re.compile("[0-9]{4}-"),
    "TIMESTAMPTZ": re.compile("[0-9]{4}-"),
}
"""How a text begins, or is made up, that may be of a type: a quick test of the first rows."""


_MISLED = "a value has another type than the first rows"


class SampleMisledError(Exception):
    """A value has another type than the first rows promised: every row must be tested before it is read."""


@dataclass(frozen=True, kw_only=True)
class ColumnUses:
    """What the columns of a source are used as, by name.

    `declared` are their types by `source.types`; `identities` name rows, persons and groups, `keys` among
    them rows and persons; `features` are used as numbers where they hold numbers (None: every other column).
    With `every_row` the reader takes all columns of all rows, so that types may be tested as they are read.
    """

    declared: Mapping[str, ColumnType] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()
    identities: frozenset[str] = frozenset()
    features: params.AllBut | frozenset[str] | None = None
    every_row: bool = False

    @classmethod
    def of(cls, source: params.Source, data: params.Data) -> ColumnUses:
        """The uses that `params.yaml` declares.

        Without a `select`, so does a `data.columns` type `text`, and a favourable value written as the text
        `TRUE` keeps the target as written.
        """
        texts = {name for name, rule in data.columns.items() if rule.type == "text" and source.select is None}
        favourable = data.favourable
        is_word = isinstance(favourable, str) and favourable.lower() in {"true", "false"}
        words: dict[str, ColumnType] = {data.target: "text"} if is_word and source.select is None else {}
        keys = {name for name in (data.row_key, data.entity, data.cluster) if name is not None}
        features = data.features if isinstance(data.features, params.AllBut) else frozenset(data.features)
        return cls(
            declared=words | (source.types or {}),
            keys=frozenset(keys),
            identities=frozenset(texts | keys | {*data.protected}),
            features=features,
        )

    def is_feature(self, column: str) -> bool:
        """Whether a column that is not an identity is used as a feature under its own name."""
        if self.features is None:
            return True
        if isinstance(self.features, params.AllBut):
            return column not in self.features.all_but
        return column in self.features

    def kinds(self, column: str, kinds: Sequence[str]) -> list[str]:
        """Those of these SQL types that the column may become."""
        if column in self.declared:
            return []
        exact = ("BIGINT",) if column in self.keys else ("BIGINT", "BOOLEAN")
        return [kind for kind in kinds if kind in exact or column not in self.identities]


def narrow(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Mapping[str, Sequence[str]],
    uses: ColumnUses,
) -> list[str]:
    """SQL for each text column of `table`, cast to the first of its SQL types that all its values have.

    `table` is SQL that can be read twice. A column without any value stays text. With `uses.every_row` the
    first rows promise the types they can, and the SQL raises at a row that breaks the promise: see
    `raise_if_misled`.
    """
    candidates = {column: uses.kinds(column, kinds) for column, kinds in columns.items()}
    connection.execute(f"CREATE OR REPLACE TEMP TABLE type_sample AS FROM {table} LIMIT {_SAMPLE}")
    sample = connection.table("type_sample")
    rows = sample.limit(_FIRST).fetchall()
    first = {name: [row[at] for row in rows] for at, name in enumerate(sample.columns)}
    possible: dict[str, list[str]] = {
        column: [kind for kind in kinds if all(_may_be(kind, value) for value in first[column])]
        for column, kinds in candidates.items()
    }
    if len(sample) < _SAMPLE:
        possible = _possible(connection, "type_sample", possible, uses)
        return [_column(name, _cast(name, possible[name])) for name in columns]
    possible = _possible(connection, "type_sample", possible, uses, without_values=True)
    promised = _promised(connection, possible, uses) if uses.every_row else {}
    others = {column: kinds for column, kinds in possible.items() if column not in promised}
    kinds = promised | _possible(connection, table, others, uses)
    casts = {name: _cast(name, kinds[name], tested=name in promised) for name in columns}
    if promised:
        name = next(iter(casts))
        casts[name] = _tested(casts[name], promised)
    return [_column(name, cast) for name, cast in casts.items()]


@contextmanager
def raise_if_misled() -> Iterator[None]:
    """Raise SampleMisledError where reading the columns of `narrow` broke a promise of the first rows."""
    try:
        yield
    except (duckdb.Error, OSError) as error:  # Arrow passes DuckDB's errors on as the second
        if _MISLED in str(error):
            raise SampleMisledError from None
        raise


def _promised(
    connection: duckdb.DuckDBPyConnection, possible: Mapping[str, Sequence[str]], uses: ColumnUses
) -> dict[str, list[str]]:
    """The first possible type of each column with a value in the first rows, where each value tells it alone.

    None at all where the tests are too many for one scan.
    """
    values = ", ".join(f"count({duckdb_engine.name(column)})" for column in possible)
    counts = connection.execute(f"FROM type_sample SELECT {values}").fetchall()[0]
    promised = {
        column: [kinds[0]]
        for (column, kinds), count in zip(possible.items(), counts, strict=True)
        if count and kinds and not _needs_one_spelling(column, kinds[0], uses)
    }
    return promised if len(promised) <= _TESTS_A_SCAN else {}


def _tested(value: str, promised: Mapping[str, Sequence[str]]) -> str:
    """The value, or an error in a row in which some column has a value that is not of its promised type."""
    tests = " AND ".join(
        _of(f"coalesce({_TESTS[kind]}, {{c}} IS NULL)", duckdb_engine.name(column))
        for column, (kind,) in promised.items()
    )
    return f"CASE WHEN {tests} THEN {value} ELSE error({duckdb_engine.literal(_MISLED)}) END"


def _may_be(kind: str, value: object) -> bool:
    """False only where the value rules the type out at a glance: most columns need one test of five."""
    return not isinstance(value, str) or _GLANCE[kind].match(value) is not None


def declare(connection: duckdb.DuckDBPyConnection, table: str, uses: ColumnUses) -> str:
    """SQL for the rows of `table` with the types that `source.types` declares.

    Raises ConfigurationError on a column that the table does not have, DataError where a value has another
    type.
    """
    if not uses.declared:
        return f"FROM {table}"
    names = connection.sql(f"FROM {table} LIMIT 0").columns
    for column in uses.declared:
        if column not in names:
            close = difflib.get_close_matches(column, names, n=1)
            suggestion = f" (did you mean `{close[0]}`?)" if close else ""
            raise faults.TYPES_OF_UNKNOWN_COLUMN(column=column, suggestion=suggestion)
    texts = {column: f"CAST({duckdb_engine.name(column)} AS VARCHAR)" for column in uses.declared}
    tests = {column: _of(_DECLARED[kind][1], texts[column]) for column, kind in uses.declared.items()}
    wrong = ", ".join(
        f"count(*) FILTER ({texts[column]} IS NOT NULL AND NOT coalesce({test}, false))"
        for column, test in tests.items()
    )
    counts = connection.execute(f"FROM {table} SELECT {wrong}").fetchall()[0]
    for (column, kind), rows in zip(uses.declared.items(), counts, strict=True):
        if rows:
            raise faults.NOT_OF_DECLARED_TYPE(column=column, kind=kind, rows=rows)
    casts = ", ".join(
        f"{_of(_DECLARED[kind][0], texts[column])} AS {duckdb_engine.name(column)}"
        for column, kind in uses.declared.items()
    )
    return f"FROM {table} SELECT * REPLACE ({casts})"


def _possible(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    candidates: Mapping[str, Sequence[str]],
    uses: ColumnUses,
    *,
    without_values: bool = False,
) -> dict[str, list[str]]:
    """The candidate types of each column that every value of the table has.

    `without_values`: a column without values keeps its candidates, because rows are still to be read.
    """
    pairs = [(column, kind) for column, kinds in candidates.items() for kind in kinds]
    possible: dict[str, list[str]] = {column: [] for column in candidates}
    for start in range(0, len(pairs), _TESTS_A_SCAN):
        part = pairs[start : start + _TESTS_A_SCAN]
        tests = ", ".join(_all_values_pass(column, kind, uses) for column, kind in part)
        answers = connection.execute(f"FROM {table} SELECT {tests}").fetchall()[0]
        for (column, kind), answer in zip(part, answers, strict=True):
            if answer or (answer is None and without_values):
                possible[column].append(kind)
    return possible


def _all_values_pass(column: str, kind: str, uses: ColumnUses) -> str:
    """SQL that is true when every value passes, false when one does not, null when there are no values."""
    quoted = duckdb_engine.name(column)
    test = f"bool_and(coalesce({_of(_TESTS[kind], quoted)}, false)) FILTER ({quoted} IS NOT NULL)"
    if _needs_one_spelling(column, kind, uses):
        return f"({test} AND {_of(_ONE_SPELLING[kind], quoted)})"
    return test


def _needs_one_spelling(column: str, kind: str, uses: ColumnUses) -> bool:
    """Whether the type also demands that no two texts of the column are one value."""
    return kind in _ONE_SPELLING and not (uses.is_feature(column) and column not in uses.identities)


def _of(template: str, column: str) -> str:
    return template.replace("{c}", column)


def _cast(column: str, kinds: Sequence[str], *, tested: bool = False) -> str:
    """SQL for the values as the first of the types; the cast of a `tested` one is shared with its test."""
    quoted = duckdb_engine.name(column)
    return f"{'TRY_CAST' if tested else 'CAST'}({quoted} AS {kinds[0]})" if kinds else quoted


def _column(name: str, value: str) -> str:
    return f"{value} AS {duckdb_engine.name(name)}"
