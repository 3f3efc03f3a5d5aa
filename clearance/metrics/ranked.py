"""What groups' scores say beyond the decision: AUC and calibration by group, and who scores above the median.

Needs every row's score, not counts alone; nothing is binned except for calibration. Nothing here judges.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from clearance.documents.group_names import MISSING
from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import calibration, extremes, intervals, ranking

Codes = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranked:
    """Rows in ascending order of score: `order` sorts them; `label`, `scores` and `at` are sorted.

    `at` is the finest combination of groups that each row belongs to, `rows` counts those of each.
    """

    order: Codes
    label: npt.NDArray[np.int8]
    scores: Scores
    at: npt.NDArray[np.integer]
    rows: Codes


def rank(label: npt.NDArray[np.integer], scores: Scores, at: npt.NDArray[np.integer]) -> Ranked:
    """Sort n rows by score, once for all groupings."""
    order = np.argsort(scores)  # rows of equal score may come in any order: they are counted together
    small = at.astype(np.min_scalar_type(int(at.max(initial=0))))
    return Ranked(
        order=order,
        label=label.astype(np.int8)[order],
        scores=scores[order],
        at=small[order],
        rows=np.bincount(at),
    )


def above_median(ranked: Ranked) -> npt.NDArray[np.bool_]:
    """Whether each row's score, in the order they were given, lies above the exact median of all n."""
    is_above = np.zeros(len(ranked.order), dtype=np.bool_)
    if len(ranked.order):
        is_above[ranked.order] = ranked.scores > median(ranked)
    return is_above


def median(ranked: Ranked) -> float:
    """The exact median score: the middle one, or halfway between the two middle ones."""
    middle = len(ranked.scores) // 2
    if len(ranked.scores) % 2:
        return float(ranked.scores[middle])
    return float((ranked.scores[middle - 1] + ranked.scores[middle]) / 2)


def measure(
    ranked: Ranked,
    group: Codes,
    names: Mapping[int, str],
    sampling: intervals.Sampling,
    bins: int,
) -> dict[str, Measurement]:
    """`roc_auc_difference` and `calibration_error_highest` over the groups that `names` numbers.

    `group` is the number of the group that each finest combination belongs to; rows of `MISSING` are left
    out. Difference in [0, 1]: highest minus lowest AUC of a group, 0 means that scores rank within every
    group alike well. Highest calibration error in [0, 1]: of the group where scores mean least what they
    say, 0 means that they are calibrated within every group (G. Pleiss et al., NeurIPS 2017; the error is
    that of `calibration.error`). Both are undefined with a group without rows, AUC with one without either
    label.
    """
    small = group.astype(np.min_scalar_type(int(group.max(initial=0))))[ranked.at]
    group_sizes = np.zeros(1 + max(int(group.max(initial=0)), *names, 0), dtype=np.int64)
    np.add.at(group_sizes, group[: len(ranked.rows)], ranked.rows)
    ends = np.concatenate([[0], np.cumsum(group_sizes)])
    compared = {code: name for code, name in names.items() if name != MISSING}
    rows = {name: int(ends[code + 1] - ends[code]) if code >= 0 else 0 for code, name in compared.items()}
    if empty := sorted(name for name, count in rows.items() if count == 0):
        hole = undefined(f"no rows to count in {', '.join(empty)}", rows)
        return {"roc_auc_difference": hole, "calibration_error_highest": hole}
    by_group = np.argsort(small, kind="stable")
    label, scores = ranked.label[by_group], ranked.scores[by_group]
    by_name = {
        name: (label[ends[code] : ends[code + 1]], scores[ends[code] : ends[code + 1]])
        for code, name in compared.items()
    }
    return {
        "roc_auc_difference": _auc_difference(by_name, sampling.confidence),
        "calibration_error_highest": _calibration(by_name, rows, sampling, bins),
    }


def _auc_difference(
    by_name: Mapping[str, tuple[npt.NDArray[np.int8], Scores]], confidence: float
) -> Measurement:
    labels = {name: (int(label.sum()), int((1 - label).sum())) for name, (label, _) in by_name.items()}
    support = {f"{name}, favourable label": label_counts[0] for name, label_counts in labels.items()}
    support |= {f"{name}, unfavourable label": label_counts[1] for name, label_counts in labels.items()}
    if len(by_name) < 2:
        return undefined(f"a comparison needs two groups, there {_is(len(by_name))} {len(by_name)}", support)
    if empty := sorted(name for name, label_counts in labels.items() if 0 in label_counts):
        return undefined(f"only one label in {', '.join(empty)}", support)
    areas = {name: area(*rows) for name, rows in by_name.items()}
    values = {name: value for name, (value, _) in areas.items()}
    thin = [
        f"{name} has {min(labels[name])}" for name in sorted(labels) if min(labels[name]) < ranking.FEWEST
    ]
    flat = sorted(name for name, (value, error) in areas.items() if error == 0 and 0 < value < 1)
    if thin or flat:
        lack = (
            f"{ranking.FEWEST} rows of each label are needed: {', '.join(thin)}"
            if thin
            else f"all scores are the same in {', '.join(flat)}"
        )
        gap = max(values.values()) - min(values.values())
        return Measurement(value=gap, method="no interval", support=support, lack=lack)

    def bounds(name: str, level: float, times: int) -> intervals.Interval:
        (value, error), (favourable, other) = areas[name], labels[name]
        return ranking.wider_bounds(value, error / math.sqrt(times), favourable * times, other * times, level)

    figures = intervals.gaps(values, bounds)
    return intervals.largest_gap(figures, confidence, f"{ranking.METHOD}, MOVER", support)


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def area(label: npt.NDArray[np.int8], scores: Scores) -> tuple[float, float]:
    """The AUC of rows in ascending order of score, both labels among them, and DeLong's standard error.

    The AUC, in [0, 1], is the probability that a favourable row outscores an unfavourable one, ties half:
    0.5 is chance, 1 a perfect order. The error is NaN with a single row of a label. Source: E. R. DeLong
    et al., Biometrics 44 (1988) 837-845.
    """
    over, under = _placements(label, scores)
    most, rest = len(over), len(under)
    value = int(over.sum()) / (2 * most * rest)
    if min(most, rest) < 2:
        return value, math.nan
    return value, math.sqrt(
        _squared_error(over / (2 * rest), value) + _squared_error(under / (2 * most), 1 - value)
    )


def _placements(label: npt.NDArray[np.int8], scores: Scores) -> tuple[Codes, Codes]:
    """Twice the rows of the other label that each favourable and each other row outscores; ties count once.

    Whole numbers: unlike a dot product they come out alike on any number of threads, and need none.
    """
    rises = scores[1:] != scores[:-1]
    if rises.all():  # no ties: a row's place says it all
        won, lost = np.flatnonzero(label), np.flatnonzero(label == 0)
        won -= np.arange(len(won))
        lost -= np.arange(len(lost))
        return 2 * won, 2 * lost
    ends = np.append(np.flatnonzero(rises) + 1, len(scores))
    favourable = np.diff(np.cumsum(label, dtype=np.int64)[ends - 1], prepend=0)
    other = np.diff(ends, prepend=0) - favourable
    over, under = (2 * np.cumsum(counts_) - counts_ for counts_ in (other, favourable))
    return np.repeat(over, favourable), np.repeat(under, other)


def _squared_error(placed: Scores, mean: float) -> float:
    """The squared standard error of the mean; in place, for there are as many placements as rows."""
    placed -= mean
    np.square(placed, out=placed)
    return float(placed.sum()) / (len(placed) - 1) / len(placed)


def _calibration(
    by_name: Mapping[str, tuple[npt.NDArray[np.int8], Scores]],
    rows: Mapping[str, int],
    sampling: intervals.Sampling,
    bins: int,
) -> Measurement:
    if not by_name:
        return undefined("there are no rows of a known group", rows)
    figures = [_calibrated(_bins(label, scores, bins), sampling) for label, scores in by_name.values()]
    if sampling.lack:
        value = max(figure.value for figure in figures)
        return Measurement(value=value, method="no interval", support=rows, lack=sampling.lack)
    return extremes.largest(
        figures,
        sampling.confidence,
        method="binomial noise of the bins",
        of="groups",
        support=rows,
    )


def _calibrated(filled: list[calibration.Bin], sampling: intervals.Sampling) -> extremes.Figure:
    """The calibration error of one group.

    Its bounds at a confidence miss on both sides together with the error that is left. The upper one alone
    may miss with half of it, so no quantile of the noise is lower than that of (1 + confidence) / 2.
    """

    def interval(confidence: float) -> intervals.Interval:
        quantile = max(confidence, (1 + sampling.confidence) / 2)
        return calibration.bounds(filled, replace(sampling, confidence=quantile))

    value = calibration.error(filled)
    return extremes.Figure(value, extremes.shrinking(value, interval))


def _bins(label: npt.NDArray[np.int8], scores: Scores, bins: int) -> list[calibration.Bin]:
    """`calibration.table` of rows that are sorted already."""
    edges = np.searchsorted(scores, np.arange(1, bins) / bins, side="left")
    starts = np.concatenate([[0], edges, [len(scores)]])
    return [
        calibration.Bin(
            int(end - start), float(scores[start:end].mean()), int(np.count_nonzero(label[start:end]))
        )
        for start, end in pairwise(starts)
        if end > start
    ]
