"""A row entered twice is found under another key, and two people who look alike by chance are not."""

import numpy as np
import pandas as pd
import pytest

from expectations import custom
from expectations.observed_table import ObservedTable
from expectations.repeats import ExpectRowsToDiffer

RANDOM = np.random.default_rng(6)


def people(rows: int = 600) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "income": RANDOM.gamma(5, 20, rows).round(1),
            "rent": RANDOM.normal(900, 200, rows).round(1),
            "age": RANDOM.integers(18, 80, rows),
            "debt": np.where(RANDOM.random(rows) < 0.1, np.nan, RANDOM.exponential(50, rows).round(1)),
            "kind": RANDOM.choice(["car", "home"], rows),
            "label": RANDOM.integers(0, 2, rows),
        }
    )


GOOD = people()
SIX = [7, 8, 9, 20, 21, 22]
COLUMNS = [name for name in GOOD.columns if name != "id"]


def faults(frame: pd.DataFrame, near: bool = True, key: str | None = "id") -> list[custom.Fault]:
    return list(ExpectRowsToDiffer(columns=COLUMNS, key=key, near=near).faults(ObservedTable.of(frame)))


def again(at: list[int], **changes: object) -> pd.DataFrame:
    more = GOOD.iloc[at].assign(id=np.arange(10_000, 10_000 + len(at)), **changes)
    return pd.concat([GOOD, more], ignore_index=True)


def test_rows_that_differ_are_no_fault() -> None:
    assert faults(GOOD) == []


def test_one_row_under_a_new_key_is_found_with_both_places() -> None:
    (fault,) = faults(again([7]))
    assert fault.message == "2 rows are equal to another row in everything but the key `id`"
    assert fault.positions == (7, 600)
    assert faults(again([7]), near=False)
    assert faults(GOOD.iloc[[*range(600), 7]], key=None)[0].message == "2 rows are equal to another row"


@pytest.mark.parametrize(
    ("column", "value"), [("label", -1), ("income", 12345.6), ("debt", 1.25), ("kind", "boat")]
)
def test_a_row_that_differs_in_one_column_alone_is_found_by_that_column(column: str, value: object) -> None:
    (fault,) = faults(again(SIX, **{column: value}))
    assert fault.column == column
    assert fault.message == f"12 rows differ from another row only in `{column}`"
    assert faults(again(SIX, **{column: value}), near=False) == []


def test_people_who_look_alike_in_a_coarse_table_are_no_repeats() -> None:
    coarse = GOOD.assign(income=GOOD["income"] // 50, rent=GOOD["rent"] // 500, age=GOOD["age"] // 10, debt=0)
    assert coarse[COLUMNS].duplicated().any()
    assert faults(coarse) == []


def test_columns_that_follow_from_each_other_do_not_make_chance_look_small() -> None:
    derived = pd.DataFrame({"id": np.arange(600), "income": RANDOM.integers(0, 200, 600)})
    derived = derived.assign(age=derived["income"] * 2, debt=derived["income"] + 1, kind="car", label=0)
    assert faults(derived) == []


def test_a_table_without_numbers_is_searched_all_the_same() -> None:
    names = {name: [f"{value}" for value in GOOD[name]] for name in COLUMNS}
    frame = pd.DataFrame({"id": GOOD["id"]} | names)
    assert faults(frame) == []
    (fault,) = faults(frame.iloc[[*range(600), 3]].reset_index(drop=True))
    assert fault.positions == (3, 600)
