"""The store is away, locked, full or replaced: no answer without a record, and it recovers by itself."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clearance import inference_log
from clearance.errors import ClearanceError, DataError, TransientError
from clearance.inference_log import InferenceLog, SpoolSettings, faults
from clearance.inference_log.database import PostgresConnection
from tests.support import disks, inferences, postgres
from tests.support.codes import raises
from tests.support.inferences import inference, opened

PATIENCE = 0.3


def test_without_its_store_the_log_refuses_and_goes_on_when_it_is_back(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path, patience=PATIENCE) as log:
        log.append(inference())
        with inferences.away(address):
            for _ in range(3):
                with raises("inference_log.unavailable") as error:
                    log.append(inference())
                assert isinstance(error.value, TransientError)
        (receipt,) = inferences.until(lambda: log.append(inference()))
        report = log.verify()
        assert (report.ok, report.records) == (True, receipt.sequence)


def test_a_database_that_is_gone_is_never_made_again(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/log.db"
    with opened(address, tmp_path, patience=PATIENCE) as log:
        log.append(inference())
        with inferences.away(address):
            for _ in range(4):
                with raises("inference_log.unavailable"):
                    log.append(inference())
                time.sleep(0.1)  # it tries again
            assert not (tmp_path / "log.db").exists()


def test_another_log_in_its_place_is_no_place_to_go_on(tmp_path: Path) -> None:
    address, other = f"sqlite:///{tmp_path}/log.db", f"sqlite:///{tmp_path}/other.db"
    with opened(other, tmp_path):
        pass
    with opened(address, tmp_path, patience=PATIENCE) as log:
        log.append(inference())
        with inferences.away(address):
            shutil.copy(tmp_path / "other.db", tmp_path / "log.db")
            with raises("inference_log.unavailable"):
                log.append(inference())
            with raises("inference_log.not_a_log"):
                inferences.until(lambda: log.append(inference()))
            (tmp_path / "log.db").unlink()


def test_an_older_copy_in_its_place_is_noticed_at_once(tmp_path: Path) -> None:
    address, file = f"sqlite:///{tmp_path}/log.db", tmp_path / "log.db"
    with opened(address, tmp_path):
        pass
    shutil.copy(file, tmp_path / "old.db")
    with opened(address, tmp_path, patience=PATIENCE) as log:
        log.append(inference())
        shutil.move(tmp_path / "old.db", file)
        with raises("inference_log.unavailable"):  # the receipt would be for a file that nobody can open
            log.append(inference())


def test_a_locked_store_is_a_busy_one(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path, patience=PATIENCE) as log:
        log.append(inference())
        with _locked(address), raises("inference_log.locked"):
            log.append(inference())
        inferences.until(lambda: log.append(inference()))
        assert log.verify().records == 2


def _locked(address: str) -> Any:
    if address.startswith("sqlite"):
        connection: Any = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        return closing(connection)
    connection = psycopg.connect(address)
    connection.execute("SELECT * FROM clearance_inference_head FOR UPDATE")
    return closing(connection)


def test_a_full_disk_refuses_and_free_space_lets_it_go_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with (
        disks.small(disk, 1_024),
        opened(f"sqlite:///{disk}/log.db", tmp_path, patience=PATIENCE) as log,
    ):
        log.append(inference())
        filler = disk / "filler"
        _fill(filler)
        with raises("inference_log.full"):
            for _ in range(200):
                log.append(*inferences.decisions(20))
        filler.unlink()
        (receipt,) = inferences.until(lambda: log.append(inference()))
        report = log.verify()
        assert (report.ok, report.records) == (True, receipt.sequence)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)


def test_a_connection_that_the_server_ended_is_made_again(tmp_path: Path, database: str) -> None:
    with opened(database, tmp_path, patience=PATIENCE) as log:
        log.append(inference())
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        log.append(inference())
        assert log.verify().records == 2


@pytest.mark.parametrize("times", [1, 4])
def test_a_commit_whose_answer_was_lost_is_neither_lost_nor_repeated(
    tmp_path: Path, database: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways to commit: the first appends lock the head, later ones append at once."""
    with opened(database, tmp_path, patience=PATIENCE) as log:
        for _ in range(times):
            log.append(inference())
        answers: list[Any] = []
        for name in ("commit", "append_at_once"):
            original = getattr(PostgresConnection, name)
            monkeypatch.setattr(PostgresConnection, name, _answer_lost(original, answers))
        (receipt,) = log.append(inference())
        monkeypatch.undo()
        assert answers[0] is (None if times == 1 else True)
        assert (receipt.sequence, receipt.spooled) == (times + 1, False)
        report = log.verify()
        assert (report.ok, report.records) == (True, times + 1)


def _answer_lost(function: Any, answers: list[Any]) -> Any:
    def call(*arguments: Any, **options: Any) -> Any:
        answer = function(*arguments, **options)
        answers.append(answer)
        if len(answers) == 1:
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return answer

    return call


@pytest.fixture
def database() -> Iterator[str]:
    from tests.support import ledger_samples

    if not ledger_samples.postgres_runs():
        pytest.skip("PostgreSQL does not answer on 127.0.0.1:5432")
    with ledger_samples.postgres() as url:
        yield url


def test_a_server_that_restarts_loses_nothing(tmp_path: Path) -> None:
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed here")
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"inference-{os.getpid()}"  # noqa: S108
    folder.mkdir(mode=0o755)
    try:
        with (
            postgres.server(folder) as server,
            opened(server.url(), tmp_path, patience=PATIENCE) as log,
        ):
            log.append(inference())
            server.control("stop", "-m", "immediate")
            with raises("inference_log.unavailable"):
                log.append(inference())
            server.control("start")
            (receipt,) = inferences.until(lambda: log.append(inference()))
            report = log.verify()
            assert (report.ok, report.records) == (True, receipt.sequence)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def spooling(address: str, tmp_path: Path) -> Iterator[InferenceLog]:
    settings = SpoolSettings(folder=tmp_path / "spool", limit=20_000)
    with opened(address, tmp_path, patience=PATIENCE, spool=settings) as log:
        yield log


def test_what_waits_in_the_spool_comes_first_and_in_order(
    spooling: InferenceLog, address: str, tmp_path: Path
) -> None:
    spooling.append(inference())
    waiting = [inference(subject=f"waits-{number}") for number in range(5)]
    with inferences.away(address):
        receipts = [spooling.append(record)[0] for record in waiting]
        assert all(receipt.spooled and receipt.sequence is None for receipt in receipts)
        assert b"Boston" not in b"".join(path.read_bytes() for path in (tmp_path / "spool").iterdir())
    last = _unspooled(spooling)
    order: list[Any] = [
        spooling.read(r.id, reader="ada", reason="audit").receipt.sequence for r in (*receipts, last)
    ]
    assert order == sorted(order)
    report = spooling.verify()
    assert report.ok, report.findings
    assert not list((tmp_path / "spool").iterdir())


def _unspooled(log: InferenceLog) -> Any:
    """The receipt of a record that reached the store."""

    def attempt() -> Any:
        (receipt,) = log.append(inference())
        if receipt.spooled:
            raise faults.TIMED_OUT(seconds=0)
        return receipt

    return inferences.until(attempt)


def test_the_spool_empties_without_another_request(
    spooling: InferenceLog, address: str, tmp_path: Path
) -> None:
    with inferences.away(address):
        (receipt,) = spooling.append(inference())
        assert receipt.spooled
    inferences.until(lambda: _ensure_empty(tmp_path / "spool"))
    assert spooling.verify().records == 1


def _ensure_empty(folder: Path) -> None:
    if list(folder.iterdir()):
        raise faults.TIMED_OUT(seconds=0)


def test_a_full_spool_refuses_and_drops_nothing(spooling: InferenceLog, address: str) -> None:
    accepted = 0
    with inferences.away(address), raises("inference_log.spool_full", limit=20_000):
        while True:
            spooling.append(inference())
            accepted += 1
    assert accepted > 5
    _unspooled(spooling)
    records = spooling.verify().records
    assert records >= accepted + 1


def test_only_the_store_can_tell_a_repeat_so_a_key_does_not_wait(
    spooling: InferenceLog, address: str
) -> None:
    with inferences.away(address):
        with raises("inference_log.key_unchecked"):
            spooling.append(inference(idempotency_key="k"))
        with raises("inference_log.unavailable"):
            spooling.read(inference_log.new_id(), reader="ada", reason="audit")


def test_a_spool_of_a_dead_process_is_taken_over(address: str, tmp_path: Path) -> None:
    settings = SpoolSettings(folder=tmp_path / "spool", limit=20_000)
    with opened(address, tmp_path, patience=PATIENCE, spool=settings) as log, inferences.away(address):
        ids = [log.append(inference())[0].id for _ in range(3)]
        log.worker.close()
    (file,) = (tmp_path / "spool").iterdir()
    file.write_bytes(file.read_bytes() + b"\x00\x00\x10")  # a frame that was never finished
    with opened(address, tmp_path, spool=settings) as log:
        assert [log.read(id_, reader="ada", reason="audit").record.id for id_ in ids] == ids
        assert log.verify().by_kind == {"inference": 3, "read": 3, "refusal": 1}
        assert not list((tmp_path / "spool").iterdir())


def test_what_was_spooled_and_committed_as_well_is_there_once(address: str, tmp_path: Path) -> None:
    settings = SpoolSettings(folder=tmp_path / "spool", limit=20_000)
    with opened(address, tmp_path, patience=PATIENCE, spool=settings) as log, inferences.away(address):
        record = inference()
        log.append(record)
        log.worker.close()
    with opened(address, tmp_path) as log, suppress(DataError):  # SQLite committed to the file that was gone
        log.append(record)  # as if the commit had succeeded, and only its answer was lost
    with opened(address, tmp_path, spool=settings) as log:
        assert log.verify().by_kind == {"inference": 1}


def test_a_changed_spool_is_a_fault(address: str, tmp_path: Path) -> None:
    settings = SpoolSettings(folder=tmp_path / "spool", limit=20_000)
    with opened(address, tmp_path, patience=PATIENCE, spool=settings) as log, inferences.away(address):
        log.append(inference())
        log.worker.close()
    (file,) = (tmp_path / "spool").iterdir()
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)
    with raises("inference_log.spool_damaged", frame=1), opened(address, tmp_path, spool=settings):
        pass
    assert file.exists()


@pytest.mark.parametrize(
    "address",
    [
        "mysql://127.0.0.1/x",
        "sqlite://",
        "sqlite:///:memory:",
        "no url",
        "postgresql+asyncpg://u:s3cr3t@127.0.0.1/x",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(address: str, tmp_path: Path) -> None:
    with raises("inference_log.invalid_address"), opened(address, tmp_path):
        pass


def test_no_fault_shows_a_password(tmp_path: Path) -> None:
    address = "postgresql://somebody:s3cr3t@127.0.0.1:1/x"
    with pytest.raises(ClearanceError) as error, opened(address, tmp_path):
        pass
    assert error.value.code == "inference_log.unavailable"
    assert "s3cr3t" not in f"{error.value!r} {error.value} {error.value.__context__}"


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"x" * 5_000)
    with raises("inference_log.damaged"), opened(f"sqlite:///{tmp_path}/log.db", tmp_path):
        pass
