"""The points of the charts, as the stages wrote them beside their documents; `dvc plots` draws them, too.

A file that is not there gives no points: an older version has fewer charts. One that does not hold points is
an error, never an empty chart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import files, paths
from clearance.documents import codec, faults
from clearance.documents.codec import Count


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """Test rows of similar scores: their mean score, and the share of favourable labels with its interval."""

    mean_score: float
    favourable_rate: float
    low: float
    high: float
    rows: Count


@dataclass(frozen=True, kw_only=True)
class RocPoint:
    """A threshold: the rates of favourable decisions among unfavourable and among favourable labels."""

    false_positive_rate: float
    true_positive_rate: float


@dataclass(frozen=True, kw_only=True)
class PrecisionRecallPoint:
    """A threshold: the share of favourable labels among favourable decisions, and the reverse."""

    precision: float
    recall: float


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A candidate with its utility and its largest disparity on tune rows.

    `place` is its number in params.yaml, from 1. It is on the front where no other beats it in both.
    """

    place: int
    label: str
    utility: float
    disparity: float
    chosen: bool
    front: bool


@dataclass(frozen=True, kw_only=True)
class ChartPoints:
    """The points of each chart that was made for this model; empty where there are none.

    `candidates` are by fairness metric. `scores` are the test rows of each group by attribute, counted in
    bins of equal width over the scores from 0 to 1.
    """

    calibration: tuple[CalibrationBin, ...] = ()
    roc: tuple[RocPoint, ...] = ()
    precision_recall: tuple[PrecisionRecallPoint, ...] = ()
    candidates: Mapping[str, tuple[Candidate, ...]]
    scores: Mapping[str, Mapping[str, tuple[Count, ...]]]


def read(root: Path) -> ChartPoints:
    """The points below `root`. Raises IntegrityError when a file does not hold the points of its chart."""
    evaluated = paths.EVALUATE_FIGURES
    return ChartPoints(
        calibration=_read(root, evaluated / "calibration.json", tuple[CalibrationBin, ...], ()),
        roc=_read(root, evaluated / "roc.json", tuple[RocPoint, ...], ()),
        precision_recall=_read(
            root, evaluated / "precision_recall.json", tuple[PrecisionRecallPoint, ...], ()
        ),
        candidates=_read(root, paths.TRAIN_FIGURES / "pareto.json", Mapping[str, tuple[Candidate, ...]], {}),
        scores=_read(
            root, evaluated / "score_distribution.json", Mapping[str, Mapping[str, tuple[Count, ...]]], {}
        ),
    )


def _read(root: Path, path: Path, kind: Any, absent: Any) -> Any:
    if not (root / path).exists():
        return absent
    try:
        return codec.read(kind, files.read_json(root / path))
    except codec.Misfit as misfit:
        raise faults.DOES_NOT_FIT(
            document=path.as_posix(),
            pointer=misfit.pointer or "/",
            expected=misfit.expected,
            actual=misfit.actual,
        ) from None
