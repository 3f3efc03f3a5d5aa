"""deploy/grafana/clearance.json, the Grafana dashboard, from the panels below: `make dashboard`.

python -m tools.grafana_dashboard [--check]

Panels ask Prometheus for what deploy/prometheus/clearance.rules.yml records and what the server and the
monitor export. A test runs every one of these queries in a real Prometheus.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FILE = Path(__file__).parent.parent / "deploy/grafana/clearance.json"
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
PERIOD = 'model="$model",period="$period"'


@dataclass(frozen=True, kw_only=True)
class Query:
    """An expression, and how its series are named in a legend."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A panel: what it shows, in which form, how wide (of 24) and in which unit.

    `alarm` is where a value turns from green to red.
    """

    title: str
    description: str
    queries: Sequence[Query]
    form: str = "lines"
    span: int = 12
    unit: str = "short"
    alarm: float | None = None


ROWS: dict[str, Sequence[Panel]] = {
    "Now": (
        Panel(
            title="Version that decides",
            description="0: none.",
            queries=[Query(expr="max(clearance_version)")],
            form="number",
            span=4,
        ),
        Panel(
            title="Restriction",
            description="0: decides freely, 1: a person reviews every decision, 2: stopped.",
            queries=[Query(expr="max(clearance_restriction)")],
            form="number",
            span=4,
            alarm=1,
        ),
        Panel(
            title="Subjects that fail",
            description="Features and attributes for which a rule fails in the newest look of the period.",
            queries=[Query(expr=f'sum(clearance:monitor_subjects{{{PERIOD},outcome="fail"}})')],
            form="number",
            span=4,
            alarm=1,
        ),
        Panel(
            title="Age of the newest look",
            description="Since the end of its window. A day is looked at an hour after it is over.",
            queries=[Query(expr=f"max(clearance:monitor_age:seconds{{{PERIOD}}})")],
            form="number",
            span=4,
            unit="s",
        ),
        Panel(
            title="Incidents open",
            description="Opened by a serious failed rule or a person, and not closed.",
            queries=[Query(expr='max(clearance_monitor_incidents{model="$model",state="open"})')],
            form="number",
            span=4,
            alarm=1,
        ),
        Panel(
            title="Reports overdue",
            description="Incidents past the deadline for a report.",
            queries=[Query(expr='max(clearance_monitor_incidents{model="$model",state="overdue"})')],
            form="number",
            span=4,
            alarm=1,
        ),
    ),
    "Rules on live decisions": (
        Panel(
            title="Rules by outcome",
            description="How many subjects of each rule have which outcome in the newest look.",
            queries=[
                Query(
                    expr="sum by (rule, severity, on_fail, outcome) "
                    f"(clearance:monitor_subjects{{{PERIOD}}} > 0)"
                )
            ],
            form="table",
        ),
        Panel(
            title="Worst subjects",
            description="The effect of the worst subjects of each rule; each rule has a limit of its own.",
            queries=[Query(expr=f"topk(20, clearance:monitor_effect{{{PERIOD}}})")],
            form="table",
        ),
        Panel(
            title="Effect of the worst subjects of $rule",
            description="With its limit. Only the worst subjects have series; the page shows all.",
            queries=[
                Query(
                    expr=f'clearance:monitor_effect{{{PERIOD},rule=~"$rule"}}', legend="{{rule}}: {{subject}}"
                ),
                Query(
                    expr='max by (rule, bound) (clearance_monitor_limit{model="$model",rule=~"$rule"})',
                    legend="limit of {{rule}} ({{bound}})",
                ),
            ],
        ),
        Panel(
            title="Subjects by outcome",
            description="Over all rules.",
            queries=[
                Query(expr=f"sum by (outcome) (clearance:monitor_subjects{{{PERIOD}}})", legend="{{outcome}}")
            ],
        ),
        Panel(
            title="Favourable rate by group",
            description="Of the rules on groups; only groups with enough decisions have a series.",
            queries=[
                Query(
                    expr="max by (attribute, group) "
                    f'(clearance_monitor_group_rate{{{PERIOD},rule=~"$rule"}})',
                    legend="{{attribute}}: {{group}}",
                )
            ],
            unit="percentunit",
        ),
        Panel(
            title="Decisions in the newest window",
            description="Rows behind the newest look.",
            queries=[
                Query(
                    expr='max by (period) (clearance_monitor_rows{model="$model",basis="decisions"})',
                    legend="{{period}}",
                )
            ],
        ),
        Panel(
            title="Labels that are in",
            description="Of the decisions that should have them, and the share that the policy asks for.",
            span=24,
            queries=[
                Query(expr='max(clearance_monitor_label_share{model="$model"})', legend="share"),
                Query(expr='max(clearance_monitor_label_share_needed{model="$model"})', legend="needed"),
            ],
            unit="percentunit",
        ),
    ),
    "Alerts and incidents": (
        Panel(
            title="Alerts of the monitor",
            description="One for each rule that failed, until it is resolved.",
            queries=[
                Query(
                    expr='max by (rule, severity, state) (clearance_monitor_alerts{model="$model"})',
                )
            ],
            form="table",
        ),
        Panel(
            title="Alerts of Prometheus",
            description="What fires or is about to.",
            queries=[
                Query(expr='max by (alertname, severity, alertstate) (ALERTS{alertname=~"Clearance.*"})')
            ],
            form="table",
        ),
        Panel(
            title="Next deadline of an incident",
            description="Time left.",
            queries=[Query(expr='min(clearance_monitor_incident_due_seconds{model="$model"}) - time()')],
            form="number",
            span=12,
            unit="s",
        ),
        Panel(
            title="Notices waiting",
            description="Tried, and received by nobody.",
            queries=[Query(expr='max(clearance_monitor_notices_waiting{model="$model"})')],
            form="number",
            span=12,
            alarm=1,
        ),
    ),
    "Decision server": (
        Panel(
            title="Decisions",
            description="A second, by version and outcome.",
            queries=[Query(expr="clearance:decisions:rate5m", legend="version {{version}}: {{decision}}")],
            unit="reqps",
        ),
        Panel(
            title="Favourable share",
            description="Of the decisions of the last hour, by version.",
            queries=[Query(expr="clearance:favourable:share1h", legend="version {{version}}")],
            unit="percentunit",
        ),
        Panel(
            title="Time to a durable answer",
            description="99 % of requests are faster; and the part of it until the record is durable.",
            queries=[
                Query(expr="clearance:predict_seconds:p99_5m", legend="answer"),
                Query(expr="clearance:log_seconds:p99_5m", legend="record"),
            ],
            unit="s",
        ),
        Panel(
            title="Unusual rows and unknown groups",
            description="Shares of decisions: rows that break a rule of the training data; groups not known.",
            queries=[
                Query(expr="clearance:flagged:share15m", legend="unusual"),
                Query(expr="clearance:without_group:share1h", legend="group unknown"),
            ],
            unit="percentunit",
        ),
        Panel(
            title="Requests that end with an error",
            description="A second, by code: docs/errors.md.",
            queries=[Query(expr="clearance:faults:rate5m", legend="{{code}}")],
            unit="reqps",
        ),
        Panel(
            title="Live rules of the server",
            description="Rules on the fairness of decisions that the server itself reads every half minute.",
            queries=[
                Query(expr="max by (rule, attribute, severity, outcome) (clearance_live_rule == 1)"),
            ],
            form="table",
        ),
    ),
}


def build() -> str:
    """The dashboard as JSON, the same each time."""
    made = (
        dashboard.Dashboard("Clearance")
        .uid("clearance")
        .description("A governed model in use: what it decides, what the monitor saw, what follows.")
        .tags(["clearance"])
        .editable()
        .refresh("1m")
        .time("now-30d", "now")
        .timezone("browser")
        .with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .with_variable(_variable("model", "label_values(clearance_monitor_looks, model)"))
        .with_variable(_variable("period", 'label_values(clearance_monitor_looks{model="$model"}, period)'))
        .with_variable(
            _variable("rule", 'label_values(clearance_monitor_subjects{model="$model"}, rule)')
            .multi(True)
            .include_all(True)
        )
    )
    for title, panels in ROWS.items():
        made = made.with_row(dashboard.Row(title))
        for panel in panels:
            made = made.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _variable(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


AnyPanel = timeseries.Panel | stat.Panel | table.Panel
_FORMS: Mapping[str, Callable[[], AnyPanel]] = {
    "lines": timeseries.Panel,
    "number": stat.Panel,
    "table": table.Panel,
}
_HEIGHTS = {"lines": 8, "number": 4, "table": 8}


def _panel(panel: Panel) -> AnyPanel:
    made: AnyPanel = _FORMS[panel.form]()
    made = (
        made.title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .span(panel.span)
        .height(_HEIGHTS[panel.form])
        .unit(panel.unit)
    )
    if panel.alarm is not None:
        made = made.thresholds(_thresholds(panel.alarm))
    for number, query in enumerate(panel.queries):
        made = made.with_target(_target(panel, query, "ABCDEF"[number]))
    return made


def _target(panel: Panel, query: Query, name: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().ref_id(name).expr(query.expr)
    if query.legend:
        target = target.legend_format(query.legend)
    if panel.form == "table":
        return target.instant().format(PromQueryFormat.TABLE)
    return target.instant() if panel.form == "number" else target.range()


def _thresholds(alarm: float) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=None, color="green"), Threshold(value=alarm, color="red")]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def main() -> None:
    """Write the dashboard; with `--check`, fail instead if it would change."""
    if "--check" not in sys.argv[1:]:
        FILE.write_text(build(), encoding="utf-8")
    elif FILE.read_text(encoding="utf-8") != build():
        raise SystemExit(f"{FILE} is not what its panels give: run `make dashboard`")


if __name__ == "__main__":
    main()
