"""An XGBoost model, as JSON or UBJSON, checked before XGBoost parses it.

Models of trees for two classes (`gbtree`, `binary:logistic`) whose trees split numbers. Nothing is loaded or
scored here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from clearance.models.boosters import trees, ubjson
from clearance.models.boosters.trees import Booster

OBJECTIVE = "binary:logistic"
_NO_PARENT = (-1, 2147483647)


def read(content: bytes) -> Mapping[str, Any]:
    """The document in a model file, JSON or UBJSON. Raises ValueError when it is neither, or cut."""
    if content[:1] != b"{":
        raise ValueError("it is not a model in JSON or UBJSON")
    if content[1:2] == b"L":
        document = ubjson.loads(content)
    else:
        document = json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    return _mapping(document, "it")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _refuse(constant: str) -> Any:
    raise ValueError(f"it holds {constant}")


def check_snapshot(document: Mapping[str, Any]) -> Booster:
    """What `check` returns of the model in a snapshot: a model with the settings it was trained with.

    Raises ValueError as well when the two do not describe the same model.
    """
    if set(document) != {"Config", "Model"}:
        raise ValueError("it is not a snapshot of a model")
    model, settings = (_learner(_mapping(document[name], name)) for name in ("Model", "Config"))
    trained = _mapping(settings.get("learner_train_param"), "learner_train_param")
    if settings.get("learner_model_param") != model.get("learner_model_param"):
        raise ValueError("its settings are of another model")
    name = _mapping(settings.get("gradient_booster"), "gradient_booster").get("name")
    if (name, trained.get("booster"), trained.get("objective")) != ("gbtree", "gbtree", OBJECTIVE):
        raise ValueError("its settings are of another kind of model")
    if _mapping(settings.get("generic_param"), "generic_param").get("device") != "cpu":
        raise ValueError("it asks for another device than the processor")
    return check(_mapping(document["Model"], "Model"))


def check(document: Mapping[str, Any]) -> Booster:
    """The facts of a model. Raises ValueError when XGBoost could not read it safely.

    That is: another objective or booster, a tree that points outside itself or its columns or into a circle,
    splits by category, a number that is not finite, sizes that do not fit.
    """
    learner = _learner(document)
    objective = _mapping(learner.get("objective"), "objective").get("name")
    if objective != OBJECTIVE:
        raise ValueError(f"its objective is {objective!r}, not `{OBJECTIVE}`")
    shape = _mapping(learner.get("learner_model_param"), "learner_model_param")
    columns = _count(shape, "num_feature")
    if columns < 1 or shape.get("num_class") != "0" or shape.get("num_target", "1") != "1":
        raise ValueError("it is not a model of two classes")
    if not 0 < _share(shape.get("base_score")) < 1:
        raise ValueError(f"its base score is {shape.get('base_score')!r}, not a share")
    booster = _mapping(learner.get("gradient_booster"), "gradient_booster")
    if booster.get("name") != "gbtree":
        raise ValueError(f"its booster is {booster.get('name')!r}, not `gbtree`")
    model = _mapping(booster.get("model"), "model")
    shapes = _check_forest(model, columns)
    names = learner.get("feature_names") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("feature_names does not hold texts")
    return Booster(
        columns=columns,
        names=trees.ensure_names(names, columns) if names else (),
        trees=len(shapes),
        nodes=sum(nodes for nodes, _ in shapes),
        depth=max((depth for _, depth in shapes), default=0),
    )


def forest(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The trees of a checked model."""
    trees_of: list[Mapping[str, Any]] = _learner(document)["gradient_booster"]["model"]["trees"]
    return trees_of


def start(document: Mapping[str, Any]) -> float:
    """The log-odds that the trees of a checked model add to."""
    share = _share(_learner(document)["learner_model_param"]["base_score"])
    return math.log(share / (1 - share))


def _check_forest(model: Mapping[str, Any], columns: int) -> list[tuple[int, int]]:
    """The nodes and the depth of each tree."""
    parameters = _mapping(model.get("gbtree_model_param"), "gbtree_model_param")
    forest = model.get("trees")
    if not isinstance(forest, list) or len(forest) != _count(parameters, "num_trees"):
        raise ValueError("num_trees does not fit the trees")
    if any(np.size(part) for part in _mapping(model.get("cats", {}), "cats").values()):
        raise ValueError("it encodes categories, which are not checked")
    if trees.integers(model.get("tree_info"), "tree_info", len(forest)).any():
        raise ValueError("it is not a model of two classes")
    if _count(parameters, "num_parallel_tree") < 1:
        raise ValueError("num_parallel_tree is out of range")
    if "iteration_indptr" in model:
        ends = trees.integers(model["iteration_indptr"], "iteration_indptr")
        if not len(ends) or ends[0] != 0 or ends[-1] != len(forest) or (np.diff(ends) < 0).any():
            raise ValueError("iteration_indptr does not fit the trees")
    return [_check_tree(_mapping(tree, "a tree"), place, columns) for place, tree in enumerate(forest)]


def _check_tree(tree: Mapping[str, Any], place: int, columns: int) -> tuple[int, int]:
    shape = _mapping(tree.get("tree_param"), "tree_param")
    nodes = _count(shape, "num_nodes")
    if tree.get("id") != place or nodes < 1 or _count(shape, "num_feature") != columns:
        raise ValueError(f"tree {place} does not fit the model")
    if shape.get("size_leaf_vector", "0") not in {"0", "1"}:
        raise ValueError("a leaf holds more than one number")
    whole = {
        name: trees.integers(tree.get(name), name, nodes)
        for name in (
            "left_children",
            "right_children",
            "parents",
            "split_indices",
            "split_type",
            "default_left",
        )
    }
    for name in ("split_conditions", "base_weights", "loss_changes", "sum_hessian"):
        trees.numbers(tree.get(name), name, nodes)
    if whole["split_type"].any() or any(
        np.size(value) for name, value in tree.items() if name.startswith("categories")
    ):
        raise ValueError("a tree splits by categories, which are not checked")
    trees.ensure_within(whole["default_left"], 2, "default_left")
    left, right, parents = whole["left_children"], whole["right_children"], whole["parents"]
    inner = left != -1
    reached, depth = trees.ensure_tree(left, right, inner)
    if not np.array_equal(inner[reached], (right != -1)[reached]) or len(inner) - reached.sum() != _count(
        shape, "num_deleted"
    ):
        raise ValueError("a tree has nodes that are never reached")
    trees.ensure_within(whole["split_indices"][reached & inner], columns, "a column of a tree")
    own = np.flatnonzero(reached & inner)
    if parents[0] not in _NO_PARENT or not all((parents[child[own]] == own).all() for child in (left, right)):
        raise ValueError("a node is not the child of its parent")
    return nodes, depth


def _share(text: Any) -> float:
    """The share of the favourable outcome that the trees start from: `5E-1` or `[5E-1]`."""
    return float(text.removeprefix("[").removesuffix("]")) if isinstance(text, str) else math.nan


def _learner(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(document.get("learner"), "learner")


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} is not an object")
    return value


def _count(parameters: Mapping[str, Any], name: str) -> int:
    """A number that XGBoost keeps as text."""
    text = parameters.get(name)
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"{name} is not a count")
    return int(text)
