"""Utility against disparity of all candidates, on tune rows: a picture, and the points it was drawn from.

A candidate is on the front when none other is at least as useful and at least as even, and better in one of
both. The picture says nothing about test rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clearance import files

METRICS = {
    "demographic_parity_difference": "demographic parity difference",
    "equalized_odds_difference": "equalized odds difference",
}
"""One panel each: the largest over the attributes."""

_NEAR = 0.045
"""Spots nearer than this share of the picture's width and height share a label."""

Point = dict[str, Any]


def points(candidates: Sequence[Mapping[str, Any]], metric: str) -> list[Point]:
    """Each fitted candidate with its utility and largest disparity, and whether it is on the front.

    A candidate is left out where its utility is undefined, or the metric for any attribute.
    """
    found: list[Point] = []
    for place, each in enumerate(candidates):
        values = list((each.get("disparity") or {}).get(metric, {}).values())
        if each.get("utility") is None or not values or None in values:
            continue
        found.append(
            {
                "place": place + 1,
                "label": f"{each['estimator'].rpartition('.')[2]}, {each['mitigation']}",
                "utility": each["utility"],
                "disparity": max(values),
                "chosen": each["chosen"],
            }
        )
    return [point | {"front": not any(_beats(other, point) for other in found)} for point in found]


def _beats(other: Point, point: Point) -> bool:
    ours, theirs = ((each["utility"], -each["disparity"]) for each in (point, other))
    return theirs != ours and all(a >= b for a, b in zip(theirs, ours, strict=True))


def write(folder: Path, candidates: Sequence[Mapping[str, Any]]) -> None:
    """Write `pareto.json`, and `pareto.svg` with a panel for each metric that has two points or more."""
    found = {metric: points(candidates, metric) for metric in METRICS}
    files.write_json(folder / "pareto.json", found)
    if drawn := {metric: spots for metric, spots in found.items() if len(spots) > 1}:
        _draw(folder / "pareto.svg", drawn)


def _labels(spots: Sequence[Point]) -> list[tuple[str, tuple[float, float]]]:
    """The numbers to write, and where: spots that would print onto each other share a label."""
    wide, high = (
        max(each[axis] for each in spots) - min(each[axis] for each in spots)
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
            ", ".join(f"{each['place']}{' chosen' if each['chosen'] else ''}" for each in group),
            (group[0]["disparity"], group[0]["utility"]),
        )
        for group in together
    ]


def _draw(path: Path, found: Mapping[str, list[Point]]) -> None:
    from matplotlib.figure import Figure

    from clearance.metrics import figures

    with figures.style("pareto"):
        figure = Figure(figsize=(9.6, 5.2), layout="constrained")
        panels = figure.subplots(1, len(found), squeeze=False)[0]
        for axes, (metric, spots) in zip(panels, found.items(), strict=True):
            front = sorted((each for each in spots if each["front"]), key=lambda each: each["disparity"])
            axes.plot(
                [each["disparity"] for each in front],
                [each["utility"] for each in front],
                color=figures.QUIET,
                linestyle="--",
                linewidth=1,
                label="Pareto front",
            )
            for each in spots:
                colour = figures.LINE if each["chosen"] else figures.INK
                axes.scatter(each["disparity"], each["utility"], color=colour, s=60 if each["chosen"] else 24)
                if each["chosen"]:
                    ring = {"facecolors": "none", "edgecolors": figures.LINE, "linewidths": 1.5}
                    axes.scatter(each["disparity"], each["utility"], s=220, **ring)
            for text, at in _labels(spots):
                axes.annotate(text, at, (8, 6), textcoords="offset points")
            axes.set(xlabel=f"largest {METRICS[metric]}", ylabel="utility on tune rows")
            axes.grid(color="#e4e7eb", linewidth=0.8)
            axes.set_axisbelow(True)
        legend = {each["place"]: each for spots in found.values() for each in spots}
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
