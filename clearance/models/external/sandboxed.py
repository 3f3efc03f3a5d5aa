"""The answers of code that ran in a sandbox, made a table: the code itself never ships.

What it answered for the rows at hand is known; what it would answer for any other row is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance import files, labels, params
from clearance.data.tables import prepared
from clearance.models import scoring
from clearance.models.external import adopted, answers, faults, model_files


def inputs(
    folder: Path,
    names: Sequence[str] | None,
    choice: params.Train,
    data: params.Data,
    rows: prepared.Prepared,
) -> pd.DataFrame:
    """The features as the folder takes them: those of its signature, or the declared ones, in that order.

    Raises ConfigurationError on other features than this project's.
    """
    kinds = model_files.input_kinds(folder, names, None, choice, data, rows)
    return scoring.inputs(rows.inputs(kinds), kinds)


def adopt(  # noqa: PLR0917 - what was answered, and what it is an answer to
    folder: Path,
    given: npt.NDArray[np.float64] | Sequence[str],
    external: params.External,
    favourable: params.Scalar,
    rows: prepared.Prepared,
    made_with: dict[str, str],
) -> adopted.Adopted:
    """The model that knows what was answered for these n rows: n numbers, n pairs of numbers, or n labels.

    Numbers are the probabilities of the label 1, pairs those of 0 and 1; numbers that are all 0 or 1 are
    decisions. Raises ConfigurationError where the favourable outcome is not known, or on no probabilities.
    """
    wanted = labels.text(favourable if external.favourable is None else external.favourable)
    if not isinstance(given, np.ndarray):
        decided, gives_decisions = _of_labels(folder, given, wanted), True
    else:
        place = model_files.favourable_place(folder, (0, 1), wanted)
        numbers = given[:, place] if given.ndim == 2 else given if place == 1 else 1 - given
        decided, gives_decisions = numbers, bool(np.isin(given, (0, 1)).all())
    if outside := int(np.count_nonzero(~((decided >= 0) & (decided <= 1)))):
        raise faults.SCORES_OUT_OF_RANGE(path=folder, rows=outside)
    return adopted.Adopted(
        format="mlflow",
        sha256=files.sha256(folder),
        pipeline=answers.of_rows(answers.digests(rows.rows), decided),
        origin="sandboxed",
        answer="decisions" if gives_decisions else "scores",
        made_with=made_with,
    )


def _of_labels(folder: Path, given: Sequence[str], wanted: str | None) -> npt.NDArray[np.float64]:
    values = sorted(set(given))
    if len(values) > 2 or wanted not in values:
        shown = ", ".join(values[:5])
        raise faults.FAVOURABLE_UNKNOWN(path=folder, classes=shown, favourable=wanted)
    return np.array([float(label == wanted) for label in given])
