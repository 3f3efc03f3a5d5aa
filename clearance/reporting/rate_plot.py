"""The drawing of groups' rates: each with its interval, against what a limit on their gap allows.

Only coordinates are decided here. The shaded band reaches from the highest rate down to the lowest that the
limit would still allow beside it; a group outside it is what a finding is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clearance.documents import metric_catalogue
from clearance.documents.fairness_document import FairnessDocument, GroupReport, WeightedGroupReport
from clearance.documents.group_names import MISSING
from clearance.documents.verdict_document import RuleFinding

WIDTH = 400.0
"""The width of the drawing that stands for a rate of 1."""

MOST = 12
"""The number of groups that are shown at once."""

Group = GroupReport | WeightedGroupReport

TITLES = {
    "selection_rate": "Decided favourably",
    "true_positive_rate": "Decided favourably among favourable labels (true positive rate)",
    "false_positive_rate": "Decided favourably among unfavourable labels (false positive rate)",
}
_READ_BY = {
    "demographic_parity_difference": ("selection_rate",),
    "demographic_parity_ratio": ("selection_rate",),
    "disparate_impact_best_group": ("selection_rate",),
    "equal_opportunity_difference": ("true_positive_rate",),
    "false_positive_rate_difference": ("false_positive_rate",),
    "equalized_odds_difference": ("true_positive_rate", "false_positive_rate"),
    "equalized_odds_ratio": ("true_positive_rate", "false_positive_rate"),
}


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A group: its rate in [0, 1] with the bounds, their places on the drawing, and the rows behind it.

    `low` and `high` are None where no interval was measured.
    """

    group: str
    rate: float
    low: float | None
    high: float | None
    rows: int
    at: float
    start: float
    stop: float
    inside: bool


@dataclass(frozen=True, kw_only=True)
class Plot:
    """The rates of an attribute's groups, with intervals at `confidence`.

    `allowed_from` to `allowed_to` is the band that a rule allows; None where no rule limits the gap.
    """

    title: str
    attribute: str
    limit: str
    confidence: float | None
    allowed_from: float | None
    allowed_to: float
    bars: tuple[Bar, ...]

    @property
    def shown(self) -> tuple[Bar, ...]:
        """The bars to show at once: the lowest rates, and the highest, which they are compared with."""
        return self.bars if len(self.bars) <= MOST else (*self.bars[: MOST - 1], self.bars[-1])

    @property
    def folded(self) -> tuple[Bar, ...]:
        """The bars between those."""
        return () if len(self.bars) <= MOST else self.bars[MOST - 1 : -1]


def draw(fairness: FairnessDocument, findings: Iterable[RuleFinding], attribute: str) -> list[Plot]:
    """The plots of an attribute: its selection rates, and any other rate that a finding reads."""
    own = [finding for finding in findings if finding.attribute == attribute]
    read = {rate: finding for finding in reversed(own) for rate in rates_read(finding)}
    groups = fairness.groups.get(attribute, {})
    parity = fairness.measurements.get("demographic_parity_difference", {}).get(attribute)
    confidence = None if parity is None else parity.confidence
    shown = [rate for rate in TITLES if rate in {"selection_rate", *read}]
    plots = [_plot(groups, attribute, rate, read.get(rate), confidence) for rate in shown]
    return [plot for plot in plots if plot is not None]


def rates_read(finding: RuleFinding) -> tuple[str, ...]:
    """The rates of groups that a finding compares, of those that can be drawn."""
    document, _, measurement = finding.metric.partition(".")
    return _READ_BY.get(measurement, ()) if document == "fairness" else ()


def _plot(
    groups: Mapping[str, Group],
    attribute: str,
    rate: str,
    finding: RuleFinding | None,
    confidence: float | None,
) -> Plot | None:
    known = {name: row for name, row in groups.items() if name != MISSING}
    rows = {name: row for name, row in known.items() if getattr(row, rate) is not None}
    if not rows:
        return None
    highest = max(getattr(row, rate) for row in rows.values())
    lowest_allowed = None if finding is None else _lowest_allowed(finding, highest)
    bars = []
    for name, row in rows.items():
        value = getattr(row, rate)
        low, high = row.intervals.get(rate) or (None, None)
        bars.append(
            Bar(
                group=name,
                rate=value,
                low=low,
                high=high,
                rows=_rows(row, rate),
                at=_place(value),
                start=_place(value if low is None else low),
                stop=_place(value if high is None else high),
                inside=lowest_allowed is None or value >= lowest_allowed,
            )
        )
    return Plot(
        title=TITLES[rate],
        attribute=attribute,
        confidence=confidence,
        limit="" if finding is None else metric_catalogue.title(finding.metric),
        allowed_from=None if lowest_allowed is None else _place(max(0.0, lowest_allowed)),
        allowed_to=_place(highest),
        bars=tuple(sorted(bars, key=lambda bar: (bar.rate, bar.group))),
    )


def _lowest_allowed(finding: RuleFinding, highest: float) -> float | None:
    """The lowest rate beside the highest that keeps the limit; None where the limit allows any."""
    if finding.limit is None:
        return None
    if finding.metric.endswith("_difference"):
        return None if finding.limit.at_most is None else highest - finding.limit.at_most
    return None if finding.limit.at_least is None else highest * finding.limit.at_least


def _rows(row: Group, rate: str) -> int:
    cells = row.cells
    favourable = cells.true_positive + cells.false_negative
    unfavourable = cells.false_positive + cells.true_negative
    return {
        "selection_rate": favourable + unfavourable,
        "true_positive_rate": favourable,
        "false_positive_rate": unfavourable,
    }[rate]


def _place(rate: float) -> float:
    return round(rate * WIDTH, 1)
