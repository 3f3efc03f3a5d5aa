"""An entry that is malformed, or whose author had no right to it, is recorded, named, and stops nobody.

Each case is written by somebody with a key and the code, past the commands, into a ledger that others use.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from clearance import ledger
from clearance.errors import ConfigurationError, ReleaseRefused
from clearance.ledger import Draft, EntryKind, entry
from clearance.promotion import session, version_record
from clearance.promotion.session import LedgerSession
from clearance.trust import roles_file, roles_in_force
from tests.support.nightly import NIGHTLY

MODEL = "loans"
ABOUT = {"version": 1, "content": "a" * 64}
OTHER = {"version": 2, "content": "b" * 64}
RETIRE = {"version": 1, "content": "a" * 64, "step": "retirement"}
PROPOSED = {"fingerprint": "f" * 64, "pushed": True}
STAMP = "2026-01-01T00:00:00.000000Z"
BODIES: dict[EntryKind, dict[str, Any]] = {
    EntryKind.PROPOSAL: {"version": 3, "content": "c" * 64, "fingerprint": "d" * 64},
    EntryKind.VERDICT: {**ABOUT, "outcome": "fail"},
    EntryKind.COMPARISON: {**ABOUT, "outcome": "fail"},
    EntryKind.APPROVAL: {**OTHER, "reason": "so"},
    EntryKind.OVERRIDE: {**OTHER, "reason": "so"},
    EntryKind.REJECTION: {**ABOUT, "reason": "so"},
    EntryKind.REVOCATION: {**ABOUT, "reason": "so", "withdraws": ["approval"]},
    EntryKind.INTENT: RETIRE,
    EntryKind.PROMOTION: {**OTHER, "intent": 4},
    EntryKind.ROLLBACK: {**OTHER, "intent": 4},
    EntryKind.RETIREMENT: {**ABOUT, "intent": 4},
    EntryKind.REPAIR: {**ABOUT, "intent": 4},
    EntryKind.CHALLENGER: {**ABOUT, "reason": "so"},
    EntryKind.ROLES: {"roles_version": 1_000_000, "sha256": "0" * 64},
    EntryKind.PREREGISTRATION: {
        **{
            "model_file": "a" * 64,
            "policy": "b" * 64,
            "as_of": "2026-01-01",
            "test_rows": "c" * 64,
            "seed": 1,
        }
    },
    EntryKind.ATTEMPT: {"fingerprint": "f" * 64, "outcome": "fail"},
    EntryKind.REBUILD: {
        **ABOUT,
        "conclusion": "different",
        "outputs": 2,
        "same": 1,
        "environment": "fresh",
    },
    EntryKind.INFERENCE_SEGMENT: {
        **{"log": "ab" * 16, "segment": 1, "first": 1, "last": 9, "records": 9, "previous": "a" * 64},
        **{"head": "b" * 64, "latest": "2026-01-01T00:00:00.000000Z"},
    },
    EntryKind.INCIDENT: {
        **ABOUT,
        **{"category": "serious", "role": "provider", "aware_at": STAMP, "owner": "otto"},
        **{"description": "so", "decisions_from": STAMP},
    },
    EntryKind.INCIDENT_REPORT: {**ABOUT, "incident": 5, "description": "so"},
    EntryKind.INCIDENT_CLOSURE: {**ABOUT, "incident": 5, "corrective_action": "so", "statement": "so"},
    EntryKind.RESTRICTION: {**ABOUT, "mode": "stop", "reason": "so"},
    EntryKind.RESUMPTION: {**ABOUT, "restrictions": [5], "reason": "so"},
    EntryKind.INFERENCE_DELETION: {
        **{"log": "ab" * 16, "segment": 1, "last": 9, "head": "b" * 64, "months": {"law": 1}},
        **{"ended": "2026-02-01T00:00:00.000000Z", "reason": "so"},
    },
    EntryKind.REDACTION: {"entries": [2], "reason": "so", "years": {"others": 1}, "versions": [1]},
}
"""What an auditor, who may only read, records as if it were so."""

Case = tuple[str, EntryKind, dict[str, Any]]


def cases() -> Iterator[Case]:
    """Who records what."""
    for kind, body in BODIES.items():
        yield "ada", kind, body
        yield "ada", kind, {}
        if kind is not EntryKind.CHALLENGER:  # to leave the model without one is his right
            yield "otto", kind, {}
        yield "ada", kind, {**body, next(iter(body)): "x"}
    for kind in (EntryKind.PROMOTION, EntryKind.ROLLBACK, EntryKind.RETIREMENT, EntryKind.REPAIR):
        yield "otto", kind, {**ABOUT, "intent": 10**6}
    yield "otto", EntryKind.PROMOTION, {**OTHER, "intent": 5}
    yield "otto", EntryKind.REPAIR, {"intent": 5}
    yield "dan", EntryKind.PROPOSAL, {"version": 1, "content": "9" * 64, **PROPOSED}
    yield "dan", EntryKind.PROPOSAL, {**ABOUT, "fingerprint": "8" * 64}
    yield "dan", EntryKind.PROPOSAL, {"version": 3, "content": "c" * 64}
    yield "dan", EntryKind.ROLES, {"roles_version": 0, "sha256": "0" * 64, "demo": True}
    yield "dan", EntryKind.ROLES, {"roles_version": 10**6, "sha256": "0" * 64, "file": "x", "signed": {}}
    yield "vera", EntryKind.REJECTION, {**ABOUT, "reason": "x" * 20_000}
    for kind in (EntryKind.INCIDENT_REPORT, EntryKind.INCIDENT_CLOSURE, EntryKind.RESUMPTION):
        yield "otto", kind, BODIES[kind]
    yield "otto", EntryKind.RESTRICTION, {**BODIES[EntryKind.RESTRICTION], "content": "9" * 64}
    yield "otto", EntryKind.INCIDENT, {**BODIES[EntryKind.INCIDENT], "version": 3}
    yield "otto", EntryKind.REDACTION, {"entries": [8], "reason": "so"}
    yield "otto", EntryKind.REDACTION, {"entries": [8], "reason": "so", "years": {"others": 0}}
    yield "otto", EntryKind.REDACTION, {"entries": [8], "reason": "so", "years": {"others": 1}}
    yield "otto", EntryKind.REDACTION, {"entries": [5], "reason": "so", "years": {"others": 1}}
    yield "otto", EntryKind.REDACTION, {"entries": [99], "reason": "so", "years": {"others": 1}}


CASES = [pytest.param(*case, id=f"{case[0]}-{case[1]}-{number}") for number, case in enumerate(cases())]
SLICE = CASES[::7]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a champion and a version that was rejected, in the ledger alone."""
    root = tmp_path_factory.mktemp("void")
    (root / "policies").mkdir()
    shutil.copy("policies/roles.yaml", root / "policies/roles.yaml")
    tell(root, "pipeline", (EntryKind.PROPOSAL, {**ABOUT, **PROPOSED}), (EntryKind.VERDICT, ABOUT))
    tell(root, "vera", (EntryKind.APPROVAL, {**ABOUT, "reason": "seen"}))
    tell(root, "otto", (EntryKind.INTENT, {**ABOUT, "step": "promotion"}))
    tell(root, "otto", (EntryKind.PROMOTION, {**ABOUT, "intent": 5}))
    tell(root, "pipeline", (EntryKind.PROPOSAL, {**OTHER, **PROPOSED}))
    tell(root, "rita", (EntryKind.REJECTION, {**OTHER, "reason": "unfair"}))
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "project"))


def tell(root: Path, by: str, *entries: tuple[EntryKind, dict[str, Any]]) -> None:
    """Record as the commands do."""
    with session.open_session(root, by) as office:
        office.record(*(office.draft(kind, MODEL, **body) for kind, body in entries))


def forge(root: Path, by: str, *drafts: Any) -> ledger.Entry:
    """Write past the commands, signed by one who has a key; the last entry."""
    with session.open_session(root, by) as office:
        entries = [draft if draft.keyid else signed(office, draft) for draft in drafts]
        return ledger.append(office.book, entries)[-1]


def signed(office: LedgerSession, draft: Any) -> Any:
    return SimpleNamespace(**{**vars(draft), "keyid": office.keyid})


def draft(kind: Any, body: dict[str, Any], actor: str, keyid: str | None = None) -> Any:
    model = None if kind == EntryKind.ROLES else MODEL
    return SimpleNamespace(kind=kind, model=model, actor=actor, keyid=keyid, body=body)


def state(root: Path) -> Any:
    """What every reader makes of the ledger."""
    with session.open_read_only(root) as reader:
        reader.ensure_sound()
        entries = reader.entries(MODEL)
        return (
            [version_record.fold(entries, MODEL, version, reader.roles) for version in (1, 2, 3)],
            reader.roles.version,
        )


def voids(root: Path) -> dict[int, str]:
    with session.open_read_only(root) as reader:
        return {number: void.why for number, void in reader.voids().items()}


@pytest.mark.parametrize(("by", "kind", "body"), CASES if NIGHTLY else SLICE)
def test_a_false_entry_is_void_and_stops_nobody(
    root: Path, by: str, kind: EntryKind, body: dict[str, Any]
) -> None:
    before = state(root)
    with session.open_session(root, by) as office, pytest.raises(ReleaseRefused) as error:
        office.record(Draft(kind=kind, model=MODEL, actor=by, body=body, keyid=office.keyid))
    assert error.value.code == "promotion.void_entry"
    record = forge(root, by, draft(kind, body, by))
    assert list(voids(root)) == [record.number]
    assert state(root) == before
    tell(root, "vera", (EntryKind.REJECTION, {**ABOUT, "reason": "seen again"}))


def test_every_kind_is_tried() -> None:
    assert {*BODIES, EntryKind.REFUSAL, EntryKind.CHECKPOINT_POLICY} == set(EntryKind)


@pytest.mark.parametrize("kind", [EntryKind.REFUSAL, EntryKind.CHECKPOINT_POLICY])
def test_whoever_is_listed_may_record_what_stops_nobody(root: Path, kind: EntryKind) -> None:
    before = state(root)
    tell(root, "ada", (kind, {"reason": "so"} if kind is EntryKind.REFUSAL else {}))
    assert voids(root) == {}
    assert state(root)[0][0].champion == before[0][0].champion


def test_an_unknown_kind_and_a_body_too_long_are_void(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(root)
    unknown = forge(root, "ada", draft("gossip", {}, "ada"))
    monkeypatch.setattr(entry, "LONGEST", 10**7)
    long = forge(root, "ada", draft(EntryKind.VERDICT, {"outcome": "x" * 300_000}, "ada"))
    monkeypatch.undo()
    open_ = forge(root, "ada", draft(EntryKind.CHECKPOINT_POLICY, {"note": "x" * 20_000}, "ada"))
    assert list(voids(root)) == [unknown.number, long.number, open_.number]
    assert state(root) == before


@pytest.mark.parametrize("name", ["key", "no key", "name"])
def test_what_somebody_signs_in_the_name_of_another_is_void(root: Path, name: str) -> None:
    before = state(root)
    with session.open_read_only(root) as reader:
        keyid = reader.roles.people["otto"].keys[0].key.keyid
    body = RETIRE
    record = forge(root, "ada", draft(EntryKind.INTENT, body, "otto", keyid if name == "key" else None))
    if name == "no key":
        with session.open_session(root, "ada") as office:
            office_draft = draft(EntryKind.INTENT, body, "ada")
            record = ledger.append(office.book, [office_draft])[0]
    assert record.number in voids(root)
    assert state(root) == before


def test_a_forgery_is_found_however_many_entries_follow(root: Path) -> None:
    """A window of the newest checkpoints could be flooded."""
    before = state(root)[0][0].champion
    with session.open_read_only(root) as reader:
        keyid = reader.roles.people["otto"].keys[0].key.keyid
    intent = forge(root, "ada", draft(EntryKind.INTENT, {**OTHER, "step": "promotion"}, "otto", keyid))
    promotion = forge(
        root, "ada", draft(EntryKind.PROMOTION, {**OTHER, "intent": intent.number}, "otto", keyid)
    )
    with session.open_session(root, "ada") as office:
        for number in range(2_001 if NIGHTLY else 30):
            office_draft = office.draft(EntryKind.REFUSAL, MODEL, reason=str(number))
            ledger.append(office.book, [office_draft])
    assert list(voids(root)) == [intent.number, promotion.number]
    assert state(root)[0][0].champion == before


def test_verification_runs_to_its_end_and_names_each_faulty_entry(root: Path) -> None:
    record = forge(root, "ada", draft(EntryKind.PROMOTION, {}, "ada"))
    with session.open_read_only(root) as reader:
        report = reader.audit()
    assert report.ok and report.counts.startswith("9 entries (1 void), ")
    assert str(report.voids[0]).startswith(f"void: entry {record.number} (promotion by ada): ")
    assert report.to_json()["voids"][0]["number"] == record.number
    with contextlib.closing(sqlite3.connect(root / ".clearance/ledger.db")) as database:
        database.execute(
            "UPDATE clearance_ledger_entries SET text = replace(text, 'sha256', 'sha257') WHERE number = 1"
        )
        database.commit()
    with session.open_read_only(root) as reader:
        report = reader.audit()
    assert (report.ok, report.first, report.entries) == (False, 1, 9)


# Roles


def sign_roles(root: Path, change: Any) -> None:
    """The demo's root signs the roles file again; a session records it."""
    keyed = yaml.safe_load((root / ".clearance/keys/roles.yaml").read_text())
    change(keyed)
    (root / roles_file.FILE).write_text(yaml.safe_dump(keyed, sort_keys=False))
    with session.open_session(root):
        pass


def test_who_leaves_is_judged_by_the_roles_of_their_time(root: Path) -> None:
    before = state(root)[0][0]

    def leave(roles: dict[str, Any]) -> None:
        del roles["people"]["otto"], roles["people"]["vera"], roles["roles"]["validator"]

    sign_roles(root, leave)
    assert voids(root) == {}
    after = state(root)[0][0]
    assert (after.champion, after.decisions, after.proposal) == (
        before.champion,
        before.decisions,
        before.proposal,
    )
    with pytest.raises(ConfigurationError):
        tell(root, "otto", (EntryKind.INTENT, RETIRE))


def test_a_role_given_today_gives_no_right_to_what_was_recorded_before(root: Path) -> None:
    record = forge(root, "ada", draft(EntryKind.REJECTION, {**ABOUT, "reason": "so"}, "ada"))
    sign_roles(root, lambda roles: roles["people"]["ada"].update(roles=["validator"]))
    assert list(voids(root)) == [record.number]
    tell(root, "ada", (EntryKind.REJECTION, {**ABOUT, "reason": "so"}))


def test_a_leaver_writes_nothing_that_counts(root: Path) -> None:
    old = shutil.copytree(root, root.parent / "old")
    sign_roles(root, lambda roles: roles["people"].pop("otto"))
    for name in ("ledger.db", "ledger.checkpoints"):  # otto keeps the old roles file beside the same ledger
        (old / ".clearance" / name).unlink()
        (old / ".clearance" / name).symlink_to(root / ".clearance" / name)
    with session.open_session(root) as office:
        book = office.book
        roles = roles_in_force.load(old)
        actor = roles_in_force.actor(old, roles, office.now(), "otto")
        own_ledger = session._sealed(root, office.roles, book, actor)
        keyid = str(actor.signer.public_key.keyid)
        record = ledger.append(
            own_ledger,
            [
                Draft(
                    kind=EntryKind.INTENT,
                    model=MODEL,
                    actor="otto",
                    keyid=keyid,
                    body=RETIRE,
                )
            ],
        )[0]
    assert list(voids(root)) == [record.number]


# Times


@contextlib.contextmanager
def clock(monkeypatch: pytest.MonkeyPatch, by: dt.timedelta) -> Iterator[None]:
    """A machine whose clock is wrong by so much."""
    with monkeypatch.context() as patch:
        patch.setattr("clearance.ledger.reading._now", lambda: dt.datetime.now(dt.UTC) + by)
        yield


YEARS = dt.timedelta(days=73 * 365)


def test_a_clock_far_ahead_drags_nobody_with_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with clock(monkeypatch, YEARS):
        record = forge(root, "pipeline", draft(EntryKind.REFUSAL, {"reason": "so"}, "pipeline"))
    assert list(voids(root)) == [record.number]
    tell(root, "vera", (EntryKind.REFUSAL, {"reason": "later"}))
    with session.open_read_only(root) as reader:
        assert reader.entries(MODEL)[-1].at < dt.datetime.now(dt.UTC)
        assert reader.now() < dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
        assert reader.audit().ok


def test_an_entry_dated_before_what_two_people_recorded_is_void(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clock(monkeypatch, -dt.timedelta(days=3)), pytest.raises(ConfigurationError) as error:
        tell(root, "otto", (EntryKind.INTENT, RETIRE))
    assert error.value.code == "promotion.clock_behind"
    with session.open_session(root, "otto") as office:
        book = replace(office.book, clock=lambda: dt.datetime(2020, 1, 2, tzinfo=dt.UTC))
        record = ledger.append(book, [office.draft(EntryKind.INTENT, MODEL, **RETIRE)])[0]
    assert list(voids(root)) == [record.number]


def test_an_objection_counts_whatever_the_clock_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with clock(monkeypatch, YEARS):
        forge(root, "rita", draft(EntryKind.REJECTION, {**ABOUT, "reason": "so"}, "rita"))
    assert voids(root) == {}
    assert len(state(root)[0][0].decisions) == 2


def test_a_revoked_key_is_revoked_whatever_time_it_states(root: Path) -> None:
    """The checkpoint and the entry both say that it was before."""
    with session.open_session(root, "otto") as office:
        thief = session._sealed(root, office.roles, office.book, office.acting)
        keyid = office.keyid

    def revoke(roles: dict[str, Any]) -> None:
        at = dt.datetime.now(dt.UTC).isoformat()
        roles["people"]["otto"]["keys"][0]["revoked"] = {"at": at, "why": "stolen"}

    sign_roles(root, revoke)
    body = RETIRE
    with session.open_session(root) as office:
        book = replace(office.book, seal=thief.seal, clock=lambda: dt.datetime(2020, 1, 2, tzinfo=dt.UTC))
        claim = Draft(kind=EntryKind.INTENT, model=MODEL, actor="otto", keyid=keyid, body=body)
        record = ledger.append(book, [claim])[0]
    assert list(voids(root)) == [record.number]


# Erasure


def test_a_rejection_that_was_erased_too_early_still_counts(root: Path) -> None:
    with session.open_session(root, "otto") as office:
        rejection = office.entries(MODEL)[-1]
        body = {"entries": [rejection.number], "reason": "so", "years": {"others": 1}, "versions": [2]}
        ledger.redact(office.book, office.draft(EntryKind.REDACTION, MODEL, **body))
    with session.open_read_only(root) as reader:
        assert reader.audit().ok
        record = version_record.fold(reader.entries(MODEL), MODEL, 2, reader.roles)
        first = version_record.fold(reader.entries(MODEL), MODEL, 1, reader.roles)
    assert [entry.number for entry in record.unreadable] == [rejection.number]
    assert [entry.number for entry in first.unreadable] == [rejection.number]
    assert list(voids(root)) == [rejection.number + 1]


def test_an_erasure_that_names_a_version_nobody_proposed_blocks_no_later_proposal(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clock(monkeypatch, dt.timedelta(days=800)), session.open_session(root, "otto") as office:
        numbers = [entry.number for entry in office.entries(MODEL)[-2:]]
        body = {"entries": numbers, "reason": "so", "years": {"others": 1}, "versions": [2, 3]}
        ledger.redact(office.book, office.draft(EntryKind.REDACTION, MODEL, **body))
        assert list(office.voids()) == [max(numbers) + 1]
        proposal = Draft(
            kind=EntryKind.PROPOSAL,
            model=MODEL,
            actor="pipeline",
            keyid=None,
            body={**OTHER, **PROPOSED, "version": 3},
        )
        with pytest.raises(ReleaseRefused) as refusal:
            office.ensure_counts(proposal)
        assert "erased" not in refusal.value.fault


def test_an_erasure_counts_when_the_period_is_over_and_nothing_is_left(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clock(monkeypatch, dt.timedelta(days=800)), session.open_session(root, "otto") as office:
        numbers = [entry.number for entry in office.entries(MODEL)[-2:]]
        body: dict[str, Any] = {"reason": "so", "years": {"others": 1}, "versions": [2]}
        part = office.draft(EntryKind.REDACTION, MODEL, entries=numbers[1:], **body)
        with pytest.raises(ReleaseRefused):
            office.ensure_counts(part)
        ledger.redact(office.book, office.draft(EntryKind.REDACTION, MODEL, entries=numbers, **body))
        assert office.voids() == {}
        record = version_record.fold(office.entries(MODEL), MODEL, 2, office.roles)
        assert (record.proposal, record.unreadable) == (None, ())
        with pytest.raises(ReleaseRefused):
            office.ensure_counts(
                Draft(
                    kind=EntryKind.PROPOSAL,
                    model=MODEL,
                    actor="pipeline",
                    keyid=None,
                    body={**OTHER, **PROPOSED},
                )
            )
