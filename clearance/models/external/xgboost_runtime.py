"""XGBoost's JSON and UBJSON formats, as `save_model` writes them. Needs the extra `xgboost`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost

from clearance.models.external.no_probabilities import NoProbabilitiesError

_PROBABILITIES = "binary:logistic"


@dataclass(frozen=True, kw_only=True)
class XgBoostModel:
    """A loaded booster; see `file_model.OpenedModel`. `trees` is the booster, cut at its best round."""

    trees: xgboost.Booster
    classes: tuple[Any, ...] = (0, 1)
    features: tuple[str, ...] | None
    inputs: int | None
    made_with: dict[str, str]

    def probabilities(self, features: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The probability of each of `classes`, shape (n, 2)."""
        second = self._predict(features, margin=False)
        return np.column_stack([1 - second, second])

    def margins(self, features: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The log-odds of the second class, shape (n,)."""
        return self._predict(features, margin=True)

    def _predict(self, features: pd.DataFrame, *, margin: bool) -> npt.NDArray[np.float64]:
        matrix = xgboost.DMatrix(
            features.to_numpy(dtype=np.float64),
            feature_names=self.trees.feature_names,
            feature_types=self.trees.feature_types,
            nthread=1,
        )
        return np.asarray(self.trees.predict(matrix, output_margin=margin), dtype=np.float64)


def open_model(content: bytes) -> XgBoostModel:
    """The model in these bytes. Raises ValueError on what is no model of two outcomes in these formats."""
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(content))
        raw = json.loads(bytes(booster.save_raw("json")))
    except xgboost.core.XGBoostError as error:
        raise ValueError(str(error).strip().splitlines()[0]) from None
    objective = raw["learner"]["objective"]["name"]
    if objective != _PROBABILITIES:
        raise NoProbabilitiesError(f"its objective is `{objective}`, not `{_PROBABILITIES}`")
    if "c" in (booster.feature_types or ()):
        raise ValueError(
            "it takes categories, and their numbers are not in the file: fit it on numbers alone"
        )
    names = booster.feature_names
    best = booster.attr("best_iteration")
    return XgBoostModel(
        trees=booster if best is None else booster[: int(best) + 1],
        features=None if names is None else tuple(names),
        inputs=booster.num_features(),
        made_with={"xgboost": ".".join(map(str, _version(content, raw)))},
    )


def _version(content: bytes, raw: dict[str, Any]) -> list[int]:
    """The version that wrote the file; what it is written as again carries the version that runs."""
    try:
        version: list[int] = json.loads(content)["version"]
    except (ValueError, KeyError, UnicodeDecodeError):
        version = raw["version"]
    return version
