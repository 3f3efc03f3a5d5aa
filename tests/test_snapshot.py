"""A database's answer is kept whole, once, and by DVC; what opens the database is never written anywhere."""

import datetime as dt
import http.server
import json
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clearance import artifacts, database, engine, openml, params, python_rows, snapshot_folder
from clearance.errors import (
    BusyError,
    ClearanceError,
    ConfigurationError,
    DataError,
    ExitCode,
    SourceError,
    UnavailableError,
)
from tasks import ingest, snapshot
from tests import postgres

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")

ROOT = Path(__file__).parent.parent
COPY = Path("data/source/loans")
POINTER = Path("data/source/loans.dvc")
SECRETS = ("s3cr3t", "%2F%40", postgres.PASSWORD, postgres.USER)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project folder under DVC with a SQL source, and an SQLite database of six loans."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOANS_URL", "sqlite:///loans.db")
    Path("dvc.yaml").write_text("stages: {}\n")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    configure()
    change("CREATE TABLE loans (id INTEGER, amount REAL, name TEXT)")
    change(*(f"INSERT INTO loans VALUES ({i}, {i * 1.5}, 'n{i}')" for i in range(6)))
    return tmp_path


def configure(**source: Any) -> None:
    plain = {"kind": "sql", "path": str(COPY), "url_env": "LOANS_URL", "query": "SELECT * FROM loans"}
    chosen = source if "kind" in source else plain | source
    Path("params.yaml").write_text(
        yaml.safe_dump(params.read_yaml(ROOT / "params.yaml") | {"source": chosen})
    )


def change(*statements: str) -> None:
    connection = sqlite3.connect("loans.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def origin() -> dict[str, Any]:
    found: dict[str, Any] = artifacts.read_json(COPY / "origin.json")
    return found


def table() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pd.read_parquet(COPY / "table.parquet").to_dict("records")
    return rows


def command(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tasks.snapshot"],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def written() -> str:
    """Everything in the project folder but the database, in one text."""
    paths = [path for path in Path().rglob("*") if path.is_file() and path.name != "loans.db"]
    return "\n".join(f"{path}\n{path.read_bytes().decode('latin-1')}" for path in paths)


# --- the copy


def test_the_copy_holds_rows_question_place_and_time_and_dvc_tracks_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    snapshot.main()
    assert table()[1] == {"id": 1, "amount": 1.5, "name": "n1"}
    kept = origin()
    assert dt.datetime.fromisoformat(kept.pop("time")) >= before
    assert kept == {
        "kind": "sql",
        "query": "SELECT * FROM loans",
        "database": "sqlite:///loans.db",
        "rows": 6,
        "sha256": artifacts.sha256(COPY / "table.parquet"),
    }
    assert yaml.safe_load(POINTER.read_text())["outs"][0]["path"] == "loans"
    assert "6 rows, new" in caplog.text
    assert sorted(path.name for path in COPY.parent.iterdir()) == ["loans", "loans.dvc"]


def test_an_unchanged_database_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    snapshot.main()
    first = (written_copy(), origin()["time"])
    later = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
    snapshot.snapshot(params.load(Path("params.yaml")).source, snapshot.STATE, later)
    assert (written_copy(), origin()["time"]) == first
    assert f"unchanged since {first[1]}" in caplog.text


def written_copy() -> dict[str, bytes]:
    paths = (COPY / "table.parquet", COPY / "origin.json", POINTER)
    return {str(path): path.read_bytes() for path in paths}


def test_the_order_of_the_answer_does_not_count() -> None:
    snapshot.main()
    first = written_copy()
    change("CREATE TABLE turned AS SELECT * FROM loans ORDER BY id DESC", "DROP TABLE loans")
    change("ALTER TABLE turned RENAME TO loans")
    snapshot.main()
    assert written_copy() == first


@pytest.mark.parametrize("what", ["a row", "a value", "the query", "the database"])
def test_whatever_changed_is_kept_as_new(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot.main()
    first = written_copy()
    if what == "a row":
        change("INSERT INTO loans VALUES (6, 9, 'n6')")
    elif what == "a value":
        change("UPDATE loans SET amount = 2 WHERE id = 1")
    elif what == "the query":
        configure(query="SELECT * FROM loans ORDER BY 1")
    else:
        Path("loans.db").rename("other.db")
        monkeypatch.setenv("LOANS_URL", "sqlite:///other.db")
    snapshot.main()
    assert written_copy()[str(POINTER)] != first[str(POINTER)]
    assert written_copy()[str(COPY / "origin.json")] != first[str(COPY / "origin.json")]


def test_an_old_version_comes_back_from_dvc_and_ingests_to_the_same_bytes() -> None:
    snapshot.main()
    ingest.main()
    old, first = POINTER.read_bytes(), Path("data/origin.json").read_bytes()
    change("INSERT INTO loans VALUES (6, 9, 'n6')")
    snapshot.main()
    ingest.main()
    assert artifacts.read_json(Path("data/origin.json"))["rows"] == 7
    POINTER.write_bytes(old)
    subprocess.run([sys.executable, "-m", "dvc", "checkout", "--quiet", "--force", str(POINTER)], check=True)
    ingest.main()
    assert Path("data/origin.json").read_bytes() == first


def test_a_missing_copy_comes_from_dvcs_cache_with_its_time() -> None:
    source = params.load(Path("params.yaml")).source
    snapshot.snapshot(source, snapshot.STATE, dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    first = written_copy()
    for path in (*COPY.iterdir(), COPY):
        path.unlink() if path.is_file() else path.rmdir()
    snapshot.main()
    assert written_copy() == first


def test_a_damaged_copy_is_pulled_again() -> None:
    snapshot.main()
    (COPY / "table.parquet").write_bytes(b"damaged")
    snapshot.main()
    assert len(table()) == 6


def test_other_sources_have_nothing_to_snapshot(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for source in ({"kind": "demo", "path": "data/source"}, {"kind": "file", "path": "loans.csv"}):
        configure(**source)
        snapshot.main()
    assert caplog.text.count("nothing to do") == 2
    assert not Path("data").exists()


# --- faults


@pytest.mark.parametrize(
    ("query", "error", "fault"),
    [
        ("SELECT * FROM nope", SourceError, "refuses the query: no such table: nope"),
        ("SELEC 1", SourceError, "syntax error"),
        ("CREATE TABLE made (id INTEGER)", SourceError, "returns no rows"),
        ("SELECT * FROM loans WHERE id < 0", DataError, "no rows"),
        ("SELECT id, id FROM loans", DataError, "two columns `id`"),
        ("SELECT id, x'00' AS b FROM loans", SourceError, "column `b` holds binary"),
    ],
)
def test_a_bad_query_is_one_clear_error_and_the_old_copy_stays(
    query: str, error: type[ClearanceError], fault: str
) -> None:
    snapshot.main()
    first = written_copy()
    configure(query=query)
    with pytest.raises(error, match=fault):
        snapshot.main()
    assert written_copy() == first
    assert sorted(path.name for path in COPY.parent.iterdir()) == ["loans", "loans.dvc"]


@pytest.mark.parametrize(
    ("url", "error", "fault"),
    [
        ("", ConfigurationError, r"LOANS_URL \(`source.url_env`\) is not set"),
        ("s3cr3t", ConfigurationError, "no database URL"),
        ("postgresql://u:s3cr3t@127.0.0.1:s3cr3t/loans", ConfigurationError, "no database URL"),
        ("postgresql://u:pw@s3cr3t@127.0.0.1/loans", ConfigurationError, "no database URL"),
        ("postgresql://u/x:s3cr3t@127.0.0.1/loans", ConfigurationError, "no database URL"),
        ("nosuch://u:s3cr3t@127.0.0.1/loans", ConfigurationError, "no driver for nosuch"),
        ("mysql://u:s3cr3t@127.0.0.1/loans", ConfigurationError, "no driver for mysql"),
        ("postgresql+psycopg://u:p@127.0.0.1/loans?nosuch=s3cr3t", ConfigurationError, "addressed"),
        ("sqlite:///nosuch.db", SourceError, "does not exist"),
    ],
)
def test_a_bad_address_is_one_clear_error_that_never_repeats_it(
    url: str, error: type[ClearanceError], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOANS_URL", url)
    with pytest.raises(error, match=fault) as caught:
        snapshot.main()
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    assert not Path("nosuch.db").exists()


def test_text_that_is_no_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOANS_URL", "sqlite:///params.yaml")
    with pytest.raises(SourceError, match="not a database"):
        snapshot.main()


def test_a_locked_database_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = sqlite3.connect("loans.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, connect=sqlite3.connect, **k: connect(*a, **k | {"timeout": 0})
    )
    with pytest.raises(UnavailableError, match="locked") as caught:
        snapshot.main()
    assert caught.value.exit_code == ExitCode.TRANSIENT
    holder.close()


@pytest.mark.parametrize("place", ["../outside", ".", "data"])
def test_only_a_folder_of_its_own_inside_the_project_is_replaced(place: str) -> None:
    Path("data").mkdir()
    Path("data/precious.csv").write_text("id\n1\n")
    configure(path=place)
    with pytest.raises(ConfigurationError, match=r"outside the project|something else"):
        snapshot.main()
    assert Path("data/precious.csv").read_text() == "id\n1\n"


def test_without_dvc_it_says_so() -> None:
    Path(".dvc").rename("gone")
    with pytest.raises(ConfigurationError, match="not under DVC"):
        snapshot.main()


# --- meetings


def test_two_snapshots_do_not_meet() -> None:
    with engine.held(snapshot.STATE), pytest.raises(BusyError):
        snapshot.main()


def test_the_copy_is_not_replaced_while_a_stage_reads_it() -> None:
    from dvc.repo import Repo
    from dvc.rwlock import rwlock

    snapshot.main()
    first = written_copy()
    change("INSERT INTO loans VALUES (6, 9, 'n6')")
    repo = Repo()
    reading = rwlock(repo.tmp_dir, repo.fs, "dvc repro", [str(COPY.resolve())], [], False)
    with reading, pytest.raises(BusyError) as caught:
        snapshot.main()
    assert caught.value.exit_code == ExitCode.TRANSIENT
    assert written_copy() == first
    with pytest.raises(BusyError), engine.held(engine.HOME):
        snapshot.main()
    snapshot.main()
    assert len(table()) == 7


SWAP = """
import os
from pathlib import Path
from clearance import snapshot_folder
moved = Path.replace
left = [{left}]
def replace(self, target):
    if not left[0]:
        os._exit(9)
    left[0] -= 1
    return moved(self, target)
Path.replace = replace
from tasks import snapshot
import shutil
if {removal}:
    shutil.rmtree = lambda *a, rm=shutil.rmtree, **k: os._exit(9) if Path(a[0]).exists() and "previous" in str(a[0]) else rm(*a, **k)
snapshot.main()
"""


@pytest.mark.parametrize(("renames", "removal", "rows"), [(1, False, 6), (2, False, 6), (3, True, 7)])
def test_killed_in_the_swap_the_next_one_recovers(renames: int, removal: bool, rows: int) -> None:
    snapshot.main()  # the first rename of a run is that of origin.json
    change("INSERT INTO loans VALUES (6, 9, 'n6')")
    code = SWAP.format(left=renames, removal=removal)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr
    snapshot_folder.recover(COPY)
    assert len(table()) == rows
    assert snapshot_folder.current(COPY) is not None
    snapshot.main()
    assert len(table()) == 7
    assert sorted(path.name for path in COPY.parent.iterdir()) == ["loans", "loans.dvc"]


# --- types


def test_chunks_of_one_answer_share_one_schema_whatever_comes_first(tmp_path: Path) -> None:
    change("CREATE TABLE mixed (late, number, word, never)")
    rows = [
        "NULL, 1, 1, NULL",
        "NULL, 2, 2, NULL",
        "3.5, 3, 3, NULL",
        "NULL, 4.5, 'x', NULL",
        "5, NULL, NULL, NULL",
    ]
    change(*(f"INSERT INTO mixed VALUES ({row})" for row in rows))
    url = database.address("LOANS_URL")
    for order in ("ASC", "DESC"):
        chunks = list(
            database.fetch(url, f"SELECT * FROM mixed ORDER BY rowid {order}", "LOANS_URL", chunk=2)
        )
        assert [chunk.num_rows for chunk in chunks] == [2, 2, 1]
        assert snapshot.keep(chunks, tmp_path / f"{order}.parquet", tmp_path / "home") == 5
    frame = pd.read_parquet(tmp_path / "ASC.parquet")
    assert [str(kind) for kind in frame.dtypes] == ["float64", "float64", "str", "str"]
    assert sorted(frame["word"].dropna()) == ["1", "2", "3", "x"]
    assert artifacts.sha256(tmp_path / "ASC.parquet") == artifacts.sha256(tmp_path / "DESC.parquet")


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
        python_rows.table(["v"], [(value,) for value in values[start : start + size]])
        for start in range(0, len(values), size)
    ]
    schema = python_rows.common(chunk.schema for chunk in chunks)
    assert schema == python_rows.common(chunk.schema for chunk in reversed(chunks))
    whole = pa.concat_tables([chunk.cast(schema, safe=False) for chunk in chunks])
    assert [value is None for value in whole["v"].to_pylist()] == [value is None for value in values]


# --- OpenML


@pytest.fixture
def openml_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.ThreadingHTTPServer]:
    """The few answers of OpenML that a download needs, on loopback."""
    from sklearn.datasets import _openml

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OpenML)
    base = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(OpenML, "base", base)
    for name, path in {
        "_DATA_INFO": "info",
        "_DATA_FEATURES": "features",
        "_DATA_QUALITIES": "qualities",
    }.items():
        monkeypatch.setattr(_openml, name, f"{base}/{path}/{{}}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class OpenML(http.server.BaseHTTPRequestHandler):
    base = ""
    arff = "@relation loans\n@attribute amount numeric\n@attribute sex {f,m}\n@attribute name string\n@data\n2.5,f,'b c'\n1.5,?,a\n"

    def do_GET(self) -> None:
        import hashlib

        kinds = {"amount": "numeric", "sex": "nominal", "name": "string"}
        no = {"is_target": "false", "is_ignore": "false", "is_row_identifier": "false"}
        answers: dict[str, Any] = {
            "/info/31": {
                "data_set_description": {
                    "id": "31", "name": "loans", "version": "2", "format": "ARFF", "status": "active", "licence": "CC0",
                    "description": "d", "url": f"{self.base}/loans.arff", "upload_date": "2020-01-01",
                    "md5_checksum": hashlib.md5(self.arff.encode()).hexdigest(),  # noqa: S324 - OpenML's own
                }
            },
            "/features/31": {
                "data_features": {
                    "feature": [
                        {"index": str(i), "name": name, "data_type": kind, "number_of_missing_values": "0"} | no
                        for i, (name, kind) in enumerate(kinds.items())
                    ]
                }
            },
            "/qualities/31": {"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "2"}]}},
        }  # fmt: skip
        if self.path == "/loans.arff":
            self._answer(200, self.arff)
        elif self.path in answers:
            self._answer(200, json.dumps(answers[self.path]))
        else:
            self._answer(412, '{"error": {"code": "111", "message": "Unknown dataset"}}')

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.usefixtures("openml_server")
def test_openml_is_kept_the_same_way() -> None:
    configure(kind="openml", path=str(COPY), openml_id=31)
    snapshot.main()
    kept = origin()
    assert (kept["kind"], kept["openml_id"], kept["name"], kept["version"]) == ("openml", 31, "loans", "2")
    assert [row["amount"] for row in table()] == [1.5, 2.5]
    ingest.main()
    frame = pd.read_parquet("data/raw.parquet")
    assert [str(kind) for kind in frame.dtypes] == ["float64", "str", "str"]
    assert frame["sex"].isna().tolist() == [True, False]
    assert any(Path(".clearance/snapshot/openml").rglob("*.gz"))  # downloads stay inside the project
    first = written_copy()
    snapshot.main()
    assert written_copy() == first


@pytest.mark.usefixtures("openml_server")
def test_an_unknown_openml_id_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="OpenML data set 99"):
        openml.fetch(99, tmp_path / "home")


@pytest.mark.filterwarnings("ignore:A network error occurred")
def test_openml_that_does_not_answer_is_worth_another_try(
    openml_server: http.server.ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.datasets import _openml

    monkeypatch.setattr(_openml, "_DATA_INFO", f"http://127.0.0.1:{unused_port()}/{{}}")
    monkeypatch.setattr(_openml.time, "sleep", lambda _: None)
    with pytest.raises(UnavailableError, match="does not answer"):
        openml.fetch(31, tmp_path / "home")


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# --- PostgreSQL


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL's initdb is not installed")
    with tempfile.TemporaryDirectory() as place, postgres.server(Path(place)) as running:
        running.run(
            "CREATE TABLE loans (id int PRIMARY KEY, amount numeric(12,2), account numeric(20,0), name text, "
            "decided date, at timestamptz, good boolean, note jsonb, key uuid, never float8)",
            "INSERT INTO loans SELECT i, i * 1.5, 10000000000000000000 + i, 'n' || i, DATE '2020-01-31' + i, "
            "TIMESTAMPTZ '2020-01-31 10:30:00+02', i % 2 = 0, '{\"a\": 1}', "
            "'00000000-0000-0000-0000-000000000001', NULL FROM generate_series(1, 500) AS i",
        )
        yield running


def spotless(done: subprocess.CompletedProcess[str]) -> None:
    """No credential in what was printed, nor in any file of the project."""
    for text in (done.stdout, done.stderr, written()):
        assert not [secret for secret in SECRETS if secret in text]
    assert "Traceback" not in done.stderr


def test_a_postgresql_table_keeps_its_types_and_no_credential(server: postgres.Server) -> None:
    done = command(LOANS_URL=server.url())
    assert done.returncode == 0, done.stderr
    spotless(done)
    assert origin()["database"] == "postgresql://127.0.0.1/loans"
    ingest.main()
    frame = pd.read_parquet("data/raw.parquet")
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "id": "int64",
        "amount": "float64",
        "account": "str",
        "name": "str",
        "decided": "datetime64[us]",
        "at": "datetime64[us, UTC]",
        "good": "bool",
        "note": "str",
        "key": "str",
        "never": "str",
    }
    first = frame.iloc[0]
    assert (first["account"], first["note"]) == ("10000000000000000001", '{"a": 1}')
    assert first["at"] == pd.Timestamp("2020-01-31 08:30", tz="UTC")
    spotless(done)


def test_a_query_reaches_postgresql_as_it_is_written(server: postgres.Server) -> None:
    configure(query="SELECT id, '12:30' AS clock FROM loans WHERE name LIKE 'n1%' AND id < 11;")
    assert command(LOANS_URL=server.url()).returncode == 0
    assert table() == [{"id": 1, "clock": "12:30"}, {"id": 10, "clock": "12:30"}]


@pytest.mark.parametrize(
    ("query", "port", "password", "code", "fault"),
    [
        (None, None, "s3cr3t-wrong", ExitCode.ERROR, "refuses the login"),
        (None, "unused", postgres.PASSWORD, ExitCode.TRANSIENT, "does not answer"),
        ("SELECT * FROM nope", None, postgres.PASSWORD, ExitCode.ERROR, 'relation "nope" does not exist'),
        ("SELECT current_user::int", None, postgres.PASSWORD, ExitCode.ERROR, 'type integer: "***"'),
        ("DELETE FROM loans RETURNING id", None, postgres.PASSWORD, ExitCode.ERROR, "refuses the query"),
    ],
)
def test_no_fault_of_postgresql_gives_a_credential_away(
    server: postgres.Server, query: str | None, port: str | None, password: str, code: ExitCode, fault: str
) -> None:
    if query is not None:
        configure(query=query)
    done = command(LOANS_URL=server.url(password, unused_port() if port else None))
    assert (done.returncode, fault in done.stderr) == (code, True), done.stderr
    assert done.stderr.startswith("error: the database postgresql://127.0.0.1/loans ")
    spotless(done)
    assert not COPY.exists() and not POINTER.exists()


def test_a_message_that_repeats_password_or_address_is_scrubbed(server: postgres.Server) -> None:
    url = sa.make_url(server.url())
    for text in (
        postgres.PASSWORD,
        server.url(),
        str(url),
        f'user "{postgres.USER}" with {postgres.PASSWORD}',
    ):
        assert not [secret for secret in SECRETS if secret in database.scrub(f"before {text} after", url)]
    assert database.scrub("relation loan_readers", url) == "relation loan_readers"


def test_the_rows_come_from_a_cursor_on_the_server(server: postgres.Server) -> None:
    chunks = database.fetch(sa.make_url(server.url()), "SELECT * FROM loans", "LOANS_URL", chunk=100)
    assert next(iter(chunks)).num_rows == 100
    with psycopg.connect(server.url().replace("+psycopg", "")) as connection:
        last = connection.execute("SELECT query FROM pg_stat_activity WHERE state LIKE 'idle in%'").fetchall()
    assert [query for (query,) in last if "FETCH FORWARD" in query]
    assert [chunk.num_rows for chunk in chunks] == [100] * 4


def test_a_connection_that_breaks_is_worth_another_try(server: postgres.Server) -> None:
    configure(query="SELECT id, pg_terminate_backend(pg_backend_pid()) FROM loans")
    done = command(LOANS_URL=server.url())
    assert done.returncode == ExitCode.TRANSIENT, done.stderr
    spotless(done)


def test_killed_while_it_pulls_the_old_copy_stays_and_the_next_one_clears_up(server: postgres.Server) -> None:
    assert command(LOANS_URL=server.url()).returncode == 0
    first = written_copy()
    configure(query="SELECT id, pg_sleep(0.5) FROM loans")
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks.snapshot"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "LOANS_URL": server.url()},
        stderr=subprocess.DEVNULL,
    )
    while not list(COPY.parent.glob(".loans.*.part/tmp*")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert written_copy() == first
    configure()
    assert command(LOANS_URL=server.url()).returncode == 0
    assert written_copy() == first
    assert sorted(path.name for path in COPY.parent.iterdir()) == ["loans", "loans.dvc"]
