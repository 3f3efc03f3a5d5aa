"""`data/origin.json`: where the raw table came from, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from clearance import paths
from clearance.documents.codec import Count, Sha256
from clearance.documents.evidence_document import Document


@dataclass(frozen=True, kw_only=True)
class OriginDocument(Document):
    """The source of the raw table, its rows, its columns with their types, and its digest.

    `source` says what the source is, by its kind; it never holds a credential.
    """

    path: ClassVar[Path] = paths.ORIGIN

    source: Mapping[str, Any]
    rows: Count
    columns: tuple[str, ...]
    types: Mapping[str, str]
    sha256: Sha256
