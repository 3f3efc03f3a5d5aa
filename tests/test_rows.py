"""A row is who it is, however the source typed its key."""

import datetime as dt
import decimal
import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.data.tables import row_ids
from clearance.errors import DataError


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([7, None]), ["7", None]),
        (pa.array([7.0, float("nan"), -0.0, 0.1, 1e20]), ["7", None, "0", "0.1", "1e+20"]),
        (pa.array([7, 0.1], pa.float32()), ["7", "0.1"]),
        (pa.array([decimal.Decimal("7.00"), decimal.Decimal("0.10")]), ["7", "0.1"]),
        (pa.array([decimal.Decimal("700")]), ["700"]),
        (pa.array(["7", "7.0", "", None]), ["7", "7.0", "", None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([True, False, None]), ["1", "0", None]),
        (pa.array([dt.date(2025, 3, 1)]), ["2025-03-01"]),
        (pa.array([dt.datetime(2025, 3, 1)], pa.timestamp("ns")), ["2025-03-01 00:00:00"]),
        (pa.array([dt.datetime(2025, 3, 1, 2, 0, 0, 500000)], pa.timestamp("us")), ["2025-03-01 02:00:00.5"]),
        (pa.array([0], pa.timestamp("s", "Europe/Paris")), ["1970-01-01 00:00:00"]),
        (pa.array([None, None]), [None, None]),
        (pa.array([], pa.float64()), []),
    ],
)
def test_a_value_has_one_text_whatever_its_type(column: pa.Array, texts: list[str | None]) -> None:
    assert row_ids.canonical(column).to_pylist() == texts
    assert row_ids.canonical(pa.chunked_array([column, column])).to_pylist() == texts * 2


def test_nested_values_are_refused_by_name() -> None:
    with pytest.raises(DataError) as excinfo:
        row_ids.canonical(pa.array([[1], [2]]), "tags")
    assert excinfo.value.code == "data.no_plain_text"
    assert excinfo.value.values["column"] == "tags"


@given(st.lists(st.integers(-(2**53) + 1, 2**53 - 1), unique=True))
def test_integers_floats_decimals_and_digits_name_the_same_rows(numbers: list[int]) -> None:
    as_integers = row_ids.canonical(pa.array(numbers, pa.int64())).to_pylist()
    assert as_integers == [str(number) for number in numbers]
    assert (
        row_ids.canonical(pa.array([float(number) for number in numbers], pa.float64())).to_pylist()
        == as_integers
    )
    assert len(set(as_integers)) == len(numbers)


@given(st.lists(st.floats(allow_nan=False), unique_by=lambda number: number + 0.0))
def test_different_floats_have_different_texts(numbers: list[float]) -> None:
    texts = row_ids.canonical(pa.array(numbers, pa.float64())).to_pylist()
    assert len(set(texts)) == len(numbers)
    assert [float(text) for text in texts] == numbers


def test_one_value_is_written_like_a_column_of_it() -> None:
    assert [row_ids.canonical_value(value) for value in (1, 1.0, True, "yes", 0.5)] == [
        "1",
        "1",
        "1",
        "yes",
        "0.5",
    ]


def test_a_digest_is_the_head_of_the_sha256() -> None:
    digest = row_ids.digests(pa.array(["7", "é"]))
    assert digest.shape == (2, 16)
    expected = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in ("7", "é")]
    assert row_ids.hexadecimal(digest).to_pylist() == expected
    assert row_ids.hexadecimal(digest[:0]).to_pylist() == []


@given(st.lists(st.binary(min_size=16, max_size=16)), st.integers(0, 3))
def test_hexadecimal_texts_are_read_back_from_any_part_of_a_column(rows: list[bytes], start: int) -> None:
    digest = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, 16)
    texts = row_ids.hexadecimal(digest)
    assert np.array_equal(row_ids.from_hexadecimal(texts), digest)
    assert np.array_equal(row_ids.from_hexadecimal(texts.slice(start)), digest[start:])
    chunks = pa.chunked_array([texts.slice(start), texts.slice(0, start)], type=pa.string())
    assert np.array_equal(row_ids.from_hexadecimal(chunks), np.concatenate([digest[start:], digest[:start]]))


@pytest.mark.parametrize("text", ["ab", "g" * 32, "a" * 34, None])
def test_what_is_not_a_digest_is_refused(text: str | None) -> None:
    with pytest.raises(ValueError, match=r"."):
        row_ids.from_hexadecimal(pa.array(["a" * 32, text]))


def test_content_hangs_on_every_value_and_on_no_order_of_columns() -> None:
    table = pa.table({"b": ["x", None, "x"], "a": [1, 1, 2]})
    texts = row_ids.content(table).to_pylist()
    assert len(set(texts)) == 3
    assert row_ids.content(table.select(["a", "b"])).to_pylist() == texts
    assert row_ids.content(pa.table({"b": ["x", None, "x"], "a": [1.0, 1.0, 2.0]})).to_pylist() == texts
    assert row_ids.content(pa.table({"a": pa.array([None, 1])})).null_count == 0


@given(st.lists(st.sampled_from("abc")))
def test_equal_digests_are_one_group_and_are_numbered_apart(letters: list[str]) -> None:
    digest = row_ids.digests(pa.array(letters, pa.string()))
    group = row_ids.groups(digest)
    assert [[a == b for b in letters] for a in letters] == (group[:, None] == group[None, :]).tolist()
    unique = row_ids.numbered(digest)
    assert len({row.tobytes() for row in unique}) == len(letters)
    firsts = [letters.index(letter) for letter in dict.fromkeys(letters)]
    assert np.array_equal(unique[firsts], digest[firsts])


@given(st.permutations(["a", "a", "b", "a"]))
def test_numbered_copies_have_the_same_digests_in_any_order(letters: list[str]) -> None:
    digests = {row.tobytes() for row in row_ids.numbered(row_ids.digests(pa.array(letters)))}
    assert digests == {
        row.tobytes() for row in row_ids.numbered(row_ids.digests(pa.array(["a", "a", "a", "b"])))
    }


@given(st.lists(st.binary(min_size=2, max_size=2)))
def test_digests_sort_as_their_texts_though_their_halves_are_equal(halves: list[bytes]) -> None:
    rows = [bytes([half[0] % 3]) * 8 + bytes([half[1] % 3]) * 8 for half in halves]
    digest = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, 16)
    sorting = row_ids.sorting(digest)
    texts = row_ids.hexadecimal(digest).to_pylist()
    ordered = [texts[at] for at in sorting.order]
    assert ordered == sorted(texts)
    assert sorting.different == len({*texts})
    assert [text for text, is_first in zip(ordered, sorting.is_first, strict=True) if is_first] == sorted(
        {*texts}
    )
