"""Inequality of what a decision does to people: generalized entropy and Theil index, from counts.

A person's benefit is 1 + decision - label: 2 for an undeserved favour, 0 for one withheld, else 1. Bounds
come from resampling the cells, and only where every cell can carry it. Nothing here judges.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from clearance.evidence import Measurement, undefined
from clearance.measures import clusters, counts, design, intervals, rates, resampling
from clearance.measures.rates import Group

Floats = npt.NDArray[np.float64]
FEWEST = 10
"""Rows of a cell below which no bootstrap decides: at 0 it collapses to zero width."""

_BENEFIT = np.array([1.0, 2.0, 0.0, 1.0])
_KINDS = {"decided as labelled": (0, 3), "favoured wrongly": (1,), "refused wrongly": (2,)}


def theil(cells: Floats) -> Floats:
    """Theil index of the benefits over `cells` (..., groups, 4), ordered as `Cells.each`.

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
    where rows weigh. No interval where a kind of outcome has fewer than `FEWEST` rows, or clusters.
    """
    metrics = _WHOLE | _BETWEEN
    named = {group: cells for group, cells in groups.items() if group != counts.MISSING}
    support = {group: cells.count for group, cells in named.items()}
    if spread is None and not all(isinstance(cells, counts.Cells) for cells in named.values()):
        return dict.fromkeys(metrics, undefined("no interval is known for it where rows weigh", support))
    ordered = dict(sorted(named.items(), key=lambda item: rates.cells_of(item[1]).each))
    cells = np.array([rates.cells_of(each).each for each in ordered.values()], dtype=np.int64).reshape(-1, 4)
    if cells.sum() == 0:
        return dict.fromkeys(metrics, undefined("there are no rows of a known group", support))
    if few := rates.few_clusters({name: rates.rate(each, "accuracy") for name, each in named.items()}):
        return dict.fromkeys(metrics, undefined(few, support))
    if spread is None:
        drawn = _of_rows(cells, list(ordered), sampling)
    else:
        drawn = _of_clusters(spread.only(list(ordered)), int(cells.sum()), sampling)
    hole = _hole(support)
    found = {
        name: _measured(metric(cells.astype(np.float64)), metric(drawn.tables), drawn.whole, drawn, sampling)
        for name, metric in _WHOLE.items()
    } | {
        name: undefined(hole)
        if hole
        else _measured(metric(cells.astype(np.float64)), metric(drawn.tables), drawn.apart, drawn, sampling)
        for name, metric in _BETWEEN.items()
    }
    return {name: replace(each, support=support) for name, each in found.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Drawn:
    """Tables drawn anew; what they lack for all groups and for each; by how much their bounds are widened."""

    tables: Floats
    whole: str | None
    apart: str | None
    of: str
    wider: float = 1.0


def _of_rows(cells: npt.NDArray[np.int64], names: Sequence[str], sampling: intervals.Sampling) -> _Drawn:
    apart = dict(zip(names, cells, strict=True))
    return _Drawn(
        tables=draw(cells, sampling),
        whole=_lack({"all groups": _by_kind(cells.sum(axis=0))}),
        apart=_lack({name: _by_kind(each) for name, each in apart.items()}),
        of="group x label x decision",
    )


def _of_clusters(spread: clusters.Spread, rows: int, sampling: intervals.Sampling) -> _Drawn:
    """As of rows, with clusters for rows; the bounds are as much wider as so few clusters make a variance."""
    together = clusters.margin(spread, np.zeros(len(spread.groups), dtype=np.int64), ["all groups"])
    tables, drawn = resampling.draw(spread, sampling)
    return _Drawn(
        tables=tables,
        whole=_lack(_clusters_by_kind(together), "clusters"),
        apart=_lack(_clusters_by_kind(spread), "clusters"),
        of=f"{drawn} clusters",
        wider=1 / math.sqrt(design.worth(rows, drawn, sampling.confidence)),
    )


def _by_kind(cells: npt.NDArray[np.int64]) -> dict[str, int]:
    return {kind: int(cells[list(at)].sum()) for kind, at in _KINDS.items()}


def _clusters_by_kind(spread: clusters.Spread) -> dict[str, dict[str, int]]:
    held = {kind: spread.holding(at) for kind, at in _KINDS.items()}
    return {name: {kind: held[kind][at] for kind in held} for at, name in enumerate(spread.groups)}


def _hole(support: Mapping[str, int]) -> str | None:
    if len(support) < 2:
        return f"a comparison needs two groups, there is {len(support)}"
    empty = sorted(group for group, rows in support.items() if rows == 0)
    return f"no rows to count in {', '.join(empty)}" if empty else None


def draw(cells: npt.NDArray[np.int64], sampling: intervals.Sampling) -> Floats:
    """Tables (resamples, groups, 4) drawn from the same rows; equal cells in any order give equal draws.

    `cells` (groups, 4) are in ascending order. The seed is that of `sampling` and the cells themselves.
    """
    content = json.dumps([sampling.seed, cells.tolist()]).encode()
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:16]))
    total = int(cells.sum())
    drawn = random.multinomial(total, cells.ravel() / total, size=sampling.resamples)
    return drawn.reshape(-1, *cells.shape).astype(np.float64)


def _measured(
    value: Floats, drawn: Floats, lack: str | None, how: _Drawn, sampling: intervals.Sampling
) -> Measurement:
    point = float(value)
    if not math.isfinite(point):
        return undefined("nobody benefits: every decision is an undeserved refusal")
    if lack is not None:
        return Measurement(value=point, method="no interval", lack=lack)
    tail = (1 - sampling.confidence) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail]).tolist()
    low, high = min(low, 2 * point - high), max(high, 2 * point - low)
    return Measurement(
        value=point,
        low=max(0.0, point - how.wider * (point - low)),
        high=point + how.wider * (high - point),
        confidence=sampling.confidence,
        method=f"multinomial bootstrap over {how.of}, {sampling.resamples} draws, "
        "the wider of percentile and basic",
    )


def _lack(groups: Mapping[str, Mapping[str, int]], drawn: str = "rows") -> str | None:
    """Which kinds of outcome have too few of what is drawn to be resampled."""
    few = [
        f"{group} has {held} {kind}"
        for group, by_kind in sorted(groups.items())
        for kind, held in by_kind.items()
        if held < FEWEST
    ]
    return f"a bootstrap needs {FEWEST} {drawn} of each kind: {', '.join(few)}" if few else None


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
