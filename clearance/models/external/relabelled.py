"""A fitted classifier with its own names for the outcomes, or none for its inputs, as one of our models."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin


class Relabelled(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """`model` with the label 1 for the outcome in column `favourable` of its probabilities, else 0.

    `by_position`: it was fitted on columns without names, and gets them without.
    """

    def __init__(self, model: Any, favourable: int, by_position: bool = False) -> None:
        self.model = model
        self.favourable = favourable
        self.by_position = by_position

    @property
    def classes_(self) -> npt.NDArray[np.int64]:
        """The labels, in the order of `predict_proba`."""
        return np.array([0, 1])

    def fit(self, _features: Any, _label: Any) -> Relabelled:
        """Do nothing: the model is fitted already, but a classifier must have this method."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, features: Any) -> npt.NDArray[np.float64]:
        """The probabilities (n, 2), the favourable outcome's in the second column, digit for digit."""
        rows = np.asarray(features) if self.by_position else features
        probabilities = np.asarray(self.model.predict_proba(rows), dtype=np.float64)
        return probabilities[:, [1 - self.favourable, self.favourable]]
