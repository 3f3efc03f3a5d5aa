"""Features that all but give the label or a group away: a copy with errors or noise, two that settle it.

Told by the area under the ROC curve, cross-validated on a bounded sample. Certainties are for `leaks` to
name; how large an area is too large is the caller's to say.
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
from expectations import custom, leaks

BINS = 20
"""Values a feature is cut into where it has more."""

PAIRED = 64
"""Features looked at in pairs, at most: the first ones. Pairs grow with the square."""

CONFIDENCE = 0.95
RIDGE = 1e-9

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Area:
    """How well rows inside are told from the others: 0.5 is chance, 1 is no error; and its lower bound."""

    value: float
    low: float

    def __str__(self) -> str:
        return f"an area under the ROC curve of {self.value:.3f} (at least {self.low:.3f})"

    def leaks(self, most: float) -> bool:
        """Whether it is surely above `most`, or without a single error."""
        return self.low > most or self.value == 1


NOTHING = Area(0.5, 0.0)


def sample(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """At most `ROWS` rows of these columns, evenly spread over the table."""
    return frame[columns].iloc[:: max(1, math.ceil(len(frame) / ROWS))]


def cells(values: pd.Series) -> list[Codes]:
    """The rows' cells (n,) from 1, 0 where the value is missing: one way or two of grouping the values.

    In order, cut into at most `BINS`; and each value its own cell, where rows are enough for that.
    """
    if not _plain(values):
        return []
    codes, levels = pd.factorize(values, sort=True)
    single = BINS < len(levels) <= len(codes) / leaks.ROWS_A_VALUE
    return [_cut(codes, BINS), *([codes + 1] if single else [])]


def alone(ways: list[Codes], column: pd.Series) -> Area:
    """How well a feature's `cells` tell the value of the column that they tell best from the others.

    Rows without the column are left out; a missing value of the feature counts as one of its own, and is left
    aside where at least half the rows have one, if more is told then.
    """
    codes, names = pd.factorize(column)
    targets = range(1 if len(names) == 2 else len(names))
    found = [
        area(way[rows], codes[rows] == at)
        for way in ways
        for rows in _parts(way, codes >= 0)
        for at in targets
    ]
    return max(found, key=lambda each: each.low, default=NOTHING)


def pairs(features: pd.DataFrame, label: pd.Series, limit: float) -> Iterator[tuple[str, str, Area]]:
    """Each two features that leak the label beyond the limit when joined.

    They are joined as cells of both, and as the difference that parts the label's means best.
    """
    known = label.notna().to_numpy()
    inside = pd.factorize(label[known])[0] == 0
    names = [name for name in features.columns if _plain(features[name])][:PAIRED]
    found = features.loc[known, names]
    most = max(3, min(BINS, math.isqrt(len(found) // 10)))
    binned = [_cut(pd.factorize(found[name], sort=True)[0], most) for name in names]
    distance = _distances(found, inside)
    for one in range(len(names)):
        for other in range(one + 1, len(names)):
            best = area(binned[one] * (most + 1) + binned[other], inside)
            if not best.leaks(limit) and distance(one, other) > limit:
                best = area(_cut(_ranks(found[[names[one], names[other]]], inside), BINS), inside)
            if best.leaks(limit):
                yield names[one], names[other], best


def area(cell: Codes, inside: Mask) -> Area:
    """The area when rows are ranked by the share inside of their cell, among the rows of the other folds.

    `cell` and `inside` have shape (n,). The bound is DeLong's, on the logit scale; it is 0 where either kind
    of row is too rare for one. Source: E. R. DeLong et al., Biometrics 44 (1988) 837-845, on counts.
    """
    some = int(inside.sum())
    if min(some, len(inside) - some) < ranking.FEWEST:
        return NOTHING
    fold, width = np.arange(len(cell)) % FOLDS, int(cell.max()) + 1
    flat = np.bincount((fold * width + cell) * 2 + inside, minlength=FOLDS * width * 2)
    counts = flat.reshape(FOLDS, width, 2).astype(float)
    others = counts.sum(axis=0) - counts
    prior = others[..., 1].sum(axis=1, keepdims=True) / others.sum(axis=(1, 2))[:, None]
    share = (others[..., 1] + prior) / (others.sum(axis=2) + 1)
    seen = counts.sum(axis=2) > 0
    _, rank = np.unique(share[seen].round(12), return_inverse=True)
    out, into = (np.bincount(rank, weights=counts[seen][:, kind]).astype(float) for kind in (0, 1))
    below = (np.cumsum(out) - out / 2) / out.sum()
    above = 1 - (np.cumsum(into) - into / 2) / into.sum()
    value = float(np.average(below, weights=into))
    error = math.sqrt(_variance(below, into) / into.sum() + _variance(above, out) / out.sum())
    if value > 1 - 1e-12:
        value = 1.0
    elif not error:
        return NOTHING
    return Area(value, ranking.area_bounds(value, error, int(min(into.sum(), out.sum())), CONFIDENCE)[0])


def _variance(values: Numbers, weights: Numbers) -> float:
    mean = np.average(values, weights=weights)
    return float((weights * (values - mean) ** 2).sum() / (weights.sum() - 1))


def _plain(values: pd.Series) -> bool:
    return custom.kind_of(values) in ("number", "integer", "text", "boolean")


def _cut(codes: Codes, most: int) -> Codes:
    """Codes in order as at most `most` cells from 1; 0 is a missing value."""
    known = codes[codes >= 0]
    if not len(known) or known.max() < most:
        return codes + 1
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, most + 1)[1:-1]))
    return np.where(codes < 0, 0, 1 + np.searchsorted(cuts, codes, side="right"))


def _parts(found: Codes, rows: Mask) -> Iterator[Mask]:
    """The rows, and those of them that have a value where these are not all, and at least half."""
    yield rows
    known = rows & (found > 0)
    if rows.sum() / 2 <= known.sum() < rows.sum():
        yield known


def _numbers(features: pd.DataFrame) -> Numbers:
    """The features as numbers (n, features), standardised; zero for what is none."""
    numbers = np.zeros(features.shape)
    for at, name in enumerate(features.columns):
        if pd.api.types.is_numeric_dtype(features[name].dtype):
            values = features[name].to_numpy(dtype=float, na_value=np.nan)
            known = np.isfinite(values)
            with np.errstate(over="ignore", invalid="ignore"):
                centred = values[known] - values[known].mean() if known.any() else values[known]
                numbers[known, at] = np.nan_to_num(centred / (centred.std() or 1.0)) if known.any() else 0.0
    return numbers


def _distances(features: pd.DataFrame, inside: Mask) -> Callable[[int, int], float]:
    """The area two numbers would have by their best difference, were both normal given the label."""
    numbers = _numbers(features)
    gap = numbers[inside].mean(axis=0) - numbers[~inside].mean(axis=0)
    spread = _within(numbers, inside)

    def distance(one: int, other: int) -> float:
        a, b, c = spread[one, one], spread[other, other], spread[one, other]
        apart = a * b - c * c
        square = (gap[one] ** 2 * b - 2 * gap[one] * gap[other] * c + gap[other] ** 2 * a) / apart
        return float(stats.norm.cdf(math.sqrt(max(0.0, square) / 2)))

    return distance


def _ranks(two: pd.DataFrame, inside: Mask) -> Codes:
    """The rows' places when ordered by the difference of two numbers that parts the label's means best."""
    numbers = _numbers(two)
    gap = numbers[inside].mean(axis=0) - numbers[~inside].mean(axis=0)
    return np.unique(numbers @ np.linalg.solve(_within(numbers, inside), gap), return_inverse=True)[1]


def _within(numbers: Numbers, inside: Mask) -> Numbers:
    """The covariance within the label's values; two columns that move together leave it invertible."""
    centred = np.where(
        inside[:, None], numbers - numbers[inside].mean(axis=0), numbers - numbers[~inside].mean(axis=0)
    )
    return np.asarray(centred.T @ centred / len(centred)) + RIDGE * np.eye(numbers.shape[1])
