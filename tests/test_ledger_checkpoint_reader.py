"""What the checkpoints of several places say together, to the number; and what a reader is given of it."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from assurance import ledger_attacks as attacks
from clearance import ledger
from clearance.errors import IntegrityError
from clearance.ledger import Draft, EntryKind, audit, checkpoint, checkpoint_files, entry, verification
from clearance.ledger.checkpoint import Checkpoint
from clearance.ledger.checkpoint_reader import CheckpointCopy
from clearance.ledger.verification_report import LedgerFault, LedgerFinding, LedgerReport
from tests.support import ledger_samples as samples
from tests.support.codes import raises

NOW = dt.datetime(2026, 11, 26, 10, 0, tzinfo=dt.UTC)
Found = list[tuple[LedgerFault, int | None, int]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> attacks.Base:
    return attacks.base(tmp_path_factory.mktemp("base"), seed=3)


@pytest.fixture(scope="module")
def signed(base: attacks.Base) -> list[str]:
    """The lines of a place that are checkpoints, in order."""
    lines = base.places[1].read_text().splitlines()
    return [line for line in lines if isinstance(checkpoint.read(line), Checkpoint)]


def read(line: str) -> Checkpoint:
    result = checkpoint.read(line)
    assert isinstance(result, Checkpoint)
    return result


def found(base: attacks.Base, *copies: list[str]) -> Found:
    places = [
        CheckpointCopy(name=f"place {at}", lines=lambda copy=copy: copy) for at, copy in enumerate(copies)
    ]  # type: ignore[misc]
    report = verification.verify(base.id, lambda: base.entries, places, base.signer.verify_envelope)
    return [(finding.fault, finding.number, finding.count) for finding in report.findings]


def resealed(base: attacks.Base, line: str, **change: object) -> str:
    """The checkpoint with other words in it, signed by the right key."""
    statement = json.loads(json.dumps(base.signer.verify_envelope(json.loads(line)).statement))
    statement["predicate"].update(change)
    return checkpoint.line(base.signer.sign(statement))


def test_a_place_with_another_line_is_told_and_the_line_that_is_signed_is_believed(
    base: attacks.Base, signed: list[str]
) -> None:
    forgery = checkpoint.line(
        samples.signer().sign(base.signer.verify_envelope(json.loads(signed[4])).statement)
    )
    odd = [*signed[:4], forgery, *signed[5:]]
    first = read(signed[4]).after + 1
    assert found(base, signed, signed, odd) == [
        (LedgerFault.WRONG_KEY, first, 1),
        (LedgerFault.CHECKPOINT_EDITED, None, 1),
    ]
    assert found(base, odd, signed) == found(base, signed, odd) == found(base, signed, signed, odd)


def test_the_first_entry_of_what_is_in_no_place_is_named_and_its_batches_counted(
    base: attacks.Base, signed: list[str]
) -> None:
    def removed(copy: list[str]) -> tuple[int | None, int]:
        return next(
            (number, count)
            for fault, number, count in found(base, copy)
            if fault is LedgerFault.CHECKPOINT_REMOVED
        )

    assert removed(signed[1:]) == (1, 1)
    assert removed(signed[3:]) == (1, 3)
    assert removed([*signed[:4], *signed[5:]]) == (read(signed[3]).last + 1, 1)
    assert removed([*signed[:4], *signed[7:]]) == (read(signed[3]).last + 1, 3)


def test_a_line_that_does_not_follow_is_told_at_the_one_before_it(
    base: attacks.Base, signed: list[str]
) -> None:
    def edited(copy: list[str]) -> list[int | None]:
        return [number for fault, number, _ in found(base, copy) if fault is LedgerFault.CHECKPOINT_EDITED]

    assert edited([resealed(base, signed[0], previous="1" * 64), *signed[1:]]) == [1]
    assert edited([*signed[:5], resealed(base, signed[5], previous="1" * 64)]) == [read(signed[4]).after + 1]


def test_a_checkpoint_goes_on_from_both_number_and_digest(signed: list[str]) -> None:
    one, two = read(signed[0]), read(signed[1])
    assert two.follows(one) and not two.replaces(one)
    assert not replace(two, head="1" * 64).follows(one)
    assert not replace(two, after=two.after + 1).follows(one)
    again = replace(one, sequence=2)
    assert again.replaces(one) and not again.follows(one)
    assert not replace(again, head="1" * 64).replaces(one)
    assert not replace(again, after=1).replaces(one)
    assert str(one) == f"checkpoint 1 of {one.at} (entries 1 to {one.last})"


def test_a_checkpoint_is_an_in_toto_statement_about_its_entries() -> None:
    batch = tuple(entry.chain([samples.draft(1)] * 2, after=4, previous="a" * 64, at=NOW))
    assert checkpoint.statement("f" * 32, None, (4, "a" * 64), batch, NOW) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": f"entry {record.number}", "digest": {"sha256": record.digest}} for record in batch
        ],
        "predicateType": "urn:clearance:ledger-checkpoint:v1",
        "predicate": {
            "ledger": "f" * 32,
            "sequence": 1,
            "previous": "0" * 64,
            "at": "2026-11-26T10:00:00.000000Z",
            "after": 4,
            "head": "a" * 64,
        },
    }


def test_an_entry_and_a_report_are_json_for_a_reader() -> None:
    (record,) = entry.chain([samples.draft(1)], after=4, previous="a" * 64, at=NOW)
    assert record.to_json() == {
        "number": 5,
        "at": "2026-11-26T10:00:00.000000Z",
        "kind": "proposal",
        "model": samples.MODEL,
        "actor": "pipeline",
        "keyid": "k" * 64,
        "body": record.body,
        "previous": "a" * 64,
        "digest": record.digest,
    }
    finding = LedgerFinding(fault=LedgerFault.ERASED, number=2, detail="entry 2")
    report = LedgerReport(ledger="f", entries=3, checkpoints=2, places=1, findings=(finding,), notes=("n",))
    assert report.to_json() == {
        "ledger": "f",
        "ok": False,
        "first": 2,
        "entries": 3,
        "checkpoints": 2,
        "places": 1,
        "findings": [
            {"fault": "erased without a redaction", "number": 2, "detail": "entry 2", "count": 1},
        ],
        "notes": ["n"],
        "voids": [],
    }


def test_a_body_may_be_as_long_as_it_may() -> None:
    space = entry.LONGEST - len(entry.canonical({"x": ""}))
    Draft(kind=EntryKind.PROPOSAL, model=None, actor="a", body={"x": "y" * space})
    with raises("ledger.body_too_long"):
        Draft(kind=EntryKind.PROPOSAL, model=None, actor="a", body={"x": "y" * (space + 1)})


def test_what_comes_after_the_moment_of_a_verification_is_not_in_it(
    tmp_path: Path, signer: samples.Signer
) -> None:
    seal = signer.seal(tmp_path / "one")
    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book:
        ledger.append(book, [samples.draft(1)])
        number, (copy,) = audit.snapshot(book, seal.places)
        before = list(copy.lines())
        ledger.append(book, [samples.draft(2)])
        assert (number, list(copy.lines()), copy.name) == (1, before, str(tmp_path / "one"))


def test_an_append_in_the_middle_of_a_verification_is_left_to_the_next(
    tmp_path: Path, signer: samples.Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = signer.seal(tmp_path / "one")
    original = verification.verify
    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book:
        ledger.append(book, [samples.draft(1)])

        def late(*arguments: object) -> LedgerReport:
            ledger.append(book, [samples.draft(2)])
            return original(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(verification, "verify", late)
        report = ledger.verify(book, seal.places, signer.verify_envelope)
    assert (report.ok, report.entries) == (True, 1)


def test_a_ledger_that_is_never_still_is_not_waited_for_for_ever(
    tmp_path: Path, signer: samples.Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = signer.seal(tmp_path / "one")
    sizes = iter(range(10**6))
    monkeypatch.setattr(checkpoint_files, "sizes", lambda places: tuple(next(sizes) for _ in places))
    with (
        ledger.open(samples.sqlite(tmp_path), seal=seal, patience=0.02) as book,
        raises("ledger.lock_timeout"),
    ):
        ledger.verify(book, seal.places, signer.verify_envelope)


def test_a_place_gives_its_lines_up_to_a_size_whatever_is_in_it(tmp_path: Path) -> None:
    place = tmp_path / "one"
    place.write_bytes(b"first\n\nsec\xffond X\nthird")
    assert list(checkpoint_files.lines(place)) == ["first", "sec\ufffdond X", "third"]
    assert list(checkpoint_files._backwards(place)) == ["third", "sec\ufffdond X", "first"]
    assert list(checkpoint_files.lines(place, 6)) == ["first"]
    assert list(checkpoint_files.lines(place, 5)) == []
    assert list(checkpoint_files.lines(place, 7 + 10)) == ["first", "sec\ufffdond X"]
    place.write_bytes(b"\xfe only")
    assert list(checkpoint_files._backwards(place)) == ["\ufffd only"]


def test_half_a_line_on_a_full_disk_is_no_checkpoint(
    tmp_path: Path, signer: samples.Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tmp_path / "one"
    write = os.write
    with ledger.open(samples.sqlite(tmp_path), seal=signer.seal(one)) as book:
        ledger.append(book, [samples.draft(1)])
        with monkeypatch.context() as full:
            full.setattr(os, "write", lambda handle, content: write(handle, content[:20]))
            with raises("ledger.checkpoints_not_writable"):
                ledger.append(book, [samples.draft(2)])
        assert ledger.head(book)[0] == 1
        assert ledger.append(book, [samples.draft(2)])[0].number == 2
        assert ledger.verify(book, [one], signer.verify_envelope).ok


def test_nothing_goes_on_from_an_entry_that_was_changed(tmp_path: Path, signer: samples.Signer) -> None:
    seal = signer.seal(tmp_path / "one")
    samples.write(samples.sqlite(tmp_path), seal, [[samples.draft(1)], [samples.draft(2)]])
    attacks._sql(tmp_path, f"UPDATE {attacks.TABLE} SET actor = ? WHERE number = 2", "mallory")  # noqa: S608
    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book:
        for ask in (lambda: ledger.append(book, [samples.draft(3)]), lambda: ledger.head(book)):
            with raises("ledger.unsound_head"):
                ask()
        assert ledger.reading.newest(book) == 2


def verified(base: attacks.Base, rows: list[entry.Entry], *copies: list[str]) -> LedgerReport:
    places = [
        CheckpointCopy(name=f"place {at}", lines=lambda copy=copy: copy) for at, copy in enumerate(copies)
    ]  # type: ignore[misc]
    return verification.verify(base.id, lambda: rows, places, base.signer.verify_envelope)


def of(report: LedgerReport, fault: LedgerFault) -> LedgerFinding:
    return next(finding for finding in report.findings if finding.fault is fault)


def test_what_is_missing_or_cut_is_counted_from_its_first_entry(
    base: attacks.Base, signed: list[str]
) -> None:
    rows, last = list(base.entries), len(base.entries)
    gap = verified(base, [*rows[:3], *rows[6:]], signed)
    assert (of(gap, LedgerFault.MISSING).number, of(gap, LedgerFault.MISSING).count, gap.ledger) == (
        4,
        3,
        base.id,
    )
    ends = [read(line).last for line in signed]
    at_a_batch, within = ends[-3], next(number for number in range(last - 1, 0, -1) if number not in ends)
    for cut, known in ((at_a_batch, True), (within, False)):
        finding = of(verified(base, rows[:cut], signed), LedgerFault.CUT)
        assert (finding.number, finding.count) == (cut + 1, last - cut)
        assert ("the ledger is as it was before checkpoint" in finding.detail) == known
    assert of(verified(base, rows[: last - 1], signed), LedgerFault.CUT).count == 1


def test_an_entry_that_is_there_twice_hides_nothing_after_it(base: attacks.Base, signed: list[str]) -> None:
    rows = list(base.entries)
    other = replace(rows[4], actor="mallory")
    report = verified(base, [*rows[:5], other, *rows[5:]], signed)
    assert [(finding.fault, finding.number) for finding in report.findings] == [
        (LedgerFault.EDITED, 5),
        (LedgerFault.DUPLICATE, 5),
    ]
    assert report.entries == len(rows) + 1
    odd = verified(base, [*rows[:2], replace(rows[2], number="3"), *rows[3:]], signed)  # type: ignore[arg-type]
    assert (of(odd, LedgerFault.EDITED).number, odd.entries) == (3, len(rows) - 1)
    assert of(odd, LedgerFault.MISSING).number == 3


def test_what_the_database_cannot_give_is_told_by_the_entry_before(
    base: attacks.Base, signed: list[str]
) -> None:
    def broken() -> object:
        yield from base.entries[:2]
        raise IntegrityError("it is damaged", "put it back")

    copy = CheckpointCopy(name="p", lines=lambda: signed)
    report = verification.verify(base.id, broken, [copy], base.signer.verify_envelope)  # type: ignore[arg-type]
    finding = of(report, LedgerFault.UNREADABLE)
    assert (finding.number, finding.detail) == (3, "the entries after 2: it is damaged")


def test_an_erasure_that_does_not_say_what_it_erased_explains_none_and_the_next_one_is_read() -> None:
    bodies = [{}, {"entries": [1, 2], "reason": "law"}, {"entries": 7, "reason": "x"}]
    drafts = [Draft(kind=EntryKind.REDACTION, model=None, actor="ada", body=body) for body in bodies]
    rows = list(entry.chain(drafts, after=0, previous=entry.origin("f" * 32), at=NOW))
    rows[0] = replace(rows[0], text=None, salt=None)
    report = verification.verify("f" * 32, lambda: rows, [], samples.signer().verify_envelope)
    assert LedgerFault.UNREADABLE not in {finding.fault for finding in report.findings}
    assert report.notes == ("ada erased the content of entries 1, 2 on 2026-11-26: law",)


def test_a_sound_ledger_costs_one_signature_and_a_broken_one_all(
    base: attacks.Base, signed: list[str]
) -> None:
    calls: list[int] = []

    def verify_envelope(envelope: object) -> object:
        calls.append(1)
        return base.signer.verify_envelope(envelope)  # type: ignore[arg-type]

    def cost(rows: list[entry.Entry], copy: list[str]) -> int:
        calls.clear()
        place = CheckpointCopy(name="p", lines=lambda: copy)
        verification.verify(base.id, lambda: rows, [place], verify_envelope)  # type: ignore[arg-type]
        return len(calls)

    rows = list(base.entries)
    assert cost(rows, signed) == 1
    assert cost([*rows[:3], *rows[4:]], signed) == 1  # the checkpoints are sound
    assert cost(rows, [*signed[:4], *signed[5:]]) == 1 + len(signed) - 1


def test_a_checkpoint_that_goes_on_from_elsewhere_is_told_by_its_first_entry(
    base: attacks.Base, signed: list[str]
) -> None:
    newest = read(signed[-1])
    elsewhere = resealed(base, signed[-1], head="1" * 64)
    report = verified(base, list(base.entries), [*signed[:-1], elsewhere])
    finding = of(report, LedgerFault.CUT)
    assert (finding.number, finding.detail) == (
        newest.after + 1,
        f"{newest} starts where no earlier batch ended",
    )
    assert report.checkpoints == len(signed)
    forgery = checkpoint.line(
        samples.signer().sign(base.signer.verify_envelope(json.loads(signed[4])).statement)
    )
    middle = verified(base, list(base.entries), [*signed[:4], forgery, *signed[5:]])
    assert middle.checkpoints == len(signed) - 1  # what follows the forged one is believed for itself


def test_a_first_batch_that_was_never_committed_is_no_cut_tail(base: attacks.Base, signed: list[str]) -> None:
    report = verified(base, [], signed[:1])
    assert (report.ok, report.notes) == (
        True,
        (f"{read(signed[0])} was never committed: the process crashed before its command returned",),
    )
    assert not verified(base, [], [signed[0], checkpoint.confirmation(1)]).ok


def test_findings_without_a_number_come_last() -> None:
    tally = ledger.verification_report.FindingCounter()
    for fault, number in (
        (LedgerFault.OTHER_LEDGER, None),
        (LedgerFault.EDITED, 1),
        (LedgerFault.MISSING, 0),
    ):
        tally.add(fault, number, "it")
    assert [finding.number for finding in tally.all()] == [0, 1, None]


def test_a_time_is_27_characters_and_has_a_zone() -> None:
    assert ledger.times.stamp(dt.datetime(33, 4, 3, tzinfo=dt.UTC)) == "0033-04-03T00:00:00.000000Z"
    with pytest.raises(ValueError, match="no time zone"):
        ledger.times.stamp(dt.datetime(2026, 1, 1))


def line_of(**change: object) -> str:
    """A line that says what a checkpoint says, but for the changes."""
    predicate = {"ledger": "f", "sequence": 1, "previous": "0", "at": "now", "after": 0, "head": "a"}
    statement = {
        "predicateType": checkpoint.PREDICATE,
        "subject": [{"name": "entry 1", "digest": {"sha256": "b"}}],
        "predicate": predicate | {name: value for name, value in change.items() if name in predicate},
    } | {name: value for name, value in change.items() if name not in predicate}
    return json.dumps({"payload": base64.b64encode(json.dumps(statement).encode()).decode()})


def test_a_line_that_says_no_checkpoint_is_none() -> None:
    assert isinstance(checkpoint.read(line_of()), Checkpoint)
    assert checkpoint.read(checkpoint.confirmation(12)) == checkpoint.Confirmation(sequence=12)
    for odd in (
        line_of(sequence="1"),
        line_of(sequence=True),
        line_of(after="0"),
        line_of(after=-1),
        line_of(head="\u00e9"),
        line_of(subject=[]),
        line_of(predicateType="urn:x:y"),
        line_of().replace('": "', '": "!', 1),
        '{"confirmed":1x}',
        '{"confirmed":12',
        '{"confirmed":}',
    ):
        assert checkpoint.read(odd) is None, odd


def test_every_word_of_a_line_is_held_against_what_was_signed(base: attacks.Base, signed: list[str]) -> None:
    sound = read(signed[2])
    assert checkpoint.fault_in(sound, base.signer.verify_envelope) is None
    for change in (
        {"digests": ("1" * 64,)},
        {"ledger": "f"},
        {"sequence": 9},
        {"previous": "1" * 64},
        {"at": "now"},
        {"after": 99},
        {"head": "1" * 64},
    ):
        fault = checkpoint.fault_in(replace(sound, **change), base.signer.verify_envelope)  # type: ignore[arg-type]
        assert fault == "what was signed differs from what the line says"
