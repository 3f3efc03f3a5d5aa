"""Counts by bin as one outline, which a page stretches to the width it has: no text, so none is squeezed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 200.0, 20.0
"""The size of the drawing, in its own units."""


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """The outline of the bars as an SVG path, over `total` rows."""

    path: str
    total: int


def draw(counts: Sequence[int], edges: Sequence[float] = ()) -> Histogram:
    """The bars of these counts, the highest as high as the drawing.

    With `edges`, one more than counts, a bar is as wide as its bin and its area is the count; else all bars
    are equally wide.
    """
    total = sum(counts)
    places = list(edges) or [float(place) for place in range(len(counts) + 1)]
    widths = [after - before for before, after in itertools.pairwise(places)]
    heights = [count / width if width > 0 else 0.0 for count, width in zip(counts, widths, strict=True)]
    highest, extent = max(heights, default=0.0), places[-1] - places[0]
    if highest <= 0 or extent <= 0:
        return Histogram(path="", total=total)
    parts = [f"M0 {HEIGHT:g}"]
    for place, height in zip(places[1:], heights, strict=True):
        up = HEIGHT * (1 - height / highest)
        parts.append(f"V{up:.1f}H{WIDTH * (place - places[0]) / extent:.1f}")
    return Histogram(path="".join([*parts, f"V{HEIGHT:g}Z"]), total=total)
