"""All features together: can a classifier tell live rows from reference rows? From rows, not from counts.

A classifier on the features, their squares and products is fitted on some folds and tells the rows of the
other: 0.5 means that it cannot. Products see a change of correlation alone, which no single feature shows.
Its null comes from permuted sides, each fitted and tested in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from clearance.metrics import ranking
from clearance.monitoring.figures.estimates import Estimate, Figure, Interval, Undefined

Matrix = npt.NDArray[np.float64]

MOST_ROWS = 5_000
"""Rows of either side that are used; of more, a random part."""
FEWEST_ROWS = 50
"""Rows of either side below which nothing is fitted."""
FOLDS = 5
PERMUTATIONS = 400
SEED = 20_260_101
MOST_TERMS = 600
"""Features, squares and products beyond which a sketch of as many random sums of them stands for them."""
MOST_CATEGORIES = 10
"""Categories of a feature that have a column of their own, the most frequent first."""
THRESHOLD = 2.5
"""Standard errors by which means must be apart for a term to count."""
KEPT = 0.7
"""Terms beyond this part of the largest distance count even below the threshold."""
_FEWEST_BEYOND = 10


def measure(live: pd.DataFrame, reference: pd.DataFrame, seed: int = SEED) -> Figure:
    """ROC AUC of the classifier, in [0, 1], over the columns that both tables have.

    Undefined with fewer than `FEWEST_ROWS` rows on a side, or where no column varies. The same rows and seed
    give the same value.
    """
    rows, of = min(len(live), MOST_ROWS), min(len(reference), MOST_ROWS)
    if min(rows, of) < FEWEST_ROWS:
        reason = f"{FEWEST_ROWS} rows of either side are needed; there are {rows:,} and {of:,}"
        return Undefined(undefined=reason, rows=rows, reference_rows=of)
    random = np.random.default_rng(seed)
    sides = [table.iloc[random.permutation(len(table))[:MOST_ROWS]] for table in (reference, live)]
    shared = [name for name in reference.columns if name in live.columns]
    terms = expand(encode(pd.concat([side[shared] for side in sides], ignore_index=True)), seed)
    if terms is None:
        return Undefined(undefined="no column varies", rows=rows, reference_rows=of)
    separation = _separate(terms, np.repeat([0, 1], [of, rows]), random)
    return Estimate(
        value=separation.value,
        rows=rows,
        reference_rows=of,
        bounds=separation.bounds,
        above=separation.p_above,
        below=separation.p_below,
        assumption=ASSUMPTION,
        live_part=of / (rows + of),
        chance=separation.chance,
    )


ASSUMPTION = (
    "rows are independent, and their days as like those of the reference as those to each other; p-values "
    f"below 1 in {PERMUTATIONS // _FEWEST_BEYOND} take the permuted values as nearly normal"
)


def encode(table: pd.DataFrame) -> Matrix:
    """Columns (rows, columns) of mean 0 that know nothing of the side: normal scores of numbers and times,
    a column for each frequent category, and one for missing values where there are some."""
    columns = [column for name in table.columns for column in _encoded(table[name])]
    varied = [column for column in columns if np.ptp(column) > 0]
    if not varied:
        return np.zeros((len(table), 0))
    scaled: Matrix = StandardScaler().fit_transform(np.column_stack(varied))
    return scaled


def _encoded(column: pd.Series) -> Iterator[Matrix]:
    missing = column.isna().to_numpy()
    yield missing.astype(np.float64)
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        known = pd.to_numeric(column[~missing]).to_numpy(dtype=np.float64)
        scores = np.zeros(len(column))
        scores[~missing] = stats.norm.ppf(stats.rankdata(known) / (len(known) + 1))
        yield scores
    else:
        texts = column.astype(str).where(~missing)
        for category in texts.value_counts().index[:MOST_CATEGORIES]:
            yield (texts == category).to_numpy(dtype=np.float64)


def expand(columns: Matrix, seed: int = SEED) -> Matrix | None:
    """The columns with their squares and products, or a sketch of them; None without columns."""
    width = columns.shape[1]
    if not width:
        return None
    if width * (width + 3) // 2 <= MOST_TERMS:
        terms = PolynomialFeatures(degree=2, include_bias=False).fit_transform(columns)
    else:
        sketch = PolynomialCountSketch(degree=2, n_components=MOST_TERMS, random_state=seed)
        terms = np.column_stack([columns, sketch.fit_transform(columns)])
    scaled: Matrix = StandardScaler().fit_transform(terms)
    return scaled


@dataclass(frozen=True, kw_only=True, eq=False)
class Separation:
    """How well rows are told apart: the `value` with its standard `error`, and its values for permuted sides.

    `fewest` is the number of rows of the smaller side.
    """

    value: float
    error: float
    null: Matrix
    fewest: int

    def bounds(self, confidence: float) -> Interval:
        """Bounds on it, on the logit scale."""
        return ranking.area_bounds(self.value, max(self.error, self._deviation), self.fewest, confidence)

    def p_above(self, limit: float) -> float:
        """The p-value of "at most `limit`", never below that of "nothing changed"."""
        beyond = self._tail((self.value - limit) / max(self.error, self._deviation))
        return max(beyond, self._no_change())

    def p_below(self, limit: float) -> float:
        """The p-value of "at least `limit`"."""
        return self._tail((limit - self.value) / max(self.error, self._deviation))

    def chance(self, limit: float) -> float:
        """How often the value exceeds `limit` without a change."""
        return self._tail((limit - float(self.null.mean())) / self._deviation)

    def _no_change(self) -> float:
        higher = int((self.null >= self.value).sum())
        if higher >= _FEWEST_BEYOND:
            return (1 + higher) / (1 + len(self.null))
        return self._tail((self.value - float(self.null.mean())) / self._deviation)

    @property
    def _deviation(self) -> float:
        return float(self.null.std(ddof=1))

    def _tail(self, deviations: float) -> float:
        return float(stats.t.sf(deviations, len(self.null) - 1))


def _separate(terms: Matrix, side: npt.NDArray[np.int64], random: np.random.Generator) -> Separation:
    """Fit and tell by folds, for the sides as they are and for permutations of them within each fold."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=int(random.integers(2**31)))
    splits = list(folds.split(terms, side))
    sides = np.repeat(side[:, None], PERMUTATIONS + 1, axis=1)
    for _, tested in splits:
        sides[tested, 1:] = random.permuted(sides[tested, 1:], axis=0)
    values, variance = np.zeros(PERMUTATIONS + 1), 0.0
    for fitted, tested in splits:
        scores = terms[tested] @ _weights(terms[fitted], sides[fitted])
        areas = _areas(scores, sides[tested])
        values += areas / FOLDS
        variance += _variance(scores[:, 0], sides[tested, 0]) / FOLDS**2
    return Separation(
        value=float(values[0]),
        error=math.sqrt(variance),
        null=values[1:],
        fewest=int(np.bincount(side).min()),
    )


def _weights(terms: Matrix, sides: npt.NDArray[np.int64]) -> Matrix:
    """The weight of each term, for every column of sides: how far apart its means are, less a threshold.

    Nearest shrunken centroids of R. Tibshirani et al., Proc. Natl. Acad. Sci. 99 (2002) 6567-6572: most terms
    say nothing, and adding up their noise would hide the few that do. The largest are always kept.
    """
    share = sides.mean(axis=0)
    apart = terms.T @ (sides - share) / np.sqrt(len(terms) * share * (1 - share))
    size = np.abs(apart)
    threshold = np.minimum(THRESHOLD, KEPT * size.max(axis=0))
    weights: Matrix = np.sign(apart) * np.maximum(0.0, size - threshold)
    return weights


def _areas(scores: Matrix, sides: npt.NDArray[np.int64]) -> Matrix:
    """The area of each column."""
    ranks = stats.rankdata(scores, axis=0)
    live = sides.sum(axis=0)
    areas: Matrix = ((ranks * sides).sum(axis=0) - live * (live + 1) / 2) / (live * (len(sides) - live))
    return areas


def _variance(scores: Matrix, side: npt.NDArray[np.int64]) -> float:
    """DeLong's variance of the area of one fold."""
    live, reference = scores[side == 1], scores[side == 0]
    ranks = stats.rankdata(np.concatenate([live, reference]))
    over = (ranks[: len(live)] - stats.rankdata(live)) / len(reference)
    under = (ranks[len(live) :] - stats.rankdata(reference)) / len(live)
    return float(over.var(ddof=1) / len(live) + under.var(ddof=1) / len(reference))
