"""Two models' decisions on the very same rows as one small table, and what the change does to quality.

Champion and candidate are never compared as if they stood on different rows: where they decide alike they do
not differ, however uncertain either is. Rows are taken as independent. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import intervals, paired_intervals, paired_resampling
from clearance.metrics.paired_intervals import Square

Labels = npt.NDArray[np.integer]
Decisions = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]

TANGO = "Tango's score"


@dataclass(frozen=True, kw_only=True, eq=False)
class PairedTable:
    """Rows (groups, 2, 2, 2) of each named group by label, champion's decision and candidate's decision."""

    names: tuple[str, ...]
    rows: Codes

    def over(self, rate: str, group: int | None = None) -> Square:
        """What the champion and the candidate say, no or yes, of the rows that `rate` is taken over.

        `group` None: of all rows. Raises KeyError on a rate whose rows depend on the model.
        """
        label, decided = (self.rows.sum(axis=0) if group is None else self.rows[group]), _OVER[rate]
        return np.asarray(sum(label[at][::step, ::step] for at, step in decided), dtype=np.int64)


_OVER: Mapping[str, tuple[tuple[int, int], ...]] = {
    "selection_rate": ((0, 1), (1, 1)),
    "true_positive_rate": ((1, 1),),
    "false_positive_rate": ((0, 1),),
    "accuracy": ((0, -1), (1, 1)),
}
"""Labels whose rows count, each with 1 where a favourable decision is the yes, -1 where it is the no."""

BY_GROUP = tuple(_OVER)
"""Rates that are given for each group."""


def count(
    names: tuple[str, ...], group: Codes, label: Labels, champion: Decisions, candidate: Decisions
) -> PairedTable:
    """Count n rows; `group` (n,) numbers the group of each among `names`."""
    at = ((group * 2 + label.astype(np.int64)) * 2 + champion) * 2 + candidate
    return PairedTable(names=names, rows=np.bincount(at, minlength=8 * len(names)).reshape(-1, 2, 2, 2))


def measure(table: PairedTable, sampling: intervals.Sampling) -> dict[str, Measurement]:
    """The candidate's figure minus the champion's of all rows, by metric; in [-1, 1], 0 means no change.

    `accuracy`, `balanced_accuracy`, `f1`, `selection_rate`, `true_positive_rate`, `false_positive_rate`.
    Undefined where a figure has no rows to stand on.
    """
    rates = {name: change(table.over(name), sampling.confidence) for name in BY_GROUP}
    return rates | {
        "balanced_accuracy": _balanced(table, sampling.confidence),
        "f1": _f1(table, sampling),
    }


def by_group(table: PairedTable, confidence: float) -> dict[str, dict[str, Measurement]]:
    """The change of each group's rates, each bounded for itself alone."""
    return {
        group: {name: change(table.over(name, at), confidence) for name in BY_GROUP}
        for at, group in enumerate(table.names)
    }


def change(rows: Square, confidence: float) -> Measurement:
    """The candidate's rate minus the champion's."""
    support = {"rows": int(rows.sum()), "decided differently": int(rows[0, 1] + rows[1, 0])}
    if not support["rows"]:
        return undefined("there are no rows to take it over", support)
    return bounded(paired_intervals.difference(rows, confidence), confidence, TANGO, support)


def bounded(
    part: paired_intervals.Part, confidence: float, method: str, support: Mapping[str, int]
) -> Measurement:
    """A value and its bounds as a measurement."""
    value, (low, high) = part
    return Measurement(value=value, low=low, high=high, confidence=confidence, method=method, support=support)


def _balanced(table: PairedTable, confidence: float) -> Measurement:
    """The mean of the changes of the true positive and the true negative rate, which share no rows."""
    of_label = [table.over(name) for name in ("true_positive_rate", "false_positive_rate")]
    support = {"favourable label": int(of_label[0].sum()), "unfavourable label": int(of_label[1].sum())}
    if 0 in support.values():
        return undefined("only one label among the rows", support)
    true, false = (paired_intervals.difference(rows, confidence) for rows in of_label)
    part = paired_intervals.add([(0.5, true), (-0.5, false)])
    return bounded(part, confidence, f"MOVER on {TANGO}", support)


def _f1(table: PairedTable, sampling: intervals.Sampling) -> Measurement:
    totals = table.rows.sum(axis=0)
    support = {"favourable label": int(totals[1].sum()), "unfavourable label": int(totals[0].sum())}
    if not support["favourable label"]:
        return undefined("no row has the favourable label", support)
    return paired_resampling.measure(totals[None], paired_resampling.f1, sampling, support)
