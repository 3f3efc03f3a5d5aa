"""Counts added, and as JSON for the store: a window is the sum of its hours, in any order and any grouping.

Pure. Cells are lists in the order of the baseline's bins; what is mostly zero is written as pairs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from clearance.monitoring.counting.window_counts import Contributions, Counts, Groups, WindowCounts

_NUMBERS = ("rows", "repeated", "violations", "skew_tried", "skewed", "named", "replayed", "quiet_hours")


def empty(sizes: Mapping[str, int] | None = None, score: int = 0) -> WindowCounts:
    """No decisions, with so many cells for each feature and for the score."""
    return WindowCounts(
        rows=0,
        features={name: np.zeros(size, dtype=np.int64) for name, size in (sizes or {}).items()},
        score=np.zeros(score, dtype=np.int64),
    )


def add(parts: Sequence[WindowCounts]) -> WindowCounts:
    """The counts of all parts together. Cells of different baselines raise ValueError."""
    if len(parts) == 1:
        return parts[0]
    numbers = {name: sum(getattr(part, name) for part in parts) for name in _NUMBERS}
    return WindowCounts(
        features=_sum_of_cells([part.features for part in parts]),
        score=_total([part.score for part in parts if len(part.score)]),
        decisions=_sum_of_counts(part.decisions for part in parts),
        labelled=_sum_of_counts(part.labelled for part in parts),
        by_day={
            day: _sum_of_cells([part.by_day[day] for part in parts if day in part.by_day])
            for day in sorted({day for part in parts for day in part.by_day})
        },
        sizes=_sum_of_cells([part.sizes for part in parts]),
        contributions=_sum_of_contributions(part.contributions for part in parts),
        **numbers,
    )


def _sum_of_cells(parts: Sequence[Mapping[str, Counts]]) -> dict[str, Counts]:
    columns: dict[str, list[Counts]] = defaultdict(list)
    for part in parts:
        for name, cells in part.items():
            columns[name].append(cells)
    return {name: _total(cells) for name, cells in columns.items()}


def _total(cells: Sequence[Counts]) -> Counts:
    if not cells:
        return np.zeros(0, dtype=np.int64)
    return cells[0] if len(cells) == 1 else np.array(cells, dtype=np.int64).sum(axis=0)


def _sum_of_counts(parts: Iterable[Mapping[Any, int]]) -> dict[Any, int]:
    total: dict[Any, int] = {}
    for part in parts:
        for key, count in part.items():
            total[key] = total.get(key, 0) + count
    return {key: count for key, count in total.items() if count}


def _sum_of_contributions(parts: Iterable[Mapping[str, Contributions]]) -> dict[str, Contributions]:
    columns: dict[str, list[Contributions]] = defaultdict(list)
    for part in parts:
        for name, sums in part.items():
            columns[name].append(sums)
    return {
        name: Contributions(
            rows=sum(part.rows for part in sums),
            total=sum(part.total for part in sums),
            squares=sum(part.squares for part in sums),
        )
        for name, sums in columns.items()
    }


def to_text(counts: WindowCounts) -> str:
    """The counts of an hour as JSON on one line; `by_day` and `quiet_hours` are those of windows alone."""
    groups: dict[Groups, int] = {}
    document: dict[str, Any] = {
        name: value for name in _NUMBERS if (value := getattr(counts, name)) and name != "quiet_hours"
    }
    document |= {
        "features": {name: cells.tolist() for name, cells in counts.features.items()},
        "score": counts.score.tolist(),
        "sizes": {name: _pairs(cells) for name, cells in counts.sizes.items()},
        "contributions": {
            name: [sums.rows, sums.total, sums.squares] for name, sums in counts.contributions.items()
        },
        "decisions": _rows(counts.decisions, groups),
        "labelled": _rows(counts.labelled, groups),
        "groups": [[list(pair) for pair in group] for group in groups],
    }
    document = {name: value for name, value in document.items() if value}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def of_texts(texts: Sequence[str], sizes: int) -> WindowCounts:
    """The sum of counts that `to_text` wrote; `sizes` is how many cells of sizes there are.

    Adds before it builds. Raises an exception of Python on anything else.
    """
    documents = [json.loads(text) for text in texts]
    score = [document["score"] for document in documents if "score" in document]
    return WindowCounts(
        features=_sum_of_lists([document.get("features", {}) for document in documents]),
        score=np.array(score, dtype=np.int64).sum(axis=0) if score else np.zeros(0, dtype=np.int64),
        decisions=_sum_of_rows(documents, "decisions", 4),
        labelled=_sum_of_rows(documents, "labelled", 5),
        sizes=_sum_of_pairs([document.get("sizes", {}) for document in documents], sizes),
        contributions=_sum_of_triples([document.get("contributions", {}) for document in documents]),
        **{name: sum(document.get(name, 0) for document in documents) for name in _NUMBERS},
    )


def _columns(parts: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = defaultdict(list)
    for part in parts:
        for name, value in part.items():
            columns[name].append(value)
    return columns


def _sum_of_lists(parts: Iterable[Mapping[str, Sequence[int]]]) -> dict[str, Counts]:
    return {name: np.array(lists, dtype=np.int64).sum(axis=0) for name, lists in _columns(parts).items()}


def _sum_of_pairs(parts: Iterable[Mapping[str, Sequence[int]]], size: int) -> dict[str, Counts]:
    tables = {}
    for name, lists in _columns(parts).items():
        places, counts = np.concatenate([np.array(part, dtype=np.int64).reshape(-1, 2) for part in lists]).T
        tables[name] = cells = np.zeros(size, dtype=np.int64)
        np.add.at(cells, places, counts)
    return tables


def _sum_of_triples(parts: Iterable[Mapping[str, Sequence[float]]]) -> dict[str, Contributions]:
    sums = {name: np.array(triples).sum(axis=0).tolist() for name, triples in _columns(parts).items()}
    return {
        name: Contributions(rows=int(rows), total=total, squares=squares)
        for name, (rows, total, squares) in sums.items()
    }


def _sum_of_rows(documents: Sequence[Mapping[str, Any]], name: str, width: int) -> dict[Any, int]:
    """The counts by groups and cells. A row has `width` numbers: place of the groups, cells, count."""
    numbers: dict[Groups, int] = {}
    tables = []
    for document in documents:
        groups = [
            numbers.setdefault(tuple((attribute, group) for attribute, group in pairs), len(numbers))
            for pairs in document.get("groups", ())
        ]
        if name in document:
            table = np.array(document[name], dtype=np.int64).reshape(-1, width)
            table[:, 0] = np.array(groups, dtype=np.int64)[table[:, 0]]
            tables.append(table)
    if not tables:
        return {}
    *keys, counts = np.concatenate(tables).T
    shape = tuple(int(column.max()) + 1 for column in keys)
    codes, at = np.unique(np.ravel_multi_index(tuple(keys), shape), return_inverse=True)
    total = np.zeros(len(codes), dtype=np.int64)
    np.add.at(total, at, counts)
    columns = [column.tolist() for column in np.unravel_index(codes, shape)]
    names = list(numbers)
    return {
        (names[at], *cells): count
        for at, *cells, count in zip(*columns, total.tolist(), strict=True)
        if count
    }


def _rows(counts: Mapping[Any, int], groups: dict[Groups, int]) -> list[int]:
    """One list of numbers, row by row: thousands of small lists are slow to read."""
    return [
        number
        for key, count in counts.items()
        for number in (groups.setdefault(key[0], len(groups)), *key[1:], count)
    ]


def _pairs(cells: Counts) -> list[int]:
    """Place and count of each cell that is not empty, in one list."""
    filled = np.flatnonzero(cells)
    return np.stack([filled, cells[filled]], axis=1).ravel().tolist()
