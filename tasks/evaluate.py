"""Stage: how well a model predicts, on test rows only: every metric with its interval, and three curves.

The curves go out as points, which the report and `dvc plots` draw. Nothing here judges.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clearance import files, params, paths, stage, wording
from clearance.data.tables import prepared, scored
from clearance.documents import attempt_level, metric_catalogue
from clearance.documents.evidence_document import unless_blocked
from clearance.documents.measurement import Measurement
from clearance.documents.performance_document import PerformanceDocument
from clearance.documents.training_document import TrainingDocument
from clearance.metrics import (
    curves,
    intervals,
    performance,
    sampled,
    sampling_design,
    without_scores,
)
from clearance.models import scoring
from clearance.policy import attempt_levels

Labels = npt.NDArray[np.integer]
Scores = npt.NDArray[np.float64]
Metrics = Mapping[str, Measurement]

logger = logging.getLogger(__name__)


_FIGURE = {"roc": "roc_auc", "precision_recall": "average_precision", "calibration": "calibration_error"}


def curves_to_draw(points: Mapping[str, curves.Curve], metrics: Metrics) -> dict[str, curves.Curve]:
    """The curves, without points where the number that a curve stands for is undefined."""
    return {
        name: curve if metrics[_FIGURE[name]].value is not None else {column: [] for column in curve}
        for name, curve in points.items()
    }


def _in_words(measurement: Measurement) -> str:
    return wording.measurement(measurement.to_json())


def write_points(folder: Path, curve_by_name: Mapping[str, curves.Curve]) -> None:
    """Write the points of each curve as `<name>.json`, byte-stable."""
    for name, curve in curve_by_name.items():
        points = [dict(zip(curve, point, strict=True)) for point in zip(*curve.values(), strict=True)]
        files.write_json(folder / f"{name}.json", points)


def evaluate(
    *,
    label: Labels,
    scores: Scores,
    threshold: float,
    model_sha256: str,
    options: params.Evaluate,
    seed: int,
    design: sampling_design.Design = sampling_design.INDEPENDENT,
    shares: Sequence[float] = (),
    decisions_alone: bool = False,
) -> PerformanceDocument:
    """The performance document of these rows; see `performance.measure`, and `sampled.measure`.

    Everything is measured again for each of the `shares` of the level that an attempt may use. With
    `decisions_alone` the scores are decisions, and no metric of scores is measured.
    """

    def measure_at(confidence: float) -> dict[str, Measurement]:
        figures = measure_all_at(confidence)
        return without_scores.measured("performance", figures) if decisions_alone else figures

    def measure_all_at(confidence: float) -> dict[str, Measurement]:
        if not design.independent:
            return sampled.measure(label, scores, threshold, design, confidence)
        sampling = intervals.Sampling(confidence=confidence, resamples=options.resamples, seed=seed)
        return performance.measure(label, scores, threshold, options.bins, sampling)

    levels = tuple(
        attempt_level.level(share, at.confidence, measure_at(at.confidence))
        for share, at in attempt_levels.options(options, shares).items()
    )
    return PerformanceDocument.create(
        measurements=measure_at(options.confidence),
        levels=levels or None,
        rows=len(label),
        sampling=design.describe(),
        threshold=threshold,
        confusion=performance.confusion(label, scoring.decide(scores, threshold)),
        model_sha256=model_sha256,
    )


def main() -> None:
    """Read the test rows and their scores; write `reports/performance.json` and the points of its curves."""
    settings = params.load(paths.PARAMS)
    training = unless_blocked(TrainingDocument.read(Path()), paths.PERFORMANCE, paths.EVALUATE_FIGURES)
    if training is None:
        return
    test = prepared.read_outcomes(Path(), "test")
    options = settings.evaluate
    scores = scored.read(Path(), test.rows, training.model.sha256)
    evaluated = evaluate(
        label=test.label,
        scores=scores,
        threshold=training.threshold,
        model_sha256=training.model.sha256,
        options=options,
        seed=settings.seed,
        design=sampling_design.declared(settings.data, test),
        shares=attempt_levels.spent(settings.policy),
        decisions_alone=training.gives_decisions_alone,
    )
    evaluated.write(Path())
    points = curves.points(test.label, scores, options.bins, options.confidence, test.weight)
    distribution = {} if training.gives_decisions_alone else curves.score_distribution(scores, test.protected)
    with files.replacing_folder(paths.EVALUATE_FIGURES) as folder:
        write_points(folder, curves_to_draw(points, evaluated.measurements))
        files.write_json(folder / "score_distribution.json", distribution)
    for name, measurement in evaluated.measurements.items():
        logger.info("%s: %s", metric_catalogue.title(name), _in_words(measurement))


if __name__ == "__main__":
    stage.run(main)
