"""What public tables hold: disguised numbers, names among the features, codes, copies, words for missing."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clearance import params
from clearance.data import disguises
from clearance.errors import ConfigurationError
from expectations import (
    columns,
    features,
    identifying_features,
    label_and_groups,
    raw_boundary,
    splits,
    text_quality,
)
from expectations.observed_table import ObservedTable
from tests.support import tables

ROWS = 400
RANDOM = np.random.default_rng(3)


def outcome(table: Any, **changes: Any) -> dict[tuple[str | None, str], str]:
    """The severity of each fault that our own expectations find, by column and kind."""
    observed = raw_boundary.observed(table)
    return {
        (fault.column, type(expectation).__name__): expectation.severity.value
        for expectation in raw_boundary.suite(tables.data(**changes), table.column_names, table.num_rows)
        if isinstance(expectation, ASKED)
        for fault in expectation.faults(observed)
    }


ASKED = (
    text_quality.ExpectTextsNotToBeNumbers,
    identifying_features.ExpectFeaturesNotToIdentify,
    identifying_features.ExpectFeaturesNotToRepeatRoles,
    identifying_features.ExpectFeaturesToBeFilled,
    identifying_features.ExpectFeaturesToDiffer,
    identifying_features.ExpectNoIndexAmongFeatures,
    label_and_groups.ExpectGroupsNotToBePlaceholders,
    features.ExpectFeaturesToBeMeasurements,
    columns.ExpectIdentifiersToBeExact,
)
BLOCKS, WARNS = "critical", "warning"
EVERY = {"features": {"all_but": ["person", "day"]}}


@pytest.mark.parametrize(
    ("texts", "kind", "sql"),
    [
        (["03/17/2024", "12/01/2024"], "dates", "'%m/%d/%Y'"),
        (["03/04/2024", "05/06/2024"], "dates, which may be %m/%d/%Y or %d/%m/%Y", "strptime"),
        (["17.03.2024", "1.12.2023"], "dates", "'%d.%m.%Y'"),
        (["2024-03-17 10:30", "2024-12-01 09:00"], "dates", "'%Y-%m-%d %H:%M'"),
        (["17-Mar-2024", "1-Dec-2023"], "dates", "'%d-%b-%Y'"),
    ],
)
def test_a_disguise_is_named_with_the_sql_that_ends_it(texts: list[str], kind: str, sql: str) -> None:
    disguise = disguises.of("x", texts)
    assert disguise is not None
    assert disguise.kind == kind and disguise.sql is not None and sql in disguise.sql


@pytest.mark.parametrize("texts", [["north", "south"], ["name 1", "name 2"], ["007", "008"], ["A-7"], []])
def test_other_texts_are_no_disguise(texts: list[str]) -> None:
    assert disguises.of("x", texts) is None


def test_texts_that_do_not_fit_are_named_and_nothing_is_advised() -> None:
    values = [f"{n},5" for n in range(ROWS)]
    values[7], values[9], values[11], values[13] = "12.5", "10k", "3 bis 4", "1e309"
    [fault] = text_quality.ExpectTextsNotToBeNumbers(columns=["wage"]).faults(
        raw_boundary.observed(tables.applications(wage=values))
    )
    assert "REPLACE" not in (fault.hint or "")
    assert all(f"`{text}`" in fault.message for text in ("12.5", "10k", "3 bis 4"))
    assert len(fault.positions or ()) == 4


def test_a_disguised_column_is_warned_of_unless_declared_as_text() -> None:
    table = tables.applications(wage=[f"CHF {n},50" for n in range(ROWS)])
    names = [*tables.DATA["features"], "wage"]
    assert outcome(table, features=names) == {("wage", "ExpectTextsNotToBeNumbers"): WARNS}
    declared = {"wage": {"type": "text"}}
    assert ("wage", "ExpectTextsNotToBeNumbers") not in outcome(table, features=names, columns=declared)


@pytest.mark.parametrize(
    "values", [[f"Surname{chr(97 + n % 26)}{n * 7919 % 400:x}q" for n in range(ROWS)], np.arange(ROWS) + 7]
)
def test_what_identifies_is_no_feature_unless_it_is_named(values: Any) -> None:
    table = tables.applications(surname=values)
    kind = ("surname", "ExpectFeaturesNotToIdentify")
    assert outcome(table, **EVERY)[kind] == BLOCKS
    assert outcome(table, features=[*tables.DATA["features"], "surname"])[kind] == WARNS
    assert kind not in outcome(table, features={"all_but": ["surname", "person", "day"]})


@pytest.mark.parametrize("word", ["None", "<NA>", "\\N", "NULL", "", " n/a "])
def test_a_group_that_means_missing_blocks_unless_it_is_declared(word: str) -> None:
    table = tables.applications(sex=RANDOM.choice(["female", "male", word], ROWS))
    kind = ("sex", "ExpectGroupsNotToBePlaceholders")
    assert outcome(table, columns={"sex": None})[kind] == BLOCKS
    assert kind not in outcome(table, columns={"sex": {"values": ["female", "male", word]}})


@pytest.mark.parametrize("code", [-1.7976931348623157e308, 1e200, -3.4028234663852886e38])
def test_one_number_for_no_data_blocks_by_column_rows_and_value(code: float) -> None:
    income = tables.applications().column("income").to_pylist()
    table = tables.applications(income=[code, *income[1:]])
    failures = outcome(table, columns={"income": None})
    assert failures == {("income", "ExpectFeaturesToBeMeasurements"): BLOCKS}


@pytest.mark.parametrize("name", ["sex.1", "Race_2", "approved1", "rejected 2"])
def test_a_second_column_of_a_role_is_no_feature_unless_it_is_named(name: str) -> None:
    table = tables.applications(**{name: RANDOM.choice(["a", "b"], ROWS)})
    kind = (name, "ExpectFeaturesNotToRepeatRoles")
    assert outcome(table, **EVERY)[kind] == BLOCKS
    assert outcome(table, features=[*tables.DATA["features"], name])[kind] == WARNS


def test_a_late_column_is_said() -> None:
    table = tables.applications(late=[None] * (ROWS - 12) + ["x", "y"] * 6)
    assert outcome(table, **EVERY)[("late", "ExpectFeaturesToBeFilled")] == WARNS


def test_rounded_identifiers_block_and_large_integers_beside_nulls_stay_apart() -> None:
    people = [float(7.6e16 + 16 * n) for n in range(ROWS)]
    table = tables.applications(person=people)
    assert outcome(table, entity="person") == {("person", "ExpectIdentifiersToBeExact"): BLOCKS}
    large = pa.table({"n": pa.array([2**60, 2**60 + 1, None])})
    assert raw_boundary.observed(large)["n"].nunique() == 2


def test_copies_are_named() -> None:
    debt = tables.applications().column("debt")
    table = tables.applications(debt_copy=debt)
    failures = outcome(table, features=[*tables.DATA["features"], "debt_copy"])
    assert failures[("debt_copy", "ExpectFeaturesToDiffer")] == WARNS


@pytest.mark.parametrize("name", ["__index_level_0__", "Unnamed: 0"])
def test_a_written_index_is_said_and_is_not_a_feature(name: str) -> None:
    table = tables.applications(**{name: RANDOM.permutation(ROWS)})
    failures = outcome(table, **EVERY)
    assert failures == {(name, "ExpectNoIndexAmongFeatures"): WARNS}


def test_a_category_that_no_train_row_has_is_warned_of() -> None:
    frame = pd.DataFrame(
        {"split": ["train"] * 50 + ["test"] * 50, "kind": ["a"] * 50 + ["a"] * 48 + ["b"] * 2}
    ).convert_dtypes()
    frame["kind"] = frame["kind"].astype("str")
    (fault,) = splits.ExpectTestCategoriesToBeTrained(features=["kind"], split="split").faults(
        ObservedTable.of(frame)
    )
    assert (fault.column, fault.observed) == ("kind", 2)
    frame.loc[frame["split"] == "train", "kind"] = ["a", "b"] * 25
    assert not [
        *splits.ExpectTestCategoriesToBeTrained(features=["kind"], split="split").faults(
            ObservedTable.of(frame)
        )
    ]


@pytest.mark.parametrize("key", ["features", "protected", "protected_encodings", "after_outcome"])
def test_a_name_listed_twice_is_told_by_the_declaration_alone(key: str) -> None:
    settings = params.read_yaml(tables.ROOT / "params.yaml")
    names = settings["data"][key]
    settings["data"][key] = [*names, names[0]]
    with pytest.raises(ConfigurationError, match=f"`{names[0]}` is listed twice in `data.{key}`"):
        params.parse(settings, "params.yaml")


def test_a_search_over_draws_is_refused() -> None:
    settings = params.read_yaml(tables.ROOT / "params.yaml")
    settings["train"] = {
        "estimator": "random_forest",
        "search": {"grid": {"random_state": [1, None]}},
    }
    with pytest.raises(ConfigurationError, match="random_state: null"):
        params.parse(settings, "params.yaml")
