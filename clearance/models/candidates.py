"""One candidate: an estimator fitted with a mitigation on train rows, measured on tune rows.

A mitigation that fits many predictors hands on one, chosen by the rule that chooses among candidates.
Test rows never come here, and nothing is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from fairlearn.preprocessing import CorrelationRemover
from sklearn.pipeline import Pipeline

from clearance import params
from clearance.data.tables import prepared
from clearance.errors import ConfigurationError
from clearance.models import (
    encoding,
    estimators,
    fitting,
    group_thresholds,
    reductions,
    reweighing,
    scoring,
    selection_rule,
    thresholds,
    tune_constraints,
)
from clearance.models.mitigations import MITIGATIONS, IncompatibleMitigation, MitigationSpec
from clearance.policy.schema import Rule

OBJECTIVE: thresholds.Objective = "balanced_accuracy"
"""The utility where the threshold is fixed and no objective is named."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all candidates share: rows, types of the columns, how a threshold is chosen, limits, seed."""

    rows: prepared.Prepared
    tune: prepared.Prepared
    types: Mapping[str, str | None]
    threshold: params.Threshold
    limits: Sequence[Rule]
    seed: int

    @property
    def objective(self) -> thresholds.Objective:
        """The number that says how useful a candidate is."""
        return (
            self.threshold.objective
            if self.threshold.fixed is None and self.threshold.objective
            else OBJECTIVE
        )


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A fitted pipeline with its threshold, what was measured on tune rows, and how it came about.

    `members` lists what a mitigation fitted and which one was taken; None where it fits one model only.
    """

    estimator: params.EstimatorChoice
    way: params.Mitigation
    fitted: fitting.Fitted
    weights: reweighing.Reweighing | None
    threshold: float
    threshold_rule: str
    tune: thresholds.DecisionMetrics
    disparity: tune_constraints.Disparity
    scored: selection_rule.CandidateResult
    members: list[dict[str, Any]] | None = None

    @property
    def pipeline(self) -> Pipeline:
        """What scores a row."""
        return self.fitted.pipeline

    @property
    def declared(self) -> MitigationSpec:
        """What the mitigation needs and how it ships."""
        return MITIGATIONS[self.way.method]


@dataclass(frozen=True, kw_only=True)
class _Origin:
    """What a candidate was fitted from; `fitted` is the estimator before most mitigations."""

    estimator: params.EstimatorChoice
    way: params.Mitigation
    fitted: fitting.Fitted
    weights: reweighing.Reweighing | None


@dataclass(frozen=True, kw_only=True)
class _Option:
    """A pipeline that could be the candidate; `cut` is its threshold where the mitigation sets it."""

    pipeline: Pipeline
    said: Mapping[str, Any] = field(default_factory=dict)
    cut: tuple[float, str] | None = None


def fit(setting: Setting, chosen: params.EstimatorChoice, way: params.Mitigation) -> Candidate:
    """Fit one estimator with one mitigation and measure what comes out on tune rows.

    Raises Unsuited when the two do not go together, ConfigurationError when the estimator refuses, DataError
    when the rows cannot be used.
    """
    kinds = scoring.kinds(setting.rows.features, setting.types)
    estimator = estimators.build(chosen.estimator, chosen.arguments, setting.seed)
    if MITIGATIONS[way.method].needs_weights and not estimators.takes_weights(estimator):
        raise IncompatibleMitigation(
            f"{chosen.estimator} takes no row weights, which {way.method} needs",
            "choose another mitigation, or an estimator whose `fit` takes `sample_weight`",
        )
    weights = (
        reweighing.reweigh(setting.rows.protected, setting.rows.label) if way.method == "reweighing" else None
    )
    fitted = fitting.fit(
        Pipeline([("encode", encoding.transformer(kinds)), (fitting.ESTIMATOR, estimator)]),
        scoring.inputs(setting.rows.features, kinds),
        setting.rows.label,
        weights=None if weights is None else weights.weights,
        search=chosen.search,
        seed=setting.seed,
    )
    complaints: list[str] = []
    options = [_Option(pipeline=fitted.pipeline)]
    if way.method not in ("none", "reweighing"):
        with fitting.recorded_warnings(estimator) as complaints:
            options = list(_mitigated(setting, fitted.pipeline, way, kinds))
    fitted = replace(fitted, warnings=sorted({*fitted.warnings, *complaints}))
    return _choose(setting, _Origin(estimator=chosen, way=way, fitted=fitted, weights=weights), options)


def _mitigated(
    setting: Setting, plain: Pipeline, way: params.Mitigation, kinds: Mapping[str, scoring.Kind]
) -> Iterator[_Option]:
    """The pipelines that a mitigation makes of an estimator (as a search left it, where there is one)."""
    rows = setting.rows
    if way.method == "correlation_remover":
        yield _Option(pipeline=_uncorrelated(setting, plain, way, kinds))
        return
    if way.method == "threshold_optimizer":
        pipeline, cuts = group_thresholds.optimise(plain, rows, setting.tune, way, setting.objective)
        yield _Option(pipeline=pipeline, said={"cuts": cuts}, cut=(0.5, group_thresholds.RULE))
        return
    matrix = plain[:-1].transform(scoring.inputs(rows.features, kinds))
    members = reductions.fit(way, estimators.unfitted(plain[-1]), matrix, rows.label, rows.protected)
    if not members:
        raise IncompatibleMitigation(
            f"{way.label} finds no predictor that is more than a constant",
            "loosen `bound`, or choose another mitigation",
        )
    for each in members:
        pipeline = Pipeline([("encode", plain[0]), (fitting.ESTIMATOR, each.predictor)])
        yield _Option(pipeline=pipeline, said={"place": each.place, "share": each.share})


def _uncorrelated(
    setting: Setting, plain: Pipeline, way: params.Mitigation, kinds: Mapping[str, scoring.Kind]
) -> Pipeline:
    """The estimator behind Fairlearn's correlation remover, which takes in the protected attributes too."""
    rows, known = setting.rows, group_thresholds.with_protected(kinds, setting.rows)
    encode = encoding.transformer(known).fit(scoring.inputs(rows.inputs(known), known))
    protected = [
        place for place, origin in enumerate(encoding.origins(encode)) if origin in rows.protected.columns
    ]
    inner = Pipeline(
        [
            ("remove", CorrelationRemover(sensitive_feature_ids=protected, alpha=way.alpha or 1.0)),
            (fitting.ESTIMATOR, estimators.unfitted(plain[-1])),
        ]
    )
    inner.fit(encode.transform(scoring.inputs(rows.inputs(known), known)), rows.label)
    return Pipeline([("encode", encode), (fitting.ESTIMATOR, inner)])


def _choose(setting: Setting, origin: _Origin, options: Sequence[_Option]) -> Candidate:
    """Measure every option on tune rows, each at its own threshold, and keep the one the rule chooses."""
    tried = [_measure(setting, origin, option) for option in options]
    made = selection_rule.choose([each.scored for each in tried])
    if len(options) == 1 and not options[0].said:
        return tried[0]
    members = [
        {
            **option.said,
            "utility": each.scored.utility,
            "threshold": each.threshold,
            "disparity": points(each.disparity),
            "chosen": place == made.chosen,
        }
        for place, (option, each) in enumerate(zip(options, tried, strict=True))
    ]
    return replace(tried[made.chosen], members=members)


def _measure(setting: Setting, origin: _Origin, option: _Option) -> Candidate:
    pipeline = fitting.single_threaded(option.pipeline)
    scores = scoring.score(pipeline, setting.tune.inputs(pipeline.feature_names_in_))
    if not np.all((scores >= 0) & (scores <= 1)):
        raise ConfigurationError(
            f"{origin.estimator.estimator} gives scores that are no probabilities", "choose another estimator"
        )
    cut, rule = option.cut or _cut(scores, setting)
    tune = thresholds.measure(scores, setting.tune.label, cut)
    decision = scoring.decide(scores, cut)
    disparity = tune_constraints.measure(setting.tune.protected, setting.tune.label, decision)
    return Candidate(
        estimator=origin.estimator,
        way=origin.way,
        fitted=replace(origin.fitted, pipeline=pipeline),
        weights=origin.weights,
        threshold=cut,
        threshold_rule=rule,
        tune=tune,
        disparity=disparity,
        scored=selection_rule.CandidateResult(
            utility=getattr(tune, setting.objective),
            held=tune_constraints.check_rules(setting.limits, disparity),
            unusable_because="it decides all tune rows alike"
            if tune.selection_rate in (0.0, 1.0, None)
            else None,
        ),
    )


def points(disparity: tune_constraints.Disparity) -> dict[str, dict[str, float | None]]:
    """The point values alone; None where a value is undefined."""
    return {metric: {name: each.value for name, each in by.items()} for metric, by in disparity.items()}


def _cut(scores: scoring.Scores, setting: Setting) -> tuple[float, str]:
    if setting.threshold.fixed is not None:
        return setting.threshold.fixed, "fixed in params.yaml"
    found = thresholds.choose(scores, setting.tune.label, setting.objective)
    return found, thresholds.RULE.format(objective=setting.objective)
