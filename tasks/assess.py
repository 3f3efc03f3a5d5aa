"""How a model's decisions differ between the groups of every protected attribute, on test rows only.

One pass counts rows by group, label and decision; Fairlearn turns the counts into the group table,
and every difference gets a simultaneous interval. What Fairlearn hides (a group without rows, without
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

from clearance import artifacts, evidence, params, stage
from clearance.measures import (
    contingency,
    counts,
    entropy,
    fairness,
    family,
    intervals,
    margins,
    ranked,
    significance,
)
from clearance.modelling import scoring
from clearance.tables import prepared, rows, scored
from clearance.telling import wording

_RATES = {
    "selection_rate": fairlearn.selection_rate,
    "true_positive_rate": fairlearn.true_positive_rate,
    "false_positive_rate": fairlearn.false_positive_rate,
}

METRICS = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "disparate_impact_best_group",
    "disparate_impact_reference_group",
    "equal_opportunity_difference",
    "false_positive_rate_difference",
    "false_negative_rate_difference",
    "true_negative_rate_difference",
    "predictive_parity_difference",
    "accuracy_difference",
    "average_odds_difference",
    "equalized_odds_difference",
    "equalized_odds_ratio",
    "true_positive_rate_lowest",
    "accuracy_lowest",
    "scoring_rate_ratio",
    "roc_auc_difference",
    "calibration_error_highest",
    "theil_index",
    "generalized_entropy_index",
    "between_group_theil_index",
    "between_group_generalized_entropy_index",
    "missing_share",
)
"""What is measured by attribute and by intersection, defined in `clearance/measures`."""


def group_table(groups: counts.Groups, confidence: float, crossed: bool = False) -> dict[str, dict[str, Any]]:
    """Count, cells, selection rate, true and false positive rate of each group.

    A rate lies in [0, 1] and is None where the group has no row to take it over; `intervals` holds its Wilson
    bounds. The rates are Fairlearn's, or with `crossed` the same from counts: an intersection has too many
    groups to take each through a frame.
    """
    taken = {} if crossed else _fairlearn_rates(groups)
    table = {}
    for group, cells in groups.items():
        over = {
            "selection_rate": (cells.selected, cells.count),
            "true_positive_rate": (cells.true_positive, cells.favourable),
            "false_positive_rate": (cells.false_positive, cells.unfavourable),
        }
        table[group] = {
            "count": cells.count,
            "cells": asdict(cells),
            **{
                name: (k / total if crossed else taken[name][group]) if total else None
                for name, (k, total) in over.items()
            },
            "intervals": {
                name: list(intervals.wilson(k, total, confidence)) if total else None
                for name, (k, total) in over.items()
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
    known: Mapping[str, Iterable[str]],
    asked: params.Evaluate,
    seed: int,
) -> dict[str, Any]:
    """The fairness document of these rows: `protected` has a column of group names per attribute.

    `known` names the groups that each attribute and each intersection must show, met among these rows or
    not. A score that is no probability leaves every measurement undefined: what it would decide is not known.
    """
    wrong = int(np.count_nonzero(~((scores >= 0) & (scores <= 1))))
    encoding = contingency.encode(protected)
    table = contingency.count(encoding, label, scoring.decide(scores, threshold))
    families = margins.families(encoding.attributes, asked.intersections)
    groups = {name: margins.groups(table, over, known.get(name, ())) for name, over in families.items()}
    if wrong:
        fault = evidence.undefined(f"{wrong} of {len(scores)} scores are no probability")
        measured = {name: dict.fromkeys(METRICS, fault) for name in families}
    else:
        measured = _measure(
            encoding=encoding,
            groups=groups,
            families=families,
            label=label,
            scores=scores,
            asked=asked,
            seed=seed,
        )
    return evidence.measured(
        {metric: {name: taken[metric] for name, taken in measured.items()} for metric in METRICS},
        groups={
            name: group_table(counted, asked.confidence, crossed=len(families[name]) > 1)
            for name, counted in groups.items()
        },
        against_best={
            name: significance.against_best(counted, asked.confidence) for name, counted in groups.items()
        },
        never_observed={
            name: margins.never_observed(table, over, known.get(name, ()))
            for name, over in families.items()
            if len(over) > 1
        },
        family=family.describe(measured, asked.confidence),
        rows=len(label),
        threshold=threshold,
        above_median=None if wrong else above_median(encoding, families, label, scores),
    )


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


def _measure(
    *,
    encoding: contingency.Encoding,
    groups: Mapping[str, counts.Groups],
    families: Mapping[str, Sequence[str]],
    label: npt.NDArray[np.integer],
    scores: npt.NDArray[np.float64],
    asked: params.Evaluate,
    seed: int,
) -> dict[str, dict[str, evidence.Measurement]]:
    """Every metric of every attribute and intersection."""
    sampling = intervals.Sampling(confidence=asked.confidence, resamples=asked.resamples, seed=seed)
    ranks = ranked.rank(label, scores, encoding.at)
    above = contingency.count(encoding, label, ranked.above_median(ranks))
    found = {}
    for name, over in families.items():
        reference = _reference(name, over, asked.reference)
        codes, names = margins.codes_of(encoding, over)
        numbered = {code: group for code, group in enumerate(names) if group in groups[name]}
        numbered |= {-1 - at: group for at, group in enumerate(groups[name]) if group not in names}
        found[name] = (
            fairness.measure(groups[name], asked.confidence, reference)
            | {
                "scoring_rate_ratio": fairness.scoring_rate_ratio(
                    margins.groups(above, over, groups[name].keys() - {counts.MISSING}),
                    asked.confidence,
                )
            }
            | entropy.measure(groups[name], sampling)
            | ranked.measure(ranks, codes, numbered, sampling, asked.bins)
        )
    return found


def _reference(name: str, over: Sequence[str], declared: Mapping[str, Any]) -> str | None:
    """The declared reference group, of an intersection that of all its attributes together."""
    chosen = [declared.get(name)] if name in declared else [declared.get(each) for each in over]
    texts = [rows.canonical_value(each) for each in chosen]
    return evidence.INTERSECTION.join(text for text in texts if text) if all(texts) else None


def known_groups(data: params.Data, protected: pd.DataFrame, intersections: int = 1) -> dict[str, set[str]]:
    """The groups of each attribute that the declaration lists or that any row of any split has.

    Of an intersection, those that any row of any split has.
    """
    encoding = contingency.encode(protected)
    known = {
        name: set(margins.codes_of(encoding, over)[1]) - {counts.MISSING}
        for name, over in margins.families(encoding.attributes, intersections).items()
    }
    for name in data.protected:
        declared = data.columns[name].values if name in data.columns else None
        texts = {rows.canonical_value(value) for value in declared or []}
        known[name] |= {text for text in texts if text is not None}
    return known


def main() -> None:
    """Read the test rows and their scores, write `reports/fairness.json`."""
    settings = params.load(Path("params.yaml"))
    report = Path("reports/fairness.json")
    training = artifacts.read_json(Path("reports/training.json"))
    if training["status"] != "measured":
        artifacts.write_json(report, evidence.blocked(training["because"]))
        return
    test = prepared.read_outcomes(Path(), "test")
    document = assess(
        protected=test.protected,
        label=test.label,
        scores=scored.read(Path(), test.rows, training["model"]["sha256"]),
        threshold=training["threshold"],
        known=known_groups(settings.data, prepared.read_protected(Path()), settings.evaluate.intersections),
        asked=settings.evaluate,
        seed=settings.seed,
    )
    artifacts.write_json(report, document | {"model_sha256": training["model"]["sha256"]})
    for name in test.protected.columns:
        groups = document["groups"][name]
        rates = ", ".join(
            f"{group} {wording.percent(row['selection_rate'])}" for group, row in groups.items()
        )
        logging.getLogger(__name__).info("favourable decisions by %s: %s", name, rates)


if __name__ == "__main__":
    stage.run(main)
