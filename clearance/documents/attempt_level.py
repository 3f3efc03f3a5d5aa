"""Measurements of the same rows at a higher confidence, for a policy that spends its level over attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clearance.documents import codec
from clearance.documents.evidence_document import MeasuredDocument, Measurements


@dataclass(frozen=True, kw_only=True)
class AttemptLevel:
    """Every measurement with the interval for attempts that may use this `share` of the level."""

    share: float
    measurements: Measurements


Levels = tuple[AttemptLevel, ...]
"""One for each share, the first attempt's first."""


@dataclass(frozen=True, kw_only=True)
class LevelledDocument(MeasuredDocument):
    """A document about test rows. `levels` is there where the policy spends its level over attempts."""

    levels: Levels | None = field(default=None, metadata=codec.WHEN_SET)

    def measurements_at(self, share: float) -> Measurements:
        """The measurements for attempts with this share; empty where there are none."""
        return next((level.measurements for level in self.levels or () if level.share == share), {})


def collect(by_share: Mapping[float, Measurements]) -> Levels | None:
    """The levels of these measurements by share; None without any."""
    return tuple(AttemptLevel(share=share, measurements=each) for share, each in by_share.items()) or None
