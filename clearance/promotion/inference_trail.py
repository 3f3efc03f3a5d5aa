"""Effects on the log of decisions that need a right: reading one, erasing a subject, sealing, deleting.

The log itself records and answers. Who may do what, and what the ledger says about it, is decided here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clearance import inference_log, ledger
from clearance.inference_log import (
    InferenceLog,
    InferenceLogReport,
    Receipt,
    SpoolSettings,
    Stored,
    retention,
    seals,
    settings,
)
from clearance.inference_log.retention import Due
from clearance.inference_log.seals import LedgerAccess, SealedSegment
from clearance.ledger import times
from clearance.policy import authorised, policy_file
from clearance.policy.inference_log_terms import InferenceLogTerms, add_months
from clearance.promotion import faults
from clearance.promotion.incidents import Incident
from clearance.promotion.session import LedgerSession, ReadOnlySession
from clearance.trust.roles import Right

_EVER = dt.datetime.max.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class SubjectErasure:
    """What an erasure takes: how many records, the latest of them, and until when the policy keeps it.

    `kept_until` is None where the policy names no period. `receipt` is None before it has happened.
    """

    count: int
    latest: str
    kept_until: str | None
    receipt: Receipt | None = None


def terms(root: Path, name: str) -> InferenceLogTerms:
    """What the policy authorised for the model says about the log; the defaults where none is authorised."""
    authorisation = authorised.find(root, name)
    if authorisation is None:
        return InferenceLogTerms()
    return policy_file.load(root / authorisation.policy, recorded=True).inference_log


def spool(root: Path, terms_: InferenceLogTerms) -> SpoolSettings | None:
    """Where records wait while the log is away; None where the policy has such requests refused."""
    if terms_.on_failure == "refuse":
        return None
    return SpoolSettings(folder=settings.spool_path(root), limit=terms_.spool_megabytes << 20)


@contextmanager
def opened(root: Path) -> Iterator[InferenceLog]:
    """The project's log of decisions. Raises ConfigurationError when there is none."""
    address, key = settings.address(root), settings.key_path(root)
    with inference_log.open(address, key, create=False) as log:
        yield log


def ledger_access(session: LedgerSession) -> LedgerAccess:
    """The ledger in the hands of the session's person."""

    def record(event: ledger.Event) -> ledger.Entry:
        return session.record(session.draft(event.kind, None, **event.to_body()))[0]

    return LedgerAccess(
        entries=lambda kind: _entries(session, kind),
        record=record,
        lock=lambda name: ledger.lock(session.book, name),
    )


def _entries(reader: ReadOnlySession, kind: ledger.EntryKind) -> Iterable[ledger.Entry]:
    """The entries of one kind that count, in order."""
    void = reader.voids()
    stored = ledger.entries(reader.book, kind=kind, until=reader.history.last)
    return (entry for entry in stored if entry.number not in void)


def verify(reader: ReadOnlySession) -> InferenceLogReport:
    """Verify the project's log against its chain, what the ledger sealed, and its key file if that is here.

    Raises IntegrityError when the ledger does not verify, ConfigurationError when there is no log.
    """
    reader.ensure_sound()
    address, key = settings.address(reader.root), settings.key_path(reader.root)
    return inference_log.audit(address, key, lambda log: seals.read(lambda kind: _entries(reader, kind), log))


def show(session: LedgerSession, log: InferenceLog, name: str, id_: str, reason: str) -> Stored:
    """The record with this id; who read it, and why, is recorded. Raises ReleaseRefused without the right."""
    faults.ensure_reason(reason)
    session.demand(Right.READ, name, "read recorded decisions")
    return log.read(id_, reader=session.acting.person.identity, reason=reason)


def affected(
    session: LedgerSession, log: InferenceLog, name: str, incident: Incident, reason: str
) -> list[tuple[str, str]]:
    """The decisions that an incident affects: the id and the time of each, in order.

    Those of its version and content from its first moment until its last. Who looked for them, and why, is
    recorded. Raises ReleaseRefused without the right to read, IntegrityError when a record is not what was
    recorded.
    """
    faults.ensure_reason(reason)
    session.demand(Right.READ, name, "read recorded decisions")
    wanted = (name, incident.version, incident.content)
    taken = log.decisions_taken(
        start=incident.decisions_from,
        end=_EVER if incident.decisions_until is None else incident.decisions_until,
        reader=session.acting.person.identity,
        reason=f"incident {incident.number}: {reason}",
    )
    return [
        (decision.id, decision.at)
        for decision in taken
        if (decision.model.name, decision.model.version, decision.model.digest) == wanted
    ]


def seal(session: LedgerSession, log: InferenceLog, name: str, *, everything: bool) -> list[SealedSegment]:
    """Seal what is due by the policy, or everything, into the ledger.

    Raises ReleaseRefused without the right, IntegrityError when a record is not what was recorded.
    """
    session.demand(Right.PROMOTE, name, "seal the log of decisions")
    size = terms(session.root, name).seal
    before = _EVER if everything else session.now() - dt.timedelta(hours=size.hours)
    return list(log.seal(ledger_access(session), size=size.records, before=before))


def due(reader: ReadOnlySession, log: InferenceLog, name: str) -> Due | None:
    """What `delete_expired` would delete now. Raises ConfigurationError when the policy names no period."""
    known = seals.read(lambda kind: _entries(reader, kind), log.id)
    return retention.due(known, terms(reader.root, name).retention, reader.now())


def delete_expired(session: LedgerSession, log: InferenceLog, name: str, reason: str) -> Due | None:
    """Delete what is past every period of the policy; None when nothing is.

    Raises ReleaseRefused without the right, ConfigurationError when the clock is behind or no period is
    named.
    """
    faults.ensure_reason(reason)
    session.demand(Right.ERASE, name, "delete recorded decisions")
    session.ensure_sound()
    periods = terms(session.root, name).retention
    return log.delete_expired(ledger_access(session), periods=periods, now=session.now(), reason=reason)


def erasable(root: Path, log: InferenceLog, name: str, subject: str) -> SubjectErasure:
    """What erasing the subject would take. Raises DataError when the log has nothing about them."""
    about = log.count_subject(subject)
    months = [period.months for period in terms(root, name).retention]
    ends = add_months(times.parse(about.latest), max(months)) if months else None
    kept = None if ends is None else times.stamp(ends)
    return SubjectErasure(count=about.count, latest=about.latest, kept_until=kept)


def erase(session: LedgerSession, log: InferenceLog, name: str, subject: str, reason: str) -> SubjectErasure:
    """Destroy the subject's key. Raises ReleaseRefused without the right."""
    faults.ensure_reason(reason)
    session.demand(Right.ERASE, name, "erase what the log of decisions keeps")
    before = erasable(session.root, log, name, subject)
    receipt = log.erase_subject(subject, actor=session.acting.person.identity, reason=reason)
    return SubjectErasure(
        count=before.count, latest=before.latest, kept_until=before.kept_until, receipt=receipt
    )
