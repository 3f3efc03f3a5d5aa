"""Which candidate scores the traffic in shadow: set by those who may promote, recorded, and read back.

The ledger says which one it is; the alias `challenger` of the candidates is its copy in the registry, and
counts only where both agree. A challenger decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clearance import registry
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.training_document import TrainingDocument
from clearance.ledger import Entry, EntryKind, events
from clearance.promotion import candidate, faults, version_record
from clearance.promotion.session import LedgerSession, ReadOnlySession
from clearance.trust.roles import Right


@dataclass(frozen=True, kw_only=True)
class Challenger:
    """The candidate that scores in shadow: its number, and the digest of its evidence."""

    version: int
    content: str


def find(entries: Iterable[Entry]) -> Challenger | None:
    """The challenger by the ledger entries of a model; None when it has none."""
    last: events.ChallengerEvent | None = None
    for entry in entries:
        last = entry.read(events.ChallengerEvent) or last
    if last is None or last.version is None or last.content is None:
        return None
    return Challenger(version=last.version, content=last.content)


def present(session: ReadOnlySession, server: registry.MlflowServer, name: str) -> Challenger | None:
    """The challenger of the model; None when it has none.

    Raises IntegrityError when the alias in the registry is not what the ledger says.
    """
    recorded, alias = find(session.entries(name)), registry.challenger(server, name)
    if alias != (recorded and recorded.version):
        told = f"version {recorded.version}" if recorded else "none"
        points_at = "no version" if alias is None else f"version {alias}"
        raise faults.CHALLENGER_PLANTED(name=registry.candidate_name(name), alias=points_at, told=told)
    return recorded


def set_challenger(
    session: LedgerSession, server: registry.MlflowServer, name: str, version: int, reason: str
) -> Challenger:
    """Make candidate `version` the challenger; nothing is recorded when it is already.

    Raises ReleaseRefused without the right to promote, ConfigurationError when there is no such candidate or
    it is the champion, IntegrityError when it does not verify.
    """
    faults.ensure_reason(reason)
    session.demand(Right.PROMOTE, name, f"have a version of {name} score in shadow")
    session.ensure_sound()
    with session.recording_refusal("make it the challenger", name, version=version):
        entries = session.entries(name)
        tenure = version_record.champion(entries, name)
        if tenure is not None and tenure.version == version:
            raise faults.CHALLENGES_ITSELF(version=version)
        record = version_record.fold(entries, name, version, session.roles)
        with candidate.open_verified(session, server, record) as verified:
            training = TrainingDocument.read(verified.folder)
            external = None if isinstance(training, BlockedDocument) else training.external
            if external is not None and external.origin != "computed":
                raise faults.CHALLENGER_NOT_SCORED_HERE(version=version)
            challenger = Challenger(version=version, content=verified.bundle.digest)
            registered = verified.version
    if find(entries) != challenger:
        body = {"version": version, "content": challenger.content, "reason": reason}
        session.record(session.draft(EntryKind.CHALLENGER, name, **body))
    registry.set_challenger(server, registered)
    return challenger


def clear_challenger(session: LedgerSession, server: registry.MlflowServer, name: str, reason: str) -> None:
    """Leave the model without a challenger; nothing is recorded when it has none.

    Raises ReleaseRefused without the right to promote.
    """
    faults.ensure_reason(reason)
    session.demand(Right.PROMOTE, name, f"end the shadow scores of {name}")
    session.ensure_sound()
    if find(session.entries(name)) is not None:
        session.record(session.draft(EntryKind.CHALLENGER, name, reason=reason))
    if registry.challenger(server, name) is not None:
        registry.clear_challenger(server, name)
