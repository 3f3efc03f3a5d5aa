"""How well a model predicts, on test rows only: every metric with its interval, and three curves.

The same curves go out as figures for people and as points for `dvc plots`. Nothing here judges.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clearance import files, params, stage, wording
from clearance.data.tables import prepared, scored
from clearance.documents import measurement, metrics
from clearance.metrics import curves, figures, intervals, performance, sampled, sampling_design
from clearance.models import scoring

Labels = npt.NDArray[np.integer]
Scores = npt.NDArray[np.float64]


def draw(name: str, curve: curves.Curve, document: Mapping[str, Any]) -> Figure:
    """The figure of one curve, titled with the number it stands for."""
    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    axes = figure.add_subplot()
    _DRAWN[name](axes, curve, document["measurements"])
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.grid(color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure


def _draw_roc(axes: Axes, curve: curves.Curve, measured: Mapping[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color=figures.QUIET, linestyle="--", linewidth=1, label="chance")
    axes.plot(curve["false_positive_rate"], curve["true_positive_rate"], color=figures.LINE, linewidth=2)
    axes.set_title(f"ROC AUC {wording.measurement(measured['roc_auc'])}", wrap=True)
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.legend(loc="lower right", frameon=False)


def _draw_precision_recall(axes: Axes, curve: curves.Curve, measured: Mapping[str, Any]) -> None:
    support = measured["average_precision"]["support"]
    if curve["recall"] and (total := sum(support.values())):
        share = support["favourable label"] / total
        axes.axhline(share, color=figures.QUIET, linestyle="--", linewidth=1, label="chance")
        axes.legend(loc="lower left", frameon=False)
    axes.step(curve["recall"], curve["precision"], where="pre", color=figures.LINE, linewidth=2)
    axes.set_title(f"Average precision {wording.measurement(measured['average_precision'])}", wrap=True)
    axes.set(xlabel="recall", ylabel="precision")


def _draw_calibration(axes: Axes, curve: curves.Curve, measured: Mapping[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color=figures.QUIET, linestyle="--", linewidth=1, label="calibrated")
    axes.vlines(curve["mean_score"], curve["low"], curve["high"], color=figures.LINE, linewidth=1.2)
    axes.plot(curve["mean_score"], curve["favourable_rate"], color=figures.LINE, marker="o", markersize=5)
    axes.set_title(f"Calibration error {wording.measurement(measured['calibration_error'])}", wrap=True)
    axes.set(xlabel="mean score", ylabel="share of favourable labels")
    axes.legend(loc="upper left", frameon=False)


_FIGURE = {"roc": "roc_auc", "precision_recall": "average_precision", "calibration": "calibration_error"}
_DRAWN = {
    "roc": _draw_roc,
    "precision_recall": _draw_precision_recall,
    "calibration": _draw_calibration,
}


def curves_to_draw(drawn: Mapping[str, curves.Curve], document: Mapping[str, Any]) -> dict[str, curves.Curve]:
    """The curves, without points where the number that a curve stands for is undefined."""
    return {
        name: curve
        if document["measurements"][_FIGURE[name]]["value"] is not None
        else {column: [] for column in curve}
        for name, curve in drawn.items()
    }


def write_figures(folder: Path, drawn: Mapping[str, curves.Curve], document: Mapping[str, Any]) -> None:
    """Write each curve as `<name>.svg` and its points as `<name>.json`, byte-stable."""
    for name, curve in drawn.items():
        points = [dict(zip(curve, point, strict=True)) for point in zip(*curve.values(), strict=True)]
        files.write_json(folder / f"{name}.json", points)
        with figures.style(salt=name):
            draw(name, curve, document).savefig(
                folder / f"{name}.svg", format="svg", metadata=figures.METADATA["svg"]
            )


def evaluate(  # noqa: PLR0917 - what a model is measured by
    label: Labels,
    scores: Scores,
    threshold: float,
    choices: params.Evaluate,
    seed: int,
    drawn: sampling_design.Design = sampling_design.INDEPENDENT,
) -> dict[str, Any]:
    """The performance document of these rows; see `performance.measure`, and `sampled.measure`."""
    sampling = intervals.Sampling(confidence=choices.confidence, resamples=choices.resamples, seed=seed)
    measured = (
        performance.measure(label, scores, threshold, choices.bins, sampling)
        if drawn.independent
        else sampled.measure(label, scores, threshold, drawn, choices.confidence)
    )
    return measurement.measured(
        measured,
        rows=len(label),
        sampling=drawn.describe(),
        threshold=threshold,
        confusion=performance.confusion(label, scoring.decide(scores, threshold)),
    )


def main() -> None:
    """Read the test rows and their scores; write `reports/performance.json` and its figures."""
    settings = params.load(Path("params.yaml"))
    report, drawings = Path("reports/performance.json"), Path("reports/figures/evaluate")
    training = files.read_json(Path("reports/training.json"))
    if training["status"] != "measured":
        refusal = measurement.blocked(training["because"])
        files.write_json(report, refusal)
        with files.replacing_folder(drawings) as folder:
            files.write_json(folder / "blocked.json", refusal)
        return
    test = prepared.read_outcomes(Path(), "test")
    scores = scored.read(Path(), test.rows, training["model"]["sha256"])
    drawn = sampling_design.declared(settings.data, test)
    document = evaluate(test.label, scores, training["threshold"], settings.evaluate, settings.seed, drawn)
    files.write_json(report, document | {"model_sha256": training["model"]["sha256"]})
    with files.replacing_folder(drawings) as folder:
        choices = settings.evaluate
        points = curves.points(test.label, scores, choices.bins, choices.confidence, test.weight)
        write_figures(folder, curves_to_draw(points, document), document)
    for name, taken in document["measurements"].items():
        logging.getLogger(__name__).info("%s: %s", metrics.title(name), wording.measurement(taken))


if __name__ == "__main__":
    stage.run(main)
