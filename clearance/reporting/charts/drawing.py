"""A chart as SVG text for a page: drawn by Vega-Lite, coloured by the page, inert.

Text stays text. Nothing in the drawing runs or loads, no element has an id, and its colours are the page's
custom properties, so that one drawing serves light, dark and print. The same chart gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import markupsafe
import vl_convert

from clearance import foreign_text

INK, QUIET, RULE, ACCENT, GROUND = (f"var(--{name})" for name in ("ink", "soft", "line", "accent", "card"))
"""The colours of a chart: text, quiet text and lines, rules, what was measured, and what is behind it."""

SIDE = 250
"""Width and height of a plot, in pixels: with its axes it fits a telephone."""

Cell = str | float | int | None
Layer = Mapping[str, Any]
"""One layer of a Vega-Lite chart: its data, its mark and what it encodes."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart with its numbers: each of `rows` has a cell for each of `columns`.

    `number` is the figure that the chart stands for, in words; `reading` says how to read it.
    `specification` is the drawing in the grammar of Vega-Lite. `points` is the number of points drawn:
    `rows` may be a part of them.
    """

    title: str
    number: str
    reading: str
    specification: Mapping[str, Any]
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    points: int

    @property
    def label(self) -> str:
        """The chart in a line, for those who do not see it."""
        return f"{self.title}: {self.number}"


def line(x: Sequence[float], y: Sequence[float], **mark: Any) -> Layer:
    """A line through the points in their order."""
    drawn = {"type": "line", "color": ACCENT, "strokeWidth": 2} | mark
    return layer(drawn, x=x, y=y, order=range(len(x)))  # else Vega-Lite sorts the points by x


def quiet_line(x: Sequence[float], y: Sequence[float]) -> Layer:
    """A dashed line to compare with."""
    return line(x, y, color=QUIET, strokeWidth=1, strokeDash=[4, 4])


def dots(x: Sequence[float], y: Sequence[float], **mark: Any) -> Layer:
    """A dot for each point."""
    return layer({"type": "circle", "color": ACCENT, "size": 40, "opacity": 1} | mark, x=x, y=y)


def layer(mark: Mapping[str, Any], **columns: Sequence[Any]) -> Layer:
    """A layer that draws `mark` at the columns `x` and `y`, with `y2`, `text` or `order` where given."""
    values = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    channels = {name: {"field": name} for name in columns}
    quantities = {
        name: {"field": name, "type": "quantitative"} for name in ("x", "y", "order") if name in columns
    }
    return {
        "data": {"values": values},
        "mark": dict(mark),
        "encoding": channels | quantities,
    }


def specification(layers: Iterable[Layer], x: Mapping[str, Any], y: Mapping[str, Any]) -> dict[str, Any]:
    """The Vega-Lite chart of these layers, over the same axes `x` and `y`."""
    drawn = []
    for it in layers:
        encoding = it["encoding"]
        axes = {"x": encoding["x"] | x, "y": encoding["y"] | y}
        drawn.append({**it, "encoding": encoding | axes})
    return {"width": SIDE, "height": SIDE, "layer": drawn, "config": _CONFIG}


def share_axis(title: str) -> dict[str, Any]:
    """An axis for a share, from 0 to 1."""
    values = [0, 0.2, 0.4, 0.6, 0.8, 1]
    return {"scale": {"domain": [0, 1], "nice": False}, "axis": {"title": title, "values": values}}


def axis(title: str) -> dict[str, Any]:
    """An axis for any number, over the range that the numbers have."""
    return {"scale": {"zero": False, "padding": 12}, "axis": {"title": title, "tickCount": 4}}


_CONFIG = {
    "aria": False,
    "background": "transparent",
    "font": "Liberation Sans",  # vl-convert holds it: the layout does not depend on the fonts of a machine
    "padding": 2,
    "view": {"stroke": None},
    "axis": {
        **{"labelColor": QUIET, "titleColor": QUIET, "gridColor": RULE, "domainColor": RULE},
        **{"tickColor": RULE, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
    },
    "text": {"color": INK, "fontSize": 12},
}
_ROOT = re.compile(r'<svg [^>]*?width="(\d+)" height="(\d+)"[^>]*>')
_UNUSED = re.compile(
    r' (?:class|role|aria-[a-z]+|pointer-events|font-family|stroke-miterlimit|font-weight)="[^"]*"'
    r'| opacity="1"'
)
_EMPTY = re.compile(
    r'<path(?: display="none")?(?: d="[^"]*")?(?: display="none")?/>|<g[^>]*(?:/>|(?<!/)></g>)'
)
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")


def draw(chart: Chart) -> markupsafe.Markup:
    """The chart as one `svg` element, which a screen reader announces as an image with its label.

    Raises ValueError where the specification is not one that Vega-Lite draws.
    """
    svg = vl_convert.vegalite_to_svg(dict(chart.specification), allowed_base_urls=[])
    return markupsafe.Markup(_inline(svg, chart.label))  # noqa: S704 - Vega escapes text, `_inline` the label


def _inline(svg: str, label: str) -> str:
    """The drawing without what a page does not need: names of the XML, roles of parts, empty shapes."""
    if (root := _ROOT.match(svg)) is None:
        raise ValueError("Vega-Lite returned no drawing")
    body, before = _shorter(svg[root.end() :]), ""
    while body != before:
        body, before = _EMPTY.sub("", body), body
    width, height = root.groups()
    text = markupsafe.escape(foreign_text.inert(label))
    return f'<svg class="chart" role="img" aria-label="{text}" viewBox="0 0 {width} {height}">{body}'


def _shorter(body: str) -> str:
    """Tags with fewer attributes and shorter numbers; the texts between them stay as they are."""
    return re.sub(r"<[^>]*>", lambda tag: _LONG_NUMBER.sub(r"\1", _UNUSED.sub("", tag[0])), body)
