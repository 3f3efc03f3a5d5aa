"""What a change of model does to how far groups lie apart: the candidate's disparity against the champion's.

A disparity is the largest of many contrasts of rates, so the change is bounded over every pair of a contrast
under the candidate and one under the champion, from counts of rows that both decided. Nothing here judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import extremes, intervals, paired, paired_intervals, paired_resampling, resampling
from clearance.metrics.paired_intervals import Part, Square

Floats = npt.NDArray[np.float64]
Stratum = tuple[str, int]
"""The rows of one group that a rate is taken over: the rate's name, the group's number."""

Contrast = Mapping[Stratum, float]
"""A sum of rates, each times its factor."""

_ODDS = ("true_positive_rate", "false_positive_rate")
_GAPS: Mapping[str, tuple[str, ...]] = {
    "demographic_parity_difference": ("selection_rate",),
    "equal_opportunity_difference": ("true_positive_rate",),
    "false_negative_rate_difference": ("true_positive_rate",),
    "false_positive_rate_difference": ("false_positive_rate",),
    "true_negative_rate_difference": ("false_positive_rate",),
    "accuracy_difference": ("accuracy",),
    "equalized_odds_difference": _ODDS,
}
"""The rates whose widest gap between two groups each difference is; 1 minus a rate gaps as the rate does."""
_RATIOS: Mapping[str, tuple[str, ...]] = {
    "demographic_parity_ratio": ("selection_rate",),
    "disparate_impact_best_group": ("selection_rate",),
    "equalized_odds_ratio": _ODDS,
}
_LOWEST = {"true_positive_rate_lowest": "true_positive_rate", "accuracy_lowest": "accuracy"}
_TO_REFERENCE = "disparate_impact_reference_group"
_PREDICTIVE = "predictive_parity_difference"

RATIOS = frozenset({*_RATIOS, _TO_REFERENCE})
"""Metrics whose change is the candidate's ratio over the champion's: 1 means no change."""

LOWEST = frozenset(_LOWEST)
"""Metrics of which more is better: their change is the candidate's rate minus the champion's."""

METRICS = frozenset({*_GAPS, *RATIOS, *_LOWEST, _PREDICTIVE, "average_odds_difference"})
"""What can be compared; the change of every other one is the candidate's difference minus the champion's."""


def measure(
    table: paired.PairedTable, metric: str, sampling: intervals.Sampling, reference: str | None = None
) -> Measurement:
    """What the candidate makes of the champion's `metric` (defined in `fairness.measure`) on the same rows.

    Differences: the candidate's minus the champion's, in [-1, 1], above 0 where groups lie farther apart.
    Lowest rates: the same, below 0 where the worst group does worse. Ratios: the candidate's over the
    champion's, from 0 up, below 1 where groups lie farther apart. `reference` is the group of
    `disparate_impact_reference_group`. Undefined with fewer than two groups, with a group that has no row to
    take a rate over, and for a ratio where a rate is 0. Raises KeyError on a metric that is not in `METRICS`.
    """
    support = {name: int(table.rows[at].sum()) for at, name in enumerate(table.names)}
    if metric == _PREDICTIVE:
        return _predictive(table, sampling, support)
    contrasts = list(_contrasts(metric, table.names, reference))
    if not contrasts:
        lacks = "no reference group among them" if metric == _TO_REFERENCE else "no second group"
        return undefined(f"there is {lacks} to compare with", support)
    squares = {stratum: table.over(stratum[0], stratum[1]) for contrast in contrasts for stratum in contrast}
    support = {_named(stratum, table.names): int(rows.sum()) for stratum, rows in squares.items()}
    if hole := _hole(squares, table.names, ratio=metric in RATIOS):
        return undefined(hole, support)
    scale = _log(squares) if metric in RATIOS else _plain(squares)
    value, (low, high) = _change(contrasts, scale, sampling.confidence)
    part = (value, (low, high))
    if metric in RATIOS:
        part = (math.exp(-value), (math.exp(-high), math.exp(-low)))
    elif metric in LOWEST:
        part = (-value, (-high, -low))
    method = f"MOVER on {'score ratios' if metric in RATIOS else paired.TANGO}"
    return paired.bounded(part, sampling.confidence, method + _corrections(len(contrasts)), support)


def _contrasts(metric: str, names: Sequence[str], reference: str | None) -> Iterator[Contrast]:
    """What a disparity is the largest of; a ratio is the largest of the logarithms' differences, turned."""
    pairs = list(permutations(range(len(names)), 2))
    if metric in _LOWEST:
        yield from ({(_LOWEST[metric], at): -1.0} for at in range(len(names)))
    elif metric == "average_odds_difference":
        for one, other in pairs:
            yield {(rate, at): sign for rate in _ODDS for at, sign in ((one, 0.5), (other, -0.5))}
    elif metric == _TO_REFERENCE:
        at = names.index(reference) if reference in names else None
        others = [] if at is None else [other for other in range(len(names)) if other != at]
        yield from ({("selection_rate", at or 0): 1.0, ("selection_rate", other): -1.0} for other in others)
    else:
        for rate in {**_GAPS, **_RATIOS}[metric]:
            yield from ({(rate, one): 1.0, (rate, other): -1.0} for one, other in pairs)


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """The rate of a stratum under the champion and the candidate, and the bounds of what is made of them.

    `part` gives candidate - champion (1, -1), candidate + champion (1, 1) or one of them alone (0).
    """

    champion: Mapping[Stratum, float]
    candidate: Mapping[Stratum, float]
    part: Callable[[Stratum, int, int, float], Part]


def _plain(squares: Mapping[Stratum, Square]) -> _Scale:
    def part(at: Stratum, candidate: int, champion: int, confidence: float) -> Part:
        rows = squares[at]
        if candidate and champion:
            both = paired_intervals.difference if candidate != champion else paired_intervals.total
            return both(rows, confidence)
        return paired_intervals.rate(rows.sum(axis=0 if candidate else 1), confidence)

    return _Scale(
        champion={at: float(rows[1].sum() / rows.sum()) for at, rows in squares.items()},
        candidate={at: float(rows[:, 1].sum() / rows.sum()) for at, rows in squares.items()},
        part=part,
    )


def _log(squares: Mapping[Stratum, Square]) -> _Scale:
    def part(at: Stratum, candidate: int, champion: int, confidence: float) -> Part:
        rows = squares[at]
        if candidate and champion:
            both = paired_intervals.ratio if candidate != champion else paired_intervals.product
            return both(rows, confidence)
        return paired_intervals.log_rate(rows.sum(axis=0 if candidate else 1), confidence)

    plain = _plain(squares)
    return _Scale(
        champion={at: math.log(rate) for at, rate in plain.champion.items()},
        candidate={at: math.log(rate) for at, rate in plain.candidate.items()},
        part=part,
    )


def _change(contrasts: Sequence[Contrast], scale: _Scale, confidence: float) -> Part:
    """The largest contrast under the candidate minus the largest under the champion.

    The upper end is the largest, over the candidate's contrasts, of the smallest upper end against any of the
    champion's. One of those contrasts is the true largest of the candidate, and needs no correction, as in
    `extremes.largest`. Against it every upper end holds at once, corrected for the champion's contrasts:
    whichever of these is the true largest, none is larger. Half of the error goes to the same contrast under
    both models, which their agreement makes the sharpest, the other half to all others in equal parts
    (Bonferroni with weights). The lower end mirrors it.
    """
    strata = sorted({at for contrast in contrasts for at in contrast})
    factors = np.array([[contrast.get(at, 0.0) for at in strata] for contrast in contrasts])
    value = _largest(factors, strata, scale.candidate) - _largest(factors, strata, scale.champion)
    same, others = _levels(len(contrasts), confidence)
    low, high = _against(factors, strata, scale, others)
    for matrix, own in zip((low, high), _against(factors, strata, scale, same), strict=True):
        np.fill_diagonal(matrix, own.diagonal())
    return value, (min(float(low.max(axis=0).min()), value), max(float(high.min(axis=1).max()), value))


def _corrections(contrasts: int) -> str:
    """What both ends are corrected for, added to the method; nothing for one contrast."""
    if contrasts == 1:
        return ""
    return f"; Bonferroni over {contrasts} contrasts, half the error for the same one under both models"


def _levels(contrasts: int, confidence: float) -> tuple[float, float]:
    """The confidence of the same contrast under both models, and of every other pair of contrasts."""
    if contrasts == 1:
        return confidence, confidence
    half = extremes.corrected(confidence, 2)
    return half, extremes.corrected(half, contrasts - 1)


def _largest(factors: Floats, strata: Sequence[Stratum], rates: Mapping[Stratum, float]) -> float:
    return float((factors @ np.array([rates[at] for at in strata])).max())


def _against(
    factors: Floats, strata: Sequence[Stratum], scale: _Scale, confidence: float
) -> tuple[Floats, Floats]:
    """Bounds (contrasts, contrasts) on each under the candidate minus each under the champion, by MOVER.

    A stratum adds to a pair what the signs make of it that it has in both.
    """
    size = float(np.abs(factors).max())
    signs = np.sign(factors).astype(np.int64)
    value, lower, upper = np.zeros((3, len(factors), len(factors)))
    for place, at in enumerate(strata):
        contributions = np.zeros((3, 3, 3))  # what, candidate's sign, champion's sign: -1 last
        for plus, minus in product((0, 1, -1), repeat=2):
            if plus or minus:
                factor = size * (plus or -minus)
                value_, ends = scale.part(at, abs(plus), -plus * minus or abs(minus), confidence)
                down, up = sorted(factor * (end - value_) for end in ends)
                contributions[:, plus, minus] = factor * value_, down * down, up * up
        selected = contributions[:, signs[:, place][:, None], signs[:, place][None, :]]
        value, lower, upper = value + selected[0], lower + selected[1], upper + selected[2]
    return value - np.sqrt(lower), value + np.sqrt(upper)


def _hole(squares: Mapping[Stratum, Square], names: Sequence[str], *, ratio: bool) -> str | None:
    """Why the change has no value, or None."""
    if empty := sorted({_named(at, names) for at, rows in squares.items() if not rows.sum()}):
        return f"no rows to count in {', '.join(empty)}"
    never = (
        {at for at, rows in squares.items() if not (rows[1].sum() and rows[:, 1].sum())} if ratio else set()
    )
    if never:
        strata = ", ".join(sorted(f"{_named(at, names)} ({at[0].replace('_', ' ')})" for at in never))
        return f"a rate is 0 in {strata}"
    return None


def _named(at: Stratum, names: Sequence[str]) -> str:
    among = {"true_positive_rate": ", favourable label", "false_positive_rate": ", unfavourable label"}
    return f"{names[at[1]]}{among.get(at[0], '')}"


def _predictive(
    table: paired.PairedTable, sampling: intervals.Sampling, support: Mapping[str, int]
) -> Measurement:
    if len(table.names) < 2:
        return undefined("there is no second group to compare with", support)
    favoured = [square.sum(axis=0) for square in table.rows]
    small = [
        name
        for name, rows in zip(table.names, favoured, strict=True)
        if min(rows[1].sum(), rows[:, 1].sum()) < resampling.FEWEST
    ]
    figure = paired_resampling.measure(table.rows, paired_resampling.predictive_parity, sampling, support)
    if small and figure.value is not None:
        lack = f"a bootstrap needs {resampling.FEWEST} rows that either model favours in {', '.join(small)}"
        return Measurement(value=figure.value, method="no interval", support=support, lack=lack)
    return figure
