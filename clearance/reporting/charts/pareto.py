"""The candidates by performance and fairness on tune rows: a chart for each fairness metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clearance import wording
from clearance.documents import metric_catalogue
from clearance.reporting.charts import drawing
from clearance.reporting.charts.chart_points import Candidate

_NEAR = 0.045
"""Points closer than this share of the drawing's width and height share a label."""


def draw(by_metric: Mapping[str, Sequence[Candidate]], utility: str) -> tuple[drawing.Chart, ...]:
    """A chart of each metric for which two candidates or more have both numbers.

    `utility` is the name of the metric that the candidates were chosen by.
    """
    return tuple(
        _chart(metric, candidates, utility) for metric, candidates in by_metric.items() if len(candidates) > 1
    )


def _chart(metric: str, candidates: Sequence[Candidate], utility: str) -> drawing.Chart:
    disparity, useful = metric_catalogue.title(metric), metric_catalogue.title(utility)
    front = sorted((it for it in candidates if it.front), key=lambda it: it.disparity)
    chosen = [it for it in candidates if it.chosen]
    others = [it for it in candidates if not it.chosen]
    labels = _labels(candidates)
    layers = [
        drawing.quiet_line(*_places(front)),
        drawing.dots(*_places(others), color=drawing.QUIET),
        drawing.dots(*_places(chosen), color=drawing.ACCENT, size=90),
        drawing.layer(
            {"type": "point", "color": drawing.ACCENT, "size": 260, "strokeWidth": 1.5, "opacity": 1},
            **dict(zip(("x", "y"), _places(chosen), strict=True)),
        ),
        drawing.layer(
            {"type": "text", "align": "left", "dx": 11, "dy": -9},
            x=[at.disparity for _, at in labels],
            y=[at.utility for _, at in labels],
            text=[text for text, _ in labels],
        ),
    ]
    x, y = drawing.axis(f"largest {disparity}"), drawing.axis(f"{useful} on tune rows")
    return drawing.Chart(
        title=f"{wording.sentence(useful, stop='')} against {disparity}",
        number=wording.counted(len(candidates), "candidate"),
        reading="Each number is a candidate, on tune rows: higher is more useful, further left is closer to "
        "parity. The ringed one was chosen. No other candidate beats those on the dashed line in both. This "
        "says nothing about test rows.",
        specification=drawing.specification(layers, x, y),
        columns=("Number", "Candidate", f"Largest {disparity}", wording.sentence(useful, stop=""), "Note"),
        rows=tuple(
            (it.place, it.label, it.disparity, it.utility, _note(it))
            for it in sorted(candidates, key=lambda it: it.place)
        ),
        points=len(candidates),
    )


def _note(candidate: Candidate) -> str:
    notes = {"chosen": candidate.chosen, "on the line": candidate.front}
    return ", ".join(note for note, holds in notes.items() if holds)


def _places(candidates: Sequence[Candidate]) -> tuple[list[float], list[float]]:
    return [it.disparity for it in candidates], [it.utility for it in candidates]


def _labels(candidates: Sequence[Candidate]) -> list[tuple[str, Candidate]]:
    """The numbers to write, and at which candidate: those that would overlap share a label."""
    width, height = (max(places) - min(places) for places in _places(candidates))
    together: list[list[Candidate]] = []
    for candidate in candidates:
        for group in together:
            across = abs(group[0].disparity - candidate.disparity)
            if across <= _NEAR * width and abs(group[0].utility - candidate.utility) <= _NEAR * height:
                group.append(candidate)
                break
        else:
            together.append([candidate])
    return [(", ".join(str(it.place) for it in group), group[0]) for group in together]
