"""One candidate: an estimator fitted with a mitigation on train rows, measured on tune rows.

Of a mitigation that fits many predictors one becomes the candidate, by the rule that chooses among
candidates. Test rows never enter, and nothing is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from clearance import params
from clearance.data.tables import prepared
from clearance.models import (
    encoding,
    estimators,
    faults,
    fitting,
    scoring,
    selection_rule,
    thresholds,
    tune_constraints,
    tune_measurements,
)
from clearance.models.mitigation_spec import MitigationInputs, MitigationSpec, Option, RowWeights
from clearance.models.mitigations import MITIGATIONS
from clearance.policy.schema import Rule

OBJECTIVE: thresholds.Objective = "balanced_accuracy"
"""The utility where the threshold is fixed and no objective is set."""

COIN = 0.5
"""The ROC AUC of scores that say nothing about the label."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all candidates share: rows, types of the columns, choice of a threshold, limits, seed."""

    rows: prepared.Prepared
    tune: tune_measurements.TuneRows
    types: Mapping[str, str | None]
    threshold: params.Threshold
    limits: Sequence[Rule]
    seed: int

    @property
    def objective(self) -> thresholds.Objective:
        """The name of the metric that measures how useful a candidate is."""
        return (
            self.threshold.objective
            if self.threshold.fixed is None and self.threshold.objective
            else OBJECTIVE
        )


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A fitted pipeline with its threshold, its measurements on tune rows, and what it was made from.

    `figures` are what the policy's rules read. `members` lists the pipelines a mitigation fitted and which
    one was taken; None where it fits one only.
    """

    estimator: params.EstimatorChoice
    mitigation: params.Mitigation
    fitted: fitting.Fitted
    weights: RowWeights | None
    threshold: float
    threshold_rule: str
    tune: thresholds.DecisionMetrics
    disparity: tune_constraints.Disparity
    figures: tune_measurements.Figures
    result: selection_rule.CandidateResult
    members: list[dict[str, Any]] | None = None

    @property
    def pipeline(self) -> Pipeline:
        """What scores a row."""
        return self.fitted.pipeline

    @property
    def declared(self) -> MitigationSpec:
        """What the mitigation needs and how it ships."""
        return MITIGATIONS[self.mitigation.method]


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What a candidate is made from; `fitted` is the pipeline before the mitigation makes others of it."""

    estimator: params.EstimatorChoice
    mitigation: params.Mitigation
    fitted: fitting.Fitted
    weights: RowWeights | None


def fit(setting: Setting, chosen: params.EstimatorChoice, mitigation: params.Mitigation) -> Candidate:
    """Fit one estimator with one mitigation and measure the outcome on tune rows.

    Raises IncompatibleMitigation when the two do not go together, ConfigurationError when the estimator
    cannot be fitted, DataError when the rows cannot be used.
    """
    spec, rows = MITIGATIONS[mitigation.method], setting.rows
    kinds = scoring.kinds(rows.features, setting.types)
    estimator = estimators.build(chosen.estimator, chosen.arguments, setting.seed)
    if spec.needs_weights and not estimators.takes_weights(estimator):
        raise faults.NO_ROW_WEIGHTS(estimator=chosen.estimator, method=mitigation.method)
    weights = None if spec.weigh is None else spec.weigh(rows.protected, rows.label)
    encode = encoding.transformer(kinds, estimators.encoding_of(chosen.estimator))
    fitted = fitting.fit(
        Pipeline([("encode", encode), (fitting.ESTIMATOR, estimator)]),
        scoring.inputs(rows.features, kinds),
        rows.label,
        weights=None if weights is None else weights.weights,
        search=chosen.search,
        seed=setting.seed,
    )
    options = [Option(pipeline=fitted.pipeline)]
    if spec.fit is not None:
        inputs = MitigationInputs(
            mitigation=mitigation,
            pipeline=fitted.pipeline,
            rows=rows,
            tune=setting.tune.rows,
            kinds=kinds,
            objective=setting.objective,
        )
        with fitting.recorded_warnings(estimator) as complaints:
            options = list(spec.fit(inputs))
        fitted = replace(fitted, warnings=sorted({*fitted.warnings, *complaints}))
    parts = _Parts(estimator=chosen, mitigation=mitigation, fitted=fitted, weights=weights)
    return _choose(setting, parts, options)


def _choose(setting: Setting, parts: _Parts, options: Sequence[Option]) -> Candidate:
    """Measure every option on tune rows, each at its own threshold, and keep the one the rule chooses."""
    measured = [_measure(setting, parts, option) for option in options]
    choice = selection_rule.choose([candidate.result for candidate in measured])
    if len(options) == 1 and not options[0].details:
        return measured[0]
    members = [
        {
            **option.details,
            "utility": candidate.result.utility,
            "threshold": candidate.threshold,
            "disparity": points(candidate.disparity),
            "chosen": index == choice.chosen,
        }
        for index, (option, candidate) in enumerate(zip(options, measured, strict=True))
    ]
    return replace(measured[choice.chosen], members=members)


def _measure(setting: Setting, parts: _Parts, option: Option) -> Candidate:
    pipeline = fitting.single_threaded(option.pipeline)
    rows = setting.tune.rows
    scores = scoring.score(pipeline, rows.inputs(pipeline.feature_names_in_))
    if not np.all((scores >= 0) & (scores <= 1)):
        raise faults.SCORES_OUT_OF_RANGE(estimator=parts.estimator.estimator)
    cut, rule = option.cut or _cut(scores, setting)
    tune = thresholds.measure(scores, rows.label, cut)
    figures = tune_measurements.measure(setting.limits, setting.tune, scores, cut)
    return Candidate(
        estimator=parts.estimator,
        mitigation=parts.mitigation,
        fitted=replace(parts.fitted, pipeline=pipeline),
        weights=parts.weights,
        threshold=cut,
        threshold_rule=rule,
        tune=tune,
        disparity=tune_constraints.measure(rows.protected, rows.label, scoring.decide(scores, cut)),
        figures=figures,
        result=selection_rule.CandidateResult(
            utility=getattr(tune, setting.objective),
            rule_checks=tune_constraints.check_rules(setting.limits, figures),
            unusable_because=_unusable(tune),
        ),
    )


def _unusable(tune: thresholds.DecisionMetrics) -> str | None:
    """Why nobody could use decisions with these figures, whatever the policy says; None where one could."""
    if tune.selection_rate in (0.0, 1.0, None):
        return "it decides all tune rows alike"
    if tune.roc_auc is not None and tune.roc_auc < COIN:
        return f"it ranks tune rows worse than a coin would (ROC AUC {tune.roc_auc:.3f})"
    return None


def points(disparity: tune_constraints.Disparity) -> dict[str, dict[str, float | None]]:
    """The point values alone; None where a value is undefined."""
    return {
        metric: {attribute: measurement.value for attribute, measurement in by_attribute.items()}
        for metric, by_attribute in disparity.items()
    }


def _cut(scores: scoring.Scores, setting: Setting) -> tuple[float, str]:
    """The threshold, and the rule by which it was set, as the evidence states it."""
    if setting.threshold.fixed is not None:
        return setting.threshold.fixed, "fixed in params.yaml"
    cut = thresholds.choose(scores, setting.tune.rows.label, setting.objective)
    return cut, thresholds.RULE.format(objective=setting.objective)
