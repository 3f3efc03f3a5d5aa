"""The ROC, precision-recall and calibration curves as charts, from the points that `evaluate` wrote."""

from __future__ import annotations

from collections.abc import Sequence

from clearance import wording
from clearance.documents import metric_catalogue
from clearance.documents.performance_document import PerformanceDocument
from clearance.reporting.charts import chart_points, drawing

ROWS = 21
"""The rows of a curve's table at most: evenly spaced by rank, the first and the last among them."""


def draw(points: chart_points.ChartPoints, performance: PerformanceDocument) -> tuple[drawing.Chart, ...]:
    """A chart of each curve that has two points or more; none for a model that gives no scores."""
    charts = (
        _calibration(points.calibration, performance),
        _roc(points.roc, performance),
        _precision_recall(points.precision_recall, performance),
    )
    return tuple(chart for chart in charts if chart.points > 1)


def _calibration(
    bins: Sequence[chart_points.CalibrationBin], performance: PerformanceDocument
) -> drawing.Chart:
    score, rate = [it.mean_score for it in bins], [it.favourable_rate for it in bins]
    low, high = [it.low for it in bins], [it.high for it in bins]
    layers = [
        drawing.quiet_line([0, 1], [0, 1]),
        drawing.layer({"type": "rule", "color": drawing.ACCENT, "strokeWidth": 1.2}, x=score, y=low, y2=high),
        drawing.line(score, rate),
        drawing.dots(score, rate),
    ]
    x, y = drawing.share_axis("mean score"), drawing.share_axis("share of favourable labels")
    return drawing.Chart(
        title="Calibration",
        number=_number(performance, "calibration_error"),
        reading="The mean score of each bin against its share of favourable labels, with the interval. On "
        "the dashed line, a score equals the observed share.",
        specification=drawing.specification(layers, x, y),
        columns=("Mean score", "Share of favourable labels", "From", "To", "Rows"),
        rows=tuple(zip(score, rate, low, high, (it.rows for it in bins), strict=True)),
        points=len(bins),
    )


def _roc(points: Sequence[chart_points.RocPoint], performance: PerformanceDocument) -> drawing.Chart:
    false, true = [it.false_positive_rate for it in points], [it.true_positive_rate for it in points]
    cells = performance.confusion
    decision = _decision(
        (cells.false_positive, cells.false_positive + cells.true_negative),
        (cells.true_positive, cells.true_positive + cells.false_negative),
    )
    layers = [drawing.quiet_line([0, 1], [0, 1]), drawing.line(false, true), decision]
    x, y = drawing.share_axis("false positive rate"), drawing.share_axis("true positive rate")
    return drawing.Chart(
        title="ROC curve",
        number=_number(performance, "roc_auc"),
        reading="The true positive rate against the false positive rate at every threshold. The further "
        "above the dashed line, the better. The dot is the decision threshold.",
        specification=drawing.specification(layers, x, y),
        columns=("False positive rate", "True positive rate"),
        rows=_thinned(false, true),
        points=len(points),
    )


def _precision_recall(
    points: Sequence[chart_points.PrecisionRecallPoint], performance: PerformanceDocument
) -> drawing.Chart:
    recall, precision = [it.recall for it in points], [it.precision for it in points]
    cells = performance.confusion
    favourable = cells.true_positive + cells.false_negative
    share = favourable / (performance.rows or 1)
    decision = _decision(
        (cells.true_positive, favourable), (cells.true_positive, cells.true_positive + cells.false_positive)
    )
    layers = [
        drawing.quiet_line([0, 1], [share, share]),
        drawing.line(recall, precision, interpolate="step-before"),
        decision,
    ]
    x, y = drawing.share_axis("recall"), drawing.share_axis("precision")
    return drawing.Chart(
        title="Precision and recall",
        number=_number(performance, "average_precision"),
        reading="Precision against recall at every threshold. The dashed line is the share of favourable "
        "labels, which chance reaches. The dot is the decision threshold.",
        specification=drawing.specification(layers, x, y),
        columns=("Recall", "Precision"),
        rows=_thinned(recall, precision),
        points=len(points),
    )


def _decision(x: tuple[int, int], y: tuple[int, int]) -> drawing.Layer:
    """The dot of the decision threshold, at two shares as (part, whole); none where one is over no rows."""
    defined = x[1] > 0 and y[1] > 0
    place = ([x[0] / x[1]], [y[0] / y[1]]) if defined else ([], [])
    return drawing.dots(*place, color=drawing.INK, size=110, stroke=drawing.GROUND, strokeWidth=2)


def _thinned(x: Sequence[float], y: Sequence[float]) -> tuple[tuple[float, float], ...]:
    last = len(x) - 1
    places = sorted({round(last * step / (ROWS - 1)) for step in range(ROWS)}) if x else []
    return tuple((x[place], y[place]) for place in places)


def _number(performance: PerformanceDocument, name: str) -> str:
    measurement = performance.measurements.get(name)
    number = "not measured" if measurement is None else wording.measurement(measurement.to_json())
    return f"{metric_catalogue.title(name)} {number}"
