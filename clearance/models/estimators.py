"""Estimators by name: the built-in ones, or any installed class that gives probabilities.

It builds an unfitted estimator or explains why it cannot; it never sees a row. A new built-in estimator is
one entry in `BUILT_IN`.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clearance import paths
from clearance.models import faults
from clearance.models.encoding import Encoding


@dataclass(frozen=True, kw_only=True)
class BuiltInEstimator:
    """An estimator with a short name: its import path, its arguments unless params.yaml sets them, and how
    features are encoded for it. `error` is the import path of its library's own exception, if it has one.
    """

    path: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    encoding: Encoding = "one_hot"
    error: str | None = None


BUILT_IN = {
    "logistic_regression": BuiltInEstimator(
        path="sklearn.linear_model.LogisticRegression", defaults={"max_iter": 1000}
    ),
    "random_forest": BuiltInEstimator(
        path="sklearn.ensemble.RandomForestClassifier", defaults={"max_depth": 8}
    ),
    "hist_gradient_boosting": BuiltInEstimator(
        path="sklearn.ensemble.HistGradientBoostingClassifier", encoding="ordinal"
    ),
    "lightgbm": BuiltInEstimator(
        path="lightgbm.LGBMClassifier",
        defaults={"deterministic": True, "force_row_wise": True, "n_jobs": 1, "verbosity": -1},
        encoding="ordinal",
        error="lightgbm.basic.LightGBMError",
    ),
    "xgboost": BuiltInEstimator(path="xgboost.XGBClassifier", defaults={"n_jobs": 1}, encoding="ordinal"),
    "catboost": BuiltInEstimator(
        path="catboost.CatBoostClassifier",
        defaults={"allow_writing_files": False, "thread_count": 1, "verbose": False},
        encoding="ordinal",
        error="catboost.CatBoostError",
    ),
}
"""Beyond the libraries' defaults: enough steps to converge, trees shallow enough to be explained; one thread
and one way to build histograms, so that a model is the same bytes on every machine; no files written aside.
"""

_NAMES = ", ".join(BUILT_IN)

MOST_SHOWN = 30
"""How many arguments an error lists: CatBoost has more than a hundred."""


def import_path(name: str) -> str:
    """The import path of a short name; any other name is returned unchanged."""
    return BUILT_IN[name].path if name in BUILT_IN else name


def extra_of(name: str) -> str | None:
    """The optional library that an estimator comes from, by its short name or import path; else None."""
    top = import_path(name).split(".", 1)[0]
    return top if top in paths.EXTRA_LOCKS else None


def encoding_of(name: str) -> Encoding:
    """How features are encoded for an estimator, by its short name or its import path; else `one_hot`."""
    path = import_path(name)
    return next((built_in.encoding for built_in in BUILT_IN.values() if built_in.path == path), "one_hot")


def build(name: str, arguments: Mapping[str, Any], seed: int) -> Any:
    """An unfitted estimator with these arguments, and `seed` wherever it (or a part of it) takes one.

    `random_state: null` would be another model at each fit: it is seeded like one that is not set.
    Raises ConfigurationError when the class cannot be imported, gives no probabilities, does not take
    an argument, or belongs to no installed package.
    """
    kind = _class(import_path(name))
    defaults = BUILT_IN[name].defaults if name in BUILT_IN else {}
    refuse_unknown(kind, arguments, "train.arguments")
    try:
        estimator = kind(**{**defaults, **arguments})
        defined = estimator.get_params(deep=True)
    except (TypeError, ValueError, AttributeError) as error:
        raise faults.CANNOT_BE_CREATED(path=import_path(name), reason=str(error), built_in=_NAMES) from None
    if not all(callable(getattr(estimator, method, None)) for method in ("fit", "predict_proba")):
        raise faults.NO_PROBABILITIES(path=import_path(name), built_in=_NAMES)
    takes = {"random_state"} & set(inspect.signature(kind).parameters)  # CatBoost names only what was set
    seeds = {
        key: seed
        for key, value in (dict.fromkeys(takes) | defined).items()
        if key.split("__")[-1] == "random_state" and (key not in arguments or value is None)
    }
    return estimator.set_params(**seeds)


def refuse_unknown(kind: type, arguments: Mapping[str, Any], where: str) -> None:
    """Raise ConfigurationError when `kind` has no argument of one of these names; `where` is their key."""
    parameters = inspect.signature(kind).parameters
    more: Collection[str] = ()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        if (further := _further_arguments(kind)) is None:
            return
        more = further
    for argument in arguments:
        if argument not in parameters and argument not in more:
            close = difflib.get_close_matches(argument, [*parameters, *more], n=1)
            raise faults.UNKNOWN_ARGUMENT(
                estimator=kind.__name__,
                argument=argument,
                suggestion=f" (did you mean `{close[0]}`?)" if close else "",
                key=where,
                arguments=shown([*_named(parameters), *sorted(more)]),
            )


def shown(names: Sequence[str]) -> str:
    """The names as an error lists them: the first `MOST_SHOWN`, and how many more there are."""
    rest = len(names) - MOST_SHOWN
    return ", ".join(names[:MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _named(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    return [name for name, each in parameters.items() if each.kind is not each.VAR_KEYWORD]


def _further_arguments(kind: type) -> Collection[str] | None:
    """The arguments beyond its own that a class hands on to its library; None where nobody lists them.

    LightGBM ignores one that it does not know, and XGBoost only warns.
    """
    match kind.__module__.split(".", 1)[0]:
        case "lightgbm":
            from lightgbm import basic

            known = basic._ConfigAliases._get_all_param_aliases()
            return {name for names in (known, *known.values()) for name in names}
        case "xgboost":
            return set(kind().get_params())
        case _:
            return None


def refusals(estimator: Any) -> tuple[type[Exception], ...]:
    """The exceptions with which an estimator refuses its arguments or rows."""
    top = type(estimator).__module__.split(".", 1)[0]
    paths_of_errors = {
        built_in.error for built_in in BUILT_IN.values() if built_in.path.startswith(f"{top}.")
    }
    return (TypeError, ValueError, *(_class(path) for path in paths_of_errors if path))


def unfitted(estimator: Any) -> Any:
    """An unfitted copy with the same arguments."""
    from sklearn import base

    return base.clone(estimator)


def takes_weights(estimator: Any) -> bool:
    """Whether the estimator's `fit` takes `sample_weight`."""
    return "sample_weight" in inspect.signature(estimator.fit).parameters


def distribution(path: str) -> tuple[str, str]:
    """The installed distribution that a class comes from, and its version.

    Raises ConfigurationError when it comes from none: then nothing records when it changes.
    """
    top = path.split(".", 1)[0]
    if top == "sklearn":
        return "scikit-learn", importlib.metadata.version("scikit-learn")
    names = sorted(_distributions_of_packages(tuple(sys.path)).get(top, []))
    if not names and extra_of(path):
        raise faults.EXTRA_NOT_INSTALLED(extra=top)
    if not names and importlib.util.find_spec(top) is None:
        raise faults.PACKAGE_NOT_INSTALLED(package=top, built_in=_NAMES)
    if not names:
        raise faults.NO_PACKAGE(path=path, built_in=_NAMES)
    return names[0], importlib.metadata.version(names[0])


@functools.cache
def _distributions_of_packages(_: tuple[str, ...]) -> Mapping[str, list[str]]:
    """The installed distributions of each package; reading them takes a quarter of a second."""
    return importlib.metadata.packages_distributions()


def _class(path: str) -> type:
    module, _, name = path.rpartition(".")
    if not module:
        raise faults.UNKNOWN_ESTIMATOR(path=path, built_in=_NAMES)
    distribution(path)
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise faults.IMPORT_FAILED(path=path, reason=str(error), built_in=_NAMES) from None
    if not isinstance(kind, type):
        raise faults.NOT_A_CLASS(path=path, built_in=_NAMES)
    return kind
