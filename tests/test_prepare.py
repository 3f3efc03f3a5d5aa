"""Prepare parts the table and records what it did; nothing is dropped silently, nothing forbidden written."""

import dataclasses
import datetime as dt
import decimal
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from clearance import files, params
from clearance.data.tables import prepared, row_ids, split
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.origin_document import OriginDocument
from clearance.documents.split_document import SplitDocument
from clearance.errors import IntegrityError
from tasks import prepare
from tests.support import codes, evidence, tables

SHARES = params.Split(train=0.5, tune=0.2, test=0.3)


def parted(table: pa.Table, data: params.Data, shares: params.Split = SHARES) -> dict[str, pa.Table]:
    units = split.identify(table, data)
    return prepare.partition(table, units, split.assign(units, table, shares, 1), data)


def ready(root: Path, table: pa.Table, **sections: Any) -> Path:
    """A project whose raw table was validated and may be used."""
    if "trained_on" in sections.get("split", {}):
        external = {"file": "external/m.skops", "declared_by": "another team"}
        sections["train"] = {"external": external}
    project = tables.project(root, table, **sections)
    evidence.raw_validation(table=OriginDocument.read(project).sha256).write(project)
    return project


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose tables are prepared; it is the working folder."""
    root = ready(tmp_path, tables.applications())
    monkeypatch.chdir(root)
    prepare.main()
    return root


def outputs(root: Path) -> dict[str, bytes]:
    paths = [*(root / "data/prepared").iterdir(), root / "reports/split.json"]
    return {path.name: path.read_bytes() for path in paths}


def test_the_tables_hold_what_belongs_in_each_and_line_up() -> None:
    raw = tables.applications()
    parts = parted(raw, tables.data())
    assert parts["features"].column_names == ["row", "split", "income", "debt", "kind"]
    assert parts["label"].column_names == ["row", "split", "label"]
    assert parts["protected"].column_names == ["row", "split", "race", "sex"]
    assert parts["label"].schema.field("label").type == pa.int8()
    for part in parts.values():
        assert part.select(["row", "split"]).equals(parts["label"].select(["row", "split"]))
    assert parts["label"].column("row").to_pylist() == [
        hashlib.sha256(str(key).encode()).hexdigest()[:32] for key in raw.column("id").to_pylist()
    ]
    assert parts["label"].column("label").to_pylist() == [
        int(value == "yes") for value in raw.column("approved").to_pylist()
    ]


def test_weight_and_cluster_stand_beside_the_label_and_are_no_features() -> None:
    raw = tables.applications(w=pa.array([1, 2] * 200), house=[f"h{at // 4}" for at in range(400)])
    data = tables.data(weight="w", cluster="house", features={"all_but": ["person", "day"]})
    parts = parted(raw, data)
    assert parts["label"].column_names == ["row", "split", "label", "weight", "cluster"]
    assert parts["label"].column("weight").to_pylist() == [1.0, 2.0] * 200
    houses = parts["label"].column("cluster").to_pylist()
    assert houses == [hashlib.sha256(f"h{at // 4}".encode()).hexdigest()[:32] for at in range(400)]
    assert not {"w", "house"} & set(parts["features"].column_names)


@pytest.mark.parametrize("value", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_counts_for_nothing_is_refused(value: float | None) -> None:
    weights = tables.put([1.0] * 400, {9: value})
    with codes.raises("data.weight_not_positive", column="w"):
        parted(tables.applications(w=weights), tables.data(weight="w"))


def test_a_weight_in_words_a_missing_cluster_and_unknown_columns_are_refused() -> None:
    with codes.raises("data.weight_not_positive", column="w"):
        parted(tables.applications(w=["heavy"] * 400), tables.data(weight="w"))
    houses = tables.put(["h"] * 400, {9: None})
    with codes.raises("data.cluster_null", column="house", rows=1):
        parted(tables.applications(house=houses), tables.data(cluster="house"))
    for role in ("weight", "cluster"):
        with codes.raises("data.columns_missing", columns="nowhere"):
            parted(tables.applications(), tables.data(**{role: "nowhere"}))


@pytest.mark.parametrize(
    ("column", "favourable"),
    [
        (pa.array([1, 0] * 200), 1),
        (pa.array([1.0, 0.0] * 200), 1),
        (pa.array([True, False] * 200), 1),
        (pa.array([1, 0] * 200), True),
        (pa.array(["1", "0"] * 200), 1),
        (pa.array(["yes", "no"] * 200), "yes"),
        (pa.array([decimal.Decimal("1.0"), decimal.Decimal("0.0")] * 200), 1),
        (pa.array([2, 7] * 200), 2),
        (pa.array(["a", "b"] * 200).dictionary_encode(), "a"),
    ],
)
def test_the_favourable_value_is_found_whatever_it_was_read_as(column: pa.Array, favourable: Any) -> None:
    label = prepare.label_of(pa.chunked_array([column]), tables.data(favourable=favourable))
    assert label.to_pylist() == [1, 0] * 200


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["yes", "no", None], "null, no, yes"),
        (["yes", "yes"], "yes"),
        (["a", "b"], "a, b"),
        (["yes", "no", "perhaps"], "no, perhaps, yes"),
    ],
)
def test_a_target_without_two_values_is_refused(values: list[str | None], found: str) -> None:
    with codes.raises("data.target_not_two_values", favourable="yes", examples=found):
        prepare.label_of(pa.chunked_array([values]), tables.data())


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        (pa.array([True, False, None]), pa.float64(), [1, 0, None]),
        (pa.array([True, False, True]), pa.int8(), [1, 0, 1]),
        (pa.array([1, 2, None]), pa.float64(), [1, 2, None]),
        (pa.array([1, 2, 3]), pa.int64(), [1, 2, 3]),
        (pa.array([2**60 + 1, None, 3]), pa.float64(), [float(2**60), None, 3]),
        (pa.array([decimal.Decimal("1.5"), None, decimal.Decimal(2)]), pa.float64(), [1.5, None, 2]),
        (pa.array([0.5, float("nan"), None]), pa.float64(), [0.5, None, None]),
        (pa.array([0.5, 1, None], pa.float32()), pa.float64(), [0.5, 1, None]),
        (pa.array(["a", None, "b"]).dictionary_encode(), pa.string(), ["a", None, "b"]),
        (pa.array(["a", None, "b"], pa.large_string()), pa.string(), ["a", None, "b"]),
    ],
)
def test_a_feature_keeps_its_values_in_a_type_that_no_split_changes(
    column: pa.Array, kind: pa.DataType, values: list[Any]
) -> None:
    table = pa.table({"id": [1, 2, 3], "x": column, "y": [0, 1, 0], "race": ["a", "b", "a"]})
    data = params.Data(row_key="id", target="y", favourable=1, protected=["race"], features=["x"])
    feature = parted(table, data)["features"].column("x")
    assert feature.type == kind
    assert feature.to_pylist() == values


@pytest.mark.parametrize("changes", [{}, {"row_key": None}, {"weight": "w", "cluster": "branch"}])
def test_a_stored_table_is_prepared_in_parts_as_a_table_in_memory_is_whole(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Integers that are null only in the last part are numbers with gaps in the first one too."""
    raw = tables.applications(
        debt=[*range(399), None], w=np.linspace(1, 2, 400), branch=[f"b{at % 30}" for at in range(400)]
    )
    root = ready(tmp_path, raw, data=tables.DATA | changes)
    pq.write_table(raw, root / "data/raw.parquet", row_group_size=90)
    origin = dataclasses.replace(OriginDocument.read(root), sha256=files.sha256(root / "data/raw.parquet"))
    origin.write(root)
    evidence.raw_validation(table=origin.sha256).write(root)
    monkeypatch.chdir(root)
    monkeypatch.setattr(prepare, "ROW_GROUP", 64)
    prepare.main()
    declared = params.load(root / "params.yaml")
    units = split.identify(raw, declared.data)
    sides = split.assign(units, raw, declared.split, declared.seed)
    whole = prepare.partition(raw, units, sides, declared.data)
    assert whole["features"].schema.field("debt").type == pa.float64()
    for name, table in whole.items():
        by_split = table.take(pc.array_sort_indices(pa.array(sides)))
        stored = pq.ParquetFile(root / f"data/prepared/{name}.parquet")
        assert stored.read().equals(by_split)
        sizes = [stored.metadata.row_group(at).num_rows for at in range(stored.num_row_groups)]
        rows = SplitDocument.read(root).rows
        assert sizes == [
            min(64, rows[side] - start) for side in prepared.SPLITS for start in range(0, rows[side], 64)
        ]
    assert not [*(root / "data").glob(".prepared*")]


@pytest.mark.parametrize("column", [pa.array([dt.date(2025, 1, 1)] * 400), pa.array([[1]] * 400)])
def test_a_feature_no_estimator_takes_is_refused(column: pa.Array) -> None:
    with codes.raises("data.feature_type", column="income"):
        parted(tables.applications(income=column), tables.data())


def test_protected_attributes_are_text_and_null_stays_null() -> None:
    race = pa.array([1.0, None, float("nan"), 2.0] * 100)
    column = parted(tables.applications(race=race), tables.data())["protected"].column("race")
    assert column.to_pylist() == ["1", None, None, "2"] * 100


def test_all_but_some_lets_no_forbidden_column_in() -> None:
    names = parted(tables.applications(), tables.data(features={"all_but": ["person", "day"]}))["features"]
    assert names.column_names == ["row", "split", "income", "debt", "kind"]


def test_a_feature_that_may_never_be_one_is_refused_even_if_the_parameters_let_it_pass() -> None:
    """params refuses it first; this holds were it ever to stop doing so."""
    unchecked = tables.data().model_copy(update={"features": ["income", "black", "approved"]})
    with codes.raises("data.forbidden_feature") as error:
        parted(tables.applications(), unchecked)
    reasons = "`black` is an encoding of a protected attribute; `approved` is the target"
    assert error.value.values["features"] == reasons


@pytest.mark.parametrize("change", [{"features": ["row"]}, {"protected": ["split"]}])
def test_our_own_names_are_not_overwritten(change: dict[str, Any]) -> None:
    raw = tables.applications(row=list(range(400)), split=["a", "b"] * 200)
    with codes.raises("data.reserved_name"):
        parted(raw, tables.data(**change))


@pytest.mark.parametrize("name", ["income", "race", "approved"])
def test_a_missing_column_is_named(name: str) -> None:
    with codes.raises("data.columns_missing", columns=name):
        parted(tables.applications(**{name: None}), tables.data())


def test_the_record_counts_and_digests_every_side(plain: Path) -> None:
    record = files.read_json(plain / "reports/split.json")
    assert record["status"] == "measured"
    assert record["by"] == "row_key"
    assert record["seed"] == 20260101
    assert record["features"] == ["income", "debt", "kind"]
    assert record["measurements"]["overlap"]["value"] == 0
    assert record["measurements"]["left_out"]["value"] == 0
    table = pq.read_table(plain / "data/prepared/label.parquet").to_pandas()
    assert record["rows"] == table["split"].value_counts().to_dict()
    for side, frame in table.groupby("split"):
        joined = "".join(sorted(frame["row"]))
        assert record["row_digests"][side] == hashlib.sha256(joined.encode()).hexdigest()
    for name in prepared.TABLES:
        path = plain / f"data/prepared/{name}.parquet"
        assert record["tables"][name] == files.sha256(path)


def test_who_reads_one_split_need_not_read_the_others(plain: Path) -> None:
    for name in prepared.TABLES:
        parquet_file = pq.ParquetFile(plain / f"data/prepared/{name}.parquet")
        groups = [
            parquet_file.read_row_group(at).column("split").unique().to_pylist()
            for at in range(parquet_file.num_row_groups)
        ]
        assert groups == [[split] for split in prepared.SPLITS]


def test_rows_left_out_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = {"train": 0.5, "tune": 0.2, "test": 0.3, "time": {"column": "day", "test_from": "2025-07-01"}}
    declared = tables.DATA | {"entity": "person"}
    root = ready(tmp_path, tables.applications(), data=declared, split=shares)
    monkeypatch.chdir(root)
    prepare.main()
    record = files.read_json(root / "reports/split.json")
    left_out = record["measurements"]["left_out"]["value"]
    assert left_out > 0
    assert sum(record["rows"].values()) + left_out == 400
    assert pq.read_table(root / "data/prepared/label.parquet").num_rows == 400 - left_out
    assert record["by"] == "entity"
    assert record["time"] == {"column": "day", "test_from": "2025-07-01"}
    assert record["measurements"]["unit_overlap"]["value"] == 0


def test_the_same_table_gives_the_same_bytes_and_the_order_of_rows_only_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tables.applications()
    roots = [
        ready(tmp_path / "a", raw),
        ready(tmp_path / "b", raw),
        ready(tmp_path / "c", raw.take(list(range(399, -1, -1)))),
    ]
    for root in roots:
        monkeypatch.chdir(root)
        prepare.main()
    one, again, reversal = (outputs(root) for root in roots)
    assert one == again
    records = [files.read_json(root / "reports/split.json") for root in roots]
    assert records[0]["row_digests"] == records[2]["row_digests"]
    assert one["label.parquet"] != reversal["label.parquet"]


def test_an_overlap_is_never_recorded_as_fine() -> None:
    raw = tables.applications()
    units = split.identify(raw, tables.data(entity="person"))
    torn = np.arange(400, dtype=np.int8) % 2
    parts = prepare.partition(raw, units, torn, tables.data())
    with codes.raises("data.splits_overlap", rows=0, units=200):
        prepare.split_document({name: part.schema for name, part in parts.items()}, units, torn, SHARES, 1)


def test_a_blocked_table_is_passed_on_with_its_reason(plain: Path) -> None:
    entries = (
        evidence.expectation("a warning", severity="warn", success=False),
        evidence.expectation("`income` is negative", success=False),
    )
    evidence.raw_validation(blocked=True, expectations=entries).write(plain)
    prepare.main()
    assert SplitDocument.read(plain) == BlockedDocument(because="validate_raw: `income` is negative")
    assert outputs(plain).keys() == {"blocked.json", "split.json"}
    with codes.raises("data.not_prepared", reason="validate_raw: `income` is negative"):
        prepared.read(plain, None)


@pytest.mark.parametrize("report", [{}, {"blocked": None}, {"blocked": 0}, {"blocked": "no"}])
def test_a_report_that_does_not_say_the_table_may_be_used_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: dict[str, Any]
) -> None:
    root = ready(tmp_path, tables.applications())
    valid = files.read_json(root / "reports/validation_raw.json")
    del valid["blocked"]
    files.write_json(root / "reports/validation_raw.json", valid | report)
    monkeypatch.chdir(root)
    with pytest.raises(IntegrityError) as error:
        prepare.main()
    assert error.value.code == "documents.does_not_fit"
    assert error.value.values["pointer"] == "/blocked"
    assert not (root / "reports/split.json").exists()


def test_a_table_other_than_the_validated_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = ready(tmp_path, tables.applications())
    monkeypatch.chdir(root)
    tables.project(root, tables.applications(seed=1))
    with codes.raises("data.validated_another_table"):
        prepare.main()
    (root / "data/raw.parquet").write_bytes(b"?")
    ready(root, tables.applications())
    (root / "data/raw.parquet").write_bytes(b"?")
    with codes.raises("files.changed"):
        prepare.main()
    assert not (root / "data/prepared").exists()


def test_a_run_killed_between_the_tables_and_their_record_leaves_nothing_readable(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.project(plain, tables.applications(seed=1))
    ready(plain, tables.applications(seed=1))
    monkeypatch.setattr(files, "write_text", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        prepare.main()
    with codes.raises("files.changed"):
        prepared.read(plain, None)


def test_hashes_of_examples_and_of_prepared_rows_are_the_same() -> None:
    digest = parted(tables.applications(), tables.data())["label"].column("row")[0].as_py()
    assert digest == row_ids.hexadecimal(row_ids.digests(pa.array(["1000"])))[0].as_py()


# --- Rows that trained a model elsewhere


def elsewhere(trained_on: str, **more: Any) -> dict[str, Any]:
    return {"split": {"trained_on": trained_on, "test": 1.0} | more}


@pytest.mark.parametrize(("declared", "overlap"), [("none", 0), ("unknown", None)])
def test_without_a_list_every_row_may_judge_and_the_unknown_is_not_measured(
    declared: str, overlap: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = ready(tmp_path, tables.applications(), **elsewhere(declared))
    monkeypatch.chdir(root)
    prepare.main()
    document = files.read_json(root / "reports/split.json")
    assert document["rows"] == {"train": 0, "tune": 0, "test": 400}
    assert document["measurements"]["overlap"]["value"] == overlap
    assert document["trained_on"] == {"declared": declared}


def test_listed_rows_trained_the_model_and_judge_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tables.applications()
    root = ready(tmp_path, raw, **elsewhere("external/rows.csv", tune=0.25, test=0.75))
    (root / "external").mkdir()
    listed = [*range(1000, 1100), 7]  # 7 is no row of this table
    (root / "external/rows.csv").write_text("id\n" + "\n".join(map(str, listed)) + "\n")
    monkeypatch.chdir(root)
    prepare.main()
    document = files.read_json(root / "reports/split.json")
    assert document["rows"]["train"] == 100
    assert (document["trained_on"]["keys"], document["trained_on"]["elsewhere"]) == (101, 1)
    assert document["measurements"]["overlap"]["value"] == 0
    sides = dict(zip(_column(root, "row"), _column(root, "split"), strict=True))
    digests = row_ids.hexadecimal(
        row_ids.digests(pa.array([str(key) for key in range(1000, 1400)]))
    ).to_pylist()
    assert {sides[row] for row in digests[:100]} == {"train"}
    assert {sides[row] for row in digests[100:]} == {"tune", "test"}
    assert 50 < document["rows"]["tune"] < 100


def _column(root: Path, name: str) -> list[Any]:
    column: list[Any] = pq.read_table(root / "data/prepared/label.parquet").column(name).to_pylist()
    return column


def test_a_listed_row_takes_its_whole_entity_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tables.DATA | {"entity": "person"}
    sections = elsewhere("external/rows.csv") | {"data": data}
    root = ready(tmp_path, tables.applications(), **sections)
    (root / "external").mkdir()
    (root / "external/rows.csv").write_text("id\n1000\n1004\n")
    monkeypatch.chdir(root)
    prepare.main()
    document = files.read_json(root / "reports/split.json")
    assert document["rows"]["train"] == 4, "two people with two rows each"
    assert document["measurements"]["unit_overlap"]["value"] == 0


def test_a_list_needs_rows_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sections = elsewhere("external/rows.csv") | {"data": tables.DATA | {"row_key": None}}
    monkeypatch.chdir(ready(tmp_path, tables.applications(), **sections))
    with codes.raises("data.external_needs_key"):
        prepare.main()
