"""Whether one decision counts, and what decisions are checked against. Pure: one decision at a time.

Every "no" is a sentence that names the person and says what to do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clearance.trust.decisions import ApprovalSubject, DecisionKind
from clearance.trust.recorded_decisions import Reason, RecordedDecision
from clearance.trust.roles import Roles, format_time


@dataclass(frozen=True, kw_only=True)
class Contributors:
    """Who made the model: identities of the roles file, and e-mail addresses that it does not list.

    `claims` says of an identity who named it, where nothing but a line in somebody else's commit does.
    """

    identities: frozenset[str]
    unlisted: frozenset[str] = frozenset()
    claims: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ApprovalRequirement:
    """What the policy requires: the number of people by role, and the most days an override may last.

    `demo`: the policy is the demo's, the only kind that demo keys can satisfy. `authors_listed`: every author
    must be in the roles file, so that nobody can approve their own work under another name.
    """

    roles: Mapping[str, int]
    override_days: int = 0
    demo: bool = False
    authors_listed: bool = True

    def __post_init__(self) -> None:
        if self.override_days < 0 or any(count < 0 for count in self.roles.values()):
            raise ValueError("a policy cannot require a negative number")


@dataclass(frozen=True, kw_only=True)
class ApprovalContext:
    """What decisions are checked against. `failed`: the verdict permits a promotion only by override."""

    subject: ApprovalSubject
    roles: Roles
    contributors: Contributors
    requirement: ApprovalRequirement
    failed: bool
    now: dt.datetime


def contributors(roles: Roles, keyids: Iterable[str], emails: Mapping[str, str]) -> Contributors:
    """Who made the model: the owners of these keys (proposers) and the people with these addresses (authors).

    `emails` maps each address to who named it, or to "" where the person is an author in their own name. A
    key that has expired since still identifies its owner.
    """
    authors = {email: roles.author(email) for email in emails}
    owners = [roles.owner(keyid) for keyid in keyids]
    certain = [*owners, *(person for email, person in authors.items() if not emails[email])]
    sure = {person.identity for person in certain if person is not None}
    claims = {person.identity: emails[email] for email, person in authors.items() if person is not None}
    return Contributors(
        identities=frozenset(sure | claims.keys()),
        unlisted=frozenset(email for email, person in authors.items() if person is None),
        claims={identity: claim for identity, claim in claims.items() if identity not in sure},
    )


def fault(decision: RecordedDecision, context: ApprovalContext) -> Reason | None:
    """Why the decision, taken alone, does not count; None when it does."""
    who = decision.person.identity
    if other := _other_subject(decision, context.subject):
        return other
    if not decision.roles:
        return Reason(
            "no_role",
            f"{who} had no role with the right to approve at that time; ask somebody whose role has it",
        )
    if decision.kind is DecisionKind.REJECT:
        return None
    if who in context.contributors.identities:
        claim = context.contributors.claims.get(who)
        contribution = f"is named as a contributor {claim}" if claim else "contributed to this model"
        return Reason("contributor", f"{who} {contribution}; ask somebody who did not")
    attester = decision.attester
    if attester and attester.identity in context.contributors.identities:
        attests = f"{attester.identity}, who attests it, contributed to this model"
        return Reason("attester_contributor", f"{attests}; {who} can sign with their own key")
    return _override_fault(decision, context)


def _other_subject(recorded: RecordedDecision, subject: ApprovalSubject) -> Reason | None:
    """Why a decision is about something else. A rejection is about the content, with any champion."""
    decision, who = recorded.decision, recorded.person.identity
    if recorded.content != subject.content:
        about = f"it is about other evidence ({recorded.content[:12]}…)"
        return Reason("other_evidence", f"{about}; {who} can decide on today's evidence")
    if (decision.model, decision.version) != (subject.model, subject.version):
        about = f"it is about {decision.model} version {decision.version}"
        return Reason("other_version", f"{about}; {who} can decide on this version")
    if recorded.kind is DecisionKind.REJECT:
        return None
    if decision.policy != subject.policy:
        origin = f"it was made under policy {decision.policy}"
        return Reason("other_policy", f"{origin}; {who} can decide under {subject.policy}")
    if (decision.comparison, decision.champion) != (subject.comparison, subject.champion):
        refers = "it refers to a comparison with another champion"
        return Reason("other_champion", f"{refers}; {who} can decide on today's comparison")
    return None


def _override_fault(recorded: RecordedDecision, context: ApprovalContext) -> Reason | None:
    """Why this kind of decision does not fit the verdict, or an override its limits; None when it does."""
    who, until = recorded.person.identity, recorded.decision.until
    days = context.requirement.override_days
    if until is None:
        not_permitted = "the verdict does not permit a promotion"
        needed = Reason(
            "override_needed", f"{not_permitted}; {who} can override it instead: `clearance override`"
        )
        return needed if context.failed else None
    if not context.failed:
        return Reason("nothing_to_override", f"there is nothing to override; {who} can approve instead")
    if not days:
        none = "the policy allows no override"
        return Reason("override_not_allowed", f"{none}; {who} can reject instead, or have the model fixed")
    if until <= context.now:
        return Reason("override_ended", f"it ended at {format_time(until)}; {who} can override again")
    if until - recorded.at > dt.timedelta(days=days):
        ends = f"it ends at {format_time(until)}, more than {days} days after it was recorded"
        return Reason("override_too_long", f"{ends}; choose an earlier end")
    return None
