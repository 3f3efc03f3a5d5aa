"""Effect: a person who did not make a version builds it again, and signs what came out.

The rebuild needs no key; only the entry that records it does. Whether it counts is decided where versions are
reviewed (`clearance.promotion.rebuilds`).
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from clearance import installation, ledger, params, paths, registry
from clearance.errors import IntegrityError
from clearance.ledger import EntryKind
from clearance.ledger.events import DIFFERENT
from clearance.promotion import candidate, decide, rebuilds, recomparison, review, version_record
from clearance.promotion.decide import Completion
from clearance.promotion.review import Review
from clearance.promotion.session import LedgerSession, open_session
from clearance.reproduction import faults, reproduce
from clearance.reproduction.differences import RebuildReport
from clearance.trust.roles import Right

_SHOWN = 5
_LONGEST = 300


def rebuild_and_attest(
    root: Path, number: int, *, identity: str | None = None, fresh: bool = False
) -> tuple[RebuildReport, ledger.Entry, Completion | None]:
    """Rebuild candidate `number` in the environment that runs, or a `fresh` one; record the signed result.

    Returns the report, the entry, and what followed where nothing else was missing. Raises ReleaseRefused
    without the right to rebuild, IntegrityError when the evidence does not verify or an installed package was
    altered, ConfigurationError when the environment is not the locked one or there is no such candidate.
    """
    name, server = params.load(root / paths.PARAMS).name, registry.connect()
    with open_session(root, identity) as session:
        session.demand(Right.REBUILD, name, f"rebuild {name}")
        session.ensure_sound()
        record = version_record.fold(session.entries(name), name, number, session.roles)
        with candidate.open_verified(session, server, record) as verified:
            content, described = verified.bundle.digest, reproduce.record_of(verified.bundle.evidence)
    installed = installation.ensure_unaltered()  # what runs DVC and compares, even beside a fresh one
    report = reproduce.reproduce(root, described, fresh=fresh)
    if report.environment:
        raise faults.ENVIRONMENT_NOT_LOCKED(differences="; ".join(report.environment[:_SHOWN]))
    body = {
        "version": number,
        "content": content,
        "conclusion": str(report.conclusion),
        "outputs": report.outputs,
        "same": report.same,
        "reasons": [sentence[:_LONGEST] for sentence in (*report.inputs, *report.different)[:_SHOWN]],
        "environment": "fresh" if fresh else "present",
        **({} if fresh else {"installation": installed.digest}),
        "network": report.network,
    }
    with open_session(root, identity) as session:
        body |= _comparison(session, server, review.open_review(session, server, name, number, _day(session)))
        envelope = session.sign(rebuilds.statement_for(body))
        (entry,) = session.record(session.draft(EntryKind.REBUILD, name, **body, envelope=envelope))
        return report, entry, _complete(session, server, name, number)


def _comparison(session: LedgerSession, server: registry.MlflowServer, reviewed: Review) -> dict[str, Any]:
    """What making the comparison with the champion again adds to the entry; it differs if that differs."""
    try:
        recomparison.ensure_repeats(session, server, reviewed)
    except IntegrityError as error:
        return {"conclusion": DIFFERENT, "reasons": [error.fault[:_LONGEST]]}
    compared = reviewed.compared
    return {"comparison": compared.comparison} if compared else {}


def _day(session: LedgerSession) -> dt.date:
    return session.now().date()


def _complete(
    session: LedgerSession, server: registry.MlflowServer, name: str, number: int
) -> Completion | None:
    """Promote, or notify Prefect, where the rebuild was the last thing that was missing."""
    reviewed = review.open_review(session, server, name, number, _day(session))
    return None if reviewed.obstacle else decide.complete(session, server, reviewed)
