"""Inequality of what a decision does to people: generalized entropy and Theil index, from counts.

A person's benefit is 1 + decision - label: 2 for an undeserved favour, 0 for one withheld, else 1. Bounds
come from resampling the cells, and only where every cell can carry it. Nothing here judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from clearance.documents.group_names import MISSING
from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import clusters, counts, intervals, rates, resampling
from clearance.metrics.rates import Group

Floats = npt.NDArray[np.float64]
_BENEFIT = np.array([1.0, 2.0, 0.0, 1.0])
_KINDS = {"decided as labelled": (0, 3), "favoured wrongly": (1,), "refused wrongly": (2,)}


def theil(cells: Floats) -> Floats:
    """Theil index of the benefits over `cells` (..., groups, 4), ordered as `Cells.counts`.

    Range [0, ln n]: 0 means that all n people benefit alike. NaN where nobody benefits. Sources: H. Theil
    (1967); T. Speicher et al., KDD 2018; AIF360's `theil_index`.
    """
    benefit = np.broadcast_to(_BENEFIT, cells.shape)
    return _theil(_flat(benefit), _flat(cells))


def generalized_entropy(cells: Floats) -> Floats:
    """Generalized entropy index, alpha = 2: half the squared coefficient of variation of the benefits.

    Range [0, (n - 1) / 2]: 0 means that all n people benefit alike. NaN where nobody benefits. Sources: as
    `theil`; AIF360's `generalized_entropy_index` at its default.
    """
    benefit = np.broadcast_to(_BENEFIT, cells.shape)
    return _squared(_flat(benefit), _flat(cells))


def between_group_theil(cells: Floats) -> Floats:
    """Theil index when everybody has the mean benefit of their group: 0 means that groups benefit alike.

    Range [0, ln n]. Source: AIF360's `between_group_theil_index`.
    """
    return _theil(*_means(cells))


def between_group_generalized_entropy(cells: Floats) -> Floats:
    """Generalized entropy, alpha = 2, when everybody has the mean benefit of their group.

    Range [0, (n - 1) / 2]: 0 means that groups benefit alike. Source: AIF360's
    `between_group_generalized_entropy_index`.
    """
    return _squared(*_means(cells))


_WHOLE: dict[str, Callable[[Floats], Floats]] = {
    "theil_index": theil,
    "generalized_entropy_index": generalized_entropy,
}
_BETWEEN: dict[str, Callable[[Floats], Floats]] = {
    "between_group_theil_index": between_group_theil,
    "between_group_generalized_entropy_index": between_group_generalized_entropy,
}


def measure(
    groups: Mapping[str, Group], sampling: intervals.Sampling, spread: clusters.Spread | None = None
) -> dict[str, Measurement]:
    """The four indices of the named groups' rows, each with the wider ends of two bootstrap intervals.

    With the `spread` of the rows over clusters it is the clusters that are drawn. Undefined without rows,
    where nobody benefits, between fewer than two groups, with a group that has no rows or few clusters, and
    where rows weigh. No interval where a kind of outcome has fewer than `resampling.FEWEST` rows (clusters).
    """
    metrics = _WHOLE | _BETWEEN
    by_name = {group: cells for group, cells in groups.items() if group != MISSING}
    support = {group: cells.count for group, cells in by_name.items()}
    if spread is None and not all(isinstance(cells, counts.Cells) for cells in by_name.values()):
        return dict.fromkeys(metrics, undefined("no interval is known for it where rows weigh", support))
    ordered = dict(sorted(by_name.items(), key=lambda item: rates.cells_of(item[1]).counts))
    cells = np.array([rates.cells_of(group).counts for group in ordered.values()], dtype=np.int64).reshape(
        -1, 4
    )
    if cells.sum() == 0:
        return dict.fromkeys(metrics, undefined("there are no rows of a known group", support))
    if few := rates.few_clusters({name: rates.rate(group, "accuracy") for name, group in by_name.items()}):
        return dict.fromkeys(metrics, undefined(few, support))
    if spread is None:
        resamples = resampling.of_rows(cells, list(ordered), _KINDS, sampling)
    else:
        resamples = resampling.of_clusters(spread.only(list(ordered)), _KINDS, sampling)
    hole = _hole(support)
    figures = {
        name: _measured(
            metric(cells.astype(np.float64)),
            metric(resamples.tables),
            resamples.lack_overall,
            resamples,
            sampling,
        )
        for name, metric in _WHOLE.items()
    } | {
        name: undefined(hole)
        if hole
        else _measured(
            metric(cells.astype(np.float64)),
            metric(resamples.tables),
            resamples.lack_by_group,
            resamples,
            sampling,
        )
        for name, metric in _BETWEEN.items()
    }
    return {name: replace(figure, support=support) for name, figure in figures.items()}


def _hole(support: Mapping[str, int]) -> str | None:
    if len(support) < 2:
        return f"a comparison needs two groups, there is {len(support)}"
    empty = sorted(group for group, rows in support.items() if rows == 0)
    return f"no rows to count in {', '.join(empty)}" if empty else None


def _measured(
    value: Floats, values: Floats, lack: str | None, how: resampling.Drawn, sampling: intervals.Sampling
) -> Measurement:
    point = float(value)
    if not math.isfinite(point):
        return undefined("nobody benefits: every decision is an undeserved refusal")
    if (short := lack or sampling.lack) is not None:
        return Measurement(value=point, method="no interval", lack=short)
    tail = (1 - sampling.confidence) / 4  # half the error is kept back: quantiles of few draws are too near
    low, high = np.nanquantile(values, [tail, 1 - tail]).tolist()
    low, high = min(low, 2 * point - high), max(high, 2 * point - low)
    return Measurement(
        value=point,
        low=max(0.0, point - how.wider * (point - low)),
        high=point + how.wider * (high - point),
        confidence=sampling.confidence,
        method=f"multinomial bootstrap over {how.of}, {sampling.resamples} draws, "
        "the wider of percentile and basic at half the error",
    )


def _flat(array: Floats) -> Floats:
    return array.reshape(*array.shape[:-2], -1)


def _means(cells: Floats) -> tuple[Floats, Floats]:
    """Each group's mean benefit and its rows."""
    rows = cells.sum(axis=-1)
    return (cells @ _BENEFIT) / np.where(rows > 0, rows, 1), rows


def _relative(benefit: Floats, rows: Floats) -> tuple[Floats, Floats]:
    total = rows.sum(axis=-1, keepdims=True)
    mean = (benefit * rows).sum(axis=-1, keepdims=True) / total
    return benefit / np.where(mean > 0, mean, np.nan), rows / total


def _theil(benefit: Floats, rows: Floats) -> Floats:
    ratio, share = _relative(benefit, rows)
    safe = np.where(ratio > 0, ratio, np.where(np.isnan(ratio), np.nan, 1.0))
    index: Floats = np.maximum((share * ratio * np.log(safe)).sum(axis=-1), 0.0)
    return index


def _squared(benefit: Floats, rows: Floats) -> Floats:
    ratio, share = _relative(benefit, rows)
    index: Floats = np.maximum((share * (ratio**2 - 1)).sum(axis=-1) / 2, 0.0)
    return index
