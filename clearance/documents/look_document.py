"""One look at a version in use: a window, the rules that were applied to it, and what each of them found.

A look is a record. Later labels or another policy give another look; nothing changes this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from clearance.documents import codec
from clearance.documents.codec import WHEN_SET, Count, Sha256
from clearance.documents.measurement import Outcome


@dataclass(frozen=True, kw_only=True)
class Window:
    """From `start` until before `end`, UTC as `2026-11-30T00:00Z`; `period` is `day`, `week`, `month`, or
    `batch` for a file."""

    period: Literal["day", "week", "month", "batch"]
    start: str
    end: str


@dataclass(frozen=True, kw_only=True)
class LiveFinding:
    """What one rule found for one subject: a feature, an attribute, the score; None for the whole model.

    `value` is the effect, with its 95 % interval `low` to `high`; None with `undefined` saying why.
    `p_value` is the probability of an effect at least so large if the limit were just kept, and `level` what
    it had to stay below in this look to fail; both None for a rule that no chance can fail. `rows` and
    `reference_rows` are behind it. `rows_needed`: about how many rows would decide it, if the effect stayed
    as it is. `false_alarm` is the probability that a rule that decides by `point` fails here with no change
    at all. `assumption` is what the number rests on beside the counts. `reason` is a sentence for people.
    """

    rule: str
    metric: str
    subject: str | None
    outcome: Outcome
    severity: Literal["serious", "warn"]
    on_fail: Literal["record", "alert", "hold", "stop"]
    retrain: bool = False
    at_least: float | None = field(default=None, metadata=WHEN_SET)
    at_most: float | None = field(default=None, metadata=WHEN_SET)
    value: float | None
    low: float | None = field(default=None, metadata=WHEN_SET)
    high: float | None = field(default=None, metadata=WHEN_SET)
    p_value: float | None = field(default=None, metadata=WHEN_SET)
    level: float | None = field(default=None, metadata=WHEN_SET)
    rows: Count
    reference_rows: Count | None = field(default=None, metadata=WHEN_SET)
    rows_needed: Count | None = field(default=None, metadata=WHEN_SET)
    false_alarm: float | None = field(default=None, metadata=WHEN_SET)
    undefined: str | None = field(default=None, metadata=WHEN_SET)
    assumption: str | None = field(default=None, metadata=WHEN_SET)
    groups: Mapping[str, tuple[int, int]] | None = field(default=None, metadata=WHEN_SET)
    reason: str


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look. `content` is the digest of the version's evidence; `level` the error that this look may make.

    `outcome` is the worst of the findings, not evaluated where there is none. `notes` say what was odd about
    the window: half a day missing, a clock that jumped, rows of another version. `basis` says what was
    judged: nothing, as there was no decision (`empty`); the rules that need no label (`decisions`); those
    that do (`labels`), or none of them yet, as too few labels were in (`unlabelled`). A window has at most
    one look of each.
    """

    model: str
    version: Count
    content: Sha256
    policy: str
    policy_version: str
    policy_sha256: Sha256
    window: Window
    rows: Count
    level: float
    outcome: Outcome
    findings: tuple[LiveFinding, ...]
    notes: tuple[str, ...] = ()
    basis: Literal["empty", "decisions", "labels", "unlabelled"] = "decisions"

    @property
    def failing(self) -> tuple[LiveFinding, ...]:
        """The findings that failed."""
        return tuple(finding for finding in self.findings if finding.outcome is Outcome.FAIL)

    def to_json(self) -> dict[str, Any]:
        """The look as a JSON value."""
        content: dict[str, Any] = codec.write(self)
        return content

    @classmethod
    def from_json(cls, data: Any) -> Look:
        """Read a look back. Raises `codec.Misfit` on what does not fit."""
        look: Look = codec.read(cls, data)
        return look
