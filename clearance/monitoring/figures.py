"""From a rule to its effects: performance, fairness and attribution, for each subject of the rule."""

from __future__ import annotations

from collections.abc import Iterator

from clearance.documents.baseline_document import BaselineDocument
from clearance.monitoring import attribution, estimated, fairness, performance
from clearance.monitoring.effects import Effect
from clearance.monitoring.window_counts import WindowCounts
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms

SELECTION_RATE = "drift.selection_rate"


def reads(metric: str) -> bool:
    """Whether the metric is one of those that are read here."""
    return metric == SELECTION_RATE or metric.startswith(("performance.", "fairness.", "attribution."))


def effects_of(
    rule: LiveRule, window: WindowCounts, baseline: BaselineDocument, terms: MonitoringTerms
) -> Iterator[tuple[str | None, Effect]]:
    """Each subject of the rule with its effect: an attribute, a group as `sex: female`, None for the model.

    Raises KeyError on a metric that is not read here.
    """
    if rule.metric == SELECTION_RATE:
        for name in rule.read_for:
            rates = fairness.selection_rates(name, window, baseline, rule.minimum_support)
            yield from ((f"{name}: {group}", effect) for group, effect in rates.items())
    elif rule.metric.startswith("fairness."):
        for name in rule.read_for:
            yield name, fairness.measure(rule, name, window, baseline, terms.label_share)
    elif rule.metric == "attribution.ndcg":
        yield None, attribution.measure(window, baseline)
    elif rule.metric.startswith("performance.estimated_"):
        yield None, estimated.measure(rule.metric, window, baseline)
    else:
        yield None, performance.measure(rule.metric, window, baseline, terms.label_share)
