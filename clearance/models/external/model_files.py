"""A model file from elsewhere as one of our models: what it takes, what it calls favourable, what it gives.

Every format is read without running code of the file. What does not fit this project is refused here, before
a row is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clearance import files, labels, params
from clearance.data.tables import prepared, row_ids
from clearance.models import scoring
from clearance.models.external import adopted, faults
from clearance.models.external.model_read import ModelRead
from clearance.models.external.relabelled import Relabelled


def adopt(
    file: Path,
    read: ModelRead,
    choice: params.Train,
    data: params.Data,
    rows: prepared.Prepared,
) -> adopted.Adopted:
    """The model with its features found among those of `rows`, and our label 1 for its favourable outcome.

    Raises ConfigurationError on other features or outcomes than this project's.
    """
    external = choice.external
    if external is None:
        raise ValueError("no model made elsewhere is declared")
    names = _features(file, read, external)
    kinds = _kinds(file, names, data, rows)
    used = [name for name in names if name in rows.protected.columns]
    if used and not choice.protected_at_decision:
        raise faults.PROTECTED_INPUTS(path=file, names=", ".join(used))
    favourable = _favourable(
        file, read.classes, data.favourable if external.favourable is None else external.favourable
    )
    same = favourable == 1 and list(read.model.classes_) == [0, 1]
    return adopted.Adopted(
        format=read.format,
        sha256=files.sha256(file),
        pipeline=adopted.pipeline(kinds, read.model if same else Relabelled(read.model, favourable)),
        origin="computed",
        threshold=read.threshold,
        made_with=read.made_with,
    )


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


def _features(file: Path, read: ModelRead, external: params.External) -> tuple[str, ...]:
    """The names of the inputs in the model's order: the file's own, or else the declared ones."""
    declared = None if external.features is None else tuple(external.features)
    if read.features is None and declared is None:
        raise faults.FEATURES_UNNAMED(path=file, count=read.inputs)
    if read.features is not None and declared is not None and read.features != declared:
        differences = _differences(read.features, declared) or "another order"
        raise faults.FEATURES_CONTRADICT(path=file, differences=differences)
    names = read.features if read.features is not None else declared or ()
    if read.inputs not in (None, len(names)) or len(set(names)) != len(names):
        reason = f"it takes {read.inputs} inputs, and {len(set(names))} different ones are named"
        raise faults.WRONG_SHAPE(path=file, reason=reason)
    return names


def _kinds(
    file: Path, names: Sequence[str], data: params.Data, rows: prepared.Prepared
) -> dict[str, scoring.Kind]:
    features = list(map(str, rows.features.columns))
    protected = [name for name in names if name in rows.protected.columns]
    own = [name for name in names if name not in protected]
    if differences := _differences(own, features):
        raise faults.FEATURES_DIFFER(path=file, differences=differences)
    declared = {name: column.type for name, column in data.columns.items()}
    kinds = scoring.kinds(rows.features, declared) | dict.fromkeys(protected, "category")
    return {name: kinds[name] for name in names}


def _differences(own: Sequence[str], features: Sequence[str]) -> str:
    """What one side has and the other lacks, in words; empty where both name the same."""
    extra, lacking = sorted({*own} - {*features}), sorted({*features} - {*own})
    parts = [("it also takes", extra), ("it does not take", lacking)]
    return "; ".join(f"{words} {', '.join(f'`{name}`' for name in names)}" for words, names in parts if names)


def _favourable(file: Path, classes: Sequence[Any], favourable: params.Scalar) -> int:
    """The place of the favourable outcome among the model's two."""
    shown = ", ".join(map(str, classes[:5]))
    if len(classes) != 2:
        raise faults.NOT_TWO_CLASSES(path=file, count=len(classes), classes=shown)
    texts = [row_ids.canonical_value(label) for label in classes]
    wanted = labels.text(favourable)
    if texts.count(wanted) != 1:
        raise faults.FAVOURABLE_UNKNOWN(path=file, classes=shown, favourable=favourable)
    return texts.index(wanted)
