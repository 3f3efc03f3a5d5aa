"""Each kind of entry is one typed event: it reads what was written before, and refuses what does not fit."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from clearance import ledger
from clearance.ledger import Draft, Entry, EntryKind, entry, events
from clearance.ledger.events import Event
from tests.support.codes import raises

CONTENT, OTHER = "c" * 64, "d" * 64
ABOUT: dict[str, Any] = {"version": 3, "content": CONTENT}
ENVELOPE = {"payload": "e30=", "payloadType": "t", "signatures": []}
TERMS = {"tier": "high", "authorised_in": None, "allowed_by": ["vera", "rita"], "override_until": None}
TRIED = {"seed": 2, "overrides": {"seed": "2"}, "test_rows": OTHER, "source": CONTENT}
AT = "2026-01-01T00:00:00.000000Z"
DEADLINE = {"id": "d15", "to": "the authority", "due": AT, "incomplete_first": True, "source": "Art. 73"}
BODIES: dict[EntryKind, list[dict[str, Any]]] = {
    EntryKind.PROPOSAL: [ABOUT | {"fingerprint": OTHER, "pushed": False}],
    EntryKind.VERDICT: [
        ABOUT | {"outcome": "fail", "reasons": ["too far apart"], "policy": OTHER},
        ABOUT | {"outcome": "fail", "reasons": [], "policy": OTHER, "attempt": TRIED},
    ],
    EntryKind.PREREGISTRATION: [
        {"model_file": OTHER, "policy": OTHER, "as_of": "2026-01-01", "test_rows": OTHER, "seed": 1}
    ],
    EntryKind.ATTEMPT: [{"fingerprint": OTHER, "outcome": "fail", "run": "r", "attempt": TRIED}],
    EntryKind.COMPARISON: [
        ABOUT
        | {"champion": None, "comparison": OTHER, "outcome": "pass", "approvals": 2, "reasons": []}
        | {"envelope": ENVELOPE}
    ],
    EntryKind.REBUILD: [
        ABOUT
        | {"conclusion": "identical", "outputs": 20, "same": 20, "environment": "present"}
        | {"reasons": [], "installation": OTHER, "network": False, "envelope": ENVELOPE}
    ],
    EntryKind.APPROVAL: [
        ABOUT | {"reason": "seen", "envelope": ENVELOPE},
        ABOUT
        | {
            "reason": "seen",
            "account": {"issuer": "i", "subject": "s", "token": OTHER},
            "envelope": ENVELOPE,
        },
    ],
    EntryKind.OVERRIDE: [ABOUT | {"reason": "urgent", "envelope": ENVELOPE}],
    EntryKind.REJECTION: [ABOUT | {"reason": "no", "envelope": ENVELOPE}],
    EntryKind.REVOCATION: [
        ABOUT | {"reason": "settled", "envelope": ENVELOPE},
        ABOUT | {"reason": "settled", "withdraws": ["approval", "rejection"], "envelope": ENVELOPE},
    ],
    EntryKind.REFUSAL: [
        {"reason": "no right"},
        {"reason": "no such candidate", "version": 0},
        {"reason": "files cannot be read", "fingerprint": OTHER},
        ABOUT | {"reason": "one approval is missing"},
        {"reason": "no token", "account": {"issuer": "i", "subject": "s"}, "passed_over": 4, "version": 3},
    ],
    EntryKind.INTENT: [
        ABOUT | TERMS | {"step": "promotion"},
        ABOUT | TERMS | {"step": "promotion", "override": "by rita"},
        ABOUT | {"step": "rollback", "reason": "r", "allowed_by": ["vera"], "override_until": "2026-02-01"},
        ABOUT | {"step": "retirement", "reason": "r"},
    ],
    EntryKind.PROMOTION: [ABOUT | TERMS | {"intent": 7}, ABOUT],
    EntryKind.ROLLBACK: [ABOUT | {"reason": "r", "allowed_by": [], "override_until": None, "intent": 7}],
    EntryKind.RETIREMENT: [ABOUT | {"reason": "r", "intent": 7}],
    EntryKind.REPAIR: [ABOUT | TERMS | {"intent": 7}, {"intent": 7}],
    EntryKind.CHALLENGER: [ABOUT | {"reason": "r"}, {"reason": "r"}],
    EntryKind.INCIDENT: [
        ABOUT
        | {"category": "serious", "role": "provider", "aware_at": AT, "owner": "otto", "description": "d"}
        | {"rule": "r", "alert": "a", "look": OTHER, "decisions_from": AT, "decisions_until": AT}
        | {"deadlines": [DEADLINE]},
        ABOUT
        | {"category": "death", "role": "deployer", "aware_at": AT, "owner": "otto", "description": "d"}
        | {"decisions_from": AT, "deadlines": []},
    ],
    EntryKind.INCIDENT_REPORT: [
        ABOUT
        | {"incident": 7, "description": "d", "deadline": "d15", "to": "the authority", "complete": True},
        ABOUT
        | {"incident": 7, "description": "d", "category": "death", "aware_at": AT, "deadlines": [DEADLINE]}
        | {"decisions_until": AT},
    ],
    EntryKind.INCIDENT_CLOSURE: [ABOUT | {"incident": 7, "corrective_action": "c", "statement": "s"}],
    EntryKind.RESTRICTION: [
        ABOUT | {"mode": "stop", "reason": "it failed", "rule": "r", "alert": "a", "look": OTHER},
        ABOUT | {"mode": "hold", "reason": "somebody complained"},
    ],
    EntryKind.RESUMPTION: [ABOUT | {"restrictions": [8, 9], "reason": "corrected"}],
    EntryKind.ROLES: [
        {"roles_version": 2, "sha256": OTHER, "demo": True, "root_version": 1},
        {"roles_version": 2, "sha256": OTHER, "demo": True},
    ],
    EntryKind.CHECKPOINT_POLICY: [{"places": 2}],
    EntryKind.REDACTION: [{"entries": [1, 2], "reason": "law"}],
    EntryKind.INFERENCE_SEGMENT: [
        {"log": "ab" * 16, "segment": 1, "first": 1, "last": 1_000, "records": 1_000}
        | {"previous": OTHER, "head": CONTENT, "latest": "2026-01-01T00:00:00.000000Z"}
    ],
    EntryKind.INFERENCE_DELETION: [
        {"log": "ab" * 16, "segment": 1, "last": 1_000, "head": CONTENT, "months": {"ecoa": 25}}
        | {"ended": "2028-02-01T00:00:00.000000Z", "reason": "yearly"}
    ],
}
"""Bodies of every kind as commands of this version and the one before write them."""


def recorded(kind: EntryKind, body: dict[str, Any], actor: str = "rita") -> Entry:
    """An entry as the ledger stores it."""
    draft = Draft(kind=kind, model="loans", actor=actor, body=body)
    (record,) = entry.chain([draft], after=0, previous="", at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    return record


def event(kind: EntryKind, body: dict[str, Any]) -> Event:
    result = recorded(kind, body).event
    assert result is not None
    return result


EVERY = [pytest.param(kind, body, id=kind) for kind, bodies in BODIES.items() for body in bodies]


def test_every_kind_has_one_class() -> None:
    assert set(events.EVENTS) == set(EntryKind) == set(BODIES)
    assert all(event_class.kind == kind for kind, event_class in events.EVENTS.items())


@pytest.mark.parametrize(("kind", "body"), EVERY)
def test_a_body_that_was_written_is_read_and_written_back_unchanged(
    kind: EntryKind, body: dict[str, Any]
) -> None:
    instance = event(kind, body)
    assert (type(instance), instance.to_body()) == (events.EVENTS[kind], body)
    draft = Draft.of(instance, model="loans", actor="rita", keyid="k")
    assert entry.canonical(draft.body) == recorded(kind, body).text
    assert (draft.kind, draft.keyid) == (kind, "k")


@pytest.mark.parametrize(("kind", "body"), EVERY)
def test_the_published_schema_takes_the_same_bodies(kind: EntryKind, body: dict[str, Any]) -> None:
    schema = events.schemas()[f"ledger_{kind}"]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(body, schema)
    assert schema["$id"] == f"urn:clearance:ledger:{kind}:v1"
    if kind is not EntryKind.CHECKPOINT_POLICY:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(body | {"gossip": 1}, schema)


@pytest.mark.parametrize(
    ("kind", "change", "key"),
    [
        (EntryKind.APPROVAL, {"version": "3"}, "`version`"),
        (EntryKind.APPROVAL, {"version": True}, "`version`"),
        (EntryKind.APPROVAL, {"version": 0}, "`version`"),
        (EntryKind.APPROVAL, {"content": "short"}, "`content`"),
        (EntryKind.APPROVAL, {"gossip": 1}, "`gossip`"),
        (EntryKind.APPROVAL, {"account": {"issuer": "i"}}, "`account.subject`"),
        (EntryKind.REVOCATION, {"withdraws": ["verdict"]}, "`withdraws.0`"),
        (EntryKind.PROMOTION, {"intent": "first"}, "`intent`"),
        (EntryKind.PROMOTION, {"version": None}, "`version`"),
        (EntryKind.INTENT, {"step": "proposal"}, "`step`"),
        (EntryKind.REDACTION, {"entries": ["1"]}, "`entries.0`"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_by_saying_where(
    kind: EntryKind, change: dict[str, Any], key: str
) -> None:
    record = recorded(kind, BODIES[kind][0] | change)
    with raises("ledger.unfit_body", where="entry 1", kind=kind) as error:
        _ = record.event
    assert key in error.value.values["why"]
    assert str(record).startswith("#1 2026-01-01 00:00:00 UTC: rita ")  # it can still be listed


def test_an_unknown_kind_is_refused_and_still_listed() -> None:
    record = replace(recorded(EntryKind.PROPOSAL, ABOUT), kind="gossip")
    with raises("ledger.unknown_stored_kind", number=1, kind="gossip"):
        _ = record.event
    assert "recorded `gossip` on loans version 3" in str(record)


def test_an_erased_entry_has_no_event() -> None:
    record = replace(recorded(EntryKind.REVOCATION, BODIES[EntryKind.REVOCATION][1]), text=None, salt=None)
    assert record.event is None
    assert str(record).endswith("rita withdrew their decision on loans (content erased).")


@pytest.mark.parametrize(
    ("withdraws", "told"),
    [
        (None, "rita withdrew their decision on loans version 3."),
        (["rejection"], "rita withdrew their rejection of loans version 3."),
        (["approval", "override"], "rita withdrew their approval and override of loans version 3."),
    ],
)
def test_a_revocation_says_what_it_withdraws(withdraws: list[str] | None, told: str) -> None:
    body = BODIES[EntryKind.REVOCATION][0] | ({"withdraws": withdraws} if withdraws else {})
    assert str(recorded(EntryKind.REVOCATION, body)).endswith(told)


@pytest.mark.parametrize(("kind", "body"), EVERY)
def test_every_sentence_names_the_actor_and_ends(kind: EntryKind, body: dict[str, Any]) -> None:
    sentence = str(recorded(kind, body))
    assert " rita " in sentence and sentence.endswith(".") and "{" not in sentence and "_" not in sentence


@pytest.mark.parametrize("body", BODIES[EntryKind.INTENT], ids=lambda body: body["step"])
def test_an_intent_leads_to_its_change_or_is_abandoned(body: dict[str, Any]) -> None:
    intent = event(EntryKind.INTENT, body)
    assert isinstance(intent, events.IntentEvent)
    rest = {name: value for name, value in body.items() if name != "step"} | {"intent": 9}
    completion = intent.completed(9)
    assert (completion.kind, completion.to_body(), type(completion)) == (body["step"], rest, intent.change)
    assert (intent.abandoned(9).kind, intent.abandoned(9).to_body()) == (EntryKind.REPAIR, rest)


def test_the_lists_of_kinds_follow_from_the_classes() -> None:
    assert set(events.CHANGES) == {EntryKind.PROMOTION, EntryKind.ROLLBACK, EntryKind.RETIREMENT}
    decisions = {EntryKind.APPROVAL, EntryKind.REJECTION, EntryKind.OVERRIDE, EntryKind.REVOCATION}
    assert decisions == {
        kind for kind, event in events.EVENTS.items() if issubclass(event, events.DecisionEvent)
    }
    assert decisions < events.EVIDENCE < ledger.ERASABLE
    rights = {kind: event_class.right for kind, event_class in events.EVENTS.items() if event_class.right}
    assert {kind: rights[kind] for kind in events.CHANGES} == {
        "promotion": "promote",
        "rollback": "roll_back",
        "retirement": "roll_back",
    }
    assert rights[EntryKind.REDACTION] == "erase"


def test_an_event_cannot_be_changed() -> None:
    instance = event(EntryKind.APPROVAL, BODIES[EntryKind.APPROVAL][0])
    with pytest.raises(ValueError, match="frozen"):
        instance.version = 4  # type: ignore[attr-defined]
    assert json.loads(json.dumps(instance.to_body())) == instance.to_body()
