"""How far the cells of a feature are from the reference: one function, `effect`, for every such metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from clearance.monitoring.figures import effects
from clearance.monitoring.statistics import change, divergence, normal, rates, reference
from clearance.monitoring.statistics.divergence import DivergenceEffect
from clearance.monitoring.statistics.normal import NormalEffect
from clearance.monitoring.statistics.reference import ReferenceCounts

__all__ = ["METRICS", "ReferenceCounts", "applies", "effect"]

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

OTHER, MISSING = -2, -1
"""The places of the cells of other and of missing values."""


def applies(metric: str, kind: Literal["number", "category"]) -> bool:
    """Whether the metric is defined for features of this kind.

    Categories have no order and no distance; numbers have no list of values beside which others are unseen.
    """
    of_one_kind = {"drift.shift": "number", "drift.wasserstein": "number", "data.unseen_share": "category"}
    return of_one_kind.get(metric, kind) == kind


def effect(metric: str, live: Counts, reference: ReferenceCounts) -> effects.Effect:
    """How far the `live` cells are from those of the reference, by a metric of `METRICS`.

    Undefined without live or reference rows, without any value to compare, and where `applies` says no.
    Raises ValueError where the cells are not those of the reference, KeyError for another metric.
    """
    live = np.asarray(live)
    if len(live) != reference.bins.size or len(reference.counts) != len(live):
        raise ValueError(f"{len(live)} cells, and the reference has {reference.bins.size}")
    rows = int(live.sum())
    hole = (
        "no rows to judge"
        if not rows
        else "no rows in the reference"
        if not reference.rows
        else None
        if applies(metric, reference.bins.kind)
        else "numbers have no list of known values"
        if reference.bins.kind == "number"
        else "categories have no order"
    )
    if hole:
        return normal.undefined(hole, rows, reference.rows)
    return METRICS[metric](live, reference)


def _divergence(index: str, live: Counts, against: ReferenceCounts) -> effects.Effect:
    before, rows, of = against.counts, int(live.sum()), against.rows
    effective = 1 / (1 / rows + 1 / of)
    scale = effective * (1.0 if index == "psi" else 8 * math.log(2))
    pooled_live, pooled_before = divergence.pooled(live, before)
    cells = int(((live + before) > 0).sum())
    stretch, degrees, days = _stretch(against, rows, cells)
    if index == "psi":
        plain = float(divergence.psi(live, before))
        estimate, of_pooled = (
            divergence.half_row_psi(live, before),
            divergence.half_row_psi(pooled_live, pooled_before),
        )
    else:
        plain = estimate = float(divergence.jensen_shannon(live, before))
        of_pooled = float(divergence.jensen_shannon(pooled_live, pooled_before))
    return DivergenceEffect(
        plain=plain,
        rows=rows,
        reference_rows=of,
        scale=scale,
        statistic=estimate * scale,
        degrees=degrees,
        pooled_statistic=of_pooled * scale,
        pooled_degrees=min(degrees, len(pooled_live) - 1),
        no_change=partial(_any_cell, live, against),
        stretch=stretch,
        days=days,
        width=divergence.width(index, live, before),
        most=math.inf if index == "psi" else 1.0,
        assumption=against.assumption,
    )


def _stretch(against: ReferenceCounts, rows: int, cells: int) -> tuple[float, float, float]:
    """By how much, and with how many degrees of freedom, the sum of squares varies; and those of days.

    The largest eigenvalue and what the mean needs beside it: the tail is then never too light.
    """
    between, of = against.between_days, against.rows
    if between is None or cells < 2:
        return 1.0, float(cells - 1), math.inf
    share = np.maximum(against.counts, 0.5) / of
    root = 1 / np.sqrt(share)
    chance = np.eye(len(share)) - np.outer(np.sqrt(share), np.sqrt(share))
    observed = between.covariance * np.outer(root, root)
    days = observed - between.sampling * chance
    independent = 1 / rows + 1 / of
    values, vectors = np.linalg.eigh(days)
    days = (vectors * np.maximum(values, 0.0)) @ vectors.T
    total = np.linalg.eigvalsh(days / independent + chance)
    stretch = max(1.0, float(total[-1]))
    variance, raw = float(np.trace(days)) + independent * (cells - 1), float(np.trace(observed))
    freedom = between.degrees * (variance / raw) ** 2 if raw > 0 else math.inf
    return stretch, max(1.0, float(total.sum()) / stretch), max(1.0, freedom)


def _any_cell(live: Counts, against: ReferenceCounts) -> float:
    """The p-value of "no cell changed"."""
    eye = np.eye(len(live))
    present = (live + against.counts) > 0
    up, down = _hits(
        (live[present], int(live.sum())), (against.counts[present], against.rows), against, eye[present]
    )
    return float(change.most_extreme(np.concatenate([up, down])))


def _hits(
    now: tuple[Counts, int], before: tuple[Counts, int], against: ReferenceCounts, scores: Floats
) -> tuple[Floats, Floats]:
    """The p-values of more, and of fewer, live hits; each side has its counts of hits, and its rows.

    Row i of `scores` says which cells are a hit of count i.
    """
    (hits, rows), (hits_before, of) = now, before
    split = change.Split(hits=hits, live=np.array(rows), hits_before=hits_before, reference=np.array(of))
    if against.between_days is None:
        return change.tails(split)
    spreads = [
        reference.spread(against, score, _binary((k + j) / (rows + of)), rows, of)
        for score, k, j in zip(scores, hits, hits_before, strict=True)
    ]
    inflation = np.array([spread.inflation for spread in spreads])
    degrees = np.array([spread.degrees for spread in spreads])
    return change.inflated_tails(split, inflation, degrees)


def _binary(rate: float) -> float:
    """The variance of one row that is a hit with this probability."""
    return rate * (1 - rate)


def _values(live: Counts, against: ReferenceCounts) -> tuple[Counts, Counts]:
    """The cells of values, without missing ones, and for numbers without what is not a number."""
    end = OTHER if against.bins.kind == "number" else MISSING
    return live[:end], against.counts[:end]


def _of_values(measure: Callable[[Counts, ReferenceCounts], effects.Effect]) -> Any:
    """`measure`, undefined where one side has no value at all."""

    def measured(live: Counts, against: ReferenceCounts) -> effects.Effect:
        now, before = _values(live, against)
        if now.sum() and before.sum():
            return measure(live, against)
        where = "in the reference" if now.sum() else "in this window"
        return normal.undefined(f"every value {where} is missing", int(now.sum()), int(before.sum()))

    return measured


def _ks(live: Counts, against: ReferenceCounts) -> effects.Effect:
    now, before = _values(live, against)
    if against.bins.kind == "category":
        return _absolute(live, against, np.full(len(now), 0.5), np.eye(len(now)), ends=(0.0, 1.0))
    rows, of = int(now.sum()), int(before.sum())
    if len(now) < 2:
        return NormalEffect(value=0.0, rows=rows, reference_rows=of, standard_error=0.0, ends=(0.0, 1.0))
    hits, hits_before = np.cumsum(now)[:-1], np.cumsum(before)[:-1]
    gaps = hits / rows - hits_before / of
    at = int(np.argmax(np.abs(gaps)))
    scores = np.tri(len(gaps), len(now), dtype=float)
    share = (hits + hits_before) / (rows + of)
    spread = reference.spread(against, scores[at], _binary(float(share[at])), rows, of)
    widest = math.sqrt(float((share * (1 - share)).max()) * (1 / rows + 1 / of) * spread.inflation)
    noise, plain = change.noise_of_largest(len(gaps)) * widest, float(abs(gaps[at]))

    def no_change() -> tuple[float, float]:
        up, down = _hits((hits, rows), (hits_before, of), against, scores)
        return float(change.most_extreme(np.concatenate([up, down]))), 1.0

    return NormalEffect(
        value=math.sqrt(max(0.0, plain**2 - noise**2)),
        plain=plain,
        centre=plain,
        rows=rows,
        reference_rows=of,
        standard_error=math.sqrt(spread.variance),
        degrees=spread.degrees,
        comparisons=2 * len(gaps),
        no_change=no_change,
        null_error=widest,
        fixed=spread.fixed,
        ends=(0.0, 1.0),
        assumption=against.assumption,
    )


def _wasserstein(live: Counts, against: ReferenceCounts) -> effects.Effect:
    now, before = _values(live, against)
    places = _places(against)
    if places is None or not against.deviation or len(now) < 2:
        return normal.undefined("the reference is constant", int(now.sum()), int(before.sum()))
    widths = np.diff(places) / against.deviation
    cuts = np.tri(len(now) - 1, len(now), dtype=float)
    return _absolute(live, against, widths, cuts, ends=(0.0, math.inf))


def _places(against: ReferenceCounts) -> Floats | None:
    """Where each bin lies: the mean of its reference rows, or the edge next to it where it has none."""
    if against.means is None:
        return None
    edges = against.bins.edges
    return np.array(
        [
            (edges[min(at, len(edges) - 1)] if edges else 0.0) if mean is None else mean
            for at, mean in enumerate(against.means)
        ]
    )


def _absolute(
    live: Counts, against: ReferenceCounts, widths: Floats, cuts: Floats, ends: tuple[float, float]
) -> effects.Effect:
    """The sum over `cuts` of `widths` times how far the shares lie apart; row i of `cuts` has the cells of i.

    Of each gap the square of its mean under no change is taken from its square, so that a large gap stays as
    it is. To first order the sum is the mean of one score a cell, given by the signs.
    """
    now, before = _values(live, against)
    rows, of = int(now.sum()), int(before.sum())
    gaps = cuts @ now / rows - cuts @ before / of
    share = cuts @ (now + before) / (rows + of)
    spreads = [
        reference.spread(against, cut, float(_binary(rate)), rows, of)
        for cut, rate in zip(cuts, share, strict=True)
    ]
    each = np.sqrt([spread.variance for spread in spreads])
    plain = float(widths @ np.abs(gaps))
    value = float(widths @ np.sqrt(np.maximum(0.0, gaps**2 - 2 / math.pi * each**2)))
    scores = (widths * np.sign(gaps)) @ cuts
    variance = _variance(scores, now) / rows + _variance(scores, before) / of
    row_variance = _variance(scores, now + before)
    total = reference.spread(against, scores, row_variance, rows, of)
    error = math.sqrt(max(variance, row_variance * (1 / rows + 1 / of)) * total.inflation)

    def no_change() -> tuple[float, float]:
        up, down = _hits(
            (np.rint(cuts @ now).astype(np.int64), rows),
            (np.rint(cuts @ before).astype(np.int64), of),
            against,
            cuts,
        )
        return float(change.most_extreme(np.concatenate([up, down]))), 1.0

    return NormalEffect(
        value=value,
        plain=plain,
        rows=rows,
        reference_rows=of,
        standard_error=error,
        degrees=total.degrees,
        no_change=no_change,
        null_value=float(widths @ each) * math.sqrt(2 / math.pi),
        null_error=float(widths @ each) * math.sqrt(1 - 2 / math.pi),
        fixed=total.fixed,
        ends=ends,
        assumption=against.assumption,
    )


def _variance(scores: Floats, counts: Array) -> float:
    share = counts / counts.sum()
    mean = float(share @ scores)
    return max(0.0, float(share @ scores**2) - mean**2)


def _shift(live: Counts, against: ReferenceCounts) -> effects.Effect:
    now, before = _values(live, against)
    rows, of = int(now.sum()), int(before.sum())
    place = (np.cumsum(before) - before / 2) / of
    place_now = (np.cumsum(now) - now / 2) / rows
    value = float(now @ place) / rows - 0.5
    variance = _variance(place, now) / rows + _variance(place_now, before) / of
    both = now + before
    scores = (np.cumsum(both) - both / 2) / (rows + of)
    row_variance = _variance(scores, both)
    spread = reference.spread(against, place, row_variance, rows, of)
    floor = 0.25 / (rows * of)

    def no_change() -> tuple[float, float]:
        above, below = (change.tail_of_sum(both, rows, by, float(now @ by)) for by in (scores, 1 - scores))
        if (both > 0).sum() >= _FEW_CELLS and not math.isnan(above + below):
            tails = (change.deflated(p, spread.inflation, spread.degrees) for p in (above, below))
            return next(tails), next(tails)
        cuts = np.tri(max(1, len(now) - 1), len(now), dtype=float)
        hits, hits_before = ((cuts @ cells).astype(np.int64) for cells in (now, before))
        more, fewer = _hits((hits, rows), (hits_before, of), against, cuts)
        return float(change.most_extreme(fewer)), float(change.most_extreme(more))

    return NormalEffect(
        value=value,
        rows=rows,
        reference_rows=of,
        standard_error=math.sqrt(max(variance, floor) * spread.inflation),
        degrees=spread.degrees,
        no_change=no_change,
        null_error=math.sqrt(spread.variance),
        fixed=spread.fixed,
        ends=(-0.5, 0.5),
        assumption=against.assumption,
    )


def _unseen(live: Counts, against: ReferenceCounts) -> effects.Effect:
    return rates.excess(live, against, cell=OTHER, before=_unseen_before(against), ends=(0.0, 1.0))


def _unseen_before(against: ReferenceCounts) -> int:
    """Rows of the reference whose category no other row has: as many new ones are expected in as many rows.

    Source: I. J. Good, Biometrika 40 (1953) 237-264 (Good-Turing).
    """
    listed = against.counts[:OTHER] if against.bins.kind == "category" else against.counts[:0]
    return int(against.counts[OTHER] + (listed == 1).sum())


def _missing(live: Counts, against: ReferenceCounts) -> effects.Effect:
    return rates.excess(live, against, cell=MISSING, before=int(against.counts[MISSING]), ends=(-1.0, 1.0))


_FEW_CELLS = 4
"""With fewer cells than these the cuts between them are tested exactly, each on its own."""

METRICS: Mapping[str, Callable[[Counts, ReferenceCounts], effects.Effect]] = {
    "drift.psi": partial(_divergence, "psi"),
    "drift.jensen_shannon": partial(_divergence, "jensen_shannon"),
    "drift.ks": _of_values(_ks),
    "drift.wasserstein": _of_values(_wasserstein),
    "drift.shift": _of_values(_shift),
    "data.unseen_share": _unseen,
    "data.missing_excess": _missing,
}
"""The metrics of the cells of one feature; `clearance.documents.monitoring_catalogue` says what each is."""
