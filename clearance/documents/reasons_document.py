"""`reports/reasons.json`: how denials are reasoned, with the profiles that reasons are measured against.

It is signed with the version: a server that gives reasons reads it, and nothing else, beside the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from clearance import paths
from clearance.documents.codec import WHEN_SET, Count, Sha256
from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.measurement import Measurement

ReasonMethod = Literal["near_cutoff", "all_applicants"]


@dataclass(frozen=True, kw_only=True)
class ReasonsPolicy:
    """The policy's terms as they applied: see `clearance.policy.reason_terms.ReasonTerms`."""

    id: str
    version: str
    source: str
    method: ReasonMethod
    band: float
    minimum_rows: Count
    at_most: Count
    near_share: float
    key_factors: bool
    required: bool


@dataclass(frozen=True, kw_only=True)
class ProfileMeans:
    """The mean contribution of each feature over `rows` applicants; no mean of fewer than the policy asks.

    `drawn_from` is how many applicants they were drawn from, where they are not all.
    """

    rows: Count
    drawn_from: Count | None = field(default=None, metadata=WHEN_SET)
    means: Mapping[str, float] | None


@dataclass(frozen=True, kw_only=True)
class ExplainerBackground:
    """What contributions are measured against: `rows` train rows, as the model's encoder gives them.

    A linear model needs only the `mean` of each encoded column; trees need the rows (`encoded`), with None
    where a value is missing. `sha256` is that of the table they were encoded from.
    """

    rows: Count
    split: str
    sha256: Sha256
    mean: tuple[float, ...] | None = field(default=None, metadata=WHEN_SET)
    encoded: tuple[tuple[float | None, ...], ...] | None = field(default=None, metadata=WHEN_SET)


@dataclass(frozen=True, kw_only=True)
class ReasonsDocument(MeasuredDocument):
    """How denials of a version are reasoned; or why they cannot be (`not_evaluated`).

    Profiles are means over tune rows, as the model scored them. `texts` has what people read for a feature;
    `text_problems` says which of them may not be stated: then no version is promoted. `methods_differ` is the
    share of the `denials` among tune rows for which the two methods state different sets of features.
    """

    path: ClassVar[Path] = paths.REASONS

    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    model_sha256: Sha256
    threshold: float
    features: tuple[str, ...] = ()
    policy: ReasonsPolicy | None = field(default=None, metadata=WHEN_SET)
    not_evaluated: str | None = field(default=None, metadata=WHEN_SET)
    insufficient: str | None = field(default=None, metadata=WHEN_SET)
    text_problems: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    inquiries: tuple[str, ...] = ()
    explainer: Literal["linear", "interventional_trees"] | None = field(default=None, metadata=WHEN_SET)
    space: Literal["log-odds", "probability"] | None = field(default=None, metadata=WHEN_SET)
    background: ExplainerBackground | None = field(default=None, metadata=WHEN_SET)
    near_cutoff: ProfileMeans | None = field(default=None, metadata=WHEN_SET)
    all_applicants: ProfileMeans | None = field(default=None, metadata=WHEN_SET)
    denials: Count | None = field(default=None, metadata=WHEN_SET)
    methods_differ: float | None = field(default=None, metadata=WHEN_SET)

    @property
    def model_digest(self) -> str:
        """The SHA-256 of the model's file."""
        return self.model_sha256

    @property
    def profile(self) -> ProfileMeans | None:
        """The profile of the policy's method; None where there is none."""
        if self.policy is None:
            return None
        return self.near_cutoff if self.policy.method == "near_cutoff" else self.all_applicants

    @property
    def obstacle(self) -> str | None:
        """Why denials cannot be reasoned; None where they can."""
        if self.not_evaluated or self.insufficient:
            return self.not_evaluated or self.insufficient
        return "; ".join(self.text_problems) or None

    @property
    def hindrance(self) -> str | None:
        """Why the policy does not let the version be promoted without reasons; None where it does."""
        if self.policy is None:
            return None
        if self.text_problems:
            return "; ".join(self.text_problems)
        return self.obstacle if self.policy.required else None
