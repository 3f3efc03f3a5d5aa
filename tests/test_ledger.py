"""What is appended is there once, in order, checkpointed, and tells who did it; nothing else is accepted."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as settings_
from hypothesis import strategies as st

from assurance import ledger_concurrency as concurrency
from clearance import ledger
from clearance.errors import (
    BusyError,
    UnavailableError,
)
from clearance.ledger import (
    Draft,
    EntryKind,
    checkpoint,
    checkpoint_files,
    entry,
    retention,
    settings,
    verification_report,
)
from clearance.ledger.checkpoint import Checkpoint
from tests.support import ledger_samples as samples
from tests.support.codes import raises

NOW = dt.datetime(2026, 11, 26, 10, 0, tzinfo=dt.UTC)
FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if not samples.postgres_runs():
        pytest.skip("PostgreSQL does not answer on 127.0.0.1:5432")
    with samples.postgres() as address:
        yield address


def test_what_is_appended_is_read_back_and_verifies(
    address: str, tmp_path: Path, signer: samples.Signer
) -> None:
    seal = signer.seal(tmp_path / "one", tmp_path / "two")
    with ledger.open(address, seal=seal) as book:
        entries = ledger.append(book, [samples.draft(1), samples.draft(1, EntryKind.APPROVAL, "vera")])
        entries += ledger.append(
            book, [Draft(kind=EntryKind.ROLES, model=None, actor="ada", body={"version": 2})]
        )
        assert [record.number for record in entries] == [1, 2, 3]
        assert tuple(ledger.entries(book)) == entries
        assert [record.number for record in ledger.entries(book, model=samples.MODEL)] == [1, 2]
        assert [record.number for record in ledger.entries(book, after=1, until=2)] == [2]
        assert ledger.head(book) == (3, entries[2].digest)
        report = ledger.verify(book, seal.places, signer.verify_envelope)
    assert (report.ok, report.entries, report.checkpoints, report.notes) == (True, 3, 2, ())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with ledger.open(address) as again:
        assert again.id == book.id
        with raises("ledger.read_only"):
            ledger.append(again, [samples.draft(1)])


def test_a_batch_is_recorded_whole_or_not_at_all(tmp_path: Path, signer: samples.Signer) -> None:
    seal = signer.seal(tmp_path / "one")
    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book:
        for batch in ([], [samples.draft(1)] * (ledger.log.LARGEST + 1)):
            with raises("ledger.batch_size"):
                ledger.append(book, batch)
        failing_seal = replace(
            seal, sign=lambda _: (_ for _ in ()).throw(UnavailableError("the signer", "wait"))
        )
        with pytest.raises(UnavailableError, match="the signer"):
            ledger.append(replace(book, seal=failing_seal), [samples.draft(1)])
        assert ledger.head(book)[0] == 0
        assert ledger.append(book, [samples.draft(1)])[0].number == 1


def test_the_digest_is_what_the_guide_says(tmp_path: Path, signer: samples.Signer) -> None:
    """Computed by hand, as somebody with another language would."""
    import hashlib

    draft = Draft(
        kind=EntryKind.OVERRIDE, model="modèle", actor="rita", keyid=None, body={"b": "é", "a": [1, None]}
    )
    first, second = entry.chain([draft, draft], after=0, previous=entry.origin("f" * 32), at=NOW)
    origin = hashlib.sha256(
        json.dumps(["clearance/ledger/origin/1", "f" * 32], separators=(",", ":")).encode()
    )
    assert first.previous == origin.hexdigest()
    text = '{"a":[1,null],"b":"\\u00e9"}'
    body = hashlib.sha256(f"clearance/ledger/body/1 {second.salt} {text}".encode()).hexdigest()
    fields = [
        "clearance/ledger/entry/1",
        2,
        "2026-11-26T10:00:00.000000Z",
        "override",
        "modèle",
        "rita",
        None,
    ]
    message = json.dumps([*fields, body, first.digest], separators=(",", ":"))
    assert second.digest == hashlib.sha256(message.encode()).hexdigest()
    assert first.salt != second.salt


@pytest.mark.parametrize(
    ("change", "code", "values"),
    [
        ({"actor": ""}, "invalid_name", {"field": "actor"}),
        ({"actor": "a\nb"}, "invalid_name", {"field": "actor"}),
        ({"model": "x" * 201}, "invalid_name", {"field": "model"}),
        ({"keyid": "\ud800"}, "invalid_name", {"field": "keyid"}),
        ({"kind": "gossip"}, "unknown_kind", {"kind": "gossip"}),
        ({"body": {"x": float("nan")}}, "invalid_body", {}),
        ({"body": {"x": object()}}, "invalid_body", {}),
        ({"body": [1]}, "invalid_body", {}),
        ({"body": {"x": "y" * entry.LONGEST}}, "body_too_long", {"limit": entry.LONGEST}),
    ],
)
def test_a_draft_that_cannot_be_recorded_is_refused(
    change: dict[str, object], code: str, values: dict[str, object]
) -> None:
    fields = {"kind": EntryKind.PROPOSAL, "model": "m", "actor": "a", "body": {}} | change
    with raises(f"ledger.{code}", **values):
        Draft(**fields)


@settings_(max_examples=50, deadline=None)
@given(
    body=st.dictionaries(
        st.text(max_size=9), st.none() | st.integers() | st.text() | st.booleans(), max_size=4
    ),
    column=st.sampled_from(["number", "time", "kind", "model", "actor", "keyid", "previous"]),
)
def test_every_field_is_covered_by_the_digest(body: dict[str, object], column: str) -> None:
    draft = Draft(kind=EntryKind.VERDICT, model="m", actor="a", body=body)
    (record,) = entry.chain([draft], after=4, previous="0" * 64, at=NOW)
    assert entry.fault_in(record) is None
    assert record.body == json.loads(json.dumps(body))
    other = {"number": 6, "time": "2026-11-26T10:00:00.000001Z"}.get(column, "other")
    assert entry.fault_in(replace(record, **{column: other})) is not None
    assert entry.fault_in(replace(record, text='{"version":666}')) is not None
    assert entry.fault_in(replace(record, text=None, salt=None)) is None  # erased: for `verify` to judge


def test_an_entry_tells_who_did_what_and_keeps_the_rest_to_itself() -> None:
    draft = samples.draft(3, EntryKind.PROMOTION, "otto", token="s3cr3t")  # noqa: S106 - made up
    (record,) = entry.chain([draft], after=11, previous="0" * 64, at=NOW)
    assert str(record) == "#12 2026-11-26 10:00:00 UTC: otto promoted loan-approval version 3."
    assert "content erased" in str(replace(record, text=None, salt=None))
    assert str(replace(record, kind="gossip")).endswith("otto recorded `gossip` on loan-approval version 3.")
    assert record.to_json()["body"]["version"] == 3
    assert "salt" not in record.to_json()
    for kind in EntryKind:
        (variant,) = entry.chain([replace(draft, kind=kind)], after=0, previous="", at=NOW)
        assert "recorded `" not in str(variant)


def test_a_clock_that_goes_back_does_not_reorder_the_log(tmp_path: Path, signer: samples.Signer) -> None:
    times = iter([NOW, NOW - dt.timedelta(minutes=5), NOW + dt.timedelta(seconds=1)])
    seal = signer.seal(tmp_path / "one")
    with ledger.open(samples.sqlite(tmp_path), seal=seal, clock=lambda: next(times)) as book:
        timestamps = [ledger.append(book, [samples.draft(1)])[0].at for _ in range(3)]
        assert timestamps == [NOW, NOW, NOW + dt.timedelta(seconds=1)]
        assert ledger.verify(book, seal.places, signer.verify_envelope).ok


def test_a_clock_far_ahead_drags_no_later_entry_with_it(tmp_path: Path, signer: samples.Signer) -> None:
    ahead = NOW + dt.timedelta(days=365)
    times = iter([ahead, NOW, NOW + dt.timedelta(seconds=1)])
    seal = signer.seal(tmp_path / "one")
    with ledger.open(samples.sqlite(tmp_path), seal=seal, clock=lambda: next(times)) as book:
        timestamps = [ledger.append(book, [samples.draft(1)])[0].at for _ in range(3)]
    assert timestamps == [ahead, NOW, NOW + dt.timedelta(seconds=1)]


def test_a_body_may_be_erased_and_the_ledger_still_verifies(
    address: str, tmp_path: Path, signer: samples.Signer
) -> None:
    seal = signer.seal(tmp_path / "one")
    with ledger.open(address, seal=seal) as book:
        ledger.append(
            book, [samples.draft(1, who="Person of Interest"), samples.draft(1, EntryKind.PROMOTION)]
        )
        redaction = ledger.redact(book, samples.erasure(1, keyid="a" * 64, reason="asked for by the person"))
        assert (redaction.number, redaction.kind, redaction.actor, redaction.keyid) == (
            3,
            "redaction",
            "ada",
            "a" * 64,
        )
        entries = list(ledger.entries(book))
        assert (entries[0].text, entries[0].salt, entries[0].body, entries[0].redacted) == (
            None,
            None,
            {},
            True,
        )
        report = ledger.verify(book, seal.places, signer.verify_envelope)
        assert report.ok
        assert "ada erased the content of entries 1" in report.notes[0]
        assert "asked for by the person" in report.notes[0]
        for number in (2, 3, 9):  # two kinds that must stay readable, and an entry that does not exist
            with raises("ledger.not_erasable", number=number):
                ledger.redact(book, samples.erasure(number, keyid=None, reason="x"))
        with raises("ledger.no_reason"):
            ledger.redact(book, samples.erasure(1, keyid=None, reason=" "))
        assert ledger.head(book)[0] == 3
    if (tmp_path / "ledger.db").exists():
        assert b"Interest" not in b"".join(
            file.read_bytes() for file in tmp_path.glob("ledger.db*") if file.is_file()
        )


def test_a_batch_may_be_as_large_as_it_may(
    tmp_path: Path, signer: samples.Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearance.ledger.log.LARGEST", 3)
    nested = tmp_path / "a" / "b"
    seal = signer.seal(tmp_path / "c" / "d" / "checkpoints")
    with ledger.open(f"sqlite:///{nested}/ledger.db", seal=seal) as book:
        assert len(ledger.append(book, [samples.draft(1)] * 3)) == 3
        for size in (0, 4):
            with raises("ledger.batch_size", limit=3, size=size):
                ledger.append(book, [samples.draft(1)] * size)
        assert ledger.head(book)[0] == 3


def test_a_fault_that_is_there_often_is_told_once_with_its_count() -> None:
    erasure = verification_report.LedgerFinding(
        fault=verification_report.LedgerFault.ERASED, number=2, detail="entry 2"
    )
    assert str(erasure) == "erased without a redaction: entry 2"
    assert str(replace(erasure, count=2)) == "erased without a redaction: entry 2 (2 in total)"
    tally = verification_report.FindingCounter()
    for number in (5, 9, None):
        tally.add(verification_report.LedgerFault.ERASED, number, f"entry {number}", 2)
    tally.add(verification_report.LedgerFault.EDITED, 3, "entry 3")
    assert [(finding.number, finding.count) for finding in tally.all()] == [(3, 1), (5, 6)]


def test_places_that_do_not_fit_stop_every_append(tmp_path: Path, signer: samples.Signer) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    seal = signer.seal(one, two)
    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book:
        for _ in range(3):
            ledger.append(book, [samples.draft(1)])
        sound = two.read_text()
        lines = sound.splitlines(keepends=True)

        def refused(code: str, **values: object) -> None:
            with raises(code, **values):
                ledger.append(book, [samples.draft(1)])

        two.write_text("".join(lines[:2]))
        refused("ledger.checkpoints_missing", file=two, source=one)
        two.unlink()
        refused("ledger.checkpoints_missing")
        one.unlink()
        two.unlink(missing_ok=True)
        refused("ledger.no_checkpoint_left", count=3)
        other = samples.signer().seal(one, two)
        for place in (one, two):
            place.write_text(sound)
        with raises("ledger.invalid_checkpoint"):
            ledger.append(replace(book, seal=other, signed=deque()), [samples.draft(1)])
        for place in (one, two):
            place.write_text("".join(lines[:4]))
        refused("ledger.head_mismatch", number=3)
        for place in (one, two):
            place.write_text("".join(lines))
        assert ledger.append(book, [samples.draft(1)])[0].number == 4


def test_a_database_that_was_begun_anew_is_refused(tmp_path: Path, signer: samples.Signer) -> None:
    seal = signer.seal(tmp_path / "one")
    samples.write(samples.sqlite(tmp_path), seal, [[samples.draft(1)]])
    for file in tmp_path.glob("ledger.db*"):
        file.unlink() if file.is_file() else None
    with (
        ledger.open(samples.sqlite(tmp_path), seal=seal) as book,
        raises("ledger.foreign_checkpoints"),
    ):
        ledger.append(book, [samples.draft(1)])


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path, signer: samples.Signer) -> None:
    (tmp_path / "file").write_text("")
    seal = signer.seal(tmp_path / "file" / "below")
    with (
        ledger.open(samples.sqlite(tmp_path), seal=seal) as book,
        raises("ledger.checkpoints_not_writable"),
    ):
        ledger.append(book, [samples.draft(1)])
    with (
        raises("ledger.no_checkpoint_file"),
        ledger.open(samples.sqlite(tmp_path), seal=signer.seal()),
    ):
        pass


def test_a_line_cut_in_two_by_a_crash_is_no_alarm(tmp_path: Path, signer: samples.Signer) -> None:
    one = tmp_path / "one"
    seal = signer.seal(one)
    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book:
        ledger.append(book, [samples.draft(1)])
        with one.open("a") as file:
            file.write('{"payload": "cut in t')
        assert ledger.verify(book, seal.places, signer.verify_envelope).ok
        ledger.append(book, [samples.draft(1)])
        report = ledger.verify(book, seal.places, signer.verify_envelope)
        assert (report.ok, report.checkpoints) == (True, 2)


def test_a_place_is_read_backwards_across_blocks(tmp_path: Path, signer: samples.Signer) -> None:
    one = tmp_path / "one"
    with ledger.open(samples.sqlite(tmp_path), seal=signer.seal(one)) as book:
        ledger.append(book, [samples.draft(1)] * 300)  # one line of some 40 kB
        batch = ledger.append(book, [samples.draft(1)])
    newest = checkpoint_files.tail(one).newest
    assert newest is not None
    assert (newest.last, newest.digest, checkpoint_files.tail(one).confirmed) == (301, batch[0].digest, True)
    checkpoint_lines = [
        line for line in checkpoint_files.lines(one) if isinstance(checkpoint.read(line), Checkpoint)
    ]
    assert list(checkpoint_files._backwards(one)) == list(checkpoint_files.lines(one))[::-1]
    assert len(checkpoint_lines) == 2


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("nonsense", "invalid_address"),
        ("mysql://u:s3cr3t@127.0.0.1/x", "invalid_address"),
        ("sqlite://", "in_memory"),
        ("sqlite:///:memory:", "in_memory"),
        ("postgresql+asyncpg://u:s3cr3t@127.0.0.1/x", "untested_driver"),
    ],
)
def test_an_address_of_no_use_is_refused_without_its_password(url: str, code: str) -> None:
    with raises(f"ledger.{code}") as excinfo, ledger.open(url):
        pass
    assert "s3cr3t" not in str(excinfo.value)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with (
        raises("ledger.database_unavailable") as excinfo,
        ledger.open("postgresql://somebody:s3cr3t@127.0.0.1:1/x"),
    ):
        pass
    assert "postgresql://127.0.0.1/x" in excinfo.value.values["database"]
    assert "s3cr3t" not in f"{excinfo.value!r} {excinfo.value.__context__!r} {excinfo.value.__cause__!r}"


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("this is no database, and it is long enough to be read as one" * 20)
    with raises("ledger.database_damaged"), ledger.open(samples.sqlite(tmp_path)):
        pass


def test_settings_name_the_project_unless_the_environment_says_otherwise(tmp_path: Path) -> None:
    assert settings.address(tmp_path, {}) == f"sqlite:///{tmp_path}/.clearance/ledger.db"
    assert settings.address(tmp_path, {"CLEARANCE_LEDGER": "postgresql://h/d"}) == "postgresql://h/d"
    own = tmp_path / ".clearance/ledger.checkpoints"
    assert settings.checkpoint_paths(tmp_path, {}) == (own,)
    environment = {"CLEARANCE_CHECKPOINTS": os.pathsep.join(["/mnt/worm/a", "b", "b", ""])}
    assert settings.checkpoint_paths(tmp_path, environment) == (Path("/mnt/worm/a"), tmp_path / "b")
    assert settings.witness_path(tmp_path, environment) == own
    assert settings.witness_path(tmp_path, {}) is None


def test_the_lock_of_a_model_is_held_by_one(address: str, tmp_path: Path, signer: samples.Signer) -> None:
    seal = signer.seal(tmp_path / "one")
    with ledger.open(address, seal=seal) as book, ledger.open(address, seal=seal) as other:
        with ledger.lock(book, "m") as fence:
            ledger.ensure(book, fence)
            with raises("ledger.lock_timeout"), ledger.lock(other, "m", 0.05):
                pass
            with ledger.lock(other, "another", 0.05):
                pass
        with ledger.lock(other, "m", 0.05) as later:
            assert later.token > fence.token
            with raises("ledger.lock_lost"):
                ledger.append(book, [samples.draft(1)], fence=fence)
            with raises("ledger.lock_lost"):
                ledger.ensure(book, fence)
            ledger.append(other, [samples.draft(1)], fence=later)
        assert ledger.head(book)[0] == 1


def test_a_killed_holder_blocks_nobody(address: str, tmp_path: Path, signer: samples.Signer) -> None:
    ours, theirs = FORK.Pipe()

    def hold() -> None:
        with ledger.open(address) as book, ledger.lock(book, "m"):
            theirs.send("held")
            signal.pause()

    holder = FORK.Process(target=hold)
    holder.start()
    assert ours.recv() == "held"
    with ledger.open(address) as book:
        with pytest.raises(BusyError), ledger.lock(book, "m", 0.05):
            pass
        os.kill(holder.pid or 0, signal.SIGKILL)
        holder.join()
        with ledger.lock(book, "m", 60):
            pass


def test_a_holder_whose_connection_broke_records_nothing(
    server: str, tmp_path: Path, signer: samples.Signer
) -> None:
    """PostgreSQL ends the session that holds the lock; the process lives and does not know."""
    seal = signer.seal(tmp_path / "one")
    with ledger.open(server, seal=seal) as book, ledger.open(server, seal=seal) as other:
        with ledger.lock(book, "m") as fence:
            with psycopg.connect(server, autocommit=True) as owner:
                owner.execute(
                    "SELECT pg_terminate_backend(held.pid) FROM pg_locks AS held JOIN pg_database AS own "
                    "ON own.oid = held.database AND own.datname = current_database() "
                    "WHERE held.mode = 'RowShareLock' AND held.granted"
                )
            with ledger.lock(other, "m", 60) as later:
                ledger.append(other, [samples.draft(2)], fence=later)
            with raises("ledger.lock_lost"):
                ledger.append(book, [samples.draft(1)], fence=fence)
        assert [record.body["version"] for record in ledger.entries(book)] == [2]


def test_retention_names_what_is_past_its_period_and_erases_nothing() -> None:
    leap = dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)
    drafts = [samples.draft(1), samples.draft(1, EntryKind.REFUSAL), samples.draft(1, EntryKind.PROMOTION)]
    entries = list(entry.chain(drafts, after=0, previous="", at=leap))

    def past(years: dict[str, int], day: str) -> list[int]:
        return [record.number for record in retention.expired(entries, years, dt.date.fromisoformat(day))]

    assert past({"others": 5, "refusal": 1}, "2025-03-01") == []
    assert past({"others": 5, "refusal": 1}, "2025-03-02") == [2]
    assert past({"others": 5}, "2029-03-02") == [1, 2, 3]
    assert past({"refusal": 4}, "2028-02-29") == []
    assert past({"refusal": 4}, "2028-03-01") == [2]
    entries[1] = replace(entries[1], text=None, salt=None)
    assert past({"others": 1}, "2029-03-02") == [1, 3]
    for years in ({"gossip": 3}, {"others": 0}, {"others": True}, {"others": 2.5}):
        with raises("ledger.unknown_retention"):
            past(years, "2025-01-01")  # type: ignore[arg-type]


@pytest.mark.slow
def test_many_processes_leave_one_linear_history(tmp_path: Path) -> None:
    results = concurrency.run(tmp_path, processes=4, operations=12, starts=2)
    assert "sqlite" in results
    for row in results.values():
        assert row["contradictions"] == []
        assert row["failures"] == []
        assert row["append"] + row["move"] + row["read"] == 48


def test_the_check_of_histories_sees_what_is_wrong() -> None:
    """A benchmark that finds nothing must be able to find something."""

    def did(what: str, start: float, end: float, number: int, version: int = 0) -> concurrency.Operation:
        return concurrency.Operation(what, samples.MODEL, start, end, number, version)

    entries = list(entry.chain([samples.draft(1)] * 2, after=0, previous="", at=NOW))
    fine = [did("append", 0, 1, 1), did("append", 2, 3, 2)]
    assert list(concurrency.contradictions(fine, entries)) == []
    inversion = [did("append", 0, 1, 2), did("append", 2, 3, 1)]
    assert any(
        "was begun after" in contradiction for contradiction in concurrency.contradictions(inversion, entries)
    )
    assert list(concurrency.contradictions(fine, entries[:1]))
    assert list(concurrency.contradictions(fine[:1], entries))
    stale = [did("move", 0, 1, 2, 4), did("read", 2, 3, 0, 3)]
    assert any(
        "was read" in contradiction for contradiction in concurrency.contradictions(stale, entries[:0])
    )


def test_what_was_erased_is_not_left_in_the_file(tmp_path: Path, signer: samples.Signer) -> None:
    with ledger.open(samples.sqlite(tmp_path), seal=signer.seal(tmp_path / "one")) as book:
        ledger.append(book, [samples.draft(1, who=f"Person {number} of Interest") for number in range(40)])
    assert b"Person 20 of Interest" in (tmp_path / "ledger.db").read_bytes()
    with ledger.open(samples.sqlite(tmp_path), seal=signer.seal(tmp_path / "one")) as book:
        ledger.redact(book, samples.erasure(21, keyid=None, reason="asked for"))
        for file in tmp_path.glob("ledger.db*"):
            assert b"Person 20 of Interest" not in (file.read_bytes() if file.is_file() else b"")
    assert b"Person 19 of Interest" in (tmp_path / "ledger.db").read_bytes()


def test_no_character_moves_from_the_body_to_its_salt() -> None:
    draft = Draft(kind=EntryKind.VERDICT, model="m", actor="a", body={"a": "x y"})
    (record,) = entry.chain([draft], after=0, previous="", at=NOW)
    head, _, rest = str(record.text).partition(" ")
    variant = replace(record, salt=f"{record.salt} {head}", text=rest)
    assert f"{variant.salt} {variant.text}" == f"{record.salt} {record.text}"
    assert entry.fault_in(variant) is not None


def test_verifying_while_others_append_raises_no_alarm(
    tmp_path: Path, signer: samples.Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry arrives between the look at the places and the look at the database."""
    seal = signer.seal(tmp_path / "one")
    newest = ledger.reading.newest
    late = [samples.draft(3), samples.draft(2)]

    def slow(book: ledger.Ledger) -> int:
        if late:
            ledger.append(book, [late.pop()])
        return newest(book)

    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book:
        ledger.append(book, [samples.draft(1)])
        monkeypatch.setattr(ledger.reading, "newest", slow)
        report = ledger.verify(book, seal.places, signer.verify_envelope)
    assert (report.ok, report.entries) == (True, 3)


def test_what_was_signed_must_be_what_the_line_says(tmp_path: Path, signer: samples.Signer) -> None:
    """A reader of envelopes that sees another statement than we do is not believed."""
    samples.write(samples.sqlite(tmp_path), signer.seal(tmp_path / "one"), [[samples.draft(1)]] * 2)
    newest = checkpoint_files.tail(tmp_path / "one").newest
    assert newest is not None
    other = json.loads(next(checkpoint_files.lines(tmp_path / "one")))
    assert checkpoint.fault_in(newest, signer.verify_envelope) is None
    assert checkpoint.fault_in(newest, lambda _: signer.verify_envelope(other)) is not None
