"""The schema of a policy file: dated rules as typed data; unknown keys are refused.

A policy holds the choices of compliance, one file per policy. `clearance.policy.judgement` applies it.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from clearance import paths
from clearance.documents import metric_catalogue
from clearance.documents.measurement import INTERSECTION, Outcome
from clearance.documents.metric_catalogue import Metric
from clearance.params import Fraction, Scalar, Section
from clearance.policy.attempt_terms import AttemptTerms
from clearance.policy.comparison_terms import ComparisonTerms
from clearance.policy.dated import Dated, Text
from clearance.policy.document_terms import DocumentTerms
from clearance.policy.impact_rules import ImpactTableRules
from clearance.policy.inference_log_terms import InferenceLogTerms
from clearance.policy.limit import Limit
from clearance.policy.monitoring_terms import MonitoringTerms
from clearance.policy.reason_terms import ReasonTerms
from clearance.policy.serving_terms import ServingTerms
from clearance.policy.test_set_limit import TestSetLimit

DOCUMENTS = tuple(path.stem for path in paths.EVIDENCE)
"""The evidence documents a rule may read: `reports/<document>.json`."""


def attribute_set(name: str) -> frozenset[str]:
    """The attributes of an intersection, `race & sex`, in no order; a single one for a plain attribute."""
    return frozenset(name.split(INTERSECTION))


class Rule(Dated):
    """One dated requirement on one measurement.

    `metric` is `<document>.<measurement>`. `attribute` or `attributes` name the attributes it is read for,
    where it is measured by attribute; `race & sex` is their intersection. `decides_by`: `interval` passes
    when the whole interval keeps the limit and fails when none of it does; `point` is for exact counts;
    `point_and_significance` fails when the point breaks the limit and the interval excludes `equal_at`;
    `presence` passes whatever was measured, so only what was not measured blocks; `report_only` never passes
    and never blocks.
    """

    id: Text
    metric: Text
    attribute: Text | None = None
    attributes: tuple[Text, ...] = ()
    limit: Limit | None = None
    jurisdiction: Text | None = None
    severity: Literal["block", "warn"]
    minimum_support: int = Field(default=0, ge=0)
    confidence: Fraction = 0.95
    decides_by: Literal["interval", "point", "point_and_significance", "presence", "report_only"]
    equal_at: float | None = None
    undefined: Literal["fail", "insufficient_evidence", "not_evaluated"] = "not_evaluated"

    @field_validator("metric")
    @classmethod
    def _names_a_document(cls, value: str) -> str:
        document, _, metric = value.partition(".")
        if document not in DOCUMENTS or not metric:
            same = [name for name in metric_catalogue.METRICS if name.partition(".")[2] == value]
            meant = f" (did you mean `{same[0]}`?)" if same else ""
            raise ValueError(
                f"`{value}` is not <document>.<metric>{meant}; documents are {', '.join(DOCUMENTS)}"
            )
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.attribute and self.attributes:
            raise ValueError(f"rule {self.id} names both `attribute` and `attributes`")
        if len(set(self.attributes)) < len(self.attributes):
            raise ValueError(f"rule {self.id} names an attribute twice")
        if self.limit is None and self.decides_by not in ("presence", "report_only"):
            raise ValueError(f"rule {self.id} decides by {self.decides_by} and has no `limit`")
        if self.limit is not None and self.decides_by == "presence":
            raise ValueError(f"rule {self.id} decides by presence, which reads no `limit`")
        if (self.equal_at is not None) != (self.decides_by == "point_and_significance"):
            raise ValueError(f"rule {self.id}: `equal_at` belongs to point_and_significance, and only to it")
        return self

    @property
    def deciding_limit(self) -> tuple[Limit, Metric] | None:
        """The limit it decides by and its metric; None where no limit decides, or nothing is known of it."""
        metric = metric_catalogue.METRICS.get(self.metric)
        if metric is None or self.limit is None or self.decides_by == "report_only":
            return None
        return self.limit, metric

    @property
    def is_vacuous(self) -> bool:
        """Whether it decides by a limit that the whole range of its metric keeps: it can never fail."""
        limit, metric = self.deciding_limit or (None, None)
        return limit is not None and metric is not None and limit.encloses(*metric.ends)

    @property
    def is_unmeetable(self) -> bool:
        """Whether it decides by a limit that no value of its metric keeps: it can never pass."""
        limit, metric = self.deciding_limit or (None, None)
        return limit is not None and metric is not None and limit.excludes(*metric.ends)

    @property
    def is_reversed(self) -> bool:
        """Whether it blocks what is better than its only bound, and would pass what is worse.

        A bound that the value of equal treatment keeps is the other half of a range, and not reversed.
        """
        if self.deciding_limit is None or self.severity != "block":
            return False
        limit, metric = self.deciding_limit
        good_end = {"lower": limit.at_most, "higher": limit.at_least, None: math.nan}[metric.better]
        keeps_parity = metric.parity is not None and limit.encloses(metric.parity, metric.parity)
        return good_end is None and not keeps_parity

    @property
    def document(self) -> str:
        """The evidence document the rule reads."""
        return self.metric.partition(".")[0]

    @property
    def measurement(self) -> str:
        """The name of the measurement in that document."""
        return self.metric.partition(".")[2]

    @property
    def read_for(self) -> tuple[str | None, ...]:
        """The attributes the rule is read for, one finding each; a single None means all rows together."""
        return self.attributes or (self.attribute,)


class Favourable(Section):
    """The outcome a policy calls favourable: a value of the target column."""

    target: Text
    value: Scalar


class PromotionTerms(Section):
    """Which verdicts allow a promotion, and who must approve it.

    `approvals` says for each risk tier how many different people of which role must approve; an empty tier
    needs no approval. `override_days` is the longest duration of an override of any other verdict; 0 allows
    none. `rebuild` says in which tiers somebody independent must have built the version again and got the
    same. `uncommitted` allows a model whose code no commit holds. `authors_listed` requires every author to
    be in the roles file; otherwise authors could approve their own work under another name.
    `contract_pinned` requires the list of authorised policies to pin the model's data contract; a
    demonstration never requires it. `preregistered` requires the ledger to show that policy, test rows and
    seed were set before the result was known. `lapsed` says what a release does when an override of the
    champion has ended or an approval of it was withdrawn: refuse to call it well, warn, or retire it.
    """

    approvals: dict[Text, dict[Text, Annotated[int, Field(ge=1)]]] = Field(min_length=1)
    when: tuple[Literal[Outcome.PASS, Outcome.INSUFFICIENT_EVIDENCE], ...] = (Outcome.PASS,)
    override_days: int = Field(default=0, ge=0, le=366)
    rebuild: dict[Text, bool] = Field(default_factory=dict)
    uncommitted: bool = False
    authors_listed: bool = True
    lapsed: Literal["refuse", "warn", "retire"] = "refuse"
    contract_pinned: bool = True
    preregistered: bool = False

    @model_validator(mode="after")
    def _knows_tiers(self) -> Self:
        if unknown := sorted(set(self.rebuild) - set(self.approvals)):
            raise ValueError(f"`rebuild` names the tier {', '.join(unknown)}, which `approvals` does not")
        return self


Erasable = Literal[
    "proposal",
    "verdict",
    "comparison",
    "attempt",
    "rebuild",
    "approval",
    "rejection",
    "revocation",
    "refusal",
    "override",
    "others",
]
"""The kinds of ledger entry that may be erased after their retention period; `others` covers the rest."""


class Policy(Section):
    """A policy file: what must be assessed, the rules, and what a promotion needs.

    `demo` marks a demonstration, the only policy that accepts the demo keys. `retention` is the number of
    years for which the ledger keeps the content of an entry, by kind; a kind that is not listed is kept for
    ever.
    """

    id: Text
    version: Text
    title: Text
    demo: bool = False
    attributes: tuple[Text, ...] = Field(min_length=1)
    favourable: Favourable
    promotion: PromotionTerms
    challenge: ComparisonTerms | None = None
    impact_table: ImpactTableRules | None = None
    test_uses: TestSetLimit | None = None
    attempts: AttemptTerms | None = None
    reasons: ReasonTerms | None = None
    documents: DocumentTerms | None = None
    serving: ServingTerms = ServingTerms()
    inference_log: InferenceLogTerms = InferenceLogTerms()
    monitoring: MonitoringTerms | None = None
    retention: dict[Erasable, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        duplicates = sorted(
            name for name, uses in Counter(rule.id for rule in self.rules).items() if uses > 1
        )
        if duplicates:
            raise ValueError(f"the rule id {', '.join(duplicates)} is used twice")
        attributes = {name for rule in self.rules for name in rule.read_for if name is not None}
        if without_rule := sorted(set(self.attributes) - attributes):
            raise ValueError(f"{', '.join(without_rule)} must be assessed, but no rule reads it")
        if unlisted := sorted(name for name in attributes if not self._lists(name)):
            raise ValueError(f"a rule reads {', '.join(unlisted)}, which `attributes` does not list")
        excluded = self.impact_table.excluded if self.impact_table else ()
        if unlisted := sorted({item.attribute for item in excluded if not self._lists(item.attribute)}):
            raise ValueError(f"`excluded` is about {', '.join(unlisted)}, which `attributes` does not list")
        return self

    @property
    def sections(self) -> dict[str, Dated]:
        """The dated parts that are not rules, by their key: those that this policy has."""
        parts = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: part for name, part in parts.items() if isinstance(part, Dated)}

    def reasons_on(self, day: dt.date) -> ReasonTerms | None:
        """How denials are reasoned on that day; None where the policy does not say."""
        return self.reasons if self.reasons is not None and self.reasons.in_force(day) else None

    def documents_on(self, day: dt.date) -> DocumentTerms | None:
        """What the card of a version must hold on that day; None where the policy does not say."""
        return self.documents if self.documents is not None and self.documents.in_force(day) else None

    def spends(self, day: dt.date) -> bool:
        """Whether it spends its level over attempts on that day."""
        return self.attempts is not None and self.attempts.spend and self.attempts.in_force(day)

    def _lists(self, name: str) -> bool:
        """Whether `name` is an attribute of the policy, or an intersection of several."""
        parts = name.split(INTERSECTION)
        return name in self.attributes or (
            len(parts) == len(set(parts)) and set(parts) <= set(self.attributes)
        )


def json_schema() -> str:
    """The JSON Schema of a policy file, as text, for editors that complete and check YAML."""
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Policy.model_json_schema()
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
