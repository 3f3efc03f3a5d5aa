"""What public tables hold: disguised numbers, names among the features, codes, copies, words for missing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from clearance import params
from clearance.errors import ConfigurationError
from expectations import disguises, prepared_boundary, splits
from tasks import validate
from tests.support import evidence, tables

ROWS = 400
RANDOM = np.random.default_rng(3)


def outcome(table: Any, **changes: Any) -> dict[tuple[str | None, str], str]:
    """The severity of each failed expectation, by column and kind."""
    origin = evidence.origin(rows=table.num_rows, columns=tuple(table.column_names), sha256="0" * 64)
    document = validate.check_raw(table, tables.data(**changes), origin).document
    return {
        (entry.column, entry.expectation.removeprefix("expect_")): entry.severity
        for entry in document.expectations
        if not entry.success
    }


EVERY = {"features": {"all_but": ["person", "day"]}}


@pytest.mark.parametrize(
    ("texts", "kind", "sql"),
    [
        (["CHF 4'312.10", "CHF 12'000.00"], "numbers", "regexp_replace(\"x\", '[^0-9.-]', '', 'g')"),
        (["₹1,234", "₹12,345"], "numbers", "'[^0-9.-]'"),
        (["1.234,50 €", "12,75 €"], "numbers", "'[^0-9,-]', '', 'g'), ',', '.')"),
        (["3,5", "12,25", "-1,5"], "numbers", "'[^0-9,-]'"),
        (["12 %", "7.5 %"], "numbers", "'[^0-9.-]'"),
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
    assert disguise.kind == kind and sql in disguise.sql


@pytest.mark.parametrize("texts", [["north", "south"], ["name 1", "name 2"], ["007", "008"], ["A-7"], []])
def test_other_texts_are_no_disguise(texts: list[str]) -> None:
    assert disguises.of("x", texts) is None


def test_a_disguised_column_is_warned_of_unless_declared_as_text() -> None:
    table = tables.applications(wage=[f"CHF {n},50" for n in range(ROWS)])
    features = [*tables.DATA["features"], "wage"]
    assert outcome(table, features=features) == {("wage", "texts_not_to_be_numbers"): "warn"}
    declared = {"wage": {"type": "text"}}
    assert ("wage", "texts_not_to_be_numbers") not in outcome(table, features=features, columns=declared)


@pytest.mark.parametrize(
    "values", [[f"Surname{chr(97 + n % 26)}{n * 7919 % 400:x}q" for n in range(ROWS)], np.arange(ROWS) + 7]
)
def test_what_identifies_is_no_feature_unless_it_is_named(values: Any) -> None:
    table = tables.applications(surname=values)
    kind = ("surname", "features_not_to_identify")
    assert outcome(table, **EVERY)[kind] == "block"
    assert outcome(table, features=[*tables.DATA["features"], "surname"])[kind] == "warn"
    assert kind not in outcome(table, features={"all_but": ["surname", "person", "day"]})


@pytest.mark.parametrize("word", ["None", "<NA>", "\\N", "NULL", "", " n/a "])
def test_a_group_that_means_missing_blocks_unless_it_is_declared(word: str) -> None:
    table = tables.applications(sex=RANDOM.choice(["female", "male", word], ROWS))
    kind = ("sex", "groups_not_to_be_placeholders")
    assert outcome(table, columns={"sex": None})[kind] == "block"
    assert kind not in outcome(table, columns={"sex": {"values": ["female", "male", word]}})


@pytest.mark.parametrize("code", [-1.7976931348623157e308, 1e200, -3.4028234663852886e38])
def test_one_number_for_no_data_blocks_by_column_rows_and_value(code: float) -> None:
    income = tables.applications().column("income").to_pylist()
    table = tables.applications(income=[code, *income[1:]])
    failures = outcome(table, columns={"income": None})
    assert failures == {("income", "features_to_be_measurements"): "block"}


def test_copies_are_named() -> None:
    debt = tables.applications().column("debt")
    table = tables.applications(debt_copy=debt)
    failures = outcome(table, features=[*tables.DATA["features"], "debt_copy"])
    assert failures[("debt_copy", "features_to_differ")] == "warn"


@pytest.mark.parametrize("name", ["__index_level_0__", "Unnamed: 0"])
def test_a_written_index_is_said_and_is_not_a_feature(name: str) -> None:
    table = tables.applications(**{name: RANDOM.permutation(ROWS)})
    failures = outcome(table, **EVERY)
    assert failures == {(name, "no_index_among_features"): "warn"}


def test_a_category_that_no_train_row_has_is_warned_of() -> None:
    frame = pd.DataFrame(
        {"split": ["train"] * 50 + ["test"] * 50, "kind": ["a"] * 50 + ["a"] * 48 + ["b"] * 2}
    ).convert_dtypes()
    frame["kind"] = frame["kind"].astype("str")
    (fault,) = splits.ExpectTestCategoriesToBeTrained(features=["kind"], split="split").faults(frame)
    assert (fault.column, fault.observed) == ("kind", 2)
    frame.loc[frame["split"] == "train", "kind"] = ["a", "b"] * 25
    assert not [*splits.ExpectTestCategoriesToBeTrained(features=["kind"], split="split").faults(frame)]
    assert prepared_boundary  # the suite that asks it


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
