"""The cells of a feature, made from reference rows, and the cell of each value.

Pure NumPy. The same function counts the reference and live rows, so both mean the same by a cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance.documents.baseline_document import FeatureBins, FeatureReference
from clearance.monitoring.counting.window_counts import Counts

Places = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

NUMBER_BINS = 10
SCORE_BINS = 20
"""The score has more bins than features: ROC AUC and calibration are read from them."""
MOST_CATEGORIES = 50

SIZE_STEPS = 4
"""Cells of sizes for each power of ten."""
_LARGEST_POWER = 20
SIZES = 2 * SIZE_STEPS * _LARGEST_POWER
"""How many cells of sizes there are: from 1e-20 to 1e20; zeros have none."""


def of_numbers(values: Numbers, bins: int = NUMBER_BINS) -> FeatureBins:
    """At most `bins` bins with about as many values each; NaN and infinities are left out.

    Edges are values of the column, and each value has a bin of its own where there are no more than `bins`. A
    constant column has three bins: below, at and above the constant; nothing is below the lowest number. A
    column without values has one.
    """
    finite = values[np.isfinite(values)]
    distinct = np.unique(finite)
    if len(distinct) == 1:
        below = [np.nextafter(distinct[0], -np.inf)] if distinct[0] > np.finfo(float).min else []
        distinct = np.array([*below, distinct[0], np.inf])
    if len(distinct) <= bins:
        return FeatureBins(kind="number", edges=tuple(distinct[:-1].tolist()))
    quantiles = np.quantile(finite, np.arange(1, bins) / bins, method="inverted_cdf")
    edges = np.unique(quantiles[quantiles < distinct[-1]])
    return FeatureBins(kind="number", edges=tuple(edges.tolist()) or (float(distinct[-2]),))


def of_categories(texts: Sequence[str | None], most: int = MOST_CATEGORIES) -> FeatureBins:
    """The `most` frequent categories, the most frequent first and equally frequent ones by their text."""
    names, counts = np.unique(np.array([text for text in texts if text is not None], str), return_counts=True)
    order = sorted(range(len(names)), key=lambda place: (-counts[place], names[place]))
    return FeatureBins(kind="category", categories=tuple(str(names[place]) for place in order[:most]))


def of_column(column: pd.Series) -> FeatureBins:
    """The bins of a feature as the model takes it: float64, or texts with NaN or None where missing."""
    return of_numbers(_numbers(column)) if _is_number(column) else of_categories(_texts(column))


def places(bins: FeatureBins, column: pd.Series) -> Places:
    """The cell of each value: a bin or category, then `other`, then missing."""
    if bins.kind == "number":
        return _number_places(bins, _numbers(column))
    known = {name: place for place, name in enumerate(bins.categories)}
    other, missing = bins.size - 2, bins.size - 1
    codes, values = pd.factorize(np.array(_texts(column), dtype=object))
    table = np.array([known.get(value, other) for value in values] + [missing], dtype=np.int64)
    return np.asarray(table[codes], dtype=np.int64)


def _number_places(bins: FeatureBins, values: Numbers) -> Places:
    at = np.searchsorted(np.array(bins.edges), values, side="left").astype(np.int64)
    at[np.isinf(values)] = bins.size - 2
    at[np.isnan(values)] = bins.size - 1
    return at


def count(bins: FeatureBins, at: Places) -> Counts:
    """How many of these places are in each cell."""
    return np.bincount(at, minlength=bins.size).astype(np.int64)


def halved(live: Counts, reference: FeatureReference) -> tuple[Counts, FeatureReference]:
    """Cells of a number merged in pairs from the lowest up: half as many bins, and less noise in a distance.

    The score has more bins than a distance of distributions needs.
    """
    pairs = np.arange(len(reference.bins.edges) + 1) // 2
    pairs = np.append(pairs, [pairs[-1] + 1, pairs[-1] + 2])

    def merged(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.bincount(pairs, weights=counts, minlength=pairs[-1] + 1)

    counts = np.array(reference.counts)
    means = np.array([np.nan if mean is None else mean for mean in (*(reference.means or ()), None, None)])
    sums = merged(np.where(counts > 0, np.nan_to_num(means) * counts, 0.0))[:-2]
    rows = merged(counts)[:-2]
    return merged(live).astype(np.int64), replace(
        reference,
        bins=replace(reference.bins, edges=reference.bins.edges[1::2]),
        counts=tuple(merged(counts).astype(int).tolist()),
        means=tuple(float(total / of) if of else None for total, of in zip(sums, rows, strict=True)),
        by_day=None,
    )


def size_places(values: Numbers) -> Places:
    """The cell of the size of each value that is neither 0, nor missing, nor infinite; others have none."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    at = np.floor(SIZE_STEPS * np.log10(sizes)).astype(np.int64) + SIZES // 2
    return np.asarray(np.clip(at, 0, SIZES - 1), dtype=np.int64)


@cache
def size_edges() -> Numbers:
    """The lower end of each cell of sizes, as a power of ten."""
    return (np.arange(SIZES) - SIZES // 2) / SIZE_STEPS


def reference(
    bins: FeatureBins, column: pd.Series, days: npt.NDArray[Any] | None = None, day_count: int = 0
) -> FeatureReference:
    """The feature in these rows. `days` gives the place of each row's day, of `day_count` days."""
    at = places(bins, column)
    by_day = None
    if days is not None:
        table = np.zeros((day_count, bins.size), dtype=np.int64)
        np.add.at(table, (days, at), 1)
        by_day = tuple(tuple(row) for row in table.tolist())
    counts = tuple(count(bins, at).tolist())
    if bins.kind == "category":
        return FeatureReference(bins=bins, counts=counts, by_day=by_day)
    return _number_reference(bins, _numbers(column), at, counts, by_day)


def _number_reference(
    bins: FeatureBins,
    values: Numbers,
    at: Places,
    counts: tuple[int, ...],
    by_day: tuple[tuple[int, ...], ...] | None,
) -> FeatureReference:
    known = np.isfinite(values)
    finite = values[known]
    sizes = np.abs(finite[finite != 0])
    inside = [values[at == place] for place in range(bins.size - 2)]
    return FeatureReference(
        bins=bins,
        counts=counts,
        means=tuple(_moment(part, np.mean, 1) for part in inside),
        mean=_moment(finite, np.mean, 1),
        deviation=_moment(finite, partial(np.std, ddof=1), 2),
        median_size=float(np.median(np.log10(sizes))) if len(sizes) else None,
        by_day=by_day,
    )


def _moment(values: Numbers, measure: Callable[[Numbers], Any], fewest: int) -> float | None:
    """The figure of these values; None of fewer than it needs, and where a double cannot hold it."""
    if len(values) < fewest:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        figure = float(measure(values))
    return figure if np.isfinite(figure) else None


def _is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column))


def _numbers(column: pd.Series) -> Numbers:
    return np.asarray(column.to_numpy(dtype="float64", na_value=np.nan), dtype=np.float64)


def _texts(column: pd.Series) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in column]
