"""Every class of tampering is seen, and its first entry named; what only checkpoints show, they show."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assurance import ledger_attacks as attacks
from assurance import ledger_tampering as tampering
from clearance import ledger
from clearance.errors import ClearanceError
from clearance.ledger import EntryKind, LedgerFault, entry, export, times, verification
from clearance.ledger.checkpoint_reader import CheckpointCopy
from clearance.ledger.entry import Entry
from tests.support import ledger_samples as samples
from tests.support.codes import raises

CHAIN_CANNOT_SEE = {"tail cut", "whole rewrite", "older database", "checkpoint removed", "wrong key"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> attacks.Base:
    return attacks.base(tmp_path_factory.mktemp("base"), seed=0)


@pytest.fixture(scope="module")
def lines(base: attacks.Base) -> list[str]:
    return base.places[1].read_text().splitlines()


def check(base: attacks.Base, rows: list[Entry], *copies: list[str]) -> ledger.LedgerReport:
    places = [
        CheckpointCopy(name=f"place {at}", lines=lambda copy=copy: copy) for at, copy in enumerate(copies)
    ]  # type: ignore[misc]
    return verification.verify(base.id, lambda: rows, places, base.signer.verify_envelope)


def faults(report: ledger.LedgerReport) -> set[LedgerFault]:
    return {finding.fault for finding in report.findings}


@pytest.mark.parametrize("name", attacks.CLASSES)
def test_every_class_of_attack_is_seen_and_its_first_entry_named(
    base: attacks.Base, name: str, tmp_path: Path
) -> None:
    chain = 0
    for seed in range(8):
        random_ = random.Random(f"{name} {seed}")  # noqa: S311
        number, report, bare = tampering.attacked(base, attacks.CLASSES[name], random_, tmp_path / "copy")
        assert not report.ok
        assert report.first == number, report
        chain += any(finding.fault is not LedgerFault.UNCOVERED for finding in bare.findings)
    if name in CHAIN_CANNOT_SEE:
        assert chain == 0  # else the checkpoints would not be needed, and the guide would be wrong
    else:
        assert chain > 0


def test_clean_ledgers_raise_no_alarm(tmp_path: Path) -> None:
    assert list(tampering._alarms(tmp_path, 5, 15)) == []


def test_the_chain_alone_sees_what_does_not_fit_and_names_it(base: attacks.Base) -> None:
    rows = list(base.entries)
    other = replace(rows[4], actor="mallory")
    cases: list[tuple[LedgerFault, int, list[Entry]]] = [
        (LedgerFault.EDITED, 5, [*rows[:4], other, *rows[5:]]),
        (LedgerFault.EDITED, 5, [*rows[:4], replace(rows[4], time="yesterday"), *rows[5:]]),
        (LedgerFault.EDITED, 5, [*rows[:4], replace(rows[4], salt="short"), *rows[5:]]),
        (LedgerFault.EDITED, 5, [*rows[:4], replace(rows[4], actor=b"x"), *rows[5:]]),  # type: ignore[arg-type]
        (LedgerFault.EDITED, 5, [*rows[:4], replace(rows[4], number="5"), *rows[5:]]),  # type: ignore[arg-type]
        (LedgerFault.UNLINKED, 6, [*rows[:4], replace(other, digest=entry.digest_of(other)), *rows[5:]]),
        (LedgerFault.UNLINKED, 1, [replace(rows[0], previous="0" * 64), *rows[1:]]),
        (LedgerFault.MISSING, 5, [*rows[:4], *rows[6:]]),
        (LedgerFault.DUPLICATE, 5, [*rows[:5], *rows[4:]]),
        (LedgerFault.REORDERED, 5, [*rows[:4], rows[5], rows[4], *rows[6:]]),
        (LedgerFault.ERASED, 5, [*rows[:4], replace(rows[4], text=None, salt=None), *rows[5:]]),
    ]
    for fault, number, variant in cases:
        positions = {finding.fault: finding.number for finding in check(base, variant).findings}
        assert positions.get(fault) == number, (fault, positions)


def test_without_a_checkpoint_nothing_is_called_sound(base: attacks.Base) -> None:
    report = check(base, list(base.entries))
    assert (report.ok, faults(report), report.first) == (False, {LedgerFault.UNCOVERED}, 1)
    assert "Without a checkpoint" in str(report)
    assert not check(base, list(base.entries), []).ok
    assert check(base, []).ok  # an empty ledger of which nobody knows more


def test_with_checkpoints_a_cut_and_a_rewrite_are_named(base: attacks.Base, lines: list[str]) -> None:
    rows = list(base.entries)
    assert check(base, rows, lines).ok
    start = base.batches[3]
    cut = check(base, rows[: start - 1], lines)
    assert (faults(cut), cut.first) == ({LedgerFault.CUT}, start)
    assert "the ledger is as it was before checkpoint 4" in str(cut)
    rewrite = attacks._recomputed([*rows[:6], *(replace(row, actor="m") for row in rows[6:])], 6, 2)
    rewritten = check(base, rewrite, lines)
    assert (faults(rewritten), rewritten.first) == ({LedgerFault.REWRITTEN}, 7)
    (more,) = entry.chain([samples.draft(1)], after=len(rows), previous=rows[-1].digest, at=rows[-1].at)
    extension = check(base, [*rows, more], lines)
    assert (faults(extension), extension.first) == ({LedgerFault.UNCOVERED}, len(rows) + 1)
    assert (faults(check(base, [], lines)), check(base, [], lines).first) == ({LedgerFault.CUT}, 1)


def test_checkpoints_that_are_gone_or_false_are_named(base: attacks.Base, lines: list[str]) -> None:
    rows, positions = list(base.entries), [at for at, line in enumerate(lines) if "payload" in line]
    third, start = positions[2], base.batches[2]
    removal = check(base, rows, lines[:third] + lines[third + 1 :], lines)
    assert (faults(removal), removal.first) == ({LedgerFault.CHECKPOINT_REMOVED}, start)
    assert "place 0 lacks checkpoint 3" in str(removal)
    last = check(base, rows, lines, lines[: positions[-1]])
    assert (faults(last), last.first) == ({LedgerFault.CHECKPOINT_REMOVED}, base.batches[-1])
    unconfirmed = check(base, rows, lines[: positions[-1] + 1], lines[: positions[-1]])
    assert unconfirmed.ok  # a crash between the two places leaves them so
    everywhere = check(base, rows, lines[:third] + lines[third + 1 :])
    assert faults(everywhere) == {LedgerFault.CHECKPOINT_REMOVED, LedgerFault.UNCOVERED}
    assert everywhere.first == start
    newest = check(base, rows, lines[: positions[-1]])
    assert (faults(newest), newest.first) == ({LedgerFault.UNCOVERED}, base.batches[-1])
    unread = check(base, rows, [line.replace('"sig":"', '"sig":"AAAA', 1) for line in lines])
    assert LedgerFault.WRONG_KEY in faults(unread)
    foreign = verification.verify(
        "other", lambda: rows, [CheckpointCopy(name="p", lines=lambda: lines)], base.signer.verify_envelope
    )
    assert LedgerFault.OTHER_LEDGER in faults(foreign)
    strange = samples.signer()
    wrong = verification.verify(
        base.id, lambda: rows, [CheckpointCopy(name="p", lines=lambda: lines)], strange.verify_envelope
    )
    assert {LedgerFault.WRONG_KEY, LedgerFault.UNCOVERED} <= faults(wrong)


def test_a_false_line_in_the_middle_cannot_vouch_for_a_false_entry(
    base: attacks.Base, lines: list[str]
) -> None:
    """Rewritten entries and a line to match them, without the key: the line is not believed."""
    forger = samples.signer()
    rows = attacks._recomputed([replace(base.entries[0], actor="m"), *base.entries[1:]], 0, 2, 1)
    first = ledger.checkpoint.read(lines[0])
    assert isinstance(first, ledger.checkpoint.Checkpoint)
    statement = ledger.checkpoint.statement(
        base.id, None, (0, first.head), rows[: first.last], times.parse(first.at)
    )
    report = check(base, rows, [ledger.checkpoint.line(forger.sign(statement)), *lines[1:]])
    assert LedgerFault.WRONG_KEY in faults(report)
    assert report.first == 1


def test_a_checkpoint_that_goes_on_from_nowhere_shows(base: attacks.Base, lines: list[str]) -> None:
    """Signed with the right key, as by a second database that began as a copy of this one."""
    last = ledger.checkpoint.read(lines[-2])
    assert isinstance(last, ledger.checkpoint.Checkpoint)
    (more,) = entry.chain([samples.draft(1)], after=last.last + 3, previous="0" * 64, at=times.parse(last.at))
    statement = ledger.checkpoint.statement(base.id, last, (last.last + 3, "0" * 64), [more], more.at)
    report = check(base, list(base.entries), [*lines, ledger.checkpoint.line(base.signer.sign(statement))])
    assert not report.ok
    assert "starts where no earlier batch ended" in str(report)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_change_to_any_line_or_row_is_seen(
    base: attacks.Base, lines: list[str], data: st.DataObject
) -> None:
    """One character of one signed line, or one field of one entry, in all places alike."""
    rows, copy = list(base.entries), list(lines)
    if data.draw(st.booleans()):
        at = data.draw(st.sampled_from([at for at, line in enumerate(lines) if "payload" in line]))
        where = data.draw(st.integers(0, len(copy[at]) - 1))
        new = data.draw(st.sampled_from("Az0-{}").filter(lambda char: char != copy[at][where]))
        copy[at] = copy[at][:where] + new + copy[at][where + 1 :]
    else:
        at = data.draw(st.integers(0, len(rows) - 1))
        column = data.draw(st.sampled_from(attacks.COLUMNS))
        rows[at] = replace(rows[at], **{column: data.draw(st.text(max_size=64))})
    changed = rows != list(base.entries) or copy != lines
    assert check(base, rows, copy, copy).ok == (not changed)


def test_an_export_verifies_alone_and_keeps_the_damage(base: attacks.Base, tmp_path: Path) -> None:
    for file in (base.folder / "ledger.db", *base.places):
        shutil.copy(file, tmp_path)
    places = [tmp_path / place.name for place in base.places]
    file = tmp_path / "export.jsonl"

    def exported() -> ledger.LedgerReport:
        with ledger.open(samples.sqlite(tmp_path)) as book:
            file.write_text("".join(f"{line}\n" for line in export.lines(book, places)))
            live = ledger.verify(book, places, base.signer.verify_envelope)
        alone = export.verify(file, base.signer.verify_envelope)
        assert alone == live
        return alone

    assert exported().ok
    assert tuple(export.entries(file)) == base.entries
    attacks.edit(base, tmp_path, random.Random(1))  # noqa: S311
    assert not exported().ok
    text = file.read_text()
    for content in ("", "nonsense\n", text.replace('"format":1', '"format":9'), text.replace("{", "[", 1)):
        file.write_text(content)
        with pytest.raises(ClearanceError) as error:
            export.verify(file, base.signer.verify_envelope)
        assert error.value.code in ("ledger.not_an_export", "ledger.not_an_export_line")
    file.write_text(text.replace('"actor"', '"author"', 1))
    assert LedgerFault.UNREADABLE in faults(export.verify(file, base.signer.verify_envelope))
    file.write_text("".join(line for line in text.splitlines(keepends=True) if '"place":' not in line[:9]))
    assert LedgerFault.UNCOVERED in faults(export.verify(file, base.signer.verify_envelope))
    with raises("ledger.export_not_readable"):
        export.verify(tmp_path / "nowhere", base.signer.verify_envelope)


def test_an_erasure_without_a_reason_shows_and_one_with_it_is_told(tmp_path: Path) -> None:
    signer = samples.signer()
    seal = signer.seal(tmp_path / "one")
    with ledger.open(samples.sqlite(tmp_path), seal=seal) as book:
        ledger.append(book, [samples.draft(1), samples.draft(2)])
        ledger.redact(book, samples.erasure(2, keyid=None, reason="law"))
        rows = list(ledger.entries(book))
        verified = partial(_verified, book, signer, tmp_path / "one")
        assert verified(rows).ok
        report = verified([replace(rows[0], text=None, salt=None), *rows[1:]])
    assert [(finding.fault, finding.number) for finding in report.findings] == [(LedgerFault.ERASED, 1)]


def _verified(
    book: ledger.Ledger, signer: samples.Signer, place: Path, rows: list[Entry]
) -> ledger.LedgerReport:
    copy = CheckpointCopy(name="p", lines=lambda: place.read_text().splitlines())
    return verification.verify(book.id, lambda: rows, [copy], signer.verify_envelope)


def test_a_row_that_is_no_text_is_named_and_hides_no_other(base: attacks.Base, tmp_path: Path) -> None:
    for file in (base.folder / "ledger.db", *base.places):
        shutil.copy(file, tmp_path)
    update = f"UPDATE {attacks.TABLE} SET actor = CAST(? AS TEXT) WHERE number = 9"  # noqa: S608
    attacks._sql(tmp_path, update, b"\xff\xfe")
    with ledger.open(samples.sqlite(tmp_path)) as book:
        report = ledger.verify(book, [tmp_path / base.places[1].name], base.signer.verify_envelope)
    assert (report.entries, faults(report), report.first) == (len(base.entries), {LedgerFault.EDITED}, 9)


def test_a_report_says_it_in_json_and_in_words(base: attacks.Base, lines: list[str]) -> None:
    sound = check(base, list(base.entries), lines, lines)
    assert str(sound) == f"The ledger verifies: {len(base.entries)} entries, 12 checkpoints in 2 files."
    report = check(base, list(base.entries)[:-1], lines)
    document = report.to_json()
    assert (document["ok"], document["first"]) == (False, len(base.entries))
    assert document["findings"][0]["fault"] == "tail cut or older database"
    assert str(report).startswith("The ledger does not verify")


def test_kinds_that_say_who_was_champion_cannot_be_erased() -> None:
    assert ledger.ERASABLE.isdisjoint(
        set(ledger.events.CHANGES)
        | {EntryKind.INTENT, EntryKind.REPAIR, EntryKind.REDACTION, EntryKind.ROLES}
    )
