"""Mistakes that newcomers make, each found before the first stage, with its code and its hint."""

import ast
import copy
import datetime as dt
import gzip
import itertools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier

from clearance import params
from clearance import yaml as clearance_yaml
from clearance.errors import ConfigurationError
from clearance.models import estimators, mitigations
from clearance.params.model_choices import DECIDES_BY_PROTECTED, WEIGHS_ROWS
from clearance.policy.schema import Policy
from clearance.preflight import check, class_source, estimator_checks, policy_checks
from tests.support import judged

ROOT = Path(__file__).parent.parent
Content = dict[str, Any]

HEADER = "applicant,gender,skill,years,city,applied,invited\n"
ROWS = "".join(
    f"{n},{'woman' if n % 2 else 'man'},{n % 7}.5,{n % 9},north,2026-01-{1 + n % 28:02},"
    f"{'yes' if n % 3 else 'no'}\n"
    for n in range(60)
)
PARAMS: Content = {
    "name": "hiring",
    "experiment": "hiring",
    "seed": 7,
    "source": {"kind": "file", "path": "data/source/applicants.csv"},
    "data": {
        "row_key": "applicant",
        "target": "invited",
        "favourable": "yes",
        "rows_min": 50,
        "protected": ["gender"],
        "features": ["skill", "years", "city"],
        "columns": {"gender": {"values": ["man", "woman"]}, "invited": {"values": ["no", "yes"]}},
    },
    "split": {"train": 0.5, "tune": 0.2, "test": 0.3},
    "train": {"estimator": "logistic_regression", "arguments": {"C": 0.1}},
    "evaluate": {},
    "explain": {},
    "policy": {"file": "policies/hiring.yaml", "as_of": "2026-11-22"},
    "overrides": {},
}


class Newcomer:
    """A small project of somebody's own, with its files as values to spoil."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.params = copy.deepcopy(PARAMS)
        self.policy = yaml.safe_load((ROOT / "policies/demo.yaml").read_text())
        self.policy |= {"attributes": ["gender"], "favourable": {"target": "invited", "value": "yes"}}
        del self.policy["reasons"]  # about credit
        for rule in self.policy["rules"]:
            if "attributes" in rule:
                rule["attributes"] = ["gender"]
        self.authorised: Content = {"hiring": {"policy": "policies/hiring.yaml", "tier": "demonstration"}}
        self.table = (HEADER + ROWS).encode()
        self.lock = (ROOT / "requirements.lock").read_text()
        self.card: Content | None = clearance_yaml.loads((ROOT / "card.yaml").read_text()) | {
            "model": "hiring"
        }

    def rule(self, name: str) -> Content:
        rule: Content = next(rule for rule in self.policy["rules"] if rule["id"] == name)
        return rule

    def check(self) -> dict[str, bool]:
        """The codes of its problems, each with whether it blocks a run."""
        (self.root / "data/source").mkdir(parents=True, exist_ok=True)
        (self.root / "policies").mkdir(exist_ok=True)
        source = self.root / "data/source/applicants.csv"
        if not source.exists():
            source.write_bytes(self.table)
        for name in ("dvc.yaml", "policies/roles.yaml"):
            shutil.copy(ROOT / name, self.root / name)
        self.write("requirements.lock", self.lock)
        if self.card is not None:
            self.write("card.yaml", json.dumps(self.card, default=str))
        self.write("params.yaml", self.params)
        self.write("policies/hiring.yaml", self.policy)
        self.write("policies/authorised.yaml", {"models": self.authorised})
        return {problem.error.code: problem.blocks for problem in check.check(self.root)}

    def write(self, name: str, content: Any) -> None:
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        (self.root / name).write_text(text)


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path)


def test_a_sound_project_has_no_problem(newcomer: Newcomer) -> None:
    assert newcomer.check() == {}


def test_the_demo_has_no_problem() -> None:
    assert check.check(ROOT) == []


def of(key: str, value: Any) -> Callable[[Newcomer], None]:
    """The mistake of a key in params.yaml; None removes it."""

    def spoil(newcomer: Newcomer) -> None:
        *way, last = key.split(".")
        place: Any = newcomer.params
        for part in way:
            place = place[part]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return spoil


def in_policy(key: str, value: Any) -> Callable[[Newcomer], None]:
    """The mistake of a key of the policy."""
    return lambda newcomer: newcomer.policy.update({key: value})


def reasoned(texts: str) -> Callable[[Newcomer], None]:
    """A policy that says how refusals are reasoned, and this content of reasons.yaml."""

    def spoil(newcomer: Newcomer) -> None:
        terms = {"kind": "legal", "source": "12 CFR 1002.9(b)(2)", "valid_from": "2026-01-01"}
        newcomer.policy |= {"reasons": terms}
        (newcomer.root / "reasons.yaml").write_text(texts)

    return spoil


def in_card(key: str, value: Any) -> Callable[[Newcomer], None]:
    """The mistake of a key in card.yaml."""
    return lambda newcomer: newcomer.card.update({key: value})  # type: ignore[union-attr]


def without_card(newcomer: Newcomer) -> None:
    newcomer.card = None


def in_rule(name: str, **keys: Any) -> Callable[[Newcomer], None]:
    """The mistake in a rule of the policy."""
    return lambda newcomer: newcomer.rule(name).update(keys)


def without_attributes(newcomer: Newcomer) -> None:
    del newcomer.rule("equalized-odds-difference")["attributes"]


def table(text: bytes) -> Callable[[Newcomer], None]:
    """Another table."""
    return lambda newcomer: setattr(newcomer, "table", text)


def authorise(entry: Content | None) -> Callable[[Newcomer], None]:
    """Another list of authorised policies."""
    return lambda newcomer: setattr(newcomer, "authorised", {} if entry is None else {"hiring": entry})


def candidates(newcomer: Newcomer) -> None:
    newcomer.params["train"] = {
        "candidates": {"estimators": ["logistic_regression", "random_forrest"], "mitigations": ["none"]}
    }


def a_pack(newcomer: Newcomer) -> None:
    newcomer.policy |= {"demo": False}
    newcomer.policy["promotion"]["contract_pinned"] = True


def header_and_select(newcomer: Newcomer) -> None:
    newcomer.table = HEADER.encode()
    newcomer.params["source"]["select"] = "SELECT *, years > 5 AS senior FROM source"


def a_backup(newcomer: Newcomer) -> None:
    folder = newcomer.root / "data/source"
    folder.mkdir(parents=True)
    (folder / "old.csv.bak").write_text(HEADER)
    newcomer.params["source"]["path"] = "data/source"


def search(**keys: Any) -> Callable[[Newcomer], None]:
    return of("train.search", {"grid": {"C": [0.1, 1]}, **keys})


ERRORS = {
    "no card.yaml": (without_card, "reporting.card_text_missing"),
    "an unknown section of card.yaml": (in_card("intended_uses", []), "reporting.card_text_not_valid"),
    "a sentence without a name": (
        in_card("contacts", [{"text": "Ask.", "on": "2026-11-01"}]),
        "reporting.card_text_not_valid",
    ),
    "a sentence that shows nothing": (
        in_card("contacts", [{"text": "\u200b ", "by": "A. Person", "on": "2026-11-01"}]),
        "reporting.card_text_not_valid",
    ),
    "a sentence of the future": (
        in_card("limits", [{"text": "Few rows.", "by": "A. Person", "on": "9999-11-01"}]),
        "preflight.card_sentence_ahead",
    ),
    "a day that no calendar has": (
        in_card("limits", [{"text": "Few rows.", "by": "A. Person", "on": "2026-13-45"}]),
        "reporting.card_text_not_valid",
    ),
    "a misspelt key": (of("sede", 7), "params.invalid"),
    "a missing section": (of("split", None), "params.invalid"),
    "a section that DVC tracks is missing": (of("evaluate", None), "preflight.section_missing"),
    "no data section": (of("data", None), "params.invalid"),
    "a day to come": (of("policy.as_of", "9999-12-31"), "preflight.as_of_in_future"),
    "a seed that is true": (of("seed", True), "params.invalid"),
    "a negative seed": (of("seed", -1), "params.invalid"),
    "a name with a blank": (of("name", "my model"), "params.invalid"),
    "shares that do not add up": (of("split.test", 0.5), "params.invalid"),
    "a protected attribute as a feature": (of("data.features", ["gender", "skill"]), "params.invalid"),
    "the target as a feature": (of("data.features", ["invited", "skill"]), "params.invalid"),
    "no features": (of("data.features", []), "params.invalid"),
    "nothing protected": (of("data.protected", []), "params.invalid"),
    "a feature listed twice": (of("data.features", ["skill", "years", "skill"]), "params.invalid"),
    "a protected attribute listed twice": (of("data.protected", ["gender", "gender"]), "params.invalid"),
    "a text where a list belongs": (of("data.protected", "gender"), "params.invalid"),
    "min above max is no number": (of("data.columns", {"skill": {"min": "low"}}), "params.invalid"),
    "an unknown type": (of("data.columns", {"skill": {"type": "float"}}), "params.invalid"),
    "an unknown mitigation": (of("train.mitigation", "reweighting"), "params.invalid"),
    "a threshold twice": (of("train.threshold", {"fixed": 0.5, "objective": "f1"}), "params.invalid"),
    "an unknown kind of source": (of("source.kind", "csv"), "params.invalid"),
    "a key of another kind of source": (of("source.query", "SELECT 1"), "params.invalid"),
    "a pattern in the path": (of("source.path", "data/source/*.csv"), "params.invalid"),
    "a day that does not exist": (of("policy.as_of", "2026-02-30"), "params.invalid"),
    "a misspelt estimator": (of("train.estimator", "logistic_regresion"), "preflight.unknown_estimator"),
    "a misspelt class": (
        of("train.estimator", "sklearn.linear_model.LogisticRegresion"),
        "preflight.unknown_estimator",
    ),
    "a misspelt candidate": (candidates, "preflight.unknown_estimator"),
    "an estimator that is not installed": (
        of("train.estimator", "no_such_package.Classifier"),
        "models.package_not_installed",
    ),
    "an unknown argument": (of("train.arguments", {"c": 1}), "models.unknown_argument"),
    "a value outside the range": (of("train.arguments", {"C": -1}), "preflight.argument_value"),
    "a word that is no option": (of("train.arguments", {"solver": "lbfg"}), "preflight.argument_value"),
    "a value of a search outside the range": (search(grid={"C": [0.1, 0]}), "preflight.argument_value"),
    "a regressor": (of("train.estimator", "sklearn.linear_model.Ridge"), "preflight.no_probabilities"),
    "a margin without probabilities": (
        of("train", {"estimator": "sklearn.svm.LinearSVC"}),
        "preflight.no_probabilities",
    ),
    "an estimator outside the lock": (
        lambda newcomer: setattr(newcomer, "lock", "numpy==2.0\n"),
        "preflight.not_locked",
    ),
    "a mitigation that needs weights": (
        of("train", {"estimator": "sklearn.neighbors.KNeighborsClassifier", "mitigation": "reweighing"}),
        "preflight.no_row_weights",
    ),
    "a mitigation that needs the attribute": (
        of("train.mitigation", "threshold_optimizer"),
        "preflight.protected_not_allowed",
    ),
    "an unknown scoring": (search(scoring="auc"), "preflight.unknown_scoring"),
    "an unknown argument in a search": (search(grid={"c": [1]}), "models.unknown_argument"),
    "a table that is not there": (of("source.path", "data/source/applicant.csv"), "data.source_missing"),
    "a header alone": (table(HEADER.encode()), "data.no_rows"),
    "a header alone and a select": (header_and_select, "data.no_rows"),
    "a select of no row": (
        of("source.select", "SELECT * FROM source WHERE years > 99"),
        "data.no_rows_selected",
    ),
    "a target of one value": (
        table((HEADER + ROWS).replace(",no\n", ",yes\n").encode()),
        "preflight.target_of_one_class",
    ),
    "the target as the entity": (of("data.entity", "invited"), "params.invalid"),
    "the target as the row key": (of("data.row_key", "invited"), "params.invalid"),
    "a split by a column that holds no days": (
        of("split.time", {"column": "city", "test_from": "2026-01-20"}),
        "preflight.time_not_dates",
    ),
    "another delimiter": (table((HEADER + ROWS).replace(",", ";").encode()), "data.single_column"),
    "no header": (table(b"1,2,3\n4,5,6\n"), "data.header_of_numbers"),
    "an empty file": (table(b""), "data.no_header"),
    "two columns of one name": (table(b"a,A\n1,2\n"), "data.duplicate_columns"),
    "a column without a name": (table(b",a\n0,1\n"), "data.unnamed_column"),
    "a misspelt row key": (of("data.row_key", "applicants"), "preflight.column_missing"),
    "a misspelt target": (of("data.target", "Invited"), "preflight.column_missing"),
    "a misspelt attribute": (of("data.protected", ["sex"]), "preflight.column_missing"),
    "a misspelt feature": (of("data.features", ["skil"]), "preflight.column_missing"),
    "a misspelt encoding": (of("data.protected_encodings", ["gendr"]), "preflight.column_missing"),
    "a misspelt column after the outcome": (of("data.after_outcome", ["salery"]), "preflight.column_missing"),
    "a misspelt column in all_but": (of("data.features", {"all_but": ["citty"]}), "preflight.column_missing"),
    "a rule for no column": (of("data.columns", {"skll": {"min": 0}}), "preflight.column_missing"),
    "a split by no column": (
        of("split.time", {"column": "decided", "test_from": "2026-01-20"}),
        "preflight.column_missing",
    ),
    "every column left out": (
        of("data.features", {"all_but": ["skill", "years", "city", "applied"]}),
        "preflight.no_features",
    ),
    "a select with a misspelt column": (
        of("source.select", "SELECT * EXCLUDE (skil) FROM source"),
        "data.select_not_usable",
    ),
    "a select of another table": (of("source.select", "SELECT * FROM applicants"), "data.select_not_usable"),
    "a select that draws": (
        of("source.select", "SELECT *, random() AS r FROM source"),
        "data.select_not_repeatable",
    ),
    "a variable that is not set": (
        of("source", {"kind": "sql", "path": "data/source/a", "url_env": "NOT_SET", "query": "SELECT 1"}),
        "data.url_not_set",
    ),
    "a favourable value outside the list": (
        of("data.columns", {"invited": {"values": ["ja", "nein"]}}),
        "preflight.favourable_not_declared",
    ),
    "a reference group of no attribute": (
        of("evaluate", {"reference": {"gendre": "man"}}),
        "preflight.reference_not_protected",
    ),
    "a misspelt reference group": (
        of("evaluate", {"reference": {"gender": "men"}}),
        "preflight.reference_not_declared",
    ),
    "a policy that is not there": (of("policy.file", "policies/hirring.yaml"), "params.file_missing"),
    "a misspelt key of the policy": (in_policy("atributes", ["gender"]), "policy.not_valid"),
    "a misspelt metric": (
        in_rule("demographic-parity-difference", metric="fairness.demographic_parity_diference"),
        "preflight.unknown_metric",
    ),
    "a metric by attribute without one": (without_attributes, "preflight.attribute_needed"),
    "a limit that always holds": (
        in_rule("demographic-parity-difference", limit={"at_most": 1}),
        "policy.rule_never_fails",
    ),
    "a list of authorised policies with a misspelt key": (
        authorise({"polcy": "policies/hiring.yaml", "tier": "demonstration"}),
        "policy.authorisation_not_valid",
    ),
    "an authorised policy that is not there": (
        authorise({"policy": "policies/other.yaml", "tier": "demonstration"}),
        "policy.authorised_policy_missing",
    ),
}
VENDOR = {"file": "external/vendor.csv", "declared_by": "a vendor", "score": "score"}


def made_elsewhere(
    content: bytes | None = b"applicant,score\n1,0.5\n", name: str = "vendor.csv", **changes: Any
) -> Callable[[Newcomer], None]:
    """A model made elsewhere in `external/<name>`; `changes` are keys of params.yaml, __ for a dot."""

    def spoil(newcomer: Newcomer) -> None:
        (newcomer.root / "external").mkdir(exist_ok=True)
        if content is not None:
            (newcomer.root / "external" / name).write_bytes(content)
        newcomer.params["train"] = {
            "external": VENDOR | {"file": f"external/{name}"},
            "threshold": {"fixed": 0.5},
        }
        newcomer.params["split"] = {"trained_on": "none", "test": 1.0}
        for key, value in changes.items():
            of(key.replace("__", "."), value)(newcomer)

    return spoil


KEY = PARAMS["data"]["row_key"]
MODEL_FILE = {"file": "external/m.onnx", "declared_by": "a vendor"}

ERRORS |= {
    "a table of answers that is not there": (made_elsewhere(None), "data.external_missing"),
    "an empty table of answers": (made_elsewhere(b""), "data.external_empty"),
    "a table without its column": (
        made_elsewhere(b"applicant,points\n1,5\n"),
        "data.external_columns_missing",
    ),
    "a pickle": (
        made_elsewhere(b"\x80\x04", "m.pkl", train__external={"file": "external/m.pkl", "declared_by": "x"}),
        "models.external_runs_code",
    ),
    "a file outside the folder that DVC watches": (
        made_elsewhere(train__external=VENDOR | {"file": "vendor.csv"}),
        "params.invalid",
    ),
    "a way out of that folder": (
        made_elsewhere(train__external=VENDOR | {"file": "external/../params.yaml"}),
        "params.invalid",
    ),
    "nobody who declares it": (
        made_elsewhere(train__external={"file": "external/vendor.csv", "score": "score"}),
        "params.invalid",
    ),
    "a table without scores or decisions": (
        made_elsewhere(train__external={"file": "external/vendor.csv", "declared_by": "x"}),
        "params.invalid",
    ),
    "a model file with columns": (
        made_elsewhere(train__external=MODEL_FILE | {"score": "score"}),
        "params.invalid",
    ),
    "a mitigation of what was made elsewhere": (
        made_elsewhere(train__mitigation="reweighing"),
        "params.invalid",
    ),
    "no declaration of the rows that trained it": (
        made_elsewhere(split={"train": 0.5, "tune": 0.2, "test": 0.3}),
        "params.invalid",
    ),
    "rows to train on and a declaration": (
        made_elsewhere(split={"train": 0.5, "tune": 0.2, "test": 0.3, "trained_on": "none"}),
        "params.invalid",
    ),
    "a declaration about a model of one's own": (
        of("split", {"trained_on": "none", "test": 1.0}),
        "params.invalid",
    ),
    "a list of train rows that is not there": (
        made_elsewhere(split={"trained_on": "external/rows.csv", "test": 1.0}),
        "data.external_missing",
    ),
    "no threshold and no rows to choose it on": (
        made_elsewhere(train={"external": VENDOR}),
        "models.external_threshold_needs_tune_rows",
    ),
    "a threshold of decisions": (
        made_elsewhere(
            train__external={"decision": "score"} | {k: VENDOR[k] for k in ("file", "declared_by")}
        ),
        "models.external_threshold_without_scores",
    ),
}

ROWS_OF_VENDOR = b"applicant,score\n" + b"".join(b"%d,0.5\n" % n for n in range(60))
ERRORS |= {
    "scores in points": (made_elsewhere(b"applicant,score\n1,640\n"), "models.external_scores_outside"),
    "a score that is missing": (
        made_elsewhere(b"applicant,score\n1,\n2,0.5\n"),
        "models.external_scores_missing",
    ),
    "a key that comes twice": (made_elsewhere(ROWS_OF_VENDOR + b"1,0.5\n"), "data.external_key_twice"),
    "decisions of another name": (
        made_elsewhere(b"applicant,score,answer\n1,0.5,1\n", train__external=VENDOR | {"decision": "answer"}),
        "models.external_decisions_unclear",
    ),
    "scores and decisions in one column": (
        made_elsewhere(train__external=VENDOR | {"decision": "score"}),
        "params.invalid",
    ),
    "a CatBoost file": (
        made_elsewhere(b"CBM1", "m.cbm", train__external={"file": "external/m.cbm", "declared_by": "x"}),
        "models.external_catboost_file",
    ),
    "a CatBoost file under another name": (
        made_elsewhere(b"CBM1", "m.txt", train__external={"file": "external/m.txt", "declared_by": "x"}),
        "models.external_catboost_file",
    ),
    "a delimiter of a model file": (
        made_elsewhere(train__external=MODEL_FILE | {"delimiter": ";"}),
        "params.invalid",
    ),
    "a delimiter of no list": (
        made_elsewhere(split={"trained_on": "none", "trained_on_delimiter": ";", "test": 1.0}),
        "params.invalid",
    ),
}

WARNINGS = {
    "a card of another model": (in_card("model", "lending"), "preflight.card_of_another_model"),
    "a required section without a sentence": (in_card("limits", []), "preflight.card_section_empty"),
    "a sentence that nobody reads": (
        in_card("limits", [{"text": "x" * 2_001, "by": "A. Person", "on": "2026-11-01"}]),
        "preflight.card_sentence_long",
    ),
    "last year's sentence": (
        in_card("limits", [{"text": "Few rows.", "by": "A. Person", "on": "2019-01-01"}]),
        "preflight.card_sentence_outdated",
    ),
    "fewer rows than demanded": (of("data.rows_min", 100), "preflight.too_few_rows"),
    "a weight of text": (of("data.weight", "applied"), "preflight.weight_not_a_number"),
    "a row key that repeats": (
        of("data", PARAMS["data"] | {"row_key": "years", "features": ["skill", "city"]}),
        "preflight.row_key_repeated",
    ),
    "a protected column without values": (
        table(re.sub(",(wo)?man,", ",,", HEADER + ROWS).encode()),
        "preflight.protected_empty",
    ),
    "a group that the list lacks": (
        of("data.columns", {"gender": {"values": ["man"]}}),
        "preflight.group_not_listed",
    ),
    "a test set after every day": (
        of("split.time", {"column": "applied", "test_from": "2027-01-01"}),
        "preflight.all_on_one_side",
    ),
    "a test set from the first day": (
        of("split.time", {"column": "applied", "test_from": "2026-01-01"}),
        "preflight.all_on_one_side",
    ),
    "a file of another ending": (a_backup, "preflight.files_not_read"),
    "overrides written by hand": (of("overrides", {"seed": 3}), "preflight.overrides_by_hand"),
    "an attribute of the policy that is not protected": (
        lambda newcomer: newcomer.params["data"].update(protected=["city"], features=["skill"]),
        "preflight.attribute_not_declared",
    ),
    "another favourable value": (
        in_policy("favourable", {"target": "invited", "value": "no"}),
        "preflight.favourable_differs",
    ),
    "another target": (
        in_policy("favourable", {"target": "approve", "value": "yes"}),
        "preflight.favourable_differs",
    ),
    "a day before every rule": (of("policy.as_of", "2020-01-01"), "preflight.no_rule_in_force"),
    "a day after some rules": (
        in_rule("demographic-parity-difference", valid_until="2026-09-30"),
        "preflight.rules_not_in_force",
    ),
    "intervals that are too narrow": (
        of("evaluate", {"confidence": 0.9}),
        "preflight.confidence_too_low",
    ),
    "a policy that nobody authorised": (authorise(None), "preflight.not_authorised"),
    "a policy that asks what a table cannot show": (made_elsewhere(), "preflight.external_not_evaluated"),
    "an unknown tier": (
        authorise({"policy": "policies/hiring.yaml", "tier": "high"}),
        "preflight.tier_unknown",
    ),
    "a policy that wants other people": (a_pack, "preflight.demo_people"),
    "a contract that is not pinned": (a_pack, "preflight.contract_not_pinned"),
    "a reason without a text": (
        reasoned("texts: {skill: Skill in the trade, years: Years of work}"),
        "preflight.reason_text",
    ),
    "a reason that says nothing": (
        reasoned("texts: {skill: Internal standards, years: Years of work, city: Town}"),
        "preflight.reason_text",
    ),
    "a reason that is no feature": (
        reasoned("texts: {skill: Skill in the trade, years: Years of work, city: Town, skil: Skill}"),
        "preflight.reason_of_no_feature",
    ),
    "a time as a feature": (of("data.features", ["skill", "applied"]), "preflight.time_as_feature"),
    "a target of more than two values": (
        of(
            "data",
            PARAMS["data"] | {"target": "years", "favourable": "1", "columns": {}, "features": ["skill"]},
        ),
        "preflight.target_not_two_values",
    ),
    "a favourable value that never occurs": (
        of("data", PARAMS["data"] | {"favourable": "Yes", "columns": {}}),
        "preflight.target_never_favourable",
    ),
}


@pytest.mark.parametrize("mistake", ERRORS)
def test_a_mistake_that_stops_a_run_is_found_before_it(newcomer: Newcomer, mistake: str) -> None:
    spoil, code = ERRORS[mistake]
    spoil(newcomer)
    problems = newcomer.check()
    assert problems.get(code) is True, problems


@pytest.mark.parametrize("mistake", WARNINGS)
def test_a_mistake_that_costs_the_pass_is_named_before_the_run(newcomer: Newcomer, mistake: str) -> None:
    spoil, code = WARNINGS[mistake]
    spoil(newcomer)
    problems = newcomer.check()
    assert problems.get(code) is False, problems
    assert not any(problems.values()), problems


SEMICOLONS = ROWS_OF_VENDOR.replace(b",", b";")


def test_a_table_with_another_delimiter_is_read_once_its_own_setting_says_so(newcomer: Newcomer) -> None:
    made_elsewhere(SEMICOLONS)(newcomer)
    newcomer.check()
    (error,) = (problem.error for problem in check.check(newcomer.root) if problem.blocks)
    assert error.code == "data.single_column"
    assert error.values["setting"] == "train.external.delimiter"
    made_elsewhere(SEMICOLONS, train__external=VENDOR | {"delimiter": ";"})(newcomer)
    assert newcomer.check() == {"preflight.external_not_evaluated": False}
    made_elsewhere(SEMICOLONS, train__external=VENDOR | {"delimiter": ";;"})(newcomer)
    newcomer.check()
    (error,) = (problem.error for problem in check.check(newcomer.root) if problem.blocks)
    assert (error.code, error.values["setting"]) == ("data.bad_delimiter", "train.external.delimiter")


def test_a_list_of_train_rows_has_a_delimiter_of_its_own(newcomer: Newcomer) -> None:
    listed = {"trained_on": "external/rows.csv", "test": 1.0}
    made_elsewhere(split=listed)(newcomer)
    (newcomer.root / "external/rows.csv").write_bytes(SEMICOLONS)
    newcomer.check()
    (error,) = (problem.error for problem in check.check(newcomer.root) if problem.blocks)
    assert error.values["setting"] == "split.trained_on_delimiter"
    newcomer.params["split"] = listed | {"trained_on_delimiter": ";"}
    assert not any(newcomer.check().values())


def test_hints_about_a_file_made_elsewhere_name_no_setting_of_the_source(newcomer: Newcomer) -> None:
    made_elsewhere(b"applicant,score\n1,0.5\n", "v.dat", train__external__format="table")(newcomer)
    newcomer.check()
    (error,) = (problem.error for problem in check.check(newcomer.root) if problem.blocks)
    assert error.code == "data.no_common_format"
    assert "source." not in error.hint


def test_of_a_file_that_is_refused_the_policy_says_nothing(newcomer: Newcomer) -> None:
    made_elsewhere(b"CBM1", "m.cbm", train__external={"file": "external/m.cbm", "declared_by": "x"})(newcomer)
    assert newcomer.check() == {"models.external_catboost_file": True}


def test_of_a_long_table_of_answers_the_first_lines_prove_what_they_can(
    newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearance.preflight.external_checks.SMALL", 10)
    monkeypatch.setattr("clearance.preflight.source_head.LINES", 200)
    decisions = b"applicant,answer\n" + b"".join(b"%d,no\n" % n for n in range(59)) + b"59,yes\n"
    external = {"file": "external/vendor.csv", "declared_by": "x", "decision": "answer"}
    made_elsewhere(decisions, train={"external": external})(newcomer)
    assert not any(newcomer.check().values()), "the favourable decision may come later"
    made_elsewhere(b"applicant,score\n1,640\n" + ROWS_OF_VENDOR[28:])(newcomer)
    assert newcomer.check() == {"models.external_scores_outside": True}


def test_what_is_left_to_the_run_is_said(newcomer: Newcomer) -> None:
    newcomer.check()
    assert check.left_to_run(newcomer.root) == []
    made_elsewhere(split={"trained_on": "external/rows.csv", "test": 1.0})(newcomer)
    newcomer.check()
    (left,) = check.left_to_run(newcomer.root)
    assert "external/vendor.csv" in left and "external/rows.csv" in left


def boosters() -> dict[str, tuple[str, bytes, dict[str, Any], str | None]]:
    """Model files by name, with more settings of `train.external`, and the code that refuses each."""
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    table = pd.DataFrame({"skill": range(60), "years": range(60)}, dtype=float)
    three, two = np.arange(60) % 3, np.arange(60) % 2

    def of_lightgbm(features: Any, label: Any, kind: str = "LGBMClassifier") -> bytes:
        model = getattr(lightgbm, kind)(n_estimators=2, min_child_samples=2, verbose=-1)
        return bytes(model.fit(features, label).booster_.model_to_string().encode())

    def of_xgboost(label: Any) -> bytes:
        booster = xgboost.XGBClassifier(n_estimators=1).fit(table, label).get_booster()
        return bytes(booster.save_raw("json"))

    sound, favourable = of_lightgbm(table, two), {"favourable": 1}
    unnamed = of_lightgbm(table.to_numpy(), two)
    foreign = of_lightgbm(table.rename(columns={"skill": "talent"}), two)
    named = LogisticRegression().fit(table, np.where(two, "yes", "no"))
    decider = FixedThresholdClassifier(named, threshold=0.3, pos_label="yes").fit(table, named.predict(table))
    return {
        "sound": ("m.txt", sound, favourable, None),
        "cut": ("m.txt", sound[: len(sound) // 2], favourable, "models.external_wrong_format"),
        "three outcomes": ("m.txt", of_lightgbm(table, three), {}, "models.external_not_two_classes"),
        "three of XGBoost": ("m.json", of_xgboost(three), {}, "models.external_not_two_classes"),
        "regression": (
            "m.txt",
            of_lightgbm(table, two, "LGBMRegressor"),
            favourable,
            "models.external_no_probabilities",
        ),
        "other features": ("m.txt", foreign, favourable, "models.external_features_differ"),
        "no names": (
            "m.txt",
            unnamed,
            favourable,
            "models.external_features_unnamed",
        ),
        "0 and 1": ("m.txt", sound, {}, "models.external_favourable_unknown"),
        "0 and 1 of XGBoost": ("m.json", of_xgboost(two), {}, "models.external_favourable_unknown"),
        "sound skops": ("m.skops", skops.io.dumps(named), {}, None),
        "another threshold": (
            "m.skops",
            skops.io.dumps(decider),
            {},
            "models.external_threshold_not_of_the_file",
        ),
    }


def test_a_model_file_that_cannot_work_is_found_before_the_run(newcomer: Newcomer) -> None:
    newcomer.params["data"]["features"] = ["skill", "years"]
    for name, (file, content, more, code) in boosters().items():
        external = {"file": f"external/{file}", "declared_by": "x"} | more
        made_elsewhere(content, file, train__external=external)(newcomer)
        assert {key for key, blocks in newcomer.check().items() if blocks} == {code} - {None}, name
        if code == "models.external_not_two_classes":
            errors = {problem.error.code: problem.error for problem in check.check(newcomer.root)}
            assert errors[code].values["count"] == 3


def test_features_that_are_all_but_some_are_those_of_the_table(newcomer: Newcomer) -> None:
    pytest.importorskip("lightgbm")
    file, content, more, _ = boosters()["sound"]
    external = {"file": f"external/{file}", "declared_by": "x"} | more
    made_elsewhere(content, file, train__external=external)(newcomer)
    newcomer.params["data"]["features"] = {"all_but": ["city", "applied"]}
    assert not any(newcomer.check().values())
    newcomer.params["data"]["features"] = {"all_but": ["applied"]}
    assert newcomer.check() == {"models.external_features_differ": True}


def test_all_mistakes_are_named_at_once(newcomer: Newcomer) -> None:
    for spoil in (
        of("sede", 7),
        of("data.row_min", 7),
        of("data.features", ["skil", "years", "years"]),
        of("train.arguments", {"c": 1}),
        in_rule("demographic-parity-difference", metric="fairness.demografic_parity_difference"),
        in_policy("demmo", True),
        authorise(None),
    ):
        spoil(newcomer)
    assert newcomer.check() == {
        "params.invalid": True,
        "preflight.column_missing": True,
        "models.unknown_argument": True,
        "policy.not_valid": True,
        "preflight.unknown_metric": True,
        "preflight.not_authorised": False,
    }
    with pytest.raises(ConfigurationError) as caught:
        check.refuse_blocking(check.check(newcomer.root))
    assert (caught.value.code, caught.value.values["number"]) == ("preflight.several", 7)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (of("data.features", ["skil", "years"]), "`skill`"),
        (of("data.target", "Invited"), "`invited`"),
        (of("train.estimator", "LogisticRegression"), "`logistic_regression`"),
        (of("train.arguments", {"c": 1}), "`C`"),
        (of("train.estimator", "sklearn.ensemble.RandomForestClasifier"), "`RandomForestClassifier`"),
    ],
)
def test_it_says_what_was_probably_meant(newcomer: Newcomer, written: Any, meant: str) -> None:
    written(newcomer)
    newcomer.check()
    assert any(meant in problem.error.fault for problem in check.check(newcomer.root))


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("data.favourable", ["yes"], ["data.favourable"]),
        ("data.features", "all", ["data.features"]),
        ("data.features", {"al_but": []}, ["data.features.all_but", "data.features.al_but"]),
        ("train.mitigation", {"method": "reweigh"}, ["train.mitigation.method"]),
        ("data.columns", {"skill": {"min": [1]}}, ["data.columns.skill.min"]),
        ("data.columns", {"skill": {"min": 5, "max": 1}}, ["data.columns.skill"]),
    ],
)
def test_a_value_of_no_kind_is_one_problem_with_the_key_that_was_written(
    newcomer: Newcomer, key: str, value: Any, named: list[str]
) -> None:
    of(key, value)(newcomer)
    texts = [error.values["problems"] for error in params.find_faults(newcomer.params, "params.yaml")]
    assert [re.findall("`([^`]*)`", text)[0] for text in texts] == named


def test_one_value_in_two_spellings_is_one_value(newcomer: Newcomer) -> None:
    newcomer.table = (HEADER + ROWS).replace(",yes", ",1").replace(",no\n", ",0\n").encode()
    newcomer.params["data"] |= {"favourable": 1, "columns": {}}
    newcomer.policy["favourable"] = {"target": "invited", "value": "1"}
    assert newcomer.check() == {}


def test_the_line_to_add_authorises_the_policy(newcomer: Newcomer) -> None:
    newcomer.authorised = {}
    newcomer.check()
    (problem,) = check.check(newcomer.root)
    newcomer.authorised = yaml.safe_load(problem.error.values["line"])
    assert newcomer.check() == {}


def test_a_policy_for_another_model_is_one_message(newcomer: Newcomer) -> None:
    newcomer.policy = yaml.safe_load((ROOT / "policies/demo.yaml").read_text())
    assert newcomer.check() == {"preflight.policy_of_another_model": False}


def test_without_a_list_of_authorised_policies_the_lines_to_write_are_named(newcomer: Newcomer) -> None:
    newcomer.check()
    (newcomer.root / "policies/authorised.yaml").unlink()
    (problem,) = check.check(newcomer.root)
    assert (problem.error.code, problem.blocks) == ("preflight.no_authorised_list", False)
    newcomer.authorised = yaml.safe_load(problem.error.values["line"])
    assert newcomer.check() == {}


def test_a_what_if_may_look_at_a_day_to_come(newcomer: Newcomer) -> None:
    newcomer.check()
    newcomer.params["policy"]["as_of"] = "2126-01-01"
    what_if = newcomer.params | {"overrides": {"policy": {"as_of": "2126-01-01"}}}
    codes = {problem.error.code for problem in check.check_content(newcomer.root, what_if, "params.yaml")}
    assert "preflight.as_of_in_future" not in codes


@pytest.fixture
def long(newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch) -> Newcomer:
    """The same where only the first rows of the table are read."""
    monkeypatch.setattr("clearance.preflight.source_head.SMALL", 10)
    monkeypatch.setattr("clearance.preflight.source_head.LINES", 700)
    return newcomer


def test_of_a_long_table_the_first_rows_say_what_names_are_wrong(long: Newcomer) -> None:
    assert long.check() == {}
    long.params["data"]["row_key"] = "applicants"
    long.params["source"]["select"] = "SELECT * EXCLUDE (skil) FROM source"
    assert long.check() == {"data.select_not_usable": True}
    del long.params["source"]["select"]
    assert long.check() == {"preflight.column_missing": True}


def test_of_a_long_table_the_first_rows_prove_nothing_about_types(long: Newcomer) -> None:
    long.table = long.table + b"60,woman,A12,1,north,2026-01-01,yes\n"
    long.params["source"]["select"] = "SELECT * FROM source WHERE skill <> 'A12'"
    assert long.check() == {}


def test_a_long_text_that_the_cut_left_open_is_no_problem(long: Newcomer) -> None:
    long.table = HEADER.encode() + b'0,man,1.5,2,"' + b"north\n" * 300 + b'",2026-01-01,yes\n'
    assert long.check() == {}


def test_a_snapshot_that_the_run_takes_first_is_no_problem(newcomer: Newcomer) -> None:
    newcomer.params["source"] = {"kind": "openml", "path": "data/source/adult", "openml_id": 1590}
    assert newcomer.check() == {}


def test_a_compressed_table_is_read(newcomer: Newcomer) -> None:
    (newcomer.root / "data/source").mkdir(parents=True)
    (newcomer.root / "data/source/a.csv.gz").write_bytes(gzip.compress(newcomer.table))
    newcomer.params["source"]["path"] = "data/source/a.csv.gz"
    assert newcomer.check() == {}


def test_params_that_are_not_yaml_are_one_error(newcomer: Newcomer) -> None:
    newcomer.check()
    newcomer.write("params.yaml", "name: [\n")
    with pytest.raises(ConfigurationError) as caught:
        check.check(newcomer.root)
    assert caught.value.code == "params.not_yaml"


def test_a_bare_date_is_named_beside_the_others(newcomer: Newcomer) -> None:
    newcomer.check()
    text = yaml.safe_dump(newcomer.params | {"sede": 1}).replace("'2026-11-22'", "2026-11-22")
    newcomer.write("params.yaml", text)
    assert {problem.error.code for problem in check.check(newcomer.root)} == {
        "params.bare_date",
        "params.invalid",
    }


def test_the_methods_need_what_their_specifications_say() -> None:
    specs = mitigations.MITIGATIONS
    assert {name for name in specs if specs[name].needs_protected_at_decision} == DECIDES_BY_PROTECTED
    assert {name for name in specs if specs[name].needs_weights} == WEIGHS_ROWS


@pytest.mark.parametrize(
    "path", ["sklearn.linear_model.LogisticRegression", "sklearn.ensemble.GradientBoostingClassifier"]
)
def test_a_source_says_what_the_class_says(path: str) -> None:
    import importlib
    import inspect

    module, _, name = path.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    source = class_source.read(path)
    assert source is not None
    assert list(source.arguments or ()) == list(inspect.signature(kind).parameters)
    assert "predict_proba" in source.methods


@pytest.mark.parametrize(
    ("arguments", "surely"),
    [
        ({"C": 0.1, "max_iter": 500, "solver": "saga", "class_weight": "balanced", "n_jobs": None}, True),
        ({"fit_intercept": True, "l1_ratio": 0.5, "tol": 0, "class_weight": {"yes": 2}}, True),
        (
            {"C": 0, "max_iter": 1.5, "solver": "x", "fit_intercept": "no", "l1_ratio": 2, "n_jobs": "a"},
            False,
        ),
    ],
)
def test_a_source_says_which_values_an_argument_surely_takes(arguments: Content, surely: bool) -> None:
    source = class_source.read("sklearn.linear_model.LogisticRegression")
    assert source is not None
    assert {source.surely_takes(name, value) for name, value in arguments.items()} == {surely}


def test_every_section_of_params_can_be_read_alone() -> None:
    content = params.read_yaml(ROOT / "params.yaml")
    assert all(params.parse_section(content, name) is not None for name in ("source", "data", "train"))
    assert params.parse_section({"data": {}}, "data") is None


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        ({"estimator": "lightgbm.LGBMClasifier"}, "LGBMClassifier"),
        ({"estimator": "xgboost", "arguments": {"max_dept": 4}}, "max_depth"),
        ({"estimator": "catboost", "arguments": {"max_dept": 4}}, "max_depth"),
    ],
)
def test_what_was_probably_meant_is_named_in_a_hint_of_bounded_length(choice: Content, meant: str) -> None:
    pytest.importorskip(choice["estimator"].split(".")[0])
    (problem,) = estimator_checks.check(params.Train.model_validate(choice), ROOT)
    assert meant in problem.error.values["suggestion"]
    assert problem.error.values.get("arguments", "").count(",") < estimators.MOST_SHOWN
    assert "kwargs" not in problem.error.values.get("arguments", "")


@pytest.mark.parametrize("failures", [1, 4, 100])
def test_a_parser_that_another_thread_interrupts_is_asked_again(
    failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPython 3.11 then raises SystemError at random; if it goes on for ever, the class must be imported."""
    parse, asked = ast.parse, itertools.count(1)

    def interrupted(source: str) -> ast.Module:
        if next(asked) <= failures:
            raise SystemError("AST constructor recursion depth mismatch (before=192, after=76)")
        return parse(source)

    monkeypatch.setattr(ast, "parse", interrupted)
    class_source._parse.cache_clear()
    try:
        source = class_source.read("sklearn.linear_model.LogisticRegression")
        assert (source is None) == (failures == 100)
    finally:
        class_source._parse.cache_clear()


@pytest.mark.parametrize(
    ("content", "code"), [(None, "reasons.texts_missing"), ("texts: [skill]", "reasons.texts_not_valid")]
)
def test_texts_that_cannot_be_read_block_a_run(content: str | None, code: str, newcomer: Newcomer) -> None:
    reasoned(content or "")(newcomer)
    if content is None:
        (newcomer.root / "reasons.yaml").unlink()
    assert newcomer.check() == {code: True}


def test_texts_for_every_feature_are_no_problem(newcomer: Newcomer) -> None:
    reasoned("texts: {skill: Skill in the trade, years: Years of work, city: Town}")(newcomer)
    assert newcomer.check() == {}


@pytest.mark.parametrize(("required", "named"), [(True, 1), (False, 0)])
def test_a_library_whose_denials_cannot_be_reasoned_is_named_where_reasons_are_required(
    required: bool, named: int
) -> None:
    terms = {"kind": "engineering", "source": "the test", "valid_from": "2026-01-01", "required": required}
    policy = Policy.model_validate(judged.POLICY | {"reasons": terms})
    choice = params.PolicyChoice(file="policies/test.yaml", as_of=dt.date(2026, 11, 22))
    train = params.Train.model_validate(
        {"candidates": {"estimators": ["logistic_regression", "lightgbm"], "mitigations": ["reweighing"]}}
    )
    problems = list(policy_checks.check_reasoned_estimators(policy, train, choice))
    assert [problem.error.code for problem in problems] == ["preflight.estimator_without_reasons"] * named
