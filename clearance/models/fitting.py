"""Fit a pipeline, with or without a search by folds inside the rows given; seeds everywhere.

It returns what it tried and the warnings of the estimator. It never sees tune or test rows.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.errors import Pandas4Warning
from sklearn.model_selection import GridSearchCV, ParameterGrid, RandomizedSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline

from clearance import params
from clearance.models import encoding, estimators, faults

ESTIMATOR = "estimator"
"""The name of the pipeline's last step."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted pipeline, what the search tried (None: no search), and the warnings while fitting."""

    pipeline: Pipeline
    search: dict[str, Any] | None
    warnings: list[str]


def fit(
    pipeline: Pipeline,
    features: pd.DataFrame,
    label: npt.NDArray[np.int8],
    *,
    weights: npt.NDArray[np.float64] | None,
    search: params.Search | None,
    seed: int,
) -> Fitted:
    """Fit `pipeline` on n rows, each with a weight if `weights` are given; a search refits its best on all n.

    Raises ConfigurationError when the estimator refuses its arguments, or the folds do not fit the rows.
    """
    if search is None:
        extra = {} if weights is None else {"sample_weight": weights}
        with recorded_warnings(pipeline[-1]) as messages:
            encoded = encoding.fit_transform(pipeline[0], features)
            del features  # while the estimator works, the largest tables are its own
            pipeline[-1].fit(encoded, label, **extra)
        return Fitted(pipeline=single_threaded(pipeline), search=None, warnings=messages)
    learner = _searcher(pipeline, search, label, seed)
    extra = {} if weights is None else {f"{ESTIMATOR}__sample_weight": weights}
    with recorded_warnings(pipeline[-1]) as messages:
        learner.fit(features, label, **extra)
    fitted, record = single_threaded(learner.best_estimator_), _search_record(learner, search)
    return Fitted(pipeline=fitted, search=record, warnings=messages)


@contextmanager
def recorded_warnings(estimator: Any) -> Iterator[list[str]]:
    """The warnings raised within, each once and sorted; the list is filled at the end.

    Warnings that pandas 4 will change something are left out: they do not concern the model.
    Raises ConfigurationError when the estimator cannot be fitted.
    """
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", Pandas4Warning)
        try:
            yield messages
        except estimators.refusals(estimator) as error:
            name, reason = type(estimator).__name__, " ".join(str(error).split())
            raise faults.CANNOT_BE_FITTED(estimator=name, reason=reason) from error
    messages += sorted({" ".join(str(warning.message).split()) for warning in caught})


def single_threaded(fitted: Pipeline) -> Pipeline:
    """The fitted pipeline, set to score in one thread: several threads add up votes in any order."""
    threads = {
        name: 1
        for name, value in fitted.get_params().items()
        if name.split("__")[-1] == "n_jobs" and value is not None
    }
    return fitted.set_params(**threads) if threads else fitted


def _searcher(pipeline: Pipeline, search: params.Search, label: npt.NDArray[np.int8], seed: int) -> Any:
    estimators.refuse_unknown(type(pipeline[-1]), search.grid, "train.search.grid")
    rarest = int(np.bincount(label, minlength=2).min())
    if rarest < search.folds:
        raise faults.TOO_FEW_ROWS_FOR_FOLDS(folds=search.folds, rows=rarest)
    grid = {f"{ESTIMATOR}__{name}": values for name, values in search.grid.items()}
    folds = StratifiedKFold(search.folds, shuffle=True, random_state=seed)
    options = {"scoring": search.scoring, "cv": folds, "error_score": "raise"}
    if search.iterations is None:
        return GridSearchCV(pipeline, grid, **options)
    draws = min(search.iterations, len(ParameterGrid(grid)))
    return RandomizedSearchCV(pipeline, grid, n_iter=draws, random_state=seed, **options)


def _search_record(learner: Any, search: params.Search) -> dict[str, Any]:
    """Every combination with its score over the folds; without the times, which differ between runs."""
    results = learner.cv_results_
    columns = ("params", "mean_test_score", "std_test_score", "rank_test_score")
    return {
        "scoring": search.scoring,
        "folds": search.folds,
        "best": _own(learner.best_params_),
        "results": [
            {
                "arguments": _own(combination),
                "mean": float(mean),
                "standard_deviation": float(deviation),
                "rank": int(rank),
            }
            for combination, mean, deviation, rank in zip(*(results[name] for name in columns), strict=True)
        ],
    }


def _own(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by the estimator's own names, with values that JSON can hold."""
    return {name.removeprefix(f"{ESTIMATOR}__"): to_json_value(value) for name, value in arguments.items()}


def to_json_value(value: Any) -> Any:
    """The value as JSON can hold it; any other object becomes the name of its type."""
    if isinstance(value, Mapping):
        return {str(key): to_json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    kind = value if isinstance(value, type) else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"
