"""Decisions by score, label and decision: what performance is read from, here and in the evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from clearance.documents.baseline_document import FeatureBins, FeatureReference
from clearance.metrics import ranking
from clearance.monitoring.counting.window_counts import Groups
from clearance.monitoring.figures.estimates import Interval

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Counts (score cells, decision, label), each of the last two 0 or 1, from the lowest score up.

    Where the threshold lies within a cell, the decision tells which side of it a row is on; so rows are in
    the order of (cell, decision), which is that of their scores.
    """

    counts: npt.NDArray[np.int64]

    @property
    def rows(self) -> int:
        """All rows."""
        return int(self.counts.sum())

    @property
    def by_decision(self) -> tuple[int, int]:
        """Rows decided unfavourably, favourably."""
        other, favourable = self.counts.sum(axis=(0, 2)).tolist()
        return other, favourable

    @property
    def ranked(self) -> npt.NDArray[np.int64]:
        """Counts (places, label) in the order of the scores; rows without a score are left out."""
        return self.counts[:-2].reshape(-1, 2)

    @property
    def favourable(self) -> ScoreTable:
        """The rows decided favourably."""
        return ScoreTable(self.counts * np.array([0, 1])[:, None])

    def cell(self, decision: int, label: int) -> int:
        """Rows of a decision with a label."""
        return int(self.counts[:, decision, label].sum())


def of_cells(bins: FeatureBins, cells: Iterable[tuple[int, int, int, int]]) -> ScoreTable:
    """From rows of (score cell, label, decision, count), as a baseline has them."""
    counts = np.zeros((bins.size, 2, 2), dtype=np.int64)
    for cell, label, decision, count in cells:
        counts[cell, decision, label] += count
    return ScoreTable(counts)


def of_labelled(bins: FeatureBins, labelled: Mapping[tuple[Groups, int, int, int], int]) -> ScoreTable:
    """From the labelled decisions of a window."""
    return of_cells(bins, ((cell, label, decision, n) for (_, cell, decision, label), n in labelled.items()))


def of_decisions(
    bins: FeatureBins, decisions: Mapping[tuple[Groups, int, int], int]
) -> npt.NDArray[np.int64]:
    """All decisions of a window (score cells, decision)."""
    counts = np.zeros((bins.size, 2), dtype=np.int64)
    for (_, cell, decision), count in decisions.items():
        counts[cell, decision] += count
    return counts


def mean_scores(score: FeatureReference) -> Numbers:
    """The mean score of each bin in the reference; the middle of its edges where it has no row there."""
    edges = np.array([0.0, *score.bins.edges, 1.0])
    middle: Numbers = (edges[:-1] + edges[1:]) / 2
    if score.means is None:
        return middle
    pairs = zip(score.means[: len(middle)], middle, strict=True)
    return np.array([centre if mean is None else mean for mean, centre in pairs])


@dataclass(frozen=True, kw_only=True)
class Area:
    """A ROC AUC over places of the score, with DeLong's standard error and the rows of either label."""

    value: float
    error: float
    favourable: float
    other: float

    def bounds(self, confidence: float) -> Interval:
        """Bounds on it: the wider of DeLong's and Newcombe's, as in the evidence.

        DeLong's error comes from the rows of the rarer label alone, so it reaches as far as Student's t has
        it: with ten such rows a normal tail would err some times as often as it says.
        """
        tail = (1 - confidence) / 2
        degrees = max(1.0, min(self.favourable, self.other) - 1)
        farther = float(special.stdtrit(degrees, tail) / special.ndtri(tail))
        return ranking.wider_bounds(self.value, self.error * farther, self.favourable, self.other, confidence)


def areas(other: Numbers, favourable: Numbers) -> Numbers:
    """The areas of many tables at once, by the last axis; 0.5 where a label has no row."""
    under = np.cumsum(other, axis=-1) - other / 2
    pairs = other.sum(axis=-1) * favourable.sum(axis=-1)
    over: Numbers = (favourable * under).sum(axis=-1)
    values: Numbers = np.divide(over, pairs, out=np.full(np.shape(pairs), 0.5), where=pairs > 0)
    return values


def area(other: Numbers, favourable: Numbers) -> Area:
    """The area from counts by place, from the lowest score up, of either label; both have some rows.

    The probability that a row with the favourable label has the higher place, ties half. Exact for places:
    scores of one place count as tied. Source of the error: E. R. DeLong et al., Biometrics 44 (1988) 837-845.
    """
    less, more = float(other.sum()), float(favourable.sum())
    under = (np.cumsum(other) - other / 2) / less
    over = 1 - (np.cumsum(favourable) - favourable / 2) / more
    value = float(favourable @ under) / more
    spread = float(favourable @ (under - value) ** 2) / (more * max(1.0, more - 1))
    spread += float(other @ (over - value) ** 2) / (less * max(1.0, less - 1))
    return Area(value=min(1.0, max(0.0, value)), error=math.sqrt(spread), favourable=more, other=less)
