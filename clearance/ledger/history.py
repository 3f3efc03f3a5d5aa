"""Who was champion, who allowed it, on what evidence, and which change was started and never finished.

Pure: everything is folded from the entries that are passed in, in their order. Whether they can be trusted is
decided by `verification`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clearance.ledger import faults, times
from clearance.ledger.entry import Entry
from clearance.ledger.events import (
    CHANGES,
    EVIDENCE,
    AbandonmentEvent,
    ApprovalEvent,
    ChampionChange,
    EntryKind,
    EvidenceEvent,
    OverrideEvent,
    RejectionEvent,
    RevocationEvent,
)


@dataclass(frozen=True, kw_only=True)
class Tenure:
    """A version as the champion of its model, from `since` until `until` (None: to the end of what was read).

    `by` made it champion with entry `number`. `allowed_by` are the people whose approval or override of this
    content stood at that time, as the entry says; if it does not, as the entries before it do.
    `override_until` is the day on which an override that it rests on ends. `evidence` are the numbers of all
    earlier entries about this content.
    """

    model: str
    version: int
    content: str | None
    kind: str
    since: dt.datetime
    until: dt.datetime | None
    by: str
    number: int
    allowed_by: tuple[str, ...]
    evidence: tuple[int, ...]
    override_until: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The tenure as a JSON value."""
        return {
            "model": self.model,
            "version": self.version,
            "content": self.content,
            "kind": self.kind,
            "since": times.stamp(self.since),
            "until": None if self.until is None else times.stamp(self.until),
            "by": self.by,
            "entry": self.number,
            "allowed_by": list(self.allowed_by),
            "evidence": list(self.evidence),
            "override_until": self.override_until,
        }

    def __str__(self) -> str:
        since, numbers = times.for_display(self.since), ", ".join(f"#{number}" for number in self.evidence)
        if self.until is None:
            period = f"has been champion since {since}"
        else:
            period = f"was champion from {since} until {times.for_display(self.until)}"
        allowed = f"allowed by {', '.join(self.allowed_by)}" if self.allowed_by else "without an approval"
        allowed += f" (override, expires {self.override_until})" if self.override_until else ""
        return (
            f"{self.model} version {self.version} {period}; {self.kind} by {self.by} (#{self.number}), "
            f"{allowed}; evidence: {numbers or 'none'}."
        )


def tenures(entries: Iterable[Entry], model: str) -> tuple[Tenure, ...]:
    """Every tenure of a champion of the model, in order; a version that was promoted twice has two.

    Raises DataError when an entry that changes the champion names no version, and IntegrityError when one
    cannot be read.
    """
    evidence: dict[str, list[tuple[Entry, EvidenceEvent]]] = {}
    tenures_: list[Tenure] = []
    for entry in entries:
        if entry.model != model:
            continue
        if entry.kind in CHANGES:
            if tenures_ and tenures_[-1].until is None:
                tenures_[-1] = replace(tenures_[-1], until=entry.at)
            if entry.kind != EntryKind.RETIREMENT:
                tenures_.append(_tenure(entry, model, evidence))
        elif entry.kind in EVIDENCE and isinstance(event := entry.event, EvidenceEvent):
            evidence.setdefault(event.content, []).append((entry, event))
    return tuple(tenures_)


def champion_at(entries: Iterable[Entry], model: str, time: dt.datetime) -> Tenure | None:
    """The tenure of the model's champion at a time; None when it had no champion."""
    for tenure in reversed(tenures(entries, model)):
        if tenure.since <= time:
            return tenure if tenure.until is None or time < tenure.until else None
    return None


def champion_versions(entries: Iterable[Entry], model: str) -> tuple[int, ...]:
    """The versions that have been champion, entry once, in the order of their first tenure."""
    return tuple(dict.fromkeys(tenure.version for tenure in tenures(entries, model)))


def open_intents(entries: Iterable[Entry], model: str) -> tuple[Entry, ...]:
    """The intents that were neither carried out nor abandoned: what a crash left unfinished."""
    intents: dict[int, Entry] = {}
    for entry in entries:
        if entry.model != model:
            continue
        if entry.kind == EntryKind.INTENT:
            intents[entry.number] = entry
        elif entry.kind in CHANGES or entry.kind == EntryKind.REPAIR:
            event = entry.event
            if isinstance(event, ChampionChange | AbandonmentEvent) and event.intent is not None:
                intents.pop(event.intent, None)
    return tuple(intents.values())


def _tenure(
    entry: Entry, model: str, evidence: Mapping[str, Sequence[tuple[Entry, EvidenceEvent]]]
) -> Tenure:
    event = entry.event
    if not isinstance(event, ChampionChange):
        raise faults.NO_VERSION(number=entry.number)
    earlier = evidence.get(event.content or "", ())
    return Tenure(
        model=model,
        version=event.version,
        content=event.content,
        kind=entry.kind,
        since=entry.at,
        until=None,
        by=entry.actor,
        number=entry.number,
        allowed_by=_allowed(earlier) if event.allowed_by is None else event.allowed_by,
        evidence=tuple(entry.number for entry, _ in earlier),
        override_until=event.override_until,
    )


def _allowed(evidence: Iterable[tuple[Entry, EvidenceEvent]]) -> tuple[str, ...]:
    """The people who approved or overrode, and have not withdrawn it since."""
    people: dict[str, None] = {}
    for entry, event in evidence:
        if isinstance(event, ApprovalEvent | OverrideEvent):
            people[entry.actor] = None
        elif isinstance(event, RejectionEvent | RevocationEvent):
            people.pop(entry.actor, None)
    return tuple(people)
