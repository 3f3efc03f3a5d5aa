"""Erasure and retention: content goes when it must, not a day earlier, and the log still verifies."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import inference_log, ledger
from clearance.inference_log import InferenceLog, retention, seals
from clearance.inference_log.seals import LedgerAccess
from clearance.ledger import EntryKind, times
from clearance.ledger.events import InferenceDeletionEvent
from clearance.policy.inference_log_terms import RetentionPeriod, add_months
from tests.support import inferences
from tests.support import ledger_samples as samples
from tests.support.codes import raises
from tests.support.inferences import opened

START = dt.datetime.now(dt.UTC).replace(day=28, hour=12, minute=0, second=0, microsecond=0)
"""Later than now or not by much: what is recorded without a time has that of the day the test runs on."""
DAY = dt.timedelta(days=1)
LAW = {"kind": "legal", "source": "the law", "valid_from": dt.date(2020, 1, 1)}
PERIODS = (
    RetentionPeriod(id="ai-act", months=6, **LAW),
    RetentionPeriod(id="ecoa", months=25, **LAW),
)
END = add_months(START, 25)
"""25 months after the start."""


def inference(**changes: Any) -> inference_log.Inference:
    """A decision that was made at `START`, whatever day the test runs on."""
    return inferences.inference(**({"time": START} | changes))


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(address: str, tmp_path: Path, clock: Clock) -> Iterator[InferenceLog]:
    with opened(address, tmp_path, clock=clock) as log:
        yield log


@pytest.fixture
def access(tmp_path: Path, clock: Clock, signer: samples.Signer) -> Iterator[LedgerAccess]:
    (tmp_path / "book").mkdir()
    seal = signer.seal(tmp_path / "book/checkpoints")
    with ledger.open(samples.sqlite(tmp_path / "book"), seal=seal, clock=clock) as book:
        yield inferences.access(book)


def stored(address: str) -> bytes:
    """All bytes of the database's files; of PostgreSQL, all values."""
    if address.startswith("sqlite"):
        folder = Path(address.removeprefix("sqlite:///")).parent
        return b"".join(path.read_bytes() for path in sorted(folder.glob("ledger.db*")))
    import psycopg

    with psycopg.connect(address) as connection:
        rows = connection.execute("SELECT * FROM clearance_inference_keys").fetchall()
        return repr(rows).encode()


def test_nothing_personal_can_be_read_in_the_database(log: InferenceLog, address: str) -> None:
    log.append(inference(subject="Ada Lovelace", idempotency_key="her-own-key"))
    log.append(inference_log.Refusal(caller="x", code="y", reason="about Ada Lovelace"))
    data = stored(address)
    for secret in (b"Ada", b"Lovelace", b"Boston", b"41.5", b"her-own-key", b"debt"):
        assert secret not in data


def test_an_erased_subject_is_gone_for_good_and_the_chain_holds(
    log: InferenceLog, address: str, tmp_path: Path
) -> None:
    first, second = (log.append(inference(subject="ada"))[0] for _ in range(2))
    log.append(inference_log.Review(about=first.id, caller="ada", step="contest", text="not so"))
    (other,) = log.append(inference(subject="bob"))
    wrapped = _wrapped(address)
    receipt = log.erase_subject("ada", actor="dpo", reason="Art. 17, request 12")
    assert len(wrapped - _wrapped(address)) == 1
    if address.startswith("sqlite"):  # overwritten in the file and gone from its write-ahead log
        assert not any(key in stored(address) for key in wrapped - _wrapped(address))
    for id_ in (first.id, second.id):
        with raises("inference_log.erased", id=id_):
            log.read(id_, reader="ada", reason="audit")
    with raises("inference_log.erased"):
        log.append(inference_log.Replay(about=first.id, caller="a", same=True))
    assert log.read(other.id, reader="ada", reason="audit").record.id == other.id
    record: Any = log.read(receipt.id, reader="ada", reason="audit").record
    assert (record.caller, record.count, record.reason) == ("dpo", 3, "Art. 17, request 12")
    with raises("inference_log.unknown_subject"):
        log.erase_subject("ada", actor="dpo", reason="again")
    (again,) = log.append(inference(subject="ada"))  # who comes back gets a new key
    assert log.read(again.id, reader="ada", reason="audit").record.id == again.id
    report = log.verify()
    assert (report.ok, report.erased) == (True, 1)


def _wrapped(address: str) -> set[bytes]:
    if address.startswith("sqlite"):
        with closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as connection:
            rows = connection.execute("SELECT wrapped FROM clearance_inference_keys").fetchall()
    else:
        import psycopg

        with psycopg.connect(address) as connection_:
            rows = connection_.execute("SELECT wrapped FROM clearance_inference_keys").fetchall()
    return {bytes(row[0]) for row in rows if row[0] is not None}


def test_another_process_forgets_an_erased_key(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path) as one, opened(address, tmp_path) as two:
        (first,) = one.append(inference(subject="ada"))
        two.read(first.id, reader="ada", reason="audit")
        one.erase_subject("ada", actor="dpo", reason="asked for")
        with raises("inference_log.erased"):
            two.read(first.id, reader="ada", reason="audit")
        two.append(inference(subject="ada"))
        assert two.verify().ok


def test_an_erasure_needs_who_and_why(log: InferenceLog) -> None:
    log.append(inference(subject="ada"))
    for actor, reason in (("", "law"), ("dpo", "  ")):
        with raises("inference_log.no_reason"):
            log.erase_subject("ada", actor=actor, reason=reason)


def test_a_repeat_of_what_was_erased_gives_nothing_away(log: InferenceLog) -> None:
    new = inference(subject="ada", idempotency_key="k")
    log.append(new)
    log.erase_subject("ada", actor="dpo", reason="asked for")
    with raises("inference_log.erased"):
        log.append(inference(subject="ada", idempotency_key="k"))


# Key files


def test_a_key_file_is_made_once_for_its_owner_alone(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path) as log:
        (first,) = log.append(inference())
    file = tmp_path / "inference.key"
    assert file.stat().st_mode & 0o777 == 0o600
    content = file.read_bytes()
    with opened(address, tmp_path) as log:
        assert log.read(first.id, reader="ada", reason="audit")
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    ("break_", "code"),
    [
        (lambda file: file.unlink(), "inference_log.key_missing"),
        (lambda file: file.write_text(f"{'0' * 64}\n"), "inference_log.wrong_key"),
        (lambda file: file.write_text("secret\n"), "inference_log.key_malformed"),
        (lambda file: file.chmod(0o644), "inference_log.key_exposed"),
        (lambda file: (file.unlink(), file.mkdir()), "inference_log.key_not_readable"),
    ],
)
def test_a_key_file_that_does_not_fit_is_refused(
    address: str, tmp_path: Path, break_: Any, code: str
) -> None:
    with opened(address, tmp_path) as log:
        log.append(inference())
    break_(tmp_path / "inference.key")
    with raises(code), opened(address, tmp_path):
        pass
    assert not (tmp_path / "inference.key").exists() or os.access(tmp_path / "inference.key", os.R_OK)


# Retention


@given(st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2200, 1, 1)), st.integers(1, 60))
def test_a_month_ends_on_the_same_day_or_the_first_after_it(at: dt.datetime, months: int) -> None:
    end = add_months(at, months)
    assert end.time() == at.time()
    whole = at.year * 12 + at.month + months
    same_month = end.year * 12 + end.month == whole
    assert (same_month and end.day == at.day) or (not same_month and end.day == 1 and at.day > 28)
    assert (end - at).days >= 28 * months


def test_nothing_is_deleted_before_every_period_has_ended(
    log: InferenceLog, access: LedgerAccess, clock: Clock
) -> None:
    log.append(*(inference(subject=f"s{number}") for number in range(4)))
    log.seal(access, size=2)
    for now in (START, START + 212 * DAY, END, END + retention.MARGIN):
        clock.now = now
        assert log.delete_expired(access, periods=PERIODS, now=now, reason="yearly") is None
    clock.now = END + retention.MARGIN + dt.timedelta(seconds=1)
    due = log.delete_expired(access, periods=PERIODS, now=clock.now, reason="yearly")
    assert due is not None
    assert [segment.number for segment in due.segments] == [1, 2]
    (entry,) = access.entries(EntryKind.INFERENCE_DELETION)
    event = entry.read(InferenceDeletionEvent)
    assert event is not None
    assert (event.last, event.months, event.reason) == (4, {"ai-act": 6, "ecoa": 25}, "yearly")
    assert event.ended == times.stamp(END)


def test_the_log_goes_on_and_verifies_after_a_deletion(
    log: InferenceLog, access: LedgerAccess, clock: Clock, address: str
) -> None:
    old = log.append(*(inference(subject=f"s{number}") for number in range(4)))
    log.erase_subject("s0", actor="dpo", reason="asked for")
    log.seal(access, size=5)
    clock.now = END + 10 * DAY
    (kept,) = log.append(inference(subject="s1"))
    assert log.delete_expired(access, periods=PERIODS, now=clock.now, reason="yearly")
    report = log.verify(seals.read(access.entries, log.id))
    assert (report.ok, report.records, report.sealed, report.erased) == (True, 1, 5, 0)
    with raises("inference_log.unknown_decision"):
        log.read(old[0].id, reader="ada", reason="audit")
    assert log.read(kept.id, reader="ada", reason="audit").record.id == kept.id
    log.append(inference(subject="s2"))
    assert log.verify(seals.read(access.entries, log.id)).ok
    assert len(_wrapped(address)) == 3  # s1, s2 and the day: nothing is left of the others
    assert log.delete_expired(access, periods=PERIODS, now=clock.now, reason="again") is None


def test_an_emptied_log_goes_on(log: InferenceLog, access: LedgerAccess, clock: Clock) -> None:
    log.append(inference())
    log.seal(access, size=1)
    clock.now = END + 10 * DAY
    assert log.delete_expired(access, periods=PERIODS, now=clock.now, reason="yearly")
    assert log.verify(seals.read(access.entries, log.id)).ok
    (next_,) = log.append(inference())
    assert next_.sequence == 2
    assert log.verify(seals.read(access.entries, log.id)).ok


def test_a_deletion_that_nobody_recorded_is_found(
    log: InferenceLog, access: LedgerAccess, address: str
) -> None:
    log.append(*(inference() for _ in range(4)))
    log.seal(access, size=2)
    inferences.change(
        address,
        "DELETE FROM clearance_inference_records WHERE sequence <= 2",
        "UPDATE clearance_inference_segments SET expired = '2020' WHERE number = 1",
    )
    report = log.verify(seals.read(access.entries, log.id))
    assert [finding.fault for finding in report.findings] == ["missing"]


def test_a_deletion_before_the_end_of_its_own_periods_does_not_count(
    log: InferenceLog, access: LedgerAccess, clock: Clock, address: str
) -> None:
    """Recorded past the commands, by somebody with the right."""
    log.append(inference(), inference())
    (segment,) = log.seal(access, size=2)
    clock.now = START + 20 * DAY
    access.record(
        InferenceDeletionEvent(
            **{"log": log.id, "segment": 1, "last": 2, "head": segment.head, "months": {"mine": 1}},
            **{"ended": times.stamp(START), "reason": "so"},
        )
    )
    inferences.change(address, "DELETE FROM clearance_inference_records")
    report = log.verify(seals.read(access.entries, log.id))
    assert {finding.fault for finding in report.findings} == {"cut"}


def test_what_is_not_sealed_is_not_deleted(log: InferenceLog, access: LedgerAccess, clock: Clock) -> None:
    log.append(inference(), inference(), inference())
    log.seal(access, size=2)
    clock.now = END + 10 * DAY
    due = log.delete_expired(access, periods=PERIODS, now=clock.now, reason="yearly")
    assert due is not None
    assert due.segments[-1].last == 2
    assert log.verify(seals.read(access.entries, log.id)).records == 1


def test_old_records_are_sealed_although_the_segment_is_not_full(
    log: InferenceLog, access: LedgerAccess, clock: Clock
) -> None:
    log.append(inference())
    assert not log.seal(access, before=START - DAY)
    assert [segment.last for segment in log.seal(access, before=START + DAY)] == [1]


@pytest.mark.parametrize("error", [-DAY, DAY])
def test_a_clock_that_is_a_day_off_deletes_nothing_early(
    log: InferenceLog, access: LedgerAccess, clock: Clock, error: dt.timedelta
) -> None:
    clock.now = START + error  # when the records were written
    log.append(inference(time=clock.now))
    log.seal(access, size=1)
    true = END - dt.timedelta(seconds=1)
    for now in (true - DAY, true, true + DAY):
        clock.now = now
        assert log.delete_expired(access, periods=PERIODS, now=now, reason="yearly") is None


def test_a_clock_behind_the_last_record_deletes_nothing(
    log: InferenceLog, access: LedgerAccess, clock: Clock
) -> None:
    log.append(inference())
    log.seal(access, size=1)
    clock.now = END + 30 * DAY
    log.append(inference())
    with raises("inference_log.clock_behind"):
        log.delete_expired(access, periods=PERIODS, now=END + 10 * DAY, reason="yearly")


def test_a_time_that_a_record_states_keeps_it_longer(
    log: InferenceLog, access: LedgerAccess, clock: Clock
) -> None:
    log.append(inference(time=START + 90 * DAY))
    log.seal(access, size=1)
    clock.now = END + 10 * DAY
    assert log.delete_expired(access, periods=PERIODS, now=clock.now, reason="yearly") is None


def test_without_a_period_everything_is_kept(log: InferenceLog, access: LedgerAccess) -> None:
    with raises("inference_log.no_retention_period"):
        log.delete_expired(access, periods=(), now=END, reason="yearly")


def test_a_period_that_ended_or_has_not_begun_does_not_bind() -> None:
    ended = RetentionPeriod(id="old", months=100, **LAW | {"valid_until": dt.date(2025, 1, 1)})
    future = RetentionPeriod(id="new", months=100, **LAW | {"valid_from": dt.date(2040, 1, 1)})
    day, today = dt.date(2026, 1, 1), dt.date(2030, 1, 1)
    assert not ended.binds(day, today)
    assert not future.binds(day, today)
    assert ended.binds(dt.date(2025, 1, 1), today)


def test_a_deletion_that_was_interrupted_is_finished(
    log: InferenceLog, access: LedgerAccess, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(*(inference() for _ in range(4)))
    log.seal(access, size=2)
    clock.now = END + 10 * DAY

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(retention, "_delete", crash)
        with pytest.raises(KeyboardInterrupt):
            log.delete_expired(access, periods=PERIODS, now=clock.now, reason="yearly")
    known = seals.read(access.entries, log.id)
    report = log.verify(known)
    assert (report.ok, report.undeleted) == (True, 4)
    assert log.delete_expired(access, periods=PERIODS, now=clock.now, reason="yearly") is None
    report = log.verify(known)
    assert (report.ok, report.records, report.undeleted) == (True, 0, 0)
    log.append(inference())
    assert log.verify(known).ok


def test_sealing_may_be_interrupted_after_the_ledger_recorded_it(
    log: InferenceLog, access: LedgerAccess, address: str
) -> None:
    log.append(*(inference() for _ in range(2)))
    log.seal(access, size=2)
    inferences.change(address, "DELETE FROM clearance_inference_segments")
    assert not log.seal(access, size=2)
    assert len(list(access.entries(EntryKind.INFERENCE_SEGMENT))) == 1
    assert log.verify(seals.read(access.entries, log.id)).sealed == 2
