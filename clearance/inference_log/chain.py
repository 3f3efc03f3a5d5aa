"""The chain of an inference log: what is hashed, and how one record commits to all before it.

    hash = SHA-256(JSON ["clearance/inference/record/1", sequence, at, key, SHA-256(header), SHA-256(sealed),
                         previous hash])

without spaces, in ASCII. The first record follows SHA-256(JSON ["clearance/inference/origin/1", log id]). The
hash covers the sealed bytes, never what they hold: destroying a key changes no hash. Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A record as the log stores it.

    `at` is when the log took it, `key` the number of the key that seals the content; `id`, `kind`, `about`
    and `idempotency` repeat what the header states. `mac` authenticates the hash under the log's own key.
    """

    sequence: int
    id: str
    kind: str
    at: str
    key: int
    about: str | None
    idempotency: str | None
    header: bytes
    sealed: bytes
    hash: str
    mac: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The end of the chain: the last record's sequence number, hash and time.

    `keys` is the number of the newest key, `erasures` how many keys were destroyed so far.
    """

    sequence: int
    hash: str
    at: str
    keys: int
    erasures: int


def origin(log: str) -> str:
    """What the first record of the log with this id follows."""
    return hashlib.sha256(f'["clearance/inference/origin/1","{log}"]'.encode()).hexdigest()


def digest(sequence: int, at: str, key: int, previous: str, *, header: bytes, sealed: bytes) -> str:
    """The hash of a record: 64 hex digits."""
    opened, closed = hashlib.sha256(header).hexdigest(), hashlib.sha256(sealed).hexdigest()
    text = f'["clearance/inference/record/1",{sequence},"{at}",{key},"{opened}","{closed}","{previous}"]'
    return hashlib.sha256(text.encode()).hexdigest()


def place(sequence: int, at: str, key: int, previous: str, header: bytes) -> bytes:
    """What the seal of a record's content is bound to: its place in the chain, and its header."""
    return b"%d %s %d %s " % (sequence, at.encode(), key, previous.encode()) + header
