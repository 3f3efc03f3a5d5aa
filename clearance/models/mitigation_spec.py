"""What a mitigation is: what it needs, the form in which it ships, and the functions that apply it.

A mitigation changes the row weights an estimator is fitted with, or makes new pipelines from a fitted one, or
both. Whether what it needs is allowed is for the policy to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from clearance import params
from clearance.data.tables.prepared import Prepared
from clearance.models.scoring import Kind
from clearance.models.thresholds import Objective


@dataclass(frozen=True, kw_only=True)
class RowWeights:
    """A weight for each row, and the table of groups and labels it comes from.

    `weights` has one positive float64 per row and sums to the number of rows when no cell is empty. `cells`
    has one entry per group that occurs: its values by attribute, and rows and weight by label (weight None
    where there are no rows). `one_sided` lists the groups that have rows of one label only: no weight can
    make their outcome independent of the group.
    """

    weights: npt.NDArray[np.float64]
    cells: list[dict[str, Any]]
    one_sided: list[str]


@dataclass(frozen=True, kw_only=True)
class MitigationInputs:
    """What a mitigation works on: train and tune rows, kinds of features, and a pipeline fitted without it.

    `mitigation` holds the options from params.yaml; `objective` is the utility that thresholds maximise.
    """

    mitigation: params.Mitigation
    pipeline: Pipeline
    rows: Prepared
    tune: Prepared
    kinds: Mapping[str, Kind]
    objective: Objective


@dataclass(frozen=True, kw_only=True)
class Option:
    """A fitted pipeline that could become the candidate.

    `details` describe it in the training record; `cut` is its threshold and how that was set, where the
    mitigation sets it.
    """

    pipeline: Pipeline
    details: Mapping[str, Any] = field(default_factory=dict)
    cut: tuple[float, str] | None = None


@dataclass(frozen=True, kw_only=True)
class MitigationSpec:
    """A mitigation: what it needs, how what it fits becomes one deterministic model, and its functions.

    `needs_protected_at_decision`: a row cannot be decided without its protected attributes.
    `needs_weights`: the estimator's `fit` must take `sample_weight`.
    `weigh` gives the row weights for the estimator's fit; None: rows are not weighed.
    `fit` gives the pipelines to choose from, one at least; None: the fitted pipeline itself is the only one.
    """

    needs_protected_at_decision: bool
    needs_weights: bool
    ships: str
    weigh: Callable[[pd.DataFrame, npt.NDArray[np.integer[Any]]], RowWeights] | None = None
    fit: Callable[[MitigationInputs], Iterable[Option]] | None = None
