"""How unequal the data themselves are between groups, from counts, before any model is trained.

Labels, sizes and missing values; whether a feature stands for a group is `clearance.metrics.proxies`.
Nothing here judges, and nothing is undefined without saying why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations

from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import extremes, intervals

Counts = Mapping[str, int]

LABELS = (
    *("label_rate_difference", "label_rate_ratio"),
    *("label_kl_divergence", "label_js_divergence", "label_total_variation"),
)
"""The figures that `labels` gives."""


def labels(favourable: Counts, rows: Counts, confidence: float) -> dict[str, Measurement]:
    """How far the rates of the favourable label lie apart; both mappings name the same groups.

    - `label_rate_difference`: highest rate minus lowest, in [0, 1]; 0 is equal rates.
    - `label_rate_ratio`: lowest over highest rate (disparate impact of the labels), in [0, 1]; 1 is equal.
    - `label_kl_divergence`: largest Kullback-Leibler divergence, in nats, of one group's labels from
      another's; at least 0, which means equal rates. Undefined where a group has labels of one kind only.
    - `label_js_divergence`: largest Jensen-Shannon divergence, in nats, in [0, ln 2]; 0 is equal rates.
    - `label_total_variation`: largest total variation distance, in [0, 1]; of two labels it is the
      difference of the rates.

    The first two have bounds over all groups. Source of the others: S. Das et al., Fairness measures for
    machine learning in finance, J. Financ. Data Sci. 3 (2021) 33-64.
    """
    figures = {
        "label_rate_difference": intervals.max_difference(favourable, rows, confidence),
        "label_rate_ratio": intervals.min_ratio(favourable, rows, confidence),
    }
    compared = {name: _with_rates(figure, favourable, rows) for name, figure in figures.items()}
    return compared | _divergences(favourable, rows)


def _with_rates(figure: Measurement, counts: Counts, rows: Counts) -> Measurement:
    if figure.value is None:
        return figure
    return replace(figure, rates={group: counts[group] / total for group, total in rows.items() if total})


def _divergences(favourable: Counts, rows: Counts) -> dict[str, Measurement]:
    divergences = {
        "label_kl_divergence": _kl,
        "label_js_divergence": _js,
        "label_total_variation": _variation,
    }
    if len(rows) < 2 or not all(rows.values()):
        return dict.fromkeys(divergences, undefined("a comparison needs two groups with rows", rows))
    rates = [favourable[group] / rows[group] for group in rows]
    figures = {}
    for name, divergence in divergences.items():
        value = max(divergence(p, q) for p, q in permutations(rates, 2))
        figures[name] = (
            Measurement(value=value, method="point", support=dict(rows))
            if math.isfinite(value)
            else undefined("some group has labels of one kind only", rows)
        )
    return figures


def _kl(p: float, q: float) -> float:
    return _term(p, q) + _term(1 - p, 1 - q)


def _term(p: float, q: float) -> float:
    return 0.0 if p == 0 else math.inf if q == 0 else p * math.log(p / q)


def _js(p: float, q: float) -> float:
    middle = (p + q) / 2
    return max(0.0, (_kl(p, middle) + _kl(q, middle)) / 2)


def _variation(p: float, q: float) -> float:
    return abs(p - q)


def class_imbalance(rows: Counts) -> Measurement:
    """How much larger the largest group is than the smallest: their difference over their sum, in [0, 1].

    0 means groups of one size, values near 1 that the smallest has almost no rows. Source: as `labels`.
    """
    if len(rows) < 2 or not any(rows.values()):
        return undefined("a comparison needs two groups with rows", rows)
    most, fewest = max(rows.values()), min(rows.values())
    return Measurement(value=(most - fewest) / (most + fewest), support=dict(rows))


def missingness(nulls: Mapping[str, Counts], rows: Counts, confidence: float) -> Measurement:
    """The largest difference between two groups' shares of nulls, over every feature at once.

    In [0, 1]: 0 means that every feature is missing equally often in all groups. `nulls` has the groups'
    counts by feature. Bounded whichever feature and pair it truly is: `extremes.largest`.
    """
    if not nulls:
        return undefined("there are no features", rows)
    if hole := next((hole for counts in nulls.values() if (hole := intervals.fault(counts, rows))), None):
        return undefined(hole, rows)
    gaps = {name: intervals.rate_gaps(counts, rows) for name, counts in nulls.items()}
    worst = max(gaps, key=lambda name: max(gap.value for gap in gaps[name]))
    figure = extremes.largest(
        [gap for feature_gaps in gaps.values() for gap in feature_gaps],
        confidence,
        method=f"{intervals.NEWCOMBE} over {len(nulls)} features, most in `{worst}`",
        of="features and pairs of groups",
        support=dict(rows),
    )
    return replace(_with_rates(figure, nulls[worst], rows), feature=worst if figure.value else None)
