"""Two files say the same when words and counts are equal and every other number is close."""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.reproduction.equivalence import DigestNames, FileComparison, Tolerance

NOTHING = DigestNames(recorded={}, rebuilt={})
COMPARISON = FileComparison(tolerance=Tolerance(), names=NOTHING)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def differ(one: Any, other: Any) -> list[str]:
    return [str(difference) for difference in COMPARISON.values("", one, other)]


@given(JSON)
def test_a_value_is_like_itself_after_a_trip_through_json(value: Any) -> None:
    assert differ(value, json.loads(json.dumps(value))) == []


@given(JSON, JSON)
def test_alike_goes_both_ways(one: Any, other: Any) -> None:
    assert bool(differ(one, other)) == bool(differ(other, one))


@pytest.mark.parametrize(
    ("one", "other"),
    [(0.25, 0.25 * (1 + 5e-7)), (1e-12, 0.0), (1, 1.0), ([1.5, "at 0.123456789"], [1.5, "at 0.123456788"])],
)
def test_close_numbers_are_alike(one: Any, other: Any) -> None:
    assert differ(one, other) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.25, 0.2501),
        (3, 4),
        (10_000_000, 10_000_001),
        (True, 1),
        (None, 0.0),
        ("12 rows", "13 rows"),
        ("10000000 rows", "10000001 rows"),
        ("1.5 of 2", "1.5 of 2 rows"),
        ("-0.5", "0.5"),
        ("pass", "fail"),
        ({"a": 1}, {"a": 1, "b": None}),
        ([1, 2], [1, 2, 3]),
        (0.5, math.inf),
        ("a" * 64, "b" * 64),
    ],
)
def test_anything_else_is_not(one: Any, other: Any) -> None:
    assert len(differ(one, other)) == 1


def test_a_difference_is_named_by_its_field() -> None:
    one, other = {"m": {"auc": [0.5, 0.75]}}, {"m": {"auc": [0.5, 0.8]}}
    assert differ(one, other) == ["m.auc[1]: recorded 0.75, rebuilt 0.8"]


def test_a_digest_is_like_another_only_if_both_name_the_same_file() -> None:
    names = DigestNames(
        recorded={"a" * 64: "model", "b" * 64: "data"}, rebuilt={"c" * 64: "model", "b" * 64: "data"}
    )
    comparison = FileComparison(tolerance=Tolerance(), names=names)
    for one, other, alike in (("a", "c", True), ("a", "b", False), ("b", "b", True), ("d", "c", False)):
        differences = list(comparison.values("", {"sha256": one * 64}, {"sha256": f"{other * 64}"}))
        assert bool(differences) != alike, (one, other)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    return tmp_path / "one", tmp_path / "other"


def files(pair: tuple[Path, Path], name: str) -> list[str]:
    return [str(difference) for difference in COMPARISON.files(pair[0] / name, pair[1] / name)]


@pytest.mark.parametrize(
    ("column", "changed", "told"),
    [
        ("score", [0.1, math.nan, 0.3 + 1e-9], []),
        ("score", [0.1, 0.2, 0.3], ["column score: recorded 3 rows, rebuilt 1 of them different"]),
        ("score", [0.1, math.nan, 0.31], ["column score: recorded 3 rows, rebuilt 1 of them different"]),
        ("label", [1, 0, 1], ["column label: recorded 3 rows, rebuilt 1 of them different"]),
        ("group", ["a", "b", "c"], ["column group: recorded 3 rows, rebuilt 1 of them different"]),
    ],
)
def test_tables_column_by_column(
    pair: tuple[Path, Path], column: str, changed: list, told: list[str]
) -> None:
    table = pd.DataFrame({"score": [0.1, math.nan, 0.3], "label": [1, 0, 0], "group": ["a", "b", None]})
    table.to_parquet(pair[0] / "t.parquet")
    table.assign(**{column: changed}).to_parquet(pair[1] / "t.parquet")
    assert files(pair, "t.parquet") == told


def test_no_value_is_not_nan(pair: tuple[Path, Path]) -> None:
    for folder, value in zip(pair, (None, math.nan), strict=True):
        pq.write_table(pa.table({"score": pa.array([0.5, value])}), folder / "t.parquet")
    assert files(pair, "t.parquet") == ["column score: recorded 2 rows, rebuilt 1 of them different"]


def test_tables_of_other_columns_or_rows(pair: tuple[Path, Path]) -> None:
    table = pd.DataFrame({"score": [0.1, 0.2]})
    table.to_parquet(pair[0] / "t.parquet")
    for variant, word in ((table.astype("float32"), "columns"), (table[:1], "rows"), (table[[]], "columns")):
        variant.to_parquet(pair[1] / "t.parquet", index=False)
        assert files(pair, "t.parquet")[0].startswith(word)


TREE = np.zeros(3, dtype=[("threshold", "f8"), ("left", "i8")])


def archive(path: Path, schema: Any, **arrays: Any) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("schema.json", json.dumps(schema))
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.save(stream, array, allow_pickle=False)
            file.writestr(f"{name}.npy", stream.getvalue())


@pytest.mark.parametrize(
    ("schema", "arrays", "alike"),
    [
        ({"C": 0.1}, {}, True),
        ({"C": 0.1}, {"coef": np.array([1.0, 2.0 + 1e-9])}, True),
        ({"C": 0.1}, {"coef": np.array([1.0, 2.1])}, False),
        ({"C": 0.1}, {"coef": np.array([1.0, 2.0, 0.0])}, False),
        ({"C": 0.1}, {"coef": np.array([1, 2])}, False),
        ({"C": 0.1}, {"classes": np.array([1, 0])}, False),
        ({"C": 0.1}, {"extra": np.array([0])}, False),
        ({"C": 0.2}, {}, False),
    ],
)
def test_models_number_by_number(pair: tuple[Path, Path], schema: Any, arrays: dict, alike: bool) -> None:
    true = {"coef": np.array([1.0, 2.0]), "classes": np.array([0, 1]), "tree": TREE}
    archive(pair[0] / "m.skops", {"C": 0.1}, **true)
    archive(pair[1] / "m.skops", schema, **true | arrays)
    assert (files(pair, "m.skops") == []) == alike


@pytest.mark.parametrize(
    ("field", "value", "alike"), [("threshold", 1e-12, True), ("threshold", 0.1, False), ("left", 1, False)]
)
def test_a_tree_in_a_model_is_compared_node_by_node(
    pair: tuple[Path, Path], field: str, value: float, alike: bool
) -> None:
    grown = TREE.copy()
    grown[field][1] = value
    archive(pair[0] / "m.skops", {}, tree=TREE)
    archive(pair[1] / "m.skops", {}, tree=grown)
    assert (files(pair, "m.skops") == []) == alike


@pytest.mark.parametrize("name", ["x.json", "x.parquet", "x.skops", "x.png", "x.csv"])
def test_what_cannot_be_read_is_unlike(pair: tuple[Path, Path], name: str) -> None:
    (pair[0] / name).write_bytes(b"\xff\xfe{")
    (pair[1] / name).write_bytes(b"\xff\xfe[")
    assert len(files(pair, name)) == 1


def test_an_array_of_objects_is_never_unpickled(pair: tuple[Path, Path], tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "trap",))

    for folder, word in zip(pair, "ab", strict=True):
        stream = io.BytesIO()
        np.save(stream, np.array([Trap(), word], dtype=object), allow_pickle=True)
        with zipfile.ZipFile(folder / "m.skops", "w") as file:
            file.writestr("0.npy", stream.getvalue())
    assert len(files(pair, "m.skops")) == 1
    assert not (tmp_path / "trap").exists()


def test_pages_and_drawings_are_compared_as_texts(pair: tuple[Path, Path]) -> None:
    (pair[0] / "a.svg").write_text('<path d="M 10.5 20.25 L 3.0 4.0"/>')
    (pair[1] / "a.svg").write_text('<path d="M 10.5 20.25000001 L 3.0 4.0"/>')
    assert files(pair, "a.svg") == []
    (pair[1] / "a.svg").write_text('<path d="M 10.5 20.25 L 3.0 4.5"/>')
    assert files(pair, "a.svg") == ["text: recorded 4.0, rebuilt 4.5"]
