"""The optional libraries: which are installed, and a small model of each."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from clearance import paths
from clearance.models import estimators

SMALL: dict[str, dict[str, Any]] = {
    "lightgbm": {"n_estimators": 8, "num_leaves": 7},
    "xgboost": {"n_estimators": 8, "max_depth": 3},
    "catboost": {"iterations": 8, "depth": 3},
}
"""Arguments that make a model small."""

INSTALLED = [name for name in SMALL if find_spec(name)]


def installed(name: str) -> Any:
    """The parameter `name` of a test, skipped where the library of that name is not installed."""
    missing = name in paths.EXTRA_LOCKS and name not in INSTALLED
    reason = f"{name} is an optional library: make setup EXTRAS={name}"
    return pytest.param(name, marks=pytest.mark.skipif(missing, reason=reason))


EACH = [installed(name) for name in SMALL]


def rows(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Five columns with nulls, the last of them codes, and labels of 0 and 1 that the first two decide."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(count, 5))
    matrix[:, 4] = random.integers(0, 4, count)
    label = (matrix[:, 0] - matrix[:, 1] + 0.5 * random.normal(size=count) > 0).astype(np.int8)
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    return matrix, label


def fitted(name: str, **arguments: Any) -> Any:
    """A small model, fitted on `rows()`."""
    return estimators.build(name, SMALL[name] | arguments, 7).fit(*rows())
