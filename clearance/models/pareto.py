"""Utility against disparity of all candidates, on tune rows: the points of a chart.

A candidate is on the front when no other is at least as useful and has at most its disparity, and is better
in one of the two. The points say nothing about test rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clearance import files

METRICS = ("demographic_parity_difference", "equalized_odds_difference")
"""One chart each: the largest over the attributes."""

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
    """Write `pareto.json`: the points by metric."""
    files.write_json(folder / "pareto.json", {metric: points(candidates, metric) for metric in METRICS})
