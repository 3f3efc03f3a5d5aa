"""Whatever is changed, removed, moved, cut or added in an inference log, verification finds it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import inference_log, ledger
from clearance.inference_log import InferenceLogReport, chain, keyring, seals, verification
from clearance.inference_log.chain import Head, Row
from clearance.inference_log.database import SqliteConnection, parse
from clearance.inference_log.keyring import Keyring
from clearance.inference_log.seals import Seals
from clearance.inference_log.transaction import read_row
from tests.support import inferences
from tests.support import ledger_samples as samples
from tests.support.codes import raises
from tests.support.inferences import inference, opened

RECORDS, SIZE, SEALED = 26, 8, 24
COLUMNS = [field.name for field in fields(Row)]
NAMES = ", ".join(COLUMNS)


@dataclass(frozen=True)
class Template:
    """An intact log, and what the ledger knows of it."""

    folder: Path
    log: str
    seals: Seals


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A log of 26 records, of which three segments of eight are sealed; one subject was erased."""
    folder = tmp_path_factory.mktemp("chain")
    signer = samples.signer()
    with (
        opened(f"sqlite:///{folder}/log.db", folder) as log,
        ledger.open(samples.sqlite(folder), seal=signer.seal(folder / "checkpoints")) as book,
    ):
        access = inferences.access(book)
        log.append(inference(subject="erased"))
        (about, *_) = log.append(*inferences.decisions(10, features=2))
        log.erase_subject("erased", actor="dpo", reason="asked for")
        replay = inference_log.Replay(caller="a", about=about.id, same=True)
        log.append(inference(idempotency_key="k"), replay)
        log.append(*(inference(subject=None) for _ in range(RECORDS - 14)))
        assert [segment.last for segment in log.seal(access, size=SIZE)] == [8, 16, SEALED]
        assert not log.seal(access, size=SIZE)
        known = seals.read(access.entries, log.id)
        report = log.verify(known)
        assert (report.ok, report.records, report.sealed, report.erased) == (True, RECORDS, SEALED, 1)
        assert ledger.verify(book, [folder / "checkpoints"], signer.verify_envelope).ok
        return Template(folder, log.id, known)


class Damage:
    """A copy of the log, to be damaged by somebody who may write the database."""

    def __init__(self, template: Template, folder: Path) -> None:
        self.folder, self.log, self.seals = folder, template.log, template.seals
        for name in ("log.db", "inference.key"):
            shutil.copy(template.folder / name, folder / name)
        self.database = sqlite3.connect(folder / "log.db", isolation_level=None)
        rows = self.database.execute(f"SELECT {NAMES} FROM clearance_inference_records")  # noqa: S608
        self.rows = [read_row(values) for values in rows]
        self.keyring = keyring.load(folder / "inference.key", self.log)

    def write(self, rows: list[Row], *, head: bool, keys: Keyring | None) -> None:
        """Write the rows in place of the log's, and the head where it is to fit."""
        self.database.execute("DELETE FROM clearance_inference_records")
        marks = ", ".join("?" * len(COLUMNS))
        statement = f"INSERT INTO clearance_inference_records ({NAMES}) VALUES ({marks})"  # noqa: S608
        self.database.executemany(statement, map(astuple, rows))
        if head:
            last = rows[-1]
            query = "SELECT keys, erasures FROM clearance_inference_head"
            made, erasures = self.database.execute(query).fetchone()
            end = Head(sequence=last.sequence, hash=last.hash, at=last.at, keys=made, erasures=erasures)
            mac = keys.head_mac(end) if keys else b"x" * 16
            self.database.execute(
                "UPDATE clearance_inference_head SET sequence = ?, hash = ?, at = ?, mac = ?",
                (end.sequence, end.hash, end.at, mac),
            )

    def verify(self, seals: Seals | None, *, keys: bool = True) -> InferenceLogReport:
        """What verification finds in the copy."""
        self.database.close()
        with closing(
            SqliteConnection(parse(f"sqlite:///{self.folder}/log.db"), 5, create=False)
        ) as connection:
            return verification.verify(connection, self.log, self.keyring if keys else None, seals)


@pytest.fixture
def damage(template: Template, tmp_path: Path) -> Damage:
    return Damage(template, tmp_path)


@pytest.fixture(scope="module")
def copies(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Damage]:
    return lambda: Damage(template, tmp_path_factory.mktemp("copy"))


def again(rows: list[Row], log: str, keys: Keyring | None) -> list[Row]:
    """The rows chained as if they had always been so; authenticated only with the key file."""
    result, previous = [], chain.origin(log)
    for sequence, row in enumerate(rows, 1):
        digest = chain.digest(sequence, row.at, row.key, previous, header=row.header, sealed=row.sealed)
        mac = keys.mac(digest) if keys else row.mac
        result.append(replace(row, sequence=sequence, hash=digest, mac=mac))
        previous = digest
    return result


def found(report: InferenceLogReport) -> set[str]:
    return {finding.fault for finding in report.findings}


def first(report: InferenceLogReport) -> int | None:
    return min((f.sequence for f in report.findings if f.sequence is not None), default=None)


place = st.integers(0, RECORDS - 1)


@given(place, st.sampled_from(COLUMNS[1:]), st.integers(0, 10**6))
def test_any_change_of_a_field_is_found_at_its_record(
    copies: Callable[[], Damage], at: int, column: str, number: int
) -> None:
    damage = copies()
    old = getattr(damage.rows[at], column)
    new: Any
    if isinstance(old, bytes):
        new = bytearray(old)
        new[number % len(old)] ^= 1 << number % 8
    elif isinstance(old, int):
        new = old + 1 + number
    else:
        text = old or "0"
        new = text[: number % len(text)] + "~" + text[number % len(text) + 1 :]
    damage.database.execute(
        f"UPDATE clearance_inference_records SET {column} = ? WHERE sequence = ?",  # noqa: S608
        (bytes(new) if isinstance(new, bytearray) else new, at + 1),
    )
    report = damage.verify(damage.seals)
    assert first(report) == at + 1
    if column != "mac":  # who wrote it, only the key file tells
        assert not copies_without_keys(damage).ok


def copies_without_keys(damage: Damage) -> InferenceLogReport:
    return damage.verify(damage.seals, keys=False)


@given(place, st.integers(1, 5))
def test_a_missing_record_is_found(copies: Callable[[], Damage], at: int, count: int) -> None:
    damage = copies()
    rows = damage.rows[:at] + damage.rows[at + count :]
    damage.write(rows, head=False, keys=None)
    report = damage.verify(None, keys=False)
    assert not report.ok
    assert first(report) == at + 1


@given(place, place)
def test_another_order_is_found(copies: Callable[[], Damage], one: int, other: int) -> None:
    damage = copies()
    rows = list(damage.rows)
    rows[one], rows[other] = (
        replace(rows[other], sequence=one + 1),
        replace(rows[one], sequence=other + 1),
    )
    damage.write(rows, head=False, keys=None)
    report = damage.verify(None, keys=False)
    assert report.ok == (one == other)
    assert one == other or first(report) == min(one, other) + 1


@given(st.integers(1, RECORDS - 1))
def test_a_cut_tail_is_found_although_the_head_was_moved(copies: Callable[[], Damage], left: int) -> None:
    damage = copies()
    damage.write(damage.rows[:left], head=True, keys=None)
    assert verification.InferenceLogFault.FORGED in found(damage.verify(None))
    assert damage.verify(damage.seals, keys=False).ok == (left >= SEALED)


@given(place, st.sampled_from(["edit", "delete", "swap", "forge"]), st.booleans())
def test_a_chain_that_was_made_again_is_found(
    copies: Callable[[], Damage], at: int, how: str, insider: bool
) -> None:
    """Whoever holds the key file can make a chain again; the ledger finds it up to the last seal."""
    damage = copies()
    keys = damage.keyring if insider else None
    rows = list(damage.rows)
    if how == "edit":
        rows[at] = replace(rows[at], sealed=rows[at].sealed[:-1] + bytes([rows[at].sealed[-1] ^ 1]))
    elif how == "delete":
        del rows[at]
    elif how == "swap":
        rows[at], rows[at - 1] = rows[at - 1], rows[at]
    else:
        rows.append(replace(rows[at], id=inference_log.new_id(), idempotency=None))
    damage.write(again(rows, damage.log, keys), head=True, keys=keys)
    report = damage.verify(damage.seals)
    sealed = how != "forge" and (at < SEALED if how != "swap" else at <= SEALED)
    assert not report.ok or (insider and not sealed)
    if sealed:
        assert found(report) & {"segment", "cut"}
    if not insider:
        assert "forged" in found(report)


def test_an_erasure_that_nothing_explains_is_found(damage: Damage) -> None:
    damage.database.execute("UPDATE clearance_inference_keys SET wrapped = NULL WHERE number = 3")
    assert found(damage.verify(damage.seals, keys=False)) == {"key"}


def test_a_destroyed_key_that_is_back_is_found(damage: Damage) -> None:
    (erased,) = damage.database.execute(
        "SELECT number FROM clearance_inference_keys WHERE wrapped IS NULL"
    ).fetchone()
    damage.database.execute(
        "UPDATE clearance_inference_keys SET wrapped = ? WHERE number = ?", (b"x" * 60, erased)
    )
    report = damage.verify(damage.seals)
    assert (found(report), report.erased) == ({"key"}, 0)


@pytest.mark.parametrize(
    "statement", ["DELETE FROM {0} WHERE number = 3", "UPDATE {0} SET wrapped = zeroblob(60)"]
)
def test_a_key_that_is_gone_or_not_ours_is_found(damage: Damage, statement: str) -> None:
    damage.database.execute(statement.format("clearance_inference_keys"))
    assert found(damage.verify(damage.seals)) == {"key"}


def test_a_lost_head_is_found(damage: Damage) -> None:
    damage.database.execute("DELETE FROM clearance_inference_head")
    assert found(damage.verify(None)) == {"cut"}


def test_nothing_is_appended_to_or_sealed_over_a_damaged_end(template: Template, damage: Damage) -> None:
    damage.write(damage.rows[:-1], head=False, keys=None)
    damage.database.close()
    address = f"sqlite:///{damage.folder}/log.db"
    signer = samples.signer()
    with (
        opened(address, damage.folder) as log,
        ledger.open(samples.sqlite(damage.folder), seal=signer.seal(damage.folder / "c")) as book,
    ):
        with raises("inference_log.unsound_head"):
            log.append(inference())
        inferences.change(address, "UPDATE clearance_inference_records SET at = '2' WHERE sequence = 20")
        with raises("inference_log.not_sealable", sequence=20):
            log.seal(inferences.access(book), size=SIZE)
        assert not list(ledger.entries(book, kind=ledger.EntryKind.INFERENCE_SEGMENT))


def test_content_cannot_be_moved_to_another_record(damage: Damage) -> None:
    """Not even by somebody who can make the chain again: a seal is bound to its place and its header."""
    rows = list(damage.rows)
    one, other = rows[-2], rows[-1]
    assert one.key == other.key
    rows[-2:] = [replace(one, sealed=other.sealed), replace(other, sealed=one.sealed)]
    damage.write(again(rows, damage.log, damage.keyring), head=True, keys=damage.keyring)
    damage.database.close()
    with (
        opened(f"sqlite:///{damage.folder}/log.db", damage.folder) as log,
        raises("inference_log.unreadable_record", id=one.id),
    ):
        log.read(one.id, reader="ada", reason="audit")


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    """A stream: what verification holds at once is far less than the log."""
    import tracemalloc

    with opened(f"sqlite:///{tmp_path}/log.db", tmp_path) as log:
        for _ in range(4):
            log.append(*(inference(subject=None, input={"text": "x" * 4_000}) for _ in range(250)))
        tracemalloc.start()
        try:
            assert log.verify().records == 1_000
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (tmp_path / "log.db").stat().st_size > 4_000_000
    assert peak < 1_000_000
