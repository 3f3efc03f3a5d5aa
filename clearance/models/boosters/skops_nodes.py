"""The boosters in a skops archive, checked before it is loaded: their libraries parse them while it is.

The nodes that hold them must have the one form in which saving writes them, so that what is checked is what
is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clearance.models.boosters import catboost_binary, lightgbm_text, xgboost_model
from clearance.models.boosters.trees import Booster

Members = Mapping[str, bytes]


def check(schema: Any, members: Members) -> None:
    """Raise ValueError unless each booster in the archive is one that its library can read safely."""
    for node in nodes(schema):
        if reader := _READERS.get(f"{node.get('__module__')}.{node.get('__class__')}"):
            reader(_state(node), members)


def nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every node of a schema."""
    if isinstance(value, Mapping):
        if "__loader__" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def _state(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the object gets when it is loaded, by name."""
    content = node.get("content")
    if not isinstance(content, Mapping) or _kind(content) != ("DictNode", "builtins.dict"):
        raise ValueError("a booster has no state")
    state, keys = content.get("content"), content.get("key_types")
    if (
        not isinstance(state, Mapping)
        or not isinstance(keys, Mapping)
        or keys.get("__loader__") != "ListNode"
    ):
        raise ValueError("a booster has no state")
    types = keys.get("content")
    if not isinstance(types, list) or len(types) != len(state):
        raise ValueError("a booster has no state")
    if any(_kind(kind) != ("TypeNode", "builtins.str") for kind in types):
        raise ValueError("the state of a booster has names that are not texts")
    return state


def _kind(node: Any) -> tuple[Any, str]:
    return node.get("__loader__"), f"{node.get('__module__')}.{node.get('__class__')}"


def _lightgbm(state: Mapping[str, Any], _: Members) -> Booster:
    node = state.get("_handle", {})
    if "handle" in state or _kind(node) != ("JsonNode", "builtins.str"):
        raise ValueError("a LightGBM booster does not hold one text")
    return lightgbm_text.check(json.loads(node["content"]))


def _xgboost(state: Mapping[str, Any], members: Members) -> Booster:
    node = state.get("handle", {})
    if _kind(node) != ("BytearrayNode", "builtins.bytearray"):
        raise ValueError("an XGBoost booster does not hold its bytes")
    return xgboost_model.check_snapshot(xgboost_model.read(members[node["file"]]))


def _catboost(state: Mapping[str, Any], members: Members) -> Booster:
    node = state.get("__model", {})
    if _kind(node) != ("BytesNode", "builtins.bytes") or {"_test_eval", "_test_evals"} & state.keys():
        raise ValueError("a CatBoost model does not hold its bytes")
    return catboost_binary.check(members[node["file"]])


_READERS: Mapping[str, Callable[[Mapping[str, Any], Members], Booster]] = {
    "catboost.core.CatBoostClassifier": _catboost,
    "lightgbm.basic.Booster": _lightgbm,
    "xgboost.core.Booster": _xgboost,
}
