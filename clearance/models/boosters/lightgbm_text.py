"""A LightGBM model in the library's text format, checked before LightGBM parses it.

Models for two classes whose trees split numbers, or categories by their bit sets; no linear leaves. Nothing
is loaded or scored here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from clearance.models.boosters import trees
from clearance.models.boosters.trees import Booster, Integers

_HEADER = {
    "tree",
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "average_output",
    "feature_names",
    "feature_infos",
    "monotone_constraints",
    "tree_sizes",
}
_WHOLE = {"num_leaves", "num_cat", "is_linear"}
_BY_NODE = {"split_feature", "decision_type", "left_child", "right_child", "internal_count"}
_BY_NODE_REAL = {"split_gain", "internal_value", "internal_weight"}
_BY_LEAF_REAL = {"leaf_value", "leaf_weight"}
_OF_CATEGORIES = {"cat_boundaries", "cat_threshold"}
_OTHERS = {"Tree", "shrinkage", "leaf_count", "threshold"}
_TREE = _OTHERS | _WHOLE | _BY_NODE | _BY_NODE_REAL | _BY_LEAF_REAL | _OF_CATEGORIES
_NEEDED = {"num_leaves", "num_cat", "leaf_value", "shrinkage"}

_INTEGERS = re.compile(r"-?[0-9]+( -?[0-9]+)*|")
_THRESHOLDS = re.compile(r"(inf|[-+.0-9eE]+)( (inf|[-+.0-9eE]+))*")
"""Infinity divides values from missing ones."""
_REALS = re.compile(r"[-+.0-9eE]+( [-+.0-9eE]+)*|")
_OBJECTIVE = re.compile(r"binary sigmoid:[0-9.]+")
_END = "end of trees\n"
_TAIL = re.compile(
    r"\nfeature_importances:\n([^\n=]+=[0-9]+\n)*"
    r"(\nparameters:\n(\[[A-Za-z0-9_]+: [^\n]*\]\n)*\n?end of parameters\n)?"
    r"(\npandas_categorical:[^\n]*\n?)?"
)
"""What follows the trees: LightGBM reads the parameters again, and looks for a colon in each line."""

_CATEGORICAL, _MISSING = 1, 12
"""Bits of a node's decision: it splits by categories; how it takes missing values, 0 to 2 times 4."""


def check(text: str) -> Booster:
    """The facts of a model in text form. Raises ValueError when LightGBM could not read it safely.

    That is: another objective than `binary`, a tree that points outside itself or its columns or into a
    circle, a number that is not finite, sizes that do not fit, anything that the format does not have.
    """
    if "\0" in text or "\r" in text:
        raise ValueError("it holds characters that a model text does not have")
    head, start, rest = text.partition("\nTree=")
    blocks, end, tail = (start[1:] + rest).partition(_END)
    if not start or not end or not _TAIL.fullmatch(tail):
        raise ValueError("it is cut, or not a LightGBM model")
    header = _pairs(head.rstrip("\n"), _HEADER)
    columns = _one(header, "max_feature_idx") + 1
    if columns < 1:
        raise ValueError("it reads no columns")
    if not _OBJECTIVE.fullmatch(header.get("objective", "")):
        raise ValueError(f"its objective is {header.get('objective')!r}, not `binary`")
    if _one(header, "num_class") != 1 or _one(header, "num_tree_per_iteration") != 1:
        raise ValueError("it is not a model of two classes")
    if header.get("tree") != "" or header.get("version") not in {"v3", "v4"}:
        raise ValueError(f"its version is {header.get('version')!r}")
    names = trees.ensure_names(header.get("feature_names", "").split(" "), columns)
    if len(header.get("feature_infos", "").split(" ")) != columns:
        raise ValueError("feature_infos does not fit the columns")
    sizes = _integers(header, "tree_sizes")
    shapes = [
        _check_tree(_pairs(block.rstrip("\n"), _TREE), number, columns)
        for number, block in enumerate(_split(blocks, sizes))
    ]
    return Booster(
        columns=columns,
        names=names,
        trees=len(shapes),
        nodes=sum(nodes for nodes, _ in shapes),
        depth=max((depth for _, depth in shapes), default=0),
    )


def _split(blocks: str, sizes: Integers) -> Iterable[str]:
    """The text of each tree; LightGBM jumps from one to the next by these sizes, in bytes."""
    content, start = blocks.encode(), 0
    for size in sizes.tolist():
        block = content[start : start + max(size, 0)]
        if (
            size != len(block)
            or not block.startswith(b"Tree=")
            or b"\nTree=" in block
            or not block.endswith(b"\n")
        ):
            raise ValueError("tree_sizes does not fit the trees")
        start += size
        yield block.decode()
    if content[start:].strip(b"\n"):
        raise ValueError("tree_sizes does not fit the trees")


def _pairs(block: str, allowed: set[str]) -> dict[str, str]:
    """The lines `key=value` of a block; a line without a value has an empty one."""
    pairs: dict[str, str] = {}
    for line in block.split("\n"):
        key, _, value = line.partition("=")
        if key not in allowed or key in pairs:
            raise ValueError(f"a line that the format does not have, or has once: {key[:40]!r}")
        pairs[key] = value
    return pairs


def _check_tree(tree: Mapping[str, str], number: int, columns: int) -> tuple[int, int]:
    """The nodes and the depth of a tree that can be read safely."""
    if tree["Tree"] != str(number) or not tree.keys() >= _NEEDED:
        raise ValueError(f"tree {number} is incomplete")
    leaves, categories = _one(tree, "num_leaves"), _one(tree, "num_cat")
    if leaves < 1 or categories < 0 or _integers(tree, "is_linear").any():
        raise ValueError(f"tree {number} has leaves that are not numbers")
    for name in _BY_LEAF_REAL & tree.keys():
        _reals(tree, name, leaves if tree[name] or name == "leaf_value" else 0)
    _reals(tree, "shrinkage", 1)
    if leaves == 1:
        return 1, 0
    nodes = leaves - 1
    whole = {name: _integers(tree, name, nodes) for name in _BY_NODE}
    for name in _BY_NODE_REAL:
        _reals(tree, name, nodes)
    _integers(tree, "leaf_count", leaves)
    trees.ensure_within(whole["split_feature"], columns, "a column of a tree")
    decision = whole["decision_type"]
    trees.ensure_within(decision, _MISSING, "decision_type")
    children = [_as_nodes(whole[name], nodes) for name in ("left_child", "right_child")]
    inner = np.arange(nodes + leaves) < nodes
    padded = [np.concatenate([child, np.zeros(leaves, dtype=np.int64)]) for child in children]
    reached, depth = trees.ensure_tree(padded[0], padded[1], inner)
    if not reached.all():
        raise ValueError("a tree has nodes that are never reached")
    by_category = (decision & _CATEGORICAL) > 0
    if categories:
        bounds, bits = _integers(tree, "cat_boundaries", categories + 1), _integers(tree, "cat_threshold")
        if bounds[0] != 0 or (np.diff(bounds) < 0).any() or bounds[-1] != len(bits):
            raise ValueError("cat_boundaries does not fit cat_threshold")
    if not _THRESHOLDS.fullmatch(tree.get("threshold", "")):
        raise ValueError("threshold does not hold numbers")
    thresholds = np.array([float(word) for word in tree["threshold"].split()])
    sets = trees.numbers(thresholds[by_category] if len(thresholds) == nodes else [np.nan], "threshold")
    trees.ensure_within(sets.astype(np.int64), categories, "a category set")
    return nodes + leaves, depth


def _as_nodes(child: Integers, nodes: int) -> Integers:
    """Children as one numbering: inner nodes first, then leaf ~k as `nodes + k`."""
    return np.where(child < 0, nodes + ~child, np.where(child < nodes, child, -1))


def _one(pairs: Mapping[str, str], name: str) -> int:
    return int(_integers(pairs, name, 1)[0])


def _integers(pairs: Mapping[str, str], name: str, length: int | None = None) -> Integers:
    text = pairs.get(name, "")
    if not _INTEGERS.fullmatch(text):
        raise ValueError(f"{name} does not hold whole numbers")
    return trees.integers([int(word) for word in text.split()], name, length)


def _reals(pairs: Mapping[str, str], name: str, length: int) -> trees.Numbers:
    text = pairs.get(name, "")
    if not _REALS.fullmatch(text):
        raise ValueError(f"{name} does not hold numbers")
    return trees.numbers([float(word) for word in text.split()], name, length)
