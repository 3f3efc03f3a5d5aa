"""The page of a version says what was judged and what the world added, as of any time, and never less."""

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import pytest

from clearance import files, paths
from clearance.documentation import version_page
from clearance.documents.look_document import LiveFinding, Look, Window
from clearance.documents.measurement import Outcome
from clearance.monitoring.counting import database, store
from clearance.promotion.session import open_read_only
from tests.support import governed, reported
from tests.support.governed import Place

HOSTILE = "</li><script>alert(1)</script>\u202e" + "x" * 200


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def compose(place: Place, version: int | None = None, at: dt.datetime | None = None) -> str:
    return version_page.compose(place.root, version, at).html


def since(html: str) -> str:
    (text,) = [it for it in reported.Parsed(html).texts("section") if it.startswith("Since the verdict")]
    return text


def lines(html: str) -> list[str]:
    return reported.Parsed(html).texts("li")


def test_without_a_version_the_champion_is_shown_else_the_last_candidate(place: Place) -> None:
    place.put("waiting")
    assert version_page.compose(place.root).version == 1
    place.put("second")
    assert version_page.compose(place.root).version == 1, "version 2 only waits"
    place.put("successor")
    assert version_page.compose(place.root).version == 2


def test_a_candidate_is_shown_with_who_agreed_and_whom_it_waits_for(place: Place) -> None:
    text = since(compose(place.put("half"), 1))
    assert "Version 1 is a candidate" in text
    assert "vera approved loan-approval version 1" in text
    assert "Version 1 waits for 1 risk officer (rita, roy, tess)" in text
    assert "It may not become champion" in text


def test_a_champion_is_shown_with_who_allowed_it_and_one_that_was_with_its_end(place: Place) -> None:
    place.put("successor")
    present, former = compose(place, 2), compose(place, 1)
    assert "Version 2 is the champion" in since(present)
    (standing,) = [t for _, of, t in reported.Parsed(present).elements if of.get("class") == "standing"]
    assert "allowed by vera, rita" in "".join(standing)
    assert "Version 1 was champion" in since(former)
    assert "rita approved loan-approval version 1" in since(former)
    assert 'class="standing"' in present and 'class="standing"' not in former
    assert "<h3>Next</h3>" not in present, "nobody waits for anything any more"


def test_as_of_a_time_nothing_later_is_shown(place: Place) -> None:
    place.put("successor")
    promoted = [entry for entry in place.entries("promotion") if entry.event and entry.event.about == 1]
    before = promoted[0].at - dt.timedelta(microseconds=1)
    text = since(compose(place, 1, before))
    assert "Version 1 is a candidate" in text
    assert "promoted" not in text and "waits for" not in text
    assert "Version 1 is the champion" in since(compose(place, 1, promoted[0].at))
    assert version_page.compose(place.root, None, before).version == 1


def test_a_reason_from_outside_is_inert(place: Place) -> None:
    place.put("waiting")
    result = place.command("reject", "1", "--as", "rita", "--reason", HOSTILE)
    assert result.code == 0, result.said
    html = compose(place, 1)
    assert "<script>alert" not in html and "\u202e" not in html
    assert any("\\u202e" in line and "alert(1)" in line for line in lines(html))
    assert "Version 1 was rejected" in since(html)


def test_what_cannot_be_read_beside_the_evidence_is_named_and_the_rest_is_shown(place: Place) -> None:
    place.put("champion")
    files.write_text(place.root / paths.MONITORING, "not a database")
    html = compose(place, 1)
    assert "could not be read: The looks of the monitor: " in since(html)
    assert "Version 1 is the champion" in since(html)
    assert reported.Parsed(html).texts("h2")[0] == "Pass"


def test_the_comparison_with_the_champion_is_told_with_every_demand(tmp_path: Path) -> None:
    root = reported.write(tmp_path, reported.documents())
    known = reported.since(f"the interval straddles {HOSTILE}")
    html = reported.page(root, known)
    assert "Compared with champion version 4 on 82 rows that neither was fitted on" in since(html)
    start = "ROC AUC blocks Insufficient evidence 0.0200 (-0.0100 to 0.0500) The interval straddles"
    assert [row for row in reported.Parsed(html).texts("tr") if row.startswith(start)]
    assert "<script>alert" not in html
    assert known.comparison is not None
    first = replace(known, comparison=replace(known.comparison, champion=None, approvals=2))
    text = since(reported.page(root, first))
    assert "At least 2 people must approve it." in text and "0.0200 (-0.0100" not in text


def test_evidence_that_is_lost_or_changed_makes_no_page(place: Place) -> None:
    place.put("waiting")
    (place.run_folder(1) / "reports/fairness.json").write_text("{}")
    result = place.command("show", "1")
    assert result.code == 1
    assert "reports/fairness.json of its run is not what was judged" in result.said


@pytest.mark.parametrize(
    ("words", "error"),
    [(("show",), "documentation.no_version_yet"), (("show", "9"), "documentation.no_version_yet")],
    ids=["no candidate", "no such version"],
)
def test_a_version_that_is_not_there_is_one_message(place: Place, words: tuple[str, ...], error: str) -> None:
    result = place.put("judged").command(*words)
    assert (result.code, result.error) == (1, error), result.said


def test_the_command_writes_the_page_and_says_where(place: Place, tmp_path: Path) -> None:
    place.put("champion")
    result = place.command("show")
    page = place.root / paths.STATE / "version-1.html"
    assert (result.code, result.said.strip()) == (0, str(page))
    elsewhere = tmp_path / "v1.html"
    assert place.command("show", "1", "--output", str(elsewhere)).code == 0
    assert '<h2 id="since">' in elsewhere.read_text(encoding="utf-8")


def test_the_looks_of_the_monitor_are_told_with_the_trend_of_each_rule(place: Place) -> None:
    place.put("champion")
    with open_read_only(place.root) as reader:
        (proposal,) = [entry for entry in reader.entries(governed.NAME) if entry.kind == "proposal"]
    content = proposal.body["content"]
    engine = database.open(place.root)
    for day, value in ((1, 0.02), (2, 0.3)):
        finding = LiveFinding(
            rule="score-is-stable",
            metric="score_psi",
            subject=None,
            outcome=Outcome.FAIL if value > 0.1 else Outcome.PASS,
            severity="warn",
            on_fail="alert",
            at_most=0.1,
            value=value,
            rows=500,
            reason=f"PSI of the score is {value}",
        )
        look = Look(
            model=governed.NAME,
            version=1,
            content=content,
            policy="p",
            policy_version="1",
            policy_sha256="0" * 64,
            window=Window(period="day", start=f"2026-01-0{day}T00:00Z", end=f"2026-01-0{day + 1}T00:00Z"),
            rows=500,
            level=0.05,
            outcome=finding.outcome,
            findings=(finding,),
        )
        store.save_look(engine, look, dt.datetime.now(dt.UTC))
    html = compose(place, 1)
    assert "fails: score-is-stable (alert)" in since(html)
    (row,) = [row for row in reported.Parsed(html).texts("tr") if row.startswith("score-is-stable")]
    assert "Fail" in row and "0.300" in row and "2" in row
    assert re.search(r'class="spark trend".*?d="M0 ', html)


def test_the_page_of_a_version_has_the_drawings_of_its_own_evidence(place: Place) -> None:
    place.put("waiting")
    html = compose(place, 1)
    assert files.sha256(place.root / paths.MODEL)[:12] in html
    assert "Decided favourably, by <bdi>race</bdi>" in html
