"""Failures planted one at a time in evidence that would pass, each measured by the real functions.

The gate must stop every one, with the right one of its four values, and name what is at fault.
"""

import datetime as dt
import itertools
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from clearance import params
from clearance.documents.evidence_document import BlockedDocument, MeasuredDocument
from clearance.documents.measurement import Measurement, Outcome
from clearance.errors import ConfigurationError
from clearance.policy import attempt_terms, judgement, policy_file, schema
from expectations import bias
from expectations import prepared_boundary as prepared_suite
from expectations.observed_table import ObservedTable
from tasks import assess, evaluate, validate
from tests.support import evidence, tables

PACK = Path(__file__).parent.parent / "policies/packs/engineering_default.yaml"
TODAY = dt.date(2026, 11, 22)
RACES, SEXES = ("Black", "Hispanic", "White"), ("female", "male")
BOTH = "race & sex"
KNOWN = {"race": RACES, "sex": SEXES, BOTH: [f"{race} & {sex}" for race in RACES for sex in SEXES]}
ROWS = 24_000
Scores = npt.NDArray[np.float64]


def gate(
    changes: dict[str, Any] | None = None,
    *,
    book: schema.Policy | None = None,
    protected: tuple[str, ...] = ("race", "sex"),
    as_of: dt.date = TODAY,
    **documents: dict[str, Any],
) -> judgement.Verdict:
    """The verdict on sound evidence with some documents replaced, under a policy with some keys replaced."""
    policy = book or schema.Policy.model_validate(written() | (changes or {}))
    declaration = judgement.Declaration(attributes=protected, target="approve", favourable=1)
    return judgement.judge(policy, sound() | documents, declaration, as_of)


def written() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(PACK.read_text())
    return content


def blocking(rule_id: str) -> dict[str, Any]:
    """The policy with this rule made a blocking one."""
    rules = [rule | ({"severity": "block"} if rule["id"] == rule_id else {}) for rule in written()["rules"]]
    assert rules != written()["rules"]
    return {"rules": rules}


def stopped_by(verdict: judgement.Verdict) -> set[tuple[str, str | None]]:
    """The blocking rules that made the verdict, with the attribute each was read for."""
    return {
        (finding.rule.id, finding.attribute)
        for finding in verdict.findings
        if finding.rule.severity == "block" and finding.outcome == verdict.outcome
    }


def people(seed: int = 3) -> pd.DataFrame:
    """Applicants whose skill, and whose outcome, do not depend on their race or sex."""
    random = np.random.default_rng(seed)
    skill = random.normal(size=ROWS)
    frame = pd.DataFrame(
        {
            "race": random.choice(RACES, ROWS, p=[0.3, 0.3, 0.4]).astype(object),
            "sex": random.choice(SEXES, ROWS).astype(object),
            "skill": skill,
            "noise": random.normal(size=ROWS),
            "label": (random.random(ROWS) < 1 / (1 + np.exp(-1 - 2 * skill))).astype(np.int8),
        }
    )
    frame["train"] = np.arange(ROWS) % 2 == 0
    return frame


def model(frame: pd.DataFrame, *features: str) -> tuple[pd.DataFrame, Scores]:
    """The test rows, and how a regression fitted on the train rows scores them."""
    train, test = frame[frame["train"]], frame[~frame["train"]]
    regression = LogisticRegression().fit(train[list(features)], train["label"])
    return test, regression.predict_proba(test[list(features)])[:, 1]


def measured(
    test: pd.DataFrame, scores: Scores, groups: Any = None, threshold: float = 0.5
) -> dict[str, Any]:
    """Performance and fairness of these scores on these rows, by attribute and at their intersection."""
    label = test["label"].to_numpy()
    choices = params.Evaluate(resamples=100)
    return {
        "performance": evaluate.evaluate(
            label=label,
            scores=scores,
            threshold=threshold,
            model_sha256=evidence.DIGEST,
            options=choices,
            seed=1,
            shares=attempt_terms.SHARES,
        ),
        "fairness": assess.assess(
            protected=test[["race", "sex"]].reset_index(drop=True),
            label=label,
            scores=scores,
            threshold=threshold,
            model_sha256=evidence.DIGEST,
            declared_groups=KNOWN if groups is None else groups,
            options=choices,
            seed=1,
            shares=attempt_terms.SHARES,
        ),
    }


def raw(features: list[str] | None = None, **columns: Any) -> dict[str, Any]:
    """The validation report of a raw table with these further columns, of which some are made features."""
    table = tables.applications(**columns)
    declared = tables.data(features=["income", "debt", "kind", *(features or [])])
    return validate.check_raw(table, declared, evidence.origin(rows=table.num_rows)).document


def labelled(frame: pd.DataFrame) -> dict[str, Any]:
    """The report of prepared tables in which no expectation failed, with the label rates by group."""
    parts = {prepared_suite.OF_LABEL: ["label"], prepared_suite.OF_PROTECTED: ["race", "sex"]}
    joined = pd.DataFrame({"row": frame.index.astype(str)})
    for prefix, columns in parts.items():
        joined[prefix + "row"] = joined["row"]
        for name in columns:
            joined[prefix + name] = frame[name].to_numpy()
    measure = bias.ExpectLabelBiasToBeMeasured(
        attributes=["race", "sex"],
        prefix=prepared_suite.OF_PROTECTED,
        rows=["row"],
        label=prepared_suite.OF_LABEL + "label",
        confidence=0.95,
    ).measure
    by_attribute = {name: measure(ObservedTable.of(joined), name) for name in ("race", "sex")}
    rates = {
        metric: {name: figures[metric] for name, figures in by_attribute.items()}
        for metric in by_attribute["race"]
    }
    return MeasuredDocument(measurements={"blocking_failures": Measurement(value=0)} | rates)


@cache
def sound() -> dict[str, Any]:
    """Evidence of a fair model on plentiful, valid data."""
    frame = people()
    test, scores = model(frame, "skill", "noise")
    nothing = Measurement(value=0)
    return {
        "validation_raw": raw(),
        "split": MeasuredDocument(measurements={"overlap": nothing}),
        "validation_prepared": labelled(frame),
        "explanation": MeasuredDocument(measurements={"additivity_error": Measurement(value=1e-12)}),
        "training": MeasuredDocument(measurements={"protected_at_decision": nothing}),
        **measured(test, scores),
    }


@cache
def fair() -> tuple[pd.DataFrame, Scores]:
    """Test rows and the scores of the fair model on them, to plant a failure in; not to be changed."""
    return model(people(), "skill", "noise")


# What must pass


def test_a_fair_model_on_plentiful_data_passes() -> None:
    verdict = gate()
    assert verdict.outcome == Outcome.PASS, verdict.reasons
    assert verdict.not_in_force == ()
    deciding = [finding for finding in verdict.findings if finding.rule.severity == "block"]
    assert {finding.outcome for finding in deciding} == {Outcome.PASS}
    assert {finding.attribute for finding in deciding} == {None, "race", "sex", BOTH}


# The data


def test_a_biased_label_is_named_in_the_data_and_in_what_the_model_learns_from_it() -> None:
    """Half the Black applicants who deserved it were denied; the district tells who is Black."""
    frame = people()
    random = np.random.default_rng(8)
    black = (frame["race"] == "Black").to_numpy()
    frame["label"] = np.where(black & (random.random(ROWS) < 0.5), 0, frame["label"]).astype(np.int8)
    frame["district"] = random.normal(size=ROWS) + 2 * black
    verdict = gate(validation_prepared=labelled(frame), **measured(*model(frame, "skill", "district")))
    assert verdict.outcome == Outcome.FAIL
    assert stopped_by(verdict) == {
        (f"demographic-parity-{kind}", by) for kind in ("difference", "ratio") for by in ("race", BOTH)
    }
    assert any("demographic parity difference by race is 0." in reason for reason in verdict.reasons)
    labels = {f.attribute: f.outcome for f in verdict.findings if f.rule.id == "labels-differ-by-group"}
    assert labels == {"race": Outcome.FAIL, "sex": Outcome.PASS}


def test_a_proxy_put_back_among_the_features_is_named() -> None:
    race = tables.applications().column("race").to_pylist()
    area = [{"Black": 7, "White": 4}[group] for group in race]
    verdict = gate(validation_raw=raw(["area"], area=area))
    assert verdict.outcome == Outcome.FAIL
    assert stopped_by(verdict) == {("raw-data-is-valid", None)}
    assert "`area` restates the protected attribute `race`" in verdict.reasons[0]


def test_a_model_that_uses_a_proxy_fails_even_if_nobody_saw_it_in_the_data() -> None:
    frame = people()
    random = np.random.default_rng(8)
    black = (frame["race"] == "Black").to_numpy()
    frame["label"] = np.where(black & (random.random(ROWS) < 0.6), 0, frame["label"]).astype(np.int8)
    frame["area"] = np.where(black, 7, 4)
    verdict = gate(**measured(*model(frame, "skill", "area")))
    assert verdict.outcome == Outcome.FAIL
    assert ("demographic-parity-ratio", "race") in stopped_by(verdict)
    assert all(by in ("race", BOTH) for _, by in stopped_by(verdict))


def test_a_leaked_column_is_named() -> None:
    labels = tables.applications().column("approved").to_pylist()
    letter = [{"yes": "offer", "no": "regret"}[label] for label in labels]
    verdict = gate(validation_raw=raw(["letter"], letter=letter))
    assert verdict.outcome == Outcome.FAIL
    assert stopped_by(verdict) == {("raw-data-is-valid", None)}
    assert "`letter`" in verdict.reasons[0]
    assert "determines the label `approved`" in verdict.reasons[0]


# The groups


def test_an_intersection_that_is_bad_while_both_margins_are_fine_fails() -> None:
    test, _ = fair()
    random = np.random.default_rng(5)
    frame = test.assign(race=random.choice(["Black", "White"], len(test)).astype(object))
    rate = np.where((frame["race"] == "Black") == (frame["sex"] == "female"), 0.3, 0.7)
    decision = random.random(len(frame)) < rate
    groups = {"race": RACES[::2], "sex": SEXES, BOTH: [f"{r} & {s}" for r in RACES[::2] for s in SEXES]}
    verdict = gate(fairness=measured(frame, decision.astype(float), groups)["fairness"])
    assert verdict.outcome == Outcome.FAIL
    assert stopped_by(verdict) == {
        ("demographic-parity-difference", BOTH),
        ("demographic-parity-ratio", BOTH),
    }
    assert all("by race & sex is 0." in reason for reason in verdict.reasons)
    margins = {
        finding.outcome
        for finding in verdict.findings
        if finding.attribute in ("race", "sex") and finding.rule.id.startswith("demographic-parity")
    }
    assert margins == {Outcome.PASS}


def test_a_group_without_one_favourable_label_has_no_true_positive_rate() -> None:
    """Fairlearn reads that rate as 0, or skips the group: both hide that nothing is known."""
    test, scores = fair()
    label = np.where(test["race"] == "Hispanic", 0, test["label"]).astype(np.int8)
    fairness = measured(test.assign(label=label), scores)["fairness"]
    verdict = gate(blocking("equalized-odds-difference"), fairness=fairness)
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert stopped_by(verdict) == {("equalized-odds-difference", "race"), ("equalized-odds-difference", BOTH)}
    assert "true positive rate: no rows to count in Hispanic" in verdict.reasons[0]
    assert "Hispanic & female, Hispanic & male" in verdict.reasons[1]


def test_a_group_of_which_nobody_is_chosen_fails() -> None:
    test, scores = fair()
    none = np.where(test["race"] == "Hispanic", 0.0, scores)
    verdict = gate(fairness=measured(test, none)["fairness"])
    assert verdict.outcome == Outcome.FAIL
    assert ("demographic-parity-ratio", "race") in stopped_by(verdict)
    assert any("demographic parity ratio by race is 0.0" in reason for reason in verdict.reasons)


USELESS = {(rule, None) for rule in ("decides-better-than-chance", "approves-about-as-many-as-the-labels")}
"""What stops a model that treats all groups alike and decides nothing."""


def without_evidence(verdict: judgement.Verdict) -> set[tuple[str, str | None]]:
    """The rules that could not be evaluated, with the attribute each was read for."""
    return {
        (finding.rule.id, finding.attribute)
        for finding in verdict.findings
        if finding.outcome == Outcome.NOT_EVALUATED
    }


def test_deciding_against_everybody_is_not_parity() -> None:
    test, scores = fair()
    verdict = gate(**measured(test, np.zeros_like(scores)))
    assert verdict.outcome == Outcome.FAIL
    assert stopped_by(verdict) == USELESS
    ratios = {("demographic-parity-ratio", by) for by in ("race", "sex", BOTH)}
    assert ratios | {("ranks-better-than-chance", None)} <= without_evidence(verdict)


def test_deciding_for_everybody_ranks_nobody() -> None:
    test, scores = fair()
    verdict = gate(**measured(test, np.ones_like(scores)))
    assert verdict.outcome == Outcome.FAIL
    assert stopped_by(verdict) == USELESS
    assert ("ranks-better-than-chance", None) in without_evidence(verdict)


def test_a_single_group_is_no_comparison() -> None:
    test, scores = fair()
    alone = test.assign(race="White")
    groups = {"race": ["White"], "sex": SEXES, BOTH: [f"White & {sex}" for sex in SEXES]}
    verdict = gate(fairness=measured(alone, scores, groups)["fairness"])
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert {by for _, by in stopped_by(verdict)} == {"race"}
    assert all("by race is undefined: a comparison needs two groups" in reason for reason in verdict.reasons)


def test_a_group_that_vanished_since_training_is_missed() -> None:
    """The rows that are left are fair: only who is gone tells that something is wrong."""
    test, scores = fair()
    mask = (test["race"] != "Hispanic").to_numpy()
    verdict = gate(**measured(test[mask], scores[mask]))
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert {by for _, by in stopped_by(verdict)} == {"race", BOTH}
    assert "by race is undefined: no rows to count in Hispanic" in verdict.reasons[0]
    assert any("Hispanic & female, Hispanic & male" in reason for reason in verdict.reasons)


def test_a_group_too_small_to_judge_is_insufficient_evidence_and_says_what_it_lacks() -> None:
    test, scores = fair()
    hispanic = (test["race"] == "Hispanic").to_numpy()
    few = ~hispanic | (np.cumsum(hispanic) <= 25)
    verdict = gate(**measured(test[few], scores[few]))
    assert verdict.outcome == Outcome.INSUFFICIENT_EVIDENCE
    assert {by for _, by in stopped_by(verdict)} == {"race", BOTH}
    assert "Hispanic has 25 (5 short)" in verdict.reasons[0]


def test_people_without_a_known_group_cannot_hide_in_it() -> None:
    test, scores = fair()
    hidden = test.assign(race=test["race"].where(np.arange(len(test)) % 10 != 0, None))
    verdict = gate(**measured(hidden, scores))
    assert verdict.outcome == Outcome.FAIL
    assert stopped_by(verdict) == {("protected-attributes-are-known", "race")}
    assert "share of rows without a known group by race is 0.1" in verdict.reasons[0]


# The numbers


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.1, 1.5])
def test_a_score_that_is_no_probability_leaves_nothing_evaluated(wrong: float) -> None:
    test, scores = fair()
    wrong_scores = scores.copy()
    wrong_scores[[3, 70]] = wrong
    verdict = gate(**measured(test, wrong_scores))
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert {by for _, by in stopped_by(verdict)} == {None, "race", "sex", BOTH}
    assert all(f"2 of {len(test)} scores are not probabilities" in reason for reason in verdict.reasons)


def test_a_model_that_knows_nothing_is_not_let_through() -> None:
    frame = people()
    verdict = gate(**measured(*model(frame, "noise")))
    assert verdict.outcome == Outcome.FAIL
    assert stopped_by(verdict) == USELESS
    (ranking,) = [finding for finding in verdict.findings if finding.rule.id == "ranks-better-than-chance"]
    assert ranking.outcome == Outcome.INSUFFICIENT_EVIDENCE
    assert ranking.measurement is not None and ranking.measurement.value == pytest.approx(0.49, abs=0.001)


@pytest.mark.parametrize("name", ["validation_raw", "split", "performance", "fairness", "explanation"])
def test_evidence_that_was_never_taken_is_missed(name: str) -> None:
    verdict = gate(**{name: BlockedDocument(because="validate_raw: 3 rows are wrong")})
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert all(f"{name} is blocked (validate_raw: 3 rows are wrong)" in reason for reason in verdict.reasons)


# The policy


def load(tmp_path: Path, **changes: Any) -> schema.Policy:
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(written() | changes))
    return policy_file.load(file)


def test_an_empty_policy_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, rules=[])
    assert error.value.code == "policy.not_valid" and "`rules`" in error.value.values["problems"]


def test_a_policy_that_only_warns_or_reports_passes_nobody(tmp_path: Path) -> None:
    tame = [rule | {"severity": "warn"} for rule in written()["rules"]]
    verdict = gate(book=load(tmp_path, rules=tame))
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert verdict.reasons == (
        "policy engineering-default has no rule in force on 2026-11-22 that decides and blocks",
    )


@pytest.mark.parametrize("name", ["age", "race & age", "race & race"])
def test_a_rule_for_an_attribute_the_policy_does_not_name_is_an_error(tmp_path: Path, name: str) -> None:
    more = [
        rule | {"attributes": [name], "id": "more"} for rule in written()["rules"] if "attributes" in rule
    ]
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, rules=[*written()["rules"], more[0]])
    assert error.value.code == "policy.not_valid" and name in error.value.values["problems"]


def test_a_rule_for_a_group_that_was_never_measured_is_missed(tmp_path: Path) -> None:
    """The policy and the parameters both name `age`; the evidence knows nothing of it."""
    aged = [
        rule | ({"attributes": [*rule["attributes"], "age"]} if "attributes" in rule else {})
        for rule in written()["rules"]
    ]
    book = load(tmp_path, rules=aged, attributes=["race", "sex", "age"])
    verdict = gate(book=book, protected=("race", "sex", "age"))
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert {by for _, by in stopped_by(verdict)} == {"age"}
    assert "fairness has no demographic_parity_difference for age" in verdict.reasons[0]


def test_an_attribute_the_parameters_do_not_declare_is_missed() -> None:
    verdict = gate(protected=("sex",))
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert "demands an assessment of `race`" in verdict.reasons[0]


def test_a_rule_for_a_metric_that_nobody_measures_is_missed(tmp_path: Path) -> None:
    unknown = written()["rules"]
    unknown[3] |= {"metric": "performance.luck"}
    verdict = gate(book=load(tmp_path, rules=unknown))
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert "performance has no luck" in verdict.reasons[0]


@pytest.mark.parametrize("day", [dt.date(2025, 12, 31), dt.date(2027, 1, 1)], ids=["before", "after"])
def test_a_policy_out_of_date_passes_nobody(tmp_path: Path, day: dt.date) -> None:
    dated = [rule | {"valid_until": "2026-12-31"} for rule in written()["rules"]]
    verdict = gate(book=load(tmp_path, rules=dated), as_of=day)
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert verdict.reasons == (
        f"policy engineering-default has no rule in force on {day} that decides and blocks",
    )
    assert len(verdict.not_in_force) == len(dated)
    assert gate(book=load(tmp_path, rules=dated)).outcome == Outcome.PASS


def test_a_policy_whose_fairness_rules_ran_out_passes_nobody(tmp_path: Path) -> None:
    """What is left in force would all pass; nobody looks at race or sex any more."""
    dated = [
        rule | ({"valid_until": "2026-06-30"} if "attributes" in rule else {}) for rule in written()["rules"]
    ]
    verdict = gate(book=load(tmp_path, rules=dated))
    assert verdict.outcome == Outcome.NOT_EVALUATED
    for name, reason in itertools.zip_longest(("race", "sex"), verdict.reasons):
        assert f"assessment of `{name}`, but no rule in force on 2026-11-22 reads it" in reason


# The order of things


def test_neither_the_order_of_rows_nor_the_names_of_groups_change_an_outcome() -> None:
    test, scores = fair()
    order = np.random.default_rng(0).permutation(len(test))
    names = {"Black": "White", "White": "Hispanic", "Hispanic": "Black"}
    frame = test.assign(race=test["race"].map(names))
    first = gate(**measured(test, scores))
    for documents in (measured(test.iloc[order], scores[order]), measured(frame, scores)):
        assert [f.outcome for f in gate(**documents).findings] == [f.outcome for f in first.findings]
