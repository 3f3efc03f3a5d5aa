"""Whether the right people agree that this content may ship: which decisions stand, and why others do not.

Pure, and the order of what was recorded does not matter. What is invalid, foreign or unknown never completes
a set; a rejection stands until whoever rejected revokes it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from clearance.trust import quorum, recorded_decisions
from clearance.trust.approval_rules import ApprovalContext, fault
from clearance.trust.decisions import DecisionKind
from clearance.trust.recorded_decisions import DecisionRecord, RecordedDecision, UncountedDecision
from clearance.trust.roles import Right

OVERRIDERS = 2
"""How many different people an override takes; one of them has the right to override."""


@dataclass(frozen=True, kw_only=True)
class ApprovalState:
    """The state of agreement. `reasons` say what is in the way and what to do; none, and it is complete.

    `stands`: one decision a person. `missing`: people still needed, by role. `until`: when the first override
    that it rests on ends; None where it rests on none.
    """

    counted: tuple[RecordedDecision, ...]
    rejections: tuple[RecordedDecision, ...]
    refused: tuple[UncountedDecision, ...]
    missing: Mapping[str, int]
    until: dt.datetime | None
    reasons: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether all who must agree do, and nobody who may object does."""
        return not self.reasons


def evaluate(records: Iterable[DecisionRecord], question: ApprovalContext) -> ApprovalState:
    """Which decisions stand on the matter, why the others do not, and whether they are all that it needs."""
    read = [recorded_decisions.read(record, question.roles) for record in records]
    fresh, spent = recorded_decisions.once(each for each in read if isinstance(each, RecordedDecision))
    cast = sorted(fresh, key=_first_come)
    refused = [*spent, *(each for each in read if isinstance(each, UncountedDecision))]
    withdrawn = {(digest, vote.person.identity) for vote in cast for digest in vote.decision.revokes}
    rejections: list[RecordedDecision] = []
    stands: dict[str, RecordedDecision] = {}
    for vote in cast:
        if vote.kind is DecisionKind.REVOKE:
            why = _idle(vote, cast)
        elif (vote.digest, vote.person.identity) in withdrawn:
            why = f"{vote.person.identity} revoked it; to decide again they sign anew"
        else:
            why = fault(vote, question) or _repeated(vote, stands, rejections)
        if why:
            refused.append(UncountedDecision(number=vote.number, why=f"{vote} does not count: {why}."))
        elif vote.kind is DecisionKind.REJECT:
            rejections.append(vote)
        elif vote.kind is not DecisionKind.REVOKE:
            stands[vote.person.identity] = vote
    return _concluded(stands, rejections, refused, question)


def _concluded(
    stands: Mapping[str, RecordedDecision],
    rejections: Iterable[RecordedDecision],
    refused: Iterable[UncountedDecision],
    question: ApprovalContext,
) -> ApprovalState:
    able = {identity: vote.roles for identity, vote in stands.items()}
    missing = quorum.missing(able, question.asked.roles)
    ends = [vote.decision.until for vote in stands.values() if vote.decision.until is not None]
    return ApprovalState(
        counted=tuple(stands.values()),
        rejections=tuple(rejections),
        refused=tuple(sorted(refused, key=lambda each: (each.number, each.why))),
        missing=missing,
        until=min(ends, default=None),
        reasons=(
            *_not_for_us(question),
            *(_objection(vote) for vote in rejections),
            *(_call(role, count, stands, question) for role, count in missing.items() if _open(question)),
            *_override_lacks(stands.values(), question),
        ),
    )


def _open(question: ApprovalContext) -> bool:
    """Whether anybody's agreement could let this model through at all."""
    return not question.failed or question.asked.override_days > 0


def _first_come(vote: RecordedDecision) -> tuple[float, int, str]:
    """Which of one person's decisions is taken: the override that lasts longest, else what came first."""
    until = vote.decision.until
    return (-until.timestamp() if until else 0.0, vote.number, vote.digest)


def _repeated(
    vote: RecordedDecision, stands: Mapping[str, RecordedDecision], rejections: Collection[RecordedDecision]
) -> str | None:
    """Why a sound decision adds nothing to what this person decided already; None when it is their first."""
    who = vote.person.identity
    if vote.kind is DecisionKind.REJECT:
        first = next((each for each in rejections if each.person.identity == who), None)
    else:
        first = stands.get(who)
    return f"{first} stands already and a person counts once; ask somebody else" if first else None


def _idle(vote: RecordedDecision, cast: Iterable[RecordedDecision]) -> str | None:
    """Why a revocation takes nothing back; None when it does."""
    own = {
        each.digest for each in cast if each.person == vote.person and each.kind is not DecisionKind.REVOKE
    }
    if own & set(vote.decision.revokes):
        return None
    return f"{vote.person.identity} recorded no such decision; only who decided can revoke, others reject"


def _not_for_us(question: ApprovalContext) -> list[str]:
    """Why no decision counts at all, whoever made it."""
    reasons = []
    if question.roles.demo and not question.asked.demo:
        reasons.append(
            "The roles file is the demo's, and the policy is not: have your root sign a policies/roles.yaml "
            "that names your own people."
        )
    if question.trainers.unlisted and question.asked.authors_listed:
        named = ", ".join(sorted(question.trainers.unlisted))
        reasons.append(
            f"Nobody in policies/roles.yaml commits as {named}: add the address to its author, so that "
            "nobody approves their own work."
        )
    return reasons


def _objection(vote: RecordedDecision) -> str:
    who = vote.person.identity
    return (
        f"{who} rejected it (entry {vote.number}: {vote.decision.reason.strip()}): settle it with {who}, who "
        "can revoke that, or mend the model and run again."
    )


def _call(role: str, count: int, stands: Collection[str], question: ApprovalContext) -> str:
    """Which role is missing, and who could be asked."""
    roles, now = question.roles, question.now
    barred = {*stands, *question.trainers.identities}
    could = [
        identity
        for identity, person in sorted(roles.people.items())
        if identity not in barred
        and role in roles.roles_giving(person, Right.APPROVE, now)
        and person.can_decide(now)
    ]
    act = "override" if question.failed else "approval"
    lacks = f"{count} {act}{'s' if count > 1 else ''} by a {role} {'are' if count > 1 else 'is'} missing"
    if could:
        return f"{lacks}: ask {' or '.join(could)}."
    return f"{lacks}, and policies/roles.yaml names nobody who could: have somebody added who may approve."


def _override_lacks(stands: Collection[RecordedDecision], question: ApprovalContext) -> list[str]:
    """What an override of a failed verdict still takes."""
    if not question.failed:
        return []
    if not _open(question):
        return [
            "The verdict does not let this model through, and the policy allows no override: mend the model."
        ]
    reasons = []
    if len(stands) < OVERRIDERS:
        reasons.append(
            f"The verdict does not let this model through; an override takes {OVERRIDERS} people, and "
            f"{len(stands)} signed one: mend the model, or have others override it with a reason and an end."
        )
    if not any(vote.can_override for vote in stands):
        reasons.append("None of those who signed an override has the right: ask somebody whose role may.")
    return reasons
