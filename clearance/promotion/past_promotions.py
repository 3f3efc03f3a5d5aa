"""Whether a version became champion as it must: each promotion reviewed as of the day it was made.

Under the policy that was authorised then, and the decisions that the ledger held then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from clearance import files, ledger, registry
from clearance.errors import ClearanceError, ConfigurationError, TransientError
from clearance.ledger import EntryKind, events
from clearance.params import data_contract
from clearance.policy import authorised, policy_file
from clearance.promotion import authorised_policy, candidate, faults, review, version_record
from clearance.promotion.authorised_policy import Authority
from clearance.promotion.candidate import VerifiedCandidate
from clearance.promotion.review import Assessment, JudgedEvidence
from clearance.promotion.session import ReadOnlySession
from clearance.promotion.version_record import VersionRecord
from clearance.trust.roles import Right

REQUIRED_RIGHTS = {
    EntryKind.PROMOTION: Right.PROMOTE,
    EntryKind.ROLLBACK: Right.ROLL_BACK,
    EntryKind.RETIREMENT: Right.ROLL_BACK,
}
"""The right that each change of the champion takes."""


def ensure_promoted(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    verified: VerifiedCandidate,
    record: VersionRecord,
) -> str:
    """Who promoted the version and on whose approvals, each time it became champion, in a sentence.

    Raises ConfigurationError when no promotion of it is recorded, a person without the right started one,
    what the ledger held before it was not enough, or an override that it rests on has ended.
    """
    promotions = [entry for entry in record.changes if entry.kind == EntryKind.PROMOTION]
    if not promotions:
        raise faults.NO_PROMOTION_RECORDED(version=verified.version)
    for change in record.changes:
        _intent(session, record, change, verified.bundle.digest)
        if change.number < promotions[0].number:
            raise faults.CHANGE_BEFORE_PROMOTION(entry=change.number)
    evidence = review.check_verdict(verified.settings, verified.folder)
    return "; ".join(
        _ensure_allowed(session, server, verified, record, evidence=evidence, promotion=promotion)
        for promotion in promotions
    )


def _intent(
    session: ReadOnlySession, record: VersionRecord, change: ledger.Entry, content: str
) -> ledger.Entry:
    """The intent that a change of the champion completed. Raises ConfigurationError when none matches it."""
    event = change.read(events.ChampionChange)
    intent = next((entry for entry in record.entries if event and entry.number == event.intent), None)
    begun = intent.read(events.IntentEvent) if intent else None
    matches = (
        intent is not None
        and event is not None
        and begun is not None
        and intent.number < change.number
        and begun.step == change.kind
        and begun.version == event.version
        and begun.content == event.content == content
    )
    if intent is None or not matches:
        raise faults.CHANGE_NEVER_STARTED(entry=change.number)
    if not session.roles.may(intent.keyid or "", REQUIRED_RIGHTS[EntryKind(change.kind)], intent.at):
        raise faults.CHANGE_WITHOUT_RIGHT(entry=intent.number, identity=intent.actor)
    return intent


def _ensure_allowed(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    verified: VerifiedCandidate,
    record: VersionRecord,
    *,
    evidence: JudgedEvidence,
    promotion: ledger.Entry,
) -> str:
    """Who promoted it and who had agreed by then. Raises ConfigurationError when that was not enough."""
    intent = _intent(session, record, promotion, verified.bundle.digest)
    authority, news = _authority_then(session, verified, intent)
    before = replace(record.before(intent.number, session.roles), proposal=record.proposal)
    assessment = review.assess(evidence, authority, promotion.at.date())
    reviewed = review.review_then(session, server, verified, before, assessment, at=promotion.at)
    if reviewed.obstacle:
        raise faults.PROMOTED_AGAINST_POLICY(entry=promotion.number, reason=reviewed.obstacle.reason)
    until = reviewed.approvals.until
    if until is not None and until <= session.now():
        until = _renewed(session, server, verified, record, assessment)
        if until is None:
            raise faults.OVERRIDE_ENDED(day=str(reviewed.approvals.until)[:10])
    approvals = ", ".join(str(decision) for decision in reviewed.approvals.counted)
    limit = f"; BY OVERRIDE until {until.date()}" if until else ""
    return (
        f"promoted by {intent.actor} (entry {promotion.number}); "
        f"{approvals or 'the policy requires no approval'}{limit}; {_life(session, verified, intent)}{news}"
    )


def _renewed(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    verified: VerifiedCandidate,
    record: VersionRecord,
    assessment: Assessment,
) -> dt.datetime | None:
    """Until when people have overridden the verdict again, as the policy asks; None when they have not."""
    now = session.now()
    approvals = review.review_then(session, server, verified, record, assessment, at=now).approvals
    lasts = approvals.complete and approvals.until is not None and approvals.until > now
    return approvals.until if lasts else None


def reference_fault(
    session: ReadOnlySession, server: registry.MlflowServer, record: VersionRecord
) -> ClearanceError | None:
    """Why the champion that the version follows was never properly promoted; None when it was.

    A champion decides what its successor is compared with, who counts as an author and which attempts count,
    so one that somebody only wrote into the ledger would speak for the next.
    """
    follows = record.reference
    return _promotion_fault(session, server, record, follows.version) if follows else None


def predecessor_fault(
    session: ReadOnlySession, server: registry.MlflowServer, record: VersionRecord
) -> ClearanceError | None:
    """As `reference_fault`, of every champion before the version: each was checked when the next followed."""
    follows = record.reference
    while follows is not None:
        if fault := _promotion_fault(session, server, record, follows.version):
            return fault
        follows = version_record.followed(record.entries, record.model, follows.version)
    return None


def _promotion_fault(
    session: ReadOnlySession, server: registry.MlflowServer, record: VersionRecord, version: int
) -> ClearanceError | None:
    """Why an earlier champion was not properly promoted. Evidence erased by right is not judged again."""
    entries, name = record.entries, record.model
    if _was_erased(entries, version):
        return None
    earlier = version_record.fold(entries, name, version, session.roles)
    try:
        with candidate.open_verified(session, server, earlier) as verified:
            _ensure_promoted_then(session, server, verified, earlier)
    except TransientError:
        raise
    except ClearanceError as error:
        return faults.PREDECESSOR_UNFIT(version=version, why=error.fault)
    return None


def _was_erased(entries: Sequence[ledger.Entry], version: int) -> bool:
    redactions = (entry.read(events.RedactionEvent) for entry in entries)
    return any(redaction is not None and version in redaction.versions for redaction in redactions)


def _ensure_promoted_then(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    verified: VerifiedCandidate,
    record: VersionRecord,
) -> None:
    """Raise as `ensure_promoted` does, but for what has ended since or was judged by what no commit holds."""
    try:
        ensure_promoted(session, server, verified, record)
    except ConfigurationError as error:
        if error.code == faults.OVERRIDE_ENDED.code:
            return
        terms = policy_file.load(verified.policy_file, recorded=True)
        uncommitted = terms.demo or terms.promotion.uncommitted
        judged_by = files.sha256(verified.policy_file)
        now = authorised_policy.authorised_now(session.root, record.model, judged_by)
        if error.code == faults.PROMOTED_AGAINST_POLICY.code and uncommitted and now.policy is None:
            return
        raise


def _life(session: ReadOnlySession, verified: VerifiedCandidate, intent: ledger.Entry) -> str:
    """In which tier it was promoted, and how long that stood in git's history."""
    begun = intent.read(events.IntentEvent)
    commit, tier = (begun.authorised_in, begun.tier) if begun else (None, None)
    name, contract = verified.bundle.evidence.model, data_contract.of(verified.settings)
    lifetime = authorised_policy.life(session.root, name, commit, contract) if commit else None
    return f"tier {tier or 'not recorded'}, {lifetime or 'authorised by no commit'}"


def _authority_then(
    session: ReadOnlySession, verified: VerifiedCandidate, intent: ledger.Entry
) -> tuple[Authority, str]:
    """What was authorised at the promotion, by today's list or the commit it names; and what is new since."""
    name, policy_file = verified.bundle.evidence.model, verified.policy_file
    now = authorised_policy.authorised_now(session.root, name, files.sha256(policy_file))
    begun = intent.read(events.IntentEvent)
    tier, commit = (begun.tier or now.tier, begun.authorised_in) if begun else (now.tier, None)
    agreed = now.objection(data_contract.of(verified.settings)) is None
    if now.policy and now.tier == tier and (agreed or not commit):
        return now, ""
    then = (
        authorised_policy.authorised_at(session.root, name, policy_file, tier, commit)
        if commit
        else Authority()
    )
    return then, f"; {authorised.FILE} now authorises another policy, tier or data contract for {name}"
