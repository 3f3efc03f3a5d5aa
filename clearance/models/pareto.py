"""Utility against disparity of all candidates, on tune rows: a figure, and its points.

A candidate is on the front when no other is at least as useful and has at most its disparity, and is better
in one of the two. The figure says nothing about test rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clearance import files

METRICS = ("demographic_parity_difference", "equalized_odds_difference")
"""One panel each: the largest over the attributes."""

_NEAR = 0.045
"""Points closer than this share of the figure's width and height share a label."""

Point = dict[str, Any]


def points(candidates: Sequence[Mapping[str, Any]], metric: str) -> list[Point]:
    """Each fitted candidate with its utility and largest disparity, and whether it is on the front.

    A candidate is left out where its utility is undefined, or the metric for any attribute.
    """
    points: list[Point] = []
    for index, candidate in enumerate(candidates):
        values = list((candidate.get("disparity") or {}).get(metric, {}).values())
        if candidate.get("utility") is None or not values or None in values:
            continue
        points.append(
            {
                "place": index + 1,
                "label": f"{candidate['estimator'].rpartition('.')[2]}, {candidate['mitigation']}",
                "utility": candidate["utility"],
                "disparity": max(values),
                "chosen": candidate["chosen"],
            }
        )
    return [point | {"front": not any(_beats(other, point) for other in points)} for point in points]


def _beats(other: Point, point: Point) -> bool:
    own, others = _axes_of(point), _axes_of(other)
    return others != own and all(a >= b for a, b in zip(others, own, strict=True))


def _axes_of(point: Point) -> tuple[float, float]:
    """Utility and evenness: the larger the better."""
    return point["utility"], -point["disparity"]


def write(folder: Path, candidates: Sequence[Mapping[str, Any]]) -> None:
    """Write `pareto.json`, and `pareto.svg` with a panel for each metric that has two points or more."""
    by_metric = {metric: points(candidates, metric) for metric in METRICS}
    files.write_json(folder / "pareto.json", by_metric)
    if panels := {metric: spots for metric, spots in by_metric.items() if len(spots) > 1}:
        _draw(folder / "pareto.svg", panels)


def _labels(spots: Sequence[Point]) -> list[tuple[str, tuple[float, float]]]:
    """The numbers to write, and where: points that would overlap share a label."""
    wide, high = (
        max(point[axis] for point in spots) - min(point[axis] for point in spots)
        for axis in ("disparity", "utility")
    )
    together: list[list[Point]] = []
    for spot in spots:
        for group in together:
            across, up = (abs(group[0][axis] - spot[axis]) for axis in ("disparity", "utility"))
            if across <= _NEAR * wide and up <= _NEAR * high:
                group.append(spot)
                break
        else:
            together.append([spot])
    return [
        (
            ", ".join(f"{point['place']}{' chosen' if point['chosen'] else ''}" for point in group),
            (group[0]["disparity"], group[0]["utility"]),
        )
        for group in together
    ]


def _draw(path: Path, panels: Mapping[str, list[Point]]) -> None:
    from matplotlib.figure import Figure

    from clearance.metrics import figures

    with figures.style("pareto"):
        figure = Figure(figsize=(9.6, 5.2), layout="constrained")
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (metric, spots) in zip(grid, panels.items(), strict=True):
            front = sorted((point for point in spots if point["front"]), key=lambda point: point["disparity"])
            axes.plot(
                [point["disparity"] for point in front],
                [point["utility"] for point in front],
                color=figures.QUIET,
                linestyle="--",
                linewidth=1,
                label="Pareto front",
            )
            for point in spots:
                colour = figures.LINE if point["chosen"] else figures.INK
                axes.scatter(
                    point["disparity"], point["utility"], color=colour, s=60 if point["chosen"] else 24
                )
                if point["chosen"]:
                    ring = {"facecolors": "none", "edgecolors": figures.LINE, "linewidths": 1.5}
                    axes.scatter(point["disparity"], point["utility"], s=220, **ring)
            for text, at in _labels(spots):
                axes.annotate(text, at, (8, 6), textcoords="offset points")
            axes.set(xlabel=f"largest {metric.replace('_', ' ')}", ylabel="utility on tune rows")
            axes.grid(color="#e4e7eb", linewidth=0.8)
            axes.set_axisbelow(True)
        legend = {point["place"]: point for spots in panels.values() for point in spots}
        figure.supxlabel(
            "\n".join(
                f"{place}  {legend[place]['label']}{' (chosen)' if legend[place]['chosen'] else ''}"
                for place in sorted(legend)
            ),
            fontsize=8,
            x=0.02,
            ha="left",
        )
        figure.savefig(path, metadata=figures.METADATA["svg"])
