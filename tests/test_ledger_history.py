"""The log answers who was champion, who allowed it and on what evidence, and what was left unfinished."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from clearance import ledger
from clearance.ledger import Draft, Entry, EntryKind, entry
from tests.support import ledger_samples as samples
from tests.support.codes import raises

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def told(*drafts: Draft) -> list[Entry]:
    """Entries a day apart."""
    entries: list[Entry] = []
    for day, draft in enumerate(drafts):
        previous = entries[-1].digest if entries else ""
        entries += entry.chain([draft], after=day, previous=previous, at=START + dt.timedelta(days=day))
    return entries


def at(day: float) -> dt.datetime:
    return START + dt.timedelta(days=day)


STORY = told(
    samples.draft(1, EntryKind.PROPOSAL, "dan"),
    samples.draft(1, EntryKind.VERDICT),
    samples.draft(1, EntryKind.APPROVAL, "vera"),
    samples.draft(1, EntryKind.APPROVAL, "rita"),
    samples.draft(1, EntryKind.INTENT, "otto", step="promotion"),
    samples.draft(1, EntryKind.PROMOTION, "otto", intent=5),  # entry 6, day 5
    samples.draft(2, EntryKind.APPROVAL, "vera"),
    samples.draft(2, EntryKind.OVERRIDE, "rita"),
    samples.draft(2, EntryKind.REVOCATION, "vera"),
    samples.draft(2, EntryKind.PROMOTION, "otto"),  # entry 10, day 9
    samples.draft(1, EntryKind.ROLLBACK, "otto"),  # entry 11, day 10
    samples.draft(1, EntryKind.RETIREMENT, "otto"),  # entry 12, day 11
    replace(samples.draft(7, EntryKind.PROMOTION, "otto"), model="another"),
)


def test_who_was_champion_at_a_time_and_who_allowed_it() -> None:
    def champion(day: float) -> ledger.Tenure | None:
        return ledger.champion_at(STORY, samples.MODEL, at(day))

    assert champion(4.99) is None
    first = champion(5)
    assert first is not None
    assert (first.version, first.by, first.allowed_by, first.evidence) == (
        1,
        "otto",
        ("vera", "rita"),
        (1, 2, 3, 4),
    )
    assert (first.since, first.until, first.number) == (at(5), at(9), 6)
    second = champion(9.5)
    assert second is not None
    assert (second.version, second.allowed_by, second.evidence) == (2, ("rita",), (7, 8, 9))
    back = champion(10.5)
    assert back is not None
    assert (back.version, back.kind, back.allowed_by) == (1, "rollback", ("vera", "rita"))
    assert champion(11) is None
    assert champion(400) is None
    assert ledger.champion_at(STORY, "another", at(400)) is not None
    assert ledger.champion_at(STORY, "a third", at(400)) is None


def test_a_reign_tells_itself() -> None:
    first, _, _ = ledger.tenures(STORY, samples.MODEL)
    assert str(first) == (
        "loan-approval version 1 was champion from 2026-01-06 00:00:00 UTC until 2026-01-10 00:00:00 UTC; "
        "promotion by otto (#6), allowed by vera, rita; evidence: #1, #2, #3, #4."
    )
    (alone,) = ledger.tenures(STORY, "another")
    assert str(alone).endswith(
        "has been champion since 2026-01-13 00:00:00 UTC; promotion by otto (#13), without an approval; "
        "evidence: none."
    )
    assert alone.to_json()["until"] is None
    assert first.to_json()["until"] == "2026-01-10T00:00:00.000000Z"


def test_a_reign_is_its_entry_as_json() -> None:
    first, _, _ = ledger.tenures(STORY, samples.MODEL)
    assert first.to_json() == {
        "model": "loan-approval",
        "version": 1,
        "content": f"{1:064x}",
        "kind": "promotion",
        "since": "2026-01-06T00:00:00.000000Z",
        "until": "2026-01-10T00:00:00.000000Z",
        "by": "otto",
        "entry": 6,
        "allowed_by": ["vera", "rita"],
        "evidence": [1, 2, 3, 4],
        "override_until": None,
    }


def test_what_the_entry_says_of_who_allowed_it_counts_and_an_override_is_told() -> None:
    promotion = samples.draft(
        3,
        EntryKind.PROMOTION,
        "otto",
        allowed_by=["rita", "vera"],
        override_until="2026-02-01",
        content="e" * 64,
    )
    (reign,) = ledger.tenures(told(samples.draft(3, EntryKind.APPROVAL, "dan"), promotion), samples.MODEL)
    assert (reign.allowed_by, reign.override_until, reign.evidence) == (("rita", "vera"), "2026-02-01", ())
    assert "allowed by rita, vera (override, expires 2026-02-01); evidence: none." in str(reign)


def test_what_was_erased_says_nothing_and_hides_nothing_after_it() -> None:
    approval, promotion = told(
        samples.draft(1, EntryKind.APPROVAL, "vera"), samples.draft(1, EntryKind.PROMOTION)
    )
    erasure = replace(approval, text=None, salt=None)
    (reign,) = ledger.tenures([erasure, promotion], samples.MODEL)
    assert (reign.allowed_by, reign.evidence) == ((), ())
    assert erasure.to_json()["body"] is None and approval.to_json()["body"]["version"] == 1
    assert str(erasure).endswith("vera approved loan-approval (content erased).")


def test_another_models_entries_in_between_hide_no_unfinished_change() -> None:
    other = replace(samples.draft(9, EntryKind.PROPOSAL), model="another")
    for story in ([other, samples.draft(1, EntryKind.INTENT)], [samples.draft(1, EntryKind.INTENT), other]):
        (open_,) = ledger.open_intents(told(*story), samples.MODEL)
        assert open_.kind == EntryKind.INTENT
    drafts = [samples.draft(1, EntryKind.INTENT), other, samples.draft(1, EntryKind.PROMOTION, intent=1)]
    assert ledger.open_intents(told(*drafts), samples.MODEL) == ()


def test_who_takes_back_what_they_never_gave_changes_nothing() -> None:
    story = told(
        samples.draft(1, EntryKind.REVOCATION, "dan"),
        samples.draft(1, EntryKind.APPROVAL, "vera"),
        samples.draft(1, EntryKind.PROMOTION, "otto"),
    )
    assert ledger.tenures(story, samples.MODEL)[0].allowed_by == ("vera",)


def test_an_entry_without_a_version_is_told_without_one() -> None:
    (entry_,) = told(Draft(kind=EntryKind.REFUSAL, model="m", actor="dan", body={"version": "odd"}))
    assert str(entry_) == "#1 2026-01-01 00:00:00 UTC: dan requested a change to m, which was refused."


def test_which_versions_served() -> None:
    assert ledger.champion_versions(STORY, samples.MODEL) == (1, 2)
    assert ledger.champion_versions(STORY[:5], samples.MODEL) == ()


def test_an_intent_is_open_until_it_is_confirmed_or_given_up() -> None:
    assert [intent.number for intent in ledger.open_intents(STORY[:5], samples.MODEL)] == [5]
    assert ledger.open_intents(STORY[:5], "another") == ()
    assert ledger.open_intents(STORY, samples.MODEL) == ()
    given_up = told(
        samples.draft(1, EntryKind.INTENT),
        Draft(kind=EntryKind.REPAIR, model=samples.MODEL, actor="o", body={"intent": 1}),
    )
    assert ledger.open_intents(given_up, samples.MODEL) == ()
    foreign = told(samples.draft(1, EntryKind.INTENT), samples.draft(1, EntryKind.PROMOTION, intent=7))
    assert [intent.number for intent in ledger.open_intents(foreign, samples.MODEL)] == [1]


def test_a_change_of_champion_without_a_version_is_an_error_not_a_guess() -> None:
    for version in (None, "1", True):
        nameless = Draft(kind=EntryKind.PROMOTION, model="m", actor="o", body={"version": version})
        with raises("ledger.unfit_body"):
            ledger.tenures(told(nameless), "m")
    history = [replace(STORY[5], text="[1]")]
    with raises("ledger.unfit_body"):
        ledger.tenures(history, samples.MODEL)


def test_erased_evidence_keeps_its_place_in_no_history() -> None:
    history = [replace(STORY[2], text=None, salt=None) if record is STORY[2] else record for record in STORY]
    first = ledger.tenures(history, samples.MODEL)[0]
    assert (first.allowed_by, first.evidence) == (("rita",), (1, 2, 4))


CHANGES = st.sampled_from([EntryKind.PROMOTION, EntryKind.ROLLBACK, EntryKind.RETIREMENT])


@given(changes=st.lists(st.tuples(CHANGES, st.integers(1, 4)), max_size=12))
def test_there_is_one_champion_at_every_time(changes: list[tuple[EntryKind, int]]) -> None:
    history = told(*(samples.draft(version, kind) for kind, version in changes))
    tenures = ledger.tenures(history, samples.MODEL)
    for before, after in itertools.pairwise(tenures):
        assert before.until is not None
        assert before.since < before.until <= after.since
    for day, (kind, version) in enumerate(changes):
        champion = ledger.champion_at(history, samples.MODEL, at(day + 0.5))
        assert (champion and champion.version) == (None if kind is EntryKind.RETIREMENT else version)
