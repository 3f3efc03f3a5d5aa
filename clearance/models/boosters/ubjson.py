"""Universal Binary JSON, as far as XGBoost writes it: read into plain values and arrays.

No length is believed before the bytes are there. Everything else of the format is refused.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

DEEPEST = 32
_NUMBERS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_CONSTANTS = {b"T": True, b"F": False, b"Z": None}


def loads(content: bytes) -> Any:
    """The value in `content`: arrays of one type of number as NumPy arrays, everything else as in JSON.

    Raises ValueError when it is cut, nested too deeply, has a name twice, or goes on after its value.
    """
    reader = _Reader(content)
    value = reader.value(reader.take(1), 0)
    if reader.at != len(content):
        raise ValueError("it goes on after its end")
    return value


class _Reader:
    """A position in the bytes of a document."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if count < 0 or count > len(self.content) - self.at:
            raise ValueError("it is cut")
        self.at += count
        return self.content[self.at - count : self.at]

    def length(self) -> int:
        """A length, which XGBoost writes as a 64-bit integer."""
        if self.take(1) != b"L":
            raise ValueError("a length of another type")
        return int(struct.unpack(">q", self.take(8))[0])

    def text(self) -> str:
        """A text without its marker."""
        return self.take(self.length()).decode()

    def value(self, marker: bytes, depth: int) -> Any:
        """The value after its marker."""
        if depth > DEEPEST:
            raise ValueError("it is nested too deeply")
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in _NUMBERS:
            kind = np.dtype(_NUMBERS[marker])
            return np.frombuffer(self.take(kind.itemsize), kind)[0].item()
        if marker == b"S":
            return self.text()
        if marker == b"{":
            return self.members(depth)
        if marker == b"[":
            return self.items(depth)
        raise ValueError(f"a value of an unknown type {marker!r}")

    def members(self, depth: int) -> dict[str, Any]:
        """An object, each of its names once."""
        members: dict[str, Any] = {}
        while self.content[self.at : self.at + 1] != b"}":
            name = self.text()
            if name in members:
                raise ValueError(f"the name {name[:40]!r} occurs twice")
            members[name] = self.value(self.take(1), depth + 1)
        self.take(1)
        return members

    def items(self, depth: int) -> Any:
        """An array: of one type of number where the type comes first, else of any values, counted or not."""
        first = self.content[self.at : self.at + 1]
        if first == b"#":
            self.take(1)
            return [self.value(self.take(1), depth + 1) for _ in range(self.length())]
        if first == b"$":
            _, marker, mark = self.take(1), self.take(1), self.take(1)
            if marker not in _NUMBERS or mark != b"#":
                raise ValueError(f"an array of the type {marker!r}")
            kind = np.dtype(_NUMBERS[marker])
            return np.frombuffer(self.take(self.length() * kind.itemsize), kind)
        values = []
        while (marker := self.take(1)) != b"]":
            values.append(self.value(marker, depth + 1))
        return values
