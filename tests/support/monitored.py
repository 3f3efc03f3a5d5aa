"""Baselines and windows made from rows in memory, for what reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clearance.documents.baseline_document import (
    BaselineDocument,
    FeatureBins,
    FeatureReference,
    GroupReference,
)
from clearance.monitoring.counting.window_counts import Contributions, WindowCounts

THRESHOLD = 0.5
Array = npt.NDArray[Any]


def cell_of(scores: Array, edges: Array) -> Array:
    """The cell of each score: above the edge before it, at most its own."""
    return np.searchsorted(edges, scores, side="left")


def cells(scores: Array, labels: Array, edges: Array, threshold: float = THRESHOLD) -> list[tuple[int, ...]]:
    """Rows of (cell, label, decision, count)."""
    keys = zip(cell_of(scores, edges), labels, scores >= threshold, strict=True)
    counts = Counter((int(cell), int(label), int(decision)) for cell, label, decision in keys)
    return [(*key, count) for key, count in sorted(counts.items())]


def baseline(
    scores: Array,
    labels: Array,
    *,
    groups: Mapping[str, Array] | None = None,
    calibration: tuple[Array, Array] | None = None,
    attribution: Mapping[str, float] | None = None,
    size: int = 10,
    edges: Array | None = None,
    threshold: float = THRESHOLD,
) -> BaselineDocument:
    """A baseline of test rows with scores and labels; tune rows in `calibration`, else the same rows."""
    if edges is None:
        edges = np.unique(np.quantile(scores, np.arange(1, size) / size))
    at = cell_of(scores, edges)
    decisions = scores >= threshold
    bins = FeatureBins(kind="number", edges=tuple(edges.tolist()))
    means = [float(scores[at == cell].mean()) if (at == cell).any() else None for cell in range(bins.size)]
    tables = {
        name: {
            group: GroupReference(
                rows=int((of == group).sum()),
                selected=int(((of == group) & decisions).sum()),
                positive=int(((of == group) & (labels == 1)).sum()),
                true_positive=int(((of == group) & (labels == 1) & decisions).sum()),
            )
            for group in sorted(set(of.tolist()))
        }
        for name, of in (groups or {}).items()
    }
    tune = (scores, labels) if calibration is None else calibration
    return BaselineDocument(
        model_sha256="0" * 64,
        threshold=threshold,
        rows=len(scores),
        features={},
        score=FeatureReference(
            bins=bins,
            counts=tuple(np.bincount(at, minlength=bins.size).tolist()),
            means=tuple(means),
        ),
        cells=tuple(cells(scores, labels, edges, threshold)),
        calibration=tuple(cells(*tune, edges, threshold)),
        groups=tables,
        attribution=attribution,
    )


def window(
    reference: BaselineDocument,
    scores: Array,
    *,
    labels: Array | None = None,
    labelled: Array | None = None,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    decisions: Array | None = None,
    contributions: Mapping[str, Array] | None = None,
) -> WindowCounts:
    """A window of decisions; those of `labelled` (all) have their label."""
    assert reference.score is not None
    at = cell_of(scores, np.array(reference.score.bins.edges))
    chosen = scores >= reference.threshold if decisions is None else decisions
    named = groups or {}
    keys = [tuple((name, values[row]) for name, values in named.items()) for row in range(len(scores))]
    decided = Counter(
        (key, int(cell), int(decision)) for key, cell, decision in zip(keys, at, chosen, strict=True)
    )
    known: Counter[tuple[Any, int, int, int]] = Counter()
    if labels is not None:
        for row in np.flatnonzero(np.ones(len(scores), bool) if labelled is None else labelled):
            known[keys[row], int(at[row]), int(chosen[row]), int(labels[row])] += 1
    return WindowCounts(
        rows=len(scores),
        features={},
        score=np.bincount(at, minlength=reference.score.bins.size),
        decisions=dict(decided),
        labelled=dict(known),
        contributions={
            name: Contributions(rows=len(sizes), total=float(sizes.sum()), squares=float((sizes**2).sum()))
            for name, sizes in (contributions or {}).items()
        },
    )
