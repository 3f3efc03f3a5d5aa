"""`reports/performance.json`: how well the model predicts, on test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from clearance import paths
from clearance.documents.attempt_level import LevelledDocument
from clearance.documents.codec import Count, Sha256
from clearance.documents.measurement import Measurement
from clearance.documents.sampling_report import Confusion, SamplingReport


@dataclass(frozen=True, kw_only=True)
class PerformanceDocument(LevelledDocument):
    """Every performance metric with its interval; `confusion` counts decisions at `threshold`."""

    path: ClassVar[Path] = paths.PERFORMANCE

    measurements: Mapping[str, Measurement]
    rows: Count
    sampling: SamplingReport
    threshold: float
    confusion: Confusion
    model_sha256: Sha256

    @property
    def model_digest(self) -> str:
        """The SHA-256 of the model's file."""
        return self.model_sha256
