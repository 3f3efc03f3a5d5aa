"""Whether a judged model may become champion, and which step comes next: pure, nothing is changed here.

A "no" is a value with its reason. What the registry holds is all that a next step depends on, so a
release that was killed goes on where it was.

    register → push → copy → set the alias → note it
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clearance import evidence
from clearance.judging import authorised, policy, rules
from clearance.telling import headline


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

    REGISTER = "register the candidate"
    PUSH = "push the outputs"
    COPY = "copy the candidate"
    CROWN = "set the alias"
    CONFIRM = "note that the champion was released"


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of a registered model. `released`: it has been champion."""

    name: str
    number: int
    fingerprint: str | None
    released: bool
    tags: Mapping[str, str]
    run_id: str
    model_id: str

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Nothing is left to do, and why, in a sentence."""

    status: Status
    reason: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """What was found about one judged model before the registry is asked.

    `verdict` is the recorded one. `promotion` and `today` (the verdict on `day`) are those of the policy
    authorised for the model; None when there is none, or when another one judged.
    """

    verdict: Mapping[str, Any]
    has_model: bool
    promotion: rules.Promotion | None
    today: policy.Verdict | None
    day: dt.date


@dataclass(frozen=True, kw_only=True)
class State:
    """What stands in the way of promotion, if anything, and what the registry holds.

    `candidate` and `copy` are the versions of this very content under the two names; `pushed` says
    whether the outputs are at the remote, or need not be.
    """

    obstacle: Ending | None
    candidate: Version | None
    copy: Version | None
    champion: Version | None
    pushed: bool


def obstacle(case: Case) -> Ending | None:
    """Why this model may not become champion; None when it may."""
    if case.verdict["what_if"]:
        why = "It was judged by a policy or on a day chosen for the run; nothing is recorded."
        return Ending(status=Status.WHAT_IF, reason=why)
    if not case.has_model:
        why = f"There is no model; the tracked run is the record. {headline.why(case.verdict)}"
        return Ending(status=Status.NO_MODEL, reason=why)
    if refusal := _refusal(case):
        return Ending(status=Status.NOT_PROMOTED, reason=refusal)
    if case.promotion and case.promotion.approvals:
        why = f"The policy asks for {case.promotion.approvals} approval(s), and none is recorded."
        return Ending(status=Status.AWAITING_APPROVAL, reason=why)
    return None


def _refusal(case: Case) -> str | None:
    """Why the authorised policy, then or today, does not let the model through."""
    verdict, today, promotion = case.verdict, case.today, case.promotion
    if promotion is None or today is None:
        file = verdict["policy"]["file"]
        return f"{file} as it judged is not the policy that {authorised.FILE} names for {verdict['name']}."
    if evidence.Outcome(verdict["verdict"]) not in promotion.when:
        return headline.why(verdict)
    if today.outcome not in promotion.when:
        word = headline.VERDICTS[today.outcome].lower()
        return f"Judged again on {case.day.isoformat()}: {word}; {'; '.join(today.reasons)}."
    return None


def decide(state: State) -> Step | Ending:
    """The next step, or the ending.

    A champion that nobody noted was left by a crash after its alias was set. It is noted before anything
    else, so that no later release takes it for one that never served.
    """
    champion, copy = state.champion, state.copy
    if state.obstacle and state.obstacle.status in (Status.WHAT_IF, Status.NO_MODEL):
        return state.obstacle
    if champion and champion.fingerprint and not champion.released:
        return Step.CONFIRM
    if state.candidate is None:
        return Step.REGISTER
    if champion and copy and champion.number == copy.number:
        return Ending(status=Status.CHAMPION, reason=f"{copy} is the champion.")
    return state.obstacle or _towards_champion(state)


def _towards_champion(state: State) -> Step | Ending:
    """The next step of a registered candidate that may become champion and is not."""
    champion, copy = state.champion, state.copy
    if copy and (copy.released or (champion and champion.number > copy.number)):
        now = f"{champion} is" if champion else "no version is now"
        why = f"{copy} holds this model and {now} champion: going back is a rollback, not a release."
        return Ending(status=Status.SUPERSEDED, reason=why)
    if not state.pushed:
        return Step.PUSH
    return Step.CROWN if copy else Step.COPY
