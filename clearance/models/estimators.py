"""Estimators by name: three of our own choosing, or any installed class that gives probabilities.

It builds an unfitted estimator and says clearly why it cannot; it never sees a row.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn import base

from clearance.errors import ConfigurationError


@dataclass(frozen=True)
class BuiltInEstimator:
    """An estimator out of the box: where it lives, and the arguments it gets unless the user names them."""

    path: str
    defaults: Mapping[str, Any]


BUILT_IN = {
    "logistic_regression": BuiltInEstimator("sklearn.linear_model.LogisticRegression", {"max_iter": 1000}),
    "random_forest": BuiltInEstimator("sklearn.ensemble.RandomForestClassifier", {"max_depth": 8}),
    "hist_gradient_boosting": BuiltInEstimator("sklearn.ensemble.HistGradientBoostingClassifier", {}),
}
"""Beyond scikit-learn's defaults: enough steps to converge, and trees shallow enough to be explained."""

_HINT = "name one of " + ", ".join(BUILT_IN) + ", or the import path of an installed classifier"


def import_path(name: str) -> str:
    """The import path behind a short name; any other name is a path already."""
    return BUILT_IN[name].path if name in BUILT_IN else name


def build(name: str, arguments: Mapping[str, Any], seed: int) -> Any:
    """An unfitted estimator with these arguments, and `seed` wherever it (or a part of it) takes one.

    Raises ConfigurationError when the class cannot be imported, gives no probabilities, does not take
    an argument, or belongs to no installed package.
    """
    kind = _class(import_path(name))
    defaults = BUILT_IN[name].defaults if name in BUILT_IN else {}
    refuse_unknown(kind, arguments, "train.arguments")
    try:
        estimator = kind(**{**defaults, **arguments})
        known = estimator.get_params(deep=True)
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"{import_path(name)} cannot be created: {error}", "mend `train.arguments`, or " + _HINT
        ) from None
    if not all(callable(getattr(estimator, method, None)) for method in ("fit", "predict_proba")):
        raise ConfigurationError(f"{import_path(name)} gives no probabilities (`predict_proba`)", _HINT)
    seeds = {key: seed for key in known if key.split("__")[-1] == "random_state" and key not in arguments}
    return estimator.set_params(**seeds)


def refuse_unknown(kind: type, arguments: Mapping[str, Any], where: str) -> None:
    """Raise ConfigurationError when `kind` takes one of these arguments under no such name."""
    taken = inspect.signature(kind).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    for argument in arguments:
        if argument not in taken:
            close = difflib.get_close_matches(argument, taken, n=1)
            raise ConfigurationError(
                f"{kind.__name__} takes no argument `{argument}`"
                + (f" (did you mean `{close[0]}`?)" if close else ""),
                f"mend `{where}` in params.yaml; it takes {', '.join(taken)}",
            )


def unfitted(estimator: Any) -> Any:
    """A copy with the same arguments that has learnt nothing."""
    return base.clone(estimator)


def takes_weights(estimator: Any) -> bool:
    """Whether the estimator's `fit` takes `sample_weight`."""
    return "sample_weight" in inspect.signature(estimator.fit).parameters


def distribution(path: str) -> tuple[str, str]:
    """The installed distribution that a class comes from, and its version.

    Raises ConfigurationError when it comes from none: DVC and the lock file could not tell when it changes.
    """
    top = path.split(".", 1)[0]
    if top == "sklearn":
        return "scikit-learn", importlib.metadata.version("scikit-learn")
    names = sorted(importlib.metadata.packages_distributions().get(top, []))
    if not names:
        raise ConfigurationError(
            f"{path} belongs to no installed package, so nothing records when it changes",
            "install it as a package with a version, or " + _HINT,
        )
    return names[0], importlib.metadata.version(names[0])


def _class(path: str) -> type:
    module, _, name = path.rpartition(".")
    if not module:
        raise ConfigurationError(f"no estimator is called `{path}`", _HINT)
    distribution(path)
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be imported: {error}", _HINT) from None
    if not isinstance(kind, type):
        raise ConfigurationError(f"{path} is no class", _HINT)
    return kind
