"""Whatever `train.external` names, read by its format and made one of our models, before any row is judged.

Nothing is fitted here, and nothing is measured.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
from sklearn.exceptions import NotFittedError

from clearance.data.tables import prepared
from clearance.models import model_file, scoring
from clearance.models.external import adopted, answers, faults, model_files, runtime_file, skops_file
from clearance.models.external.model_read import ModelRead
from clearance.params.external import Format


def adopt(project: adopted.Project, kind: Format, rows: answers.Rows) -> adopted.Adopted:
    """The model in a file of that kind, or in a table of answers for these rows, as one of ours.

    Raises ConfigurationError or DataError on a file that may not be loaded or does not fit the project.
    """
    if kind == "table":
        return answers.read(project, rows)
    return model_files.adopt(read(kind, project.file), project)


def read(kind: Format, path: Path) -> ModelRead:
    """What the file of a model of that kind, neither a table nor a folder, says of itself.

    Raises ConfigurationError on a file that may not be loaded, or is no classifier of two outcomes.
    """
    if kind in ("onnx", "lightgbm", "xgboost"):
        return runtime_file.read(kind, path)
    estimator, threshold = skops_file.read(path)
    version = importlib.metadata.version("scikit-learn")
    return model_files.of_estimator(path, estimator, threshold, {"scikit-learn": version})


def try_out(file: Path, model: adopted.Adopted, rows: prepared.Prepared) -> None:
    """Raise ConfigurationError unless the model scores these rows, each with a probability."""
    try:
        scores = scoring.score(model.pipeline, rows.inputs(model.pipeline.feature_names_in_))
    except (TypeError, ValueError, LookupError, AttributeError, NotFittedError) as error:
        raise faults.WRONG_SHAPE(path=file, reason=model_file.reason_of(error)) from None
    if outside := int(np.count_nonzero(~((scores >= 0) & (scores <= 1)))):
        raise faults.SCORES_OUT_OF_RANGE(path=file, rows=outside)
