"""Rates of groups whose rows come in clusters: sums by cluster, and the effective rows they leave.

A rate's variance is that of sums over clusters (linearised), so rows that repeat each other prove nothing
new; it never narrows an interval below that of independent rows. Nothing here compares groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from clearance.documents.group_names import MISSING
from clearance.metrics import rates, sampling_design
from clearance.metrics.contingency import Encoding
from clearance.metrics.rates import RATES, ClusteredCells, Group, Rate, Use
from clearance.metrics.sampling_design import Codes, Design, Floats

_NAMES = tuple(RATES)
_HITS, _AMONG = (
    np.array([[at in RATES[name][part] for at in range(4)] for name in _NAMES], dtype=np.float64)
    for part in (0, 1)
)
_ODDS = [_NAMES.index(name) for name in ("true_positive_rate", "false_positive_rate")]
_APART = (1, -1)
_PLACE = np.array([3, 1, 2, 0])
"""Where label and decision (2 * label + decision) stand in `Cells.counts`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Spread:
    """How the rows of groups spread over clusters.

    `sums` (clusters, 4 * groups) holds the weight of each cluster's rows by group, ordered as `Cells.counts`;
    a value is above 0 exactly where there are rows.
    """

    groups: tuple[str, ...]
    sums: sparse.csr_array

    def only(self, groups: Sequence[str]) -> Spread:
        """The same of some groups; one that is not among them has no rows."""
        places = {name: at for at, name in enumerate(self.groups)}
        into = [(at, places[name]) for at, name in enumerate(groups) if name in places]
        new, old = np.array(into, dtype=np.int64).reshape(-1, 2).T
        return Spread(groups=tuple(groups), sums=self.sums @ _blocks(old, new, len(self.groups), len(groups)))

    def holding(self, cells: Sequence[int]) -> list[int]:
        """For each group, the clusters that have rows of it in any of these cells."""
        selection = np.isin(np.arange(4), cells)[:, None]
        counts_ = self.sums @ sparse.csr_array(np.kron(np.eye(len(self.groups)), selection))
        return [int(n) for n in np.bincount(counts_.tocoo().col, minlength=len(self.groups))]


def count(
    encoding: Encoding, label: npt.NDArray[np.integer], decision: npt.NDArray[np.bool_], design: Design
) -> Spread:
    """The spread of the finest combinations of groups, named by number, over the clusters of `design`."""
    weights, at = design.of_each(len(label))
    cell = 4 * encoding.at + _PLACE[2 * label.astype(np.int64) + decision]
    shape = (int(at.max(initial=-1)) + 1, 4 * len(encoding.keys))
    sums = sparse.coo_array((weights.astype(np.float64), (at, cell)), shape=shape).tocsr()
    return Spread(groups=tuple(map(str, range(len(encoding.keys)))), sums=sums)


def margin(finest: Spread, at: Codes, names: Sequence[str]) -> Spread:
    """The spread of the groups `names`, where `at` is the group of each finest combination."""
    into = _blocks(np.arange(len(at)), at, len(at), len(names))
    return Spread(groups=tuple(names), sums=finest.sums @ into)


def groups(spread: Spread, plain: Mapping[str, Group], confidence: float) -> dict[str, ClusteredCells]:
    """The groups of `plain`, which are counted without regard to clusters, with rates that regard them.

    Effective rows of one rate alone hold at `confidence`; of rates that are compared or added up, at the
    strictest level any comparison of these groups asks for, and for the clusters that groups share.
    """
    names = list(plain)
    spread = spread.only(names)
    totals, products = spread.sums.sum(axis=0).reshape(-1, 4), (spread.sums.T @ spread.sums).toarray()
    covariance = _covariance(totals, products)
    base = _base(spread, plain, totals, products, covariance)
    compared = [at for at, name in enumerate(names) if name != MISSING]
    pairs = np.array(list(combinations(compared, 2)), dtype=np.int64).reshape(-1, 2)
    strict = sampling_design.strictest(confidence, len(compared))
    shared_compared = {
        name: _shared(covariance, pairs + at * len(names), _APART) for at, name in enumerate(_NAMES)
    }
    odds = np.array(_ODDS) * len(names)
    added = _shared(covariance, (pairs[:, :, None] + odds).reshape(-1, 4), [1, 1, -1, -1])
    result = {}
    for at, name in enumerate(names):
        shared_apart = _shared(covariance, (at + odds)[None], _APART)
        uses: dict[Use, dict[str, Rate]] = {
            "alone": {name_: _shrunk(rate, confidence) for name_, rate in base[at].items()},
            "compared": {
                name_: _shrunk(rate, strict, shared_compared[name_]) for name_, rate in base[at].items()
            },
            "summed": {_NAMES[name_]: _shrunk(base[at][_NAMES[name_]], strict, added) for name_ in _ODDS},
            "apart": {
                _NAMES[name_]: _shrunk(base[at][_NAMES[name_]], confidence, shared_apart) for name_ in _ODDS
            },
        }
        weight = tuple(totals[at].tolist())
        result[name] = ClusteredCells(cells=rates.cells_of(plain[name]), weight=weight, rates=uses)
    return result


def _base(
    spread: Spread, plain: Mapping[str, Group], totals: Floats, products: Floats, covariance: Floats
) -> list[dict[str, Rate]]:
    """Each rate of each group over effective rows, as many clusters as there are taken for plenty."""
    size = len(plain)
    squares = products.reshape(size, 4, size, 4)[range(size), :, range(size)]
    base: list[dict[str, Rate]] = [{} for _ in plain]
    for place, name in enumerate(_NAMES):
        clusters = spread.holding(RATES[name][1])
        for at, cells in enumerate(plain.values()):
            rate = rates.rate(cells, name)
            if rate.total:
                variance = covariance[place * size + at, place * size + at]
                among = _AMONG[place]
                alike = (totals[at] @ among) ** 2 / (among @ squares[at] @ among)
                rate = _effective(rate, float(variance), float(alike))
            base[at][name] = replace(rate, clusters=clusters[at])
    return base


def _effective(rate: Rate, variance: float, alike: float) -> Rate:
    """The rate over the rows that would give its variance, never more than if rows were independent.

    Where all rows agree the variance says nothing: each cluster then counts for one, `alike` of them.
    """
    share = rate.successes / rate.total
    rows = rate.total
    if rate.successes in (0, rate.total):
        rows = min(rows, alike)
    elif variance > 0:
        rows = min(rows, share * (1 - share) / variance)
    return replace(rate, successes=share * rows, total=rows)


def _shrunk(rate: Rate, confidence: float, shared: float = 1.0) -> Rate:
    """The rate over the effective rows that few clusters, and clusters shared with others, leave."""
    factor = sampling_design.worth(rate.rows, rate.clusters or 0, confidence) / shared
    return replace(rate, successes=rate.successes * factor, total=rate.total * factor)


def _covariance(totals: Floats, products: Floats) -> Floats:
    """Of every rate of every group with every other: (rates * groups, rates * groups), rates outermost."""
    size = len(totals)
    among = totals @ _AMONG.T
    safe = np.where(among > 0, among, 1.0)
    shares = (totals @ _HITS.T) / safe
    slopes = (_HITS[:, None] - shares.T[:, :, None]) * _AMONG[:, None] / safe.T[:, :, None]
    influence = np.zeros((len(_NAMES), size, size, 4))
    influence[:, range(size), range(size)] = slopes * (among.T > 0)[:, :, None]
    flat = influence.reshape(len(_NAMES) * size, 4 * size)
    half = np.einsum("ij,jk->ik", flat, products)  # no linear-algebra threads: the same bytes on any number
    covariance: Floats = np.einsum("ik,lk->il", half, flat)
    return covariance


def _shared(covariance: Floats, positions: Codes, signs: Sequence[int]) -> float:
    """`design.shared` of the estimates at each row of `chosen`, the worst of them."""
    return sampling_design.shared(covariance[positions[:, :, None], positions[:, None, :]], signs)


def _blocks(old: Codes, new: Codes, rows: int, columns: int) -> sparse.csr_array:
    """The matrix that adds the four cells of each group `old` to those of the group `new`."""
    four = np.arange(4)
    places = ((4 * old[:, None] + four).ravel(), (4 * new[:, None] + four).ravel())
    shape = (4 * rows, 4 * columns)
    return sparse.coo_array((np.ones(4 * len(old)), places), shape=shape).tocsr()
