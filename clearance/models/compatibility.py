"""Whether a model of another day can be asked about today's table: its features are there and as they were.

Holds what the model was fitted on against the table; nothing is scored. A model that reads columns which mean
something else now would look worse than it was, and whatever follows it better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from clearance.errors import DataError
from clearance.models import scoring

_TIMES = 10.0
"""By how much a feature's median must have moved for the feature to be another one: a unit, a logarithm."""

_SPREADS = 1.5
"""And by how many of the standard deviations that the model saw: a small count may double by itself."""


def incompatibilities(
    pipeline: Any, features: pd.DataFrame, declared: Mapping[str, str | None], unknown_share: float
) -> list[str]:
    """What of `features` is not as the fitted pipeline knows it, a sentence each; none: it can be asked.

    Missing features, other types, categories that it never saw in more than `unknown_share` of the rows, and
    numbers on another scale.
    """
    expected = scoring.model_kinds(pipeline)
    missing = [name for name in expected if name not in features.columns]
    if missing:
        return [f"the table lacks {', '.join(f'`{name}`' for name in missing)}"]
    asked = features[list(expected)]
    try:
        kinds = scoring.kinds(asked, declared)
        if changed := [name for name in expected if kinds[name] != expected[name]]:
            return [f"`{name}` was a {expected[name]} and is a {kinds[name]}" for name in changed]
        taken = scoring.inputs(asked, expected)
    except DataError as error:
        return [error.fault]
    return [*_unknown(pipeline[0], taken, unknown_share), *_rescaled(pipeline[0], taken)]


def _unknown(fitted: Any, taken: pd.DataFrame, unknown_share: float) -> Iterator[str]:
    for step, names in _steps(fitted, "encode"):
        for name, known in zip(names, step["encode"].categories_, strict=True):
            values = taken[name].dropna()
            strange = ~values.isin(list(known))
            share = float(strange.sum()) / max(1, len(taken))
            if share > unknown_share:
                shown = ", ".join(sorted({str(value) for value in values[strange]})[:3])
                yield f"`{name}` holds categories that it never saw in {share:.1%} of the rows ({shown})"


def _rescaled(fitted: Any, taken: pd.DataFrame) -> Iterator[str]:
    for step, names in _steps(fitted, "scale"):
        medians, spreads = step["impute"].statistics_, step["scale"].scale_
        for name, then, spread in zip(names, medians, spreads[: len(names)], strict=True):
            values = taken[name].dropna()
            if not len(values):
                continue
            now = float(np.median(values))
            near, far = sorted((abs(then), abs(now)))
            moved = then * now < 0 or far > _TIMES * near
            if moved and abs(now - then) > _SPREADS * spread:
                yield f"`{name}` is on another scale: its median was {then:.3g} and is {now:.3g}"


def _steps(fitted: Any, name: str) -> Iterator[tuple[Pipeline, list[str]]]:
    """The fitted pipelines that have a step of that name, each with its columns."""
    for _, step, columns in fitted.transformers_:
        if isinstance(step, Pipeline) and name in step.named_steps:
            yield step, list(columns)
