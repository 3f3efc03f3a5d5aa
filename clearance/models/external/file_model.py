"""A model file in its own format as a classifier: the file's bytes, and the library that runs them.

What ships holds the file as it came, byte for byte. It is checked whenever it is opened, wherever it comes
from: no library gets a file that was not looked at.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from clearance.models.external import faults

Runtime = Literal["onnx", "lightgbm", "xgboost"]
"""The formats with a library of their own."""

MODULES: dict[Runtime, str] = {
    "onnx": "clearance.models.external.onnx_runtime",
    "lightgbm": "clearance.models.external.lightgbm_runtime",
    "xgboost": "clearance.models.external.xgboost_runtime",
}
LIBRARIES: dict[Runtime, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxruntime"),
    "lightgbm": ("lightgbm",),
    "xgboost": ("xgboost",),
}
"""The modules that check and run a format; the extra that installs them has the name of the format."""


class OpenedModel(Protocol):
    """A model file that was checked and loaded.

    `classes` are its own labels, in the order of its probabilities. `features` are the names of its inputs in
    order, None where it names none; `inputs` counts them, None where it does not say. `trees` is the booster
    that its trees explain, None where it is none.
    """

    classes: tuple[Any, ...]
    features: tuple[str, ...] | None
    inputs: int | None
    made_with: dict[str, str]
    trees: Any

    def probabilities(self, features: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The probability of each of `classes`, shape (n, 2), as the library gives it."""


class FileModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The model in the bytes `content` of a file; its outcomes are 0 and 1, in the order of the file."""

    def __init__(self, content: bytes, format: Runtime) -> None:  # noqa: A002 - the field's word
        self.content = content
        self.format = format

    @property
    def opened(self) -> OpenedModel:
        """The model, ready to run. Raises ValueError on content that may not be run."""
        return open_content(self.format, self.content)

    @property
    def classes_(self) -> npt.NDArray[np.int64]:
        """The labels, in the order of `predict_proba`."""
        return np.array([0, 1])

    def fit(self, _features: Any, _label: Any) -> FileModel:
        """Do nothing: the model is fitted already, but a classifier must have this method."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, features: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The probabilities of the two outcomes, shape (n, 2)."""
        return self.opened.probabilities(features)

    @property
    def trees(self) -> Any:
        """The booster that its trees explain; None where the file holds none."""
        return self.opened.trees


@lru_cache(maxsize=4)
def open_content(format: Runtime, content: bytes) -> OpenedModel:  # noqa: A002 - the field's word
    """Check the content and load it. Raises ValueError on content that is malformed or may not be run.

    Raises ConfigurationError when the library of the format is not installed.
    """
    try:
        runtime = importlib.import_module(MODULES[format])
    except ModuleNotFoundError as error:
        raise faults.LIBRARY_MISSING(format=format, library=error.name) from None
    opened: OpenedModel = runtime.open_model(content)
    return opened
