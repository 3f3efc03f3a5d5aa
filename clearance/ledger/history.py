"""Who was champion, who allowed it, on what evidence, and which change was begun and never ended.

Pure: everything is folded from the entries that are handed in, in their order. Whether they are to be
believed is for `verification` to say.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from clearance.errors import DataError
from clearance.ledger import entry, times
from clearance.ledger.entry import Entry
from clearance.ledger.kinds import EntryKind

CHANGES = frozenset({EntryKind.PROMOTION, EntryKind.ROLLBACK, EntryKind.RETIREMENT})
"""Kinds that say who is champion from here on."""

_EVIDENCE = frozenset(
    {
        EntryKind.PROPOSAL,
        EntryKind.VERDICT,
        EntryKind.COMPARISON,
        EntryKind.APPROVAL,
        EntryKind.OVERRIDE,
        EntryKind.REJECTION,
        EntryKind.REVOCATION,
    }
)
_ALLOWS = frozenset({EntryKind.APPROVAL, EntryKind.OVERRIDE})
_TAKES_BACK = frozenset({EntryKind.REJECTION, EntryKind.REVOCATION})


@dataclass(frozen=True, kw_only=True)
class Tenure:
    """A version as the champion of its model, from `since` until `until` (None: to the end of what was read).

    `by` carried it out with entry `number`; `allowed_by` are those whose approval or override of this content
    stood then, as the entry says, else as the entries before it do; `override_until` is the day on which an
    override that it rests on ends; `evidence` are the numbers of all entries about this content before.
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
        """The reign as a JSON value."""
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
        until = f"until {times.for_display(self.until)}" if self.until else "and still is"
        allowed = f"allowed by {', '.join(self.allowed_by)}" if self.allowed_by else "with nobody's approval"
        allowed += f" BY OVERRIDE until {self.override_until}" if self.override_until else ""
        numbers = ", ".join(f"#{number}" for number in self.evidence) or "none"
        return (
            f"{self.model} version {self.version} was champion from {times.for_display(self.since)} {until}; "
            f"{self.kind} by {self.by} (#{self.number}), {allowed}; evidence: {numbers}."
        )


def tenures(entries: Iterable[Entry], model: str) -> tuple[Tenure, ...]:
    """All reigns of the model's champions, in order. One that was promoted again has a reign for each time.

    Raises DataError when an entry that changes the champion names no version, and IntegrityError when one
    cannot be read.
    """
    about: dict[str, list[Entry]] = {}
    found: list[Tenure] = []
    for each in entries:
        if each.model != model:
            continue
        body = {} if each.redacted else each.body
        content = body.get("content")
        if each.kind in CHANGES:
            if found and found[-1].until is None:
                found[-1] = _ended(found[-1], each.at)
            if each.kind != EntryKind.RETIREMENT:
                found.append(_reign(each, body, about.get(content, []) if isinstance(content, str) else []))
        elif each.kind in _EVIDENCE and isinstance(content, str):
            about.setdefault(content, []).append(each)
    return tuple(found)


def champion_at(entries: Iterable[Entry], model: str, time: dt.datetime) -> Tenure | None:
    """Who was the model's champion at a time; None when nobody was."""
    for each in reversed(tenures(entries, model)):
        if each.since <= time:
            return each if each.until is None or time < each.until else None
    return None


def champion_versions(entries: Iterable[Entry], model: str) -> tuple[int, ...]:
    """The versions that have been champion, each once, in the order of their first time."""
    return tuple(dict.fromkeys(each.version for each in tenures(entries, model)))


def open_intents(entries: Iterable[Entry], model: str) -> tuple[Entry, ...]:
    """The intents that neither a change confirmed nor a repair gave up: what a crash left to look after."""
    open_: dict[int, Entry] = {}
    for each in entries:
        if each.model != model:
            continue
        if each.kind == EntryKind.INTENT:
            open_[each.number] = each
        elif each.kind in CHANGES or each.kind == EntryKind.REPAIR:
            open_.pop(each.body.get("intent", 0), None)
    return tuple(open_.values())


def _reign(each: Entry, body: dict[str, Any], about: list[Entry]) -> Tenure:
    version = body.get("version")
    if type(version) is not int or each.model is None:
        raise DataError(f"entry {each.number} changes the champion and names no version", entry.MEND)
    return Tenure(
        model=each.model,
        version=version,
        content=body.get("content"),
        kind=each.kind,
        since=each.at,
        until=None,
        by=each.actor,
        number=each.number,
        allowed_by=tuple(body["allowed_by"]) if "allowed_by" in body else _allowed(about),
        evidence=tuple(one.number for one in about),
        override_until=body.get("override_until"),
    )


def _allowed(about: list[Entry]) -> tuple[str, ...]:
    """Who let this content through and has not taken it back since."""
    standing: dict[str, None] = {}
    for each in about:
        if each.kind in _ALLOWS:
            standing[each.actor] = None
        elif each.kind in _TAKES_BACK:
            standing.pop(each.actor, None)
    return tuple(standing)


def _ended(reign: Tenure, at: dt.datetime) -> Tenure:
    return replace(reign, until=at)
