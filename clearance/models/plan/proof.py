"""Whether a row plan is the pipeline: both score the same rows, real and generated, and must agree.

A plan that is not proved must not score. Generated rows hold what tables rarely hold: missing and unseen
values, rare categories, extreme and denormal numbers, and numbers at and beside the thresholds of trees.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance import errors
from clearance.models import row_plan, scoring
from clearance.models.plan import columns, trees

CLOSE = 1e-12
"""The largest difference between the score of a plan and that of its pipeline."""

REFUSED_CHECKED = 50
"""How many of the rows that a plan refuses are given to the pipeline, which must refuse each."""

_ODD = 60
"""How many numbers of a kind are made up for a feature."""

_EXTREMES = (
    *(1e308, -1e308, 3.5e38, -3.5e38, 1e-308, 1e16),
    *(sys.float_info.max, -sys.float_info.max, 5e-324, -5e-324),
)


@dataclass(frozen=True, kw_only=True)
class PlanProof:
    """What a comparison of a plan with its pipeline found on `rows` rows.

    `largest_difference` of two scores: 0 where both are NaN, NaN where one is. `decisions_that_differ` are
    those further from the threshold than `row_plan.NEAR`, `near` the rows so near to it that the pipeline
    decides. `refused`: rows that the plan refuses; `refused_by_plan_alone`: those that the pipeline scores.
    """

    rows: int
    largest_difference: float
    decisions_that_differ: int
    near: int
    refused: int
    refused_by_plan_alone: int

    @property
    def holds(self) -> bool:
        """Whether the plan may score in the pipeline's place; never where no row was compared."""
        return (
            self.rows > self.refused
            and self.largest_difference <= CLOSE
            and self.decisions_that_differ == 0
            and self.refused_by_plan_alone == 0
        )


def prove(plan: row_plan.RowPlan, pipeline: Any, features: pd.DataFrame, threshold: float) -> PlanProof:
    """Score the rows of `features` by the plan and by the pipeline, and compare scores and decisions.

    Rows go through the plan as values, one by one, as a server takes them.
    """
    kinds = dict(zip(plan.features, plan.kinds, strict=True))
    typed = scoring.inputs(features, kinds)
    rows = values(typed)
    planned = _planned(plan, rows)
    scored = np.array([score is not None for score in planned], dtype=np.bool_)
    scores = np.array([score for score in planned if score is not None], dtype=np.float64)
    expected = pipeline_scores(pipeline, typed[scored])
    near = np.array([row_plan.is_near(score, threshold) for score in scores], dtype=np.bool_)
    differ = scoring.decide(scores, threshold) != scoring.decide(expected, threshold)
    differences = np.where(np.isnan(scores) & np.isnan(expected), 0.0, np.abs(scores - expected))
    refused = np.flatnonzero(~scored)
    return PlanProof(
        rows=len(typed),
        largest_difference=float(differences.max(initial=0.0)),
        decisions_that_differ=int((differ & ~near).sum()),
        near=int(near.sum()),
        refused=len(refused),
        refused_by_plan_alone=sum(
            _is_scored(pipeline, typed.iloc[[index]]) for index in refused[:REFUSED_CHECKED]
        ),
    )


def _planned(plan: row_plan.RowPlan, rows: row_plan.Rows) -> list[float | None]:
    """The plan's score of each row, None where it refuses the row."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            return list(plan.score(rows))
        except errors.DataError:
            if len(rows) == 1:
                return [None]
            half = len(rows) // 2
            return _planned(plan, rows[:half]) + _planned(plan, rows[half:])


def pipeline_scores(pipeline: Any, rows: pd.DataFrame) -> scoring.Scores:
    """The pipeline's scores. Extreme values may overflow in it, so warnings of that are not shown."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        return scoring.score(pipeline, rows)


def _is_scored(pipeline: Any, row: pd.DataFrame) -> bool:
    try:
        pipeline_scores(pipeline, row)
    except ValueError:  # scikit-learn's own refusal
        return False
    return True


def values(typed: pd.DataFrame) -> list[tuple[columns.Value, ...]]:
    """The rows of a typed table as a server gets them: numbers, texts, and None where a value is missing."""
    lists = [typed[name].astype(object).where(typed[name].notna(), None).tolist() for name in typed]
    return list(zip(*lists, strict=True))


def generate(plan: row_plan.RowPlan, features: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """`count` made-up rows for a proof, from values of `features` (at least one row) and from the plan.

    Most values are those of the table's rows, mixed at random; one row is enough. Of the others, few in some
    rows and most in some, numbers are as spread as those the model was fitted on, missing, or at and beside a
    threshold that it compares with, and now and then denormal or too large for some models; texts are rare,
    missing or unseen.
    """
    rng = np.random.default_rng(seed)
    kinds = dict(zip(plan.features, plan.kinds, strict=True))
    typed = scoring.inputs(features, kinds)
    odd_share = rng.choice([0.05, 0.3, 0.9], count)
    generated = {}
    for position, (name, kind) in enumerate(kinds.items()):
        if kind == "number":
            usual, beside = _usual(plan, position, rng), _boundaries(plan, position, rng)
            odd = np.array([np.nan, 0.0, -0.0, *usual, *beside], dtype=object)
        else:
            known = list(plan.columns.codes[position] or {})
            odd = np.array([np.nan, columns.UNSEEN, "", *known], dtype=object)
        column = rng.choice(typed[name].to_numpy(dtype=object), count)
        column = np.where(rng.random(count) < odd_share, rng.choice(odd, count), column)
        if kind == "number":
            extreme = rng.random(count) < 0.5 / len(kinds)
            column = np.where(extreme, rng.choice(np.array(_EXTREMES, dtype=object), count), column)
        generated[name] = pd.Series(column, dtype=object)
    return scoring.inputs(pd.DataFrame(generated), kinds)


def _usual(plan: row_plan.RowPlan, position: int, rng: np.random.Generator) -> list[float]:
    """Numbers as far from the mean as those the encoder was fitted on; empty where it keeps no mean."""
    layout = plan.columns
    scaled = np.flatnonzero((layout.source == position) & (layout.operation == columns.NUMBER))
    return [
        float(value)
        for column in scaled
        for value in rng.normal(layout.mean[column], 2 * layout.scale[column], _ODD)
    ]


def _boundaries(plan: row_plan.RowPlan, position: int, rng: np.random.Generator) -> list[float]:
    """Values of a number whose encoded value lies at a threshold of a tree, and their neighbours."""
    if not isinstance(plan.estimator, trees.Trees):
        return []
    layout = plan.columns
    encoded = np.flatnonzero((layout.source == position) & (layout.operation != columns.INDICATOR))
    found: list[npt.NDArray[np.float64]] = []
    for column in encoded:
        thresholds = np.unique(plan.estimator.threshold[plan.estimator.column == column])
        thresholds = thresholds[np.isfinite(thresholds)]  # infinity: only missing values are split off
        value = thresholds * layout.scale[column] + layout.mean[column]
        found += [value, np.nextafter(value, np.inf), np.nextafter(value, -np.inf)]
    if not found:
        return []
    every = np.concatenate(found)
    return [float(value) for value in rng.permutation(every)[:_ODD]]
