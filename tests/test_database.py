"""Any SQL database answers in chunks; what opens it is never printed or written anywhere."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa

from clearance import database_urls
from clearance.data.sources import sql_query
from clearance.errors import ClearanceError, ExitCode, SourceError, UnavailableError
from tasks import ingest, snapshot
from tests.support import loans, postgres

SECRETS = ("s3cr3t", "%2F%40", postgres.PASSWORD, postgres.USER)

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOANS_URL", "sqlite:///loans.db")
    loans.project()


@pytest.mark.parametrize(
    ("url", "code", "values"),
    [
        ("", "data.url_not_set", {"variable": "LOANS_URL"}),
        ("s3cr3t", "data.not_a_database_url", {"variable": "LOANS_URL"}),
        ("postgresql://u:s3cr3t@127.0.0.1:s3cr3t/loans", "data.not_a_database_url", {}),
        ("postgresql://u:pw@s3cr3t@127.0.0.1/loans", "data.not_a_database_url", {}),
        ("postgresql://u/x:s3cr3t@127.0.0.1/loans", "data.not_a_database_url", {}),
        ("nosuch://u:s3cr3t@127.0.0.1/loans", "data.no_driver", {"driver": "nosuch"}),
        ("mysql://u:s3cr3t@127.0.0.1/loans", "data.no_driver", {"driver": "mysql"}),
        ("postgresql+psycopg://u:p@127.0.0.1/loans?nosuch=s3cr3t", "data.database_url_rejected", {}),
        ("sqlite:///nosuch.db", "data.database_file_missing", {"variable": "LOANS_URL"}),
    ],
)
def test_a_bad_address_is_one_clear_error_that_never_repeats_it(
    url: str, code: str, values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOANS_URL", url)
    with pytest.raises(ClearanceError) as excinfo:
        snapshot.main()
    assert excinfo.value.code == code
    assert excinfo.value.values | values == excinfo.value.values
    assert "s3cr3t" not in f"{excinfo.value} {excinfo.value.values}"
    assert excinfo.value.__cause__ is None and excinfo.value.__context__ is None
    assert not Path("nosuch.db").exists()


def test_text_that_is_no_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOANS_URL", "sqlite:///params.yaml")
    with pytest.raises(SourceError) as excinfo:
        snapshot.main()
    assert excinfo.value.code == "data.query_refused"
    assert "not a database" in excinfo.value.values["reason"]


def test_a_locked_database_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = sqlite3.connect("loans.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setenv("LOANS_URL", "sqlite:///loans.db?timeout=0")
    with pytest.raises(UnavailableError) as excinfo:
        snapshot.main()
    assert excinfo.value.code == "data.database_disconnected"
    assert "locked" in excinfo.value.values["reason"]
    assert excinfo.value.exit_code == ExitCode.TRANSIENT
    holder.close()


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


def spotless(result: subprocess.CompletedProcess[str]) -> None:
    """No credential in what was printed, nor in any file of the project."""
    for text in (result.stdout, result.stderr, loans.written()):
        assert not [secret for secret in SECRETS if secret in text]
    assert "Traceback" not in result.stderr


def test_a_postgresql_table_keeps_its_types_and_no_credential(server: postgres.Server) -> None:
    result = loans.command(LOANS_URL=server.url())
    assert result.returncode == 0, result.stderr
    spotless(result)
    assert loans.origin()["database"] == "postgresql://127.0.0.1/loans"
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
    spotless(result)


def test_a_query_reaches_postgresql_as_it_is_written(server: postgres.Server) -> None:
    loans.configure(query="SELECT id, '12:30' AS clock FROM loans WHERE name LIKE 'n1%' AND id < 11;")
    assert loans.command(LOANS_URL=server.url()).returncode == 0
    assert loans.table() == [{"id": 1, "clock": "12:30"}, {"id": 10, "clock": "12:30"}]


@pytest.mark.parametrize(
    ("query", "login", "code", "fault"),
    [
        (None, ["s3cr3t-wrong"], ExitCode.ERROR, "refuses the login"),
        (None, [postgres.PASSWORD, "unused port"], ExitCode.TRANSIENT, "does not answer"),
        ("SELECT * FROM nope", [postgres.PASSWORD], ExitCode.ERROR, 'relation "nope" does not exist'),
        ("SELECT current_user::int", [postgres.PASSWORD], ExitCode.ERROR, 'type integer: "***"'),
        ("DELETE FROM loans RETURNING id", [postgres.PASSWORD], ExitCode.ERROR, "refuses the query"),
    ],
)
def test_no_fault_of_postgresql_gives_a_credential_away(
    server: postgres.Server, query: str | None, login: list[str], code: ExitCode, fault: str
) -> None:
    if query is not None:
        loans.configure(query=query)
    result = loans.command(LOANS_URL=server.url(login[0], loans.unused_port() if login[1:] else None))
    assert (result.returncode, fault in result.stderr) == (code, True), result.stderr
    assert result.stderr.startswith("error: the database postgresql://127.0.0.1/loans ")
    spotless(result)
    assert not loans.COPY.exists() and not loans.POINTER.exists()


def test_a_message_that_repeats_password_or_address_is_scrubbed(server: postgres.Server) -> None:
    url = sa.make_url(server.url())
    for text in (
        postgres.PASSWORD,
        server.url(),
        str(url),
        f'user "{postgres.USER}" with {postgres.PASSWORD}',
    ):
        assert not [
            secret for secret in SECRETS if secret in database_urls.scrub(f"before {text} after", url)
        ]
    assert database_urls.scrub("relation loan_readers", url) == "relation loan_readers"


def test_the_rows_come_from_a_cursor_on_the_server(server: postgres.Server) -> None:
    chunks = sql_query.fetch(sa.make_url(server.url()), "SELECT * FROM loans", "LOANS_URL", chunk=100)
    assert next(iter(chunks)).num_rows == 100
    with psycopg.connect(server.url().replace("+psycopg", "")) as connection:
        last = connection.execute("SELECT query FROM pg_stat_activity WHERE state LIKE 'idle in%'").fetchall()
    assert [query for (query,) in last if "FETCH FORWARD" in query]
    assert [chunk.num_rows for chunk in chunks] == [100] * 4


def test_a_connection_that_breaks_is_worth_another_try(server: postgres.Server) -> None:
    loans.configure(query="SELECT id, pg_terminate_backend(pg_backend_pid()) FROM loans")
    result = loans.command(LOANS_URL=server.url())
    assert result.returncode == ExitCode.TRANSIENT, result.stderr
    spotless(result)


def test_killed_while_it_pulls_the_old_copy_stays_and_the_next_one_clears_up(server: postgres.Server) -> None:
    assert loans.command(LOANS_URL=server.url()).returncode == 0
    first = loans.written_copy()
    loans.configure(query="SELECT id, pg_sleep(0.5) FROM loans")
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks.snapshot"],
        env=os.environ | {"PYTHONPATH": str(loans.ROOT), "LOANS_URL": server.url()},
        stderr=subprocess.DEVNULL,
    )
    while not list(loans.COPY.parent.glob(".loans.*.part/tmp*")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert loans.written_copy() == first
    loans.configure()
    assert loans.command(LOANS_URL=server.url()).returncode == 0
    assert loans.written_copy() == first
    assert sorted(path.name for path in loans.COPY.parent.iterdir()) == ["loans", "loans.dvc"]
