"""From rules to hypotheses: for each rule and each of its subjects, the effect in a window's counts.

Pure. What a rule asks for and the counts do not have is a hypothesis without a value, never left out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clearance import wording
from clearance.documents.baseline_document import BaselineDocument, FeatureBins, FeatureReference
from clearance.documents.look_document import Window
from clearance.inference_log.records import FAVOURABLE, UNFAVOURABLE
from clearance.monitoring import season
from clearance.monitoring.counting import bins
from clearance.monitoring.counting.window_counts import Counts, WindowCounts
from clearance.monitoring.figures import rule_effects
from clearance.monitoring.figures.data_quality import ExactCount, UnitFactor
from clearance.monitoring.figures.effects import Effect, Hypothesis
from clearance.monitoring.figures.estimated_performance import Labelled
from clearance.monitoring.figures.estimates import Undefined
from clearance.monitoring.statistics import distribution, normal, rates
from clearance.monitoring.window_rows import WindowRows
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms

ALL_FEATURES = "drift.all_features"
SCORE, DECISION = "score", "decision"
"""The subjects of drift beside the features."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveEvidence:
    """What a look reads: the counts of a window, the version's baseline, and the policy's terms.

    `labelled` are the labelled decisions that estimates are checked against; None: those of the window.
    `rows` are a sample of its decisions beside reference rows, or why there is none; None: nobody asked.
    `references` keep what features are compared with, for many windows.
    """

    window: Window
    counts: WindowCounts
    baseline: BaselineDocument
    terms: MonitoringTerms
    labelled: Labelled | None = None
    rows: WindowRows | str | None = None
    references: season.References | None = None


def rules_in_force(terms: MonitoringTerms, day: dt.date, *, labels: bool) -> tuple[LiveRule, ...]:
    """The rules in force on a day that need labels, or those that do not."""
    return tuple(rule for rule in terms.rules if rule.in_force(day) and rule.needs_labels == labels)


def estimates(terms: MonitoringTerms) -> bool:
    """Whether a rule reads an estimate of performance, which labels of earlier windows check."""
    return any(rule.metric.startswith(rule_effects.ESTIMATED) for rule in terms.rules)


def hypotheses(rules: Sequence[LiveRule], evidence: LiveEvidence) -> tuple[Hypothesis, ...]:
    """Every rule for each of its subjects, in the order of the rules and of the features."""
    return tuple(
        Hypothesis(rule=rule, subject=subject, effect=effect)
        for rule in rules
        for subject, effect in _effects(rule, evidence)
    )


def _effects(rule: LiveRule, evidence: LiveEvidence) -> Iterator[tuple[str | None, Effect]]:
    counts, baseline = evidence.counts, evidence.baseline
    if rule.metric in distribution.METRICS:
        yield from _of_cells(rule, evidence)
    elif rule.metric in _OF_TABLE:
        yield None, _OF_TABLE[rule.metric](counts, baseline)
    elif rule.metric == "data.unit_factor":
        for name in _named_features(rule, baseline):
            if name not in baseline.features or baseline.features[name].bins.kind == "number":
                yield name, _unit_factor(name, counts, baseline)
    elif rule.metric == ALL_FEATURES:
        yield None, _all_features(evidence)
    elif rule_effects.reads(rule.metric):
        yield from rule_effects.effects_of(rule, counts, baseline, evidence.terms, evidence.labelled)
    else:
        raise ValueError(f"no effect is read for {rule.metric}")


def needs_rows(rules: Sequence[LiveRule]) -> bool:
    """Whether one of the rules is read from whole rows, which counts do not have."""
    return any(rule.metric == ALL_FEATURES for rule in rules)


def _all_features(evidence: LiveEvidence) -> Effect:
    rows, decided = evidence.rows, evidence.counts.rows
    if rows is None or isinstance(rows, str):
        return normal.undefined(rows or "no rows were read for it", decided)
    from clearance.monitoring.figures import all_features  # imports scikit-learn

    effect = all_features.measure(rows.live, rows.reference)
    if isinstance(effect, Undefined) or rows.decided <= len(rows.live):
        return effect
    part = f"from a random {wording.counted(len(rows.live), 'decision')} of {wording.count(rows.decided)}"
    return replace(effect, assumption=f"{part}; {effect.assumption}")


def _schema_violations(counts: WindowCounts, _baseline: BaselineDocument) -> Effect:
    return ExactCount(value=counts.violations, rows=counts.rows)


def _serving_skew(counts: WindowCounts, _baseline: BaselineDocument) -> Effect:
    if not counts.skew_tried:
        return normal.undefined("no decision was computed again", 0)
    return ExactCount(value=counts.skewed, rows=counts.skew_tried)


def _repeated_share(counts: WindowCounts, baseline: BaselineDocument) -> Effect:
    return rates.difference(
        (counts.repeated, counts.rows),
        (baseline.repeated, baseline.rows),
    )


def _replayed_share(counts: WindowCounts, _baseline: BaselineDocument) -> Effect:
    if not counts.named:
        return normal.undefined("no decision names its entity, so none can be called a replay", counts.rows)
    return rates.against_limit(counts.replayed, counts.named)


_OF_TABLE: Mapping[str, Callable[[WindowCounts, BaselineDocument], Effect]] = {
    "data.schema_violations": _schema_violations,
    "data.serving_skew": _serving_skew,
    "data.repeated_share": _repeated_share,
    "data.replayed_share": _replayed_share,
}


def _of_cells(rule: LiveRule, evidence: LiveEvidence) -> Iterator[tuple[str | None, Effect]]:
    baseline, days = evidence.baseline, evidence.baseline.days
    for name in _named_features(rule, baseline):
        feature = baseline.features.get(name)
        if feature is None:
            yield name, normal.undefined("the model has no such feature", evidence.counts.rows)
        elif rule.of not in ("features", "all") or distribution.applies(rule.metric, feature.bins.kind):
            live = evidence.counts.features[name]
            if evidence.references is None:
                yield name, _cell_effect(rule.metric, live, feature, days, evidence)
            else:
                yield (
                    name,
                    distribution.effect(rule.metric, live, evidence.references.of(name, evidence.window)),
                )
    if rule.of in (SCORE, "all"):
        yield SCORE, _score_effect(rule.metric, evidence)
    if rule.of in (DECISION, "all") and distribution.applies(rule.metric, "category"):
        live, reference = _decisions(evidence.counts, baseline)
        yield DECISION, _cell_effect(rule.metric, live, reference, None, evidence)


def _score_effect(metric: str, evidence: LiveEvidence) -> Effect:
    if evidence.baseline.score is None:
        return normal.undefined("the version gives decisions alone", evidence.counts.rows)
    live, reference = bins.halved(evidence.counts.score, evidence.baseline.score)
    return _cell_effect(metric, live, reference, None, evidence)


def _cell_effect(
    metric: str,
    live: Counts,
    feature: FeatureReference,
    days: tuple[str, ...] | None,
    evidence: LiveEvidence,
) -> Effect:
    reference = season.reference_for(feature, days, evidence.window, evidence.terms)
    return distribution.effect(metric, live, reference)


def _decisions(counts: WindowCounts, baseline: BaselineDocument) -> tuple[Counts, FeatureReference]:
    """The decisions of the window and of the test rows, as two categories."""
    live, before = np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.int64)
    for (_, _, decision), count in counts.decisions.items():
        live[decision] += count
    for _, _, decision, count in baseline.cells:
        before[decision] += count
    two = FeatureBins(kind="category", categories=(UNFAVOURABLE, FAVOURABLE))
    return live, FeatureReference(bins=two, counts=tuple(before.tolist()))


def _named_features(rule: LiveRule, baseline: BaselineDocument) -> tuple[str, ...]:
    if rule.of in ("features", "all"):
        return tuple(baseline.features)
    return () if isinstance(rule.of, str) else rule.of


def _unit_factor(name: str, counts: WindowCounts, baseline: BaselineDocument) -> Effect:
    reference = baseline.features.get(name)
    sizes = counts.sizes.get(name)
    if reference is None or reference.median_size is None:
        return normal.undefined("the reference has no number other than 0", 0)
    if sizes is None or not sizes.sum():
        return normal.undefined("the window has no number other than 0", 0)
    return UnitFactor(sizes=sizes, median_size=reference.median_size, reference_rows=baseline.rows)
