"""Whether a failed rule or a person holds or stops the decisions of a version, and how that is undone.

The ledger alone says so. A restriction is of one version: another champion decides freely, and the same one
only after those who may promote have let it decide again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from clearance.ledger import Entry, EntryKind, events
from clearance.promotion import faults, version_record
from clearance.promotion.session import LedgerSession
from clearance.trust.roles import Right

Mode = Literal["hold", "stop"]
BY_A_PERSON = "a person"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A restriction that is in force: the entry that began it, its rule (None: a person), and why."""

    entry: int
    mode: Mode
    rule: str | None
    reason: str

    @property
    def name(self) -> str:
        """The rule, or that it was a person."""
        return self.rule or BY_A_PERSON


@dataclass(frozen=True, kw_only=True)
class Restriction:
    """How a version is restricted. `causes` are all that are in force, in order; at least one."""

    version: int
    content: str
    causes: tuple[Cause, ...]

    @property
    def stops(self) -> bool:
        """Whether the version decides nothing; else a person reviews every decision."""
        return any(cause.mode == "stop" for cause in self.causes)

    @property
    def names(self) -> str:
        """The rules that stop it, or where none does, that hold it."""
        mode = "stop" if self.stops else "hold"
        return ", ".join(dict.fromkeys(cause.name for cause in self.causes if cause.mode == mode))

    def lines(self) -> tuple[str, ...]:
        """A sentence for each cause."""
        words = {"hold": "held for review", "stop": "stopped"}
        return tuple(
            f"version {self.version} is {words[cause.mode]} by {cause.name} "
            f"(entry {cause.entry}): {cause.reason}"
            for cause in self.causes
        )


def find(entries: Iterable[Entry], version: int) -> Restriction | None:
    """The restriction of a version by the ledger entries of its model that count; None: it has none."""
    content, causes = "", dict[int, Cause]()
    for entry in entries:
        event = entry.read(events.LiveEvent)
        if event is None or event.version != version:
            continue
        if isinstance(event, events.RestrictionEvent):
            content = event.content
            causes[entry.number] = Cause(
                entry=entry.number, mode=event.mode, rule=event.rule, reason=event.reason
            )
        elif isinstance(event, events.ResumptionEvent):
            causes = {number: cause for number, cause in causes.items() if number not in event.restrictions}
    return Restriction(version=version, content=content, causes=tuple(causes.values())) if causes else None


def find_by_alert(entries: Iterable[Entry], alert: str, mode: Mode) -> int | None:
    """The number of the entry by which an alert held or stopped a version; None where it did not."""
    for entry in entries:
        event = entry.read(events.RestrictionEvent)
        if event is not None and (event.alert, event.mode) == (alert, mode):
            return entry.number
    return None


def restrict(
    session: LedgerSession,
    name: str,
    version: int,
    mode: Mode,
    reason: str,
    *,
    rule: str | None = None,
    alert: str | None = None,
    look: str | None = None,
) -> int:
    """Hold or stop a version; the number of the entry that says so.

    Nothing is recorded again for the same `alert`, or where a person repeats what is in force. Raises
    ReleaseRefused without the right to watch, ConfigurationError when there is no such version.
    """
    faults.ensure_reason(reason)
    session.demand(Right.WATCH, name, f"restrict the decisions of {name}")
    entries = session.entries(name)
    proposal = version_record.find_proposal(entries, version)
    if proposal is None:
        raise faults.NEVER_PROPOSED(version=f"{name} version {version}")
    if alert is not None and (number := find_by_alert(entries, alert, mode)) is not None:
        return number
    present = find(entries, version)
    for cause in present.causes if present and alert is None else ():
        if (cause.mode, cause.rule) == (mode, rule):
            return cause.entry
    about = {"rule": rule, "alert": alert, "look": look}
    body: dict[str, Any] = {"version": version, "content": proposal.content, "mode": mode, "reason": reason}
    body |= {key: value for key, value in about.items() if value is not None}
    return session.record(session.draft(EntryKind.RESTRICTION, name, **body))[0].number


def resume(session: LedgerSession, name: str, version: int, reason: str) -> Restriction:
    """End every restriction of the version that is in force now; what was in force.

    Raises ReleaseRefused without the right to promote, ConfigurationError when nothing restricts it,
    IntegrityError when the ledger does not verify.
    """
    faults.ensure_reason(reason)
    session.demand(Right.PROMOTE, name, f"let {name} decide again")
    session.ensure_sound()
    present = find(session.entries(name), version)
    if present is None:
        raise faults.NOT_RESTRICTED(name=name, version=version)
    body = {
        "version": version,
        "content": present.content,
        "restrictions": [cause.entry for cause in present.causes],
        "reason": reason,
    }
    session.record(session.draft(EntryKind.RESUMPTION, name, **body))
    return present
