"""Each expectation fails on the fault it is for, names it, and gives a hint."""

import datetime as dt
import json
from typing import Any

import great_expectations
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from great_expectations import expectations as gx

from clearance import params
from clearance.data.tables import prepared, split
from clearance.documents.split_document import SplitDocument
from clearance.errors import IntegrityError
from expectations import boundary, columns, features, label_and_groups, leaks
from expectations import raw_boundary as raw_suite
from expectations.observed_table import ObservedTable
from tasks import prepare, validate
from tests.support import evidence, tables

Entry = dict[str, Any]


def raw(table: pa.Table, recorded: int | None = None, **changes: Any) -> dict[str, Any]:
    origin = evidence.origin(rows=recorded or table.num_rows)
    return validate.check_raw(table, tables.data(**changes), origin).document.to_json()


def failed(document: dict[str, Any]) -> list[Entry]:
    return [entry for entry in document["expectations"] if not entry["success"]]


def the_failure(document: dict[str, Any]) -> Entry:
    entries = failed(document)
    assert len(entries) == 1, [entry["detail"] for entry in entries]
    return entries[0]


GOOD = tables.applications()


def test_a_sound_table_may_be_used() -> None:
    document = raw(GOOD)
    assert failed(document) == []
    assert document["blocked"] is False
    counts = {name: measurement["value"] for name, measurement in document["measurements"].items()}
    assert counts == {"blocking_failures": 0, "warnings": 0, "expectations": len(document["expectations"])}
    assert counts["expectations"] > 20


def column(name: str, at: dict[int, Any]) -> pa.Array:
    return tables.put(GOOD.column(name), at)


@pytest.mark.parametrize(
    ("change", "where", "says"),
    [
        ({"id": column("id", {5: None})}, "id", "`id` is null in 1 of 400 rows"),
        ({"id": column("id", {5: 1000})}, "id", "`id` has a value that other rows have too in 2 rows"),
        (
            {"income": column("income", {5: -1.0, 6: 2000.0})},
            "income",
            "`income` is out of range in 2 of 400",
        ),
        (
            {"income": column("income", dict.fromkeys(range(9)))},
            "income",
            "`income` is null in 9 of 400 rows",
        ),
        ({"debt": column("debt", {5: None})}, "debt", "`debt` is null in 1 of 400 rows"),
        (
            {"debt": pa.array([0.5] + [1.0, 2.0, 3.0] * 133)},
            "debt",
            "`debt` holds number values, not integer",
        ),
        ({"income": pa.array([None, 1.0] + [2.0] * 398)}, None, None),
        ({"sex": column("sex", {5: "unsaid"})}, "sex", "`sex` has a value that is not declared in 1 of 400"),
    ],
)
def test_what_a_column_declares_is_held_against_every_row(
    change: dict[str, Any], where: str | None, says: str | None
) -> None:
    document = raw(tables.applications(**change))
    if where is None:
        assert failed(document) == []
        return
    entry = the_failure(document)
    assert (entry["column"], entry["severity"]) == (where, "block")
    assert says is not None
    assert says in entry["detail"]
    assert document["blocked"] is True
    assert document["measurements"]["blocking_failures"]["value"] == 1


def test_a_warning_is_reported_and_does_not_block() -> None:
    document = raw(tables.applications(kind=column("kind", {5: "boat"})))
    entry = the_failure(document)
    assert (entry["column"], entry["severity"]) == ("kind", "warn")
    assert entry["examples"] == [{"row": hash_of(1005), "value": "boat"}]
    assert document["blocked"] is False
    assert document["measurements"]["warnings"]["value"] == 1


def hash_of(key: Any) -> str:
    from clearance.data.tables import row_ids

    digest = row_ids.digests(pa.array([str(key)]))
    return str(row_ids.hexadecimal(digest)[0])[:16]


WEIGHTS = np.round(np.linspace(0.5, 3, GOOD.num_rows), 3)
BRANCHES = [f"branch {at % 40}" for at in range(GOOD.num_rows)]


def drawn(**columns: Any) -> pa.Table:
    return tables.applications(**({"w": WEIGHTS, "branch": BRANCHES} | columns))


def test_a_sound_weight_and_cluster_block_nothing() -> None:
    for weights in (WEIGHTS, np.arange(1, 401), pa.array(WEIGHTS).cast(pa.decimal128(8, 3))):
        assert failed(raw(drawn(w=weights), weight="w", cluster="branch")) == []


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (0.0, "the weight `w` is negative, zero or infinite in 1 rows"),
        (-1.0, "the weight `w` is negative, zero or infinite in 1 rows"),
        (float("inf"), "the weight `w` is negative, zero or infinite in 1 rows"),
        (float("nan"), "`w` is null in 1 of 400 rows: expected that the weight `w` is never null"),
        (None, "`w` is null in 1 of 400 rows: expected that the weight `w` is never null"),
    ],
)
def test_a_row_that_weighs_nothing_sound_blocks(value: float | None, says: str) -> None:
    document = raw(drawn(w=tables.put(WEIGHTS.tolist(), {7: value})), weight="w", cluster="branch")
    entry = the_failure(document)
    assert (entry["column"], entry["severity"]) == ("w", "block")
    assert says in entry["detail"]
    assert "`source.select`" in entry["detail"]
    assert entry["examples"][0]["row"] == hash_of(1007)


def test_a_weight_that_is_no_number_a_missing_cluster_and_unknown_columns_block() -> None:
    words = raw(drawn(w=["heavy"] * 400), weight="w")
    assert "the weight `w` holds text values, not numbers" in the_failure(words)["detail"]
    unknown = raw(drawn(branch=tables.put(BRANCHES, {3: None})), cluster="branch")
    entry = the_failure(unknown)
    assert "`branch` is null in 1 of 400 rows: expected that the cluster `branch`" in entry["detail"]
    assert [example["value"] for example in entry["examples"]] == [None]
    for role in ("weight", "cluster"):
        entries = failed(raw(drawn(), **{role: "brunch"}))
        assert any("`brunch` is missing; did you mean `branch`?" in failure["detail"] for failure in entries)
        assert {failure["severity"] for failure in entries} == {"block"}


def test_decimals_and_categories_are_read_as_what_they_mean() -> None:
    income = GOOD.column("income").cast(pa.decimal128(8, 1))
    kind = GOOD.column("kind").dictionary_encode()
    assert failed(raw(tables.applications(income=income, kind=kind))) == []


def test_a_table_without_features_blocks() -> None:
    everything = [name for name in GOOD.column_names if name not in ("id", "approved", "race", "sex")]
    document = raw(GOOD, features={"all_but": everything})
    assert the_failure(document)["detail"] == "there are no features; list some in `data.features`"


def test_the_share_of_nulls_may_be_reached_and_not_passed() -> None:
    eight = tables.applications(income=column("income", dict.fromkeys(range(8))))
    assert failed(raw(eight)) == []


def test_text_in_a_column_of_numbers_is_shown_by_its_rows() -> None:
    income = pa.array([*(str(value) for value in GOOD.column("income").to_pylist()[:-2]), "n/a", "12 k"])
    document = raw(tables.applications(income=income))
    wrong = next(entry for entry in failed(document) if entry["expectation"] == "expect_column_to_hold")
    assert "`income` holds text values, not number; cast or clean it in `source.select`" in wrong["detail"]
    assert wrong["examples"] == [
        {"row": hash_of(1398), "value": "n/a"},
        {"row": hash_of(1399), "value": "12 k"},
    ]
    not_run = next(entry for entry in failed(document) if "between" in entry["expectation"])
    assert not_run["detail"].startswith("not run: it cannot be computed, as `income` holds text values")
    assert document["measurements"]["expectations"]["value"] < len(document["expectations"])


def test_no_more_than_twenty_examples() -> None:
    entry = the_failure(raw(tables.applications(income=column("income", dict.fromkeys(range(50), -1.0)))))
    assert len(entry["examples"]) == 20
    assert entry["observed"] == {"rows": 400, "unexpected": 50}


@pytest.mark.parametrize(
    ("values", "kind", "holds"),
    [
        ([1, 2], "number", True),
        ([1, 2], "integer", True),
        ([1.0, None], "integer", True),
        ([1.5], "integer", False),
        ([float("inf")], "integer", False),
        (["1"], "number", False),
        ([True, None], "boolean", True),
        ([True], "number", False),
        ([1], "boolean", False),
        (["a", None], "text", True),
        ([1], "text", False),
        ([dt.date(2025, 1, 1), None], "time", True),
        ([dt.datetime(2025, 1, 1)], "time", True),
        (["2025-01-01"], "time", False),
        ([None, None], "text", False),
        ([[1]], "text", False),
    ],
)
def test_a_kind_is_told_from_the_values(values: list[Any], kind: str, holds: bool) -> None:
    frame = raw_suite.observed(pa.table({"x": values}))
    faults = list(columns.ExpectColumnToHold(column="x", kind=kind).faults(frame))
    assert (not faults) is holds


@pytest.mark.parametrize(
    ("drop", "hint"),
    [
        ("race", "declare or derive it in `source.select`"),
        ("approved", "declare or derive it in `source.select`"),
        ("id", "declare or derive it in `source.select`"),
        ("income", "or leave it out of `data.features`"),
    ],
)
def test_a_missing_column_blocks_and_what_needs_it_is_not_run(drop: str, hint: str) -> None:
    document = raw(tables.applications(**{drop: None}))
    assert document["blocked"] is True
    failures = {entry["expectation"]: entry for entry in failed(document) if entry["column"] == drop}
    assert failures["expect_columns_to_exist"]["detail"].startswith(f"column `{drop}` is missing; ")
    assert failures["expect_columns_to_exist"]["detail"].endswith(hint)
    assert failures["expect_columns_to_exist"]["severity"] == "block"
    others = [entry for name, entry in failures.items() if name != "expect_columns_to_exist"]
    assert others
    assert {entry["detail"] for entry in others} == {f"not run: column `{drop}` is missing"}
    assert {entry["column"] for entry in failed(document)} == {drop}


def test_a_misspelt_column_is_named_with_the_one_that_was_meant() -> None:
    document = raw(tables.applications(income=None, imcome=GOOD.column("income")))
    details = [entry["detail"] for entry in failed(document)]
    assert any("column `income` is missing; did you mean `imcome`?" in detail for detail in details)


def test_a_table_of_one_column_points_at_the_delimiter() -> None:
    details = [entry["detail"] for entry in failed(raw(pa.table({"id;income;debt": ["1;2;3"] * 400})))]
    assert any("check `source.delimiter`" in detail for detail in details)


def test_an_absent_outcome_column_only_warns_while_the_features_are_listed() -> None:
    entry = the_failure(raw(tables.applications(rejected=None)))
    assert (entry["column"], entry["severity"]) == ("rejected", "warn")


@pytest.mark.parametrize(
    "change", [{"after_outcome": ["rejecte"]}, {"features": {"all_but": ["person", "dya"]}}]
)
def test_a_misspelt_exclusion_blocks_when_it_would_let_the_real_column_in(change: dict[str, Any]) -> None:
    document = raw(GOOD, **({"features": {"all_but": ["person", "day"]}} | change))
    entry = next(e for e in failed(document) if e["expectation"] == "expect_columns_to_exist")
    assert entry["severity"] == "block"
    assert "did you mean" in entry["detail"]


@pytest.mark.parametrize(
    ("values", "changes", "says"),
    [
        (["yes", "no", "perhaps", "no"], {}, "has 3 values, not two; rows of each: 200, 100, 100"),
        (["yes"] * 4, {}, "has only one class; rows: 400; check that `source` does not filter"),
        (["a", "b"] * 2, {}, "is never the favourable `yes`; rows of each of its values: 200, 200"),
        (
            ["yes", "no"] * 2,
            {"favourable": True},
            "YAML reads an unquoted yes, no, true or false as a boolean",
        ),
        (["yes", "no", "no", None], {}, "the target `approved` is never null"),
        ([*range(100, 112)], {}, "has 12 values, not two"),
    ],
)
def test_a_label_that_is_none_is_named(values: list[Any], changes: dict[str, Any], says: str) -> None:
    document = raw(tables.applications(approved=(values * 200)[:400], rejected=[0, 1] * 200), **changes)
    assert document["blocked"] is True
    assert any(says in entry["detail"] for entry in failed(document)), failed(document)


def test_a_column_of_names_that_is_declared_as_the_label_is_not_printed() -> None:
    names = [f"Ada Lovelace {number % 7}" for number in range(400)]
    document = raw(tables.applications(approved=names, rejected=[0, 1] * 200))
    assert document["blocked"] is True and "Lovelace" not in json.dumps(document)


@pytest.mark.parametrize("values", [[1, 0] * 200, [1.0, 0.0] * 200, [True, False] * 200, ["1", "0"] * 200])
@pytest.mark.parametrize("favourable", [1, True, 1.0])
def test_the_favourable_value_is_known_whatever_it_was_read_as(values: list[Any], favourable: Any) -> None:
    frame = raw_suite.observed(pa.table({"approved": values}))
    expectation = label_and_groups.ExpectLabelToHaveTwoValues(column="approved", favourable=favourable)
    assert list(expectation.faults(frame)) == []


def test_too_rare_an_outcome_blocks() -> None:
    every_20th = ["no" if at % 20 == 0 else "yes" for at in range(400)]
    assert failed(raw(tables.applications(approved=every_20th))) == []
    entry = the_failure(raw(tables.applications(approved=["yes", *every_20th[1:]])))
    assert "the rarer value of `approved` has 4.75% of the rows, less than 5.00%" in entry["detail"]


def test_too_few_rows_block() -> None:
    entry = the_failure(raw(tables.applications(100), rows_min=101))
    assert "the table has only 100 rows: expected that the table has at least 101 rows" in entry["detail"]
    assert entry["severity"] == "block"
    assert failed(raw(tables.applications(100), rows_min=100)) == []


def test_a_table_that_lost_rows_on_the_way_blocks() -> None:
    entry = the_failure(raw(GOOD, recorded=401))
    assert "the table was read with 400 rows: expected that the table has its recorded 401" in entry["detail"]


@pytest.mark.parametrize(
    ("income", "severity", "says"),
    [
        (pa.array([None] * 400, pa.float64()), "block", "the feature `income` is null in every row"),
        (pa.array([None] * 400), "block", "the feature `income` is null in every row"),
        (
            pa.array([float("inf")] + [1.0, 2.0, 3.0] * 133),
            "block",
            "the feature `income` is infinite in 1 rows",
        ),
        (pa.array([dt.date(2025, 1, 1)] * 400), "block", "holds time values, which estimators cannot use"),
        (pa.array([[1, 2]] * 400), "block", "holds object values, which estimators cannot use"),
        (pa.array([7.0] * 400), "warn", "the feature `income` has the same value in every row"),
        (pa.array([None] + [7.0] * 399), None, ""),
    ],
)
def test_a_feature_that_cannot_teach_anything_is_named(
    income: pa.Array, severity: str | None, says: str
) -> None:
    document = raw(tables.applications(income=income), columns={"income": None})
    blocking = {entry["detail"]: entry["severity"] for entry in failed(document)}
    assert [level for detail, level in blocking.items() if says in detail] == ([severity] if severity else [])
    assert document["blocked"] is (severity == "block")


BLACK = (GOOD.column("race").to_numpy() == "Black").astype(int)
YES = (GOOD.column("approved").to_numpy() == "yes").astype(int)
RANDOM = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (BLACK, "the feature `x` restates the protected attribute `race`"),
        (1 - BLACK, "the feature `x` restates the protected attribute `race`"),
        (np.where(BLACK, "b", "w"), "the feature `x` restates the protected attribute `race`"),
        (np.where(BLACK, 1.0, np.nan), "the feature `x` restates the protected attribute `race`"),
        (np.where(RANDOM.random(400) < 0.3, np.nan, BLACK), "restates the protected attribute `race`"),
        (
            BLACK * 10 + RANDOM.integers(0, 9, 400),
            "the feature `x` determines the protected attribute `race`",
        ),
        (1 - YES, "the feature `x` determines the label `approved`"),
        (YES * 10 + RANDOM.integers(0, 9, 400), "the feature `x` determines the label `approved`"),
        (YES + RANDOM.random(400) * 0.9, "the feature `x` determines the label `approved`"),
        (np.where(RANDOM.random(400) < 0.2, np.nan, YES), "the feature `x` determines the label `approved`"),
    ],
)
def test_a_feature_that_gives_a_group_or_the_outcome_away_blocks(values: np.ndarray, says: str) -> None:
    document = raw(tables.applications(x=values), features=["income", "debt", "kind", "x"])
    entry = the_failure(document)
    assert entry["expectation"] == "expect_features_not_to_give_away"
    assert (entry["column"], entry["severity"]) == ("x", "block")
    assert says in entry["detail"]
    assert "move `x` from `data.features` to `data." in entry["detail"]


@pytest.mark.parametrize(
    "values",
    [
        np.where(RANDOM.random(400) < 0.2, 1 - BLACK, BLACK),
        np.where(RANDOM.random(400) < 0.2, 1 - YES, YES) + RANDOM.random(400) * 0.9,
        np.where(RANDOM.random(400) < 0.6, np.nan, YES),
        np.arange(400),
        [f"name {at}" for at in range(400)],
        np.where(np.arange(400) < 3, YES, np.nan),
    ],
)
def test_a_feature_that_only_correlates_or_is_unique_gives_nothing_away(values: Any) -> None:
    """Bias that is no certainty is for the fairness measurements to show."""
    document = raw(tables.applications(x=values), features=["income", "debt", "kind", "x"])
    kinds = {entry["expectation"] for entry in failed(document)}
    assert kinds <= {"expect_features_not_to_identify"}


def test_one_group_of_several_told_apart_is_an_encoding() -> None:
    race = np.array(["Asian", "Black", "White"])[RANDOM.integers(0, 3, 400)]
    frame = pd.DataFrame({"race": race, "x": race == "Asian", "y": RANDOM.integers(0, 2, 400)})
    assert leaks.attribute(ObservedTable.of(frame), "x", "race") == "distinguishes groups by"
    assert leaks.attribute(ObservedTable.of(frame), "y", "race") is None


def test_a_large_table_is_searched_by_sample_first_and_judged_on_every_row() -> None:
    rows = 60_000
    race = np.where(RANDOM.random(rows) < 0.3, "Black", "White")
    label = np.arange(rows) % 10_001 == 1
    frame = pd.DataFrame({"race": race, "x": race == "Black", "y": label, "z": np.where(label, 5.0, 1.0)})
    assert leaks.attribute(ObservedTable.of(frame), "x", "race") == "restates"
    assert leaks.label(ObservedTable.of(frame), "z", "y") == "determines"
    frame.loc[59_998, "x"] = not frame.loc[59_998, "x"]
    frame.loc[59_998, "z"] = 5.0
    assert leaks.attribute(ObservedTable.of(frame), "x", "race") is None
    assert leaks.label(ObservedTable.of(frame), "z", "y") is None


def test_a_forbidden_feature_blocks_even_if_the_parameters_let_it_pass() -> None:
    unchecked = tables.data().model_copy(update={"features": ["income", "black", "sex"]})
    document = validate.check_raw(GOOD, unchecked, evidence.origin(rows=400)).document.to_json()
    details = [e["detail"] for e in failed(document) if e["expectation"] == "expect_features_to_be_permitted"]
    assert details == [
        "`black` is among the features and is an encoding of a protected attribute; "
        "leave it out of `data.features`, or rename it in `source.select`",
        "`sex` is among the features and is a protected attribute; "
        "leave it out of `data.features`, or rename it in `source.select`",
    ]


def test_a_feature_called_as_our_own_columns_blocks() -> None:
    document = raw(tables.applications(split=[1, 2] * 200), features=["income", "split"])
    assert (
        "`split` is among the features and is a name that the prepared tables use"
        in the_failure(document)["detail"]
    )


@pytest.mark.parametrize(
    ("race", "says"),
    [
        (["White"] * 400, "`race` has 1 groups: there is nothing to compare"),
        ([f"group {at % 21}" for at in range(400)], "`race` has 21 groups, more than 20"),
        (["White", None] * 200, "`race` is null in 200 of 400 rows: expected that the protected attribute"),
    ],
)
def test_groups_that_cannot_be_compared_warn(race: list[Any], says: str) -> None:
    document = raw(tables.applications(race=race), columns={"race": None})
    assert says in " ".join(entry["detail"] for entry in failed(document))
    assert document["blocked"] is False


# --- what Great Expectations lets through


def test_an_empty_suite_is_no_pass() -> None:
    with pytest.raises(IntegrityError, check=lambda error: error.code == "expectations.not_all_evaluated"):
        boundary.run("raw", raw_suite.observed(GOOD), [])


def test_an_expectation_that_vanishes_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [
        gx.ExpectColumnValuesToNotBeNull(column=name, **boundary.statement("known")) for name in ("id", "sex")
    ]
    suite = great_expectations.ExpectationSuite
    monkeypatch.setattr(
        great_expectations, "ExpectationSuite", lambda name, expectations: suite(name, expectations[:1])
    )
    with pytest.raises(IntegrityError, check=lambda error: error.values["evaluated"] == 1):
        boundary.run("raw", raw_suite.observed(GOOD), checks)


def test_an_expectation_that_raises_is_no_pass_and_spoils_no_other() -> None:
    suite = [
        gx.ExpectColumnValuesToBeBetween(column="kind", min_value=0, **boundary.statement("a range")),
        gx.ExpectColumnValuesToNotBeNull(column="kind", **boundary.statement("known")),
        features.ExpectFeaturesToVary(features=["gone"], **boundary.statement("varies")),
    ]
    readings, _ = boundary.run("raw", raw_suite.observed(GOOD), suite)
    assert [reading.success for reading in readings] == [False, True, False]
    assert [reading.ran for reading in readings] == [False, True, True]


def test_severity_is_read_for_each_expectation() -> None:
    suite = [
        gx.ExpectColumnValuesToNotBeNull(column="id", **boundary.statement("known", severity="warn")),
        gx.ExpectColumnValuesToNotBeNull(column="debt", **boundary.statement("known")),
    ]
    readings, _ = boundary.run("raw", raw_suite.observed(GOOD), suite)
    assert [reading.severity for reading in readings] == ["warn", "block"]


def test_an_empty_table_passes_nothing() -> None:
    from clearance.errors import DataError

    with pytest.raises(DataError, match="the table has no rows"):
        raw(GOOD.slice(0, 0), recorded=0)


# --- the prepared tables

SHARES = params.Split(train=0.5, tune=0.2, test=0.3)


def made(table: pa.Table = GOOD, **changes: Any) -> tuple[dict[str, pa.Table], SplitDocument, params.Data]:
    data = tables.data(**changes)
    units = split.identify(table, data)
    side = split.assign(units, table, SHARES, 1)
    parts = prepare.partition(table, units, side, data)
    schemas = {name: part.schema for name, part in parts.items()}
    return parts, prepare.split_document(schemas, units, side, SHARES, 1), data


def checked(parts: dict[str, pa.Table], record: SplitDocument, data: params.Data) -> dict[str, Any]:
    return validate.check_prepared(parts, record, data, 0.95).document.to_json()


def put(table: pa.Table, name: str, values: Any) -> pa.Table:
    array = pa.array(values)
    if name not in table.column_names:
        return table.append_column(name, array)
    return table.set_column(table.column_names.index(name), name, array)


def test_sound_tables_may_be_used() -> None:
    document = checked(*made())
    assert failed(document) == []
    assert document["blocked"] is False


PARTS, RECORD, DECLARED = made()
TRAIN = [at for at, side in enumerate(PARTS["label"].column("split").to_pylist()) if side == "train"]


@pytest.mark.parametrize(
    ("table", "name", "values", "says"),
    [
        (
            "label",
            "row",
            PARTS["label"].column("row").to_pylist()[::-1],
            "`row` and `label: row` differ in 400",
        ),
        (
            "protected",
            "row",
            PARTS["label"].column("row").to_pylist()[::-1],
            "`row` and `protected: row` differ",
        ),
        ("protected", "split", ["train"] * 400, "`split` and `protected: split` differ in"),
        ("features", "row", ["a" * 32] * 400, "`row` has a value that other rows have too in 400 rows"),
        ("features", "row", [None] * 400, "`row` is null in 400 of 400 rows"),
        ("features", "split", ["holdout"] * 400, "`split` has a value that is not declared in 400"),
        ("features", "split", [None] * 400, "`split` is null in 400 of 400 rows"),
        ("label", "label", [2] * 400, "`label: label` has a value that is not declared in 400"),
        ("label", "label", [None] + [0, 1, 1] * 133, "`label: label` is null in 1 of 400 rows"),
        ("features", "race", ["a", "b"] * 200, "`race` is among the features and is a protected attribute"),
        ("features", "black", BLACK, "`black` is among the features and is an encoding of a protected attr"),
        (
            "features",
            "rejected",
            1 - YES,
            "`rejected` is among the features and is decided after the outcome",
        ),
        ("features", "approved", YES, "`approved` is among the features and is the target"),
        ("features", "id", range(400), "`id` is among the features and is an identifier"),
        ("features", "extra", RANDOM.random(400), "`extra` is among the features and is not declared"),
        ("features", "income", BLACK, "the feature `income` restates the protected attribute `race`"),
        ("features", "income", YES, "the feature `income` determines the label `label`"),
        ("features", "income", [float("inf")] * 400, "the feature `income` is infinite in 400 rows"),
        (
            "features",
            "income",
            [None if at in set(TRAIN) else float(at) for at in range(400)],
            "the feature `income` is null in every train row",
        ),
    ],
)
def test_what_is_wrong_with_prepared_tables_blocks(table: str, name: str, values: Any, says: str) -> None:
    document = checked(PARTS | {table: put(PARTS[table], name, values)}, RECORD, DECLARED)
    assert document["blocked"] is True
    assert {entry["severity"] for entry in failed(document) if says in entry["detail"]} == {"block"}


def test_a_feature_that_went_missing_blocks() -> None:
    document = checked(PARTS | {"features": PARTS["features"].drop_columns(["debt"])}, RECORD, DECLARED)
    assert the_failure(document)["detail"] == "the declared feature `debt` is missing"


def test_tables_of_different_length_block() -> None:
    for name in prepared.TABLES:
        document = checked(PARTS | {name: PARTS[name].slice(1)}, RECORD, DECLARED)
        assert document["blocked"] is True
    everywhere = {name: table.slice(1) for name, table in PARTS.items()}
    details = [entry["detail"] for entry in failed(checked(everywhere, RECORD, DECLARED))]
    assert details == [
        "the table was read with 399 rows: expected that the tables have the recorded 400 rows"
    ]


def test_a_row_on_two_sides_blocks() -> None:
    duplicates = {name: pa.concat_tables([table, table.slice(0, 1)]) for name, table in PARTS.items()}
    first = PARTS["label"].column("split")[0].as_py()
    other = next(side for side in prepared.SPLITS if side != first)
    sides = [*PARTS["label"].column("split").to_pylist(), other]
    torn = {name: put(table, "split", sides) for name, table in duplicates.items()}
    details = [entry["detail"] for entry in failed(checked(torn, RECORD, DECLARED))]
    assert "1 rows are on more than one side of the split" in details


@pytest.mark.parametrize("side", prepared.SPLITS)
def test_a_side_without_rows_or_without_one_class_blocks(side: str) -> None:
    sides = PARTS["label"].column("split").to_pylist()
    labels = [1 if where == side else at % 2 for at, where in enumerate(sides)]
    one_class = checked(PARTS | {"label": put(PARTS["label"], "label", labels)}, RECORD, DECLARED)
    assert f"{side} rows have the favourable label" in the_failure(one_class)["detail"]
    remainder = {
        name: table.filter(pa.array([where != side for where in sides])) for name, table in PARTS.items()
    }
    assert any(
        f"there are no {side} rows" in entry["detail"]
        for entry in failed(checked(remainder, RECORD, DECLARED))
    )


def test_label_rates_are_those_of_the_groups_over_all_rows() -> None:
    race = tables.put(GOOD.column("race"), {0: None})
    document = checked(*made(tables.applications(race=race)))
    frame = GOOD.to_pandas().iloc[1:]
    rates = (frame["approved"] == "yes").groupby(frame["race"]).mean()
    difference = document["measurements"]["label_rate_difference"]["race"]
    ratio = document["measurements"]["label_rate_ratio"]["race"]
    assert difference["value"] == pytest.approx(rates.max() - rates.min())
    assert ratio["value"] == pytest.approx(rates.min() / rates.max())
    assert difference["support"] == ratio["support"] == frame["race"].value_counts().to_dict()
    assert difference["low"] < difference["value"] < difference["high"]
    assert difference["confidence"] == 0.95
    assert set(document["measurements"]["label_rate_difference"]) == {"race", "sex"}


def test_of_rows_in_clusters_the_data_carry_values_without_intervals() -> None:
    table = tables.applications(branch=[f"b{at % 40}" for at in range(400)], w=WEIGHTS)
    document = checked(*made(table, cluster="branch", weight="w"))
    plain = checked(*made(table))
    assert document["blocked"] is False
    for metric in ("label_rate_ratio", "missingness_difference", "proxy_auc_together"):
        bare, bounded = (report["measurements"][metric]["race"] for report in (document, plain))
        assert (bare["value"], bare["low"], bare["high"]) == (bounded["value"], None, None)
        assert bare["method"] == "no interval: rows of one `branch` are not independent"
        assert bounded["low"] is not None
    assert document["sampling"]["statement"] == (
        "of the rows as they are; unweighted by `w`; "
        "without intervals, as rows of one `branch` are not independent"
    )
    assert plain["sampling"]["statement"] == "of the rows as they are; rows are taken as independent"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("weight", -1.0, "the weight `weight` is negative, zero or infinite in 1 rows"),
        ("weight", None, "`label: weight` is null in 1 of 400 rows"),
        ("cluster", None, "`label: cluster` is null in 1 of 400 rows"),
    ],
)
def test_prepared_rows_without_a_sound_weight_or_cluster_block(name: str, value: Any, says: str) -> None:
    parts, record, declared = made(
        tables.applications(branch=[f"b{at % 40}" for at in range(400)], w=WEIGHTS),
        cluster="branch",
        weight="w",
    )
    values = tables.put(parts["label"].column(name), {3: value})
    document = checked(parts | {"label": put(parts["label"], name, values)}, record, declared)
    assert document["blocked"] is True
    assert says in the_failure(document)["detail"]


def test_label_rates_of_tables_that_do_not_line_up_are_not_guessed() -> None:
    protected = put(PARTS["protected"], "row", PARTS["label"].column("row").to_pylist()[::-1])
    measurements = checked(PARTS | {"protected": protected}, RECORD, DECLARED)["measurements"]
    for name in ("label_rate_difference", "label_rate_ratio"):
        assert {measurement["value"] for measurement in measurements[name].values()} == {None}
        assert {measurement["undefined"] for measurement in measurements[name].values()} == {
            "the prepared tables do not line up"
        }
