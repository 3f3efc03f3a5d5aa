"""Whether an earlier model can score today's table: its features are present and have not changed.

It compares what the model was fitted on with the table; nothing is scored. A model that reads columns with a
new meaning would look worse than it was, and its successor better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from clearance.documents.training_document import NumberSummary
from clearance.errors import DataError
from clearance.models import scoring
from clearance.models.external.score_table import ScoreTable

_TIMES = 10.0
"""The factor by which the median of a changed feature must differ: another unit, a logarithm."""

_SPREADS = 1.5
"""And by how many standard deviations of the train rows: a small count may double by chance."""


def summaries(inputs: pd.DataFrame) -> dict[str, NumberSummary]:
    """The median and the standard deviation of each number among `inputs`, by name; nulls are left out.

    `inputs` are rows as a model takes them: a number is a float64 column. One without any value, or with
    values too large for a standard deviation, is left out.
    """
    numbers = inputs.select_dtypes("float64").dropna(axis="columns", how="all")
    with np.errstate(over="ignore"):
        figures = {str(name): (np.nanmedian(column), np.nanstd(column)) for name, column in numbers.items()}
    return {
        name: NumberSummary(median=float(median), standard_deviation=float(spread))
        for name, (median, spread) in figures.items()
        if np.isfinite(spread)
    }


def incompatibilities(
    pipeline: Any,
    features: pd.DataFrame,
    declared: Mapping[str, str | None],
    unknown_share: float,
    numbers: Mapping[str, NumberSummary] | None = None,
) -> list[str]:
    """The differences between `features` and what the pipeline was fitted on, one sentence each.

    They are missing features, other types, unknown categories in more than `unknown_share` of the rows, and
    numbers on another scale than in `numbers`, the summaries of the train rows (None: those that the pipeline
    itself keeps). Without differences the pipeline can score the rows.
    """
    expected = scoring.model_kinds(pipeline)
    missing = [name for name in expected if name not in features.columns]
    if missing:
        return [f"the table lacks {', '.join(f'`{name}`' for name in missing)}"]
    used = features[list(expected)]
    try:
        kinds = scoring.kinds(used, declared)
        if changed := [name for name in expected if kinds[name] != expected[name]]:
            return [f"`{name}` was a {expected[name]} and is a {kinds[name]}" for name in changed]
        inputs = scoring.inputs(used, expected)
    except DataError as error:
        return [error.fault]
    if isinstance(pipeline[-1], ScoreTable) and (unlisted := pipeline[-1].without_score(inputs)):
        return [f"it is a table of scores, and has none for {unlisted} of the {len(inputs)} rows"]
    then = dict(_kept(pipeline[0])) if numbers is None else numbers
    return [*_unknown(pipeline[0], inputs, unknown_share), *_rescaled(then, inputs)]


def _unknown(fitted: Any, inputs: pd.DataFrame, unknown_share: float) -> Iterator[str]:
    for step, names in _steps(fitted, "encode"):
        for name, categories in zip(names, step["encode"].categories_, strict=True):
            values = inputs[name].dropna()
            unknown = ~values.isin(list(categories))
            share = float(unknown.sum()) / max(1, len(inputs))
            if share > unknown_share:
                shown = ", ".join(sorted({str(value) for value in values[unknown]})[:3])
                yield f"`{name}` holds categories that it never saw in {share:.1%} of the rows ({shown})"


def _rescaled(numbers: Mapping[str, NumberSummary], inputs: pd.DataFrame) -> Iterator[str]:
    for name, summary in numbers.items():
        values = inputs[name].dropna()
        if not len(values):
            continue
        then, now = summary.median, float(np.median(values))
        near, far = sorted((abs(then), abs(now)))
        moved = then * now < 0 or far > _TIMES * near
        if moved and abs(now - then) > _SPREADS * summary.standard_deviation:
            yield f"`{name}` is on another scale: its median was {then:.3g} and is {now:.3g}"


def _kept(fitted: Any) -> Iterator[tuple[str, NumberSummary]]:
    """What the imputation and the scaling of a pipeline tell about its train rows."""
    for step, names in _steps(fitted, "scale"):
        medians, spreads = step["impute"].statistics_, step["scale"].scale_
        for name, median, spread in zip(names, medians, spreads[: len(names)], strict=True):
            yield name, NumberSummary(median=float(median), standard_deviation=float(spread))


def _steps(fitted: Any, name: str) -> Iterator[tuple[Pipeline, list[str]]]:
    """The fitted pipelines that have a step of that name, each with its columns."""
    for _, step, columns in fitted.transformers_:
        if isinstance(step, Pipeline) and name in step.named_steps:
            yield step, list(columns)
