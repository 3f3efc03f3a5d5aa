"""Performance before labels are in: what calibrated scores say it is (CBPE). From counts alone.

The rows that calibrate, tune and test rows of the evidence, say how often a label is favourable at each place
of the score. If that still holds, the scores of the window say how good its decisions are. It does not hold
where the relation of features and labels changed: labels that arrive are compared with it, and no estimate is
given where they differ, or where scores lie where hardly any calibrating row did. Source: J. Bialek et al.,
"Estimating Model Performance Under Covariate Shift Without Labels" (2024), with NannyML's values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.isotonic import isotonic_regression

from clearance.documents.baseline_document import BaselineDocument, FeatureBins
from clearance.metrics import ranking
from clearance.monitoring.counting import score_table
from clearance.monitoring.counting.score_table import Area
from clearance.monitoring.counting.window_counts import Groups, WindowCounts
from clearance.monitoring.figures import estimates
from clearance.monitoring.figures.estimates import Estimate, Figure, Undefined

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Labelled = Mapping[tuple[Groups, int, int, int], int]

ASSUMPTION = (
    "a label is as often favourable at each score as it was in the evidence: features may drift, their "
    "relation to the label may not"
)
DRAWS = 200
SEED = 20_260_101
FEWEST_BEYOND = 10
"""Scores with fewer calibrating rows beyond them, on their side, lie outside of what is known."""
MOST_BEYOND = 0.05
"""The largest share of decisions whose score may lie there."""
ERROR = 0.01
"""How often labels would end the estimate although the calibration holds."""
_PARTS = 5
_CERTAIN = 0.005


def measure(
    metric: str, window: WindowCounts, baseline: BaselineDocument, labelled: Labelled | None = None
) -> Figure:
    """The `performance.estimated_` metric of that name in the window.

    `labelled` are the labelled decisions against which the calibration is checked, such as those of earlier
    windows of the version; by default those of the window. Its interval holds the error of sampling and of
    the calibration.
    """
    if baseline.score is None:
        return Undefined(undefined="the version has no scores", rows=0, evaluated=False)
    bins = baseline.score.bins
    decisions = score_table.of_decisions(bins, window.decisions)[:-2].ravel()
    rows = int(decisions.sum())
    calibration = calibrate(bins, baseline.calibration, baseline.cells)
    if calibration is None:
        reason = f"fewer than {ranking.FEWEST} rows of a label calibrate the scores"
        return Undefined(undefined=reason, rows=rows, evaluated=False)
    if not rows:
        return Undefined(undefined="no decision in the window has a score", rows=0)
    if hole := calibration.beyond(decisions):
        return Undefined(undefined=hole, rows=rows, reference_rows=calibration.rows)
    known = score_table.of_labelled(bins, window.labelled if labelled is None else labelled).ranked
    if hole := calibration.broken(known):
        return Undefined(undefined=hole, rows=rows, reference_rows=calibration.rows)
    return _METRICS[metric](decisions, calibration)


@dataclass(frozen=True, eq=False)
class Calibration:
    """How often a label is favourable at each place of the score: the rate, and as other samples might say.

    `counts` (places, label) are the calibrating rows; `rates` (places,) and `draws` (draws, places) are
    isotonic, the draws from resampled rows.
    """

    counts: Counts
    rates: Numbers
    draws: Numbers

    @property
    def rows(self) -> int:
        """The calibrating rows."""
        return int(self.counts.sum())

    @cached_property
    def _known(self) -> npt.NDArray[np.bool_]:
        """The places with calibrating rows enough on either side of them."""
        rows = self.counts.sum(axis=1)
        below, above = np.cumsum(rows), np.cumsum(rows[::-1])[::-1]
        known: npt.NDArray[np.bool_] = np.minimum(below, above) >= FEWEST_BEYOND
        return known

    def beyond(self, decisions: Counts) -> str | None:
        """Why these decisions lie outside of the calibration; None where they do not."""
        outside = int(decisions[~self._known].sum())
        if outside <= MOST_BEYOND * decisions.sum():
            return None
        share = f"{outside / decisions.sum():.1%}"
        return f"{share} of scores lie where fewer than {FEWEST_BEYOND} calibrating rows are"

    def broken(self, labelled: Counts) -> str | None:
        """What labels (places, label) say against it, with an error of `ERROR`; None where nothing.

        Checked are the share of favourable labels, whether it rises with the calibrated rate as it should,
        and the share in a few parts of the score, all together by Bonferroni.
        """
        rows = labelled.sum(axis=1)
        if not rows.sum():
            return None
        checks = self._checks(rows)
        for what, weights in checks.items():
            p_value = self._differs(labelled, weights)
            if p_value is not None and p_value < ERROR / len(checks):
                return (
                    f"the calibration does not hold for {int(rows.sum()):,} decisions whose label is in: "
                    f"{what} is not as the scores say"
                )
        return None

    def _checks(self, rows: Counts) -> dict[str, Numbers]:
        """What is compared, with the weight of each place."""
        part = np.minimum(_PARTS - 1, (np.cumsum(rows) - rows / 2) * _PARTS // rows.sum())
        return {
            "the share of favourable labels": np.ones(len(rows)),
            "how much labels go with scores": self.rates - (rows @ self.rates) / rows.sum(),
            **{
                f"the share of favourable labels in part {place + 1} of {_PARTS} of the scores": (
                    part == place
                ).astype(np.float64)
                for place in range(_PARTS)
            },
        }

    def _differs(self, labelled: Counts, weights: Numbers) -> float | None:
        """The two-sided p-value of "labels are as the calibration, with its own error, says"."""
        rows = labelled.sum(axis=1)
        rates = np.clip(self.rates, _CERTAIN, 1 - _CERTAIN)
        variance = float((weights**2 * rows * rates * (1 - rates)).sum())
        variance += float((self.draws @ (weights * rows)).var())
        if variance <= 0:
            return None
        distance = abs(float(weights @ (labelled[:, 1] - rows * self.rates)))
        return 2 * float(stats.norm.sf(distance / math.sqrt(variance)))


@lru_cache(maxsize=32)
def calibrate(bins: FeatureBins, *parts: tuple[tuple[int, int, int, int], ...]) -> Calibration | None:
    """The calibration by rows of (cell, label, decision, count); None with too few of either label."""
    counts = sum(score_table.of_cells(bins, part).ranked for part in parts)
    assert isinstance(counts, np.ndarray)  # noqa: S101 - there is a part
    if counts.sum(axis=0).min() < ranking.FEWEST:
        return None
    random = np.random.default_rng(SEED)
    total = int(counts.sum())
    drawn = random.multinomial(total, counts.ravel() / total, size=DRAWS).reshape(DRAWS, -1, 2)
    draws = np.array([isotonic(draw) for draw in drawn])
    return Calibration(counts=counts, rates=isotonic(counts), draws=draws)


def isotonic(counts: Counts) -> Numbers:
    """The rate of favourable labels at each place, rising, of highest likelihood; between places, linear."""
    rows = counts.sum(axis=1)
    places = np.flatnonzero(rows)
    fitted = isotonic_regression(
        counts[places, 1] / rows[places], sample_weight=rows[places], y_min=0, y_max=1
    )
    rates: Numbers = np.interp(np.arange(len(rows)), places, fitted)
    return rates


def _roc_auc(decisions: Counts, calibration: Calibration) -> Figure:
    """The ROC AUC that the window would have with labels as the calibration says; in [0, 1]."""
    expected = decisions * calibration.rates
    favourable, rows = float(expected.sum()), int(decisions.sum())
    if min(favourable, rows - favourable) < ranking.FEWEST:
        reason = f"fewer than {ranking.FEWEST} labels of a kind are expected"
        return Undefined(undefined=reason, rows=rows, reference_rows=calibration.rows)
    area = score_table.area(decisions - expected, expected)
    drawn = decisions * calibration.draws
    spread = _spread(score_table.areas(decisions - drawn, drawn), area.value)
    error = math.sqrt(area.error**2 + spread)
    total = Area(value=area.value, error=error, favourable=area.favourable, other=area.other)
    return Estimate(
        value=area.value,
        rows=rows,
        reference_rows=calibration.rows,
        bounds=total.bounds,
        assumption=estimates.assuming(ASSUMPTION),
        live_part=area.error**2 / error**2 if area.error else 1.0,
    )


def _accuracy(decisions: Counts, calibration: Calibration) -> Figure:
    """The accuracy that the window would have with labels as the calibration says; in [0, 1]."""
    rows = int(decisions.sum())
    favourable = np.arange(len(decisions)) % 2 == 1

    def accuracy(rates: Numbers) -> Numbers:
        right: Numbers = np.where(favourable, rates, 1 - rates) @ decisions / rows
        return right

    value = float(accuracy(calibration.rates))
    sampling = value * (1 - value) / rows
    spread = _spread(accuracy(calibration.draws), value)
    error = math.sqrt(sampling + spread)
    return Estimate(
        value=value,
        rows=rows,
        reference_rows=calibration.rows,
        bounds=lambda confidence: ranking.area_bounds(value, error, rows, confidence),
        assumption=estimates.assuming(ASSUMPTION),
        live_part=sampling / error**2 if sampling else 1.0,
    )


def _spread(drawn: Numbers, value: float) -> float:
    """The mean square by which the calibration may be wrong: how draws vary, and how they lean."""
    return float(((drawn - value) ** 2).mean())


_METRICS: Mapping[str, Callable[[Counts, Calibration], Figure]] = {
    "performance.estimated_roc_auc": _roc_auc,
    "performance.estimated_accuracy": _accuracy,
}
