"""Intervals of the same figures at a higher confidence, for a policy that spends its level over attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from clearance.documents import codec
from clearance.documents.evidence_document import MeasuredDocument, Measurements
from clearance.documents.measurement import Measurement

Bounds = tuple[float | None, float | None]
Figure = Measurement | Mapping[str, Measurement]

TOO_FEW_DRAWS = "none was drawn at this confidence: set `evaluate.resamples` higher"


@dataclass(frozen=True, kw_only=True)
class AttemptLevel:
    """The interval of every figure for attempts that may use this `share` of the level.

    `bounds` are by metric, or by metric and protected attribute; a figure without an interval is left out.
    """

    share: float
    confidence: float
    bounds: Mapping[str, Bounds | Mapping[str, Bounds]]


Levels = tuple[AttemptLevel, ...]
"""One for each share, the first attempt's first."""


@dataclass(frozen=True, kw_only=True)
class LevelledDocument(MeasuredDocument):
    """A document about test rows. `levels` is there where the policy spends its level over attempts."""

    levels: Levels | None = field(default=None, metadata=codec.WHEN_SET)

    def measurements_at(self, share: float) -> Measurements:
        """The measurements with the intervals for attempts with this share; empty where there are none."""
        level = next((level for level in self.levels or () if level.share == share), None)
        if level is None:
            return {}
        return {
            metric: _at(figure, level.bounds.get(metric), level.confidence)
            for metric, figure in self.measurements.items()
        }


def level(share: float, confidence: float, measured: Measurements) -> AttemptLevel:
    """The intervals of what was measured at the confidence for this share."""
    bounds: dict[str, Bounds | Mapping[str, Bounds]] = {}
    for metric, figure in measured.items():
        if not isinstance(figure, Measurement):
            bounds[metric] = {name: _bounds(one) for name, one in figure.items() if _has_interval(one)}
        elif _has_interval(figure):
            bounds[metric] = _bounds(figure)
    return AttemptLevel(share=share, confidence=confidence, bounds=bounds)


def _has_interval(figure: Measurement) -> bool:
    return figure.low is not None or figure.high is not None


def _bounds(figure: Measurement) -> Bounds:
    return figure.low, figure.high


def _at(figure: Figure, bounds: Bounds | Mapping[str, Bounds] | None, confidence: float) -> Figure:
    """The figure with other bounds; without any, where it has an interval and there are none for it."""
    if not isinstance(figure, Measurement):
        by_name = bounds if isinstance(bounds, Mapping) else {}
        return {name: _one(inner, by_name.get(name), confidence) for name, inner in figure.items()}
    return _one(figure, bounds if isinstance(bounds, tuple) else None, confidence)


def _one(figure: Measurement, bounds: Bounds | None, confidence: float) -> Measurement:
    if not _has_interval(figure):
        return figure
    if bounds is None:
        return replace(figure, low=None, high=None, confidence=None, lack=TOO_FEW_DRAWS)
    return replace(figure, low=bounds[0], high=bounds[1], confidence=confidence)
