"""`reports/validation_raw.json` and `reports/validation_prepared.json`: which expectations a table broke."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from clearance import paths
from clearance.documents.codec import Sha256
from clearance.documents.evidence_document import BlockedDocument, MeasuredDocument

Boundary = Literal["raw", "prepared"]
Severity = Literal["block", "warn"]
_REASONS_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Example:
    """A row that breaks an expectation, by its hash; the value is None where it may not be shown."""

    row: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """One expectation of a table, or of one of its columns, and whether the table met it."""

    expectation: str
    column: str | None
    severity: Severity
    success: bool
    detail: str
    observed: Any
    examples: tuple[Example, ...]

    @property
    def blocks(self) -> bool:
        """Whether the table may not be used because of this."""
        return self.severity == "block" and not self.success


@dataclass(frozen=True, kw_only=True)
class BlockedValidation(BlockedDocument):
    """The place of a validation that did not run because an earlier stage blocked."""

    boundary: Boundary
    blocked: Literal[True] = True
    expectations: tuple[Expectation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ValidationDocument(MeasuredDocument):
    """What a validation found. `blocked`: the table may not be used."""

    blocked_document: ClassVar[type[BlockedDocument]] = BlockedValidation

    boundary: Boundary
    blocked: bool
    expectations: tuple[Expectation, ...]

    @property
    def blocked_because(self) -> str | None:
        """The first reasons why the table may not be used; None where it may."""
        if not self.blocked:
            return None
        reasons = [entry.detail for entry in self.expectations if entry.blocks]
        reason = "; ".join(reasons[:_REASONS_SHOWN]) or "the report gives no reason"
        return f"validate_{self.boundary}: {reason}"


@dataclass(frozen=True, kw_only=True)
class RawValidationDocument(ValidationDocument):
    """The validation of the raw table, which has the SHA-256 `table`."""

    path: ClassVar[Path] = paths.VALIDATION_RAW

    boundary: Literal["raw"] = "raw"
    table: Sha256


@dataclass(frozen=True, kw_only=True)
class StatedSampling:
    """How the rows came to be, in a sentence."""

    statement: str


@dataclass(frozen=True, kw_only=True)
class PreparedValidationDocument(ValidationDocument):
    """The validation of the prepared tables, each of which has its SHA-256 in `tables`."""

    path: ClassVar[Path] = paths.VALIDATION_PREPARED

    boundary: Literal["prepared"] = "prepared"
    tables: Mapping[str, Sha256]
    sampling: StatedSampling
