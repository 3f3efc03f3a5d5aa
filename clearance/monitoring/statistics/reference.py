"""What a window is compared with: the cells of one feature in the reference, and how much days differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clearance.documents.baseline_document import FeatureBins

Floats = npt.NDArray[np.float64]

INDEPENDENT = "rows are independent: the reference has no days, so how much days differ is not known"


@dataclass(frozen=True, kw_only=True, eq=False)
class BetweenDays:
    """How the shares of the cells vary between windows of this length, from the days of the reference.

    `covariance` is that of a window's shares less the reference's; sampling of rows is in it, and makes up
    `sampling` times the variance of one row. `degrees` are its degrees of freedom.
    """

    covariance: Floats
    sampling: float
    degrees: float

    def variance(self, scores: Floats, row_variance: float) -> tuple[float, float]:
        """The variance of the mean score between windows, without the sampling of rows, and with it."""
        observed = float(scores @ self.covariance @ scores)
        return max(0.0, observed - row_variance * self.sampling), observed


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferenceCounts:
    """The cells of a feature in the reference, in the order of `bins`.

    `means` are the means of the bins of numbers, `deviation` is the standard deviation of the feature.
    `between_days` is None where rows are taken as independent; `assumption` then says so.
    """

    bins: FeatureBins
    counts: npt.NDArray[np.int64]
    means: tuple[float | None, ...] | None = None
    deviation: float | None = None
    between_days: BetweenDays | None = None
    assumption: str | None = INDEPENDENT

    @property
    def rows(self) -> int:
        """The rows of the reference."""
        return int(self.counts.sum())


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The variance of a mean score, live less reference, and its degrees of freedom.

    `inflation` is the variance over that of independent rows, at least 1. `fixed` is the part of it that no
    further live row reduces.
    """

    variance: float
    fixed: float
    inflation: float = 1.0
    degrees: float = math.inf


def spread(reference: ReferenceCounts, scores: Floats, row_variance: float, rows: int, of: int) -> Spread:
    """The spread of the mean of `scores` over `rows` live rows less that over `of` reference rows.

    `scores` are those of the first cells; rows of the other cells (missing values) are not among the rows.
    `row_variance` is the variance of the score of one row. Degrees of freedom by Satterthwaite: the less of
    the variance was estimated from days, the more.
    """
    independent = row_variance * (1 / rows + 1 / of)
    between = reference.between_days
    if between is None or independent <= 0:
        return Spread(variance=independent, fixed=row_variance / of)
    counts = reference.counts[: len(scores)]
    known = float(counts.sum()) / reference.rows
    deviations = np.zeros(len(reference.counts))
    deviations[: len(scores)] = (scores - float(scores @ counts) / float(counts.sum())) / known
    days, observed = between.variance(deviations, row_variance / known)
    variance = independent + days
    degrees = between.degrees * (variance / observed) ** 2 if days > 0 else between.degrees
    return Spread(
        variance=variance,
        fixed=row_variance / of + days,
        inflation=variance / independent,
        degrees=max(1.0, degrees),
    )
