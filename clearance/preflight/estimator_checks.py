"""The estimators and mitigations of `train`: whether each exists, takes its arguments and is locked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clearance import paths
from clearance.errors import ClearanceError
from clearance.models import estimators
from clearance.models import faults as model_faults
from clearance.params import EstimatorChoice, Search, Train
from clearance.params.model_choices import DECIDES_BY_PROTECTED, WEIGHS_ROWS
from clearance.preflight import class_source, faults, suggestions
from clearance.preflight.class_source import ClassSource
from clearance.preflight.problem import Problem

_BUILT_IN = ", ".join(estimators.BUILT_IN)
_NO_SUCH_CLASS = {model_faults.IMPORT_FAILED.code, model_faults.UNKNOWN_ESTIMATOR.code}


def check(train: Train, root: Path) -> Iterator[Problem]:
    """The problems of the section; the class of an estimator is imported only where its source is silent."""
    choices = {choice.estimator: choice for choice, _ in train.grid}
    methods = {mitigation.method for _, mitigation in train.grid}
    for method in sorted(methods & DECIDES_BY_PROTECTED):
        if not train.protected_at_decision and methods <= DECIDES_BY_PROTECTED:
            yield Problem(error=faults.PROTECTED_NOT_ALLOWED(method=method))
    for choice in choices.values():
        yield from _estimator(choice, root, train.candidates is not None)
        weighing = sorted(methods & WEIGHS_ROWS)
        source = class_source.read(estimators.import_path(choice.estimator))
        if source and weighing and train.candidates is None and not _takes_weights(source):
            path = estimators.import_path(choice.estimator)
            yield Problem(error=faults.NO_ROW_WEIGHTS(path=path, method=weighing[0]))


def _takes_weights(source: ClassSource) -> bool:
    return "fit" not in source.methods or "sample_weight" in source.fit_arguments


def _estimator(choice: EstimatorChoice, root: Path, among_candidates: bool) -> Iterator[Problem]:
    path = estimators.import_path(choice.estimator)
    module, _, name = path.rpartition(".")
    if not module or (source := class_source.read(path)) is None:
        problems = list(_by_import(choice))
        yield from problems or _lock(path, root)
        return
    key = "train.candidates.estimators.arguments" if among_candidates else "train.arguments"
    yield from _arguments(name, source, choice, key)
    if "predict_proba" not in source.methods:
        yield Problem(error=faults.NO_PROBABILITIES(path=path, built_in=_BUILT_IN))
    yield from _lock(path, root)
    if choice.search is not None:
        yield from _search(choice.search)


def _arguments(name: str, source: ClassSource, choice: EstimatorChoice, key: str) -> Iterator[Problem]:
    if source.arguments is None:
        return
    for argument in choice.arguments:
        if argument not in source.arguments:
            yield Problem(error=_unknown_argument(name, argument, source.arguments, key))
        elif not source.surely_takes(argument, choice.arguments[argument]):
            yield from _value(choice, argument, choice.arguments[argument], key)
    for argument, values in choice.search.grid.items() if choice.search else ():
        if "__" in argument:
            continue
        if argument not in source.arguments:
            yield Problem(error=_unknown_argument(name, argument, source.arguments, "train.search.grid"))
        for value in values if argument in source.arguments else ():
            if not source.surely_takes(argument, value):
                yield from _value(choice, argument, value, "train.search.grid")


def _value(choice: EstimatorChoice, argument: str, value: Any, key: str) -> Iterator[Problem]:
    """What scikit-learn says of a value that the source does not surely allow: it is imported for this."""
    try:
        estimator = estimators.build(choice.estimator, {argument: value}, 0)
        estimator._validate_params()
    except ClearanceError as error:
        yield Problem(error=error)
    except (ValueError, TypeError) as error:
        yield Problem(error=faults.ARGUMENT_VALUE(key=key, argument=argument, reason=str(error)))


def _unknown_argument(name: str, argument: str, arguments: tuple[str, ...], key: str) -> ClearanceError:
    return model_faults.UNKNOWN_ARGUMENT(
        estimator=name,
        argument=argument,
        suggestion=suggestions.did_you_mean(argument, arguments),
        key=key,
        arguments=estimators.shown(arguments),
    )


def _by_import(choice: EstimatorChoice) -> Iterator[Problem]:
    """What building it says; a name that was only misspelt gets the name that was probably meant."""
    path = estimators.import_path(choice.estimator)
    module, _, name = path.rpartition(".")
    known = class_source.names(module) if module else tuple(estimators.BUILT_IN)
    try:
        estimators.build(choice.estimator, choice.arguments, 0)
    except ClearanceError as error:
        imported = (name for name in dir(sys.modules.get(module)) if name[:1].isupper())
        known = tuple(dict.fromkeys([*known, *imported]))
        if error.code in _NO_SUCH_CLASS and known and name not in known:
            suggestion = suggestions.did_you_mean(name, known)
            error = faults.UNKNOWN_ESTIMATOR(name=path, suggestion=suggestion, built_in=_BUILT_IN)
        yield Problem(error=error)


def _lock(path: str, root: Path) -> Iterator[Problem]:
    """Whether the package of a class is locked, so that every later build has the same one."""
    extra = estimators.extra_of(path)
    lock = root / (paths.EXTRA_LOCKS[extra] if extra else paths.REQUIREMENTS_LOCK)
    if not lock.is_file():
        return
    try:
        package, _ = estimators.distribution(path)
    except ClearanceError as error:
        yield Problem(error=error)
        return
    locked = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==", lock.read_text(encoding="utf-8"), re.MULTILINE)
    if _normal(package) not in set(map(_normal, locked)):
        yield Problem(error=faults.NOT_LOCKED(path=path, package=package))


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def _search(search: Search) -> Iterator[Problem]:
    from sklearn import metrics

    known = metrics.get_scorer_names()
    if search.scoring not in known:
        suggestion = suggestions.did_you_mean(search.scoring, known)
        yield Problem(error=faults.UNKNOWN_SCORING(name=search.scoring, suggestion=suggestion))
