"""Every mitigation lowers a planted disparity; what ships is one deterministic, stored, explained model."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearance import params
from clearance.errors import ConfigurationError, DataError
from clearance.models import (
    attribution,
    candidate_search,
    candidates,
    model_file,
    scoring,
    tune_constraints,
    tune_measurements,
)
from clearance.models.mitigations import MITIGATIONS
from clearance.policy import policy_file, schema
from tasks import assess, evaluate, train
from tests.support import biased, learnable

AS_OF = dt.date(2026, 11, 22)
FRAME = biased.table()
TRAIN, TUNE, TEST = (learnable.split(FRAME, name) for name in ("train", "tune", "test"))
GAP = "demographic_parity_difference"
WAYS: dict[str, Any] = {
    "reweighing": "reweighing",
    "remover": "correlation_remover",
    "gradient": {"method": "exponentiated_gradient", "steps": 8},
    "gradient on odds": {"method": "exponentiated_gradient", "constraint": "equalized_odds", "steps": 8},
    "gradient on true positives": {
        "method": "exponentiated_gradient",
        "constraint": "true_positive_rate_parity",
        "steps": 8,
    },
    "grid": {"method": "grid_search", "steps": 12},
    "thresholds": "threshold_optimizer",
    "thresholds on true positives": {
        "method": "threshold_optimizer",
        "constraint": "true_positive_rate_parity",
    },
}
BLIND = [
    name
    for name, way in WAYS.items()
    if not MITIGATIONS[
        params.Train(estimator="x", mitigation=way).grid[0][1].method
    ].needs_protected_at_decision
]


def rule(metric: str = f"fairness.{GAP}", **more: Any) -> schema.Rule:
    full = {"id": "even", "metric": metric, "limit": {"at_most": 0.05}, "kind": "engineering"}
    full |= {"source": "the test", "valid_from": "2026-01-01", "severity": "block"}
    return schema.Rule.model_validate(full | {"decides_by": "interval", "attribute": "race"} | more)


EVEN = tune_constraints.Constraints(rules=(rule(),), protected="allowed")
ODDS = tune_constraints.Constraints(rules=(rule("fairness.equalized_odds_difference"),), protected="allowed")


def select(demands: tune_constraints.Constraints = EVEN, **choice: Any) -> candidate_search.Selection:
    section = params.Train.model_validate({"protected_at_decision": True} | choice)
    return train.train(TRAIN, TUNE, learnable.data(), section, 1, demands)


@cache
def fitted(name: str) -> candidates.Candidate:
    way = {"none": "none", **WAYS}[name]
    return select(demands(name), estimator="logistic_regression", mitigation=way).chosen


def demands(name: str) -> tune_constraints.Constraints:
    """What a mitigation's constraint is about is what its members are chosen by."""
    odds = "odds" in name or "true positives" in name
    return ODDS if odds else EVEN


def on_test(candidate: candidates.Candidate) -> tuple[float, float]:
    """Demographic parity difference and equal opportunity difference by race, on test rows, by hand."""
    rows = TEST.inputs(candidate.pipeline.feature_names_in_)
    yes = scoring.decide(scoring.score(candidate.pipeline, rows), candidate.threshold)
    black = (TEST.protected["race"] == "Black").to_numpy()
    able = TEST.label == 1
    return (
        abs(float(yes[black].mean() - yes[~black].mean())),
        abs(float(yes[black & able].mean() - yes[~black & able].mean())),
    )


def test_the_planted_bias_is_there() -> None:
    parity, opportunity = on_test(fitted("none"))
    assert parity > 0.4
    assert opportunity > 0.2


@pytest.mark.parametrize("name", WAYS)
def test_each_mitigation_lowers_the_disparity_on_rows_it_never_saw(name: str) -> None:
    before, after = on_test(fitted("none")), on_test(fitted(name))
    if "true positives" in name or "odds" in name:
        assert after[1] < before[1] - 0.05
    else:
        assert after[0] < before[0] - 0.1
    assert fitted(name).tune.balanced_accuracy is not None


def test_bounded_group_loss_is_fitted_ships_and_parts_scores() -> None:
    for method in ("grid_search", "exponentiated_gradient"):
        way = {"method": method, "constraint": "bounded_group_loss", "bound": 0.2, "steps": 8}
        candidate = select(estimator="logistic_regression", mitigation=way).chosen
        assert candidate.members
        assert np.unique(scoring.score(candidate.pipeline, TEST.features)).size > 10


@pytest.mark.parametrize("name", WAYS)
def test_two_fits_give_the_same_bytes_and_what_is_stored_scores_alike(name: str, tmp_path: Path) -> None:
    again = select(demands(name), estimator="logistic_regression", mitigation=WAYS[name]).chosen
    digests = [
        model_file.save(candidate.pipeline, tmp_path / f"{at}.skops")
        for at, candidate in enumerate((fitted(name), again))
    ]
    assert digests[0] == digests[1]
    pipeline = model_file.load(tmp_path / "0.skops", digests[0])
    rows = TEST.inputs(pipeline.feature_names_in_)
    scores = scoring.score(pipeline, rows)
    assert np.array_equal(scores, scoring.score(fitted(name).pipeline, rows))
    assert np.array_equal(scores, scoring.score(pipeline, rows))


@pytest.mark.parametrize("name", WAYS)
def test_shap_explains_what_ships_and_names_the_protected_attribute_where_it_is_used(name: str) -> None:
    pipeline = fitted(name).pipeline
    rows, background = (split.inputs(pipeline.feature_names_in_) for split in (TEST, TRAIN))
    explanation = attribution.attribute(pipeline, rows.head(30), background.head(30), 1)
    assert explanation.additivity_error < 1e-6
    assert ("race" in explanation.contributions.columns) == (name not in BLIND)
    if name not in BLIND:
        assert explanation.contributions["race"].abs().max() > 0.01


@pytest.mark.parametrize("name", ["none", *BLIND])
def test_what_declares_no_need_decides_without_protected_columns(name: str) -> None:
    pipeline = fitted(name).pipeline
    assert not set(pipeline.feature_names_in_) & set(learnable.PROTECTED)
    bare = TEST.features.drop(columns=[name for name in learnable.PROTECTED if name in TEST.features])
    assert np.isfinite(scoring.score(pipeline, bare)).all()


def test_what_declares_a_need_cannot_decide_without_them_and_says_so() -> None:
    for name in set(WAYS) - set(BLIND):
        with pytest.raises(DataError) as excinfo:
            scoring.score(fitted(name).pipeline, TEST.features)
        assert excinfo.value.code == "models.features_missing"
        assert excinfo.value.values["features"] == "race, sex"


def test_a_group_nobody_saw_gets_the_threshold_of_all_rows() -> None:
    pipeline = fitted("thresholds").pipeline
    rows = TEST.inputs(pipeline.feature_names_in_).head(50)
    strange = scoring.score(pipeline, rows.assign(race="Martian", sex="other"))
    plain = scoring.score(fitted("none").pipeline, TEST.features.head(50))
    assert np.array_equal(strange >= 0.5, plain >= fitted("none").threshold)


def test_the_thresholds_in_the_record_are_the_ones_that_decide() -> None:
    candidate = fitted("thresholds")
    assert candidate.members
    plain = scoring.score(fitted("none").pipeline, TEST.features)
    yes = scoring.decide(
        scoring.score(candidate.pipeline, TEST.inputs(candidate.pipeline.feature_names_in_)),
        candidate.threshold,
    )
    names = TEST.protected["race"] + " & " + TEST.protected["sex"]
    cuts = {cut["group"]: cut["threshold"] for cut in candidate.members[0]["cuts"]}
    assert len(cuts) == 4
    assert np.array_equal(yes, plain >= names.map(cuts).to_numpy())


@pytest.mark.parametrize("name", ["gradient", "grid"])
def test_the_member_that_ships_is_one_of_those_listed_and_measured_afresh(name: str) -> None:
    candidate = fitted(name)
    assert candidate.members
    (winner,) = [member for member in candidate.members if member["chosen"]]
    scores = scoring.score(candidate.pipeline, TUNE.features)
    assert winner["disparity"] == candidates.points(
        tune_constraints.measure(TUNE.protected, TUNE.label, scores >= candidate.threshold)
    )
    assert winner["utility"] == candidate.tune.balanced_accuracy
    if name == "gradient":
        assert sum(member["share"] for member in candidate.members) == pytest.approx(1)


GRID = {"estimators": ["logistic_regression"], "mitigations": ["reweighing", WAYS["grid"]]}


def test_a_grid_tries_all_and_none_among_them_and_chooses_by_the_rule() -> None:
    selection = select(candidates=GRID)
    assert [candidate.mitigation.method for candidate in selection.tried] == [
        "none",
        "reweighing",
        "grid_search",
    ]
    assert selection.choice.keeps_every_rule
    assert selection.chosen.mitigation.method == "grid_search"
    assert selection.before is selection.tried[0]
    alone = fitted("grid")
    assert np.allclose(
        scoring.score(selection.chosen.pipeline, TEST.features), scoring.score(alone.pipeline, TEST.features)
    )


def test_a_candidate_that_cannot_be_fitted_is_listed_with_its_reason() -> None:
    near = "sklearn.neighbors.KNeighborsClassifier"
    selection = select(candidates={"estimators": [near], "mitigations": ["reweighing"]})
    assert isinstance(selection.tried[1], candidate_search.SkippedCandidate)
    assert "takes no row weights" in selection.tried[1].reason
    assert selection.chosen.mitigation.method == "none"


def test_a_misspelt_candidate_fails_the_whole_grid() -> None:
    with pytest.raises(ConfigurationError, check=lambda error: error.code == "models.unknown_estimator"):
        select(candidates={"estimators": ["logistic_regression", "logistic"], "mitigations": ["none"]})


NEEDY = [name for name, each in MITIGATIONS.items() if each.needs_protected_at_decision]


@pytest.mark.parametrize("method", NEEDY)
def test_protected_attributes_at_decision_need_the_parameters_and_the_policy(method: str) -> None:
    alone = {"estimator": "logistic_regression", "mitigation": method}
    many = {"candidates": {"estimators": ["logistic_regression"], "mitigations": [method]}}
    for choice in (alone, many):
        with pytest.raises(ConfigurationError) as excinfo:
            select(**choice, protected_at_decision=False)
        assert (excinfo.value.code, excinfo.value.values["methods"]) == (
            "models.protected_not_allowed",
            method,
        )
    with pytest.raises(ConfigurationError) as excinfo:
        select(train.NO_CONSTRAINTS, **alone)
    assert excinfo.value.code == "models.no_candidate_fitted"
    for stance, reason in (("not named", "no rule of the policy"), ("forbidden", "the policy forbids")):
        selection = select(tune_constraints.Constraints(protected=stance), **many)  # type: ignore[arg-type]
        assert isinstance(selection.tried[1], candidate_search.SkippedCandidate)
        assert reason in selection.tried[1].reason
        assert selection.chosen.mitigation.method == "none"
    candidate = select(tune_constraints.Constraints(protected="forbidden"), **alone).chosen
    assert candidate.declared.needs_protected_at_decision


def test_what_the_policy_says_about_protected_attributes() -> None:
    book = policy_file.load(learnable.ROOT / "policies/demo.yaml")

    def stance(*more: schema.Rule) -> str:
        own = tuple(entry for entry in book.rules if entry.document != "training")
        return tune_constraints.from_policy(book.model_copy(update={"rules": (*own, *more)}), AS_OF).protected

    exact: dict[str, Any] = {
        "metric": "training.protected_at_decision",
        "attribute": None,
        "decides_by": "point",
    }
    forbid = rule(**exact, id="blind", limit={"at_most": 0})
    assert stance() == "not named"
    assert stance(forbid) == "forbidden"
    assert stance(forbid.model_copy(update={"valid_from": dt.date(2027, 1, 1)})) == "not named"
    assert stance(rule(**exact, limit={"at_most": 1})) == "allowed"
    assert stance(rule(**exact | {"decides_by": "presence"}, limit=None)) == "allowed"
    assert stance(rule(**exact | {"decides_by": "report_only"}, limit=None)) == "allowed"
    assert stance(rule(**exact, severity="warn", limit={"at_most": 0})) == "allowed"


def test_only_rules_that_decide_and_block_bind_a_candidate_and_what_is_not_measured_is_listed() -> None:
    book = policy_file.load(learnable.ROOT / "policies/demo.yaml")
    rules = tune_constraints.from_policy(book, AS_OF).rules
    assert {constraint.document for constraint in rules} == {"fairness", "performance", "explanation"}
    assert all(constraint.severity == "block" for constraint in rules)
    figures = measured_rules(rules, TUNE.label.astype(float))
    unmeasured = tune_constraints.unmeasured_rules(rules, figures)
    assert unmeasured
    assert {entry.id for entry in rules if entry.document == "explanation"} == {*unmeasured}
    foreign = rule("fairness.no_such_metric", id="foreign")
    assert tune_constraints.check_rules((foreign,), figures) == ()
    assert tune_constraints.unmeasured_rules((foreign, rule()), figures) == ["foreign by race"]
    over, ratio = (
        tune_constraints.check_rules((constraint,), figures)[0]
        for constraint in (rule(), rule("fairness.demographic_parity_ratio", limit={"at_least": 0.8}))
    )
    gap, share = (
        figures[f"fairness.demographic_parity_{name}"]["race"].value for name in ("difference", "ratio")
    )
    assert gap is not None
    assert share is not None
    assert over.excess == pytest.approx(gap - 0.05)
    assert ratio.excess == pytest.approx(0.8 - share)


def measured_rules(
    rules: Sequence[schema.Rule], scores: scoring.Scores, **options: Any
) -> tune_measurements.Figures:
    tune = tune_measurements.TuneRows.of(TUNE, learnable.data(), params.Evaluate(**options), 1)
    return tune_measurements.measure(rules, tune, scores, 0.5)


def test_what_a_rule_reads_on_tune_rows_is_what_the_stages_measure_on_any_rows() -> None:
    """Every number of the performance and the fairness document, by attribute and by intersection."""
    scores = np.random.default_rng(1).random(len(TUNE.label))
    rules = (rule("performance.roc_auc", attribute=None), rule(attribute="race & sex"), rule())
    figures = measured_rules(rules, scores, bins=7)
    shared: dict[str, Any] = {
        "label": TUNE.label,
        "scores": scores,
        "threshold": 0.5,
        "model_sha256": "0" * 64,
    }
    options = params.Evaluate(bins=7)
    performance = evaluate.evaluate(**shared, options=options, seed=1)
    fairness = assess.assess(**shared, options=options, seed=1, protected=TUNE.protected, declared_groups={})
    expected = {f"performance.{name}": {None: one.value} for name, one in performance.measurements.items()}
    expected |= {
        f"fairness.{name}": {over: by_name[over].value for over in ("race", "race & sex")}
        for name, by_name in fairness.measurements.items()
    }
    assert {
        name: {over: one.value for over, one in by_name.items()} for name, by_name in figures.items()
    } == expected
    assert measured_rules((rule("explanation.rows", attribute=None),), scores) == {}


def test_every_blocking_rule_that_tune_rows_can_tell_is_honoured() -> None:
    """The most useful candidate breaks a rule on performance alone, or one on an intersection alone."""
    grid = {"estimators": ["logistic_regression"], "mitigations": ["none", WAYS["grid"]]}
    free = select(tune_constraints.Constraints(protected="allowed"), candidates=grid)
    mitigated = next(each for each in free.fitted if each.mitigation.method == "grid_search")
    assert free.chosen.mitigation.method == "none"
    for constraint in (
        rule(attribute="race & sex", limit={"at_most": 0.3}),
        rule("fairness.scoring_rate_ratio", limit={"at_least": 0.6}),
    ):
        demands = tune_constraints.Constraints(rules=(constraint,), protected="allowed")
        assert select(demands, candidates=grid).chosen.mitigation.method == "grid_search", constraint
    auc = [each.tune.roc_auc for each in (free.chosen, mitigated)]
    assert auc[0] > auc[1] + 0.01  # type: ignore[operator]
    able = rule("performance.roc_auc", id="able", attribute=None, limit={"at_least": auc[0] - 0.005})  # type: ignore[operator]
    both = tune_constraints.Constraints(rules=(rule(limit={"at_most": 0.1}), able), protected="allowed")
    selection = select(both, candidates=grid)
    broken = {
        each.mitigation.method: {check.rule: check.excess for check in each.result.rule_checks}
        for each in selection.fitted
    }
    assert broken["none"]["able"] == 0
    assert broken["grid_search"]["able"] > 0  # type: ignore[operator]


def test_a_model_worse_than_a_coin_is_of_no_use_whatever_rules_it_keeps() -> None:
    upside_down = dataclasses.replace(TUNE, label=1 - TUNE.label)
    section = params.Train(estimator="logistic_regression")
    candidate = train.train(TRAIN, upside_down, learnable.data(), section, 1).chosen
    assert candidate.tune.roc_auc is not None
    assert candidate.tune.roc_auc < candidates.COIN
    assert candidate.result.unusable_because is not None
    assert fitted("none").result.unusable_because is None


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({}, "set either one `estimator`, or `candidates`, or `external`"),
        ({"estimator": "x", "candidates": GRID}, "set either one"),
        ({"candidates": GRID, "mitigation": "none"}, "put it into `candidates`"),
        ({"estimator": "x", "mitigation": {"method": "reweighing", "bound": 0.1}}, "`bound` belongs to"),
        ({"estimator": "x", "mitigation": {"method": "grid_search", "alpha": 0.1}}, "`alpha` belongs to"),
        (
            {"estimator": "x", "mitigation": {"method": "grid_search", "constraint": "bounded_group_loss"}},
            "needs `bound`",
        ),
        (
            {
                "estimator": "x",
                "mitigation": {"method": "threshold_optimizer", "constraint": "bounded_group_loss"},
            },
            "not a constraint of threshold_optimizer",
        ),
        ({"candidates": {"estimators": ["x"], "mitigations": ["none", "none"]}}, "listed twice"),
    ],
)
def test_a_section_that_says_two_things_or_none_is_refused(section: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        params.Train.model_validate(section)
