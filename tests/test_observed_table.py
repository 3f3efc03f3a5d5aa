"""What is observed of a table is true of every row, and Great Expectations says the same without it."""

import math
import operator
from pathlib import Path
from typing import Any

import great_expectations as gx_library
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from great_expectations import expectations as gx
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from clearance.data.tables.stored_table import StoredTable
from expectations import boundary, gx_engine, observed_table, prepared_boundary, raw_boundary
from expectations.observed_table import ObservedTable

ROWS = 12
KINDS = {
    "numbers": (pa.float64(), st.sampled_from([0.0, -0.0, 1.0, 2.5, -3.0, math.inf, -math.inf, math.nan])),
    "integers": (pa.int64(), st.integers(-3, 3) | st.just(2**53 + 1)),
    "texts": (pa.string(), st.sampled_from(["a", "b", "1", ""])),
    "booleans": (pa.bool_(), st.booleans()),
    "times": (pa.timestamp("us"), st.datetimes(pd.Timestamp(2020, 1, 1), pd.Timestamp(2020, 1, 5))),
}


@st.composite
def drawn_tables(draw: st.DrawFn) -> pa.Table:
    """One column of each kind, often of few values and with nulls, and a copy that may differ in one row."""
    columns = {}
    for name, (kind, values) in KINDS.items():
        some = draw(st.lists(st.none() | values, min_size=1, max_size=3) | st.lists(values, min_size=8))
        columns[name] = pa.array((some * ROWS)[:ROWS], kind)
    columns["copy"] = draw(st.just(columns["texts"]) | st.just(columns["texts"].take([*range(11), 0])))
    return pa.table(columns)


def expected(name: str) -> list[Any]:
    return [
        gx.ExpectColumnValuesToNotBeNull(column=name, **boundary.statement("known")),
        gx.ExpectColumnValuesToNotBeNull(column=name, mostly=0.5, **boundary.statement("mostly")),
        gx.ExpectColumnValuesToBeUnique(column=name, **boundary.statement("unique")),
        gx.ExpectColumnValuesToBeBetween(column=name, min_value=-3, **boundary.statement("not low")),
        gx.ExpectColumnValuesToBeBetween(
            column=name, min_value=-3, max_value=3, strict_max=True, **boundary.statement("inside")
        ),
        gx.ExpectColumnValuesToBeInSet(
            column=name, value_set=["a", "b", 1, 0, 2.5], **boundary.statement("listed")
        ),
    ]


def suite(names: list[str]) -> list[Any]:
    pairs = [("texts", "copy"), ("texts", "numbers"), ("integers", "integers")]
    return [
        *(expectation for name in names for expectation in expected(name)),
        *(
            gx.ExpectColumnPairValuesToBeEqual(
                column_A=one, column_B=other, ignore_row_if="neither", **boundary.statement("equal")
            )
            for one, other in pairs
        ),
        gx.ExpectTableRowCountToEqual(value=ROWS, **boundary.statement("rows")),
        gx.ExpectTableRowCountToBeBetween(min_value=ROWS + 1, **boundary.statement("more")),
    ]


def by_the_library(frame: pd.DataFrame, expectations: list[Any]) -> list[dict[str, Any]]:
    """The results of Great Expectations' own engine on the same data."""
    context = boundary._context()
    suite = context.suites.add(gx_library.ExpectationSuite(name="t", expectations=expectations))
    source = context.data_sources.add_pandas("own")
    type(source).execution_engine_override = PandasExecutionEngine
    batch = source.add_dataframe_asset("t").add_batch_definition_whole_dataframe("t")
    definition = gx_library.ValidationDefinition(name="t", data=batch, suite=suite)
    outcome = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": frame}, result_format=boundary._RESULT
    )
    return [plain(entry) for entry in outcome.results]


def plain(entry: Any) -> dict[str, Any]:
    config, result = entry.expectation_config, entry.to_json_dict()
    return {
        "place": f"{config.type} {boundary.columns_of(entry)} {config.description}",
        "success": result["success"],
        "result": result["result"],
        "raised": boundary.raised(entry.exception_info),
    }


@given(drawn_tables())
@settings(max_examples=5, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_great_expectations_says_of_what_was_observed_what_it_says_of_the_data(table: pa.Table) -> None:
    observed = raw_boundary.observed(table)
    names = [*KINDS, "absent"]
    _, ours = boundary.run("raw", observed, suite(names))
    theirs = by_the_library(observed.frame(table.column_names), suite(names))
    place = operator.itemgetter("place")
    for our, their in zip(
        sorted(map(plain, ours.results), key=place), sorted(theirs, key=place), strict=True
    ):
        assert our == their


@given(drawn_tables())
@settings(max_examples=30, deadline=None)
def test_facts_are_those_of_every_row(table: pa.Table) -> None:
    observed = raw_boundary.observed(table)
    for name in table.column_names:
        facts = observed.facts(name)
        values = [None if pd.isna(value) else value for value in table.column(name).to_pylist()]
        known = [value for value in values if value is not None]
        assert facts.nulls == len(values) - len(known)
        assert [*facts.first_nulls] == [at for at, value in enumerate(values) if value is None]
        assert observed.is_missing(name).tolist() == [value is None for value in values]
        assert len(observed.counts(name)) == len(set(known))
        assert observed.is_unique(name) is (len({*values}) == len(values))
        if name in {"numbers", "integers"} and known and facts.dtype != "str":
            assert (facts.smallest, facts.largest) == (min(known), max(known))


def long_table(rows: int) -> pa.Table:
    random = np.random.default_rng(1)
    return pa.table(
        {
            "row": [f"{at:032x}" for at in random.permutation(rows)],
            "n": pa.array(random.normal(size=rows), mask=random.random(rows) < 0.1),
            "t": random.choice(["x", "y"], rows),
        }
    )


def test_a_long_table_is_the_same_read_by_column_and_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = long_table(50_000)
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=7_000)
    stored = StoredTable(tmp_path / "t.parquet")
    assert (stored.num_rows, stored.column_names, stored.schema) == (50_000, table.column_names, table.schema)
    assert pa.concat_tables(stored.parts()).equals(table)
    at = [0, 6_999, 7_000, 49_999, 21_003, 0]
    assert stored.take(at).equals(table.take(at))
    monkeypatch.setattr(observed_table, "KEPT_BYTES", 1_000)
    observed, whole = raw_boundary.observed(stored), table.to_pandas()
    for name in table.column_names:
        assert observed[name].tolist() == pytest.approx(whole[name].tolist(), nan_ok=True) or name != "n"
        assert observed[name].equals(whole[name])
    for most in (10_000, 20_000, 49_999, 50_000):
        expected_rows = whole[["n", "t"]].iloc[:: math.ceil(50_000 / most)]
        assert observed.sample(["n", "t"], most).equals(expected_rows)
    hashed = observed.by_hash("row", ["t", "n"], 5_000)
    chosen = whole[whole["row"] < f"{int(0.1 * 16**8):08x}"].sort_values("row")
    assert hashed["t"].tolist() == chosen["t"].tolist()
    assert len(observed._recent) == 1


def test_equal_texts_are_found_whatever_their_length() -> None:
    digests = [f"{at:032x}" for at in np.random.default_rng(2).permutation(3_000)]
    for texts in (digests, digests[:1], [text[:31] for text in digests], ["12345678", "87654321"], ["", "a"]):
        table = pd.DataFrame({"x": pd.Series(texts, dtype="str")})
        assert ObservedTable.of(table).is_unique("x") is (len({*texts}) == len(texts))
        assert not ObservedTable.of(pd.concat([table, table.tail(1)])).is_unique("x")
    chunks = pa.chunked_array([digests[:1_000], pa.array(digests).slice(1_000)])
    assert raw_boundary.observed(pa.table({"x": chunks})).is_unique("x")
    assert observed_table._have_different_hashes(chunks)
    assert not observed_table._have_different_hashes(pa.array([None, digests[0]]))


def test_a_shorter_prepared_table_is_padded_with_nulls() -> None:
    keys = {"row": ["a", "b", "c"], "split": ["train"] * 3}
    tables = {
        "features": pa.table(keys | {"x": [1, 2, 3]}),
        "label": pa.table(keys | {"label": [0, 1, 1]}),
        "protected": pa.table(keys | {"race": ["A", "B", "A"]}).slice(0, 2),
    }
    observed = prepared_boundary.observed(tables)
    assert len(observed) == 3
    assert observed["protected: race"].isna().tolist() == [False, False, True]
    assert observed.are_equal("row", "label: row") and not observed.are_equal("row", "protected: row")
    assert observed["x"].tolist() == [1, 2, 3]


def test_an_expectation_on_some_rows_is_refused() -> None:
    engine = gx_engine.ColumnEngine(
        batch_data_dict={"t": gx_engine.handle(ObservedTable.of(pd.DataFrame({"x": [1]})))}
    )
    assert engine.get_domain_records({"column": "x"})["x"].tolist() == [1]
    with pytest.raises(NotImplementedError):
        engine.get_domain_records({"column": "x", "row_condition": "x > 1"})
