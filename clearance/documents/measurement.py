"""The values that evidence is made of: outcomes and measurements.

A measurement that could not be taken says why and never carries a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from clearance.documents import codec
from clearance.errors import ExitCode

INTERSECTION = " & "
"""Joins attributes, and their groups, into an intersection: `race & sex`, `Black & female`."""


class Outcome(StrEnum):
    """A verdict's four values. Only `PASS` lets a model through."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"
    NOT_EVALUATED = "not_evaluated"

    @property
    def exit_code(self) -> ExitCode:
        """The exit status a command ends with on this verdict."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.PASS: ExitCode.PASS,
    Outcome.FAIL: ExitCode.REFUSED,
    Outcome.INSUFFICIENT_EVIDENCE: ExitCode.INSUFFICIENT_EVIDENCE,
    Outcome.NOT_EVALUATED: ExitCode.NOT_EVALUATED,
}


@dataclass(frozen=True)
class Projection:
    """The ends of an interval if there were so many `times` the rows, in all groups, and the same rates.

    They are not cut to the range of the figure.
    """

    times: int
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One number with what is known about its uncertainty.

    `value` is the point estimate, or None with `undefined` saying why.
    `low` and `high` bound it at `confidence` (both None: no interval was computed).
    `support` is the number of rows behind it, per group where there are groups.
    `lack` says which rows are too few for any honest bound; there is then none.
    `feature` names the feature whose number it is, where it is the most extreme of several features.
    `rates` are the rates that were compared, by group as in `support`, where groups' rates were.
    `projections` say how the interval would shrink with more rows, in ascending order of `times` from 1.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    method: str = "exact"
    support: Mapping[str, int] = field(default_factory=dict)
    undefined: str | None = None
    lack: str | None = field(default=None, metadata=codec.WHEN_SET)
    feature: str | None = field(default=None, metadata=codec.WHEN_SET)
    rates: Mapping[str, float] | None = field(default=None, metadata=codec.WHEN_SET)
    projections: tuple[Projection, ...] | None = field(default=None, metadata=codec.WHEN_SET)

    def __post_init__(self) -> None:
        for name in ("value", "low", "high", "confidence"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{name} is {number}: use `undefined` instead")
        if (self.value is None) == (self.undefined is None):
            raise ValueError("a measurement has either a value or a reason why it has none")
        if self.lack is not None and not (self.low is None and self.high is None):
            raise ValueError("a measurement that lacks rows for an interval has none")

    def to_json(self) -> dict[str, Any]:
        """The measurement as it stands in an evidence document."""
        content: dict[str, Any] = codec.write(self)
        return content

    @classmethod
    def from_json(cls, data: Any) -> Measurement:
        """Read a measurement back.

        Raises ValueError (`codec.Misfit`) on unknown or missing keys, on what is not a number, on NaN or an
        infinity, and on a value without a number or a reason.
        """
        measurement: Measurement = codec.read(cls, data)
        return measurement


def undefined(reason: str, support: Mapping[str, int] | None = None) -> Measurement:
    """A measurement that could not be taken, and why."""
    return Measurement(value=None, undefined=reason, support=support or {})
