"""Texts, numbers, times and groups: what is unclean is named, what is only unusual is not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from clearance.data import sentinel_codes
from expectations import columns, label_and_groups, sentinel_values, text_quality
from expectations.observed_table import ObservedTable

RANDOM = np.random.default_rng(7)
TOWNS = ["Zürich", "Île-de-France", "São Paulo", "Łódź", "Köln", "a", "B", "unknown"]


def said(expectation: Any, frame: pd.DataFrame) -> list[str]:
    return [fault.message for fault in expectation.faults(ObservedTable.of(frame))]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (TOWNS, None),
        (["Bern", "bern"], "2 values of `x` differ only in case, spaces or Unicode form"),
        (["Bern", "Bern "], "2 values of `x` differ only in case, spaces or Unicode form"),
        (["Ko\u0308ln", "Köln"], "2 values of `x` differ only in case, spaces or Unicode form"),
        ([" Bern", "Graz"], "1 values of `x` begin or end with spaces"),
        (["ZÃ¼rich", "Bern"], "1 values of `x` were decoded wrongly"),
        (["Å\x81Ã³dÅº", "Bern"], "1 values of `x` were decoded wrongly"),
        (["Z\ufffdrich", "Bern"], "1 values of `x` were decoded wrongly"),
        (["Be\u200brn", "Bern"], "2 values of `x` differ only in case, spaces or Unicode form"),
        (["1", "01", "2", "10"], "2 values of `x` are one number with another of them"),
        (["1.1", "1.2", "1.10", "1.10.1"], "2 values of `x` are one number with another of them"),
        (["N/A", "Bern", None], "1 values of `x` stand for a missing value"),
        (["none", "Bern"], "1 values of `x` stand for a missing value"),
        ([f"person {at % 2000}" for at in range(4000)] + ["PERSON 1"], None),
    ],
)
def test_a_text_is_spelled_one_way_and_decoded_right(values: list[str], says: str | None) -> None:
    messages = said(text_quality.ExpectTextsToBeClean(columns=["x", "gone"]), pd.DataFrame({"x": values}))
    assert messages == ([says] if says else [])


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([f"{at:,.2f}" for at in RANDOM.uniform(0, 9e6, 50)], True),
        ([f"{at:.2f}".replace(".", ",") for at in RANDOM.uniform(-9, 9, 50)], True),
        ([f"{at} EUR" for at in range(50)], True),
        ([f"{at} %" for at in range(50)], True),
        ([*map(str, range(50)), "n/a"], True),
        ([*map(str, range(15))], False),
        ([f"{at:05d}" for at in range(50)], False),
        ([f"B{at}" for at in range(50)], False),
        ([f"person {at}" for at in range(50)], False),
    ],
)
def test_numbers_that_were_read_as_text_are_told_from_texts(values: list[str], numbers: bool) -> None:
    messages = said(text_quality.ExpectTextsNotToBeNumbers(columns=["x"]), pd.DataFrame({"x": values}))
    assert messages == (["`x` holds text values, most of which are numbers"] if numbers else [])


def test_texts_among_numbers_are_named() -> None:
    frame = pd.DataFrame({"x": [*map(str, range(50)), "n/a", "none yet"]})
    (message,) = said(text_quality.ExpectTextsNotToBeNumbers(columns=["x"]), frame)
    assert "`none yet`" in message and "`n/a`" not in message


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([*RANDOM.normal(600, 50, 300), 9999, 9999], [9999.0]),
        ([*RANDOM.normal(600, 50, 300), -999, -999], [-999.0]),
        ([*RANDOM.uniform(0, 50_000, 300), -999, -999], [-999.0]),
        ([*RANDOM.uniform(0, 50_000, 300), *[9999] * 5], [9999.0]),
        ([*RANDOM.integers(0, 8, 300), -1, -1], [-1.0]),
        ([*RANDOM.integers(0, 2, 300), 9, 9], [9.0]),
        ([*RANDOM.integers(1950, 2020, 300), 0, 0], [0.0]),
        ([*RANDOM.normal(600, 50, 300), 9999], []),
        ([*RANDOM.integers(0, 2, 300)], []),
        ([0, 1, 2, 7] * 50, []),
        ([*RANDOM.integers(-20, 20, 300)], []),
        (np.where(RANDOM.random(500) < 0.9, 0.0, RANDOM.lognormal(7, 1, 500).round()), []),
        (RANDOM.lognormal(3, 2, 2000).round(1), []),
        (RANDOM.standard_t(2, 2000).round(1), []),
        (RANDOM.integers(0, 100, 2000), []),
        ([7.0] * 50, []),
        ([], []),
    ],
)
def test_a_code_is_told_from_a_measurement(values: Any, found: list[float]) -> None:
    assert sentinel_codes.codes(np.asarray(values, dtype=float)) == found


def test_a_code_is_looked_for_inside_the_declared_range_and_named_with_its_rows() -> None:
    frame = pd.DataFrame({"x": [*RANDOM.normal(600, 50, 300), 9999.0, 9999.0]})
    expectation = sentinel_values.ExpectNumbersNotToBeCodes(columns=["x"], ranges={"x": [0, None]})
    (fault,) = expectation.faults(ObservedTable.of(frame))
    assert fault.message == "2 rows of `x` hold 9999, which looks like a code, not a measurement"
    assert fault.positions == (300, 301)
    bounded = sentinel_values.ExpectNumbersNotToBeCodes(columns=["x"], ranges={"x": [0, 5000]})
    assert said(bounded, frame) == []


def at(*days: str | None, zone: str | None = None) -> pd.DataFrame:
    return pd.DataFrame({"day": pd.Series(pd.to_datetime(list(days))).dt.tz_localize(zone)})


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_a_time_out_of_its_declared_range_is_named(zone: str | None) -> None:
    inside = columns.ExpectTimesToBeBetween(
        column="day", first="2020-01-01T00:00:00", last="2025-12-31T23:59:59"
    )
    frame = at("2020-06-01", "1970-01-01", None, "2120-01-01", zone=zone)
    assert said(inside, frame) == [
        "`day` is out of range in 2 of 4 rows: expected from 2020-01-01T00:00:00 and to 2025-12-31T23:59:59"
    ]
    assert said(inside, at("2025-12-31 20:00", zone=zone)) == []


def test_a_range_of_times_is_not_held_against_texts() -> None:
    inside = columns.ExpectTimesToBeBetween(column="day", first=None, last="2025-12-31")
    assert said(inside, pd.DataFrame({"day": ["2020-01-01"]})) == [
        "not run: `day` holds text values, not times"
    ]
    assert said(inside, pd.DataFrame({"x": [1]})) == ["not run: column `day` is missing"]


def test_a_declared_group_without_rows_is_named() -> None:
    expectation = label_and_groups.ExpectGroupsToOccur(groups={"race": ["Asian", "Black"], "code": [1, 2]})
    frame = pd.DataFrame({"race": ["Black", None], "code": [1.0, 2.0]})
    assert said(expectation, frame) == ["`race` is never `Asian`, although that is declared"]
