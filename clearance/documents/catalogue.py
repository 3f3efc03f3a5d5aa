"""Every document of the product by name: for whoever reads one by its name, and for the published schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clearance.documents import codec
from clearance.documents.comparison_document import ComparisonDocument
from clearance.documents.document import Document, MeasuredDocument
from clearance.documents.explanation_document import ExplanationDocument
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.origin_document import OriginDocument
from clearance.documents.performance_document import PerformanceDocument
from clearance.documents.release_receipt import ReleaseReceipt
from clearance.documents.scores_document import ScoresDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import TrainingDocument
from clearance.documents.validation_document import PreparedValidationDocument, RawValidationDocument
from clearance.documents.verdict_document import VerdictDocument

EVIDENCE: Mapping[str, type[MeasuredDocument]] = {
    "validation_raw": RawValidationDocument,
    "split": SplitDocument,
    "validation_prepared": PreparedValidationDocument,
    "training": TrainingDocument,
    "performance": PerformanceDocument,
    "fairness": FairnessDocument,
    "explanation": ExplanationDocument,
}
"""The documents that a rule of a policy may read."""

OTHERS: Mapping[str, type[Document] | type[MeasuredDocument]] = {
    "origin": OriginDocument,
    "scores": ScoresDocument,
    "verdict": VerdictDocument,
    "comparison": ComparisonDocument,
    "release": ReleaseReceipt,
}


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of every document, by its name."""
    return {
        name: codec.schema(_readable(kind), name) for name, kind in sorted({**EVIDENCE, **OTHERS}.items())
    }


def _readable(kind: Any) -> Any:
    """What the reader of `kind` gives: the document, or the blocked one that may be in its place."""
    return kind | kind.blocked_document if issubclass(kind, MeasuredDocument) else kind
