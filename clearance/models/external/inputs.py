"""The first step of a model that was made elsewhere: the features it names, as they are, in its own order.

Nothing is imputed, encoded or scaled: that is the model's own affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from clearance.models.scoring import Kind


class Inputs(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Hands on the columns named in `kinds`, in that order; it says what they are as our encoder does."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self.kinds = kinds

    @property
    def transformers(self) -> list[tuple[Kind, str, list[str]]]:
        """Each column with its kind and `passthrough`, as a ColumnTransformer lists its steps."""
        return [(kind, "passthrough", [name]) for name, kind in self.kinds.items()]

    @property
    def transformers_(self) -> list[tuple[Kind, str, list[str]]]:
        """The same: there is nothing to fit."""
        return self.transformers

    @property
    def feature_names_in_(self) -> Any:
        """The names of the columns, in order."""
        return np.asarray(list(self.kinds), dtype=object)

    @property
    def n_features_in_(self) -> int:
        """The number of columns."""
        return len(self.kinds)

    def get_feature_names_out(self, _names: Any = None) -> Any:
        """The names of the columns, which are those that go in."""
        return self.feature_names_in_

    def fit(self, _features: Any, _label: Any = None) -> Inputs:
        """Do nothing: a transformer must have this method."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, features: pd.DataFrame) -> pd.DataFrame:
        """The columns (n, features), without any others."""
        return features[list(self.kinds)]
