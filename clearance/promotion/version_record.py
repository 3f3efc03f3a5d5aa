"""One version as the ledger tells it, folded once from its entries: what was proposed, compared and decided.

Nothing is fetched or judged here. Versions are numbered as candidates are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clearance import ledger
from clearance.errors import IntegrityError
from clearance.ledger import Entry, events
from clearance.promotion import faults
from clearance.promotion.validity import OBJECTIONS
from clearance.trust import approval_state, dsse, recorded_decisions
from clearance.trust.decisions import ApprovalSubject
from clearance.trust.evidence_bundle import Bundle
from clearance.trust.roles import Right, Roles

COMPARISON = "urn:clearance:comparison:v1"
"""The predicate type of a signed comparison with the champion."""

LEGACY_COMPARISON = "evidence/comparison.json"
"""Where versions of before kept their comparison: under one name, so the next one replaced it."""


def comparison_file(digest: str) -> str:
    """Where the run of a version keeps the comparison with this digest."""
    return f"evidence/comparison-{digest[:24]}.json"


OVERRIDE, DEMO = "clearance.override", "clearance.demo"
"""The registry's tags for what must be said wherever a version is named."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A version as it was proposed: the digest of its evidence, and who proposed it with which key when.

    `pushed`: everything it was made of was at the DVC remote, and each object was read back.
    """

    version: int
    content: str
    proposers: tuple[tuple[str, dt.datetime], ...]
    fingerprint: str
    pushed: bool

    @property
    def keyids(self) -> frozenset[str]:
        """The keys of the proposers."""
        return frozenset(keyid for keyid, _ in self.proposers)


@dataclass(frozen=True, kw_only=True)
class VersionRecord:
    """All that the ledger holds about one version of a model, up to entry `until`.

    `entries` are all of the model. `champion` is who is champion then; `reference` is the champion that
    decisions on the version are about: the present one, or of the champion itself the one that it followed.
    `comparison` is the newest signed comparison; None without one. `champions` are all versions
    that have been champion, in order. `open_intents` are changes that were started and never ended; `changes`
    are the promotions, rollbacks and retirements of the version. `unreadable` are objections that were erased
    against the rules since it was proposed: whether they are about it, nobody can tell.
    """

    model: str
    version: int
    entries: tuple[Entry, ...]
    proposal: Proposal | None
    decisions: tuple[recorded_decisions.DecisionRecord, ...]
    comparison: events.ComparisonEvent | None
    champion: ledger.Tenure | None
    reference: ledger.Tenure | None
    champions: tuple[int, ...]
    open_intents: tuple[Entry, ...]
    changes: tuple[Entry, ...]
    unreadable: tuple[Entry, ...] = ()

    @property
    def until(self) -> int:
        """The number of the model's newest entry in the record; 0 without any."""
        return self.entries[-1].number if self.entries else 0

    @property
    def current_comparison(self) -> events.ComparisonEvent | None:
        """The comparison, where it is one with the reference; else None."""
        content = self.reference.content if self.reference else None
        return self.comparison if self.comparison and self.comparison.champion == content else None

    def extended(self, newer: Iterable[Entry], roles: Roles) -> VersionRecord:
        """The record with the model's newer entries; the same one when there are none."""
        added = [entry for entry in newer if entry.number > self.until]
        return fold([*self.entries, *added], self.model, self.version, roles) if added else self

    def before(self, number: int, roles: Roles) -> VersionRecord:
        """The record as it was before entry `number`."""
        earlier = [entry for entry in self.entries if entry.number < number]
        return fold(earlier, self.model, self.version, roles)


def fold(entries: Iterable[Entry], model: str, version: int, roles: Roles) -> VersionRecord:
    """The record of one version from the entries of its model, in order.

    Raises IntegrityError when two proposals of the version differ in content.
    """
    listed = tuple(entries)
    tenures = ledger.tenures(listed, model)
    about = [entry for entry in listed if (event := entry.event) and event.about == version]
    champion = _present(tenures)
    first = next((entry.number for entry in about if entry.kind == events.EntryKind.PROPOSAL), None)
    reference = champion
    if champion is not None and champion.version == version:
        reference = followed(listed, model, version)
    return VersionRecord(
        model=model,
        version=version,
        entries=listed,
        proposal=find_proposal(about, version),
        decisions=tuple(
            recorded_decisions.open_record(entry.number, entry.at, decision.envelope or {}, roles)
            for entry in about
            if (decision := entry.read(events.DecisionEvent))
        ),
        comparison=newest_comparison(about, version, roles),
        champion=champion,
        reference=reference,
        champions=tuple(dict.fromkeys(tenure.version for tenure in tenures)),
        open_intents=ledger.open_intents(listed, model),
        changes=tuple(entry for entry in about if entry.kind in events.CHANGES),
        unreadable=tuple(
            entry
            for entry in listed
            if entry.redacted and entry.kind in OBJECTIONS and first is not None and entry.number > first
        ),
    )


def champion(entries: Sequence[Entry], model: str) -> ledger.Tenure | None:
    """The tenure of the model's present champion by the ledger; None when it has none."""
    return _present(ledger.tenures(entries, model))


def _present(tenures: Sequence[ledger.Tenure]) -> ledger.Tenure | None:
    return tenures[-1] if tenures and tenures[-1].until is None else None


def followed(entries: Sequence[Entry], model: str, version: int) -> ledger.Tenure | None:
    """The champion when the version was first promoted; None when there was none."""
    first = next(
        (
            index
            for index, entry in enumerate(entries)
            if (event := entry.read(events.PromotionEvent)) and event.version == version
        ),
        0,
    )
    return champion(entries[:first], model)


def find_proposal(entries: Iterable[Entry], version: int) -> Proposal | None:
    """What was proposed as `version`; None when nothing was. A second proposal only adds a proposer.

    Raises IntegrityError when two proposals of the version differ in content.
    """
    proposals = [
        (entry, event)
        for entry in entries
        if (event := entry.read(events.ProposalEvent)) and event.version == version
    ]
    if not proposals:
        return None
    content = proposals[0][1].content
    for entry, event in proposals:
        if event.content != content:
            raise faults.PROPOSALS_DIFFER(entry=entry.number, version=version)
    return Proposal(
        version=version,
        content=content,
        proposers=tuple((entry.keyid or "", entry.at) for entry, _ in proposals),
        fingerprint=proposals[-1][1].fingerprint or "",
        pushed=any(event.pushed for _, event in proposals),
    )


def newest_comparison(entries: Iterable[Entry], version: int, roles: Roles) -> events.ComparisonEvent | None:
    """The version's newest comparison with the champion of its day; None without one.

    Counts only where its envelope, signed by a person who might propose then, says the same word for word.
    """
    comparisons = [
        event
        for entry in entries
        if (event := entry.read(events.ComparisonEvent))
        and event.version == version
        and _is_signed(entry, event, roles)
    ]
    return comparisons[-1] if comparisons else None


def _is_signed(entry: Entry, event: events.ComparisonEvent, roles: Roles) -> bool:
    predicate = {name: value for name, value in event.to_body().items() if name != "envelope"}
    try:
        signed = dsse.verify(event.envelope or {}, roles.keys)
    except IntegrityError:
        return False
    same = signed.statement["predicateType"] == COMPARISON and signed.statement["predicate"] == predicate
    return same and any(roles.may(keyid, Right.PROPOSE, entry.at) for keyid in signed.keyids)


def approval_subject(record: VersionRecord, bundle: Bundle) -> ApprovalSubject:
    """What a decision on the version is about now: its evidence, beside the reference champion's."""
    return ApprovalSubject(
        model=record.model,
        version=record.version,
        content=bundle.digest,
        policy=bundle.evidence.judged.id,
        comparison=comparison.comparison if (comparison := record.current_comparison) else None,
        champion=record.reference.content if record.reference else None,
    )


def notes(entries: Iterable[Entry], version: int, *, demo: bool) -> dict[str, str]:
    """What must be said wherever the version is named, by its tag in the registry; empty for most versions.

    That demo keys signed its evidence, and that it became champion by an override.
    """
    by_tag = {DEMO: "signed with demo keys, which do not prove who signed"} if demo else {}
    for entry in entries:
        promotion = entry.read(events.PromotionEvent)
        if promotion and promotion.version == version and promotion.override is not None:
            by_tag[OVERRIDE] = promotion.override
    return by_tag


def describe_tenure(entries: Iterable[Entry], tenure: ledger.Tenure, *, demo: bool) -> str:
    """The tenure in sentences, with what must be said wherever its version is named."""
    by_tag = notes(entries, tenure.version, demo=demo)
    return "".join([str(tenure), *(f" {note}." for note in by_tag.values())])


def describe_override(approvals: approval_state.ApprovalState) -> str | None:
    """Who lets the version be promoted without a pass, until when and why; None without an override."""
    if approvals.until is None:
        return None
    people = " and ".join(sorted(decision.person.identity for decision in approvals.counted))
    reasons = "; ".join(dict.fromkeys(decision.decision.reason.strip() for decision in approvals.counted))
    return f"BY OVERRIDE of {people} until {approvals.until.date()}: {reasons}"
