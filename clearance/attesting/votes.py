"""Recorded decisions and whose they are: a person is who the key says, as of the time of recording.

What a signer claims about themselves or about the time is told, and never gone by. Whether a vote counts for
the matter at hand is decided in `approvals`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clearance.attesting import decisions, envelope
from clearance.attesting.decisions import Decision, Kind
from clearance.attesting.envelope import Signed
from clearance.attesting.roles import Person, Right, Roles
from clearance.errors import IntegrityError

_NOUNS = {
    Kind.APPROVE: "approval",
    Kind.REJECT: "rejection",
    Kind.OVERRIDE: "override",
    Kind.REVOKE: "revocation",
}


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A decision as the ledger holds it: number and time of the entry, what was signed, or its fault."""

    number: int
    at: dt.datetime
    signed: Signed | None
    fault: str | None = None


@dataclass(frozen=True, kw_only=True)
class Vote:
    """A known person's decision. `roles`: those that gave them the right to approve when it was recorded."""

    number: int
    at: dt.datetime
    digest: str
    person: Person
    roles: frozenset[str]
    may_override: bool
    content: str
    decision: Decision

    @property
    def kind(self) -> Kind:
        """What it decides."""
        return self.decision.decision

    def __str__(self) -> str:
        return f"{self.person.identity}'s {_NOUNS[self.kind]} (entry {self.number})"


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A recorded decision that does not count, and the sentence that says why and what to do."""

    number: int
    why: str


def recorded(number: int, at: dt.datetime, signed: Mapping[str, Any], roles: Roles) -> Recorded:
    """An envelope from the ledger, opened by the keys of the roles file; a faulty one keeps its fault.

    `at` is the ledger's time of the entry.
    """
    try:
        return Recorded(number=number, at=at, signed=envelope.opened(signed, roles.keys))
    except IntegrityError as error:
        return Recorded(number=number, at=at, signed=None, fault=error.fault)


def read(record: Recorded, roles: Roles) -> Vote | Refused:
    """Whose decision it is, and which; or why it is nobody's."""

    def refused(why: str) -> Refused:
        return Refused(number=record.number, why=f"Entry {record.number} does not count: {why}.")

    if record.signed is None:
        again = "whoever decided can sign it again with a key that policies/roles.yaml lists"
        return refused(f"{record.fault or 'it is not signed'}; {again}")
    keyids = sorted(record.signed.keyids)
    if len(keyids) != 1:
        return refused(f"{len(keyids)} keys signed it; each person signs a decision of their own")
    if fault := roles.key_fault(keyids[0], record.at):
        owner = roles.owner(keyids[0])
        whose = f"{owner.identity}'s key" if owner else "key"
        again = f"{owner.identity if owner else 'whoever decided'} can decide again with a key that is valid"
        return refused(f"{whose} {keyids[0][:12]}… {fault}; {again}")
    person = roles.person(keyids[0], record.at)
    if person is None:
        raise AssertionError("a key without a fault has an owner")
    try:
        decision, content = decisions.read(record.signed.statement)
    except IntegrityError as error:
        return refused(f"{error.fault}; {error.mend}")
    if decision.by != person.identity:
        who = f"it says that {decision.by} decided, and {person.identity}'s key signed it"
        return refused(f"{who}; each decides under their own name")
    return Vote(
        number=record.number,
        at=record.at,
        digest=record.signed.digest,
        person=person,
        roles=roles.roles_giving(person, Right.APPROVE, record.at),
        may_override=roles.may(keyids[0], Right.OVERRIDE, record.at),
        content=content,
        decision=decision,
    )
