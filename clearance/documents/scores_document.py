"""`reports/scores.json`: which model scored the test rows, and the digest of the scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from clearance import paths
from clearance.documents.codec import Count, Sha256
from clearance.documents.evidence_document import MeasuredDocument


@dataclass(frozen=True, kw_only=True)
class ScoresDocument(MeasuredDocument):
    """How many test rows were scored, by which model; `sha256` is that of `data/scored/scores.parquet`."""

    path: ClassVar[Path] = paths.SCORES

    rows: Count
    model_sha256: Sha256
    sha256: Sha256

    @property
    def model_digest(self) -> str:
        """The SHA-256 of the model's file."""
        return self.model_sha256
