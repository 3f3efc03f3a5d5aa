"""A model file from elsewhere as one of our models: what it takes, what it calls favourable, what it gives.

Every format is read without running code of the file. What does not fit this project is refused here, before
a row is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clearance import files
from clearance.data.tables import row_ids
from clearance.models import scoring
from clearance.models.external import adopted, faults
from clearance.models.external.file_model import FileModel
from clearance.models.external.model_read import ModelRead
from clearance.models.external.relabelled import Relabelled


def adopt(read: ModelRead, project: adopted.Project) -> adopted.Adopted:
    """The model with its features found among the project's, and our label 1 for its favourable outcome.

    Raises ConfigurationError on other features or outcomes than this project's.
    """
    kinds = input_kinds(read.features, read.inputs, project)
    favourable = favourable_place(read.classes, project)
    by_position = read.features is None and not isinstance(read.model, FileModel)
    ours = favourable == 1 and list(read.model.classes_) == [0, 1] and not by_position
    model = read.model if ours else Relabelled(read.model, favourable, by_position)
    return adopted.Adopted(
        format=read.format,
        sha256=files.sha256(project.file),
        pipeline=adopted.pipeline(kinds, model),
        origin="computed",
        threshold=read.threshold,
        made_with=read.made_with,
    )


def check(read: ModelRead, terms: adopted.Terms, features: Sequence[str]) -> None:
    """Raise ConfigurationError where the model has other features or outcomes than this project's.

    `features` are the project's; a model file is checked without any row.
    """
    names = _names(read.features, read.inputs, terms)
    _refuse_other_features(names, terms, features, terms.data.protected)
    favourable_place(read.classes, terms)


def of_estimator(
    path: Path, estimator: Any, threshold: float | None, made_with: Mapping[str, str]
) -> ModelRead:
    """A fitted scikit-learn classifier. Raises ConfigurationError on what is none, or is not fitted."""
    if not callable(getattr(estimator, "predict_proba", None)):
        kind = type(estimator).__name__
        raise faults.NOT_A_CLASSIFIER(path=path, reason=f"a {kind} has no `predict_proba`")
    try:
        classes = tuple(np.asarray(estimator.classes_).tolist())
        inputs = int(estimator.n_features_in_)
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise faults.NOT_A_CLASSIFIER(path=path, reason=f"it is not fitted ({error})") from None
    names = getattr(estimator, "feature_names_in_", None)
    return ModelRead(
        format="skops",
        model=estimator,
        classes=classes,
        inputs=inputs,
        features=None if names is None else tuple(map(str, names)),
        threshold=threshold,
        made_with=made_with,
    )


def input_kinds(
    named: Sequence[str] | None, count: int | None, project: adopted.Project
) -> dict[str, scoring.Kind]:
    """The inputs of a model in its order, each with its kind: `named` by the file, or else declared.

    `count` is how many inputs it takes; None where it does not say. Raises ConfigurationError on other
    features than the project's, and on protected attributes that are not allowed.
    """
    rows, names = project.rows, _names(named, count, project)
    features, protected = (list(map(str, side.columns)) for side in (rows.features, rows.protected))
    used = _refuse_other_features(names, project, features, protected)
    declared = {name: column.type for name, column in project.data.columns.items()}
    kinds = scoring.kinds(rows.features, declared) | dict.fromkeys(used, "category")
    return {name: kinds[name] for name in names}


def _refuse_other_features(
    names: Sequence[str], terms: adopted.Terms, features: Sequence[str], protected: Sequence[str]
) -> list[str]:
    """The protected attributes among the inputs of a model.

    Raises ConfigurationError unless they are allowed, and all other inputs are `features`.
    """
    used = [name for name in names if name in protected]
    own = [name for name in names if name not in used]
    if differences := _differences(own, features):
        raise faults.FEATURES_DIFFER(path=terms.file, differences=differences)
    if used and not terms.protected_allowed:
        raise faults.PROTECTED_INPUTS(path=terms.file, names=", ".join(used))
    return used


def _names(named: Sequence[str] | None, count: int | None, terms: adopted.Terms) -> list[str]:
    file, declared = terms.file, terms.external.features
    if named is None and declared is None:
        raise faults.FEATURES_UNNAMED(path=file, count=count)
    if named is not None and declared is not None and list(named) != declared:
        differences = _differences(named, declared) or "another order"
        raise faults.FEATURES_CONTRADICT(path=file, differences=differences)
    names = list(named if named is not None else declared or ())
    if count not in (None, len(names)) or len(set(names)) != len(names):
        reason = f"it takes {count} inputs, and {len(set(names))} different ones are named"
        raise faults.WRONG_SHAPE(path=file, reason=reason)
    return names


def _differences(own: Sequence[str], features: Sequence[str]) -> str:
    """What one side has and the other lacks, in words; empty where both name the same."""
    extra, lacking = sorted({*own} - {*features}), sorted({*features} - {*own})
    parts = [("it also takes", extra), ("it does not take", lacking)]
    return "; ".join(f"{words} {', '.join(f'`{name}`' for name in names)}" for words, names in parts if names)


def favourable_place(classes: Sequence[Any], terms: adopted.Terms) -> int:
    """The place of the favourable outcome among the model's two.

    Raises ConfigurationError where the model has other outcomes than two, or none of that name.
    """
    shown = ", ".join(map(str, classes[:5]))
    if len(classes) != 2:
        raise faults.NOT_TWO_CLASSES(path=terms.file, count=len(classes), classes=f" ({shown})")
    texts = [row_ids.canonical_value(label) for label in classes]
    if texts.count(terms.favourable) != 1:
        raise faults.FAVOURABLE_UNKNOWN(path=terms.file, classes=shown, favourable=terms.favourable)
    return texts.index(terms.favourable)
