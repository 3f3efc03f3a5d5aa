"""The group table of rows that weigh or come in clusters: rows, weight, effective rows, rates, bounds.

What is weighted and what is a count of rows has names of its own. Groups are not compared here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from clearance.metrics import counts, intervals, rates
from clearance.metrics.rates import Group

_RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")


def table(groups: Mapping[str, Group], confidence: float) -> dict[str, dict[str, Any]]:
    """Rows, weight, effective rows and rates of each group whose rows weigh or come in clusters.

    `count` and `cells` are rows as they are. `weight` is their sum of weights and `effective_rows` those that
    the bounds of the selection rate stand on. A rate is the weighted one, in [0, 1]; it is None over no row,
    and its bounds (Wilson) are None on fewer than `design.FEWEST` clusters or less than one effective row.
    """
    table = {}
    for group, cells in groups.items():
        group_rates = {name: rates.rate(cells, name, "alone") for name in _RATES}
        bounds = {name: _wilson(name, at, confidence) for name, at in group_rates.items()}
        table[group] = {
            "count": cells.count,
            "weight": rates.weight_of(cells),
            "effective_rows": group_rates["selection_rate"].total,
            "clusters": group_rates["selection_rate"].clusters,
            "cells": asdict(rates.cells_of(cells)),
            "label_rate": _label_rate(cells),
            **{name: at.value for name, at in group_rates.items()},
            "intervals": bounds,
        }
    return table


def _wilson(name: str, at: rates.Rate, confidence: float) -> list[float] | None:
    if at.total < 1 or rates.few_clusters({name: at}):
        return None
    return list(intervals.wilson(at.successes, at.total, confidence))


def _label_rate(group: Group) -> float | None:
    """The weighted share of rows labelled favourable."""
    weight = rates.cells_of(group).counts if isinstance(group, counts.Cells) else group.weight
    return (weight[0] + weight[2]) / sum(weight) if sum(weight) else None
