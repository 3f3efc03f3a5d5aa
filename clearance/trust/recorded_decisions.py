"""Recorded decisions and who made them: the owner of the key at the time of recording.

A decision by token belongs to the holder of the account that a service attests. Claims of a signer about
themselves or the time are never relied on. Whether a decision counts is decided in `approval_rules`.
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


@dataclass(frozen=True)
class Reason:
    """Why a decision does not count, or a promotion is not approved yet: a stable code, and what to do."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class DecisionRecord:
    """A decision as the ledger holds it: the entry's number and time, and what was signed, or its fault."""

    number: int
    at: dt.datetime
    signed: VerifiedStatement | None
    fault: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecordedDecision:
    """A known person's decision. `roles` gave them the right to approve when it was recorded.

    `attester` signed for them, where they decided with a token.
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
        """The kind of decision."""
        return self.decision.decision

    def __str__(self) -> str:
        return f"{self.person.identity}'s {self.kind.noun} (entry {self.number})"


@dataclass(frozen=True, kw_only=True)
class UncountedDecision:
    """A recorded decision that does not count: a stable code, and the sentence that says what to do."""

    number: int
    code: str
    why: str


def open_record(number: int, at: dt.datetime, signed: Mapping[str, Any], roles: Roles) -> DecisionRecord:
    """An envelope from the ledger, verified with the keys of the roles file; if it fails, with its fault.

    `at` is the ledger's time of the entry.
    """
    try:
        return DecisionRecord(number=number, at=at, signed=dsse.verify(signed, roles.keys))
    except IntegrityError as error:
        return DecisionRecord(number=number, at=at, signed=None, fault=error.fault)


def read(record: DecisionRecord, roles: Roles) -> RecordedDecision | UncountedDecision:
    """The decision and who made it, or why it belongs to nobody."""

    def uncounted(code: str, text: str) -> UncountedDecision:
        why = f"Entry {record.number} does not count: {text}."
        return UncountedDecision(number=record.number, code=code, why=why)

    if record.signed is None:
        again = "the person who decided can sign it again with a key that policies/roles.yaml lists"
        return uncounted("invalid_signature", f"{record.fault or 'it is not signed'}; {again}")
    keyids = sorted(record.signed.keyids)
    if len(keyids) != 1:
        return uncounted(
            "several_signers", f"{len(keyids)} keys signed it; each person signs their own decision"
        )
    if fault := roles.key_fault(keyids[0], record.at):
        owner = roles.owner(keyids[0])
        whose = f"{owner.identity}'s key" if owner else "key"
        again = f"{owner.identity if owner else 'the person who decided'} can decide again with a valid key"
        return uncounted("invalid_key", f"{whose} {keyids[0][:12]}… {fault}; {again}")
    signer = roles.person(keyids[0], record.at)
    if signer is None:
        raise AssertionError("a key without a fault has an owner")
    try:
        decision, content = decisions.read(record.signed.statement)
    except IntegrityError as error:
        return uncounted("invalid_decision", f"{error.fault}; {error.hint}")
    person = _person(decision, signer, keyids[0], record.at, roles)
    if isinstance(person, Reason):
        return uncounted(person.code, person.text)
    can_override = roles_with_right(roles, person, Right.OVERRIDE, record.at, decision.account)
    return RecordedDecision(
        number=record.number,
        at=record.at,
        digest=record.signed.digest,
        person=person,
        roles=roles_with_right(roles, person, Right.APPROVE, record.at, decision.account),
        can_override=bool(can_override),
        content=content,
        decision=decision,
        attester=signer if decision.account else None,
    )


def _person(decision: Decision, signer: Person, keyid: str, at: dt.datetime, roles: Roles) -> Person | Reason:
    """Who decided: the signer, or the holder of the account that they attest; or why nobody did."""
    account, by = decision.account, decision.by
    if account is None:
        if by == signer.identity:
            return signer
        claims = f"it claims that {by} decided, but {signer.identity} signed it"
        return Reason("other_signer", f"{claims}; each person signs their own decision")
    if not roles.may(keyid, Right.ATTEST_IDENTITY, at):
        may_not = f"{signer.identity} may not attest the identity of others"
        return Reason("may_not_attest", f"{may_not}; {by} can sign with their own key")
    person = roles.holder(account.issuer, account.subject, at)
    if person is None:
        listed = f"policies/roles.yaml does not list the account {describe_account(account)}"
        return Reason("unknown_account", f"{listed}; have the root sign it in")
    if by == person.identity:
        return person
    holder = f"the account {describe_account(account)} belongs to {person.identity}"
    return Reason("other_account", f"it claims that {by} decided, but {holder}; decide again")


def roles_with_right(
    roles: Roles, person: Person, right: Right, at: dt.datetime, account: AttestedAccount | None
) -> frozenset[str]:
    """The person's roles at `at` that give the right; with an account, those that its groups allow."""
    giving = roles.roles_giving(person, right, at)
    return giving if account is None or account.roles is None else giving & set(account.roles)


def drop_reused_tokens(
    recorded: Iterable[RecordedDecision],
) -> tuple[list[RecordedDecision], list[UncountedDecision]]:
    """The decisions whose token had not decided before, and the others: a token decides once."""
    every = list(recorded)
    first: dict[tuple[str, str], int] = {}
    for one in every:
        if account := one.decision.account:
            token = (account.issuer, account.token)
            first[token] = min(one.number, first.get(token, one.number))
    fresh: list[RecordedDecision] = []
    reused: list[UncountedDecision] = []
    for one in every:
        account = one.decision.account
        number = first[account.issuer, account.token] if account else one.number
        if number == one.number:
            fresh.append(one)
        else:
            why = f"{one} does not count: its token decided before (entry {number}); sign in again."
            reused.append(UncountedDecision(number=one.number, code="token_reused", why=why))
    return fresh, reused


def describe_account(account: AttestedAccount) -> str:
    """The account in words."""
    return f"{account.subject} of {account.issuer}"
