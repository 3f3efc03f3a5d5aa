"""The packages of `requirements.lock`: name, version and the hashes of their files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class LockedPackage:
    """A pinned package, and the SHA-256 of each file that may be installed for it."""

    name: str
    version: str
    sha256: tuple[str, ...]


def parse(lock: str) -> Iterator[LockedPackage]:
    """The packages that a lock pins, in its order."""
    name, version, hashes = "", "", list[str]()
    for line in lock.splitlines():
        if pin := _PIN.match(line):
            if name:
                yield LockedPackage(name=name, version=version, sha256=tuple(hashes))
            name, version, hashes = pin[1], pin[2], []
        hashes += _HASH.findall(line)
    if name:
        yield LockedPackage(name=name, version=version, sha256=tuple(hashes))
