"""`reports/explanation.json`: what matters to the model, for which groups, and whether it adds up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from clearance import paths
from clearance.documents.codec import WHEN_SET, Count, Sha256
from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class FeatureImportance:
    """The mean size of a feature's contributions; 0: it never mattered."""

    feature: str
    mean_abs: float


@dataclass(frozen=True, kw_only=True)
class CategoryContribution:
    """A value of a text feature, in how many explained rows it is, and its mean contribution there."""

    category: str
    rows: Count
    mean: float


@dataclass(frozen=True, kw_only=True)
class ExplanationDocument(MeasuredDocument):
    """SHAP contributions of features on a sample of test rows, in `space`.

    `by_group` holds mean contributions in groups with at least `fewest_rows_shown` explained rows;
    `group_rows` counts them. `by_category` has the values of text features that are in as many rows.
    Where no explanation could be made, the explainer and what it says are left out.
    """

    path: ClassVar[Path] = paths.EXPLANATION

    measurements: Mapping[str, Measurement]
    importance: tuple[FeatureImportance, ...]
    by_group: Mapping[str, Mapping[str, Mapping[str, float]]]
    group_rows: Mapping[str, Mapping[str, Count]]
    model_sha256: Sha256
    explainer: str | None = field(default=None, metadata=WHEN_SET)
    against: str | None = field(default=None, metadata=WHEN_SET)
    space: Literal["log-odds", "probability"] | None = field(default=None, metadata=WHEN_SET)
    base_value: float | None = field(default=None, metadata=WHEN_SET)
    by_category: Mapping[str, tuple[CategoryContribution, ...]] | None = field(
        default=None, metadata=WHEN_SET
    )
    fewest_rows_shown: Count | None = field(default=None, metadata=WHEN_SET)
    libraries: Mapping[str, str] | None = field(default=None, metadata=WHEN_SET)

    @property
    def model_digest(self) -> str:
        """The SHA-256 of the model's file."""
        return self.model_sha256
