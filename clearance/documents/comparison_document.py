"""`.clearance/comparison.json`: the candidate beside the champion on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from clearance import paths
from clearance.documents.codec import Count, Sha256
from clearance.documents.evidence_document import Document
from clearance.documents.measurement import Measurement, Outcome
from clearance.documents.verdict_document import LimitReport


@dataclass(frozen=True, kw_only=True)
class ComparedVersion:
    """A model by content; `version` is its number in the registry, None for the candidate."""

    fingerprint: str
    sha256: Sha256
    threshold: float
    version: int | None


@dataclass(frozen=True, kw_only=True)
class ComparedRows:
    """The test rows, those that the champion had seen (None: not known), those compared and their digest."""

    test: Count
    left_out: Count | None
    compared: Count
    sha256: Sha256 | None


@dataclass(frozen=True, kw_only=True)
class ComparisonFinding:
    """What was found about one criterion; `change` is None where nothing was compared."""

    demand: str
    metric: str
    attribute: str | None
    limit: LimitReport | None
    severity: Literal["block", "warn"]
    outcome: Outcome
    reason: str
    change: Measurement | None


@dataclass(frozen=True, kw_only=True)
class ComparisonDocument(Document):
    """Which models were compared, on which rows, by which terms, and with which result.

    `champion` is None for a first version, which needs at least `approvals` people. `figures` are shown
    beside the findings and decide nothing.
    """

    path: ClassVar[Path] = paths.COMPARISON

    name: str
    candidate: ComparedVersion
    champion: ComparedVersion | None
    policy_sha256: Sha256
    asked: Mapping[str, Any]
    rows: ComparedRows
    outcome: Outcome
    approvals: Count
    findings: tuple[ComparisonFinding, ...]
    figures: Mapping[str, Any]
    notes: tuple[str, ...]
