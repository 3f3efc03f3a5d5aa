"""Performance of live decisions whose labels are in: alone, and less that of the evidence. From counts.

The ranking is that of the cells of the score: exact for cells, a little lower than that of the scores. Labels
that only favourable decisions ever get (a loan that was refused is never repaid) say nothing about the rest,
so only what is read among favourable decisions is then evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clearance.documents.baseline_document import BaselineDocument, FeatureReference
from clearance.metrics import intervals, ranking, significance
from clearance.monitoring.counting import score_table
from clearance.monitoring.counting.score_table import ScoreTable
from clearance.monitoring.counting.window_counts import WindowCounts
from clearance.monitoring.figures import calibration_noise, contrasts, estimates, label_coverage
from clearance.monitoring.figures.contrasts import Term
from clearance.monitoring.figures.estimates import Estimate, Figure, Interval, Undefined

AMONG_FAVOURABLE = frozenset({"performance.calibration_error", "performance.precision"})
"""The figures that favourable decisions alone can say."""


def measure(metric: str, window: WindowCounts, baseline: BaselineDocument, label_share: float) -> Figure:
    """The `performance` metric of that name in the window.

    Not evaluated until labels of `label_share` of its decisions are in, and where labels are selective.
    """
    if baseline.score is None:
        return Undefined(undefined="the version has no scores", rows=0, evaluated=False)
    coverage = label_coverage.coverage(window)
    if alone := coverage.selective and metric in AMONG_FAVOURABLE:
        coverage = coverage.among_favourable
    if hole := coverage.hole(label_share):
        return Undefined(undefined=hole, rows=sum(coverage.labelled), evaluated=False)
    table = score_table.of_labelled(baseline.score.bins, window.labelled)
    if alone:
        table = table.favourable
    evidence = score_table.of_cells(baseline.score.bins, baseline.cells)
    return _METRICS[metric](
        Labelled(table, evidence, baseline.score, estimates.assuming(coverage.assumption))
    )


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labelled decisions, the test rows of the evidence, its scores, and what the figures rest on."""

    table: ScoreTable
    evidence: ScoreTable
    score: FeatureReference
    assumption: str


def _accuracy(labelled: Labelled) -> Figure:
    """Decisions as the label, of all; in [0, 1]."""
    return _share(
        labelled.table.cell(0, 0) + labelled.table.cell(1, 1), labelled.table.rows, labelled.assumption
    )


def _precision(labelled: Labelled) -> Figure:
    """Favourable labels among favourable decisions; in [0, 1]."""
    if not labelled.table.by_decision[1]:
        return Undefined(undefined="no favourable decision has a label", rows=0)
    return _share(labelled.table.cell(1, 1), labelled.table.by_decision[1], labelled.assumption)


def _share(hits: int, rows: int, assumption: str) -> Estimate:
    terms = [Term(hits, rows)]
    return Estimate(
        value=hits / rows,
        rows=rows,
        bounds=lambda confidence: significance.clopper_pearson(hits, rows, confidence),
        above=lambda limit: contrasts.p_above(terms, limit),
        below=lambda limit: contrasts.p_below(terms, limit),
        assumption=assumption,
    )


def _balanced_accuracy(labelled: Labelled) -> Figure:
    """The mean of the true positive and the true negative rate; in [0, 1], 0.5 is chance."""
    terms = [
        Term(
            labelled.table.cell(label, label),
            labelled.table.cell(0, label) + labelled.table.cell(1, label),
            0.5,
        )
        for label in (0, 1)
    ]
    if hole := _one_label(labelled.table):
        return hole

    def bounds(confidence: float) -> Interval:
        ends = [intervals.wilson(term.successes, term.rows, confidence) for term in terms]
        first, second = ((0.5 * low, 0.5 * high) for low, high in ends)
        shares = [term.weight * term.successes / term.rows for term in terms]
        return intervals.mover(shares[0], first, -shares[1], (-second[1], -second[0]))

    return Estimate(
        value=contrasts.value(terms),
        rows=labelled.table.rows,
        bounds=bounds,
        above=lambda limit: contrasts.p_above(terms, limit),
        below=lambda limit: contrasts.p_below(terms, limit),
        assumption=labelled.assumption,
    )


def _roc_auc(labelled: Labelled) -> Figure:
    """The probability that a favourable label has the higher cell of the score, ties half; in [0, 1]."""
    if hole := _one_label(labelled.table):
        return hole
    area = score_table.area(*labelled.table.ranked.T)
    return Estimate(
        value=area.value, rows=labelled.table.rows, bounds=area.bounds, assumption=labelled.assumption
    )


def _roc_auc_loss(labelled: Labelled) -> Figure:
    """The ROC AUC of the evidence, over the same cells, less that of the window; in [-1, 1].

    Its bounds hold the uncertainty of both: they share no row (MOVER).
    """
    if hole := _one_label(labelled.table) or _one_label(labelled.evidence, "the evidence"):
        return hole
    before, now = (score_table.area(*rows.ranked.T) for rows in (labelled.evidence, labelled.table))

    def bounds(confidence: float) -> Interval:
        return intervals.mover(before.value, before.bounds(confidence), now.value, now.bounds(confidence))

    variance = now.error**2 + before.error**2
    return Estimate(
        value=before.value - now.value,
        rows=labelled.table.rows,
        reference_rows=labelled.evidence.rows,
        bounds=bounds,
        assumption=labelled.assumption,
        live_part=now.error**2 / variance if now.error else 1.0,
    )


def _calibration_error(labelled: Labelled) -> Figure:
    """The mean distance of the predicted and the observed rate over cells, less what chance gives; in [0, 1].

    The predicted rate of a cell is the mean score that its rows have in the evidence.
    """
    by_cell = labelled.table.counts[:-2].sum(axis=1)
    rows, favourable = by_cell.sum(axis=1), by_cell[:, 1]
    seen = rows > 0
    if not seen.any():
        return Undefined(undefined="no labelled decision has a score", rows=0)
    predicted = score_table.mean_scores(labelled.score)
    error = calibration_noise.CalibrationError(rows[seen], favourable[seen], predicted[seen])
    means = "scores of a cell have the mean that they have in the evidence"
    return Estimate(
        value=error.value,
        plain=error.plain,
        rows=int(rows.sum()),
        bounds=error.bounds,
        above=error.p_above,
        assumption=f"{means}; {labelled.assumption}",
    )


def _one_label(table: ScoreTable, of: str = "the window") -> Undefined | None:
    other, favourable = table.ranked.sum(axis=0).tolist()
    if min(other, favourable) >= ranking.FEWEST:
        return None
    reason = (
        f"{of} has {favourable:,} favourable and {other:,} unfavourable labels; "
        f"{ranking.FEWEST} of each are needed"
    )
    return Undefined(undefined=reason, rows=table.rows)


_METRICS: Mapping[str, Callable[[Labelled], Figure]] = {
    "performance.roc_auc": _roc_auc,
    "performance.accuracy": _accuracy,
    "performance.balanced_accuracy": _balanced_accuracy,
    "performance.precision": _precision,
    "performance.roc_auc_loss": _roc_auc_loss,
    "performance.calibration_error": _calibration_error,
}
