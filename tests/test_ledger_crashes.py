"""Killed anywhere, the ledger keeps what it answered, raises no false alarm, and goes on."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from clearance import ledger
from clearance.ledger import LedgerFault, checkpoint_files
from tests.support import ledger_samples as samples
from tests.support.codes import raises

FORK = multiprocessing.get_context("fork")
STEPS = 2 * 2 * 4 + 2
"""Before and after each write and sync of two places, twice, and before and after the commit."""


def _die_at(step: int) -> None:
    """Let this process kill itself at its so-many-th step towards an answer."""
    count = 0

    def reached() -> None:
        nonlocal count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(function: Any, counts: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            if not counts(*arguments):
                return function(*arguments, **options)
            reached()
            result = function(*arguments, **options)
            reached()
            return result

        return call

    os.fsync = around(os.fsync, lambda *_: True)
    os.write = around(os.write, lambda _, data: data.endswith(b"}\n"))
    sa.Connection.exec_driver_sql = around(  # type: ignore[method-assign]
        sa.Connection.exec_driver_sql, lambda _, statement: statement == "COMMIT"
    )


def test_killed_at_any_step_it_keeps_its_word(address: str, tmp_path: Path, signer: samples.Signer) -> None:
    seal = signer.seal(tmp_path / "one", tmp_path / "two")
    samples.write(address, seal, [[samples.draft(1)]])
    answers = {1}

    def append(step: int, connection: Connection) -> None:
        with ledger.open(address, seal=seal) as book:
            _die_at(step)
            connection.send(ledger.append(book, [samples.draft(2), samples.draft(3)])[-1].number)

    with ledger.open(address, seal=seal) as book:
        for step in range(1, STEPS + 2):
            before = ledger.head(book)[0]
            ours, theirs = FORK.Pipe()
            child = FORK.Process(target=append, args=(step, theirs))
            child.start()
            theirs.close()
            child.join()
            killed = child.exitcode == -signal.SIGKILL
            assert killed == (step <= STEPS), f"step {step} ended with {child.exitcode}"
            with suppress(EOFError):
                answers.add(ours.recv())
            ours.close()
            report = ledger.verify(book, seal.places, signer.verify_envelope)
            assert report.ok, f"killed at step {step}: {report}"
            assert report.entries in (before, before + 2)
            if step % 2:  # on the others the next victim finds what this one left
                answers.add(ledger.append(book, [samples.draft(step)])[0].number)
        report = ledger.verify(book, seal.places, signer.verify_envelope)
        numbers = [entry.number for entry in ledger.entries(book)]
    assert report.ok, report
    assert numbers == list(range(1, len(numbers) + 1))
    assert answers <= set(numbers)
    assert any("was never committed" in note for note in report.notes)
    one, two = (set(checkpoint_files.lines(tmp_path / name)) for name in ("one", "two"))
    assert {line for line in one if "payload" in line} == {line for line in two if "payload" in line}


@pytest.mark.slow
def test_writers_killed_at_random_lose_nothing_that_was_answered(
    address: str, tmp_path: Path, signer: samples.Signer
) -> None:
    seal = signer.seal(tmp_path / "one")
    random_ = random.Random(4)  # noqa: S311

    def append(connection: Connection) -> None:
        with ledger.open(address, seal=seal) as book:
            while True:
                batch = ledger.append(book, [samples.draft(1)] * 3)
                connection.send([(entry.number, entry.digest) for entry in batch])

    answers: list[tuple[int, str]] = []
    for _ in range(5):
        writers = []
        for _ in range(3):
            ours, theirs = FORK.Pipe(duplex=False)
            writers.append((FORK.Process(target=append, args=(theirs,), daemon=True), ours))
            writers[-1][0].start()
            theirs.close()  # before the next one is forked: its end must be the only one
        for writer, ours in writers:
            time.sleep(random_.uniform(0.02, 0.3))
            os.kill(writer.pid or 0, signal.SIGKILL)
            writer.join()
            with suppress(EOFError):
                while True:
                    answers += ours.recv()
            ours.close()
        with ledger.open(address, seal=seal) as book:
            report = ledger.verify(book, seal.places, signer.verify_envelope)
            assert report.ok, report
    with ledger.open(address, seal=seal) as book:
        ledger.append(book, [samples.draft(1)])
        there = {(entry.number, entry.digest) for entry in ledger.entries(book)}
        assert ledger.verify(book, seal.places, signer.verify_envelope).ok
    assert answers
    assert set(answers) <= there


def test_what_was_answered_and_then_cut_is_never_taken_for_a_crash(
    tmp_path: Path, signer: samples.Signer
) -> None:
    """The state differs from that of a crash by nothing but the confirmation."""
    import sqlite3
    from contextlib import closing

    seal = signer.seal(tmp_path / "one", tmp_path / "two")
    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book:
        ledger.append(book, [samples.draft(1)])
        ledger.append(book, [samples.draft(2)])
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        database.execute("DELETE FROM clearance_ledger_entries WHERE number = 2")
    confirmed = (tmp_path / "one").read_text()
    (tmp_path / "one").write_text("".join(f"{line}\n" for line in confirmed.splitlines()[:-1]))
    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book:
        report = ledger.verify(book, seal.places, signer.verify_envelope)
        assert ([finding.fault for finding in report.findings], report.first) == ([LedgerFault.CUT], 2)
        with raises("ledger.head_mismatch"):
            ledger.append(book, [samples.draft(3)])
        (tmp_path / "two").write_text(
            (tmp_path / "one").read_text()
        )  # every place cut alike: as the guide says
        assert ledger.verify(book, seal.places, signer.verify_envelope).ok


def test_an_append_that_takes_the_place_of_a_confirmed_batch_shows(
    tmp_path: Path, signer: samples.Signer
) -> None:
    """Cut the database and the confirmations in reach; somebody appends; the place out of reach remembers."""
    import sqlite3
    from contextlib import closing

    one, two = tmp_path / "one", tmp_path / "two"
    seal = signer.seal(one)
    samples.write(samples.sqlite(tmp_path), seal, [[samples.draft(1)], [samples.draft(2)]])
    retained = one.read_text()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        database.execute("DELETE FROM clearance_ledger_entries WHERE number = 2")
    one.write_text("".join(f"{line}\n" for line in retained.splitlines()[:-1]))
    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book:
        ledger.append(book, [samples.draft(3)])
        assert ledger.verify(book, [one], signer.verify_envelope).ok
        two.write_text(retained + one.read_text().splitlines(keepends=True)[-2])
        report = ledger.verify(book, [one, two], signer.verify_envelope)
    assert [(finding.fault, finding.number) for finding in report.findings] == [(LedgerFault.CUT, 2)]
    assert "another entry has replaced it" in str(report)
