"""Whether a judged model may become champion, and which step comes next: pure, nothing is changed here.

A "no" is a value with its reason. What ledger and registry hold is all that a next step depends on, so a
release that was killed goes on where it was.

    register → push → attest ┊ copy → record the intent, set the alias → confirm
                             ┊          └ after a crash: confirm when the alias was set, else abandon
    what `release` does      ┊ what `promote` does, then or once the right people agree
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from clearance.documents import measurement
from clearance.policy import authorised, judgement, schema
from clearance.registry.version import Version
from clearance.reporting import headline

if TYPE_CHECKING:
    from clearance.trust.approval_state import ApprovalState


class Status(StrEnum):
    """How a release ended. Only the first two leave this model as the champion."""

    PROMOTED = "promoted"
    CHAMPION = "already champion"
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
    """Nothing is left to do, and why, in a sentence."""

    status: Status
    reason: str


@dataclass(frozen=True, kw_only=True)
class JudgedCase:
    """What was found about one judged model before the registry is asked.

    `verdict` is the recorded one. `promotion` and `today` (the verdict on `day`) are those of the policy
    authorised for the model; None when there is none, or when another one judged. `uncommitted` says why
    nobody could build it again from git, where the policy minds, `unpushed` why not from DVC; `compared` what
    the comparison with the champion has against it, where the policy asks for one. `tier` is one that the
    policy does not know. `unlisted` says that no commit holds what is authorised, where the policy minds.
    """

    verdict: Mapping[str, Any]
    has_model: bool
    promotion: schema.Promotion | None
    today: judgement.Verdict | None
    day: dt.date
    uncommitted: str | None = None
    unpushed: str | None = None
    compared: str | None = None
    tier: str | None = None
    unlisted: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the verdict, then or today, lets the model through by an override only."""
        return self.promotion is None or self.today is None or _judgement(self) is not None


@dataclass(frozen=True, kw_only=True)
class PromotionState:
    """What stands in the way of promotion, if anything, and what ledger and registry hold.

    `copy` is the version of the candidate's content under the model's own name, `champion` is where the alias
    points. `reigning` is the number of the ledger's champion as a candidate, `served` are those that ever
    were. `pending` tells of a change that was begun and never ended whether its act was done; None: there is
    none.
    """

    obstacle: Ending | None
    candidate: Version
    copy: Version | None
    champion: Version | None
    reigning: int | None = None
    served: frozenset[int] = frozenset()
    pending: bool | None = None


def obstacle(case: JudgedCase, standing: ApprovalState | None = None, needs: int = 0) -> Ending | None:
    """Why this model may not become champion; None when it may.

    `needs` is how many people must agree at least, whatever the tier asks for. Without `standing` nobody has
    been asked yet: a model that waits for nothing else waits for that.
    """
    if case.verdict["what_if"]:
        why = "It was judged by a policy or on a day chosen for the run; nothing is recorded."
        return Ending(status=Status.WHAT_IF, reason=why)
    if not case.has_model:
        why = f"There is no model; the tracked run is the record. {headline.sentence(case.verdict)}"
        return Ending(status=Status.NO_MODEL, reason=why)
    if refusal := _refusal(case, standing):
        return Ending(status=Status.NOT_PROMOTED, reason=refusal)
    if standing is None:
        return Ending(status=Status.AWAITING_APPROVAL, reason="Nothing was proposed yet.")
    reasons = list(standing.reasons)
    if (agreed := len(standing.counted)) < needs:
        reasons.append(f"A first version needs {needs} approval(s), {agreed} stand: ask for more.")
    return Ending(status=Status.AWAITING_APPROVAL, reason=" ".join(reasons)) if reasons else None


def _refusal(case: JudgedCase, standing: ApprovalState | None) -> str | None:
    """Why this is no question of agreement: no policy, code that nobody has, a verdict nobody overrode."""
    verdict, promotion = case.verdict, case.promotion
    if case.tier:
        return (
            f"{authorised.FILE} puts {verdict['name']} into tier {case.tier}, which its policy does not know."
        )
    if promotion is None or case.today is None:
        file = verdict["policy"]["file"]
        return f"{file} as it judged is not the policy that {authorised.FILE} names for {verdict['name']}."
    if hindrance := case.unlisted or case.uncommitted or case.unpushed:
        return hindrance
    if standing and standing.rejections:
        return " ".join(standing.reasons)
    if (judged := _judgement(case)) is None or (standing and standing.complete):
        return None
    begun = bool(standing and standing.counted and promotion.override_days)
    return f"{judged} {' '.join(standing.reasons)}" if standing and begun else judged


def _judgement(case: JudgedCase) -> str | None:
    """Why the authorised policy, then or today, does not let the model through."""
    verdict, today, promotion = case.verdict, case.today, case.promotion
    if promotion is None or today is None:
        return None
    if measurement.Outcome(verdict["verdict"]) not in promotion.when:
        return headline.sentence(verdict)
    if today.outcome not in promotion.when:
        word = headline.VERDICTS[today.outcome].lower()
        return f"Judged again on {case.day.isoformat()}: {word}; {'; '.join(today.reasons)}."
    return case.compared


def decide(state: PromotionState) -> Step | Ending:
    """The next step, or the ending.

    A change that a crash left unfinished is ended first: as done when the alias was set, else as not done.
    """
    if state.pending is not None:
        return Step.CONFIRM if state.pending else Step.ABANDON
    if state.copy and state.reigning == state.candidate.number:
        return Ending(status=Status.CHAMPION, reason=f"{state.copy} is the champion.")
    if state.obstacle:
        return state.obstacle
    overtaken = state.copy and state.champion and state.champion.number > state.copy.number
    if overtaken or state.candidate.number in state.served:
        now = f"{state.champion} is" if state.champion else "no version is now"
        why = f"{state.candidate} had its turn, and {now} champion: going back is a rollback, not a release."
        return Ending(status=Status.SUPERSEDED, reason=why)
    return Step.SET_CHAMPION if state.copy else Step.COPY
