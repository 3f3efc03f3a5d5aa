"""From a rule to its effects: performance, fairness and attribution, for each subject of the rule."""

from __future__ import annotations

from collections.abc import Iterator

from clearance.documents.baseline_document import BaselineDocument
from clearance.monitoring.counting.window_counts import WindowCounts
from clearance.monitoring.figures import attribution, estimated_performance, fairness, performance
from clearance.monitoring.figures.effects import Effect
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms

SELECTION_RATE = "drift.selection_rate"
ESTIMATED = "performance.estimated_"


def reads(metric: str) -> bool:
    """Whether the metric is one of those that are read here."""
    return metric == SELECTION_RATE or metric.startswith(("performance.", "fairness.", "attribution."))


def effects_of(
    rule: LiveRule,
    window: WindowCounts,
    baseline: BaselineDocument,
    terms: MonitoringTerms,
    labelled: estimated_performance.Labelled | None = None,
) -> Iterator[tuple[str | None, Effect]]:
    """Each subject of the rule with its effect: an attribute, a group as `sex: female`, None for the model.

    `labelled` are the labelled decisions that estimates of performance are checked against, such as those of
    the version so far, for labels of the window itself may be months away; by default those of the window.
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
    elif rule.metric.startswith(ESTIMATED):
        yield None, estimated_performance.measure(rule.metric, window, baseline, labelled)
    else:
        yield None, performance.measure(rule.metric, window, baseline, terms.label_share)
