"""Recorded decisions and whose they are: a person is who the key says, as of the time of recording.

Of a decision by token, the person is who holds the account that a service attests. What a signer claims about
themselves or the time is told, and never gone by. Whether a vote counts is decided in `approvals`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clearance.errors import IntegrityError
from clearance.trust import decisions, dsse
from clearance.trust.decisions import AttestedAccount, Decision, DecisionKind
from clearance.trust.dsse import VerifiedStatement
from clearance.trust.roles import Person, Right, Roles


@dataclass(frozen=True, kw_only=True)
class DecisionRecord:
    """A decision as the ledger holds it: number and time of the entry, what was signed, or its fault."""

    number: int
    at: dt.datetime
    signed: VerifiedStatement | None
    fault: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecordedDecision:
    """A known person's decision. `roles`: those that gave them the right to approve when it was recorded.

    `attester`: whose key says that it is theirs, where they decided by a token.
    """

    number: int
    at: dt.datetime
    digest: str
    person: Person
    roles: frozenset[str]
    can_override: bool
    content: str
    decision: Decision
    attester: Person | None = None

    @property
    def kind(self) -> DecisionKind:
        """What it decides."""
        return self.decision.decision

    def __str__(self) -> str:
        return f"{self.person.identity}'s {self.kind.noun} (entry {self.number})"


@dataclass(frozen=True, kw_only=True)
class UncountedDecision:
    """A recorded decision that does not count, and the sentence that says why and what to do."""

    number: int
    why: str


def open_record(number: int, at: dt.datetime, signed: Mapping[str, Any], roles: Roles) -> DecisionRecord:
    """An envelope from the ledger, opened by the keys of the roles file; a faulty one keeps its fault.

    `at` is the ledger's time of the entry.
    """
    try:
        return DecisionRecord(number=number, at=at, signed=dsse.verify(signed, roles.keys))
    except IntegrityError as error:
        return DecisionRecord(number=number, at=at, signed=None, fault=error.fault)


def read(record: DecisionRecord, roles: Roles) -> RecordedDecision | UncountedDecision:
    """Whose decision it is, and which; or why it is nobody's."""

    def refused(why: str) -> UncountedDecision:
        return UncountedDecision(number=record.number, why=f"Entry {record.number} does not count: {why}.")

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
    signer = roles.person(keyids[0], record.at)
    if signer is None:
        raise AssertionError("a key without a fault has an owner")
    try:
        decision, content = decisions.read(record.signed.statement)
    except IntegrityError as error:
        return refused(f"{error.fault}; {error.hint}")
    person = _decider(decision, signer, keyids[0], record.at, roles)
    if isinstance(person, str):
        return refused(person)
    return RecordedDecision(
        number=record.number,
        at=record.at,
        digest=record.signed.digest,
        person=person,
        roles=roles_with_right(roles, person, Right.APPROVE, record.at, decision.account),
        can_override=bool(roles_with_right(roles, person, Right.OVERRIDE, record.at, decision.account)),
        content=content,
        decision=decision,
        attester=signer if decision.account else None,
    )


def _decider(decision: Decision, signer: Person, keyid: str, at: dt.datetime, roles: Roles) -> Person | str:
    """Who decided: the signer, or whom the account they attest belongs to; or why nobody did."""
    account, by = decision.account, decision.by
    if account is None:
        if by == signer.identity:
            return signer
        who = f"it says that {by} decided, and {signer.identity}'s key signed it"
        return f"{who}; each decides under their own name"
    if not roles.may(keyid, Right.ATTEST_IDENTITY, at):
        return f"{signer.identity} may not attest who others are; {by} can sign with a key of their own"
    person = roles.holder(account.issuer, account.subject, at)
    if person is None:
        return (
            f"policies/roles.yaml gives the account {describe_account(account)} to nobody; "
            "have the root sign it in"
        )
    if by == person.identity:
        return person
    return (
        f"it says that {by} decided, and the account {describe_account(account)} is {person.identity}'s; "
        "decide anew"
    )


def roles_with_right(
    roles: Roles, person: Person, right: Right, at: dt.datetime, account: AttestedAccount | None
) -> frozenset[str]:
    """The person's roles at `at` that give the right; of an account, those that the issuer leaves it."""
    found = roles.roles_giving(person, right, at)
    return found if account is None or account.roles is None else found & set(account.roles)


def once(cast: Iterable[RecordedDecision]) -> tuple[list[RecordedDecision], list[UncountedDecision]]:
    """The votes without those whose token had decided before, and these, refused: a token decides once."""
    votes = list(cast)
    first: dict[tuple[str, str], int] = {}
    for vote in votes:
        if account := vote.decision.account:
            token = (account.issuer, account.token)
            first[token] = min(vote.number, first.get(token, vote.number))
    fresh: list[RecordedDecision] = []
    spent: list[UncountedDecision] = []
    for vote in votes:
        account = vote.decision.account
        number = first[account.issuer, account.token] if account else vote.number
        if number == vote.number:
            fresh.append(vote)
        else:
            why = f"{vote} does not count: its token decided before (entry {number}); sign in anew."
            spent.append(UncountedDecision(number=vote.number, why=why))
    return fresh, spent


def describe_account(account: AttestedAccount) -> str:
    """The account in words."""
    return f"{account.subject} of {account.issuer}"
