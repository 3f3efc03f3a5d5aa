"""What decisions are held against, and whether one of them counts: pure, one decision at a time.

Every "no" is a sentence that names the person and says what to do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clearance.trust.decisions import ApprovalSubject, DecisionKind
from clearance.trust.recorded_decisions import RecordedDecision
from clearance.trust.roles import Roles, format_time


@dataclass(frozen=True, kw_only=True)
class Contributors:
    """Who made the model: identities of the roles file, and addresses of authors that it does not list."""

    identities: frozenset[str]
    unlisted: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class ApprovalRequirement:
    """What the policy asks for: how many people of which role; how many days an override may last.

    `demo`: it is the demo's policy, the only kind that the demo's keys satisfy. `authors_listed`: every
    author must be in the roles file, for else one could approve under another name.
    """

    roles: Mapping[str, int]
    override_days: int = 0
    demo: bool = False
    authors_listed: bool = True

    def __post_init__(self) -> None:
        if self.override_days < 0 or any(count < 0 for count in self.roles.values()):
            raise ValueError("a policy cannot ask for less than nobody")


@dataclass(frozen=True, kw_only=True)
class ApprovalContext:
    """What the decisions are held against. `failed`: the verdict lets it through by an override only."""

    matter: ApprovalSubject
    roles: Roles
    trainers: Contributors
    asked: ApprovalRequirement
    failed: bool
    now: dt.datetime


def contributors(roles: Roles, keyids: Iterable[str], emails: Iterable[str]) -> Contributors:
    """Who made the model: whoever holds these keys (proposers) or commits under these addresses (authors).

    A key that has expired since still tells who proposed.
    """
    authors = {email: roles.author(email) for email in emails}
    made = [*(roles.owner(keyid) for keyid in keyids), *authors.values()]
    return Contributors(
        identities=frozenset(person.identity for person in made if person is not None),
        unlisted=frozenset(email for email, person in authors.items() if person is None),
    )


def fault(vote: RecordedDecision, question: ApprovalContext) -> str | None:
    """Why a decision does not count for the question, by itself; None when it does."""
    who = vote.person.identity
    if elsewhere := _elsewhere(vote, question.matter):
        return elsewhere
    if not vote.roles:
        return f"no role that {who} had then may approve; ask somebody whose role may"
    if vote.kind is DecisionKind.REJECT:
        return None
    if who in question.trainers.identities:
        return f"{who} had a part in making this model; ask somebody who had none"
    if vote.attester and vote.attester.identity in question.trainers.identities:
        attests = f"{vote.attester.identity}, who attests it, had a part in making this model"
        return f"{attests}; {who} can sign with their own key"
    return _override_fault(vote, question)


def _elsewhere(vote: RecordedDecision, matter: ApprovalSubject) -> str | None:
    """Why a decision is about something else; a rejection is about the content, whoever is champion."""
    said, who = vote.decision, vote.person.identity
    if vote.content != matter.content:
        return f"it is about other evidence ({vote.content[:12]}…); {who} can decide on what there is now"
    if (said.model, said.version) != (matter.model, matter.version):
        return f"it is about {said.model} version {said.version}; {who} can decide on this version"
    if vote.kind is DecisionKind.REJECT:
        return None
    if said.policy != matter.policy:
        return f"it was given under policy {said.policy}; {who} can decide under {matter.policy}"
    if (said.comparison, said.champion) != (matter.comparison, matter.champion):
        return f"it was given against another champion than today's; {who} can decide on the new comparison"
    return None


def _override_fault(vote: RecordedDecision, question: ApprovalContext) -> str | None:
    """Why this kind of decision does not fit the verdict, or an override its limits; None when it does."""
    who, until, days = vote.person.identity, vote.decision.until, question.asked.override_days
    if until is None:
        needs = f"the verdict does not let this model through; {who} can override it, with an end, or not"
        return needs if question.failed else None
    if not question.failed:
        return f"there is nothing to override; {who} can approve"
    if not days:
        return f"the policy allows no override; {who} can reject, or have the model mended"
    if until <= question.now:
        return f"it ended at {format_time(until)}; {who} can override anew"
    if until - vote.at > dt.timedelta(days=days):
        return (
            f"it ends at {format_time(until)}, more than {days} days after it was recorded; "
            "choose an earlier end"
        )
    return None
