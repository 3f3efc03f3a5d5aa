"""LightGBM's text format, as `booster.save_model` writes it. Needs the extra `lightgbm`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance.models.external.no_probabilities import NoProbabilitiesError

_UNNAMED = re.compile(r"Column_\d+")


@dataclass(frozen=True, kw_only=True)
class LightGbmModel:
    """A loaded booster; see `file_model.OpenedModel`. `trees` is the booster."""

    trees: lightgbm.Booster
    categories: tuple[tuple[str, ...], ...]
    classes: tuple[Any, ...] = (0, 1)
    features: tuple[str, ...] | None
    inputs: int | None
    made_with: dict[str, str]

    def probabilities(self, features: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The probability of each of `classes`, shape (n, 2)."""
        second = np.asarray(self._predict(features, raw_score=False), dtype=np.float64)
        return np.column_stack([1 - second, second])

    def margins(self, features: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The log-odds of the second class, shape (n,)."""
        return np.asarray(self._predict(features, raw_score=True), dtype=np.float64)

    def _predict(self, features: pd.DataFrame, *, raw_score: bool) -> Any:
        return self.trees.predict(_as_trained(features), raw_score=raw_score, num_threads=1)


def _as_trained(features: pd.DataFrame) -> pd.DataFrame:
    """The features as LightGBM takes a table: texts are categories."""
    texts = [name for name in features.columns if not pd.api.types.is_numeric_dtype(features[name])]
    return features.astype(dict.fromkeys(texts, "category"))


def open_model(content: bytes) -> LightGbmModel:
    """The model in these bytes. Raises ValueError on what is no model of two outcomes in this format."""
    text = content.decode("utf-8")
    if not text.startswith("tree\n"):
        hint = "its JSON cannot be loaded again" if text.lstrip().startswith("{") else "it begins otherwise"
        raise ValueError(f"it is not what `booster.save_model` writes: {hint}")
    head = dict(re.findall(r"^(\w+)=(.*)$", text.partition("\nTree=")[0], re.MULTILINE))
    objective = head.get("objective", "")
    if not objective.startswith(("binary", "cross_entropy")):
        raise NoProbabilitiesError(f"its objective is `{objective or 'not named'}`")
    try:
        booster = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise ValueError(str(error)) from None
    names = tuple(booster.feature_name())
    return LightGbmModel(
        trees=booster,
        categories=tuple(map(tuple, json.loads(_categories(text)) or [])),
        features=None if all(map(_UNNAMED.fullmatch, names)) else names,
        inputs=len(names),
        made_with={"LightGBM model format": head.get("version", "not recorded")},
    )


def _categories(text: str) -> str:
    found = re.search(r"^pandas_categorical:(.*)$", text, re.MULTILINE)
    return found[1] if found else "null"
