"""What a policy file may say: dated rules as data, typed, unknown keys refused.

Compliance's choices, one file a policy. Nothing here judges; see `clearance.policy.judgement`.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from clearance.documents.measurement import INTERSECTION, Outcome
from clearance.params import Fraction, Scalar, Section
from clearance.policy.comparison_terms import ComparisonTerms
from clearance.policy.impact_rules import ImpactTable
from clearance.policy.test_set_limit import TestUses

DOCUMENTS = (
    "validation_raw",
    "split",
    "validation_prepared",
    "training",
    "performance",
    "fairness",
    "explanation",
)
"""The evidence documents a rule may read: `reports/<document>.json`."""


Text = Annotated[str, Field(min_length=1)]


def parts(name: str) -> frozenset[str]:
    """The attributes that `name` reads together; a single one for a plain attribute."""
    return frozenset(name.split(INTERSECTION))


class Limit(Section):
    """The bounds a measurement must keep, both ends allowed values; at least one of them is given."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a limit needs `at_least` or `at_most`")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least:g} lies above at_most {self.at_most:g}")
        return self

    def encloses(self, low: float, high: float) -> bool:
        """Whether everything from `low` to `high` keeps the limit."""
        return low >= self._floor and high <= self._ceiling

    def excludes(self, low: float, high: float) -> bool:
        """Whether nothing from `low` to `high` keeps the limit."""
        return high < self._floor or low > self._ceiling

    @property
    def _floor(self) -> float:
        return -math.inf if self.at_least is None else self.at_least

    @property
    def _ceiling(self) -> float:
        return math.inf if self.at_most is None else self.at_most


class Rule(Section):
    """One dated demand on one measurement.

    `metric` is `<document>.<metric>`, with the attributes it is read for where it is measured by attribute;
    `race & sex` reads it for their intersection.
    `decides_by`: `interval` passes when the whole interval keeps the limit and fails when none of it does;
    `point` is for exact counts; `point_and_significance` fails when the point breaks the limit and the
    interval excludes `equal_at`; `report_only` never passes and never blocks. `valid_from` and `valid_until`
    are the first and the last day in force. `certainty` is how well the source is known.
    """

    id: Text
    metric: Text
    attribute: Text | None = None
    attributes: tuple[Text, ...] = ()
    limit: Limit | None = None
    kind: Literal["legal", "engineering"]
    source: Text
    certainty: Literal["text", "secondary", "memory"] | None = None
    jurisdiction: Text | None = None
    valid_from: dt.date
    valid_until: dt.date | None = None
    severity: Literal["block", "warn"]
    minimum_support: int = Field(default=0, ge=0)
    confidence: Fraction = 0.95
    decides_by: Literal["interval", "point", "point_and_significance", "report_only"]
    equal_at: float | None = None
    undefined: Literal["fail", "insufficient_evidence", "not_evaluated"] = "not_evaluated"

    @field_validator("metric")
    @classmethod
    def _names_a_document(cls, value: str) -> str:
        document, _, metric = value.partition(".")
        if document not in DOCUMENTS or not metric:
            raise ValueError(f"`{value}` is not <document>.<metric>; documents are {', '.join(DOCUMENTS)}")
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.attribute and self.attributes:
            raise ValueError(f"rule {self.id} names both `attribute` and `attributes`")
        if len(set(self.attributes)) < len(self.attributes):
            raise ValueError(f"rule {self.id} names an attribute twice")
        if self.limit is None and self.decides_by != "report_only":
            raise ValueError(f"rule {self.id} decides by {self.decides_by} and has no `limit`")
        if (self.equal_at is not None) != (self.decides_by == "point_and_significance"):
            raise ValueError(f"rule {self.id}: `equal_at` goes with point_and_significance, and only with it")
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError(f"rule {self.id} ends ({self.valid_until}) before it begins ({self.valid_from})")
        return self

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
        """The attributes the rule is read for, one finding each; a single None: for all rows together."""
        return self.attributes or (self.attribute,)

    def in_force(self, as_of: dt.date) -> bool:
        """Whether the rule is valid on that day, its first and last day included."""
        return self.valid_from <= as_of and (self.valid_until is None or as_of <= self.valid_until)


class Favourable(Section):
    """The outcome a policy calls favourable: a value of the target column."""

    target: Text
    value: Scalar


class Promotion(Section):
    """On which verdicts a model may ship, and who must agree to it.

    `approvals` says for each tier of risk how many different people of which role; an empty tier asks nobody.
    `override_days` is the longest life of an override of a verdict that lets nothing ship; 0: there is none.
    `uncommitted`: it may ship although no commit holds the code that made it. `authors_listed`: everybody who
    authored it must be in the roles file, for else one could approve their own work under another name.
    """

    approvals: dict[Text, dict[Text, Annotated[int, Field(ge=1)]]] = Field(min_length=1)
    when: tuple[Literal[Outcome.PASS, Outcome.INSUFFICIENT_EVIDENCE], ...] = (Outcome.PASS,)
    override_days: int = Field(default=0, ge=0, le=366)
    uncommitted: bool = False
    authors_listed: bool = True


Erasable = Literal[
    "proposal",
    "verdict",
    "comparison",
    "approval",
    "rejection",
    "revocation",
    "refusal",
    "override",
    "others",
]
"""What of the ledger may be erased after its period: these kinds of entry, and `others` among them."""


class Policy(Section):
    """A policy file: what must be assessed, the rules, what promotion asks for, and what is told beside.

    `demo`: a demonstration, the only kind of policy that is satisfied by the keys of the demo's people.
    `retention`: for how many years the ledger keeps what an entry of a kind says; empty: for good.
    """

    id: Text
    version: Text
    title: Text
    demo: bool = False
    attributes: tuple[Text, ...] = Field(min_length=1)
    favourable: Favourable
    promotion: Promotion
    challenge: ComparisonTerms | None = None
    impact_table: ImpactTable | None = None
    test_uses: TestUses | None = None
    retention: dict[Erasable, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        twice = sorted(name for name, times in Counter(rule.id for rule in self.rules).items() if times > 1)
        if twice:
            raise ValueError(f"rule {', '.join(twice)} is there twice")
        ruled = {name for rule in self.rules for name in rule.read_for if name is not None}
        if unruled := sorted(set(self.attributes) - ruled):
            raise ValueError(f"{', '.join(unruled)} must be assessed and no rule reads it")
        if unnamed := sorted(name for name in ruled if not self._names(name)):
            raise ValueError(f"a rule reads {', '.join(unnamed)}, which `attributes` does not name")
        left_out = self.impact_table.excluded if self.impact_table else ()
        if unnamed := sorted({each.attribute for each in left_out if not self._names(each.attribute)}):
            raise ValueError(f"`excluded` is about {', '.join(unnamed)}, which `attributes` does not name")
        return self

    def _names(self, read: str) -> bool:
        """Whether `read` is an attribute of the policy, or several different ones joined."""
        together = read.split(INTERSECTION)
        return read in self.attributes or (
            len(together) == len(set(together)) and set(together) <= set(self.attributes)
        )


def json_schema() -> str:
    """The JSON Schema of a policy file, as text, for editors that complete and check YAML."""
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Policy.model_json_schema()
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"
