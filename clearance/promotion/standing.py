"""Where a model stands by its ledger: each candidate with its verdict and decisions, and what waits for whom.

Pure. It repeats what is recorded and counts people by role; whether a decision holds under the policy, and
whether evidence still verifies, `clearance verify` says.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clearance import foreign_text, ledger
from clearance.ledger import Entry, events, times
from clearance.policy.schema import Policy
from clearance.reporting import headline
from clearance.trust import quorum
from clearance.trust.roles import Roles

_DECISIONS = {
    events.EntryKind.APPROVAL: "approved",
    events.EntryKind.OVERRIDE: "overridden",
    events.EntryKind.REJECTION: "rejected",
}


@dataclass(frozen=True, kw_only=True)
class CandidateStanding:
    """A candidate as the ledger has it.

    `verdict` is None where none is recorded. `decisions` say of each person what they decided last and did
    not withdraw. `state` is `champion`, `former champion`, `rejected` or `candidate`. `refusal` is why its
    promotion was refused, where nothing about it was recorded since. Of a model made elsewhere, `declared`
    names what nobody here measured, and `declared_by` who states it.
    """

    version: int
    proposed: dt.datetime
    by: str
    verdict: str | None
    reasons: tuple[str, ...]
    decisions: Mapping[str, str]
    state: str
    refusal: str | None = None
    declared: tuple[str, ...] = ()
    declared_by: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The candidate as a JSON value."""
        return {
            "version": self.version,
            "proposed": times.stamp(self.proposed),
            "by": self.by,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "decisions": dict(self.decisions),
            "state": self.state,
            "refusal": self.refusal,
            "declared": list(self.declared),
            "declared_by": self.declared_by,
        }

    def __str__(self) -> str:
        verdict = headline.word(self.verdict) if self.verdict else "no verdict recorded"
        decided = [f"{decision} by {who}" for who, decision in self.decisions.items()]
        if self.declared_by is not None:
            who = foreign_text.inert(self.declared_by)
            decided.append(f"made elsewhere ({who} declared: {', '.join(self.declared)})")
        details = ", ".join([verdict, *([self.state] if self.state != "candidate" else []), *decided])
        return f"version {self.version}  {times.for_display(self.proposed)}  {details}"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A candidate that people may still decide about: how many are missing by role, and who has that role.

    `refusal` is why its promotion was refused last, None where it was not.
    """

    version: int
    missing: Mapping[str, int]
    people: Mapping[str, tuple[str, ...]]
    refusal: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The same as a JSON value."""
        people = {role: list(names) for role, names in self.people.items()}
        missing = dict(self.missing)
        return {"version": self.version, "missing": missing, "people": people, "refusal": self.refusal}

    def __str__(self) -> str:
        if not self.missing:
            command = f"`clearance promote {self.version}`"
            if self.refusal:
                refusal = foreign_text.inert(self.refusal).rstrip(".")
                return f"version {self.version} was refused ({refusal}); once that has changed: {command}"
            return f"version {self.version} waits for an operator, and is judged again today: {command}"
        roles = [
            f"{number} {role.replace('_', ' ')} ({', '.join(self.people[role]) or 'nobody has this role'})"
            for role, number in self.missing.items()
        ]
        command = f"`clearance approve {self.version} --as NAME --reason TEXT`"
        return f"version {self.version} waits for {' and '.join(roles)}: {command}"


def candidates(entries: Sequence[Entry], model: str) -> list[CandidateStanding]:
    """Every proposed version of the model, in order of their numbers. Raises what `ledger.tenures` raises."""
    tenures = ledger.tenures(entries, model)
    present = next((tenure.version for tenure in tenures if tenure.until is None), None)
    former = {tenure.version for tenure in tenures} - {present}
    first: dict[int, Entry] = {}
    for entry in entries:
        if proposal := entry.read(events.ProposalEvent):
            first.setdefault(proposal.version, entry)
    return [
        _standing(version, entry, entries, present=present, former=former)
        for version, entry in sorted(first.items())
    ]


def _standing(
    version: int, proposal: Entry, entries: Sequence[Entry], *, present: int | None, former: set[int]
) -> CandidateStanding:
    about = [entry for entry in entries if (event := entry.event) and event.about == version]
    verdicts = [event for entry in about if (event := entry.read(events.VerdictEvent))]
    decisions = _decisions(about)
    if version == present:
        state = "champion"
    elif version in former:
        state = "former champion"
    else:
        state = "rejected" if "rejected" in decisions.values() else "candidate"
    return CandidateStanding(
        version=version,
        proposed=proposal.at,
        by=proposal.actor,
        verdict=verdicts[-1].outcome if verdicts else None,
        reasons=verdicts[-1].reasons if verdicts else (),
        decisions=decisions,
        state=state,
        declared=proposed.declared if (proposed := proposal.read(events.ProposalEvent)) else (),
        declared_by=proposed.declared_by if proposed else None,
        refusal=refusal.reason if (refusal := about[-1].read(events.RefusalEvent)) else None,
    )


def _decisions(about: Iterable[Entry]) -> dict[str, str]:
    """What each person decided last and did not withdraw."""
    decisions: dict[str, str] = {}
    decided = {str(kind): word for kind, word in _DECISIONS.items()}
    for entry in about:
        if entry.kind == events.EntryKind.REVOCATION:
            decisions.pop(entry.actor, None)
        elif decision := decided.get(entry.kind):
            decisions[entry.actor] = decision
    return decisions


def waiting(
    listed: Sequence[CandidateStanding], policy: Policy | None, tier: str, roles: Roles, now: dt.datetime
) -> list[Waiting]:
    """The candidates that a promotion still awaits people for: the newest one, where its verdict allows it.

    None where no policy is authorised, or the newest candidate is champion or rejected.
    """
    if policy is None or tier not in policy.promotion.approvals or not listed:
        return []
    newest = listed[-1]
    if newest.state != "candidate" or newest.verdict not in set(map(str, policy.promotion.when)):
        return []
    places = policy.promotion.approvals[tier]
    able = {
        who: frozenset(roles.people[who].roles(now))
        for who, decision in newest.decisions.items()
        if decision != "rejected" and who in roles.people
    }
    missing = quorum.missing(able, places)
    people = {
        role: tuple(sorted(name for name, person in roles.people.items() if role in person.roles(now)))
        for role in missing
    }
    return [Waiting(version=newest.version, missing=missing, people=people, refusal=newest.refusal)]
