"""How far predicted rates lie from observed ones, less what chance gives: from counts by score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import stats

from clearance.monitoring.figures import contrasts
from clearance.monitoring.figures.estimates import Interval

Numbers = npt.NDArray[np.float64]

_REACH = 12.0


@dataclass(frozen=True, eq=False)
class CalibrationError:
    """Cells of the score with their `rows` (at least one), `favourable` labels and `predicted` rate.

    With few rows even a perfect score shows an error; `value` is less its expectation, and at least 0. Rates
    are taken at (k + 1) / (n + 2), so that a cell in which all labels agree is not taken for noiseless.
    """

    rows: npt.NDArray[np.int64]
    favourable: npt.NDArray[np.int64]
    predicted: Numbers

    @cached_property
    def plain(self) -> float:
        """Expected calibration error, in [0, 1]: M. P. Naeini et al., AAAI 2015."""
        distance = np.abs(self.favourable - self.rows * self.predicted)
        return float(distance.sum() / self.rows.sum())

    @property
    def value(self) -> float:
        """The error less what chance alone would add, at least 0."""
        return max(0.0, self.plain - self._noise(0.0)[1])

    def bounds(self, confidence: float) -> Interval:
        """Bounds on the error that unlimited rows would show.

        The plain error is on average no lower than the true one, and higher by the noise at most; a distance
        varies no more than the rate does.
        """
        rate = (self.favourable + 1) / (self.rows + 2)
        deviation = math.sqrt(float((self.rows * rate * (1 - rate)).sum())) / self.rows.sum()
        reach = float(stats.norm.isf((1 - confidence) / 2)) * deviation
        return max(0.0, self.value - reach), min(1.0, self.plain + reach)

    def p_above(self, limit: float) -> float:
        """The probability of an error so high if the truth were `limit`: of so much noise, or more."""
        step = 0.5 / float(self.rows.sum())
        return contrasts.lugannani_rice(self.plain - limit - step / 2, self._noise, step)

    def _noise(self, tilt: float) -> tuple[float, float, float]:
        """Cumulants of the mean distance between observed and true rates, from the binomials themselves."""
        distance, chance, starts = self._distances
        with np.errstate(over="ignore"):
            top = np.maximum.reduceat(tilt * distance, starts)
            weight = chance * np.exp(tilt * distance - np.repeat(top, np.diff([*starts, len(distance)])))
        total = np.add.reduceat(weight, starts)
        mean = np.add.reduceat(weight * distance, starts) / total
        square = np.add.reduceat(weight * distance**2, starts) / total
        return float((np.log(total) + top).sum()), float(mean.sum()), float((square - mean**2).sum())

    @cached_property
    def _distances(self) -> tuple[Numbers, Numbers, npt.NDArray[np.int64]]:
        """Of all cells in a row: the distances that each can show, their probabilities, where each begins."""
        distances, chances, total = [], [], float(self.rows.sum())
        for rows, favourable in zip(self.rows.tolist(), self.favourable.tolist(), strict=True):
            rate = (favourable + 1) / (rows + 2)
            reach = _REACH * math.sqrt(rows * rate * (1 - rate)) + 20
            hits = np.arange(max(0, math.floor(rows * rate - reach)), min(rows, rows * rate + reach) + 1)
            distances.append(np.abs(hits - rows * rate) / total)
            chances.append(stats.binom.pmf(hits, rows, rate))
        starts = np.cumsum([0, *(len(part) for part in distances[:-1])])
        return np.concatenate(distances), np.concatenate(chances), starts
