"""Effect: entries kept for as long as the policy says are erased; their digests and the chain stay.

The present champion's entries stay whatever their age: they are what allows it to serve. Who erased what,
when and why is an entry itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

from clearance import ledger
from clearance.ledger import events, retention
from clearance.policy import authorised, policy_file
from clearance.promotion import faults, version_record
from clearance.promotion.session import LedgerSession
from clearance.trust.roles import Right


def due_entries(
    entries: Sequence[ledger.Entry], name: str, years: Mapping[str, int], today: dt.date
) -> list[ledger.Entry]:
    """The entries about the model that are past their period, in order, without those of its champion.

    All about one version go at once, when the last of them may: an approval must not outlive the rejection.
    """
    champion = version_record.champion(entries, name)
    erasable = [entry for entry in entries if entry.kind in ledger.ERASABLE and not entry.redacted]
    expired = {entry.number for entry in retention.expired(erasable, years, today)}
    versions = {entry.number: events.evidence_version(entry.event) for entry in erasable}
    retained = {versions[entry.number] for entry in erasable if entry.number not in expired} - {None}
    if champion:
        retained.add(champion.version)
    return [entry for entry in erasable if entry.number in expired and versions[entry.number] not in retained]


def retention_years(root: Path, name: str) -> dict[str, int]:
    """For how many years the policy authorised for the model keeps each kind of entry.

    Raises ConfigurationError when no policy is authorised, or it names no period: everything is kept then.
    """
    authorisation = authorised.find(root, name)
    years = policy_file.load(root / authorisation.policy, recorded=True).retention if authorisation else {}
    if not years:
        file = authorisation.policy if authorisation else authorised.FILE
        raise faults.NO_RETENTION_PERIOD(file=file, name=name)
    return {str(kind): period for kind, period in years.items()}


def erase(session: LedgerSession, name: str, years: Mapping[str, int], reason: str) -> list[ledger.Entry]:
    """Erase what is due today and return it; records nothing when nothing is.

    Raises ReleaseRefused without the right, IntegrityError when the ledger does not verify.
    """
    faults.ensure_reason(reason)
    session.demand(Right.ERASE, name, "erase what the ledger keeps")
    session.ensure_sound()
    due = due_entries(session.entries(name), name, years, session.now().date())
    if due:
        versions = {events.evidence_version(entry.event) for entry in due}
        draft = session.draft(
            ledger.EntryKind.REDACTION,
            name,
            entries=[entry.number for entry in due],
            reason=reason,
            years=dict(years),
            versions=sorted(version for version in versions if version is not None),
        )
        session.ensure_counts(draft)
        ledger.redact(session.book, draft)
    return due
