"""The evidence documents that a rule of a policy may read, by name."""

from __future__ import annotations

from collections.abc import Mapping

from clearance import paths
from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.explanation_document import ExplanationDocument
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.performance_document import PerformanceDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import TrainingDocument
from clearance.documents.validation_document import PreparedValidationDocument, RawValidationDocument

_CLASSES: tuple[type[MeasuredDocument], ...] = (
    RawValidationDocument,
    SplitDocument,
    PreparedValidationDocument,
    TrainingDocument,
    PerformanceDocument,
    FairnessDocument,
    ExplanationDocument,
)
_BY_PATH = {document.path: document for document in _CLASSES}

EVIDENCE: Mapping[str, type[MeasuredDocument]] = {path.stem: _BY_PATH[path] for path in paths.EVIDENCE}
"""The class of each, in the order of the stages; each is read from `reports/<name>.json`."""
