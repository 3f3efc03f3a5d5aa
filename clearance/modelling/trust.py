"""Which types a model file may hold: ours, and those compliance added with a reason.

A list of names only; nothing is loaded here, and nothing is taken from a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearance import yaml12
from clearance.errors import ConfigurationError

TRUSTED = (
    "clearance.modelling.group_scores.GroupScores",
    "fairlearn.preprocessing._correlation_remover.CorrelationRemover",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""Types the built-in estimators and mitigations need beyond those that skops holds safe."""

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
        entries = yaml12.loads(more_trusted.read_text(encoding="utf-8"))
    except (yaml12.YAMLError, UnicodeDecodeError) as error:
        fault = f"{more_trusted} is not readable YAML: {error}"
        raise ConfigurationError(fault, "mend the line it names") from None
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        raise ConfigurationError(
            f"{more_trusted} is no list of types with a reason each",
            "write each entry as `- {type: package.module.Class, reason: why it may be loaded}`",
        )
    return TRUSTED + tuple(entry["type"] for entry in entries)


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, Mapping)
        and set(entry) == {"type", "reason"}
        and all(isinstance(text, str) and text.strip() for text in entry.values())
        and _TYPE_NAME.fullmatch(entry["type"]) is not None
    )
