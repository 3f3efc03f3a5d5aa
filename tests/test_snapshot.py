"""A database's answer is kept whole, once, and by DVC; what changed in it is kept as new."""

import datetime as dt
import logging
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from dvc.repo import Repo
from dvc.rwlock import rwlock
from hypothesis import given
from hypothesis import strategies as st

from clearance import files, params, paths
from clearance.data.sources import duckdb_engine, python_rows, snapshot_folder, sql_query
from clearance.errors import BusyError, ClearanceError, ConfigurationError, ExitCode
from tasks import ingest, snapshot
from tests.support import loans

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOANS_URL", "sqlite:///loans.db")
    loans.project()


# --- the copy


def test_the_copy_holds_rows_question_place_and_time_and_dvc_tracks_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    snapshot.main()
    assert loans.table()[1] == {"id": 1, "amount": 1.5, "name": "n1"}
    origin = loans.origin()
    assert dt.datetime.fromisoformat(origin.pop("time")) >= before
    assert origin == {
        "kind": "sql",
        "query": "SELECT * FROM loans",
        "database": "sqlite:///loans.db",
        "rows": 6,
        "sha256": files.sha256(loans.COPY / "table.parquet"),
    }
    assert yaml.safe_load(loans.POINTER.read_text())["outs"][0]["path"] == "loans"
    assert "6 rows, new" in caplog.text
    assert sorted(path.name for path in loans.COPY.parent.iterdir()) == ["loans", "loans.dvc"]


def test_an_unchanged_database_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    snapshot.main()
    first = (loans.written_copy(), loans.origin()["time"])
    later = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
    snapshot.snapshot(params.load(Path("params.yaml")).source, paths.SNAPSHOT_STATE, later)
    assert (loans.written_copy(), loans.origin()["time"]) == first
    assert f"unchanged since {first[1]}" in caplog.text


def test_the_order_of_the_answer_does_not_count() -> None:
    snapshot.main()
    first = loans.written_copy()
    loans.change("CREATE TABLE turned AS SELECT * FROM loans ORDER BY id DESC", "DROP TABLE loans")
    loans.change("ALTER TABLE turned RENAME TO loans")
    snapshot.main()
    assert loans.written_copy() == first


@pytest.mark.parametrize("what", ["a row", "a value", "the query", "the database"])
def test_whatever_changed_is_kept_as_new(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot.main()
    first = loans.written_copy()
    if what == "a row":
        loans.change("INSERT INTO loans VALUES (6, 9, 'n6')")
    elif what == "a value":
        loans.change("UPDATE loans SET amount = 2 WHERE id = 1")
    elif what == "the query":
        loans.configure(query="SELECT * FROM loans ORDER BY 1")
    else:
        Path("loans.db").rename("other.db")
        monkeypatch.setenv("LOANS_URL", "sqlite:///other.db")
    snapshot.main()
    assert loans.written_copy()[str(loans.POINTER)] != first[str(loans.POINTER)]
    assert loans.written_copy()[str(loans.COPY / "origin.json")] != first[str(loans.COPY / "origin.json")]


def test_an_old_version_comes_back_from_dvc_and_ingests_to_the_same_bytes() -> None:
    snapshot.main()
    ingest.main()
    old, first = loans.POINTER.read_bytes(), Path("data/origin.json").read_bytes()
    loans.change("INSERT INTO loans VALUES (6, 9, 'n6')")
    snapshot.main()
    ingest.main()
    assert files.read_json(Path("data/origin.json"))["rows"] == 7
    loans.POINTER.write_bytes(old)
    subprocess.run(
        [sys.executable, "-m", "dvc", "checkout", "--quiet", "--force", str(loans.POINTER)], check=True
    )
    ingest.main()
    assert Path("data/origin.json").read_bytes() == first


def test_a_missing_copy_comes_from_dvcs_cache_with_its_time() -> None:
    source = params.load(Path("params.yaml")).source
    snapshot.snapshot(source, paths.SNAPSHOT_STATE, dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    first = loans.written_copy()
    for path in (*loans.COPY.iterdir(), loans.COPY):
        path.unlink() if path.is_file() else path.rmdir()
    snapshot.main()
    assert loans.written_copy() == first


def test_a_damaged_copy_is_pulled_again() -> None:
    snapshot.main()
    (loans.COPY / "table.parquet").write_bytes(b"damaged")
    snapshot.main()
    assert len(loans.table()) == 6


def test_other_sources_have_nothing_to_snapshot(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for source in ({"kind": "demo", "path": "data/source"}, {"kind": "file", "path": "loans.csv"}):
        loans.configure(**source)
        snapshot.main()
    assert caplog.text.count("nothing to do") == 2
    assert not Path("data").exists()


# --- faults


@pytest.mark.parametrize(
    ("query", "code", "value"),
    [
        ("SELECT * FROM nope", "data.query_refused", "no such table: nope"),
        ("SELEC 1", "data.query_refused", "syntax error"),
        ("CREATE TABLE made (id INTEGER)", "data.query_without_rows", ""),
        ("SELECT * FROM loans WHERE id < 0", "data.no_rows", ""),
        ("SELECT id, id FROM loans", "data.duplicate_columns", "'first': 'id'"),
        ("SELECT id, x'00' AS b FROM loans", "data.binary_column", "'column': 'b'"),
    ],
)
def test_a_bad_query_is_one_clear_error_and_the_old_copy_stays(query: str, code: str, value: str) -> None:
    snapshot.main()
    first = loans.written_copy()
    loans.configure(query=query)
    with pytest.raises(ClearanceError, check=lambda error: error.code == code and value in str(error.values)):
        snapshot.main()
    assert loans.written_copy() == first
    assert sorted(path.name for path in loans.COPY.parent.iterdir()) == ["loans", "loans.dvc"]


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("../outside", "data.snapshot_outside_project"),
        (".", "data.snapshot_outside_project"),
        ("data", "data.snapshot_folder_in_use"),
    ],
)
def test_only_a_folder_of_its_own_inside_the_project_is_replaced(place: str, code: str) -> None:
    Path("data").mkdir()
    Path("data/precious.csv").write_text("id\n1\n")
    loans.configure(path=place)
    with pytest.raises(ConfigurationError) as excinfo:
        snapshot.main()
    assert excinfo.value.code == code
    assert Path("data/precious.csv").read_text() == "id\n1\n"


def test_without_dvc_it_says_so() -> None:
    Path(".dvc").rename("gone")
    with pytest.raises(ConfigurationError, match="not under DVC"):
        snapshot.main()


# --- meetings


def test_two_snapshots_do_not_meet() -> None:
    with duckdb_engine.exclusive(paths.SNAPSHOT_STATE), pytest.raises(BusyError):
        snapshot.main()


def test_the_copy_is_not_replaced_while_a_stage_reads_it() -> None:
    snapshot.main()
    first = loans.written_copy()
    loans.change("INSERT INTO loans VALUES (6, 9, 'n6')")
    repo = Repo()
    reading = rwlock(repo.tmp_dir, repo.fs, "dvc repro", [str(loans.COPY.resolve())], [], False)
    with reading, pytest.raises(BusyError) as excinfo:
        snapshot.main()
    assert excinfo.value.exit_code == ExitCode.TRANSIENT
    assert loans.written_copy() == first
    with pytest.raises(BusyError), duckdb_engine.exclusive(duckdb_engine.HOME):
        snapshot.main()
    snapshot.main()
    assert len(loans.table()) == 7


SWAP = """
import os
from pathlib import Path
from clearance.data.sources import snapshot_folder
moved = Path.replace
left = [{left}]
def replace(self, target):
    if not left[0]:
        os._exit(9)
    left[0] -= 1
    return moved(self, target)
Path.replace = replace
import shutil
from tasks import snapshot
def remove(path, *, rm=shutil.rmtree, **more):
    if {removal} and "previous" in str(path) and Path(path).exists():
        os._exit(9)
    rm(path, **more)
shutil.rmtree = remove
snapshot.main()
"""


@pytest.mark.parametrize(("renames", "removal", "rows"), [(1, False, 6), (2, False, 6), (3, True, 7)])
def test_killed_in_the_swap_the_next_one_recovers(renames: int, removal: bool, rows: int) -> None:
    snapshot.main()  # the first rename of a run is that of origin.json
    loans.change("INSERT INTO loans VALUES (6, 9, 'n6')")
    code = SWAP.format(left=renames, removal=removal)
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(loans.ROOT)},
        capture_output=True,
        check=False,
    )
    assert result.returncode == 9, result.stderr
    snapshot_folder.recover(loans.COPY)
    assert len(loans.table()) == rows
    assert snapshot_folder.current_origin(loans.COPY) is not None
    snapshot.main()
    assert len(loans.table()) == 7
    assert sorted(path.name for path in loans.COPY.parent.iterdir()) == ["loans", "loans.dvc"]


# --- types


def test_chunks_of_one_answer_share_one_schema_whatever_comes_first(tmp_path: Path) -> None:
    loans.change("CREATE TABLE mixed (late, number, word, never)")
    rows = [
        "NULL, 1, 1, NULL",
        "NULL, 2, 2, NULL",
        "3.5, 3, 3, NULL",
        "NULL, 4.5, 'x', NULL",
        "5, NULL, NULL, NULL",
    ]
    loans.change(*(f"INSERT INTO mixed SELECT {row}" for row in rows))
    url, query = sql_query.database_url("LOANS_URL"), "SELECT * FROM mixed ORDER BY rowid"
    for order in ("ASC", "DESC"):
        chunks = list(sql_query.fetch(url, f"{query} {order}", "LOANS_URL", chunk=2))
        assert [chunk.num_rows for chunk in chunks] == [2, 2, 1]
        assert snapshot.write_sorted(chunks, tmp_path / f"{order}.parquet", tmp_path / "home") == 5
    frame = pd.read_parquet(tmp_path / "ASC.parquet")
    assert [str(kind) for kind in frame.dtypes] == ["float64", "float64", "str", "str"]
    assert sorted(frame["word"].dropna()) == ["1", "2", "3", "x"]
    assert files.sha256(tmp_path / "ASC.parquet") == files.sha256(tmp_path / "DESC.parquet")


VALUES = st.sampled_from(
    [
        None,
        True,
        1,
        2**70,
        2.5,
        Decimal("1.50"),
        Decimal(7),
        "x",
        dt.date(2020, 1, 31),
        dt.datetime(2020, 1, 31),
    ]
)


@given(st.lists(VALUES, min_size=1, max_size=8), st.integers(1, 8))
def test_every_chunk_fits_the_common_schema_in_any_order(values: list[Any], size: int) -> None:
    chunks = [
        python_rows.to_table(["v"], [(value,) for value in values[start : start + size]])
        for start in range(0, len(values), size)
    ]
    schema = python_rows.common_schema(chunk.schema for chunk in chunks)
    assert schema == python_rows.common_schema(chunk.schema for chunk in reversed(chunks))
    table = pa.concat_tables([chunk.cast(schema, safe=False) for chunk in chunks])
    assert [value is None for value in table["v"].to_pylist()] == [value is None for value in values]
