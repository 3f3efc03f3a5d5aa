"""A CatBoost model in the library's binary format, checked before CatBoost parses it.

Models for two classes (`Logloss`) whose trees split numbers. The format is a FlatBuffer behind a mark and its
size. Nothing is loaded or scored here.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from clearance.models.boosters import trees
from clearance.models.boosters.trees import Booster

MARK = b"CBM1"
_VERSION = "FlabuffersModel_v1"
_HEADER = len(MARK) + 4
_CORE = {"version": 0, "trees": 1, "info": 2, "parts": 3}
_TREES = {
    "dimension": 0,
    "splits": 1,
    "sizes": 2,
    "starts": 3,
    "floats": 5,
    "leaf_values": 8,
    "leaf_weights": 9,
    "steps": 10,
    "leaf_of_node": 11,
    "scale": 14,
    "bias": 15,
    "biases": 16,
    "bins": 17,
}
_NOT_NUMBERS = {
    "categories": 4,
    "one-hot columns": 6,
    "counters": 7,
    "texts": 12,
    "estimates": 13,
    "embeddings": 18,
}
_FLOAT = {"index": 1, "flat_index": 2, "borders": 3, "name": 4}
_DEEPEST = 16
_BIN = np.dtype([("column", "<u2"), ("mask", "u1"), ("place", "u1")])
_BORDERS_OF_BIN = 254
_VOLATILE = ("model_guid", "train_finish_time")
"""What CatBoost writes anew at each fit."""


def check(content: bytes) -> Booster:
    """The facts of a model. Raises ValueError when CatBoost could not read it safely.

    That is: another objective, a tree that points outside its splits, leaves or columns, features that are
    not numbers, a number that is not finite, sizes that do not fit.
    """
    try:
        return _check(_core(content))
    except (struct.error, RecursionError) as error:
        raise ValueError(f"it is cut: {error}") from None


def without_times(content: bytes) -> bytes:
    """The same model without its random name and the time it was trained: equal models give equal bytes.

    CatBoost itself writes it, once it is checked. Raises ValueError as `check` does.
    """
    import catboost

    check(content)
    model = catboost.CatBoost().load_model(blob=content)
    for name in _VOLATILE:
        model.get_metadata()[name] = "left out"
    return bytes(model._serialize_model())


def _check(core: _Table) -> Booster:
    if core.text(_CORE["version"]) != _VERSION or core.count(_CORE["parts"]):
        raise ValueError("it is not a model of trees alone")
    info = {pair.text(0): pair.text(1) for pair in core.tables(_CORE["info"])}
    loss = json.loads(info.get("params", "{}")).get("loss_function", {}).get("type")
    if loss != "Logloss":
        raise ValueError(f"its objective is {loss!r}, not `Logloss`")
    forest = core.table(_CORE["trees"])
    for what, field in _NOT_NUMBERS.items():
        if forest.count(field):
            raise ValueError(f"it has {what}, which are not checked")
    if forest.scalar(_TREES["dimension"], "<i", 0) != 1:
        raise ValueError("it is not a model of two classes")
    names, counts = _columns(forest)
    borders = sum(counts)
    values = trees.numbers(forest.array(_TREES["leaf_values"], "<f8"), "leaf values")
    weights = trees.numbers(forest.array(_TREES["leaf_weights"], "<f8"), "leaf weights")
    if len(weights) not in {0, len(values)}:
        raise ValueError("leaf weights do not fit the leaf values")
    scale, bias = (
        forest.scalar(_TREES[name], "<d", default) for name, default in (("scale", 1.0), ("bias", 0.0))
    )
    trees.numbers([scale, bias], "scale and bias")
    trees.numbers(forest.array(_TREES["biases"], "<f8"), "biases")
    if forest.count(_TREES["biases"]) > 1:
        raise ValueError("it is not a model of two classes")
    splits, sizes, starts = (
        trees.integers(forest.array(_TREES[name], "<i4"), name) for name in ("splits", "sizes", "starts")
    )
    if len(starts) != len(sizes) or (sizes < 0).any() or not np.array_equal(starts, np.cumsum(sizes) - sizes):
        raise ValueError("the starts of trees do not fit their sizes")
    if sizes.sum() != len(splits):
        raise ValueError("the sizes of trees do not fit their splits")
    _check_bins(forest, splits, counts)
    steps = forest.array(_TREES["steps"], "<u2", 2)
    if len(steps):
        depth = _check_nodes(forest, steps, splits, sizes, borders=borders, leaves=len(values))
    else:
        depth = int(sizes.max(initial=0))
        trees.ensure_within(splits, borders, "a split of a tree")
        trees.ensure_within(sizes, _DEEPEST + 1, "the depth of a tree")
        if len(values) != (1 << sizes).sum() or forest.count(_TREES["leaf_of_node"]):
            raise ValueError("the leaf values do not fit the trees")
    return Booster(
        columns=len(names),
        names=names if all(names) else (),
        trees=len(sizes),
        nodes=len(splits) + len(values),
        depth=depth,
    )


def _check_bins(forest: _Table, splits: trees.Integers, counts: list[int]) -> None:
    """What CatBoost would work out of splits and borders where the file did not hold it: it must be that."""
    start, length = forest.span(_TREES["bins"], _BIN.itemsize)
    if not length:
        return
    bins = np.frombuffer(forest.content, _BIN, length, start)
    place = np.concatenate([np.arange(count) for count in counts])
    before = np.concatenate([[0], np.cumsum(-(-np.array(counts) // _BORDERS_OF_BIN))])
    column = np.repeat(before[:-1], counts) + place // _BORDERS_OF_BIN
    trees.ensure_within(splits, len(place), "a split of a tree")
    same = (
        np.array_equal(bins["column"], column[splits])
        and np.array_equal(bins["place"], (place % _BORDERS_OF_BIN + 1)[splits])
        and not bins["mask"].any()
    )
    if not same:
        raise ValueError("the bins of columns do not fit the splits")


def _columns(forest: _Table) -> tuple[tuple[str, ...], list[int]]:
    """The name of each column (empty: it has none), and how many borders it has."""
    names, borders = [], []
    for place, column in enumerate(forest.tables(_TREES["floats"])):
        if {column.scalar(_FLOAT[name], "<i", -1) for name in ("index", "flat_index")} != {place}:
            raise ValueError("its columns are not numbered in order")
        own = trees.numbers(column.array(_FLOAT["borders"], "<f4"), "borders")
        if (np.diff(own) <= 0).any():
            raise ValueError("the borders of a column are not in order")
        borders.append(len(own))
        names.append(column.text(_FLOAT["name"]))
    if not names:
        raise ValueError("it reads no columns")
    return (trees.ensure_names(names, len(names)) if all(names) else tuple(names)), borders


def _check_nodes(
    forest: _Table,
    steps: trees.Integers,
    splits: trees.Integers,
    sizes: trees.Integers,
    *,
    borders: int,
    leaves: int,
) -> int:
    """The depth of trees that are not symmetric: each node has the distance to its children, 0: none."""
    steps = steps.reshape(-1, 2).astype(np.int64)
    leaf_of_node = forest.array(_TREES["leaf_of_node"], "<u4").astype(np.int64)
    if len(steps) != len(splits) or len(leaf_of_node) != len(splits):
        raise ValueError("the nodes of trees do not fit their splits")
    place = np.arange(len(splits))
    end = np.repeat(np.cumsum(sizes), sizes)
    if (place[:, None] + steps >= end[:, None]).any():
        raise ValueError("a child of a node is out of range")
    trees.ensure_within(splits[steps.any(axis=1)], borders, "a split of a tree")
    trees.ensure_within(leaf_of_node[(steps == 0).any(axis=1)], leaves, "a leaf of a tree")
    depth = np.zeros(len(splits), dtype=np.int64)
    for node, distances in enumerate(steps.tolist()):  # children come later, so a parent's depth is known
        for distance in filter(None, distances):
            depth[node + distance] = max(depth[node + distance], depth[node] + 1)
    if (longest := int(depth.max(initial=0))) > trees.DEEPEST:
        raise ValueError(f"a tree is deeper than {trees.DEEPEST} nodes")
    return longest


def _core(content: bytes) -> _Table:
    if content[: len(MARK)] != MARK or len(content) < _HEADER + 4:
        raise ValueError("it is not a CatBoost model")
    (size,) = struct.unpack_from("<I", content, len(MARK))
    if size != len(content) - _HEADER:
        raise ValueError("its size is not the recorded one")
    return _Table(content, _HEADER + struct.unpack_from("<I", content, _HEADER)[0])


@dataclass(frozen=True)
class _Table:
    """A table of a FlatBuffer at `at`: its fields by number. Reading outside the bytes raises an error."""

    content: bytes
    at: int

    def _field(self, number: int) -> int | None:
        """Where a field lies; None where it is left out."""
        table = self.at - self._read("<i", self.at)
        if table < 0:
            raise ValueError("a table lies outside the file")
        if 4 + 2 * number >= self._read("<H", table):
            return None
        offset = self._read("<H", table + 4 + 2 * number)
        return self.at + offset if offset else None

    def _read(self, form: str, at: int) -> Any:
        return struct.unpack_from(form, self.content, at)[0]

    def scalar(self, number: int, form: str, default: float) -> Any:
        """A number of this form."""
        at = self._field(number)
        return default if at is None else self._read(form, at)

    def table(self, number: int) -> _Table:
        """A table inside this one, which must be there."""
        at = self._field(number)
        if at is None:
            raise ValueError("a table is missing")
        return _Table(self.content, at + self._read("<I", at))

    def span(self, number: int, width: int) -> tuple[int, int]:
        """Start and length of a vector whose items have `width` bytes; length 0 where it is left out."""
        at = self._field(number)
        if at is None:
            return 0, 0
        start = at + self._read("<I", at)
        length = self._read("<I", start)
        if length * width > len(self.content) - start - 4:
            raise ValueError("a list is longer than the file")
        return start + 4, length

    def count(self, number: int) -> int:
        """The length of a vector."""
        return self.span(number, 1)[1]

    def text(self, number: int) -> str:
        """A text; empty where it is left out."""
        start, length = self.span(number, 1)
        return self.content[start : start + length].decode()

    def array(self, number: int, kind: str, fields: int = 1) -> Any:
        """The numbers of a vector whose items are `fields` of this kind."""
        start, length = self.span(number, fields * np.dtype(kind).itemsize)
        return np.frombuffer(self.content, kind, length * fields, start)

    def tables(self, number: int) -> Iterator[_Table]:
        """The tables of a vector."""
        start, length = self.span(number, 4)
        for at in range(start, start + 4 * length, 4):
            yield _Table(self.content, at + self._read("<I", at))
