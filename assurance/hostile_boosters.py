"""Boosters by hand, one of each text format, and the same spoilt in one place each.

The honest ones are what LightGBM and XGBoost themselves write for a tree of three leaves over two columns.
The spoilt ones would make a C++ parser or a prediction read elsewhere, never end, or mean something else.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

TREE = """Tree=0
num_leaves=3
num_cat=0
split_feature=0 1
split_gain=2 1
threshold=0.5 0.25
decision_type=2 10
left_child=1 -1
right_child=-2 -3
leaf_value=0.1 -0.2 0.3
leaf_weight=5 5 5
leaf_count=20 20 20
internal_value=0 0.2
internal_weight=15 10
internal_count=60 40
is_linear=0
shrinkage=1


"""
HEAD = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=binary sigmoid:1
feature_names=a b
feature_infos=[0:1] [0:1]
tree_sizes={size}

"""
TAIL = (
    "end of trees\n\nfeature_importances:\na=1\nb=1\n\nparameters:\n[objective: binary]\nend of parameters\n"
)


def lightgbm(tree: str = TREE, head: str = HEAD, tail: str = TAIL) -> str:
    """A LightGBM model whose header states the size that its tree has."""
    return head.format(size=len(tree.encode())) + tree + tail


def _tree(before: str, after: str) -> str:
    assert before in TREE  # noqa: S101
    return lightgbm(tree=TREE.replace(before, after))


def _head(before: str, after: str) -> str:
    assert before in HEAD  # noqa: S101
    return lightgbm(head=HEAD.replace(before, after))


LIGHTGBM: dict[str, str] = {
    "cut": lightgbm()[:300],
    "cut after its trees": lightgbm(tail=""),
    "a parameter without a colon": lightgbm(tail=TAIL.replace("[objective: binary]", "[objective]")),
    "no parameter": lightgbm(tail=TAIL.replace("[objective: binary]", "[]")),
    "no end of its parameters": lightgbm(tail=TAIL.replace("end of parameters\n", "")),
    "empty": "",
    "a child elsewhere": _tree("left_child=1 -1", "left_child=9 -1"),
    "a leaf elsewhere": _tree("right_child=-2 -3", "right_child=-2 -2000000000"),
    "a child that is its parent": _tree("left_child=1 -1", "left_child=0 -1"),
    "a leaf reached twice": _tree("right_child=-2 -3", "right_child=-2 -1"),
    "a column that is not there": _tree("split_feature=0 1", "split_feature=0 2"),
    "a column below zero": _tree("split_feature=0 1", "split_feature=-1 1"),
    "a billion leaves": _tree("num_leaves=3", "num_leaves=1000000000"),
    "no leaves": _tree("num_leaves=3", "num_leaves=0"),
    "fewer leaves than values": _tree("num_leaves=3", "num_leaves=2"),
    "a leaf that is not a number": _tree("leaf_value=0.1", "leaf_value=nan"),
    "an infinite leaf": _tree("leaf_value=0.1", "leaf_value=inf"),
    "a leaf beyond doubles": _tree("leaf_value=0.1", "leaf_value=1e999"),
    "a threshold that is not a number": _tree("threshold=0.5", "threshold=nan"),
    "an integer beyond 64 bits": _tree("split_feature=0 1", "split_feature=0 99999999999999999999"),
    "categories without a table": _tree("decision_type=2 10", "decision_type=1 10"),
    "a table of categories that ends early": _tree(
        "num_cat=0\n", "num_cat=1\ncat_boundaries=0 9\ncat_threshold=1\n"
    ),
    "a decision of an unknown kind": _tree("decision_type=2 10", "decision_type=2 100"),
    "linear leaves": _tree("is_linear=0", "is_linear=1"),
    "a key twice": _tree("num_cat=0\n", "num_cat=0\nnum_cat=1\n"),
    "an unknown key": _tree("num_cat=0\n", "num_cat=0\nleaf_features=9\n"),
    "another tree's number": _tree("Tree=0", "Tree=1"),
    "a tree hidden in a tree": _tree("shrinkage=1\n", "shrinkage=1\nTree=1\n"),
    "lines behind an empty one": _tree("shrinkage=1\n", "\nshrinkage=1\n"),
    "another objective": _head("objective=binary sigmoid:1", "objective=regression"),
    "no objective": _head("objective=binary sigmoid:1\n", ""),
    "three classes": _head("num_class=1", "num_class=3"),
    "more columns than names": _head("max_feature_idx=1", "max_feature_idx=2147483647"),
    "no columns": _head("max_feature_idx=1", "max_feature_idx=-1"),
    "a name for two columns": _head("feature_names=a b", "feature_names=a a"),
    "an old version": _head("version=v4", "version=v2"),
    "a size beyond the file": _head("{size}", "99999999"),
    "a negative size": _head("{size}", "-5"),
    "more sizes than trees": _head("{size}", "{size} 5"),
    "a text behind its end": lightgbm().replace("objective=", "\0objective="),
    "another line end": lightgbm().replace("\n", "\r\n"),
}


def xgboost() -> dict[str, Any]:
    """An XGBoost model; change it, it is new at each call."""
    tree = {
        "base_weights": [0.0, 0.2, -0.2, 0.1, 0.3],
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
        "default_left": [1, 0, 0, 0, 0],
        "id": 0,
        "left_children": [1, 3, -1, -1, -1],
        "loss_changes": [2.0, 1.0, 0.0, 0.0, 0.0],
        "parents": [2147483647, 0, 0, 1, 1],
        "right_children": [2, 4, -1, -1, -1],
        "split_conditions": [0.5, 0.25, -0.2, 0.1, 0.3],
        "split_indices": [0, 1, 0, 0, 0],
        "split_type": [0, 0, 0, 0, 0],
        "sum_hessian": [15.0, 10.0, 5.0, 5.0, 5.0],
        "tree_param": {"num_deleted": "0", "num_feature": "2", "num_nodes": "5", "size_leaf_vector": "1"},
    }
    return {
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {
                "model": {
                    "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "1"},
                    "iteration_indptr": [0, 1],
                    "tree_info": [0],
                    "trees": [tree],
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                "base_score": "[5E-1]",
                "boost_from_average": "1",
                "num_class": "0",
                "num_feature": "2",
                "num_target": "1",
            },
            "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
        "version": [3, 2, 0],
    }


def _set(*where: Any) -> Callable[[], dict[str, Any]]:
    """A model with another value at the end of a way of names and places."""

    def spoilt() -> dict[str, Any]:
        document: Any = copy.deepcopy(xgboost())
        *way, last, value = where
        inner = document["learner"]
        for step in way:
            inner = inner[step]
        inner[last] = value
        return dict(document)

    return spoilt


_MODEL = ("gradient_booster", "model")
_TREE = (*_MODEL, "trees", 0)
XGBOOST: dict[str, Callable[[], dict[str, Any]]] = {
    "no learner": lambda: {},
    "a child elsewhere": _set(*_TREE, "left_children", 1, 1 << 30),
    "a child below zero": _set(*_TREE, "right_children", 1, -7),
    "a child that is its parent": _set(*_TREE, "right_children", 1, 0),
    "a leaf reached twice": _set(*_TREE, "right_children", 1, 3),
    "one child alone": _set(*_TREE, "right_children", 0, -1),
    "a parent elsewhere": _set(*_TREE, "parents", 3, 4),
    "a column that is not there": _set(*_TREE, "split_indices", 1, 2),
    "a leaf that is not a number": _set(*_TREE, "split_conditions", 3, float("nan")),
    "an infinite leaf": _set(*_TREE, "split_conditions", 3, float("inf")),
    "a text for a number": _set(*_TREE, "split_conditions", 3, "0.1"),
    "a fraction for a child": _set(*_TREE, "left_children", 0, 1.5),
    "a list for a child": _set(*_TREE, "left_children", 0, [1]),
    "a billion nodes": _set(*_TREE, "tree_param", "num_nodes", "1000000000"),
    "a count that is none": _set(*_TREE, "tree_param", "num_nodes", "-5"),
    "leaves of several numbers": _set(*_TREE, "tree_param", "size_leaf_vector", "3"),
    "deleted nodes that are not there": _set(*_TREE, "tree_param", "num_deleted", "1"),
    "a split by category": _set(*_TREE, "split_type", 0, 1),
    "categories": _set(*_TREE, "categories", [1]),
    "another tree's number": _set(*_TREE, "id", 5),
    "a billion trees": _set(*_MODEL, "gbtree_model_param", "num_trees", "1000000000"),
    "trees of other classes": _set(*_MODEL, "tree_info", 0, 1),
    "an iteration beyond the trees": _set(*_MODEL, "iteration_indptr", 1, 9),
    "an encoding of categories": _set(*_MODEL, "cats", "enc", [1]),
    "another booster": _set("gradient_booster", "name", "dart"),
    "another objective": _set("objective", "name", "reg:squarederror"),
    "raw scores": _set("objective", "name", "binary:logitraw"),
    "three classes": _set("learner_model_param", "num_class", "3"),
    "two targets": _set("learner_model_param", "num_target", "2"),
    "other columns than its trees": _set("learner_model_param", "num_feature", "3"),
    "a start that is not a share": _set("learner_model_param", "base_score", "[NaN]"),
    "a name too few": _set("feature_names", ["a"]),
    "a name for two columns": _set("feature_names", ["a", "a"]),
}

_A = b"{L" + (1).to_bytes(8, "big") + b"a"
XGBOOST_BYTES: dict[str, bytes] = {
    "empty": b"",
    "cut": json.dumps(xgboost()).encode()[:-50],
    "a list": b"[]",
    "a name twice": b'{"learner": {}, "learner": {}}',
    "20,000 objects deep": b'{"a":' * 20_000,
    "a binary list longer than the file": b"{L"
    + (1).to_bytes(8, "big")
    + b"a[$D#L"
    + (1 << 40).to_bytes(8, "big"),
    "a binary list of negative length": _A + b"[$D#L" + b"\xff" * 8,
    "a billion values without a type": b"{L"
    + (1).to_bytes(8, "big")
    + b"a[#L"
    + (1 << 30).to_bytes(8, "big"),
    "binary objects without end": _A * 20_000,
    "a binary type that is unknown": _A + b"H",
    "bytes behind it": _A + b"Z}more",
}


def snapshot(model: dict[str, Any]) -> dict[str, Any]:
    """A model with the settings beside it, as an archive holds one."""
    learner = model.get("learner", {})
    return {
        "Config": {
            "learner": {
                "generic_param": {"device": "cpu", "nthread": "1"},
                "gradient_booster": {"name": "gbtree"},
                "learner_model_param": learner.get("learner_model_param"),
                "learner_train_param": {"booster": "gbtree", "objective": "binary:logistic"},
            }
        },
        "Model": model,
    }
