"""The prepared tables are handed out only as they were recorded, and only together."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearance import files, params
from clearance.data.tables import prepared, row_ids
from clearance.errors import IntegrityError
from clearance.metrics import sampling_design
from tasks import prepare
from tests.support import evidence, tables
from tests.test_prepare import ready


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    race = tables.put(tables.applications().column("race"), {3: None})
    root = ready(tmp_path, tables.applications(race=race))
    monkeypatch.chdir(root)
    prepare.main()
    return root


def names_of(raw: pa.Table) -> list[str]:
    """What the rows of the table are called, in its order."""
    names: list[str] = row_ids.hexadecimal(row_ids.digests(row_ids.canonical(raw.column("id")))).to_pylist()
    return names


def rewrite(root: Path, name: str, table: pa.Table) -> None:
    """Change a table and record the change, as a faulty `prepare` would."""
    path = root / f"data/prepared/{name}.parquet"
    pq.write_table(table, path)
    record = files.read_json(root / "reports/split.json")
    record["tables"][name] = files.sha256(path)
    files.write_json(root / "reports/split.json", record)


def test_every_row_is_in_one_split_and_comes_back_in_order(project: Path) -> None:
    dataset = prepared.read(project, None)
    assert len(dataset.rows) == len(dataset.features) == len(dataset.label) == len(dataset.protected) == 400
    assert list(dataset.features.columns) == ["income", "debt", "kind"]
    assert list(dataset.protected.columns) == ["race", "sex"]
    assert dataset.label.dtype == np.int8
    unknown = dataset.rows[dataset.protected["race"].isna().to_numpy()]
    assert unknown.tolist() == [names_of(tables.applications())[3]]
    assert list(dict.fromkeys(dataset.splits)) == list(prepared.SPLITS)
    for split in prepared.SPLITS:
        part = prepared.read(project, split)
        here = dataset.splits == split
        assert set(part.splits) == {split}
        assert part.rows.tolist() == dataset.rows[here].tolist()
        assert part.features["income"].tolist() == dataset.features["income"][here].tolist()
        assert part.label.tolist() == dataset.label[here.to_numpy()].tolist()


def test_weight_and_cluster_come_back_where_they_are_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tables.applications(w=np.linspace(1, 2, 400), house=np.arange(400) // 4)
    declared = tables.DATA | {"weight": "w", "cluster": "house"}
    monkeypatch.chdir(ready(tmp_path, raw, data=declared))
    prepare.main()
    dataset = prepared.read(tmp_path, None)
    assert dataset.weight is not None
    assert dataset.cluster is not None
    assert dataset.weight.dtype == np.float64
    weights = dict(zip(names_of(raw), np.linspace(1, 2, 400).tolist(), strict=True))
    assert dict(zip(dataset.rows, dataset.weight.tolist(), strict=True)) == weights
    design = sampling_design.declared(params.load(Path("params.yaml")).data, dataset)
    assert (design.clusters, design.statement) == (
        100,
        "rows weigh by `w`; resampled by `house`, 100 clusters",
    )
    test = prepared.read(tmp_path, "test")
    assert test.weight is not None
    assert test.weight.tolist() == dataset.weight[(dataset.splits == "test").to_numpy()].tolist()


def test_a_declaration_that_is_not_that_of_the_tables_is_refused(project: Path) -> None:
    data, rows = tables.data(), prepared.read(project, "test")
    assert rows.weight is rows.cluster is None
    assert sampling_design.declared(data, rows).independent
    for role in ("weight", "cluster"):
        with pytest.raises(IntegrityError) as excinfo:
            sampling_design.declared(tables.data(**{role: "day"}), rows)
        assert (excinfo.value.code, excinfo.value.values["role"]) == ("metrics.sampling_differs", role)


def test_a_sample_is_those_rows_of_the_whole_read(project: Path) -> None:
    for split in prepared.SPLITS:
        whole, outcomes = prepared.read(project, split), prepared.read_outcomes(project, split)
        places = [5, 0, 17, 5] if len(whole.rows) > 17 else []
        part = prepared.read_sample(project, split, outcomes, places)
        for name in ("rows", "features", "protected"):
            assert getattr(part, name).equals(getattr(whole, name).iloc[places])
        assert part.label.tolist() == whole.label[places].tolist()
    with pytest.raises(IntegrityError, check=lambda error: error.code == "data.tables_misaligned"):
        prepared.read_sample(project, "test", prepared.read_outcomes(project, "tune"), [0])


def test_rows_of_several_splits_in_one_row_group_are_told_apart(project: Path) -> None:
    """Tables of earlier releases had their rows in any order."""
    before = {split: prepared.read(project, split) for split in prepared.SPLITS}
    for name in prepared.TABLES:
        path = project / f"data/prepared/{name}.parquet"
        table = pq.read_table(path)
        rewrite(project, name, table.take(np.argsort(table.column("row").to_numpy())))
    for split, old in before.items():
        new = prepared.read(project, split)
        assert new.rows.tolist() == sorted(old.rows)
        assert sorted(new.features["debt"]) == sorted(old.features["debt"])
        assert set(new.splits) == {split}


def test_an_unknown_split_is_a_defect_of_the_caller(project: Path) -> None:
    with pytest.raises(ValueError, match="unknown split holdout"):
        prepared.read(project, "holdout")


@pytest.mark.parametrize("name", prepared.TABLES)
def test_a_changed_table_is_refused(project: Path, name: str) -> None:
    path = project / f"data/prepared/{name}.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(IntegrityError, check=lambda error: error.code == "files.changed"):
        prepared.read(project, "train")
    path.unlink()
    with pytest.raises(IntegrityError, check=lambda error: error.code == "files.missing"):
        prepared.read(project, "train")


@pytest.mark.parametrize("name", ["label", "protected"])
def test_tables_that_do_not_line_up_are_refused(project: Path, name: str) -> None:
    table = pq.read_table(project / f"data/prepared/{name}.parquet")
    rewrite(project, name, table.take(list(range(399, -1, -1))))
    with pytest.raises(IntegrityError) as excinfo:
        prepared.read(project, None)
    assert excinfo.value.code == "data.tables_misaligned"
    assert excinfo.value.values["path"].name == f"{name}.parquet"


def test_without_a_record_nothing_is_handed_out(project: Path) -> None:
    evidence.block(project, "validate_raw: empty", "split")
    with pytest.raises(IntegrityError) as excinfo:
        prepared.read(project, "test")
    assert (excinfo.value.code, excinfo.value.values["reason"]) == (
        "data.not_prepared",
        "validate_raw: empty",
    )
    (project / "reports/split.json").unlink()
    with pytest.raises(IntegrityError, check=lambda error: error.code == "files.missing"):
        prepared.read(project, "test")
