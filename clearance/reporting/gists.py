"""One line for each folded section of the page: what a reader would learn by opening it."""

from __future__ import annotations

from collections.abc import Mapping

from clearance import wording
from clearance.documents import metric_catalogue
from clearance.documents.baseline_document import BaselineDocument
from clearance.documents.evidence_document import BlockedDocument, Evidence, UnusableDocument
from clearance.documents.explanation_document import ExplanationDocument
from clearance.documents.performance_document import PerformanceDocument
from clearance.documents.training_document import TrainingDocument
from clearance.documents.validation_document import ValidationDocument

_SHOWN = ("roc_auc", "balanced_accuracy", "calibration_error")
_NOT_MEASURED = "not measured"


def of(
    documents: Mapping[str, Evidence],
    baseline: BaselineDocument | BlockedDocument | UnusableDocument,
    digests: Mapping[str, str],
) -> dict[str, str]:
    """The line of each folded section by its name; a section without evidence says "not measured"."""
    return {
        "performance": _performance(documents["performance"]),
        "explanation": _explanation(documents["explanation"]),
        "model": _model(documents["training"]),
        "data": _data([documents["validation_raw"], documents["validation_prepared"]]),
        "drift": _drift(baseline),
        "lineage": f"the digests of {wording.counted(len(digests), 'file or folder', 'files and folders')}",
    }


def _performance(document: Evidence) -> str:
    if not isinstance(document, PerformanceDocument):
        return _NOT_MEASURED
    named = [
        f"{metric_catalogue.title(name)} {wording.number(measurement.value)}"
        for name in _SHOWN
        if (measurement := document.measurements.get(name)) and measurement.value is not None
    ]
    return ", ".join([*named, f"on {wording.counted(document.rows, 'test row')}"])


def _explanation(document: Evidence) -> str:
    if not isinstance(document, ExplanationDocument) or not document.importance:
        return _NOT_MEASURED
    largest = sorted(document.importance, key=lambda it: (-it.mean_abs, it.feature))[:3]
    return f"what matters most: {wording.join_names(it.feature for it in largest)}"


def _model(document: Evidence) -> str:
    if not isinstance(document, TrainingDocument):
        return "none was trained"
    if document.external is not None:
        return "made elsewhere"
    name = document.estimator.rpartition(".")[2]
    mitigation = "no mitigation" if document.mitigation == "none" else document.mitigation
    return f"{name}, {mitigation}; {wording.counted(len(document.candidates), 'candidate')}"


def _data(documents: list[Evidence]) -> str:
    checked = [it for it in documents if isinstance(it, ValidationDocument)]
    if not checked:
        return _NOT_MEASURED
    expectations = [entry for document in checked for entry in document.expectations]
    unmet = sum(not entry.success for entry in expectations)
    met = "all met" if not unmet else f"{wording.count(unmet)} not met"
    return f"{wording.counted(len(expectations), 'expectation')} checked, {met}"


def _drift(baseline: BaselineDocument | BlockedDocument | UnusableDocument) -> str:
    if not isinstance(baseline, BaselineDocument):
        return "not recorded"
    rows = wording.counted(baseline.rows, f"{baseline.counted_in} row")
    return f"{rows}, {wording.counted(len(baseline.features), 'feature')}"
