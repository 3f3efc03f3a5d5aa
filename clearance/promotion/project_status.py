"""Where a project stands: its last verdict and whether it still holds, its champion, and what waits for whom.

It reads files and the ledger, and asks neither MLflow nor DVC.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clearance import params, paths
from clearance.documents.card_document import CardDocument
from clearance.errors import ClearanceError
from clearance.policy import authorised, policy_file
from clearance.policy.schema import Policy
from clearance.promotion import session, standing, version_record
from clearance.promotion.standing import CandidateStanding, Waiting
from clearance.reporting import current_verdict
from clearance.reporting.card import required
from clearance.reporting.current_verdict import CurrentVerdict

VerdictState = Literal["none", "holds", "stale", "unreadable"]


@dataclass(frozen=True, kw_only=True)
class ProjectStatus:
    """The status of a project. `verdict` is None where `state` is `none` or `unreadable`.

    `authorised` names the policy and tier under which the model may be promoted; None where there is none.
    `champion` describes the present champion in sentences; None without one. `card` says what the model
    card lacks that the policy requires, None where nothing. `next` is the command that brings the project
    further.
    """

    name: str
    policy: str
    authorised: str | None
    state: VerdictState
    verdict: CurrentVerdict | None
    champion: str | None
    candidates: tuple[CandidateStanding, ...]
    waiting: tuple[Waiting, ...]
    next: str
    card: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The status as a JSON value."""
        current = self.verdict
        return {
            "name": self.name,
            "policy": self.policy,
            "authorised": self.authorised,
            "verdict": {
                "state": self.state,
                "verdict": current.document.verdict if current else None,
                "as_of": current.document.policy.as_of if current else None,
                "changed": list(current.change) if current else [],
            },
            "champion": self.champion,
            "candidates": len(self.candidates),
            "waiting": [item.to_json() for item in self.waiting],
            "card": self.card,
            "next": self.next,
        }

    def lines(self) -> list[str]:
        """The status in lines for a terminal."""
        words = {"none": "none yet", "unreadable": "reports/verdict.json cannot be read"}
        current = self.verdict
        verdict = [words[self.state]] if current is None else [current.title, *current.change]
        newest = [str(self.candidates[-1])] if self.candidates else ["none"]
        rows = [
            ("model", [self.name]),
            ("policy", [f"{self.policy}, {self.authorised or 'not authorised for this model'}"]),
            ("verdict", verdict),
            ("candidate", newest),
            ("champion", [self.champion or "none"]),
            *([("card", [self.card])] if self.card else []),
            ("waiting", [str(item) for item in self.waiting] or ["nobody"]),
            ("next", [self.next]),
        ]
        return [
            f"{label if index == 0 else '':11}{text}"
            for label, texts in rows
            for index, text in enumerate(texts)
        ]


def read(root: Path) -> ProjectStatus:
    """The status of the project at `root`.

    Raises ConfigurationError when params.yaml or the list of authorised policies is faulty, IntegrityError
    when the ledger is damaged.
    """
    settings = params.load(root / paths.PARAMS)
    name = settings.name
    listed = authorised.find(root, name)
    policy = policy_file.load(root / listed.policy) if listed else None
    state, current = _verdict(root)
    with session.open_read_only(root) as reader:
        entries = reader.entries(name)
        known = tuple(standing.candidates(entries, name))
        tenure = version_record.champion(entries, name)
        tier = listed.tier if listed else ""
        waiting = tuple(standing.waiting(known, policy, tier, reader.roles, reader.now()))
        demo, today = reader.roles.demo, reader.now().date()
    card = _card(root, policy, today) if current else None
    return ProjectStatus(
        name=name,
        policy=settings.policy.file,
        authorised=f"authorised in tier {listed.tier}" if listed else None,
        state=state,
        verdict=current,
        champion=version_record.describe_tenure(entries, tenure, demo=demo) if tenure else None,
        candidates=known,
        waiting=waiting,
        next=_next(state, current, known, waiting, card),
        card=card,
    )


def _verdict(root: Path) -> tuple[VerdictState, CurrentVerdict | None]:
    if not (root / paths.VERDICT).exists():
        return "none", None
    try:
        current = current_verdict.read(root)
    except ClearanceError:
        return "unreadable", None
    return ("stale" if current.is_stale else "holds"), current


def _card(root: Path, policy: Policy | None, today: dt.date) -> str | None:
    """What the last run's card lacks of what the authorised policy requires; None where it lacks nothing."""
    terms = policy.documents_on(today) if policy else None
    if terms is None:
        return None
    try:
        document = CardDocument.read(root)
    except ClearanceError:
        document = None
    lacking = required.lacking(document, terms, today)
    return f"gaps in {lacking}; no version is promoted with them" if lacking else None


def _next(
    state: VerdictState,
    current: CurrentVerdict | None,
    known: tuple[CandidateStanding, ...],
    waiting: tuple[Waiting, ...],
    card: str | None,
) -> str:
    """The command that brings the project further."""
    if state != "holds" or current is None:
        return "`clearance check`, then `clearance run`"
    if card:
        fill = "fill the gaps in card.yaml (`clearance check` lists them), then `clearance run`"
        passes = current.document.verdict.exit_code == 0
        return fill if passes else f"{fill}; `clearance report --open` shows what the verdict rests on"
    if waiting:
        return str(waiting[0]).rpartition(": ")[2]
    if known and known[-1].state == "champion":
        return "`clearance verify` checks the champion"
    if current.document.verdict.exit_code == 0:
        return "`clearance release`"
    return "`clearance report --open` shows what the verdict rests on"
