"""Which entries of the ledger count, and why each of the others is void: decided here, for every reader.

A void entry stays recorded, is named by `clearance ledger verify`, and is ignored: it stops nobody. An entry
is void when its body does not fit its kind, its checkpoint was signed by somebody else, its author was not
listed or lacked the right when it was recorded, its time cannot be true, or it contradicts what was recorded
before. Nothing here reads a clock or a file.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clearance.errors import ClearanceError, IntegrityError
from clearance.ledger import Entry, EntryKind, checkpoint, entry, events, retention, times
from clearance.ledger.checkpoint import Checkpoint
from clearance.trust import decisions, dsse
from clearance.trust.roles import Person, Right, Roles, format_time
from clearance.trust.signed_roles import TrustedVersion

if TYPE_CHECKING:
    from securesystemslib.signer import Key

_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)

OPEN_LIMIT = 16 * 1024
"""Most characters of a body that needs no right: whoever is listed may record it, and fill no memory."""

OBJECTIONS = frozenset({EntryKind.REJECTION, EntryKind.REVOCATION})
"""Decisions that only restrict: neither a wrong clock nor an erasure that does not count ends them."""

_RESTRICTED = {kind for kind, event in events.EVENTS.items() if event.right} | {
    EntryKind.ROLES,
    EntryKind.INTENT,
    EntryKind.REPAIR,
}

ReadRoles = Callable[[events.RolesUpdate], Roles]
"""The roles file in an entry. Raises ClearanceError unless the pinned root signed it."""


@dataclass(frozen=True, kw_only=True)
class Void:
    """An entry that does not count, and why."""

    number: int
    kind: str
    actor: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """The finding as a JSON value."""
        return {"number": self.number, "kind": self.kind, "actor": self.actor, "why": self.why}

    def __str__(self) -> str:
        return f"void: entry {self.number} ({self.kind} by {self.actor}): {self.why}"


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Who signed the checkpoint of an entry: the valid keys, and the time that it states."""

    keyids: frozenset[str]
    time: str


@dataclass(frozen=True, slots=True)
class _Erasable:
    """What must be known of an erasable entry after its body is gone; `version` is None once it is."""

    model: str | None
    kind: EntryKind
    version: int | None
    at: dt.datetime


@dataclass
class History:
    """The entries so far, folded in order. `voids` are those that do not count, by number.

    `ledger` is the id of the ledger. `first` are the roles that judge entries before the first recorded roles
    file. `explained` are the entries whose erasure counts. `versions` are the roles files that came into
    force, each with its time.
    """

    ledger: str
    first: Roles
    read_roles: ReadRoles
    now: dt.datetime
    last: int = 0
    voids: dict[int, Void] = field(default_factory=dict)
    explained: set[int] = field(default_factory=set)
    versions: list[tuple[dt.datetime, Roles]] = field(default_factory=list)
    trusted: TrustedVersion = field(default_factory=TrustedVersion)
    _embedded: bool = False
    _stated: dict[str, dt.datetime] = field(default_factory=dict)
    _newest: dict[str, dt.datetime] = field(default_factory=dict)
    _proposals: dict[tuple[str | None, int], events.ProposalEvent] = field(default_factory=dict)
    _intents: dict[int, tuple[str | None, events.IntentEvent]] = field(default_factory=dict)
    _champions: dict[str | None, int] = field(default_factory=dict)
    _incidents: dict[int, tuple[str | None, int]] = field(default_factory=dict)
    _restrictions: dict[int, tuple[str | None, int, str]] = field(default_factory=dict)
    _alerts: set[tuple[str, str | None, str]] = field(default_factory=set)
    _erasable: dict[int, _Erasable] = field(default_factory=dict)
    _erased: set[tuple[str | None, int]] = field(default_factory=set)

    @property
    def roles(self) -> Roles:
        """The newest recorded roles file; `first` before any was recorded."""
        return self.versions[-1][1] if self.versions else self.first

    @property
    def agreed(self) -> dt.datetime:
        """The latest time that entries of two different people have reached: one clock alone moves nobody."""
        return _second(self._newest)

    @property
    def floor(self) -> dt.datetime:
        """The time that has surely been reached: nothing later is judged as of a time before."""
        return max(self.agreed, self.versions[-1][0] if self.versions else _NEVER)

    def records(self, roles: Roles) -> bool:
        """Whether this roles file, with its text, is the newest one recorded."""
        trusted = self.trusted
        same = (roles.version, roles.sha256, roles.root) == (trusted.version, trusted.sha256, trusted.root)
        return self._embedded and same

    def earlier_than(self, roles: Roles, now: dt.datetime) -> tuple[tuple[dt.datetime, Roles], ...]:
        """The recorded files before `roles`, each with the time until which it was in force."""
        starts = [start for start, _ in self.versions[1:]]
        ended = zip(starts, (file for _, file in self.versions), strict=False)
        if not self.versions or self.records(roles):
            return tuple(ended)
        return (*ended, (max(now, self.floor), self.versions[-1][1]))

    def clock_fault(self, clock: dt.datetime) -> str | None:
        """That a clock is behind what two people have recorded; None when it is not."""
        stated = _second(self._stated)
        if stated <= clock + times.SKEW:
            return None
        return (
            f"this machine's clock says {format_time(clock)}, and two people have recorded entries at "
            f"{format_time(stated)}"
        )

    def counts(self, item: Entry) -> bool:
        """Whether readers see the entry: it is not void, and no objection whose erasure counts.

        An objection that they see without its body was erased against the rules.
        """
        erased = item.number in self.explained and item.kind in OBJECTIONS
        return item.number not in self.voids and not erased

    def add(self, item: Entry, signature: Signature | None) -> None:
        """Add the next entry. `signature` is None where its checkpoint is not at hand."""
        event, why = self._read(item)
        why = why or self._origin_fault(item, event, signature)
        if why is None:
            self._note_time(item)
            why = self._time_fault(item) or self._order_fault(item, event)
        self.last = max(self.last, item.number) if type(item.number) is int else self.last
        if why is None:
            self._take(item, event)
        else:
            self.voids[item.number] = Void(
                number=item.number, kind=str(item.kind), actor=str(item.actor), why=why
            )

    def draft_fault(self, item: Entry) -> str | None:
        """Why the entry would be void as the next one; None when it would count."""
        event, why = self._read(item)
        why = why or self._origin_fault(item, event, None) or self._time_fault(item)
        return why or self._order_fault(item, event)

    def _origin_fault(
        self, item: Entry, event: events.Event | None, signature: Signature | None
    ) -> str | None:
        """Why it does not come from somebody who may record it; a roles file counts from its own entry on."""
        roles = self.roles
        if isinstance(event, events.RolesUpdate):
            try:
                roles = self._roles_after(event)
            except ClearanceError as error:
                return error.fault
        at = max(item.at, self.floor)
        return _author_fault(item, event, roles, at) or _signature_fault(item, roles, signature)

    def _note_time(self, item: Entry) -> None:
        """Note the time that somebody's own entry states, and the one that it proves."""
        self._stated[item.actor] = max(self._stated.get(item.actor, item.at), item.at)
        if item.at <= self.now + times.SKEW:
            self._newest[item.actor] = max(self._newest.get(item.actor, item.at), item.at)

    def _read(self, item: Entry) -> tuple[events.Event | None, str | None]:
        """What the entry says, or why it cannot be read."""
        if why := entry.fault_in(item):
            return None, why
        limit = entry.LONGEST if item.kind in _RESTRICTED else OPEN_LIMIT
        if item.text is not None and len(item.text) > limit:
            return None, f"its body is longer than {limit} characters"
        try:
            return item.event, None
        except IntegrityError as error:
            return None, error.values.get("why") or error.fault

    def _time_fault(self, item: Entry) -> str | None:
        if item.kind in OBJECTIONS:
            return None
        if item.at > self.now + times.SKEW:
            return f"it is dated {format_time(item.at)}, which has not come yet"
        if item.at < self.agreed:
            return f"it is dated {format_time(item.at)}; two people had recorded later entries before"
        return None

    def _roles_after(self, update: events.RolesUpdate) -> Roles:
        """The roles in force after the update. Raises ClearanceError when it does not count."""
        stated = (update.roles_version, update.sha256, update.root_version)
        trusted = self.trusted
        if update.file is None:
            if self._embedded:
                raise _uncounted("it does not hold the roles file that the root signed")
            if update.roles_version < trusted.version:
                order = f"version {update.roles_version} of the roles file came after {trusted.version}"
                raise _uncounted(order)
            return self.first
        if self._embedded and stated == (trusted.version, trusted.sha256, trusted.root):
            return self.roles
        roles = self.read_roles(update)
        if (roles.version, roles.sha256, roles.root) != stated:
            raise _uncounted("it states another roles file than it holds")
        if (roles.root, roles.version) < (trusted.root, trusted.version):
            raise _uncounted(f"version {roles.version} of the roles file came after {trusted.version}")
        return roles

    def _order_fault(self, item: Entry, event: events.Event | None) -> str | None:
        """Why the event contradicts what was recorded before; None when it does not."""
        at, why = max(item.at, self.floor), None
        match event:
            case events.ProposalEvent():
                why = self._proposal_fault(item, event)
            case events.ChampionChange():
                why = _change_fault(item, event, self._intents.get(event.intent or 0))
            case events.AbandonmentEvent():
                why = self._abandonment_fault(item, event, at)
            case events.RedactionEvent():
                why = self._redaction_fault(item, event, at)
            case events.DecisionEvent():
                why = self._decision_fault(event)
            case events.LiveEvent():
                why = self._live_fault(item, event)
        return why

    def _live_fault(self, item: Entry, event: events.LiveEvent) -> str | None:
        """Why an entry about live decisions says twice what was said, or is about what is not there."""
        about = (item.model, event.version)
        proposal = self._proposals.get(about)
        if proposal is None or proposal.content != event.content:
            return f"version {event.version} was not proposed with this content"
        match event:
            case events.IncidentEvent(alert=str(alert)) | events.RestrictionEvent(alert=str(alert)):
                if (_deed(event), item.model, alert) in self._alerts:
                    return f"the alert {alert} has led to this {event.kind} before"
            case events.IncidentReportEvent() | events.IncidentClosureEvent():
                if self._incidents.get(event.incident) != about:
                    return f"entry {event.incident} is not an open incident of the version"
            case events.ResumptionEvent():
                expected = (*about, event.content)
                for number in event.restrictions:
                    if self._restrictions.get(number) != expected:
                        return f"entry {number} is not a restriction of the version that is in force"
        return None

    def _proposal_fault(self, item: Entry, event: events.ProposalEvent) -> str | None:
        if (item.model, event.version) in self._erased:
            return f"what was recorded about version {event.version} was erased"
        first = self._proposals.get((item.model, event.version))
        if first is None:
            return None if event.fingerprint else "it names no fingerprint"
        if (first.content, first.fingerprint) != (event.content, event.fingerprint):
            return f"version {event.version} was proposed before with other content"
        return None

    def _abandonment_fault(self, item: Entry, event: events.AbandonmentEvent, at: dt.datetime) -> str | None:
        model, begun = self._intents.get(event.intent, (None, None))
        if begun is None or model != item.model:
            return f"entry {event.intent} is not an unfinished change of the model"
        right = Right(begun.change.right or Right.PROMOTE)
        return None if self.roles.may(item.keyid or "", right, at) else _lacks(item.actor, right)

    def _decision_fault(self, event: events.DecisionEvent) -> str | None:
        """Why what was signed was meant for another ledger. Its signature is judged with the decision."""
        if not self._embedded or event.envelope is None:
            return None
        try:
            decision, _ = decisions.read(dsse.verify(event.envelope, self.roles.keys).statement)
        except IntegrityError:
            return None
        if (decision.ledger, decision.root) != (self.ledger, self.roles.root_digest):
            return "it was signed for another ledger, or under another root"
        return None

    def _redaction_fault(self, item: Entry, event: events.RedactionEvent, at: dt.datetime) -> str | None:
        """Why the erasure does not count: too early, incomplete, or of what must stay."""
        if event.years is None and self._embedded:
            return "it does not state the retention periods"
        faults = (self._erased_entry_fault(item, event, number, at) for number in event.entries)
        return next((why for why in faults if why), None) or self._incomplete(item, event)

    def _erased_entry_fault(
        self, item: Entry, event: events.RedactionEvent, number: int, at: dt.datetime
    ) -> str | None:
        """Why one entry may not be erased."""
        erased = self._erasable.get(number)
        if erased is None:
            return f"entry {number} is not one that may be erased"
        if event.years is not None and erased.model != item.model:
            return f"entry {number} is about another model"
        years = {retention.OTHERS: 1} if event.years is None else event.years
        period = years.get(erased.kind) or years.get(retention.OTHERS)
        if period is None or retention.ends(erased.at.date(), period) >= at.date():
            return f"the retention period of entry {number} had not ended"
        return None

    def _incomplete(self, item: Entry, event: events.RedactionEvent) -> str | None:
        """What must stay, or would be left of a version that is erased."""
        about = {self._erasable[number] for number in event.entries}
        versions = {(erased.model, erased.version) for erased in about if erased.version}
        unnamed = sum(erased.kind is EntryKind.PROPOSAL and erased.version is None for erased in about)
        if len({(item.model, version) for version in event.versions} - versions) > unnamed:
            return "it names a version that no entry which it erases is about"
        versions |= {(item.model, version) for version in event.versions}
        for model, version in versions:
            if version is not None and self._champions.get(model) == version:
                return f"version {version} is champion, and its entries allow it to serve"
        for number, other in self._erasable.items():
            if number not in event.entries and other.version and (other.model, other.version) in versions:
                return f"it leaves entry {number}, which is about the same version"
        return None

    def _take(self, item: Entry, event: events.Event | None) -> None:
        """Note what a valid entry means for those after it."""
        if item.kind in events.ERASABLE and item.number not in self._erasable:
            version = events.evidence_version(event)
            self._erasable[item.number] = _Erasable(item.model, EntryKind(item.kind), version, item.at)
        match event:
            case events.RolesUpdate():
                self._take_roles(event, max(item.at, self.floor))
            case events.ProposalEvent():
                self._proposals.setdefault((item.model, event.version), event)
            case events.IntentEvent():
                self._intents[item.number] = (item.model, event)
            case events.AbandonmentEvent():
                self._intents.pop(event.intent)
            case events.ChampionChange():
                self._intents.pop(event.intent or 0, None)
                if isinstance(event, events.RetirementEvent):
                    self._champions.pop(item.model, None)
                else:
                    self._champions[item.model] = event.version
            case events.LiveEvent():
                self._take_live(item, event)
            case events.RedactionEvent():
                self.explained |= set(event.entries)
                for number in event.entries:
                    self._erasable.pop(number, None)
                self._erased |= {(item.model, version) for version in event.versions}

    def _take_live(self, item: Entry, event: events.LiveEvent) -> None:
        match event:
            case events.IncidentEvent():
                self._incidents[item.number] = (item.model, event.version)
            case events.IncidentClosureEvent():
                self._incidents.pop(event.incident)
            case events.RestrictionEvent():
                self._restrictions[item.number] = (item.model, event.version, event.content)
            case events.ResumptionEvent():
                for number in set(event.restrictions):
                    self._restrictions.pop(number)
        if isinstance(event, events.IncidentEvent | events.RestrictionEvent) and event.alert is not None:
            self._alerts.add((_deed(event), item.model, event.alert))

    def _take_roles(self, event: events.RolesUpdate, at: dt.datetime) -> None:
        roles = self._roles_after(event)
        if event.file is not None and roles is not self.roles:
            self.versions.append((at, roles))
        self._embedded = self._embedded or event.file is not None
        self.trusted = TrustedVersion(
            version=event.roles_version, sha256=event.sha256, root=event.root_version
        )


def first_roles(entries: Iterable[Entry], read_roles: ReadRoles) -> Roles | None:
    """The first roles file that the entries hold, and that is not older than one before it; else None."""
    newest = (0, 0)
    for item in entries:
        with suppress(ClearanceError):
            update = item.read(events.RolesUpdate)
            if update is not None and update.file is None:
                newest = max(newest, (update.root_version, update.roles_version))
            elif update is not None:
                roles = read_roles(update)
                if (roles.root, roles.version) >= newest:
                    return roles
    return None


def trusted_version(entries: Iterable[Entry], read_roles: ReadRoles) -> TrustedVersion:
    """The newest roles file that the entries record, whoever recorded it: only the root's signature counts.

    Of files without their text, those before the first one with it.
    """
    newest, embedded = TrustedVersion(), False
    for item in entries:
        with suppress(ClearanceError):
            update = item.read(events.RolesUpdate)
            if update is None or (embedded and update.file is None):
                continue
            stated = TrustedVersion(
                version=update.roles_version, sha256=update.sha256, root=update.root_version
            )
            if update.file is not None:
                roles = read_roles(update)
                if (roles.version, roles.sha256, roles.root) != (stated.version, stated.sha256, stated.root):
                    continue
                embedded = True
            if (stated.root, stated.version) >= (newest.root, newest.version):
                newest = stated
    return newest


def _second(latest: Mapping[str, dt.datetime]) -> dt.datetime:
    """The latest time that two people have reached."""
    ordered = sorted(latest.values(), reverse=True)
    return ordered[1] if len(ordered) > 1 else _NEVER


def _uncounted(why: str) -> IntegrityError:
    return IntegrityError(why, "")


def _deed(event: events.IncidentEvent | events.RestrictionEvent) -> str:
    """What an alert leads to once: an incident, a hold, a stop."""
    return event.mode if isinstance(event, events.RestrictionEvent) else event.kind


def _author_fault(item: Entry, event: events.Event | None, roles: Roles, at: dt.datetime) -> str | None:
    """Why the author could not record it: not listed, a key that was not valid, another's name, no right."""
    keyid = item.keyid or ""
    signer = roles.person(keyid, at)
    if signer is None:
        return f"the key {keyid[:12]}… {roles.key_fault(keyid, at)}" if keyid else "it names no key"
    author = signer
    if item.actor != signer.identity:
        attested = _attested_author(item, event, roles, at)
        if attested is None:
            return f"it names {item.actor}, and {signer.identity} recorded it"
        if not roles.may(keyid, Right.ATTEST_IDENTITY, at):
            return _lacks(signer.identity, Right.ATTEST_IDENTITY)
        author = attested
    right = event.required_right if event else events.EVENTS[EntryKind(item.kind)].right
    if right is None or roles.roles_giving(author, Right(right), at):
        return None
    return _lacks(author.identity, Right(right))


def _attested_author(item: Entry, event: events.Event | None, roles: Roles, at: dt.datetime) -> Person | None:
    """Whom the entry names, where they hold the account that it cites; None where it cites no such account.

    Of an erased entry the account is gone, and the name is all there is.
    """
    if event is None:
        return roles.people.get(item.actor)
    if not isinstance(event, events.DecisionEvent | events.RefusalEvent) or event.account is None:
        return None
    holder = roles.holder(event.account.issuer, event.account.subject, at)
    return holder if holder and holder.identity == item.actor else None


def _lacks(identity: str, right: Right) -> str:
    return f"{identity} did not have the right {right}"


def _signature_fault(item: Entry, roles: Roles, signature: Signature | None) -> str | None:
    """Why the checkpoint of the entry does not prove who recorded it; None when it does."""
    if signature is None:
        return None
    if item.keyid not in signature.keyids:
        owners = sorted(
            owner.identity if (owner := roles.owner(keyid)) else "an unknown person"
            for keyid in signature.keyids
        )
        return f"it names a key of {item.actor}, and {' and '.join(owners) or 'nobody listed'} signed it"
    if signature.time != item.time:
        return f"it is dated {item.time}, and its checkpoint {signature.time}"
    return None


def _change_fault(
    item: Entry, event: events.ChampionChange, begun: tuple[str | None, events.IntentEvent] | None
) -> str | None:
    """Why a change of the champion does not complete the intent that it names; None when it does."""
    if begun is None or begun[0] != item.model or begun[1].step != event.kind:
        return "it completes no change that was started"
    if begun[1].terms() != event.terms() or begun[1].version != event.version:
        return f"it does not say what entry {event.intent} said"
    return None


class SignatureReader:
    """Who signed the checkpoint of each entry, asked in order. The lines are read once, and as far as needed.

    `keys` are all keys ever listed: whether one was valid is judged with the entry.
    """

    def __init__(self, lines: Iterable[str], keys: Mapping[str, Key]) -> None:
        self._checkpoints = (read for read in map(checkpoint.read, lines) if isinstance(read, Checkpoint))
        self._keys = keys
        self._following = next(self._checkpoints, None)
        self._current: Checkpoint | None = None
        self._signature: Signature | None = None

    def signature(self, item: Entry) -> Signature | None:
        """Who signed the checkpoint of the entry; None where none covers it."""
        while self._current is None or not _covers(self._current, item):
            following = self._following
            if following is None or following.after >= item.number:
                return None
            self._current, self._signature = following, None
            self._following = next(self._checkpoints, None)
        if self._signature is None:
            self._signature = Signature(keyids=_signers(self._current, self._keys), time=self._current.at)
        return self._signature


def _covers(batch: Checkpoint, item: Entry) -> bool:
    return (
        batch.after < item.number <= batch.last
        and batch.digests[item.number - batch.after - 1] == item.digest
    )


def _signers(signed: Checkpoint, keys: Mapping[str, Key]) -> frozenset[str]:
    try:
        return dsse.verify(json.loads(signed.line), keys).keyids
    except IntegrityError:
        return frozenset()
