"""The types a model file may hold: ours, and those that compliance added with a reason.

Names only: nothing is loaded here, and no list comes from a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearance import yaml
from clearance.models import faults
from clearance.models.boosters import skops_nodes

LOADERS = {
    "catboost.core.CatBoostClassifier": "ObjectNode",
    "clearance.models.external.file_model.FileModel": "ObjectNode",
    "clearance.models.external.inputs.Inputs": "ObjectNode",
    "clearance.models.external.relabelled.Relabelled": "ObjectNode",
    "clearance.models.external.score_table.ScoreTable": "ObjectNode",
    "clearance.models.group_thresholds.GroupScores": "ObjectNode",
    "collections.OrderedDict": "TypeNode",
    "fairlearn.preprocessing._correlation_remover.CorrelationRemover": "ObjectNode",
    "lightgbm.basic.Booster": "ObjectNode",
    "lightgbm.sklearn.LGBMClassifier": "ObjectNode",
    "numpy.dtype": "DTypeNode",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": "ObjectNode",
    "sklearn.tree._tree.Tree": "TreeNode",
    "xgboost.core.Booster": "ObjectNode",
    "xgboost.sklearn.XGBClassifier": "ObjectNode",
}
"""Types the built-in estimators and mitigations need beyond those that skops considers safe, by their loader.

skops lets any of its loaders create any trusted type: one could give `numpy.dtype` a state of its own choice.
"""

TRUSTED = tuple(LOADERS)

PROTOCOL = 2
"""The skops protocol in use; older ones have other loaders."""

MORE_TRUSTED = Path("policies/trusted_types.yaml")
"""Where compliance adds the types that other estimator classes need; a missing file adds none."""

_TYPE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def trusted_types(more_trusted: Path = MORE_TRUSTED) -> tuple[str, ...]:
    """The exact names of the types that may be loaded: ours, and those that compliance added with a reason.

    Raises ConfigurationError unless the file is a YAML list of `{type: package.module.Class, reason: text}`.
    """
    if not more_trusted.exists():
        return TRUSTED
    try:
        entries = yaml.loads(more_trusted.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise faults.TRUSTED_TYPES_UNREADABLE(path=more_trusted, reason=str(error)) from None
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        raise faults.TRUSTED_TYPES_MALFORMED(path=more_trusted)
    return TRUSTED + tuple(entry["type"] for entry in entries)


def check_nodes(schema: Any) -> None:
    """Raise ValueError unless every node of a skops schema is of the kind that saving gives it.

    It refuses older protocols, nodes that stand for another one (a few of those can unfold without end), and
    trusted types with any loader but the one they are saved with. skops itself audits all other types.
    """
    if not isinstance(schema, Mapping) or schema.get("protocol") != PROTOCOL:
        raise ValueError(f"it does not use skops protocol {PROTOCOL}")
    for node in skops_nodes.nodes(schema):
        name = f"{node.get('__module__')}.{node.get('__class__')}"
        if "__id__" in node or node["__loader__"] == "CachedNode":
            raise ValueError(f"a {name} stands for another object")
        if LOADERS.get(name, node["__loader__"]) != node["__loader__"]:
            raise ValueError(f"{node['__loader__']} is not how {name} is loaded")


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, Mapping)
        and set(entry) == {"type", "reason"}
        and all(isinstance(text, str) and text.strip() for text in entry.values())
        and _TYPE_NAME.fullmatch(entry["type"]) is not None
    )
