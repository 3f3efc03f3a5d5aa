"""Which rows a model was fitted and tuned on, kept beside its run: sixteen bytes a row, in ascending order.

So that a later champion is never asked about rows that it has learnt from. The bytes are held against the
digest that the split recorded; they name no row and hold nothing of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clearance import files
from clearance.data.tables import prepared, row_ids

SPLITS = ("train", "tune")
"""The rows that a model owes something to."""


def name(split: str) -> str:
    """Where the rows of a split are kept with the run."""
    return f"rows/{split}.bin"


def read(root: Path, split: str) -> bytes:
    """The hashes of the rows of `split` of the project at `root`. Raises what `prepared.tables` raises."""
    label = root / prepared.FOLDER / "label.parquet"
    files.verify(label, prepared.read_record(root)["tables"]["label"])
    table = pq.read_table(label, columns=list(prepared.KEYS))
    return pack(table.filter(pc.equal(table.column("split"), split)).column("row").to_pylist())


def pack(hashes: Iterable[str]) -> bytes:
    """Row hashes, texts of 32 hexadecimal digits, as bytes in ascending order."""
    found = _digests(bytes.fromhex("".join(hashes)))
    high, low = row_ids.as_numbers(found)
    return bytes(found[np.lexsort((low, high))].tobytes())


def digest(packed: bytes) -> str:
    """The SHA-256 that `reports/split.json` records of these rows, as `row_digests`."""
    return hashlib.sha256(packed.hex().encode()).hexdigest()


def contained(hashes: Iterable[str], packed: Iterable[bytes]) -> npt.NDArray[np.bool_]:
    """Which of the row hashes (n,) are among those in any of `packed`."""
    asked = bytes.fromhex("".join(hashes))
    known = b"".join(packed)
    whole = row_ids.groups(_digests(known + asked)) if known or asked else np.zeros(0, np.int64)
    size = len(known) // row_ids.DIGEST_BYTES
    return np.isin(whole[size:], whole[:size])


def _digests(content: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, row_ids.DIGEST_BYTES)
