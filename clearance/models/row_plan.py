"""A row plan: the score of one row in microseconds, with the arithmetic of the fitted pipeline.

A pipeline spends milliseconds on a table of one row; the plan does the same arithmetic on arrays. It never
decides alone near the threshold: see `is_near`. `clearance.models.plan.proof` compares it with the pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special
from sklearn import discriminant_analysis, linear_model
from sklearn import pipeline as pipelines

from clearance.models import scoring
from clearance.models.group_thresholds import GroupScores
from clearance.models.plan import columns, faults, machine_code, trees

Matrix = npt.NDArray[np.float64]
Rows = Sequence[Sequence[columns.Value]]

NEAR = 1e-9
"""A score this near to the threshold is decided by the pipeline itself: the last bits may differ."""


FEW_ROWS = 16
"""So few rows get linear arithmetic in machine code; NumPy is as fast for more, and compiles nothing."""


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A linear model in log-odds: `intercept` plus the encoded columns times their `coefficients`."""

    coefficients: Matrix
    intercept: float

    def output(self, encoded: Matrix) -> Matrix:
        """The log-odds of each encoded row (n, columns), with the same bits for few rows and for many."""
        if len(encoded) > FEW_ROWS:
            total = np.zeros(len(encoded))
            with np.errstate(over="ignore", invalid="ignore"):
                for column, coefficient in enumerate(self.coefficients):
                    total += encoded[:, column] * coefficient
                return total + self.intercept
        out = np.empty(len(encoded))
        _dot(encoded, self.coefficients, self.intercept, out)
        return out


@dataclass(frozen=True, kw_only=True)
class OwnEstimator:
    """Any other estimator: only its encoder is planned, and the estimator itself scores encoded rows."""

    estimator: Any
    favourable: int

    def output(self, encoded: Matrix) -> Matrix:
        """The probability of the favourable label for each encoded row (n, columns).

        Raises DataError when the estimator refuses a row.
        """
        try:
            probabilities = self.estimator.predict_proba(encoded)
        except ValueError:
            raise faults.ESTIMATOR_REFUSED(estimator=type(self.estimator).__name__) from None
        return np.ascontiguousarray(np.asarray(probabilities, dtype="float64")[:, self.favourable])


@dataclass(frozen=True, kw_only=True)
class RowPlan:
    """How to score rows of `features`, in this order, without the pipeline.

    `estimator` is a `Linear`, `Trees`, or `OwnEstimator`, whose library then scores the encoded rows.
    """

    columns: columns.Columns
    estimator: Linear | trees.Trees | OwnEstimator

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features, in the order of a row's values."""
        return self.columns.features

    @property
    def origins(self) -> tuple[str, ...]:
        """The feature behind each encoded column."""
        return self.columns.origins

    @property
    def space(self) -> trees.Space:
        """What `output` returns: log-odds or a probability."""
        match self.estimator:
            case Linear():
                return "log-odds"
            case trees.Trees(space=space):
                return space
            case _:
                return "probability"

    @property
    def limit(self) -> int:
        """Which encoded values the estimator takes."""
        match self.estimator:
            case trees.Trees(single=single):
                return columns.SINGLE if single else columns.ANY
            case _:
                return columns.DOUBLE

    def encode(self, rows: Rows) -> Matrix:
        """The encoded rows (n, columns), as the pipeline's encoder gives them, bit for bit.

        Raises DataError when a row has another number of values, a value of another kind than its feature,
        or a value that the estimator refuses.
        """
        return self.encode_raw(self.columns.raw(rows))

    def encode_raw(self, raw: Matrix) -> Matrix:
        """The encoded rows of raw values (`Columns.raw`). Raises DataError when the estimator refuses one."""
        encoded, refused = self.columns.encode(raw, self.limit)
        if refused.any():
            row = encoded[int(np.argmax(refused))]
            with np.errstate(over="ignore"):
                kept = np.float32(row) if self.limit == columns.SINGLE else row
            raise faults.ROW_REFUSED(feature=self.origins[int(np.argmax(np.isinf(kept)))])
        return encoded

    def encode_table(self, features: pd.DataFrame) -> Matrix:
        """The encoded rows of a table of features, typed as the pipeline types them. Raises DataError."""
        kinds = dict(zip(self.features, self.kinds, strict=True))
        return self.encode_raw(self.columns.raw_of(scoring.inputs(features, kinds)))

    @property
    def kinds(self) -> tuple[scoring.Kind, ...]:
        """The kind of each feature."""
        return tuple("number" if codes is None else "category" for codes in self.columns.codes)

    def output(self, encoded: Matrix) -> Matrix:
        """The model's output for each encoded row, in `space`."""
        return self.estimator.output(encoded)

    def probability(self, output: Matrix) -> Matrix:
        """The probability of the favourable outcome for each output, in [0, 1]."""
        return output if self.space == "probability" else np.asarray(special.expit(output))

    def score(self, rows: Rows) -> Matrix:
        """The probability of the favourable outcome for each row, in [0, 1]. Raises DataError as `encode`."""
        return self.probability(self.output(self.encode(rows)))


def is_near(score: float, threshold: float) -> bool:
    """Whether the pipeline itself must decide: the score lies within `NEAR` of the threshold, or is NaN."""
    return not abs(score - threshold) > NEAR


def compile_plan(pipeline: Any, kinds: Mapping[str, scoring.Kind]) -> RowPlan:
    """The plan of a fitted pipeline whose features have these kinds, in the pipeline's order.

    Raises ConfigurationError (`models.no_row_plan`) when it has a step that a plan does not know, or needs
    the protected attributes: then the pipeline itself must score.
    """
    names = list(kinds)
    if type(pipeline) is not pipelines.Pipeline or len(pipeline) != 2:
        raise faults.NO_ROW_PLAN(step=type(pipeline).__name__)
    if names != [str(name) for name in pipeline.feature_names_in_]:
        raise ValueError("the kinds are not those of the pipeline's features")
    encoder, estimator = pipeline[0], pipeline[-1]
    if isinstance(estimator, pipelines.Pipeline | GroupScores):
        raise faults.NO_ROW_PLAN(step=f"{type(estimator).__name__}, which takes in protected attributes,")
    encoded = columns.compile_columns(encoder, names)
    classes = list(estimator.classes_)
    if len(classes) != 2 or scoring.FAVOURABLE not in classes:
        raise faults.NO_ROW_PLAN(step="an estimator of other classes than 0 and 1")
    favourable = classes.index(scoring.FAVOURABLE)
    if (known := _linear(estimator, favourable) or trees.of(estimator, favourable)) is not None:
        return RowPlan(columns=encoded, estimator=known)
    return RowPlan(columns=encoded, estimator=OwnEstimator(estimator=estimator, favourable=favourable))


def _linear(estimator: Any, favourable: int) -> Linear | None:
    known = type(estimator) in (
        linear_model.LogisticRegression,
        linear_model.LogisticRegressionCV,
        discriminant_analysis.LinearDiscriminantAnalysis,
    ) or (type(estimator) is linear_model.SGDClassifier and estimator.loss == "log_loss")
    if not known or favourable != 1:
        return None
    return Linear(
        coefficients=np.ascontiguousarray(estimator.coef_[0], dtype=np.float64),
        intercept=float(np.ravel(estimator.intercept_)[0]),
    )


@machine_code.compiled
def _dot(encoded: Matrix, coefficients: Matrix, intercept: float, out: Matrix) -> None:
    for row in range(encoded.shape[0]):
        total = 0.0
        for column in range(coefficients.shape[0]):
            total += encoded[row, column] * coefficients[column]
        out[row] = total + intercept
