"""The identity of a row: texts and digests of values that do not depend on the types of the source.

The same key read as the integer 7, as 7.0 or as the text "7" is the same key. Which column is a key, and
which side of a split a row falls on, is decided elsewhere.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clearance import labels
from clearance.data import faults

if TYPE_CHECKING:
    import pandas as pd

DIGEST_BYTES = 16
"""A row is identified by the first 16 bytes of a SHA-256, written as 32 hexadecimal digits."""

_AT_ONCE = 65_536
"""Texts that are Python objects at one time."""

_SEPARATOR = "\x1f"
_NULL = "\x00"
_EXACT = 2**53
_PLAIN_TYPES = (
    pa.types.is_integer,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_date,
    pa.types.is_null,
)


def canonical(column: pa.Array | pa.ChunkedArray, name: str = "column") -> pa.Array:
    """Each value as text, one text for one value whatever the column's type; null (and NaN) stays null.

    Numbers lose what carries no information (7, 7.0 and decimal 7.00 are `7`, -0.0 is `0`), booleans are
    `1` and `0` as databases without booleans store them, instants are UTC, text is itself. Raises DataError
    on nested or binary values; `name` is the column in its message.
    """
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = values.type
    if pa.types.is_dictionary(kind):
        return canonical(values.dictionary_decode(), name)
    if pa.types.is_floating(kind):
        return _of_floats(values)
    if pa.types.is_decimal(kind):
        return _without_trailing_zeros(values.cast(pa.string()))
    if pa.types.is_timestamp(kind):
        return _without_trailing_zeros(
            values.cast(pa.int64()).cast(pa.timestamp(kind.unit)).cast(pa.string())
        )
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif not any(test(kind) for test in _PLAIN_TYPES):
        raise faults.NO_PLAIN_TEXT(column=name, kind=str(kind))
    return values.cast(pa.string())


def canonical_value(value: Any) -> str | None:
    """One value as `canonical` writes it; see `clearance.labels`, which needs no Arrow."""
    if value is None or isinstance(value, bool | int | float | str):
        return labels.text(value)
    text: str | None = canonical(pa.array([value]))[0].as_py()
    return text


def content(table: pa.Table) -> pa.Array:
    """Each row's whole content as one text, whatever the order of the columns."""
    names = sorted(table.column_names)
    texts = [canonical(table.column(name), name) for name in names]
    if len(texts) == 1:
        return pc.fill_null(texts[0], _NULL)
    return pc.binary_join_element_wise(*texts, _SEPARATOR, null_handling="replace", null_replacement=_NULL)


def digests(texts: pa.Array) -> np.ndarray:
    """The first 16 bytes of each text's SHA-256: shape (rows, 16), uint8. Texts must not be null."""
    sha256 = hashlib.sha256
    digest = np.empty((len(texts), DIGEST_BYTES), dtype=np.uint8)
    for start in range(0, len(texts), _AT_ONCE):
        part = texts.slice(start, _AT_ONCE).to_pylist()
        joined = b"".join([sha256(text.encode()).digest()[:DIGEST_BYTES] for text in part])
        digest[start : start + len(part)] = np.frombuffer(joined, dtype=np.uint8).reshape(-1, DIGEST_BYTES)
    return digest


def hexadecimal(digest: np.ndarray) -> pa.Array:
    """Digests of shape (rows, 16) as texts of 32 lower-case hexadecimal digits."""
    width = 2 * DIGEST_BYTES
    offsets = np.arange(0, (len(digest) + 1) * width, width, dtype=np.int64)
    letters = pa.py_buffer(np.ascontiguousarray(digest).tobytes().hex().encode())
    wide = pa.LargeStringArray.from_buffers(len(digest), pa.py_buffer(offsets.tobytes()), letters)
    return wide.cast(pa.string())


def texts(hashes: pd.Series | Iterable[str]) -> pa.Array:
    """Row hashes as one array of Arrow's plain texts."""
    column = pa.array(hashes, type=pa.string())
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def from_hexadecimal(hashes: pa.Array | pd.Series | Iterable[str]) -> np.ndarray:
    """The digests (rows, 16) that `hexadecimal` wrote. Raises ValueError on a text that it did not write."""
    values = texts(hashes)
    width = 2 * DIGEST_BYTES
    if values.null_count:
        raise ValueError(f"{values.null_count} digests are null")
    letters = values.cast(pa.binary()).cast(pa.binary(width))
    start, size = letters.offset * width, len(letters) * width
    content = binascii.unhexlify(memoryview(letters.buffers()[1])[start : start + size] if size else b"")
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, DIGEST_BYTES)


def as_numbers(digest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Digests of shape (rows, 16) as two uint64 arrays; ordered by the first, then the second, they are
    ordered as their hexadecimal texts."""
    halves = np.ascontiguousarray(digest).view(">u8").astype(np.uint64)
    return halves[:, 0], halves[:, 1]


@dataclass(frozen=True)
class Sorting:
    """Digests (rows, 16) in ascending order, as their hexadecimal texts are: `order` are their positions,
    and `is_first` says which of the ordered ones differ from the one before them. Both have shape (rows,)."""

    order: np.ndarray
    is_first: np.ndarray

    @property
    def different(self) -> int:
        """How many different digests there are."""
        return int(np.count_nonzero(self.is_first))


def sorting(digest: np.ndarray) -> Sorting:
    """Sort the digests (rows, 16), once for every question about which of them are equal."""
    high, low = as_numbers(digest)
    order = np.argsort(high, kind="stable")
    ordered = high[order]
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    if not is_first.all():
        order = np.lexsort((low, high))
        high, low = high[order], low[order]
        is_first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return Sorting(order, is_first)


def groups(digest: np.ndarray) -> np.ndarray:
    """A number from 0 for each row, the same exactly for equal digests (rows, 16)."""
    by_digest = sorting(digest)
    group = np.empty(len(digest), dtype=np.int64)
    group[by_digest.order] = np.cumsum(by_digest.is_first) - 1
    return group


def numbered(digest: np.ndarray) -> np.ndarray:
    """Digests made unique: the first of equal digests is kept, the n-th is hashed with its number."""
    group = groups(digest)
    order = np.argsort(group, kind="stable")
    start = np.searchsorted(group[order], group[order], side="left")
    number = np.empty(len(group), dtype=np.int64)
    number[order] = np.arange(len(group)) - start
    unique = digest.copy()
    for index in np.flatnonzero(number):
        copy = hashlib.sha256(digest[index].tobytes() + str(number[index]).encode()).digest()
        unique[index] = np.frombuffer(copy[:DIGEST_BYTES], dtype=np.uint8)
    return unique


def _of_floats(values: pa.Array) -> pa.Array:
    numbers = pc.if_else(pc.is_nan(values), None, values)
    wide = numbers.cast(pa.float64())
    integral = pc.and_(pc.equal(pc.floor(wide), wide), pc.less(pc.abs(wide), float(_EXACT)))
    integers = pc.if_else(integral, wide, None).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(integers, numbers.cast(pa.string()))


def _without_trailing_zeros(texts: pa.Array) -> pa.Array:
    trimmed = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    return pc.if_else(pc.match_substring(texts, "."), trimmed, texts)
