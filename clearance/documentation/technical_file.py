"""The technical file of a version, made of its signed evidence and what the ledger adds until a moment."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from clearance.documentation import faults, version_evidence
from clearance.documentation.version_evidence import VersionEvidence
from clearance.documents.card_document import Section
from clearance.documents.technical_file_document import TechnicalFile
from clearance.reporting.claims import check
from clearance.reporting.claims.check import Problem
from clearance.reporting.technical_file import annex_iv
from clearance.reporting.technical_file.sources import Subject


def read(root: Path, version: int | None = None, at: dt.datetime | None = None) -> TechnicalFile:
    """The technical file of a version as of a moment; see `version_evidence.read` for defaults and errors."""
    evidence = version_evidence.read(root, version, at)
    return annex_iv.make(evidence.known, subject(evidence))


def matrix(root: Path, version: int | None = None, at: dt.datetime | None = None) -> Section:
    """The compliance matrix of a version as of a moment; raises as `read` does."""
    sections = {section.id: section for section in read(root, version, at).sections}
    return sections["compliance"]


def subject(evidence: VersionEvidence) -> Subject:
    """What the technical file of this evidence is about."""
    terms = evidence.policy.documents_on(evidence.at.date())
    return Subject(
        name=evidence.model,
        version=evidence.version,
        at=evidence.at,
        policy_file=evidence.policy_file,
        valid_days=None if terms is None else terms.valid_days,
    )


def check_stored(root: Path, stored: TechnicalFile) -> list[Problem]:
    """What a file that was written earlier says otherwise than the evidence, for its version and its moment.

    Raises as `version_evidence.read` does, and IntegrityError where its moment is none.
    """
    try:
        at = dt.datetime.fromisoformat(stored.at)
    except ValueError:
        raise faults.NOT_A_MOMENT(at=stored.at) from None
    return problems(stored, version_evidence.read(root, stored.version, at))


def problems(stored: TechnicalFile, evidence: VersionEvidence) -> list[Problem]:
    """What a stored file says otherwise than the evidence does, value by value and then as a whole."""
    about = subject(evidence)
    complete = {**evidence.known, **annex_iv.composed(evidence.known, about)}
    made_again = annex_iv.make(evidence.known, about)
    return [*check.check(stored, complete), *check.differences(stored, made_again)]
