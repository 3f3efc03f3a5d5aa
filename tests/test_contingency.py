"""One table of counts, however it is built: from a frame, from parts in any order, from files on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import out_of_core
from clearance.documents.group_names import MISSING
from clearance.documents.measurement import INTERSECTION
from clearance.errors import DataError
from clearance.metrics import (
    contingency,
    counts,
    entropy,
    fairness,
    intersections,
    intervals,
    rates,
)
from clearance.metrics.contingency import Table

ROW = st.tuples(
    st.sampled_from(["Black", "Hispanic", "White", None]),
    st.sampled_from(["female", "male", None]),
    st.sampled_from(["old", "young"]),
    st.integers(0, 1),
    st.integers(0, 8),
)
ROWS = st.lists(ROW, min_size=1, max_size=80)
ATTRIBUTES = ["race", "sex", "age"]
SAMPLING = intervals.Sampling(confidence=0.95, resamples=100, seed=1)


def frame_of(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[*ATTRIBUTES, "label", "level"])
    frame["score"] = frame["level"] / 8
    frame["decision"] = frame["score"] >= 0.5
    frame["weight"] = 0.25 * (1 + frame["level"])
    return frame.astype(dict.fromkeys(ATTRIBUTES, object))


def table_of(frame: pd.DataFrame, weighted: bool = False, bins: bool = False) -> Table:
    return contingency.count(
        contingency.encode(frame[ATTRIBUTES]),
        frame["label"].to_numpy(),
        frame["decision"].to_numpy(),
        weights=frame["weight"].to_numpy() if weighted else None,
        bins=np.minimum(3, frame["level"].to_numpy() // 2) if bins else None,
    )


def same(first: Table, second: Table) -> None:
    """Both count the same rows, whatever names without rows they carry."""
    for table_a, table_b in ((first, second), (second, first)):
        for over in intersections.families(ATTRIBUTES, 3).values():
            assert intersections.groups(table_a, over) == intersections.groups(table_b, over)
            if table_a.weight is not None:
                weighted = intersections.weighted_groups(table_b, over)
                for name, group in intersections.weighted_groups(table_a, over).items():
                    assert group.weight == pytest.approx(weighted[name].weight)
                    assert group.squared == pytest.approx(weighted[name].squared)
    assert first.rows.sum(axis=0).tolist() == second.rows.sum(axis=0).tolist()


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_every_margin_is_pandas_group_by(drawn: list[tuple[Any, ...]]) -> None:
    frame = frame_of(drawn)
    for name, over in intersections.families(ATTRIBUTES, 3).items():
        assert name == INTERSECTION.join(over)
        parts = [frame[attribute] for attribute in over]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined + INTERSECTION + part
        joined = joined.where(frame[list(over)].notna().all(axis=1), MISSING)
        expected = pd.crosstab(joined, [frame["label"], frame["decision"]])
        margin = intersections.groups(table_of(frame), over)
        assert sorted(margin) == sorted(expected.index)
        for group, cells in margin.items():
            row = expected.loc[group].to_dict()
            keys = [(1, True), (0, True), (1, False), (0, False)]
            assert cells.counts == tuple(row.get(key, 0) for key in keys)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_one_attribute_is_counted_as_alone(drawn: list[tuple[Any, ...]]) -> None:
    frame = frame_of(drawn)
    for name in ATTRIBUTES:
        alone = counts.count(frame[name], frame["label"].to_numpy(), frame["decision"].to_numpy(), ["Ent"])
        assert intersections.groups(table_of(frame), [name], ["Ent"]) == alone


@settings(max_examples=40, deadline=None)
@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 5))
def test_parts_add_up_in_any_order_to_the_table_of_the_whole(
    drawn: list[tuple[Any, ...]], shuffler: Any, parts: int
) -> None:
    frame = frame_of(drawn)
    places = [shuffler.randrange(parts) for _ in drawn]
    tables = [table_of(frame[np.array(places) == at], True) for at in range(parts) if at in places]
    shuffler.shuffle(tables)
    same(contingency.add(tables), table_of(frame, True))


@settings(max_examples=25, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_names_of_groups_change_no_measurement(
    drawn: list[tuple[Any, ...]], shuffler: Any
) -> None:
    order = shuffler.sample(range(len(drawn)), len(drawn))
    frame = frame_of(drawn)
    other_frame = frame_of([drawn[at] for at in order])
    new = {"Black": "z", "Hispanic": "y", "White": "x", "female": "w", "male": "v", "old": "u", "young": "t"}
    other_frame[ATTRIBUTES] = other_frame[ATTRIBUTES].map(lambda name: new.get(name, name))
    for over in intersections.families(ATTRIBUTES, 2).values():
        first, second = (intersections.groups(table_of(side), over) for side in (frame, other_frame))
        one, other = (
            fairness.measure(side, 0.95) | entropy.measure(side, SAMPLING) for side in (first, second)
        )
        for metric, measurement in one.items():
            for end in ("value", "low", "high"):
                expected = getattr(other[metric], end)
                assert getattr(measurement, end) == (expected and pytest.approx(expected, abs=1e-12)), metric
            assert (measurement.undefined is None) == (other[metric].undefined is None)


@settings(max_examples=15, deadline=None)
@given(drawn=ROWS, weighted=st.booleans(), binned=st.booleans())
def test_files_are_counted_as_the_frame_in_memory(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[Any, ...]], weighted: bool, binned: bool
) -> None:
    frame = frame_of(drawn)
    folder = tmp_path_factory.mktemp("parts")
    cut = len(frame) // 2
    files = [folder / "a.parquet", folder / "b.parquet"]
    for file, part in zip(files, (frame[:cut], frame[cut:]), strict=True):
        part.astype(dict.fromkeys(ATTRIBUTES, "string")).to_parquet(file)
    columns = out_of_core.Columns(
        protected=tuple(ATTRIBUTES),
        label="label",
        score="score",
        threshold=0.5,
        weight="weight" if weighted else None,
        bins=4 if binned else 1,
    )
    table = out_of_core.from_parquet(files, columns)
    expected = table_of(frame, weighted, binned)
    same(table, expected)
    assert table.keys.tolist() == expected.keys.tolist()
    assert table.rows.tolist() == expected.rows.tolist()


@pytest.mark.parametrize(
    ("column", "value"),
    [("label", 2), ("label", None), ("label", 0.5), ("score", None), ("score", np.nan), ("weight", -1.0)],
)
def test_a_row_that_cannot_be_counted_is_an_error_not_a_gap(tmp_path: Path, column: str, value: Any) -> None:
    frame = frame_of([("Black", "male", "old", 1, 3)] * 6).astype({"label": "float64"})
    frame.loc[4, column] = value
    frame.astype(dict.fromkeys(ATTRIBUTES, "string")).to_parquet(tmp_path / "a.parquet")
    columns = out_of_core.Columns(
        protected=("race",), label="label", score="score", threshold=0.5, weight="weight"
    )
    with pytest.raises(DataError) as error:
        out_of_core.from_parquet([tmp_path / "a.parquet"], columns)
    assert error.value.code == "benchmarks.row_not_usable"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    columns = out_of_core.Columns(protected=("race",), label="label", decision="decision")
    with pytest.raises(DataError) as error:
        out_of_core.from_parquet([tmp_path / "none.parquet"], columns)
    assert error.value.code == "benchmarks.files_not_counted"


# Names


def test_a_combination_that_no_row_has_is_listed_and_one_known_before_is_a_hole() -> None:
    frame = frame_of([("Black", "male", "old", 1, 8), ("White", "female", "old", 0, 1)] * 20)
    table = table_of(frame)
    over = ("race", "sex")
    assert intersections.never_observed(table, over) == ["Black & female", "White & male"]
    assert set(intersections.groups(table, over)) == {"Black & male", "White & female"}
    combinations = ["Black & female"]
    assert intersections.never_observed(table, over, combinations) == ["White & male"]
    measurements = fairness.measure(intersections.groups(table, over, combinations), 0.95)
    assert measurements["demographic_parity_difference"].undefined == "no rows to count in Black & female"


def test_a_row_that_lacks_one_of_the_groups_is_in_no_intersection() -> None:
    combinations = intersections.groups(
        table_of(frame_of([("Black", None, "old", 1, 8)] * 3)), ("race", "sex")
    )
    assert {name: cells.count for name, cells in combinations.items()} == {MISSING: 3}


@pytest.mark.parametrize(
    ("values", "name", "code"),
    [
        (["A & B", "A"], ["C", "B & C"], "metrics.ambiguous_intersection"),
        ([MISSING, "a"], ["b", "c"], "metrics.reserved_group_name"),
    ],
)
def test_names_that_would_be_confused_are_refused(values: list[str], name: list[str], code: str) -> None:
    frame = pd.DataFrame({"race": values, "sex": name}, dtype=object)
    with pytest.raises(DataError) as error:
        table = contingency.count(contingency.encode(frame), np.array([0, 1]), np.array([True, False]))
        intersections.groups(table, ("race", "sex"))
    assert error.value.code == code


def test_an_attribute_called_like_an_intersection_is_refused() -> None:
    frame = pd.DataFrame({"race & sex": ["a", "b"]}, dtype=object)
    with pytest.raises(DataError) as error:
        contingency.count(contingency.encode(frame), np.array([0, 1]), np.array([True, False]))
    assert error.value.code == "metrics.reserved_attribute_name"


def test_many_groups_are_counted_without_a_dense_table() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {f"a{at}": random.integers(0, 300, 2000).astype(str) for at in range(4)}, dtype=object
    )
    label = random.integers(0, 2, 2000)
    table = contingency.count(contingency.encode(frame), label, label == 1)
    assert table.count == 2000
    combinations = intersections.groups(table, ("a0", "a3"))
    expected = (frame["a0"] + INTERSECTION + frame["a3"]).value_counts().to_dict()
    assert {name: cells.count for name, cells in combinations.items()} == expected


# Weights


def test_equal_weights_change_nothing() -> None:
    frame = frame_of([("Black", "male", "old", at % 2, at % 9) for at in range(90)])
    frame.loc[::3, "race"] = "White"
    frame["weight"] = 2.5
    weighted = fairness.measure(intersections.weighted_groups(table_of(frame, True), ["race"]), 0.95)
    plain = fairness.measure(intersections.groups(table_of(frame), ["race"]), 0.95)
    for metric, measurement in plain.items():
        for end in ("value", "low", "high"):
            expected = getattr(measurement, end)
            assert getattr(weighted[metric], end) == (expected and pytest.approx(expected, abs=1e-9)), metric
        assert weighted[metric].support == measurement.support


def test_weighted_rates_are_fairlearns_and_uneven_weights_widen_the_interval() -> None:
    from fairlearn import metrics as oracle

    random = np.random.default_rng(1)
    frame = frame_of([("Black" if at % 2 else "White", "male", "old", 1, 4) for at in range(400)])
    frame["label"], frame["decision"] = random.integers(0, 2, 400), random.random(400) < 0.4
    frame["weight"] = random.choice([0.2, 5.0], 400)
    weighted = fairness.measure(intersections.weighted_groups(table_of(frame, True), ["race"]), 0.95)
    plain = fairness.measure(intersections.groups(table_of(frame), ["race"]), 0.95)
    expected = oracle.demographic_parity_difference(
        frame["label"],
        frame["decision"].astype(int),
        sensitive_features=frame["race"],
        sample_weight=frame["weight"],
    )
    gap, bare = weighted["demographic_parity_difference"], plain["demographic_parity_difference"]
    assert gap.value == pytest.approx(expected, abs=1e-12)
    assert gap.high - gap.low > 1.2 * (bare.high - bare.low)  # type: ignore[operator]
    indices = entropy.measure(intersections.weighted_groups(table_of(frame, True), ["race"]), SAMPLING)
    assert "rows weigh" in str(indices["theil_index"].undefined)


@pytest.mark.parametrize("heavy", ["favoured", "anyone"])
def test_effective_rows_are_the_fewer_of_kishs_and_those_of_the_design_variance(heavy: str) -> None:
    random = np.random.default_rng(5)
    favoured = random.random(300) < 0.05
    weights = np.where(favoured if heavy == "favoured" else random.random(300) < 0.3, 6.0, 1.0)
    frame = pd.DataFrame({"race": ["a"] * 300}, dtype=object)
    table = contingency.count(contingency.encode(frame), np.ones(300, dtype=int), favoured, weights=weights)
    proportion = rates.rate(intersections.weighted_groups(table, ["race"])["a"], "selection_rate")
    share = np.average(favoured, weights=weights)
    variance = (weights**2 * (favoured - share) ** 2).sum() / weights.sum() ** 2
    design, kish = share * (1 - share) / variance, weights.sum() ** 2 / (weights**2).sum()
    assert proportion.total == pytest.approx(min(design, kish))
    assert proportion.successes / proportion.total == pytest.approx(share, abs=1e-12)
    assert proportion.rows == 300
    if heavy == "favoured":
        assert design < 0.9 * kish


def test_weights_that_leave_less_than_one_row_decide_nothing() -> None:
    frame = frame_of([("Black", "male", "old", 1, 8), ("White", "male", "old", 1, 8)] * 20)
    frame.loc[frame["race"] == "Black", "weight"] = 0.0
    groups = intersections.weighted_groups(table_of(frame, True), ["race"])
    measurement = fairness.measure(groups, 0.95)["demographic_parity_difference"]
    assert measurement.undefined == "no rows to count in Black"


@pytest.mark.parametrize("weight", [np.nan, -1.0, np.inf])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    frame = frame_of([("Black", "male", "old", 1, 8)] * 4)
    frame.loc[2, "weight"] = weight
    with pytest.raises(DataError) as error:
        table_of(frame, True)
    assert error.value.code == "metrics.weight_not_usable"
