"""Whether a judged model may become champion, and which step comes next: pure, changes nothing.

A "no" is a value with its reason. The next step depends only on what ledger and registry hold, so a release
that was killed resumes where it was.

    register → push → attest ┊ copy → record the intent, set the alias → confirm
                             ┊          └ after a crash: confirm when the alias was set, else abandon
    what `release` does      ┊ what `promote` does, at once or when all required approvals are in
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from clearance.documents.verdict_document import VerdictDocument
from clearance.policy import authorised, judgement, schema
from clearance.registry.version import Version
from clearance.reporting import headline

if TYPE_CHECKING:
    from clearance.trust.approval_state import ApprovalState


class Status(StrEnum):
    """How a release ended. Only the first three leave this model as the champion.

    `LAPSED`: it is, and what allowed it no longer holds.
    """

    PROMOTED = "promoted"
    CHAMPION = "already champion"
    LAPSED = "lapsed"
    SUPERSEDED = "superseded"
    AWAITING_APPROVAL = "awaiting approval"
    NOT_PROMOTED = "not promoted"
    NO_MODEL = "no model"
    WHAT_IF = "what if"


class Step(StrEnum):
    """One change to the world. Any of them may be the last before a crash."""

    COPY = "copy the candidate"
    SET_CHAMPION = "record the intent, and set the alias"
    CONFIRM = "record that it was done"
    ABANDON = "record that it was not done"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a release ended, and why, in a sentence."""

    status: Status
    reason: str


@dataclass(frozen=True, kw_only=True)
class JudgedCase:
    """What is known about a judged model before anybody is asked to approve it.

    `verdict` is the recorded one. `promotion` and `today` (the verdict on `day`) are those of the policy
    authorised for the model; None when there is none, or when another one judged. Sentences about what stands
    in the way, None where nothing does: `unseen` (this checkout hides authors or history), `uncommitted`
    (git cannot rebuild it, and the policy minds), `contradicted` (an independent rebuild gave something
    else), `unrebuilt` (the policy demands one, and none counts yet), `unpushed` (the DVC remote cannot),
    `compared` (the comparison with the champion speaks against it), `unlisted` (no commit holds what is
    authorised, and the policy minds), `contract` (compliance did not agree to its data contract),
    `unreadable` (an objection that may be about it was erased against the rules), `unreasoned` (its denials
    cannot be reasoned as the policy asks), `not_preregistered` (nothing shows that its bar was set before its
    result, and the policy minds), `undocumented` (its card has a gap where the policy allows none). `tier` is
    one that the policy does not know.
    """

    verdict: VerdictDocument
    has_model: bool
    promotion: schema.PromotionTerms | None
    today: judgement.Verdict | None
    day: dt.date
    unseen: str | None = None
    uncommitted: str | None = None
    contradicted: str | None = None
    unrebuilt: str | None = None
    unpushed: str | None = None
    compared: str | None = None
    tier: str | None = None
    unlisted: str | None = None
    unreadable: str | None = None
    contract: str | None = None
    unreasoned: str | None = None
    not_preregistered: str | None = None
    undocumented: str | None = None

    @property
    def failed(self) -> bool:
        """Whether only an override can let the model through: the verdict, then or today, does not."""
        return self.promotion is None or self.today is None or _judgement(self) is not None


@dataclass(frozen=True, kw_only=True)
class PromotionState:
    """What stands in the way of promotion, if anything, and what ledger and registry hold.

    `copy` is the version of the candidate's content under the model's own name, `champion` is where the alias
    points. `ledger_champion` is the number of the ledger's champion as a candidate, `champions` are those
    that ever were. `pending`: of a change that was started and never ended, whether its act was done; None:
    there is none. `may_end`: whether this person has the right to end it.
    """

    obstacle: Ending | None
    candidate: Version
    copy: Version | None
    champion: Version | None
    ledger_champion: int | None = None
    champions: frozenset[int] = frozenset()
    pending: bool | None = None
    may_end: bool = True


def obstacle(case: JudgedCase, standing: ApprovalState | None = None, needs: int = 0) -> Ending | None:
    """Why this model may not become champion; None when it may.

    `needs` is how many people must agree at least, whatever the tier asks for. Without `standing` nobody has
    been asked yet: a model that waits for nothing else waits for that.
    """
    if case.verdict.what_if:
        reason = "It was judged by a policy or on a day chosen for the run; nothing is recorded."
        return Ending(status=Status.WHAT_IF, reason=reason)
    if not case.has_model:
        reason = f"No model was trained; only the run was tracked. {headline.sentence(case.verdict)}"
        return Ending(status=Status.NO_MODEL, reason=reason)
    if refusal := _refusal(case, standing):
        return Ending(status=Status.NOT_PROMOTED, reason=refusal)
    if standing is None:
        return Ending(status=Status.AWAITING_APPROVAL, reason="It has not been proposed yet.")
    reasons = [*standing.reasons, *([case.unrebuilt] if case.unrebuilt else [])]
    if (approvals := len(standing.counted)) < needs:
        noun = "approval" if needs == 1 else "approvals"
        reasons.append(f"A first version needs {needs} {noun} and has {approvals}: ask for more.")
    return Ending(status=Status.AWAITING_APPROVAL, reason=" ".join(reasons)) if reasons else None


def _refusal(case: JudgedCase, standing: ApprovalState | None) -> str | None:
    """Why approvals cannot help: no authorised policy, code that nobody has, a verdict without override."""
    verdict, promotion = case.verdict, case.promotion
    if case.tier:
        return f"{authorised.FILE} puts {verdict.name} into tier {case.tier}, which its policy does not know."
    if promotion is None or case.today is None:
        file = verdict.policy.file
        return (
            f"{verdict.name} was judged under a version of {file} that {authorised.FILE} does not "
            "authorise now."
        )
    against = None if standing and standing.complete else _judgement(case)
    if hindrance := _hindrance(case):
        return f"{against} {hindrance}" if against else hindrance
    if standing and standing.rejections:
        return " ".join(standing.reasons)
    if against is None:
        return None
    override_begun = bool(standing and standing.counted and promotion.override_days)
    return f"{against} {' '.join(standing.reasons)}" if standing and override_begun else against


def _hindrance(case: JudgedCase) -> str | None:
    """Why neither approval nor override helps: what was done cannot be seen, or was shown to be another."""
    return (
        case.unlisted
        or case.unseen
        or case.contract
        or case.uncommitted
        or case.contradicted
        or case.unpushed
        or case.unreadable
        or case.unreasoned
        or case.undocumented
    )


def _judgement(case: JudgedCase) -> str | None:
    """Why the authorised policy, then or today, does not let the model through."""
    verdict, today, promotion = case.verdict, case.today, case.promotion
    if promotion is None or today is None:
        return None
    if verdict.verdict not in promotion.when:
        return headline.sentence(verdict)
    if today.outcome not in promotion.when:
        word = headline.VERDICTS[today.outcome].lower()
        return f"Judged again on {case.day.isoformat()}: {word}; {'; '.join(today.reasons)}."
    return case.compared or case.not_preregistered


def _named(copy: Version, candidate: Version) -> str:
    """The champion by its candidate's number, which the ledger and every command use."""
    if copy.number == candidate.number:
        return str(copy)
    return f"{copy.name} version {candidate.number} (version {copy.number} in the registry)"


def decide(state: PromotionState) -> Step | Ending:
    """The next step, or the ending.

    A change that a crash left unfinished is ended first: as done when the alias was set, else as not done.
    """
    if state.pending is not None and not state.may_end:
        reason = "A change of the champion was started and not completed: ask an operator to release it."
        return Ending(status=Status.NOT_PROMOTED, reason=reason)
    if state.pending is not None:
        return Step.CONFIRM if state.pending else Step.ABANDON
    if state.copy and state.ledger_champion == state.candidate.number:
        return Ending(
            status=Status.CHAMPION, reason=f"{_named(state.copy, state.candidate)} is the champion."
        )
    if state.obstacle:
        return state.obstacle
    overtaken = state.copy and state.champion and state.champion.number > state.copy.number
    if overtaken or state.candidate.number in state.champions:
        now = f"{state.champion} is" if state.champion else "no version is now"
        reason = (
            f"{state.candidate} has already been champion or was overtaken, and {now} champion; use "
            "`clearance rollback` to return to it."
        )
        return Ending(status=Status.SUPERSEDED, reason=reason)
    return Step.SET_CHAMPION if state.copy else Step.COPY
