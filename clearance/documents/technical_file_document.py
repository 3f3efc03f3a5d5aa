"""The technical file of a version: what the EU AI Act, Annex IV, asks for, as claims, statements and gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from clearance import paths
from clearance.documents.card_document import Section
from clearance.documents.codec import Count, Sha256
from clearance.documents.evidence_document import Document


@dataclass(frozen=True, kw_only=True)
class TechnicalFile(Document):
    """The technical file of version `version`, as of the moment `at` (UTC).

    A section `id` is the number of the point of Annex IV, or the name of a section that other rules ask for.
    `artefacts` are the digests of all that was read.
    """

    path: ClassVar[Path] = paths.REPORTS / "technical_file.json"

    name: str
    version: Count
    at: str
    sections: tuple[Section, ...]
    artefacts: Mapping[str, Sha256]
