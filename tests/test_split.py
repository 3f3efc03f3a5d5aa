"""Which side a row falls on hangs on its key and the seed alone."""

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import params
from clearance.data.tables import row_ids, split
from clearance.errors import DataError
from tests.support import tables

SHARES = {"train": 0.5, "tune": 0.2, "test": 0.3}
JULY = dt.date(2025, 7, 1)


def shares(**more: Any) -> params.Split:
    return params.Split.model_validate(SHARES | more)


def sides(table: pa.Table, data: params.Data, seed: int = 1, **more: Any) -> dict[str, int]:
    """The side of each row by its hash."""
    units = split.identify(table, data)
    side = split.assign(units, table, shares(**more), seed)
    return dict(zip(row_ids.hexadecimal(units.row).to_pylist(), side.tolist(), strict=True))


@given(keys=st.sets(st.integers(0, 10**6), min_size=1, max_size=50), more=st.sets(st.integers(0, 10**6)))
def test_adding_rows_moves_none(keys: set[int], more: set[int]) -> None:
    before = sides(pa.table({"id": sorted(keys)}), tables.data())
    after = sides(pa.table({"id": sorted(keys | more, reverse=True)}), tables.data())
    assert after.items() >= before.items()


@given(
    rows_=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab")), min_size=1),
    more=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"))),
)
def test_adding_rows_without_a_key_moves_none_and_parts_no_copies(
    rows_: list[tuple[int, str]], more: list[tuple[int, str]]
) -> None:
    def table(content: list[tuple[int, str]]) -> pa.Table:
        return pa.table({"n": [n for n, _ in content], "t": [t for _, t in content]})

    data = tables.data(row_key=None)
    before, after = sides(table(rows_), data), sides(table([*more, *rows_]), data)
    assert after.items() >= before.items()
    together = table([*more, *rows_])
    by_content: dict[str, set[int]] = {}
    side = split.assign(split.identify(together, data), together, shares(), 1)
    for text, where in zip(row_ids.content(together).to_pylist(), side, strict=True):
        by_content.setdefault(text, set()).add(int(where))
    assert all(len(where) == 1 for where in by_content.values())


def test_the_side_does_not_hang_on_how_the_key_is_typed() -> None:
    keys = list(range(300))
    one = sides(pa.table({"id": keys}), tables.data())
    assert sides(pa.table({"id": [float(key) for key in keys]}), tables.data()) == one
    assert sides(pa.table({"id": [str(key) for key in keys]}), tables.data()) == one


def test_sides_are_pinned() -> None:
    """A change here moves rows of every project between train and test: it must never come by accident."""
    table = pa.table({"id": list(range(20))})
    side = split.assign(split.identify(table, tables.data()), table, shares(), 20260101)
    assert "".join(map(str, side)) == PINNED


PINNED = "00122012220120201220"


def test_shares_are_kept_and_another_seed_is_another_split() -> None:
    table = pa.table({"id": list(range(20_000))})
    units = split.identify(table, tables.data())
    one, other = (split.assign(units, table, shares(), seed) for seed in (1, 2))
    for side in (one, other):
        assert np.bincount(side, minlength=3) / 20_000 == pytest.approx([0.5, 0.2, 0.3], abs=0.015)
    agree = (one == other).mean()
    assert agree == pytest.approx(0.5**2 + 0.2**2 + 0.3**2, abs=0.02)


def test_draws_are_uniform_and_lie_in_the_half_open_unit_interval() -> None:
    draw = split.uniform(row_ids.digests(pa.array([str(number) for number in range(20_000)])), 3)
    assert draw.min() >= 0
    assert draw.max() < 1
    assert np.histogram(draw, bins=10, range=(0, 1))[0] == pytest.approx(2000, abs=200)


def test_one_person_is_on_one_side() -> None:
    table = tables.applications()
    data = tables.data(entity="person")
    units = split.identify(table, data)
    side = split.assign(units, table, shares(), 1)
    assert units.by == "entity"
    people = table.column("person").to_numpy()
    assert all(len(set(side[people == person])) == 1 for person in set(people))
    assert set(side) == {0, 1, 2}


def test_a_split_by_time_tests_on_the_late_rows_alone() -> None:
    table = tables.applications(2000)
    side = split.assign(
        split.identify(table, tables.data()),
        table,
        shares(time={"column": "day", "test_from": "2025-07-01"}),
        1,
    )
    late = np.array([day >= JULY for day in table.column("day").to_pylist()])
    assert (side[late] == 2).all()
    assert set(side[~late]) == {0, 1}
    assert (side[~late] == 0).mean() == pytest.approx(5 / 7, abs=0.05)


def test_a_person_with_late_rows_has_no_early_ones_to_learn_from() -> None:
    table = tables.applications(2000)
    time = {"column": "day", "test_from": "2025-07-01"}
    units = split.identify(table, tables.data(entity="person"))
    side = split.assign(units, table, shares(time=time), 1)
    late = np.array([day >= JULY for day in table.column("day").to_pylist()])
    people = table.column("person").to_numpy()
    tested = np.isin(people, people[late])
    assert (side[late] == 2).all()
    assert (side[tested & ~late] == split.LEFT_OUT).all()
    assert (tested & ~late).any()
    assert set(side[~tested]) == {0, 1}


@pytest.mark.parametrize(
    "day",
    [
        pa.array([dt.datetime(2025, 6, 30, 23, 59), dt.datetime(2025, 7, 1)], pa.timestamp("ns")),
        pa.array([dt.datetime(2025, 6, 30, 23, 59), dt.datetime(2025, 7, 1)], pa.timestamp("ms", "UTC")),
        pa.array(["2025-06-30 23:59:59", "2025-07-01"]),
        pa.array([dt.date(2025, 6, 30), dt.date(2025, 7, 1)]),
    ],
)
def test_the_first_moment_of_the_day_belongs_to_the_test(day: pa.Array) -> None:
    table = pa.table({"id": [1, 2], "day": day})
    units = split.identify(table, tables.data())
    side = split.assign(units, table, shares(time={"column": "day", "test_from": "2025-07-01"}), 1)
    assert side[0] != 2
    assert side[1] == 2


@pytest.mark.parametrize(
    ("column", "code", "values"),
    [
        (pa.array([2024, 2025]), "data.time_column_not_dates", {"kind": "int64"}),
        (pa.array([2024.5, 2025.5]), "data.time_column_not_dates", {"kind": "double"}),
        (pa.array(["soon", "later"]), "data.time_column_not_dates", {"kind": "string"}),
        (pa.array([dt.date(2025, 1, 1), None]), "data.time_column_null", {"rows": 1}),
    ],
)
def test_a_time_that_is_none_is_named(column: pa.Array, code: str, values: dict[str, Any]) -> None:
    table = pa.table({"id": [1, 2], "day": column})
    with pytest.raises(DataError) as excinfo:
        split.assign(
            split.identify(table, tables.data()),
            table,
            shares(time={"column": "day", "test_from": "2025-07-01"}),
            1,
        )
    assert excinfo.value.code == code
    assert excinfo.value.values == {"column": "day"} | values


def test_a_missing_time_column_is_named() -> None:
    table = pa.table({"id": [1, 2]})
    with pytest.raises(DataError, check=lambda error: error.code == "data.time_column_missing"):
        split.assign(
            split.identify(table, tables.data()),
            table,
            shares(time={"column": "day", "test_from": "2025-07-01"}),
            1,
        )


@pytest.mark.parametrize(
    ("table", "data", "code", "column"),
    [
        (pa.table({"id": [1, 1, 2]}), tables.data(), "data.key_not_unique", "id"),
        (pa.table({"id": [1, None]}), tables.data(), "data.key_null", "id"),
        (pa.table({"x": [1]}), tables.data(), "data.key_missing", "id"),
        (
            pa.table({"id": [1, 2], "person": ["a", None]}),
            tables.data(entity="person"),
            "data.key_null",
            "person",
        ),
    ],
)
def test_rows_that_cannot_be_told_apart_are_refused(
    table: pa.Table, data: params.Data, code: str, column: str
) -> None:
    with pytest.raises(DataError) as excinfo:
        split.identify(table, data)
    assert (excinfo.value.code, excinfo.value.values["column"]) == (code, column)
