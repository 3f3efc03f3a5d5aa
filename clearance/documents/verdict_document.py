"""`reports/verdict.json`: what the policy says about the evidence, rule by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from clearance import paths
from clearance.documents import codec
from clearance.documents.codec import Count, Sha256
from clearance.documents.evidence_document import Document
from clearance.documents.measurement import Outcome


@dataclass(frozen=True, kw_only=True)
class LimitReport:
    """The bounds of a rule, both ends allowed values; None: no such bound."""

    at_least: float | None
    at_most: float | None


@dataclass(frozen=True, kw_only=True)
class MoreRows:
    """The rows that would decide a finding.

    `times` is the factor, at least 1, by which all groups must grow until the interval lies on one side of
    the limit; None when no number of rows would do it. `group` is the group with the fewest rows and `rows`
    what it has now; both are None when the finding counts no rows. `short` is how many rows each group lacks
    to the rule's minimum.
    """

    times: float | None
    group: str | None
    rows: Count | None
    short: Mapping[str, Count]


@dataclass(frozen=True, kw_only=True)
class RuleFinding:
    """What one rule says about one measurement; `outcome` is None where the rule only reports.

    `more_rows` says what would decide a finding of insufficient evidence. `rates` are those of the groups,
    as in `support`, where the measurement compares rates.
    """

    rule: str
    metric: str
    attribute: str | None
    limit: LimitReport | None
    severity: Literal["block", "warn"]
    decides_by: Literal["interval", "point", "point_and_significance", "presence", "report_only"]
    kind: Literal["legal", "engineering"]
    source: str
    certainty: Literal["text", "secondary", "memory"] | None
    jurisdiction: str | None
    outcome: Outcome | None
    reason: str
    value: float | None
    low: float | None
    high: float | None
    confidence: float | None
    support: Mapping[str, Count]
    rates: Mapping[str, float] | None = field(default=None, metadata=codec.WHEN_SET)
    more_rows: MoreRows | None = field(default=None, metadata=codec.WHEN_SET)


@dataclass(frozen=True, kw_only=True)
class RuleNotInForce:
    """A rule of the policy that was not in force on the day of the verdict."""

    id: str
    valid_from: str
    valid_until: str | None


@dataclass(frozen=True, kw_only=True)
class PolicyReport:
    """The policy that judged, by content, the day it was read for, and what it says beside its rules."""

    id: str
    version: str
    title: str
    file: str
    sha256: Sha256
    as_of: str
    impact_table: Mapping[str, Any] | None
    test_uses: Mapping[str, Any] | None
    attempts: Mapping[str, Any] | None = field(default=None, metadata=codec.WHEN_SET)


@dataclass(frozen=True, kw_only=True)
class VerdictDocument(Document):
    """The verdict on a model, the sentences that carry it, and the digest of every file it rests on.

    `what_if`: the run was asked to judge by another policy or day than the project's; it can release nothing.
    `passes_until`: the last attempt at the model as which the evidence passes (0: none), where the policy
    spends its level over attempts.
    """

    path: ClassVar[Path] = paths.VERDICT

    name: str
    verdict: Outcome
    reasons: tuple[str, ...]
    findings: tuple[RuleFinding, ...]
    not_in_force: tuple[RuleNotInForce, ...]
    policy: PolicyReport
    what_if: bool
    overrides: Mapping[str, Any]
    evidence: Mapping[str, Sha256]
    passes_until: Count | None = field(default=None, metadata=codec.WHEN_SET)
