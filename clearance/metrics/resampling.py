"""Rows, or clusters with all their rows, resampled: tables of counts as other samples would give them.

Draws follow from seed and counts alone, not from names of groups or clusters, nor from the order of rows.
What is too rare to be drawn is said. Nothing is measured here.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clearance.metrics import clusters, sampling_design
from clearance.metrics.intervals import Sampling
from clearance.metrics.sampling_design import Codes, Floats

FEWEST = 10
"""Rows, or clusters, of a kind below which no bootstrap decides: at 0 it collapses to zero width."""

_AT_ONCE = 1 << 24

Kinds = Mapping[str, tuple[int, ...]]
"""Kinds of outcome by name: the cells, ordered as `Cells.counts`, that are one kind."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Tables (resamples, groups, 4) of what was drawn, the groups in an order of their own.

    `lack_overall` and `lack_by_group` say which kinds of outcome are too rare, over all groups and in each;
    None if none is. Bounds from the tables are to be `wider` times as far from the value.
    """

    tables: Floats
    lack_overall: str | None
    lack_by_group: str | None
    of: str
    wider: float = 1.0


def of_rows(cells: Codes, names: Sequence[str], kinds: Kinds, sampling: Sampling) -> Drawn:
    """As many independent rows as are in `cells` (groups, 4), which are in ascending order."""

    def count_kinds(cell_counts: Codes) -> dict[str, int]:
        return {kind: int(cell_counts[list(at)].sum()) for kind, at in kinds.items()}

    total = int(cells.sum())
    random = _random(json.dumps([sampling.seed, cells.tolist()]).encode())
    draws = random.multinomial(total, cells.ravel() / total, size=sampling.resamples)
    return Drawn(
        tables=draws.reshape(-1, *cells.shape).astype(np.float64),
        lack_overall=_lack({"all groups": count_kinds(cells.sum(axis=0))}, "rows"),
        lack_by_group=_lack(
            {name: count_kinds(cell_counts) for name, cell_counts in zip(names, cells, strict=True)}, "rows"
        ),
        of="group x label x decision",
    )


def of_clusters(spread: clusters.Spread, kinds: Kinds, sampling: Sampling) -> Drawn:
    """As many clusters as have rows in `spread`, whose sums are whole numbers of rows; two or more.

    Clusters that hold the same are drawn together, so each draw is one multinomial over those that differ.
    Bounds are as much wider as so few clusters make a variance uncertain: `design.worth`.
    """
    alike, times = _ordered(*_alike(spread))
    count = int(times.sum())
    content = alike.astype("<i8").tobytes() + times.astype("<i8").tobytes()
    random = _random(json.dumps(sampling.seed).encode() + content)
    flat, block = alike.reshape(len(alike), -1).astype(np.float64), max(1, _AT_ONCE // len(alike))
    draws = []
    for start in range(0, sampling.resamples, block):
        size = min(block, sampling.resamples - start)
        draws.append(random.multinomial(count, times / count, size=size).astype(np.float64) @ flat)
    together = clusters.margin(spread, np.zeros(len(spread.groups), dtype=np.int64), ["all groups"])
    return Drawn(
        tables=np.concatenate(draws).reshape(-1, *alike.shape[1:]),
        lack_overall=_lack(_held(together, kinds), "clusters"),
        lack_by_group=_lack(_held(spread, kinds), "clusters"),
        of=f"{count} clusters",
        wider=1 / math.sqrt(sampling_design.worth(int(spread.sums.sum()), count, sampling.confidence)),
    )


def _random(content: bytes) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:16]))


def _held(spread: clusters.Spread, kinds: Kinds) -> dict[str, dict[str, int]]:
    by_kind = {kind: spread.holding(at) for kind, at in kinds.items()}
    return {name: {kind: by_kind[kind][at] for kind in by_kind} for at, name in enumerate(spread.groups)}


def _lack(groups: Mapping[str, Mapping[str, int]], unit: str) -> str | None:
    """Which kinds of outcome have too few of what is drawn to be resampled."""
    few = [
        f"{group} has {rows} {kind}"
        for group, by_kind in sorted(groups.items())
        for kind, rows in by_kind.items()
        if rows < FEWEST
    ]
    return f"a bootstrap needs {FEWEST} {unit} of each kind: {', '.join(few)}" if few else None


def _alike(spread: clusters.Spread) -> tuple[Codes, Codes]:
    """The distinct clusters that have rows, (kinds, groups, 4), and how many clusters are of each kind."""
    sums = spread.sums[np.diff(spread.sums.indptr) > 0].astype(np.int64)
    mixing = np.random.default_rng(0).integers(1, 2**63, size=sums.shape[1], dtype=np.uint64)
    mixed = sums.astype(np.uint64) @ mixing  # modulo 2^64: equal clusters alike, others practically never
    _, first, times = np.unique(mixed, return_index=True, return_counts=True)
    return sums[first].toarray().reshape(len(first), -1, 4), times.astype(np.int64)


def _ordered(alike: Codes, times: Codes) -> tuple[Codes, Codes]:
    """The same in an order that knows no names: groups by what they hold in which clusters, then clusters."""
    content = np.concatenate([alike.sum(axis=1), times[:, None]], axis=1)
    contents = [_sorted(np.concatenate([alike[:, at], content], axis=1)) for at in range(alike.shape[1])]
    alike = alike[:, sorted(range(alike.shape[1]), key=lambda at: contents[at].tobytes())]
    order = np.lexsort(np.concatenate([alike.reshape(len(alike), -1), times[:, None]], axis=1).T[::-1])
    return alike[order], times[order]


def _sorted(table: npt.NDArray[np.int64]) -> Codes:
    ordered: Codes = table[np.lexsort(table.T[::-1])]
    return ordered
