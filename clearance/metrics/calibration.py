"""Whether a score means what it says: the share of favourable labels among rows of about that score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clearance.metrics import intervals

Labels = npt.NDArray[np.integer]
Scores = npt.NDArray[np.float64]


class Bin(NamedTuple):
    """The rows whose scores lie in one bin: how many, their mean score, how many are labelled favourable."""

    rows: int
    mean_score: float
    favourable: int


def table(label: Labels, scores: Scores, bins: int) -> list[Bin]:
    """The bins of equal width that hold rows, from the lowest score up.

    `label` (n,) is 0 or 1, `scores` (n,) lies in [0, 1]. A bin holds its lower edge and not its upper one;
    the last holds 1 as well.
    """
    at = np.searchsorted(np.arange(1, bins) / bins, scores, side="right")
    rows = np.bincount(at, minlength=bins)
    scored = np.bincount(at, weights=scores, minlength=bins)
    favourable = np.bincount(at, weights=label, minlength=bins)
    return [Bin(int(rows[b]), float(scored[b] / rows[b]), int(favourable[b])) for b in np.flatnonzero(rows)]


def error(filled: list[Bin]) -> float:
    """Expected calibration error: |mean score - share of favourable labels| per bin, weighted by rows.

    Range [0, 1]: 0 means every bin's mean score is its share of favourable labels, 1 that certain scores
    are all wrong. Biased upward: with few rows even a perfect score shows an error.
    Source: M. P. Naeini et al., AAAI 2015 (the measure; equal-width bins as there).
    """
    total = sum(bin_.rows for bin_ in filled)
    return sum(abs(bin_.rows * bin_.mean_score - bin_.favourable) for bin_ in filled) / total


def bounds(filled: list[Bin], sampling: intervals.Sampling) -> intervals.Interval:
    """Bounds on the calibration error that the same bins would show with unlimited rows.

    Resamples share the upward bias, so their percentiles exclude a true 0. Instead: the error -/+ the
    `confidence` quantile of the weighted absolute noise of the bins' shares, which encloses by the triangle
    inequality. Noise is drawn from binomials at (k + 1) / (n + 2), so that a bin in which all labels agree
    is not taken for noiseless.
    """
    rows = np.array([bin_.rows for bin_ in filled])
    rate = (np.array([bin_.favourable for bin_ in filled]) + 1) / (rows + 2)
    draws = np.random.default_rng(sampling.seed).binomial(rows, rate, size=(sampling.resamples, len(rows)))
    noise = np.abs(draws - rows * rate).sum(axis=1) / rows.sum()
    half = float(np.quantile(noise, sampling.confidence))
    value = error(filled)
    return max(0.0, value - half), min(1.0, value + half)
