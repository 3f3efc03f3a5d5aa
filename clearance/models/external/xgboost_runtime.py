"""XGBoost's JSON and UBJSON formats, as `save_model` writes them, checked before XGBoost parses them.

Needs the optional library `xgboost`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost

from clearance.models.boosters import xgboost_model
from clearance.models.external.no_probabilities import NoProbabilitiesError, NotTwoClassesError


@dataclass(frozen=True, kw_only=True)
class XgBoostModel:
    """A loaded booster, cut at its best round; see `file_model.OpenedModel`."""

    trees: xgboost.Booster
    features: tuple[str, ...] | None
    inputs: int | None
    made_with: dict[str, str]
    classes: tuple[Any, ...] = (0, 1)

    def probabilities(self, features: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The probability of each of `classes`, shape (n, 2)."""
        matrix = xgboost.DMatrix(features.to_numpy(dtype=np.float64), nthread=1)
        second = np.asarray(self.trees.predict(matrix), dtype=np.float64)
        return np.column_stack([1 - second, second])


def open_model(content: bytes) -> XgBoostModel:
    """The model in these bytes. Raises ValueError on what is no model of two outcomes in these formats."""
    document = xgboost_model.read(content)
    objective = _objective(document)
    if objective is not None and objective.startswith("multi:") and (count := _classes(document)):
        raise NotTwoClassesError(count)
    if objective is not None and objective != xgboost_model.OBJECTIVE:
        raise NoProbabilitiesError(f"its objective is `{objective}`, not `{xgboost_model.OBJECTIVE}`")
    facts = xgboost_model.check(document)
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(content))
    best = booster.attr("best_iteration")
    booster.feature_names = booster.feature_types = None  # columns come by place, as the file orders them
    version = document.get("version")
    return XgBoostModel(
        trees=booster if best is None else booster[: int(best) + 1],
        features=facts.names or None,
        inputs=facts.columns,
        made_with={"xgboost": ".".join(map(str, version)) if isinstance(version, list) else "not recorded"},
    )


def _objective(document: Mapping[str, Any]) -> str | None:
    """What the file says of its objective; None where it does not say it where it belongs."""
    learner = document.get("learner")
    objective = learner.get("objective") if isinstance(learner, Mapping) else None
    return str(objective.get("name")) if isinstance(objective, Mapping) else None


def _classes(document: Mapping[str, Any]) -> int | None:
    """How many outcomes the file says that it tells apart; None where it does not say it where it belongs."""
    learner = document.get("learner")
    shape = learner.get("learner_model_param") if isinstance(learner, Mapping) else None
    count = str(shape.get("num_class", "")) if isinstance(shape, Mapping) else ""
    return int(count) if count.isdecimal() else None
