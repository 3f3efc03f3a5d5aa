"""The commands of technical documents: from signed evidence, as of a moment, in every format."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pytest

from clearance import ledger, paths
from clearance.documentation import technical_file, version_evidence
from clearance.documents.sentences import DerivedClaim, Gap
from clearance.documents.technical_file_document import TechnicalFile
from clearance.errors import ConfigurationError, ExitCode
from clearance.reporting.claims import check
from clearance.reporting.technical_file import annex_iv, sources
from tests.support import governed
from tests.support.governed import Place

STATEMENT = {"text": "Ours.", "by": "A. Person", "on": "2026-01-02"}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def rows(document: TechnicalFile, key: str, title: str) -> list[Any]:
    (section,) = [section for section in document.sections if section.id == key]
    tables = [table for table in section.tables if table.title == title]
    return [row.values for table in tables for row in table.rows if isinstance(row, DerivedClaim)]


def state(text: dict[str, Any]) -> None:
    Path(paths.CARD_TEXT).write_text(json.dumps(text), encoding="utf-8")


def test_the_file_says_who_signed_each_report_and_when_the_ledger_took_it(place: Place) -> None:
    place.put("successor")
    document = technical_file.read(place.root, 1)
    (proposal,) = [entry for entry in place.entries("proposal") if entry.body["version"] == 1]
    reports = {row["path"]: row for row in rows(document, "2(g)", "Test reports, dated and signed")}
    evidence = version_evidence.read(place.root, 1).known[sources.BUNDLE].content
    assert {path: row["sha256"] for path, row in reports.items()} == {
        path: sha256
        for path, sha256 in evidence["outs"].items()
        if path.startswith("reports/") and ".json" in path
    }
    for row in reports.values():
        assert (row["by"], row["entry"]) == ("tess", str(proposal.number))
        assert row["at"] == f"{proposal.at:%Y-%m-%d %H:%M:%S} UTC"


def test_the_file_tells_decisions_and_changes_with_their_entries(place: Place) -> None:
    place.put("successor")
    document = technical_file.read(place.root, 1)
    signatures = rows(document, "2(g)", "People who signed these reports with their decision")
    assert [(row["by"], row["kind"]) for row in signatures] == [("vera", "approval"), ("rita", "approval")]
    decisions = rows(document, "2(e)", "Decisions of people")
    assert [(row["by"], row["kind"]) for row in decisions] == [("vera", "approval"), ("rita", "approval")]
    assert [row["kind"] for row in rows(document, "6", "Changes of the champion")] == ["promotion"]


def signers(place: Place) -> list[tuple[str, str]]:
    title = "People who signed these reports with their decision"
    return [(row["by"], row["kind"]) for row in rows(technical_file.read(place.root, 1), "2(g)", title)]


def test_only_who_may_decide_signs_and_only_what_is_this_evidence_and_not_revoked(place: Place) -> None:
    place.put("half")
    other = place.decision("approve", 1, "rita", content="e" * 64)
    place.record("rita", ledger.EntryKind.APPROVAL, 1, other)
    own = place.decision("approve", 1, "tess")
    place.record("tess", ledger.EntryKind.APPROVAL, 1, own)
    assert signers(place) == [("vera", "approval")]
    assert place.decide("revoke", 1, "vera").code == ExitCode.PASS
    assert signers(place) == []
    decisions = rows(technical_file.read(place.root, 1), "2(e)", "Decisions of people")
    assert ("vera", "approval, revoked") in [(row["by"], row["kind"]) for row in decisions]


def test_whoever_proposes_without_signing_the_evidence_signed_no_report(place: Place) -> None:
    place.put("waiting")
    (proposal,) = place.entries("proposal")
    with place.office("pipeline") as office:
        draft = office.draft(ledger.EntryKind.PROPOSAL, governed.NAME, **proposal.body)
    place.forge("pipeline", draft)
    assert len(place.entries("proposal")) == 2 and not place.voids()
    reports = rows(technical_file.read(place.root, 1), "2(g)", "Test reports, dated and signed")
    assert {row["by"] for row in reports} == {"tess"}


def test_without_a_version_it_is_the_champion_of_that_time_else_the_last_candidate(place: Place) -> None:
    place.put("waiting")
    assert technical_file.read(place.root).version == 1
    place.put("successor")
    promotions = [entry.at for entry in place.entries("promotion")]
    assert technical_file.read(place.root).version == 2
    before = promotions[1] - dt.timedelta(microseconds=1)
    assert technical_file.read(place.root, at=before).version == 1


def test_what_came_later_is_not_told(place: Place) -> None:
    place.put("champion")
    proposed = place.entries("verdict")[0].at
    document = technical_file.read(place.root, 1, proposed)
    assert rows(document, "2(e)", "Decisions of people") == []
    assert any("never been champion" in gap.what for gap in check.gaps(document))
    assert rows(technical_file.read(place.root, 1), "6", "Changes of the champion")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("technical-file", "7"), "documentation.not_proposed_then"),
        (("technical-file", "--at", "2020-01-01"), "documentation.no_version_yet"),
        (("compliance", "1", "--at", "2020-01-01"), "documentation.not_proposed_then"),
        (("diff", "1", "9"), "documentation.not_proposed_then"),
        (("diff", "1"), "documentation.no_champion"),
    ],
)
def test_a_version_that_is_not_there_is_one_message(place: Place, words: tuple[str, ...], code: str) -> None:
    place.put("waiting")
    result = place.command(*words)
    assert (result.code, result.error) == (ExitCode.ERROR, code)


def test_a_report_that_is_lost_is_a_gap_and_none_of_its_numbers_stays(place: Place) -> None:
    place.put("champion")
    (place.run_folder(1) / "reports/fairness.json").unlink()
    document = technical_file.read(place.root, 1)
    assert "reports/fairness.json" not in document.artefacts
    assert any("reports/fairness.json is missing" in gap.what for gap in check.gaps(document))
    assert rows(document, "2(g)", "Groups among test rows") == []


def test_a_report_that_somebody_changed_is_as_good_as_lost(place: Place) -> None:
    place.put("champion")
    file = place.run_folder(1) / "reports/performance.json"
    file.write_text(file.read_text().replace("0.8", "0.99"))
    document = technical_file.read(place.root, 1)
    assert "reports/performance.json" not in document.artefacts
    assert "0.99" not in json.dumps(document.to_json())


def test_a_bundle_that_is_lost_is_one_message(place: Place) -> None:
    place.put("champion")
    place.bundle_file(1).unlink()
    result = place.command("technical-file", "1")
    assert result.code == ExitCode.ERROR and result.error and "Traceback" not in result.said


def test_what_people_state_today_is_in_the_file_of_a_version_that_was_signed_before(place: Place) -> None:
    place.put("champion")
    state({"technical_file": {"provider": [STATEMENT]}})
    document = technical_file.read(place.root, 1)
    (said,) = [s for _, s in check.sentences(document) if s.kind == "statement"]
    assert said.source.artefact == sources.PRESENT_CARD_TEXT
    assert not any("who provides" in gap.what for gap in check.gaps(document))
    earlier = technical_file.read(place.root, 1, place.entries("verdict")[0].at)
    assert {s.kind for _, s in check.sentences(earlier)} >= {"statement"}


@pytest.mark.parametrize("text", [{"technical_file": {"hardwear": [STATEMENT]}}, {"hardware": [STATEMENT]}])
def test_a_card_yaml_with_a_key_that_nobody_knows_is_one_message(place: Place, text: dict[str, Any]) -> None:
    place.put("champion")
    state(text)
    with pytest.raises(ConfigurationError) as error:
        technical_file.read(place.root, 1)
    assert error.value.code == "reporting.card_text_not_valid" and "hardw" in error.value.fault


def test_a_stored_file_is_checked_against_the_evidence_as_it_is(place: Place) -> None:
    place.put("champion")
    evidence = version_evidence.read(place.root, 1)
    document = annex_iv.make(evidence.known, technical_file.subject(evidence))
    assert technical_file.problems(document, evidence) == []
    content = document.to_json()
    for section in content["sections"]:
        for part in section["sentences"]:
            if part["kind"] == "claim":
                part["text"] += " And it is fair."
                stored = TechnicalFile.from_json(content)
                (problem, *_) = technical_file.problems(stored, evidence)
                assert problem.stated.endswith("And it is fair.")
                part["text"] = part["text"].removesuffix(" And it is fair.")


def test_a_file_written_earlier_is_checked_by_command(place: Place) -> None:
    place.put("champion")
    state({"technical_file": {"provider": [STATEMENT]}})
    file = place.root / "technical_file.json"
    assert place.command("technical-file", "1", "--format", "json", "--output", str(file)).code == 0
    place.roll_back()
    place.retire()
    assert place.command("technical-file", "--check", str(file)).code == ExitCode.PASS
    file.write_text(file.read_text().replace("tess", "anna"))
    lies = place.command("technical-file", "--check", str(file))
    assert lies.code == ExitCode.REFUSED and "'anna', right is 'tess'" in lies.said
    state({"technical_file": {"provider": [STATEMENT | {"text": "Theirs."}]}})
    lies = place.command("technical-file", "--check", str(file))
    assert lies.code == ExitCode.REFUSED and "present/card.yaml" in lies.said


def test_a_file_that_is_no_technical_file_is_one_message(place: Place) -> None:
    place.put("champion")
    (place.root / "other.json").write_text("{}")
    result = place.command("technical-file", "--check", "other.json")
    assert (result.code, result.error) == (ExitCode.ERROR, "documents.does_not_fit")
    document = technical_file.read(place.root, 1).to_json() | {"at": "soon"}
    (place.root / "other.json").write_text(json.dumps(document))
    result = place.command("technical-file", "--check", "other.json")
    assert (result.code, result.error) == (ExitCode.ERROR, "documentation.not_a_moment")


def test_each_command_writes_each_format(place: Place) -> None:
    place.put("successor")
    for command, arguments, forms in (
        ("technical-file", ("1",), ("text", "markdown", "html", "json")),
        ("compliance", ("1",), ("text", "markdown", "csv", "json")),
        ("diff", ("1", "2"), ("text", "markdown", "json")),
    ):
        for form in forms:
            file = place.root / f"out.{form}"
            result = place.command(command, *arguments, "--format", form, "--output", str(file))
            assert result.code == ExitCode.PASS and file.name in result.said, (command, form)
            assert file.stat().st_size > 100
            if form == "json":
                json.loads(file.read_text())
    header, *matrix = csv.reader(io.StringIO(place.command("compliance", "1", "--format", "csv").said))
    assert header[0] == "Rule" and {row[0] for row in matrix} >= {"sound", "gap"}


def test_a_vendors_table_of_scores_has_a_file_that_says_what_was_only_declared(place: Place) -> None:
    place.make("of a vendor", "judged", of_a_vendor)
    document = technical_file.read(place.root, 1)
    (section,) = [section for section in document.sections if section.id == "2(a)"]
    said = [sentence.text for sentence in section.sentences if isinstance(sentence, DerivedClaim)]
    assert any("The model was made elsewhere" in text for text in said)
    assert not any("Fitted here" in text for text in said)
    assert rows(document, "2(a)", "Declared by the maker")


def of_a_vendor(place: Place) -> None:
    place.release(vendor="unknown")


def test_a_version_is_compared_with_the_champion_where_no_other_is_named(place: Place) -> None:
    place.put("failed")
    result = place.command("diff", "3")
    assert "version 3 against version 2" in result.said
    assert "! the verdict: fail -> pass" in result.said


def test_the_same_evidence_gives_the_same_bytes(place: Place) -> None:
    place.put("champion")
    at = place.entries()[-1].at
    one, two = (technical_file.read(place.root, 1, at) for _ in range(2))
    assert one == two and isinstance(check.gaps(one)[0], Gap)
