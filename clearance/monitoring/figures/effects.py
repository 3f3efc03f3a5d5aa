"""An effect: how far live decisions are from a reference, with its uncertainty. What every metric returns.

Judgement reads nothing else, so a new metric is one more function that returns an `Effect`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from clearance.policy.monitoring_terms import LiveRule


class Effect(Protocol):
    """An estimate with its uncertainty. `rows` and `reference_rows` are behind it."""

    @property
    def value(self) -> float | None:
        """The estimate, less what is expected by chance where that is not 0; None where there is none."""

    @property
    def rows(self) -> int:
        """How many live rows are behind it."""

    @property
    def reference_rows(self) -> int | None:
        """How many rows of the reference are behind it; None where it has none."""

    @property
    def undefined(self) -> str | None:
        """Why there is no value; None where there is one."""

    @property
    def assumption(self) -> str | None:
        """What it rests on beside the counts; None: nothing."""

    @property
    def spends(self) -> bool:
        """Whether chance can make it break a limit. Exact counts (rows that break the schema) cannot."""

    def interval(self, confidence: float) -> tuple[float, float]:
        """A two-sided confidence interval."""

    def p_above(self, limit: float) -> float:
        """The probability of an estimate at least so high if the true effect were `limit`, at most 1."""

    def p_below(self, limit: float) -> float:
        """The probability of an estimate at least so low if the true effect were `limit`, at most 1."""

    def false_alarm(self, limit: float) -> float | None:
        """The probability that the plain estimate exceeds `limit` with no change at all; None: not known."""

    def rows_needed(self, limit: float, level: float) -> int | None:
        """About how many live rows would tell the effect, if it stays as it is, from `limit` at a p-value of
        `level`; None where none would, or not known."""


@runtime_checkable
class LessNoise(Protocol):
    """An effect whose value is less what is expected by chance, and that has the customary estimate too."""

    @property
    def plain(self) -> float | None:
        """The customary estimate, noise and all: what a rule that decides by `point` compares."""


@runtime_checkable
class MayWait(Protocol):
    """An effect that says, where it has no value, whether it is short of rows or waits for something else."""

    @property
    def evaluated(self) -> bool:
        """False: labels are not in, or the version lacks what it needs. True: rows are too few."""


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """One rule for one subject (a feature, an attribute, the score; None: the model), and its effect."""

    rule: LiveRule
    subject: str | None
    effect: Effect
