"""The area under the ROC curve of rows that weigh or come in clusters, alone and by group.

DeLong's variance, with the parts of the rows of a cluster added up before they are squared. Sources:
N. A. Obuchowski, Biometrics 53 (1997) 567-578; E. R. DeLong et al., Biometrics 44 (1988) 837-845.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from clearance.documents.group_names import MISSING
from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import intervals, ranking, rates, sampling_design
from clearance.metrics.sampling_design import Codes, Design, Floats

Labels = npt.NDArray[np.integer]

METHOD = f"over weighed rows or clusters {ranking.METHOD}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Area:
    """The area of some rows, and what its variance is made of.

    `value`, in [0, 1], is the chance that a favourable row outscores an unfavourable one, ties half, both
    drawn by weight. `parts` (clusters, 1) are each cluster's part of its error. `rows` and `clusters` are
    those of the unfavourable and of the favourable label, `effective` the rows they count for.
    """

    value: float
    parts: sparse.csr_array
    rows: tuple[int, int]
    clusters: tuple[int, int]
    effective: tuple[float, float]

    def bounds(
        self, variance: float, confidence: float, shared: float = 1.0, times: int = 1
    ) -> intervals.Interval:
        """Bounds on the area with so many `times` the rows.

        They hold if its parts vary so much, `shared` times that beside others.
        """
        pairs = zip(self.rows, self.clusters, strict=True)
        worth = min(
            sampling_design.worth(rows * times, clusters * times, confidence) for rows, clusters in pairs
        )
        other, favourable = (max(1.0, effective * times * worth / shared) for effective in self.effective)
        error = math.sqrt(variance * shared / (worth * times))
        return ranking.wider_bounds(self.value, error, favourable, other, confidence)


def area(label: Labels, scores: Floats, weights: Floats, at: Codes, clusters: int) -> Area:
    """The area of n rows of both labels, each with a weight and one of `clusters` clusters."""
    level = np.unique(scores, return_inverse=True)[1]
    sides = [np.flatnonzero(label == outcome) for outcome in (0, 1)]
    sums = [np.bincount(level[side], weights[side], minlength=int(level.max()) + 1) for side in sides]
    totals = [outcome.sum() for outcome in sums]
    under = (np.cumsum(sums[0]) - sums[0] / 2) / totals[0]
    over = 1 - (np.cumsum(sums[1]) - sums[1] / 2) / totals[1]
    value = float(np.clip(sums[1] @ under / totals[1], 0.0, 1.0))
    part = np.zeros(len(label))
    for side, placed, total in zip(sides, (over, under), totals, strict=True):
        few = math.sqrt(len(side) / max(1, len(side) - 1))
        part[side] = few * weights[side] * (placed[level[side]] - value) / total
    cluster_weights = [np.bincount(at[side], weights[side]) for side in sides]
    parts = sparse.coo_array((part, (at, np.zeros_like(at))), shape=(clusters, 1)).tocsr()
    return Area(
        value=value,
        parts=parts,
        rows=(len(sides[0]), len(sides[1])),
        clusters=(int((cluster_weights[0] > 0).sum()), int((cluster_weights[1] > 0).sum())),
        effective=(_effective(cluster_weights[0]), _effective(cluster_weights[1])),
    )


def _effective(weights: npt.NDArray[Any]) -> float:
    """Kish's effective number of rows; a whole number where all weigh alike."""
    number = float(weights.sum() ** 2 / (weights**2).sum())
    return round(number) if abs(number - round(number)) < 1e-9 else number


def measure(label: Labels, scores: Floats, design: Design, confidence: float) -> Measurement:
    """The area of all rows; undefined with one label, or few clusters of one."""
    support = {"favourable label": int((label == 1).sum()), "unfavourable label": int((label == 0).sum())}
    if 0 in support.values():
        return undefined(f"every test row has the label {label[0]}", support)
    weights, at = design.of_each(len(label))
    total = area(label, scores, weights, at, int(at.max()) + 1)
    if few := _few({"all rows": total}, design):
        return undefined(few, support)
    variance = float((total.parts.T @ total.parts).toarray()[0, 0])
    if lack := _lack({"all rows": total}, [variance]):
        return Measurement(value=total.value, method=f"no interval: {lack}", support=support)
    low, high = total.bounds(variance, confidence)
    return Measurement(
        value=total.value, low=low, high=high, confidence=confidence, method=METHOD, support=support
    )


def difference(
    label: Labels,
    scores: Floats,
    *,
    design: Design,
    group: Codes,
    names: Mapping[int, str],
    confidence: float,
) -> Measurement:
    """`roc_auc_difference` as `ranked.measure` defines it, where rows weigh or come in clusters.

    `group` (n,) is the number of each row's group, `names` those of the groups; a negative one has no rows.
    """
    compared = {name: code for code, name in names.items() if name != MISSING}
    inside = {name: np.flatnonzero(group == code) for name, code in compared.items()}
    support = {
        f"{name}, {word} label": int((label[rows] == value).sum())
        for name, rows in inside.items()
        for value, word in ((1, "favourable"), (0, "unfavourable"))
    }
    if hole := _hole(inside, label):
        return undefined(hole, support)
    weights, at = design.of_each(len(label))
    count = int(at.max()) + 1
    areas = {
        name: area(label[rows], scores[rows], weights[rows], at[rows], count) for name, rows in inside.items()
    }
    if few := _few(areas, design):
        return undefined(few, support)
    parts = sparse.hstack([area_.parts for area_ in areas.values()])
    covariance = (parts.T @ parts).toarray()
    values = {name: area_.value for name, area_ in areas.items()}
    if lack := _lack(areas, np.diag(covariance).tolist()):
        gap = max(values.values()) - min(values.values())
        return Measurement(value=gap, method="no interval", support=support, lack=lack)
    places = {name: at for at, name in enumerate(areas)}
    pairs = (covariance[np.ix_(pair, pair)] for pair in combinations(range(len(areas)), 2))
    shared = max(sampling_design.shared(pair, [1, -1]) for pair in pairs)

    def bounds(name: str, level: float, times: int) -> intervals.Interval:
        variance = float(covariance[places[name], places[name]])
        return areas[name].bounds(variance, level, shared, times)

    figures = intervals.gaps(values, bounds)
    return intervals.largest_gap(figures, confidence, f"{METHOD}, MOVER", support)


def _hole(inside: Mapping[str, Codes], label: Labels) -> str | None:
    """Why the groups have no areas to compare, or None."""
    if empty := sorted(name for name, rows in inside.items() if not len(rows)):
        return f"no rows to count in {', '.join(empty)}"
    if len(inside) < 2:
        return f"a comparison needs two groups, there {'is' if len(inside) == 1 else 'are'} {len(inside)}"
    if single := sorted(name for name, rows in inside.items() if len(np.unique(label[rows])) < 2):
        return f"only one label in {', '.join(single)}"
    return None


def _few(areas: Mapping[str, Area], design: Design) -> str | None:
    if design.at is None:
        return None
    label_rates = {
        f"{name}, {word} label": rates.Rate(
            successes=0, total=0, rows=area_.rows[label], clusters=area_.clusters[label]
        )
        for name, area_ in areas.items()
        for label, word in ((1, "favourable"), (0, "unfavourable"))
    }
    return rates.few_clusters(label_rates)


def _lack(areas: Mapping[str, Area], variances: Sequence[float]) -> str | None:
    """Which areas stand on too few rows for an interval, or on scores that are all the same."""
    thin = sorted(
        f"{name} has {min(area_.rows)}"
        for name, area_ in areas.items()
        if min(area_.effective) < ranking.FEWEST
    )
    if thin:
        return f"{ranking.FEWEST} rows of each label are needed, by their weight: {', '.join(thin)}"
    pairs = zip(areas.items(), variances, strict=True)
    flat = [name for (name, area_), variance in pairs if variance == 0 and 0 < area_.value < 1]
    return f"all scores are the same in {', '.join(sorted(flat))}" if flat else None
