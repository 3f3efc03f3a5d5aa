"""Clusters drawn anew with all their rows: tables of counts as other samples of as many clusters would give.

Clusters that hold the same are drawn together, so each draw is one multinomial over the kinds there are. Draws
follow from seed and counts alone: not from names of groups or clusters, nor from the order of rows.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from clearance.measures.clusters import Spread
from clearance.measures.design import Codes, Floats
from clearance.measures.intervals import Sampling

_AT_ONCE = 1 << 24
"""Numbers drawn at once at most, to bound the memory."""


def draw(spread: Spread, sampling: Sampling) -> tuple[Floats, int]:
    """Tables (resamples, groups, 4) of as many clusters as have rows, and how many those are.

    The groups of the tables stand in an order of their own. The sums of `spread` are whole numbers of rows.
    """
    kinds, times = _ordered(*_kinds(spread))
    clusters = int(times.sum())
    content = repr(sampling.seed).encode() + kinds.astype("<i8").tobytes() + times.astype("<i8").tobytes()
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:16]))
    flat, block = kinds.reshape(len(kinds), -1).astype(np.float64), max(1, _AT_ONCE // len(kinds))
    drawn = []
    for start in range(0, sampling.resamples, block):
        size = min(block, sampling.resamples - start)
        drawn.append(random.multinomial(clusters, times / clusters, size=size).astype(np.float64) @ flat)
    return np.concatenate(drawn).reshape(-1, *kinds.shape[1:]), clusters


def _kinds(spread: Spread) -> tuple[Codes, Codes]:
    """The distinct clusters that have rows, (kinds, groups, 4), and how many clusters are of each kind."""
    sums = spread.sums[np.diff(spread.sums.indptr) > 0].astype(np.int64)
    if not sums.shape[0]:
        raise ValueError("there is no cluster with rows to draw")
    mixing = np.random.default_rng(0).integers(1, 2**63, size=sums.shape[1], dtype=np.uint64)
    mixed = sums.astype(np.uint64) @ mixing  # modulo 2^64: equal clusters alike, others practically never
    _, first, times = np.unique(mixed, return_index=True, return_counts=True)
    return sums[first].toarray().reshape(len(first), -1, 4), times.astype(np.int64)


def _ordered(kinds: Codes, times: Codes) -> tuple[Codes, Codes]:
    """The same in an order that knows no names: groups by what they hold in which clusters, then clusters."""
    whole = np.concatenate([kinds.sum(axis=1), times[:, None]], axis=1)
    contents = [_sorted(np.concatenate([kinds[:, at], whole], axis=1)) for at in range(kinds.shape[1])]
    kinds = kinds[:, sorted(range(kinds.shape[1]), key=lambda at: contents[at].tobytes())]
    order = np.lexsort(np.concatenate([kinds.reshape(len(kinds), -1), times[:, None]], axis=1).T[::-1])
    return kinds[order], times[order]


def _sorted(table: npt.NDArray[np.int64]) -> Codes:
    return table[np.lexsort(table.T[::-1])]
