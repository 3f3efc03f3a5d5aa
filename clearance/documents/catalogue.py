"""The evidence documents that a rule of a policy may read, by name."""

from __future__ import annotations

from collections.abc import Mapping

from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.explanation_document import ExplanationDocument
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.performance_document import PerformanceDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import TrainingDocument
from clearance.documents.validation_document import PreparedValidationDocument, RawValidationDocument

EVIDENCE: Mapping[str, type[MeasuredDocument]] = {
    "validation_raw": RawValidationDocument,
    "split": SplitDocument,
    "validation_prepared": PreparedValidationDocument,
    "training": TrainingDocument,
    "performance": PerformanceDocument,
    "fairness": FairnessDocument,
    "explanation": ExplanationDocument,
}
"""Each is read from `reports/<name>.json`."""
