"""Effect: a registered version becomes champion, where its signed evidence holds and the right people agree.

It needs no checkout of the model: registry and ledger hold everything, by digest. Run twice, or killed and
run again, it ends in the same state. `clearance.promotion.next_step` decides whether a model may.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from clearance import ledger, registry
from clearance.ledger import EntryKind, events
from clearance.promotion import (
    candidate,
    faults,
    lapse,
    next_step,
    past_promotions,
    recomparison,
    review,
    version_record,
)
from clearance.promotion.next_step import Ending, PromotionState, Status, Step
from clearance.promotion.review import Assessment, Review
from clearance.promotion.session import LedgerSession, ReadOnlySession
from clearance.promotion.version_record import VersionRecord
from clearance.trust.roles import Right
from clearance.versioning import dvc_lock, git


@dataclass(frozen=True, kw_only=True)
class PromotionAttempt:
    """What the steps of a promotion act on. `fence` is the right to change this model's champion."""

    session: LedgerSession
    server: registry.MlflowServer
    name: str
    review: Review
    fence: ledger.Fence

    @property
    def candidate(self) -> registry.Version:
        """The version that would be champion."""
        return self.review.version

    def observe(self, record: VersionRecord, obstacle: Ending | None) -> PromotionState:
        """What ledger and registry hold now. Raises IntegrityError when the alias is not the ledger's."""
        target = registry.champion(self.server, self.name)
        aliased = candidate_number(self.server, self.name, target)
        pending, tenure = record.open_intents, record.champion
        if not pending:
            ensure_alias(self.name, target, aliased, tenure)
        return PromotionState(
            obstacle=obstacle,
            candidate=self.candidate,
            copy=registry.find_version(self.server, self.name, str(self.candidate.fingerprint)),
            champion=target,
            ledger_champion=tenure.version if tenure else None,
            champions=frozenset(record.champions),
            pending=was_done(self.session, pending[-1], aliased, target) if pending else None,
            may_end=all(self.session.may(Right(_begun(intent).change.right or "")) for intent in pending),
        )

    def act(self, step: Step, state: PromotionState) -> None:
        """Take one step."""
        if step is Step.COPY:
            registry.copy_version(self.server, self.candidate, self.name)
        elif step is Step.SET_CHAMPION and state.copy:
            recomparison.ensure_repeats(self.session, self.server, self.review)
            self._ensure_pushed()
            candidate.ensure_files(self.server, state.copy, self.review.bundle)
            registry.annotate(self.server, state.copy, self._notes())
            (intent,) = self.session.record(self._intent(), fence=self.fence)
            self._ensure_still_allowed(intent)
            ledger.ensure(self.session.book, self.fence)
            registry.set_champion(self.server, state.copy)
        elif step in (Step.CONFIRM, Step.ABANDON):
            end_unfinished(self.session, self.server, self.name, self.fence)

    def _ensure_pushed(self) -> None:
        """Raise IntegrityError unless the DVC remote, where there is one, holds what the version is made of.

        The proposal claims it; here it is looked at.
        """
        from clearance.versioning import dvc_remote  # imports DVC: only where something is promoted

        root, evidence = git.checkout_of(self.session.root), self.review.bundle.evidence
        if dvc_remote.default_remote(root) is None:
            return
        if lacking := dvc_remote.lacking(root, dvc_lock.parse(evidence.lock)):
            raise faults.REMOTE_LACKS_OUTPUTS(version=self.candidate, outputs=", ".join(lacking))

    def _ensure_still_allowed(self, intent: ledger.Entry) -> None:
        """Raise ReleaseRefused, the intent abandoned, when an entry since the review stands in the way."""
        record = self.review.record
        newer = self.session.entries(self.name, after=record.until)
        before = [entry for entry in newer if entry.number < intent.number]
        if not before:
            return
        now = review.with_record(
            self.session,
            self.server,
            self.review,
            record.extended(before, self.session.roles),
            intent.at,
        )
        if now.obstacle:
            _abandon(self.session, intent, self.fence)
            record_refusal(self.session, self.review, now.obstacle, again=True)
            raise faults.REVIEW_OUTDATED(version=self.candidate, reason=now.obstacle.reason)

    def _intent(self) -> ledger.Draft:
        """What is about to be done, and who allowed it until when."""
        approvals, authority = self.review.approvals, self.review.assessment.authority
        override = version_record.describe_override(approvals)
        return self.session.draft(
            EntryKind.INTENT,
            self.name,
            step=EntryKind.PROMOTION,
            version=self.candidate.number,
            content=self.review.bundle.digest,
            tier=authority.tier,
            authorised_in=authority.commit,
            allowed_by=[decision.person.identity for decision in approvals.counted],
            override_until=approvals.until and approvals.until.date().isoformat(),
            **({"override": override} if override else {}),
        )

    def _notes(self) -> dict[str, str]:
        override = version_record.describe_override(self.review.approvals)
        demo = self.review.bundle.evidence.demo
        by_tag = version_record.notes((), self.candidate.number, demo=demo)
        return by_tag | ({version_record.OVERRIDE: override} if override else {})


def promote(
    session: LedgerSession,
    server: registry.MlflowServer,
    name: str,
    number: int,
    day: dt.date,
    *,
    on_request: bool = False,
    reviewed: Review | None = None,
    assessment: Assessment | None = None,
) -> tuple[Ending, PromotionState]:
    """Promote candidate `number` of the model `name` if it may be; returns how that ended.

    A refusal is recorded. Missing approvals are recorded only `on_request`: when a person asked for this
    promotion. What the same command has `reviewed` or assessed already is not done again; new entries in the
    ledger count. Raises IntegrityError when ledger, alias or evidence do not verify, ConfigurationError when
    there is no such candidate, BusyError when another promotion of the model does not end.
    """
    session.ensure_sound()
    with (
        session.recording_refusal("promote", name, version=number),
        ledger.lock(session.book, name) as fence,
    ):
        if reviewed is None or reviewed.case.day != day:
            reviewed = review.open_review(session, server, name, number, day, assessment=assessment)
        else:
            record = _updated(session, reviewed.record)
            reviewed = review.with_record(session, server, reviewed, record)
        attempt = PromotionAttempt(session=session, server=server, name=name, review=reviewed, fence=fence)
        ending, state = carry_out(attempt, _obstacle(session, server, reviewed))
        if ending.status is Status.CHAMPION and lapsed_policy(reviewed.assessment) != "warn":
            lapsed = find_lapse(session, name)
            ending = Ending(status=Status.LAPSED, reason=lapsed) if lapsed else ending
        is_champion = ending.status in (Status.PROMOTED, Status.CHAMPION, Status.LAPSED)
        if ending.status is Status.NOT_PROMOTED or (on_request and not is_champion):
            record_refusal(session, reviewed, ending, again=on_request)
        return ending, state


def lapsed_policy(assessment: Assessment) -> str:
    """What the authorised policy has a release do about a champion that has lapsed."""
    policy = assessment.authority.policy
    return policy.promotion.lapsed if policy else "refuse"


def find_lapse(session: ReadOnlySession, name: str) -> str | None:
    """Why what allowed the model's champion no longer holds; None when it does, or there is no champion."""
    entries = session.entries(name)
    tenure = version_record.champion(entries, name)
    if tenure is None:
        return None
    record = version_record.fold(entries, name, tenure.version, session.roles)
    lapsed = lapse.find(record, session.roles, session.now())
    hint = "Decide on it again, roll back or retire it."
    if lapsed is None:
        return None
    return f"Version {tenure.version} is champion, and what allowed it has ended. {lapsed} {hint}"


def _obstacle(session: LedgerSession, server: registry.MlflowServer, reviewed: Review) -> Ending | None:
    """Why the version may not become champion, by this person; None when it may."""
    if reviewed.obstacle:
        return reviewed.obstacle
    if session.may(Right.PROMOTE):
        fault = past_promotions.reference_fault(session, server, reviewed.record)
        return Ending(status=Status.NOT_PROMOTED, reason=f"{fault.fault}: {fault.hint}.") if fault else None
    identity = session.acting.person.identity
    reason = f"All required approvals are in, and {identity} may not promote: ask an operator to."
    return Ending(status=Status.NOT_PROMOTED, reason=reason)


def carry_out(attempt: PromotionAttempt, obstacle: Ending | None) -> tuple[Ending, PromotionState]:
    """Take step after step until nothing is left to do. Raises TransientError when a step does not last."""
    steps: list[Step] = []
    record = attempt.review.record
    while True:
        record = _updated(attempt.session, record)
        state = attempt.observe(record, obstacle)
        step = next_step.decide(state)
        if isinstance(step, Ending):
            return (replace(step, status=Status.PROMOTED) if Step.SET_CHAMPION in steps else step), state
        if steps.count(step) == 2:
            raise faults.STEP_NOT_KEPT(step=step)
        attempt.act(step, state)
        steps.append(step)


def _updated(session: ReadOnlySession, record: VersionRecord) -> VersionRecord:
    """The record with what was recorded since; only that is read."""
    return record.extended(session.entries(record.model, after=record.until), session.roles)


def end_unfinished(
    session: LedgerSession, server: registry.MlflowServer, name: str, fence: ledger.Fence
) -> None:
    """End every change that a crash left open: the newest as done if the alias says so."""
    pending = ledger.open_intents(session.entries(name), name)
    if not pending:
        return
    target = registry.champion(server, name)
    aliased = candidate_number(server, name, target)
    for intent in pending:
        if intent is pending[-1] and was_done(session, intent, aliased, target):
            _record_end(session, intent, _begun(intent).completed(intent.number), fence)
        else:
            _abandon(session, intent, fence)


def _abandon(session: LedgerSession, intent: ledger.Entry, fence: ledger.Fence) -> None:
    _record_end(session, intent, _begun(intent).abandoned(intent.number), fence)


def _record_end(
    session: LedgerSession, intent: ledger.Entry, event: events.Event, fence: ledger.Fence
) -> None:
    session.record(session.draft(event.kind, intent.model, **event.to_body()), fence=fence)


def _begun(intent: ledger.Entry) -> events.IntentEvent:
    """The change that an intent began. Raises IntegrityError when the entry is not an intent."""
    event = intent.read(events.IntentEvent)
    if event is None:
        raise faults.NOT_AN_INTENT(entry=intent.number)
    return event


def was_done(
    session: ReadOnlySession,
    intent: ledger.Entry,
    aliased: int | None,
    target: registry.Version | None,
) -> bool:
    """Whether an intended change was done before the crash, by a person who may: the alias says.

    `aliased` is the candidate that the alias's `target` is a copy of.
    """
    begun = _begun(intent)
    if not session.roles.may(intent.keyid or "", past_promotions.REQUIRED_RIGHTS[begun.step], intent.at):
        return False
    if begun.step == EntryKind.RETIREMENT:
        return target is None
    return aliased is not None and aliased == begun.version


def candidate_number(
    server: registry.MlflowServer, name: str, version: registry.Version | None
) -> int | None:
    """The number of the candidate that a version of `name` is the copy of; None when it is not one.

    A second version with the same fingerprint does not count: somebody else made it.
    """
    if version is None or version.fingerprint is None:
        return None
    copy = registry.find_version(server, name, version.fingerprint)
    if copy is None or copy.number != version.number:
        return None
    original = registry.find_version(server, registry.candidate_name(name), version.fingerprint)
    return original.number if original else None


def ensure_alias(
    name: str, target: registry.Version | None, aliased: int | None, tenure: ledger.Tenure | None
) -> None:
    """Raise IntegrityError unless the alias points at the ledger's champion."""
    if target is None and tenure is None:
        return
    if target is not None and tenure is not None and aliased == tenure.version:
        return
    if tenure is None:
        champion, remedy = "nobody", "delete the alias in MLflow"
    else:
        champion = f"candidate {tenure.version} (entry {tenure.number})"
        remedy = f"run `clearance rollback --to {tenure.version} --reason TEXT`"
    raise faults.ALIAS_MOVED(
        name=name,
        position=f"points at {target}" if target else "is missing",
        champion=champion,
        remedy=remedy,
    )


def record_refusal(session: LedgerSession, reviewed: Review, ending: Ending, *, again: bool) -> None:
    """Record that the version was not promoted, and why; without `again` once for each reason and person."""
    subject = reviewed.subject
    reason = events.quoted(ending.reason)
    body = {"version": subject.version, "content": subject.content, "reason": reason}
    refusal = events.RefusalEvent.from_body(body)
    entries = session.entries(subject.model)
    if not again and any(
        entry.keyid == session.keyid and entry.read(events.RefusalEvent) == refusal for entry in entries
    ):
        return
    session.record(session.draft(EntryKind.REFUSAL, subject.model, **body))
