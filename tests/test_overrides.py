"""What a run may be asked to change: the keys of params.yaml, typed, none required."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from clearance import params
from clearance.errors import ConfigurationError
from clearance.policy import project_verdict
from flows.runner import overrides as request
from tests.support import codes, toys

BASE: dict[str, Any] = yaml.safe_load((toys.ROOT / "params.yaml").read_text())


def test_nothing_asked_for_changes_nothing() -> None:
    assert request.check({}) == {}
    assert request.plain(request.Overrides()) == {}


def test_every_key_of_the_parameters_can_be_overridden_and_none_must() -> None:
    schema = request.Overrides.model_json_schema()
    assert set(schema["properties"]) == set(params.Params.model_fields) - {"overrides"}
    assert "required" not in schema
    train = schema["$defs"]["TrainOverrides"]["properties"]
    assert set(train) == set(params.Train.model_fields)
    overrides = {key: value for key, value in BASE.items() if key != "overrides"}
    params.parse(request.merge(BASE, request.check(overrides)), "params.yaml")


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        ({"tarin": {}}, "did you mean `train`"),
        ({"train": {"estimater": "x"}}, "did you mean `estimator`"),
        ({"seed": -1}, "`seed`"),
        ({"split": {"test": 2}}, "`split.test`"),
        ({"seed": "many"}, "`seed`"),
    ],
)
def test_a_wrong_key_or_value_is_refused_where_it_is(overrides: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError):
        request.Overrides.model_validate(overrides)
    with codes.raises("runner.unknown_override") as error:
        request.check(overrides)
    assert fault in error.value.values["reason"]


def test_what_is_left_empty_in_a_form_overrides_nothing() -> None:
    form = {
        "seed": None,
        "train": {"estimator": None, "search": None},
        "split": None,
        "evaluate": {"bins": 5},
    }
    assert request.check(form) == {"evaluate": {"bins": 5}}


def test_a_null_inside_a_free_mapping_is_a_value() -> None:
    overrides = {"train": {"arguments": {"max_depth": None}}}
    assert request.check(overrides) == overrides


def test_sections_are_merged_and_anything_else_is_replaced() -> None:
    overrides = {"seed": 3, "split": {"test": 0.2, "train": 0.6}, "train": {"arguments": {"max_depth": 3}}}
    merged = request.merge(BASE, overrides)
    assert merged["split"] == {"train": 0.6, "tune": 0.2, "test": 0.2}
    assert merged["train"] == BASE["train"] | {"arguments": {"max_depth": 3}}
    assert merged["overrides"] == overrides
    assert {key for key in merged if merged[key] != BASE[key]} == {"seed", "split", "train", "overrides"}
    assert BASE["overrides"] == {}


def test_rules_across_keys_hold_for_the_whole() -> None:
    with pytest.raises(ConfigurationError, match="must add up to 1"):
        params.parse(request.merge(BASE, request.check({"split": {"test": 0.9}})), "params.yaml")


def test_settings_of_the_command_line_are_yaml_under_dotted_keys() -> None:
    settings = ["seed=7", "train.mitigation=none", "data.protected=[race]", "evaluate.confidence=0.9"]
    assert request.from_settings(settings, BASE) == {
        "seed": 7,
        "train": {"mitigation": "none"},
        "data": {"protected": ["race"]},
        "evaluate": {"confidence": 0.9},
    }


def test_a_setting_inside_a_free_mapping_keeps_its_neighbours() -> None:
    settings = ["train.arguments.C=0.5", "train.arguments.solver=saga", "data.columns.race.nulls=0.5"]
    overrides = request.from_settings(settings, BASE)
    assert overrides["train"]["arguments"] == {"C": 0.5, "max_iter": 1000, "solver": "saga"}
    assert overrides["data"]["columns"]["race"] == BASE["data"]["columns"]["race"] | {"nulls": 0.5}
    assert set(overrides["data"]["columns"]) == set(BASE["data"]["columns"])
    assert BASE["train"]["arguments"]["C"] == 0.1


def test_a_date_is_recorded_as_text() -> None:
    overrides = request.check(request.from_settings(["policy.as_of=2027-01-01"], BASE))
    assert overrides == {"policy": {"as_of": "2027-01-01"}}
    assert params.parse(request.merge(BASE, overrides), "params.yaml").policy.as_of.year == 2027


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("seed", "runner.not_a_setting"),
        ("=1", "runner.not_a_setting"),
        ("", "runner.not_a_setting"),
        ("seed=[", "runner.not_yaml"),
    ],
)
def test_a_setting_that_sets_nothing_is_refused(setting: str, code: str) -> None:
    with codes.raises(code, setting=setting):
        request.from_settings([setting], BASE)


def test_only_a_policy_chosen_at_run_time_makes_a_what_if() -> None:
    assert not project_verdict.is_what_if({"train": {"mitigation": "none"}})
    assert project_verdict.is_what_if(request.with_policy({}, "policies/other.yaml"))
    assert project_verdict.is_what_if(request.check({"policy": {"as_of": "2027-01-01"}}))
    assert project_verdict.is_what_if({"policy.as_of": "2027-01-01"})


def test_a_policy_file_joins_the_other_overrides() -> None:
    overrides = {"seed": 1, "policy": {"as_of": "2027-01-01"}}
    joined = request.with_policy(overrides, "p.yaml")
    assert joined == {"seed": 1, "policy": {"as_of": "2027-01-01", "file": "p.yaml"}}
    assert overrides == {"seed": 1, "policy": {"as_of": "2027-01-01"}}
    assert request.with_policy(overrides, None) == overrides
