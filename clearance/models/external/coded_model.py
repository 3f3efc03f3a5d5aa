"""A model made elsewhere as explainers want it: a function of a matrix of numbers, one column for a feature.

Texts are numbered for the explainer and turned back before the model sees them, so the model itself is
explained, not a copy of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils.metaestimators import available_if

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class CodedModel:
    """The model behind `names`; `texts` lists the values of each feature of texts by their number.

    Only rows whose texts are listed can be transformed.
    """

    model: Any
    names: tuple[str, ...]
    texts: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, pipeline: Any, *frames: pd.DataFrame) -> CodedModel:
        """The model of a pipeline that begins with `Inputs`, for the texts in these frames of its inputs."""
        names = tuple(map(str, pipeline.feature_names_in_))
        columns = {name: pd.concat([frame[name] for frame in frames]).dropna() for name in names}
        texts = {
            name: tuple(sorted(set(column))) for name, column in columns.items() if column.dtype == object
        }
        return cls(model=pipeline[-1], names=names, texts=texts)

    @property
    def classes_(self) -> Any:
        """The labels, in the order of `predict_proba`."""
        return self.model.classes_

    def transform(self, features: pd.DataFrame) -> Matrix:
        """The features (n, columns) as numbers; a null is NaN."""
        numbers = {
            name: pd.Categorical(features[name], categories=list(self.texts[name])).codes.astype(np.float64)
            if name in self.texts
            else features[name].to_numpy(dtype=np.float64)
            for name in self.names
        }
        matrix = np.column_stack(list(numbers.values()))
        for at, name in enumerate(self.names):
            if name in self.texts:
                matrix[matrix[:, at] < 0, at] = np.nan
        return matrix

    def predict_proba(self, matrix: Matrix) -> Matrix:
        """The model's probabilities for rows of numbers that `transform` gave."""
        return np.asarray(self.model.predict_proba(self._features(matrix)), dtype=np.float64)

    @available_if(lambda self: hasattr(self.model, "decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, matrix: Matrix) -> Matrix:
        """The model's log-odds for such rows; only where the model gives them."""
        return np.asarray(self.model.decision_function(self._features(matrix)), dtype=np.float64)

    @property
    def trees(self) -> Any:
        """What explains the model as trees over these columns; None where it also takes texts."""
        return None if self.texts else getattr(self.model, "trees", self.model)

    @property
    def coef_(self) -> Any:
        """The coefficients of a linear model over these columns; None where it is none."""
        return None if self.texts else getattr(self.model, "coef_", None)

    @property
    def intercept_(self) -> Any:
        """The intercept of a linear model."""
        return self.model.intercept_

    def _features(self, matrix: Matrix) -> pd.DataFrame:
        return pd.DataFrame(
            {name: self._column(name, matrix[:, at]) for at, name in enumerate(self.names)}, copy=False
        )

    def _column(self, name: str, numbers: Matrix) -> Any:
        if name not in self.texts:
            return numbers
        values = np.array([*self.texts[name], np.nan], dtype=object)
        places = np.where(np.isnan(numbers), len(values) - 1, numbers).astype(int)
        return pd.Series(values[places], dtype=object)
