"""Stage: how a model's decisions differ between the groups of every protected attribute, on test rows only.

One pass counts rows by group, label and decision; Fairlearn turns the counts into the group table,
and every difference gets an interval over all groups. What Fairlearn hides (a group without rows, without
a favourable label, without a name) is undefined here and says so. Nothing here judges.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from fairlearn import metrics as fairlearn

from clearance import params, paths, stage, wording
from clearance.data.tables import prepared, row_ids, scored
from clearance.documents import attempt_level, measurement
from clearance.documents.evidence_document import unless_blocked
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.group_names import MISSING
from clearance.documents.measurement import Measurement
from clearance.documents.training_document import TrainingDocument
from clearance.metrics import (
    contingency,
    count_rows,
    counts,
    disparity,
    family,
    group_rates,
    intervals,
    rates,
    sampling_design,
    significance,
    without_scores,
)
from clearance.metrics import intersections as margins
from clearance.metrics.disparity import METRICS
from clearance.models import scoring
from clearance.policy import attempt_levels

logger = logging.getLogger(__name__)

_RATES = {
    "selection_rate": fairlearn.selection_rate,
    "true_positive_rate": fairlearn.true_positive_rate,
    "false_positive_rate": fairlearn.false_positive_rate,
}
_BOUNDS = {"intervals": intervals.wilson, "exact_intervals": significance.clopper_pearson}


def group_table(groups: counts.Groups, confidence: float, crossed: bool = False) -> dict[str, dict[str, Any]]:
    """Count, cells, selection rate, true and false positive rate of each group.

    A rate lies in [0, 1] and is None where the group has no row to take it over; `intervals` holds its Wilson
    bounds, `exact_intervals` those of Clopper and Pearson. Fairlearn computes the rates; with `crossed` they
    come from the counts, because an intersection has too many groups for a frame.
    """
    by_fairlearn = {} if crossed else _fairlearn_rates(groups)
    table = {}
    for group, cells in groups.items():
        fractions = {
            "selection_rate": (cells.selected, cells.count),
            "true_positive_rate": (cells.true_positive, cells.favourable),
            "false_positive_rate": (cells.false_positive, cells.unfavourable),
        }
        table[group] = {
            "count": cells.count,
            "cells": asdict(cells),
            **{
                name: (part / total if crossed else by_fairlearn[name][group]) if total else None
                for name, (part, total) in fractions.items()
            },
            **{
                kind: {
                    name: list(bounds(part, total, confidence)) if total else None
                    for name, (part, total) in fractions.items()
                }
                for kind, bounds in _BOUNDS.items()
            },
        }
    return table


def _fairlearn_rates(groups: counts.Groups) -> dict[str, dict[str, float]]:
    """Fairlearn's MetricFrame over one weighted row per cell: the same rates at any number of rows."""
    weighted = [
        (group, label, decision, weight)
        for group, cells in groups.items()
        for label, decision, weight in (
            (1, 1, cells.true_positive),
            (0, 1, cells.false_positive),
            (1, 0, cells.false_negative),
            (0, 0, cells.true_negative),
        )
        if weight
    ]
    if not weighted:
        return {name: {} for name in _RATES}
    group, label, decision, weight = (np.array(column) for column in zip(*weighted, strict=True))
    frame = fairlearn.MetricFrame(
        metrics=_RATES,
        y_true=label,
        y_pred=decision,
        sensitive_features=group,
        sample_params={name: {"sample_weight": weight} for name in _RATES},
    )
    return {name: {str(key): float(rate) for key, rate in frame.by_group[name].items()} for name in _RATES}


def assess(
    *,
    protected: pd.DataFrame,
    label: npt.NDArray[np.integer],
    scores: npt.NDArray[np.float64],
    threshold: float,
    model_sha256: str,
    declared_groups: Mapping[str, Iterable[str]],
    options: params.Evaluate,
    seed: int,
    design: sampling_design.Design = sampling_design.INDEPENDENT,
    shares: Sequence[float] = (),
    decisions_alone: bool = False,
) -> FairnessDocument:
    """The fairness document of these rows: `protected` has a column of group names per attribute.

    `declared_groups` names the groups that each attribute and each intersection must show, even when these
    rows do not have them. `design` says what rows weigh and which belong together. When a score is not a
    probability, every measurement is undefined: the decision it stands for is not known. Everything is
    measured again for each of the `shares` of the level that an attempt may use. With `decisions_alone` the
    scores are decisions, and no metric of scores is measured.
    """
    invalid = int(np.count_nonzero(~((scores >= 0) & (scores <= 1))))
    encoding = contingency.encode(protected)
    counted = count_rows.count(encoding, label, scoring.decide(scores, threshold), design)
    families = margins.families(encoding.attributes, options.intersections)
    ranks = None if invalid else disparity.score(encoding, label, scores, design)
    fault = measurement.undefined(f"{invalid} of {len(scores)} scores are not probabilities")

    def groups_at(confidence: float) -> dict[str, Mapping[str, rates.Group]]:
        return {
            name: counted.groups(over, declared_groups.get(name, ()), confidence)
            for name, over in families.items()
        }

    def measure_at(
        groups: Mapping[str, Mapping[str, rates.Group]], at: params.Evaluate
    ) -> dict[str, dict[str, Measurement]]:
        if ranks is None:
            return {name: dict.fromkeys(METRICS, fault) for name in families}
        figures = {
            name: disparity.measure(counted, ranks, groups=groups[name], over=over, options=at, seed=seed)
            for name, over in families.items()
        }
        if not decisions_alone:
            return figures
        return {name: without_scores.measured("fairness", of_name) for name, of_name in figures.items()}

    groups = groups_at(options.confidence)
    measured = measure_at(groups, options)
    levels = tuple(
        attempt_level.level(share, at.confidence, _by_metric(measure_at(groups_at(at.confidence), at)))
        for share, at in attempt_levels.options(options, shares).items()
    )
    return FairnessDocument.create(
        measurements=_by_metric(measured),
        levels=levels or None,
        groups={
            name: _table(table, options.confidence, crossed=len(families[name]) > 1)
            for name, table in groups.items()
        },
        against_best={
            name: significance.against_best(table, options.confidence) for name, table in groups.items()
        },
        never_observed={
            name: margins.never_observed(counted.table, over, declared_groups.get(name, ()))
            for name, over in families.items()
            if len(over) > 1
        },
        family=family.describe(measured, options.confidence),
        rows=len(label),
        sampling=design.describe(),
        threshold=threshold,
        above_median=None if invalid or decisions_alone else above_median(encoding, families, label, scores),
        model_sha256=model_sha256,
    )


def _by_metric(measured: Mapping[str, Mapping[str, Measurement]]) -> dict[str, dict[str, Measurement]]:
    return {metric: {name: by_metric[metric] for name, by_metric in measured.items()} for metric in METRICS}


def above_median(
    encoding: contingency.Encoding,
    families: Mapping[str, Sequence[str]],
    label: npt.NDArray[np.integer],
    scores: npt.NDArray[np.float64],
) -> dict[str, dict[str, int]]:
    """How many rows of each group score above the exact median of all rows, by attribute and intersection.

    People are counted, never weighted. A group without such a row is not named.
    """
    above = contingency.count(encoding, label, scores > (np.median(scores) if len(scores) else 0.0))
    return {
        name: {group: cells.selected for group, cells in margins.groups(above, over).items()}
        for name, over in families.items()
    }


def _table(groups: Mapping[str, rates.Group], confidence: float, crossed: bool) -> dict[str, dict[str, Any]]:
    """The group table of independent rows, or that of rows that weigh or come in clusters."""
    independent = {name: cells for name, cells in groups.items() if isinstance(cells, counts.Cells)}
    if len(independent) == len(groups):
        return group_table(independent, confidence, crossed)
    return group_rates.table(groups, confidence)


def expected_groups(
    data: params.Data, protected: pd.DataFrame, intersections: int = 1
) -> dict[str, set[str]]:
    """The groups of each attribute that the declaration lists or that any row of any split has.

    Of an intersection, those that any row of any split has.
    """
    encoding = contingency.encode(protected)
    groups = {
        name: set(margins.codes_of(encoding, over)[1]) - {MISSING}
        for name, over in margins.families(encoding.attributes, intersections).items()
    }
    for name in data.protected:
        declared = data.columns[name].values if name in data.columns else None
        texts = {row_ids.canonical_value(value) for value in declared or []}
        groups[name] |= {text for text in texts if text is not None}
    return groups


def main() -> None:
    """Read the test rows and their scores, write `reports/fairness.json`."""
    settings = params.load(paths.PARAMS)
    training = unless_blocked(TrainingDocument.read(Path()), paths.FAIRNESS)
    if training is None:
        return
    test = prepared.read_outcomes(Path(), "test")
    protected = prepared.read_protected(Path())
    fairness = assess(
        protected=test.protected,
        label=test.label,
        scores=scored.read(Path(), test.rows, training.model.sha256),
        threshold=training.threshold,
        model_sha256=training.model.sha256,
        declared_groups=expected_groups(settings.data, protected, settings.evaluate.intersections),
        options=settings.evaluate,
        seed=settings.seed,
        design=sampling_design.declared(settings.data, test),
        shares=attempt_levels.spent(settings.policy),
        decisions_alone=training.gives_decisions_alone,
    )
    fairness.write(Path())
    for name in test.protected.columns:
        rates_by_group = ", ".join(
            f"{group} {wording.percent(row.selection_rate)}" for group, row in fairness.groups[name].items()
        )
        logger.info("favourable decisions by %s: %s", name, rates_by_group)


if __name__ == "__main__":
    stage.run(main)
