"""The rates of one group: which cells are counted among which, with and without sample weights.

A rate is handed on as successes in a total, so that one interval serves both. Nothing here compares groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from clearance.metrics import sampling_design
from clearance.metrics.counts import Cells

_TP, _FP, _FN, _TN = range(4)

RATES: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "selection_rate": ((_TP, _FP), (_TP, _FP, _FN, _TN)),
    "true_positive_rate": ((_TP,), (_TP, _FN)),
    "false_positive_rate": ((_FP,), (_FP, _TN)),
    "false_negative_rate": ((_FN,), (_TP, _FN)),
    "true_negative_rate": ((_TN,), (_FP, _TN)),
    "positive_predictive_value": ((_TP,), (_TP, _FP)),
    "accuracy": ((_TP, _TN), (_TP, _FP, _FN, _TN)),
    "jaccard_index": ((_TP,), (_TP, _FP, _FN)),
}
"""Each rate in [0, 1]: the cells it counts, among which cells. 0: none, 1: all. Undefined over no row.

Selection rate: decided favourably among all. True (false) positive rate: decided favourably among those
labelled favourable (unfavourable); true (false) negative rate: decided unfavourably among those labelled
unfavourable (favourable). Positive predictive value: labelled favourable among those decided so. Accuracy:
decided as labelled among all. Jaccard index: labelled and decided favourable among those either. Definitions:
T. Fawcett, Pattern Recognit. Lett. 27 (2006) 861-874; Fairlearn's and scikit-learn's values.
"""

AMONG = {
    "selection_rate": "",
    "true_positive_rate": "favourable label",
    "false_positive_rate": "unfavourable label",
    "false_negative_rate": "favourable label",
    "true_negative_rate": "unfavourable label",
    "positive_predictive_value": "favourable decision",
    "accuracy": "",
    "jaccard_index": "favourable label or decision",
}
"""The rows a rate is taken over, in words; empty for all rows of the group."""


@dataclass(frozen=True, kw_only=True)
class WeightedCells:
    """The rows of one group by label and decision with their weights' sums and sums of squares.

    `weight` and `squared` follow the order of `Cells.counts`.
    """

    cells: Cells
    weight: tuple[float, ...]
    squared: tuple[float, ...]

    @property
    def count(self) -> int:
        """All rows of the group, unweighted."""
        return self.cells.count


@dataclass(frozen=True, kw_only=True)
class Rate:
    """`successes` among `total`, effective numbers where rows weigh or come in clusters.

    `rows` were really there, in so many `clusters`; None: each row is one.
    """

    successes: float
    total: float
    rows: int
    clusters: int | None = None

    @property
    def value(self) -> float | None:
        """The rate, in [0, 1]; None over no row."""
        return self.successes / self.total if self.total else None


Use = Literal["alone", "compared", "summed", "apart"]
"""What for: a rate alone, against that of other groups, a sum of two against that of other groups, or the
difference of two of one group. Rates that share clusters lean on each other, which only clusters show."""


@dataclass(frozen=True, kw_only=True)
class ClusteredCells:
    """The rows of one group whose rows come in clusters, with every rate as each use of it may have it.

    `weight` are the sums of the weights (of ones where rows do not weigh) in the order of `Cells.counts`.
    """

    cells: Cells
    weight: tuple[float, ...]
    rates: Mapping[Use, Mapping[str, Rate]]

    @property
    def count(self) -> int:
        """All rows of the group, unweighted."""
        return self.cells.count


Group = Cells | WeightedCells | ClusteredCells


def cells_of(group: Group) -> Cells:
    """The rows of the group by label and decision, unweighted."""
    return group if isinstance(group, Cells) else group.cells


def weight_of(group: Group) -> float:
    """The weight of all rows of the group; their number where they do not weigh."""
    return group.count if isinstance(group, Cells) else sum(group.weight)


def rate(group: Group, name: str, use: Use = "compared") -> Rate:
    """The rate called `name` of one group. Raises KeyError on an unknown name."""
    if isinstance(group, ClusteredCells):
        return group.rates[use][name]
    hits, among = RATES[name]
    if isinstance(group, WeightedCells):
        return _weighted(group, hits, among)
    cells = group.counts
    total = sum(cells[at] for at in among)
    return Rate(successes=sum(cells[at] for at in hits), total=total, rows=total)


def few_clusters(over: Mapping[str, Rate]) -> str | None:
    """Which rates stand on rows of fewer than `design.FEWEST` clusters, or None."""
    few = [
        f"only {at.clusters} cluster{'' if at.clusters == 1 else 's'} in {name}"
        for name, at in over.items()
        if at.clusters is not None and at.rows and at.clusters < sampling_design.FEWEST
    ]
    return f"{', '.join(few)}; an interval needs {sampling_design.FEWEST}" if few else None


def _weighted(group: WeightedCells, hits: tuple[int, ...], among: tuple[int, ...]) -> Rate:
    """The weighted rate over the effective number of rows: those that would give the design variance.

    The smaller of Kish's (sum w)^2 / sum w^2 and of p (1 - p) / the linearised variance of the ratio mean,
    so that weights that go along with the outcome widen the interval, and never narrow it. Sources:
    L. Kish, Survey Sampling (1965); E. L. Korn and B. I. Graubard, Survey Methodol. 24 (1998) 193-201.
    """
    rows = sum(group.cells.counts[at] for at in among)
    weight = sum(group.weight[at] for at in among)
    if rows == 0 or weight <= 0:
        return Rate(successes=0.0, total=0.0, rows=0 if weight <= 0 else rows)
    misses = tuple(at for at in among if at not in hits)
    share = min(1.0, sum(group.weight[at] for at in hits) / weight)
    hit, missed = (sum(group.squared[at] for at in part) for part in (hits, misses))
    effective = weight**2 / (hit + missed)
    variance = (hit * (1 - share) ** 2 + missed * share**2) / weight**2
    if 0 < share < 1 and variance > 0:
        effective = min(effective, share * (1 - share) / variance)
    return Rate(successes=share * effective, total=effective, rows=rows)
