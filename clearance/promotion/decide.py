"""Effect: a person approves, rejects, overrides or revokes, and signs it.

Only evidence that verifies can be decided on. Every decision is recorded with its reason, also one that does
not count. `complete` follows the last decision that the policy requires: it notifies Prefect and promotes.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clearance import isolation, ledger, registry
from clearance.errors import ExitCode
from clearance.ledger import events
from clearance.promotion import faults, promote, review, version_record
from clearance.promotion.next_step import Ending, Status
from clearance.promotion.review import Review
from clearance.promotion.session import LedgerSession, ReadOnlySession
from clearance.trust import approval_state, decisions, recorded_decisions
from clearance.trust.decisions import AttestedAccount, DecisionKind
from clearance.trust.recorded_decisions import RecordedDecision
from clearance.trust.roles import Right
from clearance.versioning import visibility

RECORDED_AS = {
    DecisionKind.APPROVE: ledger.EntryKind.APPROVAL,
    DecisionKind.REJECT: ledger.EntryKind.REJECTION,
    DecisionKind.REVOKE: ledger.EntryKind.REVOCATION,
    DecisionKind.OVERRIDE: ledger.EntryKind.OVERRIDE,
}

PATIENCE = 60
"""Seconds that Prefect has to accept an event."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What followed the last required approval.

    `ending` is how the promotion ended; None when the account that acts may not promote, so it was left to
    others. `notified`: Prefect was notified that the version can be promoted.
    """

    ending: Ending | None
    notified: bool

    @property
    def refused(self) -> bool:
        """Whether the promotion was refused for another reason than a missing approval."""
        accepted = (Status.PROMOTED, Status.CHAMPION, Status.AWAITING_APPROVAL)
        return self.ending is not None and self.ending.status not in accepted


@dataclass(frozen=True, kw_only=True)
class DecisionOutcome:
    """A recorded decision, and the review of the version after it."""

    kind: DecisionKind
    entry: ledger.Entry
    review: Review

    @property
    def uncounted(self) -> str | None:
        """Why the decision does not count; None if it counts."""
        return next(
            (
                decision.why
                for decision in self.review.approvals.refused
                if decision.number == self.entry.number
            ),
            None,
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """What the policy still asks for, a sentence each."""
        return tuple(self.review.approvals.reasons)

    @property
    def complete(self) -> bool:
        """Whether the decision counts and leaves nothing to wait for."""
        allows = self.kind in (DecisionKind.APPROVE, DecisionKind.OVERRIDE)
        return allows and self.uncounted is None and self.review.approvals.complete


def end_of_override(day: dt.date | None) -> dt.datetime | None:
    """The moment at which an override until that day ends: its beginning, in UTC."""
    return None if day is None else dt.datetime.combine(day, dt.time(), dt.UTC)


def current_review(session: ReadOnlySession, server: registry.MlflowServer, name: str, number: int) -> Review:
    """The review of candidate `number` as of now; changes nothing.

    Raises IntegrityError when ledger or evidence do not verify, ConfigurationError when there is no such
    candidate.
    """
    session.ensure_sound()
    return review.open_review(session, server, name, number, session.now().date())


def decide(
    session: LedgerSession,
    server: registry.MlflowServer,
    name: str,
    number: int,
    *,
    kind: DecisionKind,
    reason: str,
    until: dt.datetime | None = None,
    account: AttestedAccount | None = None,
) -> DecisionOutcome:
    """Record a decision on candidate `number`.

    With an `account`, the person who holds it decides and the session's person attests that; without, the
    session's person decides, and the same decision for the same reason is not recorded twice. Raises
    IntegrityError when ledger or evidence do not verify, or when somebody agrees where git hides authors;
    ConfigurationError when there is no such candidate, nothing to revoke, no such account, or no visible
    reason.
    """
    faults.ensure_reason(reason)
    session.ensure_sound()
    if account is None:
        session.demand(Right.APPROVE, name, f"{kind} a version of {name}")
    with session.recording_refusal(kind, name, version=number):
        if kind in (DecisionKind.APPROVE, DecisionKind.OVERRIDE):
            visibility.ensure_history(session.root)  # else authors could approve their own work
        reviewed = review.open_review(session, server, name, number, session.now().date())
        identity, record = _deciding_identity(session, account), reviewed.record
        own = [entry for entry in record.entries if _is_decision_by(entry, session.keyid, number)]
        if account is None and own and _still_counts(own[-1], reviewed.approvals, kind, reason, until):
            return DecisionOutcome(kind=kind, entry=own[-1], review=reviewed)
        revoked = _revocable(session, record, identity) if kind is DecisionKind.REVOKE else {}
        if kind is DecisionKind.REVOKE and not revoked:
            raise faults.NOTHING_TO_REVOKE(identity=identity, version=reviewed.version)
        statement = decisions.statement_for(
            kind,
            replace(reviewed.subject, ledger=session.book.id, root=session.roles.root_digest),
            by=identity,
            reason=reason,
            at=session.now(),
            until=until,
            revokes=tuple(revoked),
            account=account,
        )
        about: dict[str, Any] = {"version": number, "content": reviewed.bundle.digest, "reason": reason}
        if revoked:
            about["withdraws"] = sorted(set(revoked.values()))
        if account is not None:
            about["account"] = account.model_dump(mode="json", include={"issuer", "subject", "token"})
        draft = session.draft(RECORDED_AS[kind], name, **about, envelope=session.sign(statement))
        (entry,) = session.record(replace(draft, actor=identity))
        newer = session.entries(name, after=record.until)
        latest = review.with_record(session, server, reviewed, record.extended(newer, session.roles))
        return DecisionOutcome(kind=kind, entry=entry, review=latest)


def complete(session: LedgerSession, server: registry.MlflowServer, reviewed: Review) -> Completion:
    """After the last required approval: notify Prefect, and promote where the session's person may.

    `reviewed` is the review after that approval, made in this session or the one it was derived from. Raises
    IntegrityError when ledger, alias or evidence do not verify, BusyError when another promotion of the model
    does not end.
    """
    subject, ready = reviewed.subject, reviewed.obstacle is None
    notified = ready and notify_prefect(session.root, subject.model, subject.version, subject.content)
    if ready and not session.may(Right.PROMOTE):
        return Completion(ending=None, notified=notified)
    day = session.now().date()
    ending, _ = promote.promote(session, server, subject.model, subject.version, day, reviewed=reviewed)
    return Completion(ending=ending, notified=notified)


def notify_prefect(root: Path, name: str, number: int, content: str) -> bool:
    """Notify Prefect, if PREFECT_API_URL is set, that all approvals are in; returns whether it was notified.

    A child process of the project does it, because only flows import Prefect. A failure is logged and changes
    nothing else.
    """
    if not os.environ.get("PREFECT_API_URL"):
        return False
    command = isolation.command("-m", "flows.approval_event", name, str(number), content)
    variables = isolation.effect_variables(signs=False)
    try:
        child = subprocess.run(  # noqa: S603 - our own module
            command,
            cwd=root,
            env=variables,
            timeout=PATIENCE,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        logger.warning("could not notify Prefect: no answer within %s s", PATIENCE)
        return False
    if child.returncode:
        logger.warning("%s", child.stderr.strip().removeprefix("error: "))
    return child.returncode == ExitCode.PASS


def _deciding_identity(session: LedgerSession, account: AttestedAccount | None) -> str:
    """Who decides, by the roles file."""
    if account is None:
        return session.acting.person.identity
    person = session.roles.holder(account.issuer, account.subject, session.now())
    if person is None:
        raise faults.UNKNOWN_ACCOUNT(account=recorded_decisions.describe_account(account))
    return person.identity


def _is_decision_by(entry: ledger.Entry, keyid: str, number: int) -> bool:
    return (
        entry.keyid == keyid
        and (decision := entry.read(events.DecisionEvent)) is not None
        and decision.version == number
    )


def _still_counts(
    last: ledger.Entry,
    approvals: approval_state.ApprovalState,
    kind: DecisionKind,
    reason: str,
    until: dt.datetime | None,
) -> bool:
    """Whether a person's last decision is this one, and counts."""
    decision = last.read(events.DecisionEvent)
    if last.kind != RECORDED_AS[kind] or decision is None or decision.reason != reason:
        return False
    counted = (*approvals.counted, *approvals.rejections)
    ends = {decision.number: decision.decision.until for decision in counted}
    return kind is DecisionKind.REVOKE or (last.number in ends and ends[last.number] == until)


def _revocable(session: LedgerSession, record: version_record.VersionRecord, identity: str) -> dict[str, str]:
    """What the person decided on the version and has not revoked: the digest of each decision and its noun.

    Decisions that do not count today are among them, because they could count later.
    """
    read = (recorded_decisions.read(decision, session.roles) for decision in record.decisions)
    own = [
        decision
        for decision in read
        if isinstance(decision, RecordedDecision) and decision.person.identity == identity
    ]
    revoked = {digest for decision in own for digest in decision.decision.revokes}
    return {
        decision.digest: decision.kind.noun
        for decision in own
        if decision.kind is not DecisionKind.REVOKE and decision.digest not in revoked
    }
