"""What the monitor last saw of a version, in the format that Prometheus reads.

The number of series is bounded whatever the number of features: each rule has a count of subjects by outcome,
and series of its own for only its `SUBJECTS` worst subjects. No label holds a text of a finding, an entity,
or a group with fewer decisions than the rule's `minimum_support`.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import prometheus_client
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from clearance import files, foreign_text
from clearance.documents import monitoring_catalogue
from clearance.documents.look_document import LiveFinding, Look
from clearance.documents.measurement import Outcome
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms
from clearance.reporting.monitoring import trends

logger = logging.getLogger(__name__)

SUBJECTS = 10
"""Subjects of one rule and period that have series of their own: the worst."""
GROUPS = 50
"""Most groups of one rule and attribute that have a series; more are counted only."""
LONGEST = 120
"""Characters of a name that a label shows."""


@dataclass(frozen=True, kw_only=True)
class OpenAlert:
    """An alert that is not resolved; `taken` once a person has it."""

    rule: str
    severity: Literal["serious", "warn"]
    taken: bool = False


@dataclass(frozen=True, kw_only=True)
class Incidents:
    """How many incidents are open, how many of them missed a deadline, and the next one that lies ahead."""

    open: int = 0
    overdue: int = 0
    next_deadline: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What the monitor knows of the version in use.

    `looks` has at least the newest look of each period and basis, and the newest of them with findings;
    `looks_taken` says how many there were. `label_share` is the share of decisions with a label in the newest
    window that is old enough to have them; None: no such window. `notices_waiting` are notices that nobody
    received yet.
    """

    model: str
    version: int
    terms: MonitoringTerms
    looks: Sequence[Look] = ()
    looks_taken: Mapping[str, int] = field(default_factory=dict)
    label_share: float | None = None
    alerts: Sequence[OpenAlert] = ()
    incidents: Incidents = Incidents()
    notices_waiting: int = 0


def families(watch: Watch) -> Iterator[GaugeMetricFamily]:
    """Every metric of the monitor; each is a gauge."""
    model = {"model": watch.model, "version": str(watch.version)}
    yield from _of_looks(watch, model)
    yield from _of_findings(watch, model)
    yield from _of_reactions(watch, model)


class MonitorMetrics(Collector):
    """Gives a registry the metrics of a watch that `set` renews. Without a watch there are none."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._lock, self._readable = threading.Lock(), True
        self._watch: Watch | None = None
        if registry is not None:
            registry.register(self)

    def set(self, watch: Watch | None, *, readable: bool = True) -> None:
        """Show this from now on; None: nothing is watched here. `readable`: the store could be read."""
        with self._lock:
            self._watch, self._readable = watch, readable

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families of the newest watch, none where the store could not be read: old news is not news."""
        with self._lock:
            watch, readable = self._watch, self._readable
        if watch is not None or not readable:
            yield GaugeMetricFamily(
                "clearance_monitor_readable", "1: the monitoring store can be read", value=float(readable)
            )
        if watch is not None and readable:
            yield from families(watch)


def follow(
    stop: threading.Event, metrics: MonitorMetrics, read: Callable[[], Watch | None], interval: float
) -> None:
    """Renew the metrics every `interval` seconds until `stop` is set; not readable where `read` raises."""
    while True:
        try:
            metrics.set(read())
        except Exception:
            logger.exception("the monitoring store could not be read")
            metrics.set(None, readable=False)
        if stop.wait(interval):
            return


def text(watch: Watch) -> str:
    """The metrics as text, for a file that node_exporter reads."""
    registry = CollectorRegistry(auto_describe=False)
    MonitorMetrics(registry).set(watch)
    return prometheus_client.generate_latest(registry).decode()


def write(path: Path, watch: Watch) -> None:
    """Write the text whole or not at all, as the textfile collector of node_exporter asks for."""
    files.write_text(path, text(watch))


def _of_looks(watch: Watch, model: Mapping[str, str]) -> Iterator[GaugeMetricFamily]:
    newest = trends.newest(watch.looks)
    by_period = _Family(model, "period")
    looks = by_period("clearance_monitor_looks", "Looks on record")
    end = by_period(
        "clearance_monitor_window_end_seconds", "When the newest window ended, in Unix time; 0: no look yet"
    )
    for wanted in watch.terms.looks:
        looks.add(watch.looks_taken.get(wanted, 0), wanted)
        look = newest.get((wanted, "decisions"))
        end.add(0 if look is None else _unix(look.window.end), wanted)
    by_basis = _Family(model, "period", "basis")
    rows = by_basis("clearance_monitor_rows", "Decisions in the newest window")
    level = by_basis("clearance_monitor_level", "Probability of a false alarm that the newest look spends")
    notes = by_basis("clearance_monitor_notes", "What was odd about the newest window")
    outcomes = _Family(model, "period", "basis", "outcome")(
        "clearance_monitor_look", "1: this is the outcome of the newest look"
    )
    for key, look in newest.items():
        rows.add(look.rows, *key)
        level.add(look.level, *key)
        notes.add(len(look.notes), *key)
        for outcome in Outcome:
            outcomes.add(look.outcome is outcome, *key, outcome)
    yield from (made.family for made in (looks, end, rows, level, notes, outcomes))


def _of_findings(watch: Watch, model: Mapping[str, str]) -> Iterator[GaugeMetricFamily]:
    """Of the newest look that judged anything: a window without decisions does not end a failure."""
    counts = _Family(model, "period", "rule", "metric", "severity", "on_fail", "outcome")(
        "clearance_monitor_subjects", "Subjects of a rule (features, attributes) with this outcome"
    )
    limits = _Family(model, "rule", "bound")("clearance_monitor_limit", "The limit of a rule")
    by_subject = _Family(model, "period", "rule", "subject")
    effects = [
        by_subject("clearance_monitor_effect", f"The effect, of the {SUBJECTS} worst subjects of a rule"),
        by_subject("clearance_monitor_effect_low", "The low end of its 95% interval"),
        by_subject("clearance_monitor_effect_high", "The high end of its 95% interval"),
    ]
    rates = _Family(model, "period", "rule", "attribute", "group")(
        "clearance_monitor_group_rate", "Rate of a group with enough decisions"
    )
    hidden = _Family(model, "period", "rule", "attribute")(
        "clearance_monitor_hidden_groups", "Groups with too few decisions to be shown"
    )
    rules = {rule.id: rule for rule in watch.terms.rules}
    for rule in watch.terms.rules:
        for bound, value in rule.limit:
            if value is not None:
                limits.add(value, rule.id, bound)
    for (period, _), look in trends.newest(watch.looks, judged=True).items():
        for rule_id, findings in _by_rule(look).items():
            first, named = findings[0], rules.get(rule_id)
            numbers = Counter(finding.outcome for finding in findings)
            for outcome in Outcome:
                counts.add(
                    numbers[outcome],
                    *(period, rule_id, first.metric, first.severity, first.on_fail, outcome),
                )
            shown = [item for item in findings if _may_be_named(item, named)][:SUBJECTS]
            for finding in shown:
                ends = (finding.value, finding.low, finding.high)
                for family, value in zip(effects, ends, strict=True):
                    if value is not None:
                        family.add(value, period, rule_id, finding.subject or "")
                _add_groups(rates, hidden, period, finding, named)
    yield from (made.family for made in (counts, limits, *effects, rates, hidden))


def _add_groups(
    rates: _Made, hidden: _Made, period: str, finding: LiveFinding, rule: LiveRule | None
) -> None:
    """A rate for each group with enough decisions, never its number of decisions, so that no difference of
    totals gives away the size of a group that is hidden."""
    if finding.groups is None:
        return
    enough = {
        name: (part, rows)
        for name, (part, rows) in finding.groups.items()
        if rule is not None and rows >= rule.minimum_support
    }
    for name in sorted(enough, key=lambda group: -enough[group][1])[:GROUPS]:
        part, rows = enough[name]
        rates.add(part / rows, period, finding.rule, finding.subject or "", name)
    hidden.add(len(finding.groups) - min(len(enough), GROUPS), period, finding.rule, finding.subject or "")


def _of_reactions(watch: Watch, model: Mapping[str, str]) -> Iterator[GaugeMetricFamily]:
    alone = _Family(model)
    share = alone("clearance_monitor_label_share", "Share of decisions with a label, once they are due")
    needed = alone("clearance_monitor_label_share_needed", "Share of labels that performance is judged from")
    needed.add(watch.terms.label_share)
    if watch.label_share is not None:
        share.add(watch.label_share)
    alerts = _Family(model, "rule", "severity", "state")("clearance_monitor_alerts", "Alerts not resolved")
    numbers = Counter((alert.rule, alert.severity, alert.taken) for alert in watch.alerts)
    for (rule, severity, taken), number in numbers.items():
        alerts.add(number, rule, severity, "taken" if taken else "open")
    incidents = _Family(model, "state")("clearance_monitor_incidents", "Incidents open, and past a deadline")
    incidents.add(watch.incidents.open, "open")
    incidents.add(watch.incidents.overdue, "overdue")
    due = alone("clearance_monitor_incident_due_seconds", "The next deadline of an incident, in Unix time")
    if watch.incidents.next_deadline is not None:
        due.add(watch.incidents.next_deadline.timestamp())
    waiting = alone("clearance_monitor_notices_waiting", "Notices that nobody received yet")
    waiting.add(watch.notices_waiting)
    yield from (made.family for made in (share, needed, alerts, incidents, due, waiting))


def _by_rule(look: Look) -> dict[str, list[LiveFinding]]:
    """The findings of each rule, the worst first."""
    rules: defaultdict[str, list[LiveFinding]] = defaultdict(list)
    for finding in sorted(look.findings, key=trends.worst_first):
        rules[finding.rule].append(finding)
    return rules


def _may_be_named(finding: LiveFinding, rule: LiveRule | None) -> bool:
    """Whether the subject is a name that was declared: of an attribute only where the rule lists it."""
    metric = monitoring_catalogue.METRICS.get(finding.metric)
    if metric is None or finding.subject is None:
        return metric is not None
    if metric.subject in ("attribute", "group"):
        return rule is not None and finding.subject in rule.read_for
    return metric.subject == "feature"


def _unix(written: str) -> float:
    return dt.datetime.fromisoformat(written.replace("Z", "+00:00")).timestamp()


def _label(value: str) -> str:
    """The value as one line; of a long one the beginning, and a digest that tells it from others."""
    shown = foreign_text.inert(value)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}… {files.sha256_text(shown)[:8]}"


class _Made:
    """A family whose first labels are those of the model."""

    def __init__(self, family: GaugeMetricFamily, first: Sequence[str]) -> None:
        self.family, self._first = family, [_label(value) for value in first]

    def add(self, value: float, *labels: str) -> None:
        """One series."""
        self.family.add_metric([*self._first, *map(_label, labels)], float(value))


class _Family:
    """Makes families with these labels after those of the model."""

    def __init__(self, model: Mapping[str, str], *labels: str) -> None:
        self._model, self._labels = model, labels

    def __call__(self, name: str, documentation: str) -> _Made:
        family = GaugeMetricFamily(name, documentation, labels=[*self._model, *self._labels])
        return _Made(family, list(self._model.values()))
