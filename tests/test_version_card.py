"""What the ledger adds to a card: every entry about the version until a time, and nothing of any other."""

import datetime as dt
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import files, foreign_text
from clearance.documentation import version_card, world
from clearance.documentation.world import LedgerUntil
from clearance.documents.card_document import CardDocument, Section
from clearance.documents.sentences import DerivedClaim, Gap, Statement
from clearance.errors import ClearanceError
from clearance.ledger import Entry, events, times
from clearance.reporting.card import formats, make
from clearance.reporting.claims import artefacts, check
from tests.support import carded

START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
ROWS, OTHER_ROWS = "ab" * 32, "cd" * 32
MODEL = "loans"


def content(version: int) -> str:
    return files.sha256_text(f"evidence {version}")


def about(version: int, **body: Any) -> dict[str, Any]:
    return {"version": version, "content": content(version)} | body


def proposed(version: int, rows: str = ROWS) -> list[tuple[str, dict[str, Any]]]:
    fingerprint = files.sha256_text(f"model {version}")
    verdict = about(version, outcome="pass", reasons=[], attempt={"test_rows": rows})
    return [("proposal", about(version, fingerprint=fingerprint, pushed=False)), ("verdict", verdict)]


LIVE: dict[str, Any] = {"description": "Wrong for a day.", "owner": "ada", "category": "serious"} | {
    "role": "provider",
    "aware_at": "2026-11-02T00:00:00.000000Z",
    "decisions_from": "2026-11-01T00:00:00.000000Z",
}
STORY: list[tuple[str, dict[str, Any]]] = [
    *proposed(1),
    *proposed(2),
    *proposed(3, OTHER_ROWS),
    ("approval", about(2, reason="It holds.", envelope={})),
    ("rejection", about(1, reason="Too few rows.", envelope={})),
    ("intent", about(2, step="promotion")),
    ("promotion", about(2, intent=9, allowed_by=["ada"])),
    ("override", about(3, reason="For a week.", envelope={})),
    ("incident", about(2, **LIVE)),
    ("restriction", about(2, mode="hold", reason="Until it is looked at.")),
    ("resumption", about(2, restrictions=[13], reason="Looked at.")),
    ("incident_closure", about(2, incident=12, corrective_action="Mended.", statement="Over.")),
    ("intent", about(2, step="retirement")),
    ("retirement", about(2, intent=16, reason="Replaced.")),
]
"""One entry an hour; version 2 is champion from the 10th to the 17th entry."""


def entry(number: int, kind: str, body: dict[str, Any]) -> Entry:
    return Entry(
        number=number,
        time=times.stamp(START + dt.timedelta(hours=number)),
        kind=kind,
        model=MODEL,
        actor="ada",
        keyid="k",
        salt="s",
        text=json.dumps(body),
        body_digest="0" * 64,
        previous="0" * 64,
        digest=files.sha256_text(f"{number} {kind} {body}"),
    )


ENTRIES = [entry(number, kind, body) for number, (kind, body) in enumerate(STORY, 1)]


def until(hours: int) -> LedgerUntil:
    return LedgerUntil.of(ENTRIES, MODEL, START + dt.timedelta(hours=hours))


def section(hours: int, name: str, version: int = 2) -> Section | None:
    return next((part for part in world.sections(until(hours), version) if part.id == name), None)


def numbers(sections: tuple[Section, ...]) -> list[int]:
    """The entries that are told, in the order of the sections."""
    return [
        int(sentence.values["number"])
        for _, sentence in check.sentences(sections)
        if isinstance(sentence, DerivedClaim) and "says" in sentence.values
    ]


@given(st.integers(0, len(STORY)), st.sampled_from([1, 2, 3]))
def test_every_entry_about_the_version_until_then_is_told_once_and_no_other(hours: int, version: int) -> None:
    told = numbers(world.sections(until(hours), version))
    expected = [
        number
        for number, (kind, body) in enumerate(STORY[:hours], 1)
        if body["version"] == version and kind != "intent"
    ]
    assert sorted(told) == expected


@given(st.integers(1, len(STORY)))
def test_what_is_told_holds_and_a_changed_entry_is_named(hours: int) -> None:
    ledger = until(hours)
    told = world.sections(ledger, 2)
    known = world.artefacts(ledger, 2)
    assert check.check(told, known) == []
    for name in known:
        changed = known | {name: replace(known[name], sha256="f" * 64)}
        assert any(problem.artefact == name for problem in check.check(told, changed)), name


@pytest.mark.parametrize(
    ("hours", "version", "state"),
    [
        (4, 2, "candidate"),
        (10, 2, "champion"),
        (17, 2, "former champion"),
        (8, 1, "rejected"),
    ],
)
def test_the_card_says_where_the_version_stood_at_that_time(hours: int, version: int, state: str) -> None:
    standing = section(hours, "standing", version)
    assert standing is not None
    assert isinstance(standing.sentences[0], DerivedClaim)
    assert standing.sentences[0].values["state"] == state


def test_open_incidents_and_restrictions_stand_first_until_they_end() -> None:
    def texts(hours: int) -> str:
        standing = section(hours, "standing")
        assert standing is not None
        return " ".join(s.text for s in standing.sentences if isinstance(s, DerivedClaim))

    assert "Open incidents: 1" in texts(12) and "restricted" not in texts(12)
    assert "restricted by a person" in texts(13)
    assert "restricted" not in texts(14)
    assert "Open incidents" not in texts(15)


@pytest.mark.parametrize(("hours", "models"), [(2, "1"), (4, "2"), (6, "2")])
def test_the_uses_of_the_test_rows_are_counted_until_then(hours: int, models: str) -> None:
    version = 1 if hours == 2 else 2
    part = section(hours, "test_set", version)
    assert part is not None and isinstance(part.sentences[0], DerivedClaim)
    assert part.sentences[0].values["models"] == models


def test_before_anything_happened_the_card_says_so() -> None:
    for name in ("approvals", "champion_history", "incidents", "restrictions"):
        part = section(4, name)
        assert part is not None and isinstance(part.sentences[0], DerivedClaim)
        assert "until" in part.sentences[0].text.lower()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[CardDocument, dict[str, artefacts.Artefact]]:
    root = carded.write(tmp_path_factory.mktemp("made") / "p")
    return CardDocument.read(root), artefacts.read(root, make.READ)


Made = tuple[CardDocument, dict[str, artefacts.Artefact]]


def test_the_signed_part_is_untouched_by_what_is_added(made: Made) -> None:
    card, _ = made
    composed = version_card.compose(card, until(17), 2)
    added = set(world.TITLES)
    assert tuple(part for part in composed.sections if part.id not in added) == card.sections
    assert composed.sections[0].id == "standing"
    assert card.artefacts.items() <= composed.artefacts.items()
    assert CardDocument.from_json(json.loads(files.dumps(composed.to_json()))) == composed


def test_a_composed_card_is_valid_in_every_format_and_hostile_reasons_are_inert(made: Made) -> None:
    card, known = made
    attack = "</p><script>alert(1)</script>\u202e[x](javascript:alert(1))\n# owned"
    entries = [*ENTRIES, entry(18, "rejection", about(2, reason=attack, envelope={}))]
    ledger = LedgerUntil.of(entries, MODEL, START + dt.timedelta(days=2))
    composed = version_card.compose(card, ledger, 2)
    all_known = known | world.artefacts(ledger, 2)
    assert check.check(composed, all_known) == []
    for name, form in formats.FORMATS.items():
        text = form.checked(composed, all_known, carded.LOCK)
        assert "\u202e" not in text, name
        active = re.sub(r"\\.", "", text) if name in ("markdown", "huggingface") else text
        assert "<script" not in active or name in ("text", "cyclonedx", "sagemaker"), name
        assert foreign_text.inert(text, keep="\n") == text, name
        assert "Replaced." in text, name


@pytest.mark.parametrize("path", [path.as_posix() for path in make.READ])
def test_a_lost_artefact_makes_gaps_of_all_that_rests_on_it(made: Made, path: str) -> None:
    card, known = made
    for altered in (None, replace(known[path], sha256="f" * 64)):
        rest = {name: artefact for name, artefact in known.items() if name != path}
        left = version_card.without_lost(card, rest if altered is None else rest | {path: altered})
        assert check.gaps(left)
        for _, sentence in check.sentences(left):
            if isinstance(sentence, DerivedClaim):
                assert path not in sentence.digests
    assert version_card.without_lost(card, known) == card


def test_no_number_of_a_lost_artefact_stays(made: Made) -> None:
    card, known = made
    rest = {name: artefact for name, artefact in known.items() if name != "reports/performance.json"}
    left = version_card.without_lost(card, rest)
    kept = [s for _, s in check.sentences(left) if not isinstance(s, Gap)]
    assert len(kept) < len(list(check.sentences(card)))
    assert not any("52 test rows" in s.text for s in kept)


@pytest.mark.parametrize(
    ("hours", "version", "code"),
    [
        (0, 1, "documentation.not_proposed_then"),
        (0, 99, "documentation.no_such_version"),
        (len(STORY), 99, "documentation.no_such_version"),
    ],
)
def test_a_version_that_never_was_is_not_one_of_later(hours: int, version: int, code: str) -> None:
    with pytest.raises(ClearanceError) as caught:
        version_card.ensure_proposed(until(hours), ENTRIES, version)
    assert caught.value.code == code


def test_before_any_proposal_no_number_is_a_version() -> None:
    with pytest.raises(ClearanceError) as caught:
        version_card.ensure_proposed(LedgerUntil.of([], MODEL, START), [], 1)
    assert caught.value.code == "documentation.no_version_yet"


def test_a_version_counts_from_its_proposal_on() -> None:
    version_card.ensure_proposed(until(len(STORY)), ENTRIES, 2)


def test_a_refused_promotion_is_told_as_one_and_another_refusal_is_not() -> None:
    promotion = events.RefusalEvent(version=1, content="0" * 64, reason="No.")
    assert promotion.sentence("ada", "m") == "ada asked to promote m version 1, which was refused"
    other = events.RefusalEvent(version=1, reason="No.")
    assert other.sentence("ada", "m") == "ada requested a change to m version 1, which was refused"


def test_a_statement_of_the_future_has_a_gap_beside_it(tmp_path: Path) -> None:
    day = (START + dt.timedelta(days=9)).date().isoformat()
    stated = carded.STATED | {"limits": [{"text": "For practice.", "by": "A. Person", "on": day}]}
    card = CardDocument.read(carded.write(tmp_path / "p", stated=stated))
    composed = {part.id: part for part in version_card.compose(card, until(3), 1).sections}
    kinds = [type(sentence) for sentence in composed["limits"].sentences[:2]]
    assert kinds == [Statement, Gap]
