"""Every document of the product with its JSON Schema, for readers outside of it; no stage imports this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clearance.documents import catalogue, codec
from clearance.documents.baseline_document import BaselineDocument
from clearance.documents.card_document import CardDocument
from clearance.documents.comparison_document import ComparisonDocument
from clearance.documents.evidence_document import Document, MeasuredDocument
from clearance.documents.origin_document import OriginDocument
from clearance.documents.reasons_document import ReasonsDocument
from clearance.documents.release_receipt import ReleaseReceipt
from clearance.documents.scores_document import ScoresDocument
from clearance.documents.technical_file_document import TechnicalFile
from clearance.documents.verdict_document import VerdictDocument

DOCUMENTS: Mapping[str, type[Document] | type[MeasuredDocument]] = {
    **catalogue.EVIDENCE,
    "origin": OriginDocument,
    "scores": ScoresDocument,
    "reasons": ReasonsDocument,
    "baseline": BaselineDocument,
    "verdict": VerdictDocument,
    "card": CardDocument,
    "comparison": ComparisonDocument,
    "release": ReleaseReceipt,
    "technical_file": TechnicalFile,
}
"""The class of each document by its name."""


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of every document, by its name."""
    return {name: codec.schema(_readable(kind), name) for name, kind in sorted(DOCUMENTS.items())}


def _readable(kind: Any) -> Any:
    """What the reader of `kind` returns: the document, or the blocked one in its place."""
    return kind | kind.blocked_document if issubclass(kind, MeasuredDocument) else kind
