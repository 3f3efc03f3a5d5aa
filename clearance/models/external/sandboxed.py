"""The answers of code that ran in a sandbox, made a table: the code itself never ships.

What it answered for the rows at hand is known; what it would answer for any other row is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance import files
from clearance.models import scoring
from clearance.models.external import adopted, answers, faults, model_files


def inputs(names: Sequence[str] | None, project: adopted.Project) -> pd.DataFrame:
    """The features as the folder takes them: those of its signature, or the declared ones, in that order.

    Raises ConfigurationError on other features than this project's.
    """
    kinds = model_files.input_kinds(names, None, project)
    return scoring.inputs(project.rows.inputs(kinds), kinds)


def adopt(
    given: npt.NDArray[np.float64] | Sequence[str], project: adopted.Project, made_with: Mapping[str, str]
) -> adopted.Adopted:
    """The model that knows what was answered for the n rows: n numbers, n pairs of numbers, or n labels.

    Numbers are the probabilities of the label 1, pairs those of 0 and 1; numbers that are all 0 or 1 are
    decisions. Raises ConfigurationError where the favourable outcome is not known, or on no probabilities.
    """
    folder = project.file
    if not isinstance(given, np.ndarray):
        decided, gives_decisions = _of_labels(given, project), True
    else:
        place = model_files.favourable_place((0, 1), project)
        numbers = given[:, place] if given.ndim == 2 else given if place == 1 else 1 - given
        decided, gives_decisions = numbers, bool(np.isin(given, (0, 1)).all())
    if outside := int(np.count_nonzero(~((decided >= 0) & (decided <= 1)))):
        raise faults.SCORES_OUT_OF_RANGE(path=folder, rows=outside)
    return adopted.Adopted(
        format="mlflow",
        sha256=files.sha256(folder),
        pipeline=answers.of_rows(answers.digests(project.rows.rows), decided),
        origin="sandboxed",
        answer="decisions" if gives_decisions else "scores",
        made_with=made_with,
    )


def _of_labels(given: Sequence[str], project: adopted.Project) -> npt.NDArray[np.float64]:
    values, wanted = sorted(set(given)), project.favourable
    shown = ", ".join(values[:5])
    if len(values) > 2:
        raise faults.NOT_TWO_CLASSES(path=project.file, count=len(values), classes=f" ({shown})")
    if wanted not in values:
        raise faults.FAVOURABLE_UNKNOWN(path=project.file, classes=shown, favourable=wanted)
    return np.array([float(label == wanted) for label in given])
