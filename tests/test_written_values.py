"""A value is what was written until the user says otherwise: one rule for every format, file and column."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearance import params
from clearance.data.sources import column_types
from clearance.errors import ClearanceError
from tasks import ingest

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


def read(path: str, uses: dict[str, Any] | None = None, **source: Any) -> dict[str, list[Any]]:
    """The columns that `ingest` writes; `uses` are the uses of the source's columns."""
    choice = params.Source(kind="file", path=path, **source)
    declared = column_types.ColumnUses(**{"declared": choice.types or {}} | (uses or {}))
    ingest.ingest(choice, Path("raw.parquet"), HOME, uses=declared)
    columns: dict[str, list[Any]] = pq.read_table("raw.parquet").to_pydict()
    return columns


def refusal(path: str, **source: Any) -> ClearanceError:
    with pytest.raises(ClearanceError) as excinfo:
        read(path, **source)
    return excinfo.value


GROUP = {"identities": frozenset({"v"})}
KEY = {"identities": frozenset({"v"}), "keys": frozenset({"v"})}
ELSE: dict[str, Any] = {"features": frozenset()}


@pytest.mark.parametrize("uses", [GROUP, KEY, ELSE])
@pytest.mark.parametrize(
    "texts",
    [
        ["1.1", "1.2", "1.10"],
        ["76561198000000001", " 76561198000000003", "76561198000000005"],
        ["18446744073709551615", "18446744073709551614"],
        ["10000.0", "A-7"],
        ["007", "7"],
        ["TRUE", "true"],
        ["1e2", "100"],
        ["18:25", "10:17"],
    ],
)
def test_texts_that_differ_stay_apart_as_they_are_written(uses: dict[str, Any], texts: list[str]) -> None:
    put("t.csv", "x,v\n" + "".join(f"0,{text}\n" for text in texts))
    put("t.jsonl", "\n".join(json.dumps({"x": 0, "v": text}) for text in texts))
    pq.write_table(pa.table({"x": [0] * len(texts), "v": texts}), "t.parquet")
    assert read("t.csv", uses)["v"] == texts
    assert read("t.jsonl", uses)["v"] == texts
    assert read("t.parquet", uses)["v"] == texts


def test_a_key_written_as_1_0_keeps_its_text_whatever_key_follows() -> None:
    put("t.csv", "v\n10000.0\n10001.0\n")
    before = read("t.csv", KEY)["v"]
    put("t.csv", "v\n10000.0\n10001.0\nA-7\n")
    assert before == ["10000.0", "10001.0"] == read("t.csv", KEY)["v"][:2]


def test_a_feature_is_a_number_however_its_decimals_are_written() -> None:
    put("t.csv", "v\n1.1\n1.10\n2\n")
    assert read("t.csv")["v"] == [1.1, 1.1, 2.0]


def test_a_column_that_only_select_uses_is_a_number_if_no_two_texts_become_one() -> None:
    put("t.csv", "v,w,x,y\n1.10,1.1,34.0,2\n2.25,1.10,2.25,1.5\n3.00,1.2,1e-05,2.0\n")
    assert read("t.csv", ELSE) == {
        "v": [1.1, 2.25, 3.0],
        "w": ["1.1", "1.10", "1.2"],
        "x": [34.0, 2.25, 1e-05],
        "y": ["2", "1.5", "2.0"],
    }


def test_a_declared_type_counts_before_select_sees_the_value() -> None:
    put("t.csv", "v,w,x\n1.10,1.0,0100\n1.1,,0200\n")
    types = {"v": "text", "w": "integer", "x": "number"}
    select = "SELECT 'b' || v AS v, w + 1 AS w, x FROM source"
    assert read("t.csv", types=types, select=select) == {
        "v": ["b1.10", "b1.1"],
        "w": [2, None],
        "x": [100.0, 200.0],
    }
    pq.write_table(pa.table({"v": [1.0, 2.0]}), "t.parquet")
    assert read("t.parquet", types={"v": "integer"})["v"] == [1, 2]


@pytest.mark.parametrize(
    ("types", "code", "values"),
    [
        ({"v": "integer"}, "data.not_of_declared_type", {"column": "v", "kind": "integer", "rows": 2}),
        ({"w": "text"}, "data.types_of_unknown_column", {"column": "w"}),
    ],
)
def test_a_declaration_that_does_not_hold_is_refused(
    types: dict[str, str], code: str, values: dict[str, Any]
) -> None:
    put("t.csv", "v,x\n1,1\n1.7,2\nsecret,3\n")
    error = refusal("t.csv", types=types)
    assert error.code == code and values.items() <= error.values.items()
    assert "secret" not in str(error)


def test_the_uses_come_from_the_roles() -> None:
    data = params.Data(
        row_key="id",
        entity="person",
        target="y",
        favourable=1,
        protected=["g"],
        features=params.AllBut(all_but=["z"]),
        columns={"t": params.Column(type="text")},
    )
    source = params.Source(kind="file", path="t.csv", types={"a": "text"})
    uses = column_types.ColumnUses.of(source, data)
    assert uses.declared == {"a": "text"} and uses.keys == {"id", "person"}
    assert uses.identities == {"id", "person", "g", "t"}
    assert uses.is_feature("x") and not uses.is_feature("z")


# --- JSON


def test_json_texts_are_not_read_as_times_dates_maps_or_numbers() -> None:
    record = {"t": "18:25", "d": "2026-01-31", "u": "0e37bb1c-9e28-4d1e-8d3f-1a1f0e9c3a11", "n": "12"}
    put("t.jsonl", json.dumps(record | {f"q{i}": i for i in range(250)}))
    columns = read("t.jsonl")
    assert {name: columns[name][0] for name in record} == record
    assert len(columns) == 254 and columns["q9"] == [9]


def test_json_integers_of_any_size_are_exact() -> None:
    numbers = [2**64 - 1, 2**70, 1]
    put("t.jsonl", "\n".join(json.dumps({"v": number}) for number in numbers))
    assert read("t.jsonl", KEY)["v"] == [str(number) for number in numbers] == read("t.jsonl")["v"]


def test_json_numbers_that_a_reader_does_not_keep_are_refused_where_they_name_groups() -> None:
    put("t.jsonl", '{"v": 1.1, "x": 2.50}\n{"v": 1.10, "x": 3.0}')
    error = refusal("t.jsonl", uses=GROUP)
    assert (error.code, error.values["column"]) == ("data.json_number_not_kept", "v")
    assert read("t.jsonl", types={"v": "number"})["v"] == [1.1, 1.1] == read("t.jsonl")["v"]
    put("t.jsonl", '{"v": 1.0}\n{"v": 2.5}')
    assert read("t.jsonl", GROUP)["v"] == ["1.0", "2.5"]


def test_what_python_writes_for_a_missing_number_is_missing() -> None:
    put("t.jsonl", '{"v": NaN, "s": "NaN"}\n{"v": 2.5, "s": "x"}')
    assert read("t.jsonl") == {"v": [None, 2.5], "s": ["NaN", "x"]}


@pytest.mark.parametrize("late", ["Gender", "gender ", "ｇender"])
def test_names_that_look_alike_are_refused_in_every_format(late: str) -> None:
    put("t.jsonl", json.dumps({"gender": "m"}) + "\n" + json.dumps({late: "f"}))
    put("t.csv", f"gender,{late}\nm,f\n")
    pq.write_table(pa.table([["m"], ["f"]], names=["gender", late]), "t.parquet")
    for path in ("t.jsonl", "t.csv", "t.parquet"):
        assert refusal(path).code == "data.duplicate_columns"


# --- files of one source


def test_parquet_files_of_different_types_are_refused_by_name() -> None:
    Path("d").mkdir()
    pq.write_table(pa.table({"v": [1.0, None]}), "d/a.parquet")
    pq.write_table(pa.table({"v": ["1", "2"]}), "d/b.parquet")
    error = refusal("d", uses=GROUP)
    assert error.code == "data.files_differ_in_types"
    assert [str(error.values[key]) for key in ("column", "first", "path")] == [
        "v",
        "d/a.parquet",
        "d/b.parquet",
    ]
    assert read("d", types={"v": "integer"})["v"] == [1, None, 1, 2]


def test_integers_that_floats_cannot_tell_apart_are_refused() -> None:
    Path("d").mkdir()
    pq.write_table(pa.table({"v": [1.0, 2.0]}), "d/a.parquet")
    pq.write_table(pa.table({"v": [2**53 + 1]}), "d/b.parquet")
    assert refusal("d").code == "data.integer_too_long"
    pq.write_table(pa.table({"v": [3]}), "d/b.parquet")
    assert read("d")["v"] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("uses", "refused"), [(GROUP, True), (KEY, False), (ELSE, True), ({"features": frozenset("v")}, False)]
)
def test_csv_files_that_write_a_group_as_1_and_as_1_0_are_refused(
    uses: dict[str, Any], refused: bool
) -> None:
    put("d/a.csv", "v\n1.0\n2.0\n")
    put("d/b.csv", "v\n1\n2\n")
    if refused:
        assert refusal("d", uses=uses).code == "data.files_differ_in_types"
    else:
        assert len(read("d", uses)["v"]) == 4


def test_json_files_of_different_types_are_refused() -> None:
    put("d/a.json", '[{"v": 1}]')
    put("d/b.json", '[{"v": "1"}]')
    assert refusal("d").code == "data.files_differ_in_types"


def test_hidden_and_temporary_files_are_left_out_and_said() -> None:
    put("d/a.csv", "v\n1\n")
    hidden = [
        ".ipynb_checkpoints/a-checkpoint.csv",
        "_temporary/0/part.csv",
        "._a.csv",
        "~$a.csv",
        "_old.csv",
    ]
    for name in hidden:
        put(f"d/{name}", "v\n9\n")
    for glob in (None, "**/*.csv"):
        choice = params.Source(kind="file", path="d", glob=glob)
        origin = ingest.ingest(choice, Path("raw.parquet"), HOME)
        assert origin.rows == 1
        assert origin.source["left_out"] == sorted(hidden)


def test_files_of_other_endings_are_named() -> None:
    put("d/a.csv", "v\n1\n")
    others = ["b.txt", "c.csv.bak", "d.xlsx", "e.csv.zip"]
    for name in [*others, ".hidden"]:
        put(f"d/{name}", "v\n9\n")
    origin = ingest.ingest(params.Source(kind="file", path="d"), Path("raw.parquet"), HOME)
    assert (origin.rows, origin.source["left_out"]) == (1, others)


@pytest.mark.parametrize("form", ["csv", "parquet", "json"])
def test_folders_named_as_columns_are_read(form: str) -> None:
    for city, code, x in (("north", "01", 1), ("s%20w", "2", 2), ("__HIVE_DEFAULT_PARTITION__", "3", 3)):
        path = Path(f"d/city={city}/code={code}")
        path.mkdir(parents=True)
        if form == "csv":
            (path / "a.csv").write_text(f"x\n{x}\n")
        elif form == "json":
            (path / "a.json").write_text(json.dumps([{"x": x}]))
        else:
            pq.write_table(pa.table({"x": [x]}), path / "a.parquet")
    columns = read("d")
    rows = sorted(zip(columns["x"], columns["city"], columns["code"], strict=True))
    assert rows == [(1, "north", "01"), (2, "s w", "2"), (3, None, "3")]


def test_folders_that_name_different_columns_or_one_of_the_file_are_refused() -> None:
    put("d/city=a/t.csv", "x\n1\n")
    put("d/town=b/t.csv", "x\n1\n")
    assert refusal("d").code == "data.files_differ_in_folders"
    put("e/City=a/t.csv", "x,city\n1,a\n")
    assert refusal("e").code == "data.duplicate_columns"


# --- readers are not believed


def zipped(kind: str, content: bytes) -> bytes:
    if kind == "gz":
        return gzip.compress(content, mtime=0)
    packed: bytes = pa.compress(content, "zstd", asbytes=True)
    return packed


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_compressed_file_is_read_whole_or_refused(kind: str, form: str) -> None:
    rows = [f"{i},{i * 7919 % 1000}" for i in range(20_000)]
    if form == "csv":
        content = ("id,v\n" + "\n".join(rows) + "\n").encode()
    else:
        content = "\n".join('{{"id":{},"v":{}}}'.format(*row.split(",")) for row in rows).encode()
    packed = zipped(kind, content)
    name = put(f"t.{form}.{kind}", packed)
    assert len(read(name)["id"]) == 20_000
    damaged = bytearray(packed)
    damaged[len(damaged) // 2] ^= 0xFF
    faulty = [packed[: len(packed) // 2], packed[:-3], packed + b"rubbish"]
    faulty += [bytes(damaged)] if kind == "gz" else []  # this zstd carries no checksum
    for wrong in faulty:
        put(name, wrong)
        error = refusal(name)
        assert (error.code, str(error.values["path"])) == ("data.compressed_file_damaged", name)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("t.csv", gzip.compress(b"a,b\n1,2\n", mtime=0), "data.packed_file"),
        ("t.csv", b"PK\x03\x04 rest", "data.not_text"),
        ("t.csv", b"PK\x05\x06\0\0", "data.not_text"),
        ("t.csv", b"PK\xff\xfe\x01\x02rest\n", "data.not_text"),
        ("t.csv", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(9), "data.not_text"),
        ("t.json", b"PAR1\x15\x04", "data.not_text"),
        ("t.csv", "name,city\nZo\u00eb,K\u00f6ln\n".encode("cp1252"), "data.not_utf8"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16-le"), "data.not_utf8"),
        ("t.json", '[{"a": 1}]'.encode("utf-16-be"), "data.not_utf8"),
        ("t.json", b'\xef\xbb\xbf[{"a": 1}]', "data.byte_order_mark"),
        ("t.csv", b"a,b\n1,2\n1,\0\n", "data.zero_byte"),
        ("t.csv", "a,b\n1," + "y" * 3_000_000 + "\n", "data.line_too_long"),
    ],
)
def test_foreign_bytes_are_named(name: str, content: str | bytes, code: str) -> None:
    put(name, content)
    error = refusal(name)
    assert (error.code, name in str(error)) == (code, True)


def test_columns_may_be_named_like_a_format_and_separated_by_a_control_character() -> None:
    put("t.csv", "PK\x01name\n1\x01Zo\u00eb\n")
    assert read("t.csv", delimiter="\x01") == {"PK": [1], "name": ["Zo\u00eb"]}


def test_byte_order_marks_do_not_become_part_of_a_name() -> None:
    put("d/a.csv", "\ufeff\ufeffid,x\n1,2\n")
    put("d/b.csv", "id,x\n3,4\n")
    assert read("d") == {"id": [1, 3], "x": [2, 4]}


def test_times_with_and_without_a_zone_do_not_mix() -> None:
    Path("d").mkdir()
    pq.write_table(pa.table({"t": pa.array([1], pa.timestamp("us", "UTC"))}), "d/a.parquet")
    pq.write_table(pa.table({"t": pa.array([1], pa.timestamp("us"))}), "d/b.parquet")
    assert refusal("d").code == "data.files_differ_in_types"


def test_decimals_are_exact_or_refused() -> None:
    long = Decimal("1234567890123456789012345678901234567.10")
    pq.write_table(pa.table({"v": pa.array([long], pa.decimal256(60, 2))}), "t.parquet")
    error = refusal("t.parquet")
    assert (error.code, error.values["column"], error.values["digits"]) == ("data.decimal_too_long", "v", 60)
    pq.write_table(
        pa.table({"v": pa.array([Decimal("1.10"), Decimal("1.20")], pa.decimal128(20, 2))}), "t.parquet"
    )
    assert read("t.parquet", GROUP)["v"] == ["1.10", "1.20"]
    assert read("t.parquet")["v"] == [1.1, 1.2]


def test_an_index_that_pandas_wrote_is_not_a_feature() -> None:
    frame = pd.DataFrame({"x": [1, 2]}, index=[4, 7])
    frame.to_parquet("t.parquet")
    names = list(read("t.parquet"))
    every = {"row_key": None, "target": "y", "favourable": 1, "protected": ["g"]}
    assert params.Data(**every, features=params.AllBut(all_but=[])).feature_names(names) == ["x"]
    assert params.Data(**every, features=names).feature_names(names) == names


@pytest.mark.parametrize(("favourable", "values"), [("TRUE", ["TRUE", "FALSE"]), (True, [True, False])])
def test_the_target_is_read_as_the_favourable_value_is_written(favourable: Any, values: list[Any]) -> None:
    put("t.csv", "id,sex,x,y\n1,f,3,TRUE\n2,m,4,FALSE\n")
    data = params.Data(row_key="id", target="y", favourable=favourable, protected=["sex"], features=["x"])
    uses = column_types.ColumnUses.of(params.Source(kind="file", path="t.csv"), data)
    ingest.ingest(params.Source(kind="file", path="t.csv"), Path("raw.parquet"), HOME, uses=uses)
    assert pq.read_table("raw.parquet")["y"].to_pylist() == values
