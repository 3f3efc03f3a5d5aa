"""LightGBM's text format, as `booster.save_model` writes it, checked before LightGBM parses it.

Needs the optional library `lightgbm`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance.models.boosters import lightgbm_text
from clearance.models.external.no_probabilities import NoProbabilitiesError, NotTwoClassesError

_UNNAMED = re.compile(r"Column_\d+")
_MANY_CLASSES = re.compile(r"multiclass(?:ova)? num_class:(\d+)")


@dataclass(frozen=True, kw_only=True)
class LightGbmModel:
    """A loaded booster; see `file_model.OpenedModel`."""

    trees: lightgbm.Booster
    features: tuple[str, ...] | None
    inputs: int | None
    made_with: dict[str, str]
    classes: tuple[Any, ...] = (0, 1)

    def probabilities(self, features: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The probability of each of `classes`, shape (n, 2). Texts are categories to LightGBM."""
        texts = [name for name in features.columns if not pd.api.types.is_numeric_dtype(features[name])]
        rows = features.astype(dict.fromkeys(texts, "category"))
        second = np.asarray(self.trees.predict(rows, num_threads=1), dtype=np.float64)
        return np.column_stack([1 - second, second])


def open_model(content: bytes) -> LightGbmModel:
    """The model in these bytes. Raises ValueError on what is no model of two outcomes in this format."""
    text = content.decode("utf-8")
    if text.lstrip().startswith("{"):
        raise ValueError("LightGBM cannot load its JSON again: save the model with `booster.save_model`")
    head = dict(re.findall(r"^(\w+)=(.*)$", text.partition("\nTree=")[0], re.MULTILINE))
    objective = head.get("objective", "")
    if text.startswith("tree\n") and (classes := _MANY_CLASSES.match(objective)):
        raise NotTwoClassesError(int(classes[1]))
    if text.startswith("tree\n") and not objective.startswith("binary"):
        raise NoProbabilitiesError(f"its objective is `{objective or 'not named'}`")
    facts = lightgbm_text.check(text)
    named = not all(map(_UNNAMED.fullmatch, facts.names))
    return LightGbmModel(
        trees=lightgbm.Booster(model_str=text),
        features=facts.names if named else None,
        inputs=facts.columns,
        made_with={"LightGBM model format": head.get("version", "not recorded")},
    )
