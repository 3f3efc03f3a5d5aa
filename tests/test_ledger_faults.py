"""What goes wrong with a ledger's database or files is one clear error of the right kind, with a way out."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import errors

from clearance import file_lock, ledger, paths
from clearance.errors import (
    BusyError,
    ClearanceError,
    ConfigurationError,
    IntegrityError,
    UnavailableError,
)
from clearance.ledger import address, checkpoint_files, database, database_faults, export, waiting
from tests.support import disks
from tests.support import ledger_samples as samples
from tests.support.codes import raises

URL = sa.make_url("postgresql+psycopg://ann:s3cr3t@db.example/ledgers")


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (errors.LockNotAvailable("canceling statement due to lock timeout"), BusyError),
        (sqlite3.OperationalError("database is locked"), BusyError),
        (sqlite3.DatabaseError("database disk image is malformed"), IntegrityError),
        (sqlite3.DatabaseError("file is not a database"), IntegrityError),
        (sqlite3.OperationalError("Could not decode to UTF-8 column 'actor' with text 'x'"), IntegrityError),
        (errors.UndefinedTable('relation "clearance_ledger" does not exist'), IntegrityError),
        (errors.NumericValueOutOfRange("bigint out of range"), IntegrityError),
        (errors.UniqueViolation("duplicate key"), IntegrityError),
        (errors.InsufficientPrivilege("permission denied for table clearance_ledger"), ConfigurationError),
        (errors.InvalidPassword('password authentication failed for user "ann"'), ConfigurationError),
        (errors.InvalidCatalogName('database "ledgers" does not exist'), ConfigurationError),
        (psycopg.OperationalError('no pg_hba.conf entry for host "10.0.0.1"'), ConfigurationError),
        (sqlite3.OperationalError("attempt to write a READONLY database"), ConfigurationError),
        (psycopg.OperationalError("Connection refused"), UnavailableError),
        (psycopg.OperationalError("\n  server closed the connection\nunexpectedly"), UnavailableError),
        (psycopg.OperationalError(""), UnavailableError),
    ],
)
def test_what_a_database_raises_is_told_by_what_can_be_done(
    cause: Exception, kind: type[ClearanceError]
) -> None:
    with pytest.raises(ClearanceError) as excinfo, database_faults.translated(URL):
        raise sa.exc.OperationalError("INSERT", {}, cause)
    assert type(excinfo.value) is kind
    assert "ann" not in str(excinfo.value) and "s3cr3t" not in str(excinfo.value)
    assert excinfo.value.__cause__ is None and excinfo.value.__context__ is None


def test_a_row_against_a_rule_of_the_tables_is_no_matter_of_rights() -> None:
    with pytest.raises(IntegrityError), database_faults.translated(URL):
        raise sa.exc.IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE constraint failed"))
    with pytest.raises(UnavailableError), database_faults.translated(URL):
        raise sa.exc.TimeoutError("QueuePool limit reached")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A ledger in PostgreSQL, and its URL for an account that may do nothing there yet."""
    if not samples.postgres_runs():
        pytest.skip("PostgreSQL does not answer on 127.0.0.1:5432")
    with samples.postgres() as owned, psycopg.connect(owned, autocommit=True) as owner:
        role = f"reader_{owned.rpartition('_')[2]}"
        owner.execute(f'CREATE ROLE "{role}" LOGIN'.encode())
        try:
            yield owned, owned.replace("postgres@", f"{role}@")
        finally:
            owner.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"'.encode())


def test_an_account_without_rights_is_told_so_and_damages_nothing(
    reader: tuple[str, str], tmp_path: Path, signer: samples.Signer
) -> None:
    owned, theirs = reader
    seal = signer.seal(tmp_path / "one")
    samples.write(owned, seal, [[samples.draft(1)]])
    with raises("ledger.database_refuses"), ledger.open(theirs):
        pass
    with psycopg.connect(owned, autocommit=True) as owner:
        role = theirs.partition("://")[2].partition("@")[0]
        owner.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}"'.encode())
    with ledger.open(theirs, seal=seal) as book:
        with raises("ledger.database_refuses"):
            ledger.append(book, [samples.draft(2)])
        assert ledger.verify(book, seal.places, signer.verify_envelope).ok


@pytest.mark.parametrize(
    ("change", "code", "values"),
    [
        ("INSERT INTO clearance_ledger VALUES ('another', 1)", "ledger.not_one_ledger", {"count": 2}),
        ("UPDATE clearance_ledger SET format = 2", "ledger.unknown_format", {"version": 2, "expected": 1}),
    ],
)
def test_a_database_that_is_not_one_ledger_of_our_format_is_refused(
    change: str, code: str, values: dict[str, int], tmp_path: Path, signer: samples.Signer
) -> None:
    samples.write(samples.sqlite(tmp_path), signer.seal(tmp_path / "one"), [[samples.draft(1)]])
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        database.execute(change)
    with raises(code, **values), ledger.open(samples.sqlite(tmp_path)):
        pass


def test_a_folder_that_cannot_be_is_said_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        raises("ledger.not_creatable"),
        ledger.open(f"sqlite:///{tmp_path}/file/below/ledger.db"),
    ):
        pass


def test_a_new_ledger_that_somebody_else_makes_is_waited_for(tmp_path: Path) -> None:
    with (
        file_lock.opened(tmp_path / "ledger.db.lock") as lock,
        raises("ledger.lock_timeout"),
    ):
        waiting.flock(lock, 0, "it")
        with ledger.open(samples.sqlite(tmp_path), patience=0.02):
            pass
    assert not (tmp_path / "ledger.db").exists()


def test_places_that_somebody_else_writes_are_waited_for(tmp_path: Path, signer: samples.Signer) -> None:
    one = tmp_path / "one"
    seal = signer.seal(one)
    with ledger.open(samples.sqlite(tmp_path), seal=seal, patience=0.02) as book:
        ledger.append(book, [samples.draft(1)])
        with checkpoint_files.locked([one], 0), raises("ledger.lock_timeout"):
            ledger.append(book, [samples.draft(2)])
        assert ledger.head(book)[0] == 1


def test_a_place_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for read in (checkpoint_files.tail, lambda place: list(checkpoint_files.lines(place))):
        with raises("ledger.checkpoints_not_readable"):
            read(tmp_path / "folder")


def test_a_line_of_an_export_that_is_cut_is_named(tmp_path: Path, signer: samples.Signer) -> None:
    file = tmp_path / "export.jsonl"
    file.write_text('{"format":1,"ledger":"a","places":[]}\n{"entry": \n')
    with raises("ledger.not_an_object", line=2):
        list(export.entries(file))
    report = export.verify(file, signer.verify_envelope)
    assert [str(finding) for finding in report.findings] == [
        f"unreadable: the entries after 0: line 2 of {file} is not a JSON object"
    ]


@pytest.mark.parametrize(
    ("text", "driver", "file"),
    [
        ("sqlite:///a/b.db", "sqlite", Path("a/b.db")),
        ("sqlite+pysqlite:///b.db", "sqlite+pysqlite", Path("b.db")),
        ("postgresql://h/d", "postgresql+psycopg", None),
        ("postgresql+psycopg://h/d", "postgresql+psycopg", None),
    ],
)
def test_an_address_of_use_is_taken_as_it_is(text: str, driver: str, file: Path | None) -> None:
    url = address.parse(text)
    assert (url.drivername, address.file_of(url)) == (driver, file)


@pytest.mark.parametrize("text", ["sqlite:///file:x?mode=memory&uri=true", "sqlite+aiosqlite:///a.db"])
def test_an_address_that_keeps_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        address.parse(text)


# Who may lock, and who only reads


def test_nobody_can_lock_what_they_may_not_write(tmp_path: Path, signer: samples.Signer) -> None:
    for path in (tmp_path / "old.db", tmp_path / "shared.db"):
        with ledger.open(f"sqlite:///{path}"):
            pass
    (tmp_path / "old.db").chmod(0o644)
    (tmp_path / "shared.db").chmod(0o664)
    for name, mode in (("old", 0o600), ("shared", 0o660), ("new", 0o600)):
        with ledger.open(f"sqlite:///{tmp_path}/{name}.db", seal=signer.seal(tmp_path / name)) as book:
            ledger.append(book, [samples.draft(1)])
            with ledger.lock(book, samples.MODEL):
                files = [path for path in tmp_path.rglob(f"{name}.db*") if path.is_file()]
                locks = [*files, *(tmp_path / f"{name}.db.locks").iterdir()]
                assert {path.stat().st_mode & 0o777 for path in locks if path.suffix != ".lock"} == {mode}
                assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.lock")} == {0o600}
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o644, "everybody may read the checkpoints"


def test_opening_a_ledger_again_releases_no_lock_of_this_process(
    tmp_path: Path, signer: samples.Signer
) -> None:
    """POSIX locks of a process end when it closes the file anywhere: nothing but SQLite may open it."""
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    seal, other = signer.seal(tmp_path / "one"), str(tmp_path / "ledger.db")
    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book, database.writing(book.database):
        for path in tmp_path.glob("ledger.db*"):
            path.chmod(0o644)
        with ledger.open(samples.sqlite(tmp_path)):
            pass
        result = subprocess.run(
            [sys.executable, "-c", code, other], capture_output=True, text=True, check=False
        )
        assert "database is locked" in result.stderr


@pytest.mark.parametrize("state", ["closed", "live", "log"])
def test_a_ledger_that_cannot_be_written_is_read(tmp_path: Path, signer: samples.Signer, state: str) -> None:
    home, seal = tmp_path / "home 100%? {x}#", signer.seal(tmp_path / "one")
    home.mkdir()
    address = paths.sqlite_url(home / "ledger.db")
    with ledger.open(address, seal=seal) as book:
        ledger.append(book, [samples.draft(1)])
        if state == "log":  # as a backup holds it that was made while somebody wrote
            shutil.copytree(home, tmp_path / "copy")
            (tmp_path / "copy/ledger.db-shm").unlink()
        if state != "live":
            book.database.engine.dispose()
        if state == "log":
            shutil.rmtree(home)
            (tmp_path / "copy").rename(home)
        before = sorted((path.name, path.stat().st_mtime_ns) for path in home.iterdir())
        with disks.read_only(home):
            with ledger.open(address) as reader:
                assert ledger.verify(reader, seal.places, signer.verify_envelope).ok
                assert [entry.number for entry in ledger.entries(reader)] == [1]
            with ledger.open(address, seal=seal) as writer, raises("ledger.database_refuses"):
                ledger.append(writer, [samples.draft(2)])
            assert before == sorted((path.name, path.stat().st_mtime_ns) for path in home.iterdir())


def test_who_may_not_write_cannot_stop_the_writers_of_postgresql(
    tmp_path: Path, signer: samples.Signer
) -> None:
    if not samples.postgres_runs():
        pytest.skip("PostgreSQL does not answer on 127.0.0.1:5432")
    with (
        samples.postgres() as address,
        ledger.open(address, seal=signer.seal(tmp_path / "one"), patience=5) as book,
    ):
        role = f"reader_{uuid.uuid4().hex}"
        name = address.rpartition("/")[2]
        with psycopg.connect(address, autocommit=True) as owner:
            owner.execute(f"CREATE ROLE {role} LOGIN".encode())
            owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
        try:
            with psycopg.connect(f"postgresql://{role}@127.0.0.1:5432/{name}") as reader:
                for key in (0x434C_5200, 0x434C_5201):  # what an earlier version locked
                    reader.execute("SELECT pg_advisory_lock(%s, 0)", [key])
                reader.execute("SELECT * FROM clearance_ledger_fences")
                for attempt in (
                    b"SELECT * FROM clearance_ledger_fences FOR KEY SHARE",
                    b"LOCK TABLE clearance_ledger_fences IN SHARE MODE",
                ):
                    with pytest.raises(errors.InsufficientPrivilege), reader.transaction():
                        reader.execute(attempt)
                with ledger.lock(book, samples.MODEL) as fence:
                    ledger.append(book, [samples.draft(1)], fence=fence)
                with ledger.open(f"postgresql://{role}@127.0.0.1:5432/{name}") as readable:
                    assert [entry.number for entry in ledger.entries(readable)] == [1]
        finally:
            with psycopg.connect(address, autocommit=True) as owner:
                owner.execute(f"DROP OWNED BY {role}".encode())
                owner.execute(f"DROP ROLE {role}".encode())
