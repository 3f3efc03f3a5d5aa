"""Effect: a registered version becomes champion, where its signed evidence holds and the right people agree.

It needs no checkout of the model: everything is read back from registry and ledger, by digest. Run twice,
or killed and run again, it ends in the same state.
`clearance.promotion.next_step` decides whether a model may.
"""

from __future__ import annotations

import datetime as dt
import logging
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from clearance import ledger, registry
from clearance.errors import IntegrityError, ReleaseRefused, TransientError
from clearance.ledger import EntryKind
from clearance.promotion import candidate as recall
from clearance.promotion import next_step, review, version_record
from clearance.promotion.next_step import Ending, PromotionState, Status, Step
from clearance.promotion.session import LedgerSession, ReadOnlySession
from clearance.trust.roles import Right

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PromotionAttempt:
    """What the steps of a promotion act on. `fence` is the right to change this model's champion.

    `override` tells of the override by which the version is let through, if any.
    """

    office: LedgerSession
    server: registry.MlflowServer
    name: str
    recalled: recall.VerifiedCandidate
    heard: review.Review
    reviewed_until: int
    day: dt.date
    fence: ledger.Fence
    override: str | None = None

    @property
    def candidate(self) -> registry.Version:
        """The version that would be champion."""
        return self.recalled.version

    def observe(self, obstacle: Ending | None) -> PromotionState:
        """What ledger and registry hold now. Raises IntegrityError when the alias is not the ledger's."""
        entries = self.office.entries(self.name)
        reign, pending = version_record.champion(entries, self.name), ledger.open_intents(entries, self.name)
        pointed = registry.champion(self.server, self.name)
        aliased = candidate_number(self.server, self.name, pointed)
        if not pending:
            ensure_alias(self.name, pointed, aliased, reign)
        return PromotionState(
            obstacle=obstacle,
            candidate=self.candidate,
            copy=registry.find_version(self.server, self.name, str(self.candidate.fingerprint)),
            champion=pointed,
            reigning=reign.version if reign else None,
            served=frozenset(ledger.champion_versions(entries, self.name)),
            pending=was_done(self.office, pending[-1], aliased, pointed) if pending else None,
        )

    def act(self, step: Step, state: PromotionState) -> None:
        """Take one step."""
        if step is Step.COPY:
            registry.copy_version(self.server, self.candidate, self.name)
        elif step is Step.SET_CHAMPION and state.copy:
            recall.ensure_files(self.server, state.copy, self.recalled.bundle)
            registry.annotate(self.server, state.copy, self._notes())
            (intent,) = self.office.record(self._intent(), fence=self.fence)
            self._hear_again(intent)
            ledger.ensure(self.office.book, self.fence)
            registry.set_champion(self.server, state.copy)
        elif step in (Step.CONFIRM, Step.ABANDON):
            pointed = registry.champion(self.server, self.name)
            end_unfinished(
                self.office,
                self.name,
                self.fence,
                aliased=candidate_number(self.server, self.name, pointed),
                pointed=pointed,
            )

    def _hear_again(self, intent: ledger.Entry) -> None:
        """Raise ReleaseRefused, the intent given up, when what was recorded meanwhile stands against it."""
        before = [each for each in self.office.entries(self.name) if each.number < intent.number]
        if before[-1].number <= self.reviewed_until:
            return
        then = review.AsOf(at=intent.at, entries=before, authority=self.heard.authority)
        now = review.review(self.office, self.server, self.recalled, self.day, then=then)
        if obstacle := next_step.obstacle(now.case, now.standing, now.needs):
            end_unfinished(self.office, self.name, self.fence, aliased=None, pointed=None)
            about = (self.candidate.number, self.recalled.bundle.digest)
            record_refusal(self.office, self.name, *about, obstacle, again=True)
            raise ReleaseRefused(
                f"{self.candidate} is not promoted: {obstacle.reason}", "see `clearance verify`"
            )

    def _intent(self) -> ledger.Draft:
        """What is about to be done, and who allowed it until when."""
        about = {"version": self.candidate.number, "content": self.recalled.bundle.digest}
        standing, authority = self.heard.standing, self.heard.authority
        until = standing.until
        allowed = {
            "tier": authority.tier,
            "authorised_in": authority.commit,
            "allowed_by": [vote.person.identity for vote in standing.counted],
            "override_until": until and until.date().isoformat(),
            **({"override": self.override} if self.override else {}),
        }
        return self.office.draft(EntryKind.INTENT, self.name, step=EntryKind.PROMOTION, **about, **allowed)

    def _notes(self) -> dict[str, str]:
        notes = version_record.notes((), self.candidate.number, demo=self.recalled.bundle.evidence.demo)
        return notes | ({version_record.OVERRIDE: self.override} if self.override else {})


def end_unfinished(
    office: LedgerSession,
    name: str,
    fence: ledger.Fence,
    *,
    aliased: int | None,
    pointed: registry.Version | None,
) -> None:
    """End every change that was begun and never ended: the newest as done if it was, the others as given up.

    `aliased` is the candidate that the alias `pointed` to is; none of them: nothing was done.
    """
    pending = ledger.open_intents(office.entries(name), name)
    for intent in pending:
        done = intent is pending[-1] and was_done(office, intent, aliased, pointed)
        body = {key: value for key, value in intent.body.items() if key != "step"}
        kind = EntryKind(intent.body["step"]) if done else EntryKind.REPAIR
        office.record(office.draft(kind, name, **body, intent=intent.number), fence=fence)


def was_done(
    office: ReadOnlySession, intent: ledger.Entry, aliased: int | None, pointed: registry.Version | None
) -> bool:
    """Whether what was intended was done before the crash, by somebody who might: the alias says."""
    right = review.REQUIRED_RIGHTS.get(intent.body.get("step", ""))
    if right is None or not office.roles.may(intent.keyid or "", right, intent.at):
        return False
    if intent.body["step"] == EntryKind.RETIREMENT:
        return pointed is None
    return aliased is not None and aliased == intent.body["version"]


def candidate_number(
    server: registry.MlflowServer, name: str, version: registry.Version | None
) -> int | None:
    """The candidate's number of a version of `name`; None for none, or one that was never a candidate.

    A second version with the fingerprint of the copy that was made is none: somebody else made it.
    """
    if version is None or version.fingerprint is None:
        return None
    copy = registry.find_version(server, name, version.fingerprint)
    if copy is None or copy.number != version.number:
        return None
    found = registry.find_version(server, registry.candidate_name(name), version.fingerprint)
    return found.number if found else None


def ensure_alias(
    name: str, pointed: registry.Version | None, aliased: int | None, reign: ledger.Tenure | None
) -> None:
    """Raise IntegrityError unless the alias points where the ledger says."""
    if pointed is None and reign is None:
        return
    if pointed is not None and reign is not None and aliased == reign.version:
        return
    now = f"points at {pointed}" if pointed else "is gone"
    by = f"candidate {reign.version} (entry {reign.number})" if reign else "nobody"
    mend = (
        f"`clearance rollback --to {reign.version} --reason TEXT`" if reign else "delete the alias in MLflow"
    )
    raise IntegrityError(
        f"the alias `champion` of {name} {now}, and the ledger's champion is {by}",
        f"find out who moved it; {mend} puts it right, then repeat this",
    )


def carry_out(acting: PromotionAttempt, obstacle: Ending | None) -> tuple[Ending, PromotionState]:
    """Take step after step until nothing is left to do. Raises TransientError when a step does not last."""
    taken: list[Step] = []
    state = acting.observe(obstacle)
    while isinstance(todo := next_step.decide(state), Step):
        if taken.count(todo) == 2:
            raise TransientError(f"MLflow does not keep this step: {todo}", "repeat this")
        acting.act(todo, state)
        taken.append(todo)
        state = acting.observe(obstacle)
    return (replace(todo, status=Status.PROMOTED) if Step.SET_CHAMPION in taken else todo), state


def promote(
    office: LedgerSession,
    server: registry.MlflowServer,
    name: str,
    number: int,
    day: dt.date,
    *,
    asked: bool = False,
) -> tuple[Ending, PromotionState]:
    """Promote candidate `number` of the model `name` if it may be, and say how that ended.

    A "no" is recorded; that it still waits for approvals only where the promotion itself was `asked` for.
    Raises IntegrityError when ledger, alias or evidence do not verify, ConfigurationError when there is no
    such candidate, BusyError when another promotion of the model does not end.
    """
    office.ensure_sound()
    with office.recording_refusal("promote", name, version=number):
        return _promoted(office, server, name, number, day, asked=asked)


def _promoted(
    office: LedgerSession, server: registry.MlflowServer, name: str, number: int, day: dt.date, *, asked: bool
) -> tuple[Ending, PromotionState]:
    version = registry.candidate_version(server, name, number)
    with ledger.lock(office.book, name) as fence, tempfile.TemporaryDirectory() as temporary:
        entries = office.entries(name)
        recalled = recall.load_verified(office, server, version, entries, Path(temporary))
        found = review.review(office, server, recalled, day)
        obstacle = next_step.obstacle(found.case, found.standing, found.needs)
        if obstacle is None and not office.may(Right.PROMOTE):
            who = office.acting.person.identity
            why = f"All who must agree do, and {who} may not promote: ask an operator to."
            obstacle = Ending(status=Status.NOT_PROMOTED, reason=why)
        acting = PromotionAttempt(
            office=office,
            server=server,
            name=name,
            recalled=recalled,
            heard=found,
            reviewed_until=entries[-1].number,
            day=day,
            fence=fence,
            override=version_record.override(found.standing),
        )
        ending, state = carry_out(acting, obstacle)
        if ending.status is Status.NOT_PROMOTED or (asked and not _is_champion(ending)):
            record_refusal(office, name, number, recalled.bundle.digest, ending, again=asked)
        return ending, state


def _is_champion(ending: Ending) -> bool:
    return ending.status in (Status.PROMOTED, Status.CHAMPION)


def record_refusal(
    office: LedgerSession, name: str, number: int, content: str, ending: Ending, *, again: bool
) -> None:
    """Record that the version was not promoted, and why; without `again` once for each reason and person."""
    said = {"version": number, "content": content, "reason": ending.reason}
    known = (each for each in office.entries(name) if each.kind == EntryKind.REFUSAL)
    if not again and any(each.keyid == office.keyid and each.body == said for each in known):
        return
    office.record(office.draft(EntryKind.REFUSAL, name, **said))
