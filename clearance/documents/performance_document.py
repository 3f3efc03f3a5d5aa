"""`reports/performance.json`: how well the model predicts, on test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from clearance import paths
from clearance.documents import codec
from clearance.documents.attempt_level import Levels
from clearance.documents.codec import Count, Sha256
from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.measurement import Measurement
from clearance.documents.sampling_report import Confusion, SamplingReport


@dataclass(frozen=True, kw_only=True)
class PerformanceDocument(MeasuredDocument):
    """Every performance metric with its interval; `confusion` counts decisions at `threshold`.

    `levels` is there where the policy spends its level over attempts.
    """

    path: ClassVar[Path] = paths.PERFORMANCE

    measurements: Mapping[str, Measurement]
    rows: Count
    sampling: SamplingReport
    threshold: float
    confusion: Confusion
    model_sha256: Sha256
    levels: Levels | None = field(default=None, metadata=codec.WHEN_SET)

    @property
    def model_digest(self) -> str:
        """The SHA-256 of the model's file."""
        return self.model_sha256
