"""The charts of the report draw the numbers that they are given, as inert SVG in the page's colours."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import altair as alt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.documents.performance_document import PerformanceDocument
from clearance.reporting.charts import chart_points, curves, drawing, histogram, pareto
from tests.support import codes, evidence, reported

SHARES = st.floats(0, 1, allow_subnormal=False)
NOTHING: dict[str, Any] = {"candidates": {}, "scores": {}}


def performance(**cells: int) -> PerformanceDocument:
    return evidence.performance({}, rows=sum(cells.values()), **({"confusion": cells} if cells else {}))


def places(svg: str, stroke: str) -> list[tuple[float, float]]:
    """The corners of the first line in this colour, as shares of the plot: (0, 0) is its lower left."""
    path = next(it for it in ET.fromstring(svg).iter("path") if it.get("stroke") == stroke)  # noqa: S314
    corners = re.findall(r"(-?[\d.]+),(-?[\d.]+)", path.attrib["d"])
    return [(float(x) / drawing.SIDE, 1 - float(y) / drawing.SIDE) for x, y in corners]


def roc(points: list[tuple[float, float]]) -> drawing.Chart:
    of_points = tuple(
        chart_points.RocPoint(false_positive_rate=false, true_positive_rate=true) for false, true in points
    )
    (chart,) = curves.draw(chart_points.ChartPoints(roc=of_points, **NOTHING), performance())
    return chart


@settings(max_examples=30)
@given(st.lists(st.tuples(SHARES, SHARES), min_size=2, max_size=40, unique=True))
def test_a_curve_lies_where_its_points_do(points: list[tuple[float, float]]) -> None:
    chart = roc(points)
    drawn = places(drawing.draw(chart), drawing.ACCENT)
    assert len(drawn) == len(points) == chart.points
    for (x, y), (false, true) in zip(drawn, points, strict=True):
        assert abs(x - false) < 1e-3 and abs(y - true) < 1e-3
    assert set(chart.rows) <= set(points)
    assert (chart.rows[0], chart.rows[-1]) == (points[0], points[-1])


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_the_bars_of_a_histogram_have_the_ratios_of_its_counts(counts: list[int]) -> None:
    drawn = histogram.draw(counts)
    assert drawn.total == sum(counts)
    heights = [histogram.HEIGHT - float(up) for up in re.findall(r"V([\d.]+)", drawn.path)][:-1]
    if not any(counts):
        assert drawn.path == ""
        return
    for count, height in zip(counts, heights, strict=True):
        assert abs(height / histogram.HEIGHT - count / max(counts)) < 0.01


def test_a_bar_over_a_wide_bin_is_lower_so_that_its_area_is_the_count() -> None:
    assert histogram.draw([10, 10], [0, 1, 11]).path == "M0 20V0.0H18.2V18.0H200.0V20Z"


def every_chart() -> list[drawing.Chart]:
    document = evidence.performance(
        {"roc_auc": reported.measured(0.9, 0.8, 0.95)},
        rows=100,
        confusion={"true_positive": 50, "false_positive": 10, "true_negative": 20, "false_negative": 20},
    )
    points = chart_points.ChartPoints(
        calibration=tuple(
            chart_points.CalibrationBin(**it) for it in reported.POINTS["evaluate/calibration"]
        ),
        roc=tuple(chart_points.RocPoint(**it) for it in reported.POINTS["evaluate/roc"]),
        precision_recall=tuple(
            chart_points.PrecisionRecallPoint(**it) for it in reported.POINTS["evaluate/precision_recall"]
        ),
        **NOTHING,
    )
    candidates = {
        metric: tuple(chart_points.Candidate(**it) for it in tried)
        for metric, tried in reported.TWO_CANDIDATES["train/pareto"].items()
    }
    return [*curves.draw(points, document), *pareto.draw(candidates, "balanced_accuracy")]


def test_every_chart_is_inert_has_no_id_and_only_the_colours_of_the_page() -> None:
    charts = every_chart()
    assert len(charts) == 4
    for chart in charts:
        svg = drawing.draw(chart)
        assert drawing.draw(chart) == svg, "the same chart gives the same bytes"
        assert len(svg) < 20_000
        assert not re.search(
            r"\bid=|url\(|href|http|<script|<style|<image|<foreign| on\w+=|#[0-9a-f]{3}", svg
        )
        root = ET.fromstring(svg)  # noqa: S314
        assert (root.get("role"), root.get("aria-label")) == ("img", chart.label)
        assert {it.tag for it in root.iter()} <= {"svg", "g", "path", "line", "text"}
        colours = {it.get(name) for it in root.iter() for name in ("fill", "stroke")} - {None, "none"}
        assert colours <= {drawing.INK, drawing.QUIET, drawing.RULE, drawing.ACCENT, drawing.GROUND}
        assert [text.text for text in root.iter("text")], "text stays text"


def test_every_chart_is_valid_vega_lite() -> None:
    for chart in every_chart():
        alt.LayerChart.from_dict(dict(chart.specification), validate=True)
    broken = dict(every_chart()[0].specification) | {"layer": [{"mark": "no mark"}]}
    with pytest.raises(Exception, match="no mark"):
        alt.LayerChart.from_dict(broken, validate=True)


def test_the_decision_threshold_is_marked_at_the_rates_of_its_decisions() -> None:
    (_, chart, _, _) = every_chart()
    dot = chart.specification["layer"][-1]["data"]["values"]
    assert dot == [{"x": 10 / 30, "y": 50 / 70}]


def test_candidates_that_would_print_onto_each_other_share_a_label() -> None:
    def candidate(place: int, utility: float, disparity: float) -> chart_points.Candidate:
        return chart_points.Candidate(
            place=place, label="x", utility=utility, disparity=disparity, chosen=place == 2, front=False
        )

    tried = (candidate(1, 0.9, 0.3), candidate(2, 0.9, 0.301), candidate(3, 0.5, 0.1), candidate(4, 0.9, 0.1))
    (chart,) = pareto.draw({"demographic_parity_difference": tried}, "accuracy")
    root = ET.fromstring(drawing.draw(chart))  # noqa: S314
    assert [text.text for text in root.iter("text") if text.get("fill") == drawing.INK] == ["1, 2", "3", "4"]
    assert [row[0] for row in chart.rows] == [1, 2, 3, 4]
    assert pareto.draw({"demographic_parity_difference": tried[:1]}, "accuracy") == ()


@pytest.mark.parametrize(
    "content",
    [{}, [{"false_positive_rate": 0.0}], [{"false_positive_rate": "0", "true_positive_rate": 0.0}]],
    ids=["no list", "half a point", "a text"],
)
def test_a_file_that_does_not_hold_points_is_refused(tmp_path: Any, content: Any) -> None:
    reported.write(tmp_path, reported.documents(), points={"evaluate/roc": content})
    with codes.raises("documents.does_not_fit"):
        chart_points.read(tmp_path)


def test_without_files_there_are_no_points(tmp_path: Any) -> None:
    assert chart_points.read(tmp_path) == chart_points.ChartPoints(**NOTHING)
