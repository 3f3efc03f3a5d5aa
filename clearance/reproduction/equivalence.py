"""How two files that should agree differ: number by number within a tolerance, all else exactly.

A file of a kind that cannot be read counts as different unless its bytes are equal. A digest is not compared
as text when it is that of a known file: both sides must then name the same file.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clearance import files
from clearance.errors import IntegrityError

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_NUMBERS = re.compile(rf"(?<![\w.])({_NUMBER.pattern})")
_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
_TEXTS = (".csv", ".html", ".json", ".md", ".svg", ".txt")
_UNREADABLE = (
    EOFError,
    IntegrityError,
    KeyError,
    NotImplementedError,  # zipfile: a compression that it does not know
    OSError,
    RuntimeError,  # zipfile: a member under a password
    TypeError,
    ValueError,
    pa.ArrowException,
    zipfile.BadZipFile,
    zlib.error,
)
_LARGEST = 4 << 30
_SHOWN = 60


@dataclass(frozen=True)
class Tolerance:
    """By how much two numbers may differ: `relative` to the larger, or `absolute` near zero."""

    relative: float = 1e-6
    absolute: float = 1e-9

    def holds(self, one: float, other: float) -> bool:
        """Whether two numbers are close enough. Two NaNs are; an infinity equals only itself."""
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return math.isclose(one, other, rel_tol=self.relative, abs_tol=self.absolute)

    def count(self, one: Any, other: Any) -> int:
        """How many numbers of two arrays of one shape differ by more."""
        close = np.isclose(one, other, rtol=self.relative, atol=self.absolute, equal_nan=True)
        return int(close.size - np.count_nonzero(close))


@dataclass(frozen=True, kw_only=True)
class DigestNames:
    """The file behind each SHA-256, in what was recorded and in what was rebuilt."""

    recorded: Mapping[str, str]
    rebuilt: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference beyond the tolerance, at `where` in the file."""

    where: str
    recorded: str
    rebuilt: str

    def __str__(self) -> str:
        return f"{self.where}: recorded {self.recorded}, rebuilt {self.rebuilt}"


@dataclass(frozen=True, kw_only=True)
class FileComparison:
    """How two files are compared."""

    tolerance: Tolerance
    names: DigestNames

    def files(self, recorded: Path, rebuilt: Path) -> Iterator[Difference]:
        """The differences between two files of the same name, read as the kind that the name says.

        A side that is not a file of that kind is itself a difference.
        """
        try:
            if recorded.suffix == ".json":
                yield from self.values("", files.read_json(recorded), files.read_json(rebuilt))
            elif recorded.suffix == ".parquet":
                yield from self._tables(recorded, rebuilt)
            elif recorded.suffix == ".skops":
                yield from self._archives(recorded, rebuilt)
            elif recorded.suffix in _TEXTS:
                texts = (file.read_text(encoding="utf-8") for file in (recorded, rebuilt))
                yield from self.texts("text", *texts)
            elif files.sha256(recorded) != files.sha256(rebuilt):
                yield _difference("content", files.sha256(recorded)[:12], files.sha256(rebuilt)[:12])
        except _UNREADABLE as error:
            yield _difference("content", "some", f"other, not comparable ({type(error).__name__})")

    def values(self, where: str, recorded: Any, rebuilt: Any) -> Iterator[Difference]:
        """The differences between two JSON values. Counts (integers on both sides) must be equal."""
        if isinstance(recorded, Mapping) and isinstance(rebuilt, Mapping):
            for key in sorted({*recorded, *rebuilt}, key=str):
                inner = f"{where}.{key}" if where else str(key)
                yield from self.values(inner, recorded.get(key, _ABSENT), rebuilt.get(key, _ABSENT))
        elif isinstance(recorded, list) and isinstance(rebuilt, list) and len(recorded) == len(rebuilt):
            for index, (one, other) in enumerate(zip(recorded, rebuilt, strict=True)):
                yield from self.values(f"{where}[{index}]", one, other)
        elif isinstance(recorded, str) and isinstance(rebuilt, str):
            yield from self.texts(where, recorded, rebuilt)
        elif not self._is_same(recorded, rebuilt):
            yield _difference(where, recorded, rebuilt)

    def _is_same(self, one: Any, other: Any) -> bool:
        kinds = {type(one), type(other)}
        if float in kinds and kinds <= {int, float}:
            return self.tolerance.holds(float(one), float(other))
        return type(one) is type(other) and bool(one == other)

    def texts(self, where: str, recorded: str, rebuilt: str) -> Iterator[Difference]:
        """The first difference: words and whole numbers must be equal, other numbers within the tolerance."""
        parts = zip_longest(_parts(recorded, self.names.recorded), _parts(rebuilt, self.names.rebuilt))
        for one, other in parts:
            if one != other and not self._is_close(one, other):
                yield _difference(where, one, other)
                return

    def _is_close(self, one: str | None, other: str | None) -> bool:
        """Whether two parts of a text are numbers within the tolerance, and not both whole."""
        if not one or not other or not (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)):
            return False
        are_integers = one.lstrip("-+").isdigit() and other.lstrip("-+").isdigit()
        return not are_integers and self.tolerance.holds(float(one), float(other))

    def _tables(self, recorded: Path, rebuilt: Path) -> Iterator[Difference]:
        """The columns of two Parquet files that differ, one after the other in memory."""
        files = [pq.ParquetFile(file) for file in (recorded, rebuilt)]
        schemas = [file.schema_arrow.remove_metadata() for file in files]
        rows = [file.metadata.num_rows for file in files]
        if not schemas[0].equals(schemas[1]):
            yield _difference("columns", schemas[0], schemas[1])
        elif rows[0] != rows[1]:
            yield _difference("rows", *rows)
        else:
            for name in schemas[0].names:
                one, other = (file.read(columns=[name]).column(0) for file in files)
                if not one.equals(other) and (count := self._different_rows(one, other)):
                    yield _difference(f"column {name}", f"{rows[0]} rows", f"{count} of them different")

    def _different_rows(self, one: Any, other: Any) -> int:
        if not pa.types.is_floating(one.type) or one.is_null() != other.is_null():
            return sum(a != b for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True))
        return self.tolerance.count(one.to_numpy(), other.to_numpy())

    def _archives(self, recorded: Path, rebuilt: Path) -> Iterator[Difference]:
        """The members of two model files that differ. Every number in them counts, not what they predict.

        Agreeing on the rows at hand says nothing about other rows.
        """
        with zipfile.ZipFile(recorded) as old, zipfile.ZipFile(rebuilt) as new:
            if sum(item.file_size for item in (*old.infolist(), *new.infolist())) > _LARGEST:
                raise ValueError("too large")
            names = [sorted(archive.namelist()) for archive in (old, new)]
            if names[0] != names[1]:
                yield _difference("members", *map(len, names))
                return
            for name in names[0]:
                yield from self._members(name, old.read(name), new.read(name))

    def _members(self, name: str, recorded: bytes, rebuilt: bytes) -> Iterator[Difference]:
        if recorded == rebuilt:
            return
        if name.endswith(".json"):
            yield from self.values(name, json.loads(recorded), json.loads(rebuilt))
        elif name.endswith(".npy"):
            arrays = (np.load(io.BytesIO(content), allow_pickle=False) for content in (recorded, rebuilt))
            yield from self._arrays(name, *arrays)
        else:
            yield _difference(name, f"{len(recorded)} bytes", f"{len(rebuilt)} different bytes")

    def _arrays(self, where: str, recorded: Any, rebuilt: Any) -> Iterator[Difference]:
        if recorded.dtype != rebuilt.dtype or recorded.shape != rebuilt.shape:
            yield _difference(where, (recorded.dtype, recorded.shape), (rebuilt.dtype, rebuilt.shape))
        elif recorded.dtype.names:
            for field in recorded.dtype.names:
                yield from self._arrays(f"{where}.{field}", recorded[field], rebuilt[field])
        else:
            is_float = np.issubdtype(recorded.dtype, np.floating)
            count = self.tolerance.count(recorded, rebuilt) if is_float else int(np.sum(recorded != rebuilt))
            if count:
                yield _difference(where, f"{recorded.size} numbers", f"{count} of them different")


class _Absent:
    """The value of a key that one side lacks."""

    def __str__(self) -> str:
        return "nothing"


_ABSENT = _Absent()


def _parts(text: str, names: Mapping[str, str]) -> list[str]:
    """The text cut before and after each number, digests of known files replaced by their names."""
    return _NUMBERS.split(_SHA256.sub(lambda match: names.get(match[0], match[0]), text))


def _difference(where: str, recorded: Any, rebuilt: Any) -> Difference:
    return Difference(where=where, recorded=_short(recorded), rebuilt=_short(rebuilt))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
