"""Whether the right people agree that this content may be promoted, and why decisions do not count.

Pure, and independent of the order in which decisions were recorded. Invalid, foreign or unknown decisions
never count; a rejection stands until the person who rejected revokes it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from clearance.trust import quorum, recorded_decisions
from clearance.trust.approval_rules import ApprovalContext, fault
from clearance.trust.decisions import DecisionKind
from clearance.trust.recorded_decisions import DecisionRecord, Reason, RecordedDecision, UncountedDecision
from clearance.trust.roles import Right

OVERRIDERS = 2
"""How many different people an override requires; one of them needs the right to override."""


@dataclass(frozen=True, kw_only=True)
class ApprovalState:
    """The state of approval. `obstacles` say what is missing and what to do; without any, it is complete.

    `counted` has one decision for each person. `missing` is the number of people still needed by role.
    `until` is when the first override that it rests on ends; None when it rests on none.
    """

    counted: tuple[RecordedDecision, ...]
    rejections: tuple[RecordedDecision, ...]
    refused: tuple[UncountedDecision, ...]
    missing: Mapping[str, int]
    until: dt.datetime | None
    obstacles: tuple[Reason, ...]

    @property
    def complete(self) -> bool:
        """Whether all required people agree, and nobody objects."""
        return not self.obstacles

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentence of each obstacle."""
        return tuple(obstacle.text for obstacle in self.obstacles)


def evaluate(records: Iterable[DecisionRecord], context: ApprovalContext) -> ApprovalState:
    """Which decisions on the subject count, why the others do not, and whether they are sufficient."""
    read = [recorded_decisions.read(record, context.roles) for record in records]
    attributed = [result for result in read if isinstance(result, RecordedDecision)]
    decisions, reused = recorded_decisions.drop_reused_tokens(attributed)
    decisions.sort(key=_preference)
    refused = [*reused, *(result for result in read if isinstance(result, UncountedDecision))]
    revoked = {
        (digest, decision.person.identity) for decision in decisions for digest in decision.decision.revokes
    }
    rejections: list[RecordedDecision] = []
    counted: dict[str, RecordedDecision] = {}
    for decision in decisions:
        if decision.kind is DecisionKind.REVOKE:
            why = _revokes_nothing(decision, decisions)
        elif (decision.digest, decision.person.identity) in revoked:
            why = Reason("revoked", f"{decision.person.identity} revoked it, and can sign a new decision")
        else:
            why = fault(decision, context) or _repeated(decision, counted, rejections)
        if why:
            text = f"{decision} does not count: {why.text}."
            refused.append(UncountedDecision(number=decision.number, code=why.code, why=text))
        elif decision.kind is DecisionKind.REJECT:
            rejections.append(decision)
        elif decision.kind is not DecisionKind.REVOKE:
            counted[decision.person.identity] = decision
    return _state(counted, rejections, refused, context)


def _state(
    counted: Mapping[str, RecordedDecision],
    rejections: Iterable[RecordedDecision],
    refused: Iterable[UncountedDecision],
    context: ApprovalContext,
) -> ApprovalState:
    able = {identity: decision.roles for identity, decision in counted.items()}
    missing = quorum.missing(able, context.requirement.roles)
    ends = [decision.decision.until for decision in counted.values() if decision.decision.until is not None]
    calls = [_call(role, count, counted, context) for role, count in missing.items() if _possible(context)]
    return ApprovalState(
        counted=tuple(counted.values()),
        rejections=tuple(rejections),
        refused=tuple(sorted(refused, key=lambda uncounted: (uncounted.number, uncounted.why))),
        missing=missing,
        until=min(ends, default=None),
        obstacles=(
            *_general_obstacles(context),
            *(_objection(rejection) for rejection in rejections),
            *calls,
            *_missing_for_override(counted.values(), context),
        ),
    )


def _possible(context: ApprovalContext) -> bool:
    """Whether any approvals could permit the promotion of this model."""
    return not context.failed or context.requirement.override_days > 0


def _preference(decision: RecordedDecision) -> tuple[float, int, str]:
    """Which of one person's decisions counts: the override that lasts longest, otherwise the first."""
    until = decision.decision.until
    return (-until.timestamp() if until else 0.0, decision.number, decision.digest)


def _repeated(
    decision: RecordedDecision,
    counted: Mapping[str, RecordedDecision],
    rejections: Collection[RecordedDecision],
) -> Reason | None:
    """Why a valid decision adds nothing to this person's earlier one; None when it is their first."""
    who = decision.person.identity
    if decision.kind is DecisionKind.REJECT:
        first = next((rejection for rejection in rejections if rejection.person.identity == who), None)
    else:
        first = counted.get(who)
    if first is None:
        return None
    return Reason("already_recorded", f"{first} is already recorded; each person counts once")


def _revokes_nothing(revocation: RecordedDecision, decisions: Iterable[RecordedDecision]) -> Reason | None:
    """Why a revocation withdraws nothing; None when it does."""
    own = {
        decision.digest
        for decision in decisions
        if decision.person.identity == revocation.person.identity and decision.kind is not DecisionKind.REVOKE
    }
    if own & set(revocation.decision.revokes):
        return None
    who = revocation.person.identity
    return Reason(
        "revokes_nothing",
        f"{who} recorded no such decision; only the person who decided can revoke, others can reject",
    )


def _general_obstacles(context: ApprovalContext) -> list[Reason]:
    """Why no decision by anybody counts."""
    obstacles = []
    if context.roles.demo and not context.requirement.demo:
        text = (
            "The roles file is the demo's, but the policy is not: have your root sign a policies/roles.yaml "
            "that lists your own people."
        )
        obstacles.append(Reason("demo_roles", text))
    if context.contributors.unlisted and context.requirement.authors_listed:
        addresses = ", ".join(sorted(context.contributors.unlisted))
        text = (
            f"Nobody in policies/roles.yaml commits as {addresses}: add the address to its author, so that "
            "nobody approves their own work."
        )
        obstacles.append(Reason("unlisted_author", text))
    return obstacles


def _objection(rejection: RecordedDecision) -> Reason:
    who = rejection.person.identity
    text = (
        f"{who} rejected it (entry {rejection.number}: {rejection.decision.reason.strip()}): settle it with "
        f"{who}, who can revoke the rejection, or fix the model and run again."
    )
    return Reason("rejected", text)


def _call(role: str, count: int, counted: Collection[str], context: ApprovalContext) -> Reason:
    """How many people of a role are missing, and who could approve."""
    roles, now = context.roles, context.now
    excluded = {*counted, *context.contributors.identities}
    able = [
        identity
        for identity, person in sorted(roles.people.items())
        if identity not in excluded
        and role in roles.roles_giving(person, Right.APPROVE, now)
        and person.can_decide(now)
    ]
    act = "override" if context.failed else "approval"
    missing = f"Missing: {count} {act}{'s' if count > 1 else ''} from role {role}"
    if able:
        return Reason("missing_role", f"{missing} (possible: {', '.join(able)}).")
    nobody = "Nobody in policies/roles.yaml can give it: add a person with that role."
    return Reason("nobody_with_role", f"{missing}. {nobody}")


def _missing_for_override(counted: Collection[RecordedDecision], context: ApprovalContext) -> list[Reason]:
    """What the override of a failed verdict still needs."""
    if not context.failed:
        return []
    failed = "The verdict does not permit a promotion"
    if not _possible(context):
        return [
            Reason("override_not_allowed", f"{failed}, and the policy allows no override: fix the model.")
        ]
    obstacles = []
    if len(counted) < OVERRIDERS:
        text = (
            f"{failed}; an override needs {OVERRIDERS} people, and {len(counted)} signed so far: "
            "fix the model, or ask others to run `clearance override`."
        )
        obstacles.append(Reason("too_few_overriders", text))
    if not any(decision.can_override for decision in counted):
        text = (
            "None of those who signed an override has the right `override`: ask somebody whose role has it."
        )
        obstacles.append(Reason("no_overrider", text))
    return obstacles
