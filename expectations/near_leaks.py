"""Features that nearly leak the label or a group: a copy with errors or noise, or two that determine it.

They are found by the area under the ROC curve, cross-validated on a bounded sample. `leaks` finds the certain
ones; the caller sets the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from clearance.metrics import ranking
from clearance.metrics.proxies import FOLDS, ROWS
from expectations import leaks, observed_table
from expectations.observed_table import ObservedTable

BINS = 20
"""The number of bins for a feature with more values."""

PAIRED = 64
"""The largest number of features examined in pairs: the first ones. Pairs grow with the square."""

CONFIDENCE = 0.95
RIDGE = 1e-9

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LeakArea:
    """How well rows inside are distinguished from the others: 0.5 is chance, 1 is perfect; and its bound."""

    value: float
    low: float

    def __str__(self) -> str:
        return f"an area under the ROC curve of {self.value:.3f} (at least {self.low:.3f})"

    def leaks(self, most: float) -> bool:
        """Whether the lower bound is above `most`, or there is no error at all."""
        return self.low > most or self.value == 1


NOTHING = LeakArea(0.5, 0.0)


def sample(table: ObservedTable, columns: list[str]) -> pd.DataFrame:
    """At most `ROWS` rows of these columns, evenly spread over the table."""
    return table.sample(columns, ROWS)


def cells(values: pd.Series) -> list[Codes]:
    """The rows' cells (n,) from 1, 0 where the value is missing, for one or two ways of grouping the values.

    One has at most `BINS` bins in order; the other has a cell per value, where there are enough rows for
    that.
    """
    if not _plain(values):
        return []
    codes, levels = pd.factorize(values, sort=True)
    single = BINS < len(levels) <= len(codes) / leaks.ROWS_A_VALUE
    return [_cut(codes, BINS), *([codes + 1] if single else [])]


def alone(groupings: list[Codes], column: pd.Series) -> LeakArea:
    """How well a feature's `cells` predict one value of the column: the value they predict best.

    Rows without the column are left out. A missing value of the feature counts as a value of its own; where
    at least half the rows have a value, the better of the areas with and without the missing ones counts.
    """
    codes, names = pd.factorize(column)
    targets = range(1 if len(names) == 2 else len(names))
    areas = [
        area(cell[rows], codes[rows] == target)
        for cell in groupings
        for rows in _subsets(cell, codes >= 0)
        for target in targets
    ]
    return max(areas, key=lambda area: area.low, default=NOTHING)


def pairs(features: pd.DataFrame, label: pd.Series, limit: float) -> Iterator[tuple[str, str, LeakArea]]:
    """Every two features that together leak the label beyond the limit.

    They are combined as cells of both, and as the difference that separates the label's means best.
    """
    labelled = label.notna().to_numpy()
    inside = pd.factorize(label[labelled])[0] == 0
    names = [name for name in features.columns if _plain(features[name])][:PAIRED]
    rows = features.loc[labelled, names]
    most = max(3, min(BINS, math.isqrt(len(rows) // 10)))
    binned = [_cut(pd.factorize(rows[name], sort=True)[0], most) for name in names]
    distance = _distances(rows, inside)
    for one in range(len(names)):
        for other in range(one + 1, len(names)):
            best = area(binned[one] * (most + 1) + binned[other], inside)
            if not best.leaks(limit) and distance(one, other) > limit:
                best = area(_cut(_ranks(rows[[names[one], names[other]]], inside), BINS), inside)
            if best.leaks(limit):
                yield names[one], names[other], best


def area(cell: Codes, inside: Mask) -> LeakArea:
    """The area when rows are ranked by the share of rows inside in their cell, in the other folds.

    `cell` and `inside` have shape (n,). The bound is DeLong's, on the logit scale; it is 0 where either kind
    of row is too rare for one. Source: E. R. DeLong et al., Biometrics 44 (1988) 837-845, on counts.
    """
    positive = int(inside.sum())
    if min(positive, len(inside) - positive) < ranking.FEWEST:
        return NOTHING
    fold, width = np.arange(len(cell)) % FOLDS, int(cell.max()) + 1
    flat = np.bincount((fold * width + cell) * 2 + inside, minlength=FOLDS * width * 2)
    counts = flat.reshape(FOLDS, width, 2).astype(float)
    others = counts.sum(axis=0) - counts
    prior = others[..., 1].sum(axis=1, keepdims=True) / others.sum(axis=(1, 2))[:, None]
    share = (others[..., 1] + prior) / (others.sum(axis=2) + 1)
    occupied = counts.sum(axis=2) > 0
    _, rank = np.unique(share[occupied].round(12), return_inverse=True)
    out, into = (np.bincount(rank, weights=counts[occupied][:, kind]).astype(float) for kind in (0, 1))
    below = (np.cumsum(out) - out / 2) / out.sum()
    above = 1 - (np.cumsum(into) - into / 2) / into.sum()
    value = float(np.average(below, weights=into))
    error = math.sqrt(_variance(below, into) / into.sum() + _variance(above, out) / out.sum())
    if value > 1 - 1e-12:
        value = 1.0
    elif not error:
        return NOTHING
    return LeakArea(value, ranking.area_bounds(value, error, int(min(into.sum(), out.sum())), CONFIDENCE)[0])


def _variance(values: Numbers, weights: Numbers) -> float:
    mean = np.average(values, weights=weights)
    return float((weights * (values - mean) ** 2).sum() / (weights.sum() - 1))


def _plain(values: pd.Series) -> bool:
    return observed_table.kind_of(values) in ("number", "integer", "text", "boolean")


def _cut(codes: Codes, most: int) -> Codes:
    """Codes in order as at most `most` cells from 1; 0 is a missing value."""
    present = codes[codes >= 0]
    if not len(present) or present.max() < most:
        return codes + 1
    cuts = np.unique(np.quantile(present, np.linspace(0, 1, most + 1)[1:-1]))
    return np.where(codes < 0, 0, 1 + np.searchsorted(cuts, codes, side="right"))


def _subsets(cell: Codes, rows: Mask) -> Iterator[Mask]:
    """The rows; then those that have a value, where these are at least half of them but not all."""
    yield rows
    present = rows & (cell > 0)
    if rows.sum() / 2 <= present.sum() < rows.sum():
        yield present


def _numbers(features: pd.DataFrame) -> Numbers:
    """The features as numbers (n, features), standardised; zero for values that are not finite numbers."""
    numbers = np.zeros(features.shape)
    for index, name in enumerate(features.columns):
        if pd.api.types.is_numeric_dtype(features[name].dtype):
            values = features[name].to_numpy(dtype=float, na_value=np.nan)
            finite = np.isfinite(values)
            with np.errstate(over="ignore", invalid="ignore"):
                centred = values[finite] - values[finite].mean() if finite.any() else values[finite]
                numbers[finite, index] = (
                    np.nan_to_num(centred / (centred.std() or 1.0)) if finite.any() else 0.0
                )
    return numbers


def _distances(features: pd.DataFrame, inside: Mask) -> Callable[[int, int], float]:
    """The area of two numbers by their best difference, if both were normal given the label."""
    numbers = _numbers(features)
    gap = numbers[inside].mean(axis=0) - numbers[~inside].mean(axis=0)
    spread = _within(numbers, inside)

    def distance(one: int, other: int) -> float:
        a, b, c = spread[one, one], spread[other, other], spread[one, other]
        determinant = a * b - c * c
        square = (gap[one] ** 2 * b - 2 * gap[one] * gap[other] * c + gap[other] ** 2 * a) / determinant
        return float(stats.norm.cdf(math.sqrt(max(0.0, square) / 2)))

    return distance


def _ranks(two: pd.DataFrame, inside: Mask) -> Codes:
    """The rows' ranks by the difference of two numbers that separates the label's means best."""
    numbers = _numbers(two)
    gap = numbers[inside].mean(axis=0) - numbers[~inside].mean(axis=0)
    return np.unique(numbers @ np.linalg.solve(_within(numbers, inside), gap), return_inverse=True)[1]


def _within(numbers: Numbers, inside: Mask) -> Numbers:
    """The covariance within the label's values, invertible even for two columns that move together."""
    centred = np.where(
        inside[:, None], numbers - numbers[inside].mean(axis=0), numbers - numbers[~inside].mean(axis=0)
    )
    return np.asarray(centred.T @ centred / len(centred)) + RIDGE * np.eye(numbers.shape[1])
