"""Interventional Shapley values of trees: exact, in memory that is bounded, in microseconds a row.

A leaf pays its value to a row that meets its conditions, one for each column on its path. Mixed from the
explained row and one background row, a row reaches the leaf when every condition is met by one of the two. So
the columns whose condition the background row lacks must come from the explained row, and those that the
explained row lacks must come from the background row; the others do not matter. The Shapley values of that
game depend on the two numbers alone (S. Lundberg et al., "From local explanations to global understanding
with explainable AI for trees", Nature Machine Intelligence 2, 2020, algorithm 3). Background rows that meet
the same conditions of a leaf are one pattern with a share. Thresholds are compared in double precision, as
scikit-learn does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clearance.models.plan import machine_code, trees

Matrix = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

MOST_CONDITIONS = 60
"""The largest number of columns on the path to a leaf: what a row meets is one 64-bit integer."""

MOST_PATTERNS = 4_000_000
"""The largest number of patterns of all leaves together, in about 50 bytes each."""

BLOCK = 128
"""The number of rows that are explained at once."""


@dataclass(frozen=True, kw_only=True)
class LeafPatterns:
    """All leaves with their conditions, and the patterns of a background at each leaf.

    Values are compared by rank: the number of a column's `edges` (from `edge_start`) below the value, -1
    where it is missing. The conditions of a leaf are the rows of `condition` from `start[leaf]` on: column,
    least and largest rank, whether a missing value meets it, and the place of its feature. The patterns of a
    leaf are those from `first[leaf]` on: the `share` of background rows, and the features of the conditions
    they lack (`lack`, from `lack_start` on). Bit p of `meets`, from `meets_at[leaf]` on, one group of words
    for each condition, is set where the leaf's pattern p meets the condition. `weight`: `shapley_weights`.
    """

    features: int
    single: bool
    edges: Matrix
    edge_start: Integers
    start: Integers
    condition: Shorts
    value: Matrix
    first: Integers
    share: Matrix
    lack: Shorts
    lack_start: Integers
    meets: Words
    meets_at: Integers
    weight: Matrix

    def contributions(self, encoded: Matrix) -> Matrix:
        """The contribution of each feature for each encoded row: shape (n, features)."""
        out = np.zeros((len(encoded), self.features))
        _explain(
            comparable(encoded, self.single),
            self.edges,
            self.edge_start,
            self.start,
            self.condition,
            self.value,
            self.first,
            self.share,
            self.lack,
            self.lack_start,
            self.meets,
            self.meets_at,
            self.weight,
            out,
        )
        return out


def comparable(encoded: Matrix, single: bool) -> Matrix:
    """The values as the trees compare them; infinities become the largest number, which compares alike."""
    if single:
        return encoded.astype(np.float32).astype(np.float64)
    largest = np.finfo(np.float64).max
    return np.clip(encoded, -largest, largest)


def build(
    fitted: trees.Trees, background: Matrix, places: Sequence[int], features: int
) -> LeafPatterns | None:
    """The patterns of an encoded background (at least one row) at the leaves of these trees.

    `places` gives the feature of each encoded column, of `features` in all. None where a path has more than
    `MOST_CONDITIONS` columns, or there would be more than `MOST_PATTERNS` patterns.
    """
    conditions = _conditions_of(fitted)
    if conditions is None:
        return None
    start, column, low, high, missing = conditions
    rows = comparable(background, fitted.single)
    counts = np.zeros(len(start) - 1, dtype=np.int64)
    nothing = np.zeros(0, dtype=np.int64)
    _patterns(rows, start, column, low, high, missing, counts, False, nothing, nothing, np.zeros(0))
    first = _starts(counts)
    if first[-1] > MOST_PATTERNS:
        return None
    pattern, share = np.zeros(first[-1], dtype=np.int64), np.zeros(first[-1])
    _patterns(rows, start, column, low, high, missing, counts, True, first, pattern, share)

    place = np.asarray(places, dtype=np.int32)
    sizes = np.diff(start)
    meets_at = _starts(sizes * ((counts + 63) >> 6))
    meets = np.zeros(meets_at[-1], dtype=np.uint64)
    lacks = np.zeros(len(pattern), dtype=np.int64)
    no_lack = np.zeros(0, dtype=np.int32)
    _lacks(start, place[column], first, pattern, meets_at, meets, lacks, lacks, no_lack, False)
    lack_start = _starts(lacks)
    lack = np.zeros(lack_start[-1], dtype=np.int32)
    _lacks(start, place[column], first, pattern, meets_at, meets, lacks, lack_start, lack, True)
    edges = [np.unique(fitted.threshold[fitted.column == index]) for index in range(len(place))]
    return LeafPatterns(
        features=features,
        single=fitted.single,
        edges=np.concatenate(edges),
        edge_start=_starts(np.array([len(own) for own in edges], dtype=np.int64)),
        start=start,
        condition=_ranked(edges, column, low, high, missing, place),
        value=fitted.value[fitted.column == trees.LEAF] / fitted.divisor,
        first=first,
        share=share,
        lack=lack,
        lack_start=lack_start,
        meets=meets,
        meets_at=meets_at,
        weight=shapley_weights(int(sizes.max(initial=0))),
    )


def shapley_weights(most: int) -> Matrix:
    """`weight[a, b]` is (a - 1)! b! / (a + b)!, shape (most + 1, most + 1); row 0 is not used.

    That is the Shapley value of each of `a` players who must all be in when `b` others must all stay out;
    for each of the others it is -`weight[b, a]`.
    """
    weight = np.zeros((most + 1, most + 1))
    for required in range(1, most + 1):
        value = 1.0 / required
        for excluded in range(most + 1):
            weight[required, excluded] = value
            value *= (excluded + 1) / (required + excluded + 1)
    return weight


def _starts(counts: Integers) -> Integers:
    """Where each of several parts begins, and at last where all end."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _conditions_of(fitted: trees.Trees) -> tuple[Integers, Integers, Matrix, Matrix, Flags] | None:
    """For each leaf in order: where its conditions start, and their column, bounds, and missing values."""
    parent = np.full(len(fitted.column), -1, dtype=np.int64)
    inner = np.flatnonzero(fitted.column != trees.LEAF)
    parent[fitted.left[inner]] = inner
    parent[fitted.right[inner]] = inner
    leaves = np.flatnonzero(fitted.column == trees.LEAF)
    nodes = (fitted.column, fitted.threshold, fitted.left, fitted.missing_left)
    sizes = np.zeros(len(leaves), dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    _conditions(
        parent, *nodes, leaves, sizes, False, none, none, np.zeros(0), np.zeros(0), np.zeros(0, np.bool_)
    )
    if sizes.max(initial=0) > MOST_CONDITIONS:
        return None
    start = _starts(sizes)
    column, missing = np.zeros(start[-1], dtype=np.int64), np.ones(start[-1], dtype=np.bool_)
    low, high = np.full(start[-1], -np.inf), np.full(start[-1], np.inf)
    _conditions(parent, *nodes, leaves, sizes, True, start, column, low, high, missing)
    return start, column, low, high, missing


def _ranked(
    edges: Sequence[Matrix], column: Integers, low: Matrix, high: Matrix, missing: Flags, place: Shorts
) -> Shorts:
    """The conditions by ranks instead of bounds."""
    condition = np.zeros((len(column), 5), dtype=np.int32)
    condition[:, 0], condition[:, 3], condition[:, 4] = column, missing, place[column]
    for index, own in enumerate(edges):
        here = column == index
        condition[here, 1] = np.searchsorted(own, low[here], side="right")
        condition[here, 2] = np.searchsorted(own, high[here], side="left")
    return condition


@machine_code.compiled
def _conditions(
    parent: Integers,
    node_column: Integers,
    node_threshold: Matrix,
    node_left: Integers,
    node_missing_left: Flags,
    leaves: Integers,
    sizes: Integers,
    fill: bool,
    start: Integers,
    column: Integers,
    low: Matrix,
    high: Matrix,
    missing: Flags,
) -> None:
    """Count the columns on the path to each leaf, or with `fill` narrow the condition of each of them."""
    columns = np.empty(MOST_CONDITIONS + 1, dtype=np.int64)
    for leaf in range(leaves.shape[0]):
        count = 0
        node = leaves[leaf]
        while parent[node] >= 0 and count <= MOST_CONDITIONS:
            above = parent[node]
            index = 0
            while index < count and columns[index] != node_column[above]:
                index += 1
            if index == count:
                columns[count] = node_column[above]
                count += 1
            if fill:
                place = start[leaf] + index
                column[place] = node_column[above]
                if node == node_left[above]:
                    high[place] = min(high[place], node_threshold[above])
                    missing[place] &= node_missing_left[above]
                else:
                    low[place] = max(low[place], node_threshold[above])
                    missing[place] &= not node_missing_left[above]
            node = above
        sizes[leaf] = count


@machine_code.compiled
def _patterns(
    rows: Matrix,
    start: Integers,
    column: Integers,
    low: Matrix,
    high: Matrix,
    missing: Flags,
    counts: Integers,
    fill: bool,
    first: Integers,
    pattern: Integers,
    share: Matrix,
) -> None:
    """Count the distinct patterns of the background rows at each leaf, or with `fill` write them."""
    number = rows.shape[0]
    own = np.empty(number, dtype=np.int64)
    for leaf in range(start.shape[0] - 1):
        for row in range(number):
            own[row] = 0
            for place in range(start[leaf], start[leaf + 1]):
                entry = rows[row, column[place]]
                if missing[place] if np.isnan(entry) else low[place] < entry <= high[place]:
                    own[row] |= np.int64(1) << (place - start[leaf])
        own.sort()
        distinct, row = 0, 0
        while row < number:
            last = row
            while last < number and own[last] == own[row]:
                last += 1
            if fill:
                pattern[first[leaf] + distinct] = own[row]
                share[first[leaf] + distinct] = (last - row) / number
            distinct += 1
            row = last
        counts[leaf] = distinct


@machine_code.compiled
def _lacks(
    start: Integers,
    feature: Shorts,
    first: Integers,
    pattern: Integers,
    meets_at: Integers,
    meets: Words,
    lacks: Integers,
    lack_start: Integers,
    lack: Shorts,
    fill: bool,
) -> None:
    """Set the bits of `meets` and count what each pattern lacks, or with `fill` write what it lacks."""
    for leaf in range(start.shape[0] - 1):
        words = (first[leaf + 1] - first[leaf] + 63) >> 6
        for other in range(first[leaf], first[leaf + 1]):
            number = other - first[leaf]
            count = 0
            for place in range(start[leaf], start[leaf + 1]):
                index = place - start[leaf]
                if (pattern[other] >> index) & 1:
                    word = meets_at[leaf] + index * words + (number >> 6)
                    meets[word] |= np.uint64(1) << np.uint64(number & 63)
                else:
                    if fill:
                        lack[lack_start[other] + count] = feature[place]
                    count += 1
            lacks[other] = count


_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
"""Times a power of two, its first six bits are different for each of the 64 powers."""

_BIT = np.zeros(64, dtype=np.int64)
for _bit in range(64):
    _BIT[(int(_DE_BRUIJN) << _bit) % 2**64 >> 58] = _bit


@machine_code.compiled
def _rank(rows: Matrix, edges: Matrix, edge_start: Integers, begin: int, count: int, rank: Shorts) -> None:
    """Write the ranks of `count` rows from `begin` on to `rank`, by column and row."""
    for row in range(count):
        for column in range(rows.shape[1]):
            entry = rows[begin + row, column]
            if np.isnan(entry):
                rank[column, row] = -1
                continue
            left, right = edge_start[column], edge_start[column + 1]
            while left < right:
                middle = (left + right) >> 1
                if edges[middle] < entry:
                    left = middle + 1
                else:
                    right = middle
            rank[column, row] = left - edge_start[column]


@machine_code.compiled
def _explain(  # noqa: PLR0912 - a call for each leaf and row would double the time
    rows: Matrix,
    edges: Matrix,
    edge_start: Integers,
    start: Integers,
    condition: Shorts,
    value: Matrix,
    first: Integers,
    share: Matrix,
    lack: Shorts,
    lack_start: Integers,
    meets: Words,
    meets_at: Integers,
    weight: Matrix,
    out: Matrix,
) -> None:
    """Add each leaf's contributions to `out`.

    For a leaf and a row only those patterns count that meet every condition the row does not: one bit of
    `chosen` for each of them.
    """
    rank = np.empty((rows.shape[1], BLOCK), dtype=np.int32)
    met = np.empty(BLOCK, dtype=np.int64)
    for begin in range(0, rows.shape[0], BLOCK):
        count = min(BLOCK, rows.shape[0] - begin)
        _rank(rows, edges, edge_start, begin, count, rank)
        for leaf in range(value.shape[0]):
            low, high = start[leaf], start[leaf + 1]
            for row in range(count):
                met[row] = 0
            for place in range(low, high):
                ranks = rank[condition[place, 0]]
                least, most, if_missing = condition[place, 1], condition[place, 2], condition[place, 3] > 0
                for row in range(count):
                    is_met = ((ranks[row] >= least) & (ranks[row] <= most)) | ((ranks[row] < 0) & if_missing)
                    met[row] |= np.int64(is_met) << (place - low)
            size = high - low
            patterns = first[leaf + 1] - first[leaf]
            words = (patterns + 63) >> 6
            for row in range(count):
                own = met[row]
                excluded = size
                for index in range(size):
                    excluded -= (own >> index) & 1
                to_excluded = 0.0
                for word in range(words):
                    chosen = ~np.uint64(0) >> np.uint64(64 - min(64, patterns - 64 * word))
                    for index in range(size):
                        is_met_here = np.uint64(0) - np.uint64((own >> index) & 1)
                        chosen &= meets[meets_at[leaf] + index * words + word] | is_met_here
                    while chosen != 0:
                        lowest = chosen & (np.uint64(0) - chosen)
                        chosen ^= lowest
                        bit = _BIT[np.int64((lowest * _DE_BRUIJN) >> np.uint64(58))]
                        pattern = first[leaf] + 64 * word + bit
                        required = lack_start[pattern + 1] - lack_start[pattern]
                        paid = value[leaf] * share[pattern]
                        to_excluded += paid * weight[excluded, required]
                        to_required = paid * weight[required, excluded]
                        for place in range(lack_start[pattern], lack_start[pattern + 1]):
                            out[begin + row, lack[place]] += to_required
                if excluded > 0:
                    for index in range(size):
                        if (own >> index) & 1 == 0:
                            out[begin + row, condition[low + index, 4]] -= to_excluded
