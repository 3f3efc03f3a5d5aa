"""Which types a model file may hold: ours, and those compliance added with a reason.

Names only: nothing is loaded here, and no list is taken from a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clearance import yaml
from clearance.errors import ConfigurationError

LOADERS = {
    "clearance.models.group_thresholds.GroupScores": "ObjectNode",
    "fairlearn.preprocessing._correlation_remover.CorrelationRemover": "ObjectNode",
    "numpy.dtype": "DTypeNode",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": "ObjectNode",
    "sklearn.tree._tree.Tree": "TreeNode",
}
"""Types the built-in estimators and mitigations need beyond those that skops holds safe, by their loader.

skops lets any of its loaders create any trusted type: one would hand `numpy.dtype` a state of its own choice.
"""

TRUSTED = tuple(LOADERS)

PROTOCOL = 2
"""The skops protocol that is written; its older ones have loaders of their own."""

MORE_TRUSTED = Path("policies/trusted_types.yaml")
"""Where compliance adds types that further estimator classes need; a missing file adds none."""

_TYPE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def trusted_types(more_trusted: Path = MORE_TRUSTED) -> tuple[str, ...]:
    """The exact names of the types that may be loaded: ours, and those compliance added, each with a reason.

    Raises ConfigurationError unless the file is a YAML list of `{type: package.module.Class, reason: text}`.
    """
    if not more_trusted.exists():
        return TRUSTED
    try:
        entries = yaml.loads(more_trusted.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fault = f"{more_trusted} is not readable YAML: {error}"
        raise ConfigurationError(fault, "mend the line it names") from None
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        raise ConfigurationError(
            f"{more_trusted} is no list of types with a reason each",
            "write each entry as `- {type: package.module.Class, reason: why it may be loaded}`",
        )
    return TRUSTED + tuple(entry["type"] for entry in entries)


def check_nodes(schema: Any) -> None:
    """Raise ValueError unless every node of a skops schema is of the kind that saving gives it.

    No older protocol, no node that stands for another one (a few of those unfold without end), and our
    trusted types only through the loaders that they are saved for. Which other types may be, skops audits.
    """
    if not isinstance(schema, Mapping) or schema.get("protocol") != PROTOCOL:
        raise ValueError(f"it is not of skops protocol {PROTOCOL}")
    for node in _nodes(schema):
        name = f"{node.get('__module__')}.{node.get('__class__')}"
        if "__id__" in node or node["__loader__"] == "CachedNode":
            raise ValueError(f"a {name} stands for another object")
        if LOADERS.get(name, node["__loader__"]) != node["__loader__"]:
            raise ValueError(f"{node['__loader__']} is not how {name} is loaded")


def _nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if "__loader__" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, Mapping)
        and set(entry) == {"type", "reason"}
        and all(isinstance(text, str) and text.strip() for text in entry.values())
        and _TYPE_NAME.fullmatch(entry["type"]) is not None
    )
