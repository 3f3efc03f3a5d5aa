"""A table of answers as a model: it knows the score of each row it lists, and nothing of any other row.

Its only input is the hash of a row. It explains nothing, for nobody here knows how the scores came about.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.base import BaseEstimator, ClassifierMixin

from clearance.data.tables import row_ids
from clearance.models.external import faults

ROW = "row"
"""The input of such a model: the hash of the row, as every prepared table has it."""


class ScoreTable(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The scores (n,) of n rows, whose hashes (n, 16) are in ascending order."""

    def __init__(self, rows: npt.NDArray[np.uint8], scores: npt.NDArray[np.float64]) -> None:
        self.rows = rows
        self.scores = scores

    @property
    def classes_(self) -> npt.NDArray[np.int64]:
        """The labels, in the order of `predict_proba`."""
        return np.array([0, 1])

    def fit(self, _rows: Any, _label: Any) -> ScoreTable:
        """Do nothing: a classifier must have this method."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def without_score(self, features: pd.DataFrame) -> int:
        """How many of these rows the table does not list."""
        return int(self._places(features).null_count)

    def predict_proba(self, features: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The listed scores of these rows in the second column, shape (n, 2); the first completes them to 1.

        Raises DataError on a row that is not listed.
        """
        places = self._places(features)
        if places.null_count:
            raise faults.ROWS_WITHOUT_SCORE(rows=places.null_count)
        scores = self.scores[places.to_numpy()]
        return np.column_stack([1 - scores, scores])

    def _places(self, features: pd.DataFrame) -> pa.Array:
        hashes = pa.array(features[ROW], type=pa.string())
        places = pc.index_in(hashes, value_set=row_ids.hexadecimal(self.rows))
        return places.combine_chunks() if isinstance(places, pa.ChunkedArray) else places


def ordered(rows: npt.NDArray[np.uint8], scores: npt.NDArray[np.float64]) -> ScoreTable:
    """The table of these rows (n, 16) and scores (n,), in whatever order they come."""
    high, low = row_ids.as_numbers(rows)
    order = np.lexsort((low, high))
    return ScoreTable(np.ascontiguousarray(rows[order]), np.ascontiguousarray(scores[order]))
